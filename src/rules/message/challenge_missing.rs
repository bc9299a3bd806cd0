//! M018: a challenge without the challenge.

use crate::rules::{Breach, Check, Found, Group, Rule, Severity, Sorts, Tier, Verdict, quote};
use crate::sip::{HeaderName, Message};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "M018",
    name: "challenge-missing",
    aliases: &[],
    statement: "A 401 has no WWW-Authenticate, or a 407 has no Proxy-Authenticate.",
    tier: Tier::Core,
    severity: Severity::Error,
    refs: &["RFC 3261 section 22.2", "RFC 3261 section 22.3", "RFC 3261 section 20 tables 2 and 3"],
    kinds: &[],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("challenge_missing.md"),
    checks: &[Check::Message(Sorts::CHALLENGE, check)],
};

fn check(message: &Message, found: &mut Found<'_>) -> Verdict {
    let needed = match message.status().map(|status| status.0) {
        Some(401) => HeaderName::WwwAuthenticate,
        Some(407) => HeaderName::ProxyAuthenticate,
        _ => return Verdict::Moot,
    };
    if super::is_open_ended(message) {
        return Verdict::Undecided("header section without an end");
    }
    if message.value(needed).is_none() {
        let me = found.subject;
        found.add(|| {
            let title = format!("{} without {}", quote::what_to(message), needed.as_str());
            Breach::new(title).at(me, None, "the client has nothing to compute credentials from")
        });
    }
    Verdict::Judged
}
