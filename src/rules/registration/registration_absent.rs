//! R019: a device of the inventory that was not seen.

use crate::model::audit::Audit;
use crate::rules::registrant::{Noted, Remark};
use crate::rules::{Check, Group, Rule, Severity, Tier};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "R019",
    name: "registration-absent",
    aliases: &["reg/absent"],
    statement: "A device that is expected to register does not appear in the input.",
    tier: Tier::Next,
    severity: Severity::Error,
    refs: &["practice: the inventory of the policy file"],
    kinds: &[],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("registration_absent.md"),
    checks: &[Check::Fleet(check)],
};

fn check(audit: &Audit, noted: &mut Noted<'_>) {
    for device in &audit.absent {
        noted.add(|| Remark::new(format!("{device} is expected, but was not seen"), "not seen"));
    }
}
