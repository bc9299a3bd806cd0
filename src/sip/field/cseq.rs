//! CSeq (section 20.16).

use crate::sip::lex::{is_lws, is_token, leading_number};

/// Sequence number and method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CSeq<'a> {
    /// 0 to 2^31 - 1 by section 8.1.1.5; up to 2^32 - 1 is read, what is larger reads as that.
    pub number: u32,
    /// The method as written; some devices leave it out.
    pub method: &'a [u8],
}

impl<'a> CSeq<'a> {
    /// Takes `text` apart; `None` when it does not begin with a number.
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        let text = behind(text, is_lws);
        let number = leading_number(text)?.min(u32::MAX.into()) as u32;
        let method = behind(behind(text, |octet| octet.is_ascii_digit()), is_lws);
        let end = method.len() - behind(method, is_token).len();
        Some(Self { number, method: &method[..end] })
    }
}

/// `text` without the octets at its start that are of a kind.
fn behind(text: &[u8], is_of_it: impl Fn(u8) -> bool) -> &[u8] {
    let end = text.iter().position(|&octet| !is_of_it(octet)).unwrap_or(text.len());
    &text[end..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(u32, &str)>) {
        let expected = expected.map(|(number, m)| CSeq { number, method: m.as_bytes() });
        assert_eq!(CSeq::parse(text.as_bytes()), expected, "{text}");
    }

    #[test]
    fn sequence_numbers_are_read() {
        check("1 INVITE", Some((1, "INVITE")));
        check("0009\r\n  INVITE", Some((9, "INVITE")));
        check("4294967295 RE%47IST%45R", Some((u32::MAX, "RE%47IST%45R")));
        check("36893488147419103232 REGISTER", Some((u32::MAX, "REGISTER")));
        check("1", Some((1, "")));
        check("1INVITE", Some((1, "INVITE")));
        check("1 INVITE extra", Some((1, "INVITE")));
        check("INVITE", None);
        check("-1 INVITE", None);
        check("", None);
    }
}
