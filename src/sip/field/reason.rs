//! Reason (RFC 3326).

use memchr::memchr;

use super::params::Params;
use crate::sip::lex::{leading_number, unquoted};

/// Why a request was sent or refused; one of several that a field may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason<'a> {
    /// `SIP`, `Q.850` or another protocol.
    pub protocol: &'a [u8],
    /// cause and text.
    pub params: Params<'a>,
}

impl<'a> Reason<'a> {
    /// Takes one value apart; `None` when it names no protocol.
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        let (protocol, params) = text.split_at(memchr(b';', text).unwrap_or(text.len()));
        let protocol = protocol.trim_ascii();
        (!protocol.is_empty()).then_some(Self { protocol, params: Params(params) })
    }

    /// The cause in the numbers of the protocol: a status code, a cause of Q.850.
    pub fn cause(&self) -> Option<u64> {
        self.params.value("cause").and_then(leading_number)
    }

    /// The text without quotes.
    pub fn text(&self) -> Option<&'a [u8]> {
        self.params.value("text").map(unquoted)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn protocol_cause_and_text_are_read() {
        let reason = Reason::parse(b"Q.850 ;cause = 16;text=\"Normal; clearing\"").unwrap();
        assert_eq!(reason.protocol, b"Q.850");
        assert_eq!(reason.cause(), Some(16));
        assert_eq!(reason.text(), Some(&b"Normal; clearing"[..]));
        assert_eq!(Reason::parse(b"SIP").unwrap().cause(), None);
        assert_eq!(Reason::parse(b";cause=1"), None);
    }
}
