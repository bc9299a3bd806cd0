//! G004: keepalives come at another interval than is configured.

use crate::model::audit::Keepalives;
use crate::model::audit::series::{Stats, seconds};
use crate::rules::registrant::{Noted, Registrant, Remark, Spot};
use crate::rules::registration::{duration, is_shared, nanos};
use crate::rules::{Check, Group, Rule, Severity, Tier};
use crate::time::SECOND;

pub(in crate::rules) const RULE: Rule = Rule {
    code: "G004",
    name: "gb-keepalive-interval",
    aliases: &[],
    statement: "Keepalive messages do not come at the configured interval.",
    tier: Tier::Core,
    severity: Severity::Warning,
    refs: &["GB/T 28181-2022 section 9.6.1", "GB/T 28181-2022 section A.2.5.2"],
    kinds: &[
        ("off-target", Severity::Warning),
        ("irregular", Severity::Info),
        ("too-fast", Severity::Info),
    ],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("gb_keepalive_interval.md"),
    checks: &[Check::Registration(check)],
};

/// Intervals that differ by less are equal, in seconds.
const LEAST: f64 = 5.0;
/// Of the median: how far apart the 5th and the 95th percentile of an even series may lie.
const EVEN: f64 = 0.2;
/// More often than this, in seconds, keepalives are mere load.
const FAST: f64 = 10.0;

fn check(case: &Registrant<'_>, noted: &mut Noted<'_>) {
    let device = case.device;
    let Some(beats) = &device.keepalives else { return };
    let Some(usual) = beats.interval.filter(|stats| 2 <= stats.n) else { return };
    // Keepalives of several devices, or to several platforms, are several series.
    if !device.is_gb() || is_shared(device) || 1 < device.registrars {
        return;
    }
    // What the clock and the rounding of long series leave open.
    let blur = seconds(case.audit.window.resolution + beats.rounding);
    off_target(case, noted, beats, usual, blur);
    let spread = usual.p95 - seconds(beats.percentile(5));
    if EVEN * usual.p50 + blur < spread {
        noted.add_kind("irregular", || {
            let title = format!(
                "keepalives come every {} to {}, not evenly",
                duration(beats.percentile(5)),
                duration(nanos(usual.p95))
            );
            told(case, beats, Remark::new(title, "keepalives uneven"), usual)
        });
    }
    let wanted = device.agreed_keepalive().is_some_and(|every| seconds(every) < FAST);
    if usual.p50 + blur < FAST && !wanted {
        noted.add_kind("too-fast", || {
            let title = format!("a keepalive every {}: mere load", duration(nanos(usual.p50)));
            told(case, beats, Remark::new(title, "keepalives too often"), usual)
        });
    }
}

fn off_target(
    case: &Registrant<'_>,
    noted: &mut Noted<'_>,
    beats: &Keepalives,
    usual: Stats,
    blur: f64,
) {
    let policy = &case.device.policy;
    let agreed = case.device.agreed_keepalive();
    let wanted = agreed.unwrap_or(60 * SECOND);
    let off = usual.p50 - seconds(wanted);
    let share = if off < 0.0 { policy.tolerance.under } else { policy.tolerance.over };
    if off.abs() <= LEAST.max(share * seconds(wanted)) + blur {
        return;
    }
    noted.add_kind("off-target", || {
        let (every, wanted) = (duration(nanos(usual.p50)), duration(wanted));
        let (why, at_most) = match (policy.keepalive, agreed) {
            (Some(_), _) => ("as expected", Severity::Warning),
            (None, Some(_)) => ("as its BasicParam says", Severity::Warning),
            // Nobody said what this platform agreed on with its devices.
            (None, None) => ("as the standard proposes", Severity::Info),
        };
        let title = format!("a keepalive every {every}, not every {wanted} {why}");
        let remark = Remark::new(title, format!("keepalive every {every}"));
        told(case, beats, remark, usual).at_most_if(at_most < RULE.severity, at_most)
    });
}

/// With the numbers it rests on, and where the keepalives begin and end.
fn told(case: &Registrant<'_>, beats: &Keepalives, remark: Remark, usual: Stats) -> Remark {
    let [min, p50, p95, max] =
        [usual.min, usual.p50, usual.p95, usual.max].map(|s| duration(nanos(s)));
    let numbers = format!(
        "{} intervals: least {min}, median {p50}, 95 % within {p95}, longest {max}; {} missed",
        usual.n, beats.missed_slots
    );
    let first = beats.pulses().next().as_ref().and_then(Spot::of);
    let last = beats.last().map(|(time, frame)| Spot { frame, time, hop: None });
    let remark = remark.times(usual.n).detail(numbers);
    let remark = remark.at(first, "the first keepalive").at(last, "the last keepalive");
    let dropped = case.audit.window.dropped;
    if dropped == 0 {
        return remark;
    }
    remark
        .detail(format!("the capture lost {dropped} packets: keepalives may be among them"))
        .at_most_if(true, Severity::Info)
}
