//! CSeq (section 20.16).

use nom::Parser;
use nom::combinator::opt;
use nom::sequence::preceded;

use crate::sip::lex::{Parsed, digits, leading_number, lws, token};

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
        parts(text).ok().map(|(_, cseq)| cseq)
    }
}

fn parts(input: &[u8]) -> Parsed<'_, CSeq<'_>> {
    (preceded(lws, digits), preceded(lws, opt(token)))
        .map(|(number, method)| CSeq {
            number: leading_number(number).map_or(u32::MAX, |n| n.min(u32::MAX.into()) as u32),
            method: method.unwrap_or_default(),
        })
        .parse(input)
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
