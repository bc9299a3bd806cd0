//! G018: a platform sends a device to another.

use crate::model::audit::{Outcome, Record};
use crate::rules::registrant::{Noted, Registrant, Remark};
use crate::rules::{Check, Group, Rule, Severity, Tier};
use crate::time::SECOND;

pub(in crate::rules) const RULE: Rule = Rule {
    code: "G018",
    name: "gb-register-redirected",
    aliases: &[],
    statement: "A platform redirected the registration of a device.",
    tier: Tier::Next,
    severity: Severity::Error,
    refs: &["GB/T 28181-2022 section 9.1.2", "RFC 3261 section 8.1.3.4"],
    kinds: &[("not-followed", Severity::Error), ("redirected", Severity::Info)],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("gb_register_redirected.md"),
    checks: &[Check::Registration(check)],
};

/// How long a device may take to follow.
const PATIENCE: i64 = 60 * SECOND;

fn check(case: &Registrant<'_>, noted: &mut Noted<'_>) {
    let own = case.device;
    let redirects = own.attempts().filter(|r| r.outcome == Outcome::Redirected);
    let redirects: Vec<&Record> = redirects.collect();
    let Some(last) = redirects.last() else { return };
    let spot = case.response(last);
    let goal = last.shape.goal.as_deref().unwrap_or("nowhere");
    let soon = |r: &Record| r.start >= last.start && r.start.since(last.start) <= PATIENCE;
    let follows = case
        .audit
        .elsewhere(case.place)
        .filter_map(|place| case.audit.device(place))
        .any(|other| other.attempts().any(soon));
    let told = case.audit.window.until.since(last.start) >= PATIENCE;
    if follows || !told {
        noted.add_kind("redirected", || {
            let title = format!("{} -> {goal}", own.registrar);
            Remark::new(title, format!("sent to {goal}")).times(redirects.len()).at(spot, "302")
        });
    } else {
        noted.add_kind("not-followed", || {
            let title = format!("sent to {goal}, and did not register there within 60 s");
            Remark::new(title, "redirect not followed").at(spot, "302")
        });
    }
}
