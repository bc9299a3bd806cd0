//! The strict readers: they name the first octet of a value that breaks the grammar, or nothing.
//!
//! Unknown parameters, URI schemes and authentication schemes are legal and stay silent; so do
//! numbers out of range and URIs that lack their brackets, which other checks judge.

mod address;
mod class;
pub(in crate::sip) mod plain;
mod scalar;
mod uri;

use nom::error::{ErrorKind, ParseError};

use self::plain::Plain;
use crate::sip::lex::{Parsed, lws, quoted_len, scan, token};
use crate::sip::{DefectKind, Field, HeaderName, HeaderSet, Message, Span};

/// What grammar a value breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// A URI (section 19.1).
    Uri,
    /// Display name, angle brackets or parameters of an address (section 20.10).
    NameAddr,
    /// A quoted string that is never closed.
    QuotedString,
    /// Via (section 20.42).
    Via,
    /// An empty list element or an empty parameter.
    Separators,
    /// A component the Request-URI must not have: headers, or `method` (section 19.1.1).
    RuriComponent,
    /// CSeq (section 20.16).
    CSeq,
    /// Call-ID (section 20.8).
    CallId,
    /// Credentials or a challenge (section 20.7, 20.44).
    Auth,
    /// Date (section 20.17).
    Date,
    /// Event (RFC 6665 section 8.4).
    Event,
    /// Replaces (RFC 3891 section 6.1).
    Replaces,
    /// Session-ID (RFC 7989 section 5).
    SessionId,
    /// Security-Client, Security-Server, Security-Verify (RFC 3329 section 2.2).
    SecurityAgreement,
    /// Warning (section 20.43).
    WarningCode,
    /// P-Charging-Vector or P-Asserted-Identity (RFC 7315 section 5.6, RFC 3325 section 9.1).
    PHeader,
}

/// Where a value breaks its grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which grammar.
    pub kind: FaultKind,
    /// The first octet that breaks it; the last octet before the end where something is missing.
    pub span: Span,
}

/// All faults of `message`: its Request-URI first, then its fields in order, one at most of each.
pub fn faults(message: &Message) -> impl Iterator<Item = Fault> {
    let mut right = message.right_names();
    let text = message.text();
    let fields = message.fields().iter().filter_map(move |field| {
        let is_open = JUDGED.holds(field.name) && !right.take(field.name);
        let is_right = is_open && plain::is_right(field.name, text, field.value());
        if is_open && !is_right { check(message, *field) } else { None }
    });
    check_request_uri(message).into_iter().chain(fields)
}

/// The fault of the Request-URI. Brackets and white space in it are defects of the start line and
/// no faults here.
fn check_request_uri(message: &Message) -> Option<Fault> {
    let place = message.request_uri_span()?;
    if plain::request_uri(message.text(), place) == Plain::Right {
        return None;
    }
    let judged = message.defects().iter().any(|defect| {
        matches!(defect.kind, DefectKind::StartLineBrackets | DefectKind::StartLineUriSpace)
    });
    if judged {
        return None;
    }
    let text = message.at(place);
    uri::check_request(text).err().and_then(|broken| broken.fault(message, text, FaultKind::Uri))
}

/// The headers that are judged.
const JUDGED: HeaderSet = {
    let mut set = HeaderSet::of(&[]);
    let mut at = 0;
    while at < HeaderName::KNOWN.len() {
        if kind_of(HeaderName::KNOWN[at]).is_some() {
            set.insert(HeaderName::KNOWN[at]);
        }
        at += 1;
    }
    set
};

