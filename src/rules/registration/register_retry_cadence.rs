//! R014: what looks like an interval is a retry.

use super::{duration, nanos, trimmed, unanswered};
use crate::model::audit::{Judged, Record};
use crate::rules::registrant::{Noted, Registrant, Remark};
use crate::rules::{Check, Group, Rule, Severity, Tier};
use crate::time::{SECOND, TIMEOUT};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "R014",
    name: "register-retry-cadence",
    aliases: &["reg/retry-cadence"],
    statement: "The measured interval is that of retries of an unanswered registration, not of refreshes.",
    tier: Tier::Core,
    severity: Severity::Error,
    refs: &["RFC 3261 section 17.1.2.2", "GB/T 28181-2022 section 9.1.1"],
    kinds: &[],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("register_retry_cadence.md"),
    checks: &[Check::Registration(check)],
};

/// How much a device may add to its wait of its own.
const REST: i64 = 10 * SECOND;
/// Retries that differ by more are not one timer.
const SPREAD: i64 = 2 * SECOND;

fn check(case: &Registrant<'_>, noted: &mut Noted<'_>) {
    let device = case.device;
    let Some((Judged::Retry, stats)) = device.judged() else { return };
    let attempts: Vec<&Record> = device.attempts().collect();
    let retries = attempts.len().saturating_sub(1);
    if stats.n < 2 || !attempts.iter().take(retries).all(|r| unanswered(r.outcome)) {
        return;
    }
    let median = nanos(stats.p50);
    let spread = nanos(stats.max - stats.min);
    noted.add(|| {
        let title = format!("not refreshes: {}", evidence(&attempts, median));
        let mut remark = Remark::new(title, "retries, no answer seen")
            .times(stats.n)
            .requests(case, attempts.iter().copied());
        if spread <= SPREAD + case.audit.window.resolution
            && let Some(wait) = wait(median, device.expected(), device.policy.min_retry)
        {
            let rest = median - TIMEOUT - wait;
            remark = remark.detail(format!(
                "{} = 32 s unanswered (timer F) + {} retry wait + {}: the server does not answer, \
                 or its answers do not arrive",
                duration(median),
                duration(wait),
                duration(rest)
            ));
        }
        remark
    });
}

/// The wait between two tries that explains `interval`, when one does.
fn wait(interval: i64, expected: Option<i64>, least: i64) -> Option<i64> {
    let explains = |wait: &i64| (*wait..=wait + REST).contains(&(interval - TIMEOUT));
    expected.filter(explains).or_else(|| Some(least).filter(explains))
}

/// What tells retries from refreshes.
fn evidence(attempts: &[&Record], interval: i64) -> String {
    let mut parts = Vec::new();
    if attempts.iter().all(|r| !r.shape.credentials) {
        parts.push("no credentials".to_owned());
    }
    let calls = attempts.windows(2).all(|two| two[0].call_id != two[1].call_id);
    match (attempts.iter().all(|r| r.cseq == 1), calls) {
        (true, true) => parts.push("CSeq 1 and a new Call-ID each time".to_owned()),
        (false, true) => parts.push("a new Call-ID each time".to_owned()),
        _ => {}
    }
    if parts.is_empty() {
        parts.push("none was answered".to_owned());
    }
    let mut text = parts.join(", ");
    if let Some(expires) = attempts.first().and_then(|r| r.requested()).filter(|s| *s > 0) {
        let life = f64::from(expires) * SECOND as f64;
        let percent = trimmed(100.0 * interval as f64 / life, 1);
        text = format!("{text}, at {percent} % of Expires {expires}");
    }
    text
}
