//! R005: refreshes far more often than needed.

use super::{duration, nanos, trimmed};
use crate::model::audit::series::Stats;
use crate::model::audit::{Record, Trigger};
use crate::rules::registrant::{Noted, Registrant, Remark};
use crate::rules::{Check, Group, Rule, Severity, Tier};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "R005",
    name: "register-too-frequent",
    aliases: &["reg/chatty-refresh"],
    statement: "A client refreshes its registration far more often than the expiry requires.",
    tier: Tier::Core,
    severity: Severity::Warning,
    refs: &["RFC 3261 section 10.2.4"],
    kinds: &[],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("register_too_frequent.md"),
    checks: &[Check::Registration(check)],
};

/// Shares of the granted life below which a refresh is chatter.
const SHARE: f64 = 0.05;

fn check(case: &Registrant<'_>, noted: &mut Noted<'_>) {
    let device = case.device;
    let Some(ratio) = Stats::of(&device.series.ratio) else { return };
    let wanted = |r: &&Record| matches!(r.trigger, Trigger::Retry | Trigger::ContactChange);
    let refreshes = device.attempts().filter(|r| r.trigger != Trigger::First);
    if SHARE <= ratio.p50 || ratio.n < 2 || refreshes.clone().any(|r| wanted(&r)) {
        return;
    }
    let every = device.refresh_interval.map_or(0, |stats| nanos(stats.p50));
    noted.add(|| {
        let granted = device.granted().unwrap_or(0);
        let percent = trimmed(ratio.p50 * 100.0, 1);
        let title = format!(
            "a refresh every {}: at {percent} % of the {granted} s granted",
            duration(every)
        );
        Remark::new(title, "refreshes too often").times(ratio.n).requests(case, refreshes)
    });
}
