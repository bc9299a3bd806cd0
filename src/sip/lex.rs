//! The lexical rules that every header field shares (section 25.1), as nom parsers.

use nom::bytes::complete::{take_while, take_while1};
use nom::error::ParseError;
use nom::{IResult, Parser};

pub(crate) use crate::transport::peek::is_token;
pub(crate) use crate::transport::scan;

/// What a parser of octets gives; the error says where only when a strict reader asks.
pub(crate) type Parsed<'a, T, E = ()> = IResult<&'a [u8], T, E>;

/// True for linear white space, folds included.
pub(crate) const fn is_lws(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t' | b'\r' | b'\n')
}

/// A `token`, at least one octet.
pub(crate) fn token<'a, E: ParseError<&'a [u8]>>(input: &'a [u8]) -> Parsed<'a, &'a [u8], E> {
    take_while1(is_token).parse(input)
}

/// White space, maybe none, folds included.
pub(crate) fn lws<'a, E: ParseError<&'a [u8]>>(input: &'a [u8]) -> Parsed<'a, &'a [u8], E> {
    take_while(is_lws).parse(input)
}

/// At least one decimal digit.
pub(crate) fn digits<'a, E: ParseError<&'a [u8]>>(input: &'a [u8]) -> Parsed<'a, &'a [u8], E> {
    take_while1(|octet: u8| octet.is_ascii_digit()).parse(input)
}

/// How many octets the quoted string at the start of `text` takes, quotes included; `None` when
/// it does not begin with a quote or is never closed.
pub(crate) fn quoted_len(text: &[u8]) -> Option<usize> {
    let inner = text.strip_prefix(b"\"")?;
    let mut at = 0;
    loop {
        at += scan::find_any(inner.get(at..)?, [b'"', b'\\'])?;
        if inner[at] == b'"' {
            return Some(at + 2);
        }
        at += 2;
    }
}

/// The number written in decimal at the start of `text`; `u64::MAX` when it is larger than that.
pub(crate) fn leading_number(text: &[u8]) -> Option<u64> {
    let end = text.iter().position(|octet| !octet.is_ascii_digit()).unwrap_or(text.len());
    if end == 0 {
        return None;
    }
    Some(text[..end].iter().fold(0_u64, |number, digit| {
        number.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
    }))
}

/// `text` without the quotes around it, when it has them.
pub(crate) fn unquoted(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")).unwrap_or(text)
}

/// The parts of `text` between `separator`, found outside quoted strings and angle brackets, white
/// space at their ends taken off. A quote that is never closed is an ordinary octet.
#[derive(Clone, Debug)]
pub(crate) struct Split<'a> {
    rest: Option<&'a [u8]>,
    separator: u8,
}

impl<'a> Split<'a> {
    pub(crate) const fn new(text: &'a [u8], separator: u8) -> Self {
        Self { rest: Some(text), separator }
    }
}

impl<'a> Iterator for Split<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        let end = find_outside(rest, self.separator).unwrap_or(rest.len());
        self.rest = rest.get(end + 1..);
        Some(scan::trim(&rest[..end]))
    }
}

/// Where `wanted` stands first outside quoted strings and angle brackets.
pub(crate) fn find_outside(text: &[u8], wanted: u8) -> Option<usize> {
    let mut at = 0;
    loop {
        at += scan::find_any(text.get(at..)?, [wanted, b'"', b'<'])?;
        at += match text[at] {
            octet if octet == wanted => return Some(at),
            b'"' => quoted_len(&text[at..]).unwrap_or(1),
            _ => scan::find(&text[at..], b'>').map_or(1, |close| close + 1),
        };
    }
}
