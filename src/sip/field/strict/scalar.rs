//! The grammars of all other values: Via, CSeq, Call-ID, credentials, dates and extensions.

use memchr::memchr;
use nom::Parser;
use nom::bytes::complete::{tag, tag_no_case, take_while_m_n, take_while1};
use nom::character::complete::char;
use nom::sequence::{delimited, preceded};

use super::class::WORD;
use super::uri::break_in_hostport;
use super::{
    Broken, FaultKind, Strict, Verdict, broken, gen_value, params, params_with, quoted_string,
    whole,
};
use crate::sip::Auth;
use crate::sip::field::params::Params;
use crate::sip::lex::{digits, is_lws, lws, token};

/// `SIP/2.0/UDP sent-by *( SEMI via-params )`
pub(super) fn via(input: &[u8]) -> Strict<'_> {
    let slash = || delimited(lws, char('/'), lws);
    let blank = || take_while1::<_, _, Broken<'_>>(is_lws);
    // As nearly everybody writes it.
    let usual = input.strip_prefix(b"SIP/2.0/").and_then(|rest| (token, blank()).parse(rest).ok());
    let rest = match usual {
        Some((rest, _)) => rest,
        None => {
            let protocol = (tag_no_case("SIP"), slash(), tag("2.0"), slash(), token);
            (protocol, blank()).parse(input)?.0
        }
    };
    let end = rest.iter().position(|&o| is_lws(o) || matches!(o, b';' | b','));
    let (sent_by, rest) = rest.split_at(end.unwrap_or(rest.len()));
    if sent_by.is_empty() {
        return Broken::at(rest).err();
    }
    if let Some(at) = break_in_hostport(sent_by) {
        return Broken::at(&sent_by[at..]).err();
    }
    // White space may stand around the colon.
    let rest = match rest.trim_ascii_start().strip_prefix(b":") {
        Some(port) => preceded(lws, digits).parse(port)?.0,
        None => rest,
    };
    params_with(rest, received)
}

/// `received` may hold an IPv6 address without brackets (RFC 5118 section 4.5).
fn received(name: &[u8], value: &[u8]) -> Option<usize> {
    let address = |octet: &&u8| octet.is_ascii_hexdigit() || matches!(octet, b':' | b'.');
    let len = value.iter().take_while(address).count();
    (name.eq_ignore_ascii_case(b"received") && memchr(b':', &value[..len]).is_some()).then_some(len)
}

/// `1*DIGIT LWS Method`
pub(super) fn cseq(input: &[u8]) -> Strict<'_> {
    (digits, take_while1(is_lws), token).map(|_| ()).parse(input)
}

/// `word [ "@" word ]`
pub(super) fn call_id(input: &[u8]) -> Strict<'_> {
    let mut rest = input;
    for half in 0..2 {
        let end = WORD.break_in(rest).unwrap_or(rest.len());
        if end == 0 {
            return Broken::at(rest).err();
        }
        match rest[end..].split_first() {
            Some((b'@', host)) if half == 0 => rest = host,
            _ => return Ok((&rest[end..], ())),
        }
    }
    Ok((rest, ()))
}

/// Credentials or challenges; of schemes other than Digest only the name is known.
pub(super) fn auth(text: &[u8]) -> Verdict<'_> {
    if text.is_empty() {
        return Err(Broken::at(text));
    }
    for auth in Auth::all(text).filter(|auth| auth.scheme.eq_ignore_ascii_case(b"Digest")) {
        let mut rest = auth.rest;
        loop {
            if rest.first() == Some(&b',') {
                return Err(Broken::of(FaultKind::Separators, rest));
            }
            let pair = (token, delimited(lws, char('='), lws), gen_value);
            let behind = (pair, lws).parse(rest).map_err(broken)?.0;
            let Some((b',', next)) = behind.split_first() else {
                if behind.is_empty() {
                    break;
                }
                return Err(Broken::at(behind));
            };
            rest = next.trim_ascii_start();
            if rest.is_empty() {
                return Err(Broken::of(FaultKind::Separators, behind));
            }
        }
    }
    Ok(())
}

/// `Sat, 13 Nov 2010 23:29:00 GMT`
pub(super) fn date(input: &[u8]) -> Strict<'_> {
    const DAYS: [&[u8]; 7] = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];
    const MONTHS: [&[u8]; 12] = [
        b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov",
        b"Dec",
    ];
    let fixed = |len| take_while_m_n(len, len, |octet: u8| octet.is_ascii_digit());
    let (rest, _) = (one_of(&DAYS), tag(", "), fixed(2), char(' ')).parse(input)?;
    let (rest, _) = (one_of(&MONTHS), char(' '), fixed(4), char(' ')).parse(rest)?;
    let time = (fixed(2), char(':'), fixed(2), char(':'), fixed(2));
    (time, tag(" "), tag("GMT")).map(|_| ()).parse(rest)
}

/// One of some words of three octets.
fn one_of<'a>(words: &[&[u8]]) -> impl Fn(&'a [u8]) -> Strict<'a> {
    move |input| match input.get(..3) {
        Some(word) if words.contains(&word) => Ok((&input[3..], ())),
        _ => Broken::at(input).err(),
    }
}

/// `event-type *( SEMI event-param )`
pub(super) fn event(input: &[u8]) -> Strict<'_> {
    preceded(token, params).parse(input)
}

/// A Call-ID with exactly one `to-tag` and one `from-tag`.
pub(super) fn replaces(text: &[u8]) -> Verdict<'_> {
    let (id, rest) = text.split_at(memchr(b';', text).unwrap_or(text.len()));
    whole(id.trim_ascii_end(), call_id)?;
    whole(rest, params)?;
    for wanted in ["to-tag", "from-tag"] {
        let named = |(name, _): &(&[u8], _)| name.eq_ignore_ascii_case(wanted.as_bytes());
        let mut found = Params(rest).iter().filter(named);
        if found.next().is_none() {
            return Err(Broken::at(&text[text.len()..]));
        }
        if let Some((second, _)) = found.next() {
            return Err(Broken::at(second));
        }
    }
    Ok(())
}

/// 32 hexadecimal digits and parameters.
pub(super) fn session_id(input: &[u8]) -> Strict<'_> {
    let count = input.iter().take_while(|octet| octet.is_ascii_hexdigit()).count();
    if count != 32 {
        return Broken::at(&input[count.min(32)..]).err();
    }
    params(&input[count..])
}

/// `mechanism-name *( SEMI mech-parameters )`
pub(super) fn mechanism(input: &[u8]) -> Strict<'_> {
    preceded(token, params).parse(input)
}

/// `3DIGIT SP warn-agent SP quoted-string`
pub(super) fn warning(input: &[u8]) -> Strict<'_> {
    let code = take_while_m_n(3, 3, |octet: u8| octet.is_ascii_digit());
    let agent = take_while1(|octet: u8| !is_lws(octet) && !matches!(octet, b'"' | b','));
    let blank = || take_while1(is_lws);
    (code, blank(), agent, blank(), quoted_string).map(|_| ()).parse(input)
}

/// Parameters with `icid-value` among them (RFC 7315 section 5.6).
pub(super) fn charging_vector(text: &[u8]) -> Verdict<'_> {
    let parts = crate::sip::lex::Split::new(text, b';');
    let mut names = parts.map(|part| crate::sip::field::params::split_pair(part));
    let found = names.any(|(name, value)| {
        name.eq_ignore_ascii_case(b"icid-value") && value.is_some_and(|value| !value.is_empty())
    });
    if found { Ok(()) } else { Err(Broken::at(text)) }
}