/// The grammar of the values of `name`; `None` for headers that are not judged.
const fn kind_of(name: HeaderName) -> Option<FaultKind> {
    Some(match name {
        HeaderName::Via => FaultKind::Via,
        HeaderName::From
        | HeaderName::To
        | HeaderName::ReferTo
        | HeaderName::Contact
        | HeaderName::Route
        | HeaderName::RecordRoute => FaultKind::NameAddr,
        HeaderName::CSeq => FaultKind::CSeq,
        HeaderName::CallId => FaultKind::CallId,
        HeaderName::Authorization
        | HeaderName::ProxyAuthorization
        | HeaderName::WwwAuthenticate
        | HeaderName::ProxyAuthenticate => FaultKind::Auth,
        HeaderName::Date => FaultKind::Date,
        HeaderName::Event => FaultKind::Event,
        HeaderName::Replaces => FaultKind::Replaces,
        HeaderName::SessionId => FaultKind::SessionId,
        HeaderName::SecurityClient | HeaderName::SecurityServer | HeaderName::SecurityVerify => {
            FaultKind::SecurityAgreement
        }
        HeaderName::Warning => FaultKind::WarningCode,
        HeaderName::PChargingVector | HeaderName::PAssertedIdentity => FaultKind::PHeader,
        _ => return None,
    })
}

/// The fault of `field`, one of [`Message::fields`], by the full grammar; `None` for fields that are
/// not judged.
fn check(message: &Message, field: Field) -> Option<Fault> {
    let kind = kind_of(field.name)?;
    let text = message.at(field.value());
    let broken = match kind {
        FaultKind::Via => list(text, scalar::via),
        FaultKind::NameAddr => match field.name {
            HeaderName::From | HeaderName::To | HeaderName::ReferTo => {
                whole(text, address::address)
            }
            HeaderName::Contact if text == b"*" => return None,
            _ => list(text, address::address),
        },
        FaultKind::CSeq => whole(text, scalar::cseq),
        FaultKind::CallId => whole(text, scalar::call_id),
        FaultKind::Auth => scalar::auth(text),
        FaultKind::Date => whole(text, scalar::date),
        FaultKind::Event => whole(text, scalar::event),
        FaultKind::Replaces => scalar::replaces(text),
        FaultKind::SessionId => whole(text, scalar::session_id),
        FaultKind::SecurityAgreement => list(text, scalar::mechanism),
        FaultKind::WarningCode => list(text, scalar::warning),
        FaultKind::PHeader if field.name == HeaderName::PAssertedIdentity => {
            return asserted_identity(message, field);
        }
        FaultKind::PHeader => scalar::charging_vector(text),
        // Kinds of faults inside a value, of no header.
        FaultKind::Uri
        | FaultKind::QuotedString
        | FaultKind::Separators
        | FaultKind::RuriComponent => return None,
    };
    let fault = broken.err()?.fault(message, text, kind)?;
    // An empty value has no octet of its own to point at.
    let span = if text.is_empty() { message.name_span(field) } else { fault.span };
    Some(Fault { span, ..fault })
}

/// At most one `sip` or `sips` and one `tel` identity in all fields together.
fn asserted_identity(message: &Message, field: Field) -> Option<Fault> {
    let mut values = message.values(HeaderName::PAssertedIdentity);
    if let (Some(only), None) = (values.next(), values.next())
        && scan::find(only, b',').is_none()
    {
        return None;
    }
    let (mut sip, mut tel) = (0, 0);
    for identity in message.elements(HeaderName::PAssertedIdentity) {
        let Some(uri) = crate::sip::NameAddr::parse(identity).and_then(|a| a.parsed_uri()) else {
            continue;
        };
        sip += usize::from(uri.is_sip());
        tel += usize::from(uri.is_tel());
        if sip < 2 && tel < 2 {
            continue;
        }
        let span = message.span_of(identity)?;
        let here = field.value().start <= span.start && span.end <= field.value().end;
        return here.then_some(Fault { kind: FaultKind::PHeader, span });
    }
    None
}

/// Where a parser gave up, and what it knew about it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Broken<'a> {
    at: &'a [u8],
    kind: Option<FaultKind>,
}

impl<'a> Broken<'a> {
    /// A fault of the header's own kind.
    const fn at(at: &'a [u8]) -> Self {
        Self { at, kind: None }
    }

    const fn of(kind: FaultKind, at: &'a [u8]) -> Self {
        Self { at, kind: Some(kind) }
    }

