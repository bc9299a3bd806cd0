//! M016: a response other than 100 has no To tag.

use super::speaks_rfc2543;
use crate::rules::{Breach, Check, Found, Group, Rule, Severity, Sorts, Tier, Verdict, quote};
use crate::sip::{HeaderName, Message};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "M016",
    name: "response-to-tag-missing",
    aliases: &[],
    statement: "A response other than 100 has no To tag.",
    tier: Tier::Core,
    severity: Severity::Error,
    refs: &["RFC 3261 section 8.2.6.2", "RFC 3261 section 12.1.1"],
    kinds: &[],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("response_to_tag_missing.md"),
    checks: &[Check::Message(Sorts::RESPONSES, check)],
};

fn check(message: &Message, found: &mut Found<'_>) -> Verdict {
    let is_bound = message.status().is_some_and(|status| matches!(status.0, 101..=699));
    if !is_bound || message.value(HeaderName::To).is_none() {
        return Verdict::Moot;
    }
    if message.to_tag().is_some() {
        return Verdict::Judged;
    }
    let Some(to) = message.to() else { return Verdict::Undecided("To is not readable") };
    if to.tag().is_none() {
        let me = found.subject;
        found.add(|| {
            let breach = Breach::new(format!("{} without To tag", quote::what_to(message))).at(
                me,
                quote::field(message, HeaderName::To),
                "no tag parameter",
            );
            if speaks_rfc2543(message) { breach.at_most(Severity::Info) } else { breach }
        });
    }
    Verdict::Judged
}
