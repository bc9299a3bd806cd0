//! M015: From has no tag.

use super::speaks_rfc2543;
use crate::rules::{Breach, Check, Found, Group, Rule, Severity, Sorts, Tier, Verdict, quote};
use crate::sip::{HeaderName, Message};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "M015",
    name: "from-tag-missing",
    aliases: &[],
    statement: "A request has no From tag.",
    tier: Tier::Core,
    severity: Severity::Error,
    refs: &["RFC 3261 section 8.1.1.3", "RFC 3261 section 19.3"],
    kinds: &[],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("from_tag_missing.md"),
    checks: &[Check::Message(Sorts::REQUESTS, check)],
};

fn check(message: &Message, found: &mut Found<'_>) -> Verdict {
    if !message.is_request() || message.value(HeaderName::From).is_none() {
        return Verdict::Moot;
    }
    if message.from_tag().is_some() {
        return Verdict::Judged;
    }
    let Some(from) = message.from() else { return Verdict::Undecided("From is not readable") };
    if from.tag().is_none() {
        let me = found.subject;
        let inside = contains_tag(from.uri);
        found.add(|| {
            let note = if inside {
                "the tag stands inside the angle brackets: there it belongs to the URI"
            } else {
                "no tag parameter"
            };
            let title = format!("{} without From tag", quote::what(message));
            let breach = Breach::new(title).at(me, quote::field(message, HeaderName::From), note);
            if speaks_rfc2543(message) { breach.at_most(Severity::Warning) } else { breach }
        });
    }
    Verdict::Judged
}

fn contains_tag(uri: &[u8]) -> bool {
    uri.windows(5).any(|part| part.eq_ignore_ascii_case(b";tag="))
}
