//! M019: a response lacks the header that makes it useful.

use crate::rules::{Breach, Check, Found, Group, Rule, Severity, Sorts, Tier, Verdict, quote};
use crate::sip::{HeaderName, Message};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "M019",
    name: "response-required-header-missing",
    aliases: &[],
    statement: "A response lacks the header its status code or method requires.",
    tier: Tier::Core,
    severity: Severity::Error,
    refs: &[
        "RFC 3261 section 21.4.6",
        "RFC 3261 section 21.4.13",
        "RFC 3261 section 21.4.15",
        "RFC 3261 section 21.4.16",
        "RFC 3261 section 10.3",
        "RFC 3261 section 8.3",
        "RFC 4028 section 6",
        "RFC 6665 section 3.1.1",
        "RFC 3903 section 6",
        "RFC 3329 section 2.3",
    ],
    kinds: &[
        ("405-allow", Severity::Error),
        ("415-accept", Severity::Error),
        ("420-unsupported", Severity::Error),
        ("421-require", Severity::Error),
        ("422-min-se", Severity::Error),
        ("423-min-expires", Severity::Error),
        ("3xx-contact", Severity::Warning),
        ("489-allow-events", Severity::Warning),
        ("494-security-server", Severity::Error),
        ("subscribe-2xx-expires", Severity::Error),
        ("publish-2xx-etag", Severity::Error),
    ],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("response_required_header_missing.md"),
    checks: &[Check::Message(Sorts::SUCCESS.or(Sorts::OTHER_RESPONSE), check)],
};

fn check(message: &Message, found: &mut Found<'_>) -> Verdict {
    let Some(status) = message.status() else { return Verdict::Moot };
    let method = message.cseq().map(|cseq| cseq.method).unwrap_or_default();
    let (kind, needed): (_, &[HeaderName]) = match (status.0, method) {
        (405, _) => ("405-allow", &[HeaderName::Allow]),
        (415, _) => ("415-accept", &[HeaderName::Accept]),
        (420, _) => ("420-unsupported", &[HeaderName::Unsupported]),
        (421, _) => ("421-require", &[HeaderName::Require]),
        (422, _) => ("422-min-se", &[HeaderName::MinSe]),
        (423, _) => ("423-min-expires", &[HeaderName::MinExpires]),
        (300..=302, _) => ("3xx-contact", &[HeaderName::Contact]),
        (489, _) => ("489-allow-events", &[HeaderName::AllowEvents]),
        (494, _) => ("494-security-server", &[HeaderName::SecurityServer]),
        (200..=299, b"SUBSCRIBE") => ("subscribe-2xx-expires", &[HeaderName::Expires]),
        (200..=299, b"PUBLISH") => {
            ("publish-2xx-etag", &[HeaderName::Expires, HeaderName::SipEtag])
        }
        _ => return Verdict::Moot,
    };
    if super::is_open_ended(message) {
        return Verdict::Undecided("header section without an end");
    }
    // A 415 may speak of the encoding or the language instead of the type.
    let is_excused = status.0 == 415
        && ["Accept-Encoding", "Accept-Language"].iter().any(|n| message.value_of(n).is_some());
    let missing = needed.iter().find(|name| message.value(**name).is_none());
    if let (Some(name), false) = (missing, is_excused) {
        let me = found.subject;
        found.add_kind(kind, || {
            let title = format!("{} without {}", quote::what_to(message), name.as_str());
            Breach::new(title).at(me, None, format!("no {} in it", name.as_str()))
        });
    }
    Verdict::Judged
}
