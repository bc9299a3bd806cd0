//! Warning (section 20.43).

use nom::Parser;
use nom::bytes::complete::take_till1;
use nom::sequence::preceded;

use crate::sip::lex::{Parsed, digits, is_lws, leading_number, lws, unquoted};

/// One warning of a response; one of several that a field may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Warning<'a> {
    /// 300 to 399 when it is right; what is larger than it can be reads as 65535.
    pub code: u16,
    /// Who warns.
    pub agent: &'a [u8],
    /// The text without quotes.
    pub text: &'a [u8],
}

impl<'a> Warning<'a> {
    /// Takes one value apart; `None` when it does not begin with a code and an agent.
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        let (text, (code, agent)) = parts(text).ok()?;
        let code = leading_number(code)?.min(u16::MAX.into()) as u16;
        Some(Self { code, agent, text: unquoted(text.trim_ascii()) })
    }
}

fn parts(input: &[u8]) -> Parsed<'_, (&[u8], &[u8])> {
    (preceded(lws, digits), preceded(lws, take_till1(is_lws))).parse(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(u16, &str, &str)>) {
        let expected = expected.map(|(code, agent, text)| Warning {
            code,
            agent: agent.as_bytes(),
            text: text.as_bytes(),
        });
        assert_eq!(Warning::parse(text.as_bytes()), expected, "{text}");
    }

    #[test]
    fn code_agent_and_text_are_read() {
        check("307 isi.edu:5060 \"not understood\"", Some((307, "isi.edu:5060", "not understood")));
        check("1812 overture \"In Progress\"", Some((1812, "overture", "In Progress")));
        check("99999 a", Some((u16::MAX, "a", "")));
        check("isi.edu \"x\"", None);
    }
}
