//! G017: keepalives from another address than the registration.

use crate::model::audit::Outcome;
use crate::rules::registrant::{Noted, Registrant, Remark, Spot};
use crate::rules::registration::{duration, is_shared};
use crate::rules::{Check, Group, Rule, Severity, Tier};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "G017",
    name: "gb-keepalive-moved",
    aliases: &["reg/keepalive-address-drift"],
    statement: "Keepalives come from another address than the last REGISTER.",
    tier: Tier::Next,
    severity: Severity::Error,
    refs: &["GB/T 28181-2022 section 9.6.1", "practice: NAT bindings"],
    kinds: &[],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("gb_keepalive_moved.md"),
    checks: &[Check::Registration(check)],
};

fn check(case: &Registrant<'_>, noted: &mut Noted<'_>) {
    let Some(beats) = &case.device.keepalives else { return };
    let Some((from, source, frame)) = beats.drifted else { return };
    // Over TCP a device may keep its heartbeat on a connection of its own.
    if is_shared(case.device) {
        return;
    }
    noted.add(|| {
        let next = case.device.attempts().find(|r| r.start > from && r.outcome == Outcome::Ok);
        let until = next.map_or(case.audit.window.until, |record| record.start);
        let title = format!(
            "{} keepalives from {source} in {}, but it registered elsewhere",
            beats.address_drift,
            duration(until.since(from))
        );
        Remark::new(title, "port moved, no REGISTER")
            .detail("it looks online, but calls and commands go to its old address")
            .times(beats.address_drift as usize)
            .at(Some(Spot { frame, time: from, hop: None }), source.to_string())
            .span(from, until)
    });
}
