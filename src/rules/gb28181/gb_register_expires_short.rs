//! G003: a registration shorter than 3600 s.

use crate::model::audit::Record;
use crate::rules::registrant::{Noted, Registrant, Remark};
use crate::rules::{Check, Group, Rule, Severity, Tier};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "G003",
    name: "gb-register-expires-short",
    aliases: &[],
    statement: "A device asks for or gets a registration shorter than 3600 s.",
    tier: Tier::Next,
    severity: Severity::Warning,
    refs: &["GB/T 28181-2022 section 9.1.1"],
    kinds: &[],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("gb_register_expires_short.md"),
    checks: &[Check::Registration(check)],
};

/// What the standard sets as the least, in seconds.
const LEAST: u32 = 3600;

fn check(case: &Registrant<'_>, noted: &mut Noted<'_>) {
    let device = case.device;
    let least = device.policy.min_expiry.unwrap_or(LEAST);
    let expiry = |r: &Record| r.granted().into_iter().chain(r.requested()).filter(|s| *s > 0).min();
    let short: Vec<&Record> =
        device.attempts().filter(|r| expiry(r).is_some_and(|s| s < least)).collect();
    let Some(worst) = short.iter().filter_map(|r| expiry(r)).min() else { return };
    if device.is_gb() {
        noted.add(|| {
            let title = format!("a registration of {worst} s, less than {least} s");
            let brief = format!("expiry of {worst} s");
            Remark::new(title, brief).times(short.len()).requests(case, short)
        });
    }
}
