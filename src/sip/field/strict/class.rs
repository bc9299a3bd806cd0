//! Which octets may stand where in a URI, a Call-ID and a token (section 25.1), as one table of
//! bits.

/// A set of octets.
#[derive(Clone, Copy)]
pub(super) struct Class(u8);

/// User part: unreserved and user-unreserved, escapes apart.
pub(super) const USER: Class = Class(1);
/// Password.
pub(super) const PASSWORD: Class = Class(2);
/// Host name. The underscore is none of RFC 1034's, but names in use have it.
pub(super) const HOST: Class = Class(4);
/// Names and values of URI parameters.
pub(super) const PARAM: Class = Class(8);
/// Names and values of URI headers, with `=` and `&` between them.
pub(super) const HEADER: Class = Class(16);
/// Both halves of a Call-ID: `word`.
pub(super) const WORD: Class = Class(32);
/// URIs of other schemes.
pub(super) const OTHER: Class = Class(64);
/// `token`.
pub(super) const TOKEN: Class = Class(128);

const TABLE: [u8; 256] = {
    let mut table = [0; 256];
    let mut octet = 0;
    while octet < 128 {
        if (octet as u8).is_ascii_alphanumeric() {
            table[octet] = u8::MAX;
        }
        octet += 1;
    }
    table = with(table, b"-_.!~*'()", USER.0 | PASSWORD.0 | PARAM.0 | HEADER.0 | OTHER.0);
    table = with(table, b"&=+$,;?/", USER.0);
    table = with(table, b"&=+$,", PASSWORD.0);
    table = with(table, b"-._", HOST.0);
    table = with(table, b"[]/:&+$", PARAM.0);
    table = with(table, b"[]/?:+$=&", HEADER.0);
    table = with(table, b";/?:@&=+$,[]#", OTHER.0);
    table = with(table, b"-.!%*_+`'~", TOKEN.0);
    with(table, b"-.!%*_+`'~()<>:\\\"/[]?{}", WORD.0)
};

const fn with(mut table: [u8; 256], octets: &[u8], bits: u8) -> [u8; 256] {
    let mut at = 0;
    while at < octets.len() {
        table[octets[at] as usize] |= bits;
        at += 1;
    }
    table
}

impl Class {
    /// True when `octet` is one of the class.
    #[inline]
    pub(super) const fn holds(self, octet: u8) -> bool {
        TABLE[octet as usize] & self.0 != 0
    }

    /// Where the first octet stands that is none of the class.
    #[inline]
    pub(super) fn break_in(self, text: &[u8]) -> Option<usize> {
        let is_odd = |octet: &u8| TABLE[usize::from(*octet)] & self.0 == 0;
        // Eight at a time, which needs no count of each.
        let (eights, rest) = text.as_chunks::<8>();
        for (at, eight) in eights.iter().enumerate() {
            if let Some(within) = eight.iter().position(is_odd) {
                return Some(8 * at + within);
            }
        }
        rest.iter().position(is_odd).map(|at| 8 * eights.len() + at)
    }

    /// The same, with `%` and two hexadecimal digits allowed as an escaped octet.
    pub(super) fn break_in_escaped(self, text: &[u8]) -> Option<usize> {
        let mut from = 0;
        while let Some(at) = self.break_in(&text[from..]).map(|at| from + at) {
            match text[at..] {
                [b'%', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                    from = at + 3;
                }
                _ => return Some(at),
            }
        }
        None
    }
}