    const fn err<T>(self) -> Strict<'a, T> {
        Err(nom::Err::Failure(self))
    }

    /// The fault in `text`, which the parser was given.
    fn fault(self, message: &Message, text: &[u8], kind: FaultKind) -> Option<Fault> {
        let all = message.span_of(text)?;
        let start = message.span_of(self.at)?.start.min(all.end.saturating_sub(1)).max(all.start);
        let end = all.end.min(start + 1);
        Some(Fault { kind: self.kind.unwrap_or(kind), span: Span { start, end } })
    }
}

impl<'a> ParseError<&'a [u8]> for Broken<'a> {
    fn from_error_kind(input: &'a [u8], _: ErrorKind) -> Self {
        Self::at(input)
    }

    fn append(_: &'a [u8], _: ErrorKind, other: Self) -> Self {
        other
    }
}

pub(super) type Strict<'a, T = ()> = Parsed<'a, T, Broken<'a>>;
type Verdict<'a> = Result<(), Broken<'a>>;

/// All of `text` is one value.
fn whole<'a>(text: &'a [u8], value: fn(&'a [u8]) -> Strict<'a>) -> Verdict<'a> {
    let rest = value(text).map_err(broken)?.0.trim_ascii_start();
    if rest.is_empty() { Ok(()) } else { Err(Broken::at(rest)) }
}

/// `text` is a list of values with commas between them.
fn list<'a>(text: &'a [u8], value: fn(&'a [u8]) -> Strict<'a>) -> Verdict<'a> {
    let mut rest = text;
    loop {
        if matches!(rest.first(), Some(b',' | b';')) {
            return Err(Broken::of(FaultKind::Separators, rest));
        }
        let behind = value(rest).map_err(broken)?.0.trim_ascii_start();
        let Some((b',', next)) = behind.split_first() else {
            return if behind.is_empty() { Ok(()) } else { Err(Broken::at(behind)) };
        };
        rest = next.trim_ascii_start();
        if rest.is_empty() {
            return Err(Broken::of(FaultKind::Separators, behind));
        }
    }
}

#[allow(clippy::needless_pass_by_value, reason = "map_err hands it over by value")]
fn broken(error: nom::Err<Broken<'_>>) -> Broken<'_> {
    match error {
        nom::Err::Error(broken) | nom::Err::Failure(broken) => broken,
        nom::Err::Incomplete(_) => Broken::at(b""),
    }
}

/// `*( SEMI generic-param )`
fn params(input: &[u8]) -> Strict<'_> {
    params_with(input, |_, _| None)
}

/// Parameters, some of whose values follow a grammar of their own: `special` gives the length of
/// such a value by the parameter's name and the text where the value begins.
fn params_with(input: &[u8], special: fn(&[u8], &[u8]) -> Option<usize>) -> Strict<'_> {
    let mut rest = input;
    loop {
        let (at, _) = lws(rest)?;
        let Some((b';', after)) = at.split_first() else { return Ok((rest, ())) };
        let (start, _) = lws(after)?;
        match start.first() {
            None => return Broken::of(FaultKind::Separators, at).err(),
            Some(b';' | b',') => return Broken::of(FaultKind::Separators, start).err(),
            Some(_) => {}
        }
        let (behind, name) = token(start)?;
        rest = behind;
        let (equals, _) = lws(behind)?;
        if let Some((b'=', after)) = equals.split_first() {
            let (value, _) = lws(after)?;
            rest = match special(name, value) {
                Some(len) => &value[len..],
                None => gen_value(value)?.0,
            };
        }
    }
}

/// `token / host / quoted-string`
fn gen_value(input: &[u8]) -> Strict<'_> {
    match input.first() {
        Some(b'"') => quoted_string(input),
        Some(b'[') => match memchr::memchr(b']', input) {
            Some(close) => Ok((&input[close + 1..], ())),
            None => Broken::at(input).err(),
        },
        _ => token(input).map(|(rest, _)| (rest, ())),
    }
}

fn quoted_string(input: &[u8]) -> Strict<'_> {
    match quoted_len(input) {
        Some(len) => Ok((&input[len..], ())),
        None if input.first() == Some(&b'"') => Broken::of(FaultKind::QuotedString, input).err(),
        None => Broken::at(input).err(),
    }
}

#[cfg(test)]
mod tests;
