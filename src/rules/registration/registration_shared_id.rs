//! R015: two devices with one identifier.

use std::collections::BTreeSet;

use super::{duration, list, pairs};
use crate::model::audit::Device;
use crate::rules::registrant::{Noted, Registrant, Remark};
use crate::rules::{Check, Group, Rule, Severity, Tier};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "R015",
    name: "registration-shared-id",
    aliases: &["reg/duplicate-id"],
    statement: "Two devices register under one identifier in turn.",
    tier: Tier::Core,
    severity: Severity::Error,
    refs: &["GB/T 28181-2022 section 6.1.1", "practice: one account per device"],
    kinds: &[],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("registration_shared_id.md"),
    checks: &[Check::Registration(check)],
};

fn check(case: &Registrant<'_>, noted: &mut Noted<'_>) {
    let device = case.device;
    if !is_shared(device) {
        return;
    }
    noted.add(|| {
        let hosts: Vec<_> = device.attempt_interval_by_source.iter().map(|(ip, _)| *ip).collect();
        let title = format!("registered from {} in turn", list(&hosts, 4));
        let mut remark = Remark::new(title, format!("one ID, {} devices", hosts.len()))
            .times(device.attempts().count())
            .requests(case, device.attempts())
            .at_most_if(!device.is_gb(), Severity::Warning);
        for (ip, stats) in &device.attempt_interval_by_source {
            if let Some(stats) = stats {
                let every = duration(super::nanos(stats.p50));
                remark = remark.detail(format!("{ip}: every {every}"));
            }
        }
        remark
    });
}

/// True when a source comes back after another registered: a move happens once, a share goes on.
pub(in crate::rules) fn is_shared(device: &Device) -> bool {
    if device.contacts.len() < 2 || device.source_ips < 2 {
        return false;
    }
    let mut left = BTreeSet::new();
    pairs(device).into_iter().filter(|(a, b)| a.source.ip != b.source.ip).any(|(a, b)| {
        left.insert(a.source.ip);
        left.contains(&b.source.ip)
    })
}
