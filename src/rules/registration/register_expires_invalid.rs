//! R009: expiry values that do not fit together.

use crate::model::audit::Record;
use crate::rules::registrant::{Noted, Registrant, Remark};
use crate::rules::{Check, Group, Rule, Severity, Tier};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "R009",
    name: "register-expires-invalid",
    aliases: &[],
    statement: "The expiry values of a registration do not fit together.",
    tier: Tier::Next,
    severity: Severity::Warning,
    refs: &["RFC 3261 section 10.2.1.1", "RFC 3261 section 10.3"],
    kinds: &[
        ("conflicting", Severity::Warning),
        ("short", Severity::Warning),
        ("shortened", Severity::Info),
        ("raised", Severity::Info),
    ],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("register_expires_invalid.md"),
    checks: &[Check::Registration(check)],
};

/// Below this, outside GB/T 28181, a registration is mere load.
const SHORT: u32 = 60;

fn check(case: &Registrant<'_>, noted: &mut Noted<'_>) {
    let pairs: Vec<(&Record, u32, u32)> =
        case.successes().filter_map(|r| Some((r, r.requested()?, r.granted()?))).collect();
    changed(case, noted, "shortened", &pairs, |asked, granted| granted + 1 < asked);
    changed(case, noted, "raised", &pairs, |asked, granted| asked + 1 < granted);
    if !case.device.is_gb() {
        short(case, noted);
    }
    let conflicts: Vec<_> =
        case.successes().filter_map(|record| Some((record, record.shape.conflict?))).collect();
    if let Some((_, (contact, header))) = conflicts.first() {
        noted.add_kind("conflicting", || {
            let title = format!(
                "the 2xx says {contact} s in Contact and {header} s in Expires: the Contact counts"
            );
            let remark = Remark::new(title, "two expiries in one 2xx").times(conflicts.len());
            conflicts.iter().fold(remark, |remark, (record, _)| {
                remark.at(case.response(record), "two expiries")
            })
        });
    }
}

fn changed(
    case: &Registrant<'_>,
    noted: &mut Noted<'_>,
    kind: &'static str,
    pairs: &[(&Record, u32, u32)],
    is: impl Fn(u32, u32) -> bool,
) {
    let found: Vec<_> = pairs.iter().filter(|(_, asked, granted)| is(*asked, *granted)).collect();
    let Some((_, asked, granted)) = found.first() else { return };
    noted.add_kind(kind, || {
        let title = format!("asked for {asked} s, granted {granted} s");
        let remark = Remark::new(title, format!("expiry {kind} to {granted} s")).times(found.len());
        found
            .iter()
            .fold(remark, |remark, (record, ..)| remark.at(case.response(record), "granted"))
    });
}

fn short(case: &Registrant<'_>, noted: &mut Noted<'_>) {
    let least = case.device.policy.min_expiry.unwrap_or(SHORT);
    let expiry = |r: &Record| r.granted().into_iter().chain(r.requested()).filter(|s| *s > 0).min();
    let found: Vec<&Record> =
        case.device.attempts().filter(|r| expiry(r).is_some_and(|s| s < least)).collect();
    let Some(worst) = found.iter().filter_map(|r| expiry(r)).min() else { return };
    noted.add_kind("short", || {
        let title = format!("an expiry of {worst} s, less than {least} s");
        Remark::new(title, format!("expiry of {worst} s")).times(found.len()).requests(case, found)
    });
}
