//! G016: a device that never sends a keepalive.

use crate::rules::registrant::{Noted, Registrant, Remark};
use crate::rules::registration::duration;
use crate::rules::{Check, Group, Rule, Severity, Tier};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "G016",
    name: "gb-keepalive-absent",
    aliases: &["reg/keepalive-absent"],
    statement: "A device registers, or tries to, but never sends a keepalive.",
    tier: Tier::Next,
    severity: Severity::Warning,
    refs: &["GB/T 28181-2022 section 9.6.1"],
    kinds: &[],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("gb_keepalive_absent.md"),
    checks: &[Check::Registration(check)],
};

fn check(case: &Registrant<'_>, noted: &mut Noted<'_>) {
    let device = case.device;
    let Some(first) = device.attempts().next() else { return };
    let every = device.expected_keepalive();
    let watched = case.audit.window.until.since(first.start);
    let tries = device.attempts().any(|r| !r.outcome.is_failure());
    if !device.is_gb() || device.keepalives.is_some() || watched <= 2 * every || !tries {
        return;
    }
    noted.add(|| {
        let title = format!(
            "no Keepalive in {} ({} due at {}): the device does not consider itself registered",
            duration(watched),
            watched / every.max(1),
            duration(every)
        );
        Remark::new(title, "no keepalives").requests(case, [first])
    });
}
