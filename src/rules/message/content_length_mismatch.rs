//! M011: Content-Length does not count the octets of the body.

use crate::rules::{Breach, Check, Found, Group, Rule, Severity, Sorts, Tier, Verdict, quote};
use crate::sip::{HeaderName, Message, Span};
use crate::transport::{Completeness, Transport};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "M011",
    name: "content-length-mismatch",
    aliases: &[],
    statement: "Content-Length does not equal the number of body octets.",
    tier: Tier::Core,
    severity: Severity::Error,
    refs: &["RFC 3261 section 18.3", "RFC 3261 section 20.14"],
    kinds: &[
        ("too-large", Severity::Error),
        ("trailing-octets", Severity::Warning),
        ("stream-desync", Severity::Error),
    ],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("content_length_mismatch.md"),
    checks: &[Check::Message(Sorts::ALL, check)],
};

fn check(message: &Message, found: &mut Found<'_>) -> Verdict {
    let Some(declared) = message.number(HeaderName::ContentLength) else { return Verdict::Moot };
    if super::is_open_ended(message) {
        return Verdict::Undecided("header section without an end");
    }
    let me = found.subject;
    let field = || quote::field(message, HeaderName::ContentLength);
    let body = message.body_span();
    if message.envelope.completeness == Completeness::Desync {
        found.add_kind("stream-desync", || {
            Breach::new(format!("No start line follows the {declared} octets of the body"))
                .at(me, field(), "declared here")
                .at(me, Some(body), "the body by that count")
        });
        return Verdict::Judged;
    }
    match message.envelope.transport {
        Transport::Udp | Transport::Sctp | Transport::Ws | Transport::Wss => {}
        // On a stream the next message begins where the count ends: whole means right.
        Transport::Tcp | Transport::Tls => return Verdict::Judged,
        Transport::Unknown => return Verdict::Undecided("a log does not show the octets sent"),
    }

    let rest = message.text().get(body.start as usize..).unwrap_or_default();
    let actual = rest.len() as u64;
    if actual < declared {
        found.add_kind("too-large", || {
            Breach::new(format!("Content-Length {declared}, but {actual} octets of body"))
                .at(me, field(), "declared here")
                .at(me, Some(body), remark(message, declared))
        });
        return Verdict::Judged;
    }
    let extra = rest.get(declared as usize..).unwrap_or_default();
    let is_padding = extra.len() <= found.settings.trailing_ignored
        && extra.iter().all(|octet| matches!(octet, b'\r' | b'\n' | 0));
    if !is_padding {
        found.add_kind("trailing-octets", || {
            let start = body.start + declared as u32;
            let after = Span { start, end: message.text().len() as u32 };
            let note = if extra.windows(8).any(|octets| octets == b" SIP/2.0") {
                "another SIP message: one datagram carries one"
            } else {
                "octets after the declared end, to be discarded"
            };
            Breach::new(format!("Content-Length {declared}, but {actual} octets of body"))
                .at(me, field(), "declared here")
                .at(me, Some(after), note)
        });
    }
    Verdict::Judged
}

/// What the body was counted in, when that explains the number.
fn remark(message: &Message, declared: u64) -> &'static str {
    let bare = message.body().split(|octet| *octet == b'\n').skip(1).count() as u64;
    let lines = message.body().len() as u64 + bare;
    if lines == declared {
        "the count fits a body with CRLF line ends"
    } else {
        "all that is there"
    }
}
