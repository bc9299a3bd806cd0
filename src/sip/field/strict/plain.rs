//! Knows values in the form in which nearly everybody writes them, in one pass over a table. What
//! it accepts is right; of all else the full grammar has to say what is wrong with it, if anything.

use super::class::{Class, HOST, PARAM, TOKEN, USER};
use crate::sip::HeaderName;
use crate::sip::lex::scan;

/// True when `text` certainly is a right value of the header `name`.
pub(super) fn is_right(name: HeaderName, text: &[u8]) -> bool {
    match name {
        HeaderName::Via => is_via(text),
        HeaderName::From
        | HeaderName::To
        | HeaderName::Contact
        | HeaderName::Route
        | HeaderName::RecordRoute
        | HeaderName::ReferTo => is_address(text),
        HeaderName::CSeq => is_cseq(text),
        HeaderName::Authorization
        | HeaderName::ProxyAuthorization
        | HeaderName::WwwAuthenticate
        | HeaderName::ProxyAuthenticate => is_digest(text),
        _ => false,
    }
}

/// `sip:user@host:port;name=value`, the user, the port and the parameters maybe missing.
pub(super) fn is_uri(text: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(b"sip:").or_else(|| text.strip_prefix(b"sips:")) else {
        return false;
    };
    let mut rest = Rest(rest);
    let before_user = rest;
    if !(rest.some(USER) && rest.one(b'@')) {
        // What was taken for a user is the host.
        rest = before_user;
    }
    rest.some(HOST) && rest.maybe_port() && rest.only_params(PARAM, Value::Any)
}

/// `SIP/2.0/UDP host:port;name=value`
fn is_via(text: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(b"SIP/2.0/") else { return false };
    let mut rest = Rest(rest);
    rest.some(TOKEN)
        && rest.one(b' ')
        && rest.some(HOST)
        && rest.maybe_port()
        && rest.only_params(TOKEN, Value::NotEmpty)
}

/// `"display name" <uri>;name=value`, the name maybe without quotes or missing.
fn is_address(text: &[u8]) -> bool {
    let mut rest = Rest(text);
    if rest.one(b'"') {
        if !rest.end_quote() {
            return false;
        }
        rest.one(b' ');
    } else {
        while rest.some(TOKEN) && rest.one(b' ') {}
    }
    if !rest.one(b'<') {
        return false;
    }
    let Some(close) = scan::find(rest.0, b'>') else { return false };
    let (uri, params) = (&rest.0[..close], &rest.0[close + 1..]);
    is_uri(uri) && Rest(params).only_params(TOKEN, Value::NotEmpty)
}

/// `1 INVITE`
fn is_cseq(text: &[u8]) -> bool {
    let mut rest = Rest(text);
    rest.digits() && rest.one(b' ') && rest.some(TOKEN) && rest.0.is_empty()
}

/// `Digest name="value", name=value`
fn is_digest(text: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(b"Digest ") else { return false };
    let mut rest = Rest(rest);
    while rest.some(TOKEN) && rest.one(b'=') {
        let is_value = if rest.one(b'"') { rest.end_quote() } else { rest.some(TOKEN) };
        if !is_value || rest.0.is_empty() {
            return is_value;
        }
        if !rest.one(b',') {
            return false;
        }
        rest.one(b' ');
    }
    false
}

/// What may stand behind the equals sign of a parameter.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Value {
    Any,
    NotEmpty,
}

/// What of a value is not read yet.
#[derive(Clone, Copy)]
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    /// Takes all octets of `class`; true when there was one.
    #[inline]
    fn some(&mut self, class: Class) -> bool {
        self.take(class.break_in(self.0))
    }

    #[inline]
    fn digits(&mut self) -> bool {
        self.take(self.0.iter().position(|octet| !octet.is_ascii_digit()))
    }

    #[inline]
    fn take(&mut self, end: Option<usize>) -> bool {
        let end = end.unwrap_or(self.0.len());
        self.0 = &self.0[end..];
        end != 0
    }

    /// Takes `octet`; true when it was there.
    #[inline]
    fn one(&mut self, octet: u8) -> bool {
        match self.0.split_first() {
            Some((first, rest)) if *first == octet => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    /// Takes all up to the quote that ends a quoted string without quoted pairs.
    fn end_quote(&mut self) -> bool {
        let end = scan::find_any(self.0, [b'"', b'\\']);
        self.take(end);
        self.one(b'"')
    }

    fn maybe_port(&mut self) -> bool {
        !self.one(b':') || self.digits()
    }

    /// True when nothing is left but parameters of the octets of `class`.
    fn only_params(mut self, class: Class, value: Value) -> bool {
        while self.one(b';') {
            if !self.some(class) {
                return false;
            }
            if self.one(b'=') && !self.some(class) && value == Value::NotEmpty {
                return false;
            }
        }
        self.0.is_empty()
    }
}
