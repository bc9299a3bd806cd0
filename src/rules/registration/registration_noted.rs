//! R020: what is worth knowing, and no fault.

use super::duration;
use crate::frame::Sightings;
use crate::model::audit::{Audit, Kind, Record, Window};
use crate::rules::registrant::{Noted, Registrant, Remark, Spot};
use crate::rules::{Check, Group, Rule, Severity, Tier};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "R020",
    name: "registration-noted",
    aliases: &[],
    statement: "Something about a registration is worth knowing.",
    tier: Tier::Later,
    severity: Severity::Warning,
    refs: &["RFC 3261 section 10.2.2", "RFC 3261 section 17.1.2.2"],
    kinds: &[
        ("slow", Severity::Warning),
        ("deregistered", Severity::Info),
        ("retransmitted", Severity::Info),
        ("orphan-response", Severity::Info),
        ("capture-gap", Severity::Info),
        ("truncated", Severity::Info),
        ("length-mismatch", Severity::Info),
    ],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("registration_noted.md"),
    checks: &[Check::Registration(check), Check::Fleet(input)],
};

fn check(case: &Registrant<'_>, noted: &mut Noted<'_>) {
    let device = case.device;
    let leaves =
        |r: &&Record| matches!(r.kind, Kind::Deregister | Kind::DeregisterAll) && !r.follow_up;
    let left: Vec<&Record> = device.records.iter().filter(leaves).collect();
    if !left.is_empty() {
        noted.add_kind("deregistered", || {
            let title = match left.len() {
                1 => "removed its binding".to_owned(),
                n => format!("removed its binding {n} times"),
            };
            Remark::new(title, "deregistered").times(left.len()).requests(case, left)
        });
    }
    let again: Vec<&Record> = device.records.iter().filter(|r| r.retransmissions > 0).collect();
    if !again.is_empty() {
        noted.add_kind("retransmitted", || {
            let n: u32 = again.iter().map(|r| r.retransmissions).sum();
            let title =
                format!("{n} retransmissions of REGISTER: packets are lost, or answers late");
            Remark::new(title, "retransmissions").times(n as usize).requests(case, again)
        });
    }
    let slow = device.delay_ms.zip(device.policy.max_rrd);
    if let Some((delay, most)) = slow.filter(|(d, most)| *most as f64 / 1e6 < d.p95) {
        noted.add_kind("slow", || {
            let p95 = duration((delay.p95 * 1e6) as i64);
            let title = format!("registrations take {p95} (95 %), more than {}", duration(most));
            Remark::new(title, "slow answers").requests(case, case.successes())
        });
    }
    if device.orphans > 0 {
        noted.add_kind("orphan-response", || {
            let n = device.orphans;
            let title = format!("{n} 2xx without their REGISTER, which was not captured");
            Remark::new(title, "REGISTER not captured").times(n as usize)
        });
    }
    let gaps = &case.audit.window.gaps;
    if !gaps.is_empty() {
        noted.add_kind("capture-gap", || {
            let missing = gaps.iter().map(|(from, until)| until - from).sum();
            let title =
                format!("nothing was captured for {}; no interval spans it", duration(missing));
            Remark::new(title, "capture gap").times(gaps.len())
        });
    }
}

/// What the input lacks, whosever messages they are.
fn input(audit: &Audit, noted: &mut Noted<'_>) {
    let Window { truncated, misstated, .. } = audit.window;
    tell(noted, "truncated", truncated, |n| match n {
        1 => "one message is not whole: its end was not captured, or not logged".to_owned(),
        n => format!("{n} messages are not whole: their ends were not captured, or not logged"),
    });
    tell(noted, "length-mismatch", misstated, |n| match n {
        1 => "one record of a log names another length than its message has".to_owned(),
        n => format!("{n} records of a log name another length than their messages have"),
    });
}

fn tell(
    noted: &mut Noted<'_>,
    kind: &'static str,
    seen: Sightings,
    title: impl FnOnce(u64) -> String,
) {
    let Some((time, frame)) = seen.first else { return };
    noted.add_kind(kind, || {
        let first = Spot { frame, time, hop: None };
        Remark::new(title(seen.count), kind).times(seen.count as usize).at(Some(first), "the first")
    });
}
