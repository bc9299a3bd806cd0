//! G006: keepalives without a registration.

use crate::model::audit::{Answer, Pulse};
use crate::rules::registrant::{Noted, Registrant, Remark, Spot};
use crate::rules::{Check, Group, Rule, Severity, Tier};
use crate::time::SECOND;

pub(in crate::rules) const RULE: Rule = Rule {
    code: "G006",
    name: "gb-keepalive-unregistered",
    aliases: &[],
    statement: "A device sends Keepalives although it is not registered, or the platform rejects them.",
    tier: Tier::Next,
    severity: Severity::Error,
    refs: &["GB/T 28181-2022 section 9.1.1", "GB/T 28181-2022 section 9.6.1"],
    kinds: &[("after-expiry", Severity::Error), ("rejected", Severity::Error)],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("gb_keepalive_unregistered.md"),
    checks: &[Check::Registration(check)],
};

/// How long after an expiry a keepalive may still be under way.
const GRACE: i64 = 5 * SECOND;

fn check(case: &Registrant<'_>, noted: &mut Noted<'_>) {
    let Some(beats) = &case.device.keepalives else { return };
    let places = |remark: Remark, pulses: &[Pulse]| {
        let remark = remark.times(pulses.len());
        pulses.iter().fold(remark, |remark, pulse| remark.at(Spot::of(pulse), "keepalive"))
    };
    let lapses = &case.device.lapses;
    let lapsed = |beat: &Pulse| {
        let at = lapses.partition_point(|lapse| lapse.from.plus(GRACE) < beat.time);
        let lapse = at.checked_sub(1).and_then(|at| lapses.get(at));
        lapse.is_some_and(|lapse| lapse.until.is_none_or(|until| beat.time < until))
    };
    let late: Vec<Pulse> = beats.unbound().filter(lapsed).collect();
    if !late.is_empty() {
        noted.add_kind("after-expiry", || {
            let title = format!("{} keepalives although no binding was live", late.len());
            places(Remark::new(title, "keepalives, not registered"), &late)
        });
    }
    let refused = |beat: &Pulse| matches!(beat.answer, Answer::Rejected(_));
    let refused: Vec<Pulse> = beats.pulses().filter(refused).collect();
    if !refused.is_empty() {
        noted.add_kind("rejected", || {
            let codes: Vec<String> =
                beats.rejected.iter().map(|(status, n)| format!("{status} x {n}")).collect();
            let title = format!("keepalives refused: {}", codes.join(", "));
            places(Remark::new(title, "keepalives refused"), &refused)
        });
    }
}
