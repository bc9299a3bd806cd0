//! M004: a header that every message must carry is absent.

use super::is_open_ended;
use crate::rules::{Breach, Check, Found, Group, Rule, Severity, Sorts, Tier, Verdict, quote};
use crate::sip::{HeaderName, HeaderSet, Message};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "M004",
    name: "missing-mandatory-header",
    aliases: &[],
    statement: "A header that every SIP message must carry is absent.",
    tier: Tier::Core,
    severity: Severity::Error,
    refs: &["RFC 3261 section 8.1.1", "RFC 3261 section 8.2.6.2", "RFC 3261 section 20 table 2"],
    kinds: &[
        ("via", Severity::Error),
        ("from", Severity::Error),
        ("to", Severity::Error),
        ("call-id", Severity::Error),
        ("cseq", Severity::Error),
        ("max-forwards", Severity::Warning),
    ],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("missing_mandatory_header.md"),
    checks: &[Check::Message(Sorts::ALL, check)],
};

const ALWAYS: &[(HeaderName, &str)] = &[
    (HeaderName::Via, "via"),
    (HeaderName::From, "from"),
    (HeaderName::To, "to"),
    (HeaderName::CallId, "call-id"),
    (HeaderName::CSeq, "cseq"),
];
const ON_REQUESTS: (HeaderName, &str) = (HeaderName::MaxForwards, "max-forwards");
const _: () = assert!(HeaderSet::tells(ON_REQUESTS.0));

/// The names of those in `ALWAYS`.
const NEEDED: HeaderSet = {
    let mut set = HeaderSet::of(&[]);
    let mut at = 0;
    while at < ALWAYS.len() {
        assert!(HeaderSet::tells(ALWAYS[at].0), "what is missing has to be known");
        set.insert(ALWAYS[at].0);
        at += 1;
    }
    set
};

fn check(message: &Message, found: &mut Found<'_>) -> Verdict {
    if is_open_ended(message) {
        return Verdict::Undecided("header section without an end");
    }
    let me = found.subject;
    let on_requests = message.is_request().then_some(ON_REQUESTS);
    let names = message.names();
    if names.holds_all(NEEDED) && on_requests.is_none_or(|(name, _)| names.holds(name)) {
        return Verdict::Judged;
    }
    for (name, kind) in ALWAYS.iter().copied().chain(on_requests) {
        if names.holds(name) {
            continue;
        }
        found.add_kind(kind, || {
            let title = format!("{} without {}", quote::what_to(message), name.as_str());
            Breach::new(title).at(me, None, format!("no {} in it", name.as_str()))
        });
    }
    Verdict::Judged
}
