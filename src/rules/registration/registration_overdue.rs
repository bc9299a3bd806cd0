//! R013: the next registration does not come, or comes late.

use super::{duration, trimmed};
use crate::model::audit::Outcome;
use crate::rules::registrant::{Noted, Registrant, Remark};
use crate::rules::{Check, Group, Rule, Severity, Tier};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "R013",
    name: "registration-overdue",
    aliases: &[],
    statement: "A device does not register when it should, or just before its expiry.",
    tier: Tier::Next,
    severity: Severity::Error,
    refs: &["RFC 3261 section 10.2.4", "GB/T 28181-2022 section 9.1.1"],
    kinds: &[("overdue", Severity::Error), ("late", Severity::Warning)],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("registration_overdue.md"),
    checks: &[Check::Registration(check)],
};

/// Share of the granted life beyond which a refresh is late.
const LATE: f64 = 0.95;

fn check(case: &Registrant<'_>, noted: &mut Noted<'_>) {
    let device = case.device;
    overdue(case, noted);
    let late: Vec<f64> =
        device.series.ratio.iter().copied().filter(|r| (LATE..=1.0).contains(r)).collect();
    let Some(worst) = late.iter().copied().reduce(f64::max) else { return };
    noted.add_kind("late", || {
        let percent = trimmed(worst * 100.0, 1);
        let title = format!("refreshed after {percent} % of the granted time");
        let ok = case.successes().filter(|r| r.outcome == Outcome::Ok);
        Remark::new(title, "refresh at the last moment").times(late.len()).requests(case, ok)
    });
}

fn overdue(case: &Registrant<'_>, noted: &mut Noted<'_>) {
    let device = case.device;
    let (Some(age), Some(last)) = (device.last_attempt_age, device.attempts().last()) else {
        return;
    };
    // A device that left on purpose owes nothing.
    if device.planned.last().is_some_and(|(_, until)| until.is_none()) {
        return;
    }
    let own = device.judged().filter(|(_, stats)| 3 <= stats.n).map(|(_, s)| super::nanos(s.p95));
    // Without an expectation the granted time is the measure.
    let life = last.granted().map(|s| i64::from(s) * crate::time::SECOND);
    let Some(expected) = device.expected().or(own.max(life)) else { return };
    let allowed = (expected as f64 * (1.0 + device.policy.tolerance.over)) as i64
        + case.audit.window.resolution;
    // While the binding lives, one refresh may be missing: it may just be late.
    let end = case.audit.window.until;
    let alive = device.live_stretches.last().is_some_and(|(_, until)| end.0 <= *until);
    if age <= allowed || alive && age < 2 * expected {
        return;
    }
    noted.add_kind("overdue", || {
        let title =
            format!("no REGISTER for {}, expected every {}", duration(age), duration(expected));
        let brief = format!("silent for {}", duration(age));
        Remark::new(title, brief).requests(case, [last]).span(last.start, case.audit.window.until)
    });
}
