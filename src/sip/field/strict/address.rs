//! The grammar of name-addr and addr-spec (section 25.1).

use memchr::{memchr, memchr3};
use nom::bytes::complete::take_while;

use super::{Broken, Strict, params, quoted_string, uri};
use crate::sip::field::address::bare_end;
use crate::sip::lex::{is_lws, is_token, lws};

/// `( name-addr / addr-spec ) *( SEMI generic-param )`
pub(super) fn address(input: &[u8]) -> Strict<'_> {
    let behind_name = if input.first() == Some(&b'"') {
        let (rest, ()) = quoted_string(input)?;
        lws(rest)?.0
    } else {
        let name = take_while::<_, _, Broken<'_>>(|octet| is_token(octet) || is_lws(octet));
        nom::Parser::parse(&mut { name }, input)?.0
    };
    match behind_name.first() {
        Some(b'<') => bracketed(behind_name),
        Some(b':') if input.first() != Some(&b'"') => bare(input),
        _ => Broken::at(behind_name).err(),
    }
}

fn bracketed(input: &[u8]) -> Strict<'_> {
    let after = &input[1..];
    let Some(close) = memchr(b'>', after) else { return Broken::at(&after[after.len()..]).err() };
    let text = &after[..close];
    if text.first().is_none_or(|&octet| is_lws(octet)) {
        return Broken::at(after).err();
    }
    let end = text.trim_ascii_end().len();
    judge(uri::check(&text[..end]))?;
    if end < close {
        return Broken::at(&text[end..]).err();
    }
    params(&after[close + 1..])
}

/// A bare URI ends at white space, at a comma, or where its header parameters begin.
fn bare(input: &[u8]) -> Strict<'_> {
    let end = memchr3(b' ', b',', b'\r', input).unwrap_or(input.len());
    let end = memchr(b'\t', &input[..end]).unwrap_or(end);
    let text = &input[..end];
    let text = &text[..bare_end(text)];
    judge(uri::check(text))?;
    params(&input[text.len()..])
}

fn judge(verdict: super::Verdict<'_>) -> Result<(), nom::Err<Broken<'_>>> {
    verdict.map_err(nom::Err::Failure)
}
