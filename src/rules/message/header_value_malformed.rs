//! M006: the value of a well-known header does not follow its grammar.

use crate::rules::{Breach, Check, Found, Group, Rule, Severity, Sorts, Tier, Verdict, quote};
use crate::sip::field::strict::{self, FaultKind};
use crate::sip::{Field, HeaderName, Message, NameAddr, Span};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "M006",
    name: "header-value-malformed",
    aliases: &[],
    statement: "The value of a well-known header does not follow its grammar.",
    tier: Tier::Core,
    severity: Severity::Error,
    refs: &[
        "RFC 3261 section 7.3.1",
        "RFC 3261 section 19.1.1",
        "RFC 3261 section 20",
        "RFC 3261 section 25.1",
        "RFC 3325 section 9.1",
        "RFC 7315 section 5.6",
    ],
    kinds: &[
        ("uri", Severity::Error),
        ("name-addr", Severity::Error),
        ("quoted-string", Severity::Error),
        ("via", Severity::Error),
        ("separators", Severity::Error),
        ("ruri-component", Severity::Error),
        ("cseq", Severity::Error),
        ("call-id", Severity::Error),
        ("auth", Severity::Error),
        ("date", Severity::Error),
        ("event", Severity::Error),
        ("replaces", Severity::Error),
        ("session-id", Severity::Error),
        ("security-agreement", Severity::Error),
        ("warning-code", Severity::Error),
        ("p-header", Severity::Error),
    ],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("header_value_malformed.md"),
    checks: &[Check::Message(Sorts::ALL, check)],
};

fn check(message: &Message, found: &mut Found<'_>) -> Verdict {
    let me = found.subject;
    for fault in strict::faults(message) {
        let field = field_at(message, fault.span);
        let is_date = fault.kind == FaultKind::Date;
        if is_date && field.is_some_and(|field| is_iso_date(message.at(field.value()))) {
            // GB/T 28181 prescribes this form; a rule of its own judges it there.
            if is_gb28181(message) {
                continue;
            }
        }
        found.add_kind(kind_of(fault.kind), || {
            let name = match field {
                Some(field) => quote::text(message.at(message.name_span(*field))).into_owned(),
                None => "Request-URI".to_owned(),
            };
            let value = match field {
                Some(field) => message.at(field.value()),
                None => message.request_uri().unwrap_or_default(),
            };
            let shown = if is_secret(field) { "…".into() } else { quote::text(value) };
            let title = format!("{name} breaks its grammar: {shown}");
            let breach = Breach::new(title).at(me, Some(fault.span), expected(fault.kind));
            breach.about(field.map(|field| field.name))
        });
    }
    Verdict::Judged
}

/// The field in which `span` stands; `None` for one of the start line. Fields stand in order.
fn field_at(message: &Message, span: Span) -> Option<&Field> {
    let field = message.fields().iter().find(|field| span.end <= field.value().end + 1)?;
    let is_in = field.value().start <= span.start || message.name_span(*field).start <= span.start;
    is_in.then_some(field)
}

/// True when a value must not be shown whole.
fn is_secret(field: Option<&Field>) -> bool {
    field.is_some_and(|field| {
        matches!(field.name, HeaderName::Authorization | HeaderName::ProxyAuthorization)
    })
}

/// `2010-11-12T19:46:17.000`.
fn is_iso_date(value: &[u8]) -> bool {
    matches!(value, [a, b, c, d, b'-', _, _, b'-', _, _, b'T', ..]
        if [a, b, c, d].iter().all(|octet| octet.is_ascii_digit()))
}

/// True when From or To names a device of GB/T 28181: a number of twenty digits.
fn is_gb28181(message: &Message) -> bool {
    let is_number = |user: &[u8]| user.len() == 20 && user.iter().all(u8::is_ascii_digit);
    let is_device = |address: NameAddr<'_>| {
        // As nearly all write it.
        let user = address.uri.strip_prefix(b"sip:").and_then(|uri| uri.split_at_checked(20));
        user.is_some_and(|(user, host)| is_number(user) && host.starts_with(b"@"))
            || address.parsed_uri().and_then(|uri| uri.user).is_some_and(is_number)
    };
    message.from().is_some_and(is_device) || message.to().is_some_and(is_device)
}

const fn kind_of(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Uri => "uri",
        FaultKind::NameAddr => "name-addr",
        FaultKind::QuotedString => "quoted-string",
        FaultKind::Via => "via",
        FaultKind::Separators => "separators",
        FaultKind::RuriComponent => "ruri-component",
        FaultKind::CSeq => "cseq",
        FaultKind::CallId => "call-id",
        FaultKind::Auth => "auth",
        FaultKind::Date => "date",
        FaultKind::Event => "event",
        FaultKind::Replaces => "replaces",
        FaultKind::SessionId => "session-id",
        FaultKind::SecurityAgreement => "security-agreement",
        FaultKind::WarningCode => "warning-code",
        FaultKind::PHeader => "p-header",
    }
}

/// What the grammar allows at the place of the fault.
const fn expected(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Uri => "not allowed in a URI here",
        FaultKind::NameAddr => "not allowed in an address here",
        FaultKind::QuotedString => "a quoted string that is never closed",
        FaultKind::Via => "expected: SIP/2.0/transport host:port;parameters",
        FaultKind::Separators => "an empty element or parameter",
        FaultKind::RuriComponent => "a Request-URI has no headers and no method parameter",
        FaultKind::CSeq => "expected: a number and a method",
        FaultKind::CallId => "expected: word or word@word",
        FaultKind::Auth => "expected: scheme name=value, name=value",
        FaultKind::Date => "expected: Thu, 01 Jan 2026 00:00:00 GMT",
        FaultKind::Event => "expected: a token and parameters",
        FaultKind::Replaces => "expected: Call-ID;to-tag=…;from-tag=…",
        FaultKind::SessionId => "expected: 32 hexadecimal digits in lower case",
        FaultKind::SecurityAgreement => "expected: a mechanism and parameters",
        FaultKind::WarningCode => "expected: three digits, agent, \"text\"",
        FaultKind::PHeader => "one value too many, or icid-value is missing",
    }
}
