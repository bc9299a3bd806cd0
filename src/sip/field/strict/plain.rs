//! Knows values in the form in which nearly everybody writes them, word by word. What it accepts is
//! right; of all else the full grammar has to say what is wrong with it, if anything.

use super::class::{Class, HOST, PARAM, TOKEN, USER, WORD};
use crate::sip::lex::scan::Marks;
use crate::sip::{CSeq, HeaderName, Span};

/// True when the value of the header `name` that stands at `value` in `text` certainly is right.
pub(super) fn is_right(name: HeaderName, text: &[u8], value: Span) -> bool {
    match name {
        HeaderName::Via => branch(text, value).is_some(),
        HeaderName::From
        | HeaderName::To
        | HeaderName::Contact
        | HeaderName::Route
        | HeaderName::RecordRoute
        | HeaderName::ReferTo => tag(text, value).is_some(),
        HeaderName::CSeq => cseq(text, value).is_some(),
        HeaderName::CallId => is_call_id(Rest::of(text, value)),
        HeaderName::Authorization
        | HeaderName::ProxyAuthorization
        | HeaderName::WwwAuthenticate
        | HeaderName::ProxyAuthenticate => is_digest(Rest::of(text, value)),
        _ => false,
    }
}

/// What a Request-URI is known to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plain {
    /// Right, without headers and without `method`.
    Right,
    /// Nothing is known.
    Unknown,
}

/// `sip:user@host:port;name=value` as a Request-URI has it.
pub(super) fn request_uri(text: &[u8], value: Span) -> Plain {
    let mut rest = Rest::of(text, value);
    let mut has_method = false;
    let is_right = rest.uri(|name| has_method |= name.eq_ignore_ascii_case(b"method"));
    if is_right && rest.is_empty() && !has_method { Plain::Right } else { Plain::Unknown }
}

/// The branch of `SIP/2.0/UDP host:port;name=value`, empty when it has none.
pub(in crate::sip) fn branch(text: &[u8], value: Span) -> Option<&[u8]> {
    let mut rest = Rest::of(text, value);
    let is_hop = rest.all(b"SIP/2.0/")
        && rest.some(TOKEN)
        && rest.one(b' ')
        && rest.host()
        && rest.maybe_port();
    if is_hop { rest.only_params(b"branch", Rest::via_value) } else { None }
}

/// The tag of `"display name" <uri>;name=value`, empty when it has none. The display name may be
/// without quotes or missing.
pub(in crate::sip) fn tag(text: &[u8], value: Span) -> Option<&[u8]> {
    let rest = Rest::of(text, value);
    rest.usual_tag().or_else(|| rest.any_tag())
}

/// `1 INVITE`
pub(in crate::sip) fn cseq(text: &[u8], value: Span) -> Option<CSeq<'_>> {
    let value = text.get(value.range())?;
    let end = value.iter().position(|octet| !octet.is_ascii_digit())?;
    let (digits, rest) = value.split_at(end);
    let method = rest.strip_prefix(b" ")?;
    // Larger numbers are left to the full reading.
    let is_right = matches!(end, 1..=9)
        && !method.is_empty()
        && method.iter().all(|octet| TOKEN.holds(*octet));
    let number = || digits.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
    is_right.then(|| CSeq { number: number(), method })
}

/// `word` or `word@word`
fn is_call_id(mut rest: Rest<'_>) -> bool {
    rest.some(WORD) && (!rest.one(b'@') || rest.some(WORD)) && rest.is_empty()
}

/// `Digest name="value", name=value`
fn is_digest(mut rest: Rest<'_>) -> bool {
    if !rest.all(b"Digest ") {
        return false;
    }
    while rest.some(TOKEN) && rest.one(b'=') {
        let is_value = if rest.one(b'"') { rest.end_quote() } else { rest.some(TOKEN) };
        if !is_value || rest.is_empty() {
            return is_value;
        }
        if !rest.one(b',') {
            return false;
        }
        rest.one(b' ');
    }
    false
}

