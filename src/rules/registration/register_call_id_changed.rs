//! R002: a new Call-ID for each refresh.

use crate::rules::registrant::{Noted, Registrant, Remark};
use crate::rules::{Check, Group, Rule, Severity, Tier};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "R002",
    name: "register-call-id-changed",
    aliases: &["reg/callid-churn"],
    statement: "A client uses a new Call-ID for each registration refresh.",
    tier: Tier::Core,
    severity: Severity::Warning,
    refs: &["RFC 3261 section 10.2"],
    kinds: &[],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("register_call_id_changed.md"),
    checks: &[Check::Registration(check)],
};

/// A reboot starts a new Call-ID rightly: two values prove nothing.
const LEAST: usize = 3;

fn check(case: &Registrant<'_>, noted: &mut Noted<'_>) {
    let device = case.device;
    let attempts: Vec<_> = device.attempts().collect();
    let changes = attempts.windows(2).filter(|two| two[0].call_id != two[1].call_id).count();
    // Devices that share an identifier have Call-IDs of their own.
    if attempts.len() < LEAST || changes + 1 < attempts.len() || 1 < device.source_ips {
        return;
    }
    noted.add(|| {
        let title = format!("{} Call-IDs in {} attempts", device.call_ids, attempts.len());
        Remark::new(title, "new Call-ID each time")
            .times(changes)
            .requests(case, attempts.iter().copied())
            .at_most_if(device.is_gb(), Severity::Info)
    });
}
