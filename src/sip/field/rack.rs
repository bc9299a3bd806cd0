//! RAck (RFC 3262 section 7.2).

use nom::Parser;
use nom::sequence::preceded;

use super::cseq::CSeq;
use crate::sip::lex::{digits, leading_number, lws};

/// Which reliable provisional response a PRACK acknowledges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RAck<'a> {
    /// The RSeq of the response; what is larger than 2^32 - 1 reads as that.
    pub response: u32,
    /// The CSeq of the response.
    pub cseq: CSeq<'a>,
}

impl<'a> RAck<'a> {
    /// Takes `text` apart; `None` when it does not begin with two numbers.
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        let (rest, response) = preceded(lws::<()>, digits).parse(text).ok()?;
        let response = leading_number(response)?.min(u32::MAX.into()) as u32;
        Some(Self { response, cseq: CSeq::parse(rest)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(u32, u32, &str)>) {
        let expected = expected.map(|(response, number, method)| RAck {
            response,
            cseq: CSeq { number, method: method.as_bytes() },
        });
        assert_eq!(RAck::parse(text.as_bytes()), expected, "{text}");
    }

    #[test]
    fn both_numbers_and_the_method_are_read() {
        check("776656 1 INVITE", Some((776_656, 1, "INVITE")));
        check(" 1\r\n 2\tINVITE", Some((1, 2, "INVITE")));
        check("99999999999 1 INVITE", Some((u32::MAX, 1, "INVITE")));
        check("1 2", Some((1, 2, "")));
        check("1 INVITE", None);
        check("", None);
    }
}
