//! Session-Expires (RFC 4028 section 4).

use memchr::memchr;

use super::params::Params;
use crate::sip::lex::leading_number;

/// How long a session lives without a refresh, and who sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionExpires {
    /// Seconds.
    pub seconds: u64,
    /// Who refreshes, when it is stated.
    pub refresher: Option<Refresher>,
}

/// A side of the transaction that carries Session-Expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresher {
    /// `uac`: the sender of the request.
    Uac,
    /// `uas`: the sender of the response.
    Uas,
}

impl SessionExpires {
    /// Takes `text` apart; `None` when it does not begin with a number.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let seconds = leading_number(text.trim_ascii_start())?;
        let params = Params(&text[memchr(b';', text).unwrap_or(text.len())..]);
        let refresher = params.value("refresher").and_then(|side| match side.len() {
            3 if side.eq_ignore_ascii_case(b"uac") => Some(Refresher::Uac),
            3 if side.eq_ignore_ascii_case(b"uas") => Some(Refresher::Uas),
            _ => None,
        });
        Some(Self { seconds, refresher })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(u64, Option<Refresher>)>) {
        let expected = expected.map(|(seconds, refresher)| SessionExpires { seconds, refresher });
        assert_eq!(SessionExpires::parse(text.as_bytes()), expected, "{text}");
    }

    #[test]
    fn seconds_and_refresher_are_read() {
        check("1800", Some((1800, None)));
        check("1800 ; Refresher = UAC", Some((1800, Some(Refresher::Uac))));
        check("90;refresher=uas;x", Some((90, Some(Refresher::Uas))));
        check("90;refresher=proxy", Some((90, None)));
        check("soon", None);
    }
}