/// What of a value is not read yet.
#[derive(Clone, Copy)]
struct Rest<'a> {
    /// The text up to the end of the value.
    text: &'a [u8],
    at: usize,
    separators: Marks<'a>,
}

impl<'a> Rest<'a> {
    /// All of the value that stands at `value` in `text`.
    #[inline]
    fn of(text: &'a [u8], value: Span) -> Self {
        let at = value.start as usize;
        let separators = Marks::of_separators(text, at);
        Self { text: text.get(..value.end as usize).unwrap_or(text), at, separators }
    }

    /// What [`tag`] finds in a short `<sip:user@host:port>;tag=token`, the port and the tag maybe missing,
    /// of which all but the separators are letters, digits, hyphens and dots. Nothing is taken, nor may
    /// anything have been.
    #[inline]
    fn usual_tag(&self) -> Option<&'a [u8]> {
        let value = self.text.get(self.at..)?;
        let mut bits = self.separators.first_bits(self.at);
        let mut next = || {
            let at = bits.trailing_zeros() as usize;
            bits &= bits.wrapping_sub(1);
            at
        };
        let [open, colon, at, mut end] = std::array::from_fn(|_| next());
        let is_user = (open, colon) == (0, 4) && 5 < at && value.starts_with(b"<sip:");
        if !is_user || value.get(at) != Some(&b'@') || end <= at + 1 {
            return None;
        }
        if value.get(end) == Some(&b':') {
            let port = end + 1;
            end = next();
            if !value.get(port..end)?.iter().all(u8::is_ascii_digit) || end == port {
                return None;
            }
        }
        match value.get(end..)? {
            [b'>'] => Some(&[]),
            [b'>', b';', b't', b'a', b'g', b'=', tag @ ..] => {
                let is_word = [next(), next(), next()] == [end + 1, end + 5, value.len()];
                (is_word && !tag.is_empty()).then_some(tag)
            }
            _ => None,
        }
    }

    /// What [`tag`] finds in any address.
    #[inline]
    fn any_tag(mut self) -> Option<&'a [u8]> {
        if self.one(b'"') {
            if !self.end_quote() {
                return None;
            }
            self.one(b' ');
        } else {
            while self.some(TOKEN) && self.one(b' ') {}
        }
        let is_address = self.one(b'<') && self.uri(|_| ()) && self.one(b'>');
        if is_address { self.only_params(b"tag", |rest, _| rest.take(TOKEN)) } else { None }
    }

    #[inline]
    fn is_empty(&self) -> bool {
        self.text.len() <= self.at
    }

    /// Takes all octets of `class`, which has letters, digits, hyphen and dot.
    #[inline]
    fn take(&mut self, class: Class) -> &'a [u8] {
        let from = self.at;
        loop {
            self.at = self.separators.next_from(self.at).min(self.text.len());
            if !self.text.get(self.at).is_some_and(|octet| class.holds(*octet)) {
                return self.text.get(from..self.at).unwrap_or_default();
            }
            self.at += 1;
        }
    }

    /// The same; true when there was one.
    #[inline]
    fn some(&mut self, class: Class) -> bool {
        !self.take(class).is_empty()
    }

    #[inline]
    fn digits(&mut self) -> &'a [u8] {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let end = rest.iter().position(|octet| !octet.is_ascii_digit()).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// Takes `octet`; true when it was there.
    #[inline]
    fn one(&mut self, octet: u8) -> bool {
        let is_there = self.text.get(self.at) == Some(&octet);
        self.at += usize::from(is_there);
        is_there
    }

    /// Takes `octets`; true when they were there.
    #[inline]
    fn all<const N: usize>(&mut self, octets: &[u8; N]) -> bool {
        let are_there = self.text.get(self.at..).and_then(<[u8]>::first_chunk) == Some(octets);
        self.at += if are_there { N } else { 0 };
        are_there
    }

    /// Takes all up to the quote that ends a quoted string without quoted pairs.
    fn end_quote(&mut self) -> bool {
        loop {
            self.at = self.separators.next_from(self.at) + 1;
            match self.text.get(self.at - 1) {
                Some(b'"') => return true,
                None | Some(b'\\') => return false,
                Some(_) => {}
            }
        }
    }

    /// Takes a host name or an address, one of IPv6 in brackets.
    #[inline]
    fn host(&mut self) -> bool {
        if self.one(b'[') {
            return !self.ipv6().is_empty() && self.one(b']');
        }
        self.some(HOST)
    }

    /// Takes all octets of which an IPv6 address may be.
    fn ipv6(&mut self) -> &'a [u8] {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let is_in = |octet: &u8| octet.is_ascii_hexdigit() || matches!(octet, b':' | b'.');
        let end = rest.iter().position(|octet| !is_in(octet)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    #[inline]
    fn maybe_port(&mut self) -> bool {
        !self.one(b':') || !self.digits().is_empty()
    }

    /// Takes `sip:user@host:port;name=value`, the user, the port and the parameters maybe missing,
    /// and tells of each parameter; true when it was there.
    #[inline]
    fn uri(&mut self, mut param: impl FnMut(&[u8])) -> bool {
        if !(self.all(b"sip:") || self.all(b"sips:")) {
            return false;
        }
        let before_user = *self;
        if !(self.some(USER) && self.one(b'@')) {
            // What was taken for a user is the host.
            *self = before_user;
        }
        if !(self.host() && self.maybe_port()) {
            return false;
        }
        while self.one(b';') {
            let name = self.take(PARAM);
            if name.is_empty() {
                return false;
            }
            param(name);
            if self.one(b'=') {
                self.take(PARAM);
            }
        }
        true
    }

    /// Takes the value of the parameter `name` of a Via: a token, or what RFC 5118 (section 4.5)
    /// allows `received` to be.
    #[inline]
    fn via_value(&mut self, name: &[u8]) -> &'a [u8] {
        let start = self.at;
        let token = self.take(TOKEN);
        if self.text.get(self.at) != Some(&b':') || !name.eq_ignore_ascii_case(b"received") {
            return token;
        }
        self.at = start;
        self.ipv6()
    }

    /// The value of the first parameter `wanted`, which is written in lower case, empty when it has
    /// none or is not there; `None` when anything but parameters is left. `take_value` takes the value
    /// of one.
    #[inline]
    fn only_params<const N: usize>(
        mut self,
        wanted: &[u8; N],
        take_value: impl Fn(&mut Self, &[u8]) -> &'a [u8],
    ) -> Option<&'a [u8]> {
        let mut found = None;
        while self.one(b';') {
            let name = self.take(TOKEN);
            let value = if self.one(b'=') { Some(take_value(&mut self, name)) } else { None };
            if name.is_empty() || value.is_some_and(<[u8]>::is_empty) {
                return None;
            }
            if found.is_none() && name.len() == N && name.eq_ignore_ascii_case(wanted) {
                found = value.or(Some(&[]));
            }
        }
        self.is_empty().then(|| found.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usual_address_is_read_as_any_other() {
        for (port, tag) in [("", ""), (":5060", ""), ("", ";tag=a-1.b"), (":5060", ";tag=a-1.b")] {
            for user in 1..80 {
                let value = format!("<sip:{}@b.example{port}>{tag}", "u".repeat(user));
                for behind in ["", "\r\nTo: x", "z"] {
                    let text = format!("{value}{behind}");
                    let place = Span { start: 0, end: value.len() as u32 };
                    let rest = Rest::of(text.as_bytes(), place);
                    let (usual, any) = (rest.usual_tag(), rest.any_tag());
                    assert_eq!(any, Some(tag.trim_start_matches(";tag=").as_bytes()), "{text}");
                    assert!(usual.is_none() || usual == any, "{text}");
                    // A word that goes on behind the value hides its end.
                    let is_short = value.len() <= 64 && behind != "z";
                    assert!(usual.is_some() || !is_short, "{text}");
                }
            }
        }
    }
}
