//! R010: the next attempt comes too soon.

use super::{duration, pairs};
use crate::model::audit::{Outcome, Record};
use crate::rules::registrant::{Noted, Registrant, Remark};
use crate::rules::{Check, Group, Rule, Severity, Tier};
use crate::time::{SECOND, TIMEOUT};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "R010",
    name: "register-retry-too-fast",
    aliases: &[],
    statement: "A client repeats REGISTER too soon, or starts a new one while the last is pending.",
    tier: Tier::Next,
    severity: Severity::Error,
    refs: &[
        "RFC 3261 section 10.2",
        "RFC 3261 section 10.2.7",
        "RFC 3261 section 20.33",
        "RFC 5626 section 4.5",
        "GB/T 28181-2022 section 9.1.1",
    ],
    kinds: &[
        ("too-soon", Severity::Error),
        ("retry-after-ignored", Severity::Error),
        ("overlap", Severity::Warning),
        ("not-random", Severity::Info),
    ],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("register_retry_too_fast.md"),
    checks: &[Check::Registration(check)],
};

/// Retries that differ by less are equally long.
const EQUAL: i64 = SECOND;

fn check(case: &Registrant<'_>, noted: &mut Noted<'_>) {
    let device = case.device;
    // Devices that share an identifier do not wait for one another.
    let retries: Vec<(&Record, &Record)> = pairs(device)
        .into_iter()
        .filter(|(a, b)| a.source.ip == b.source.ip)
        .filter(|(a, _)| !matches!(a.outcome, Outcome::Ok | Outcome::Redirected))
        .collect();
    let wait = |(a, b): &(&Record, &Record)| b.start.since(a.start);
    let ignored = |(a, b): &&(&Record, &Record)| {
        let until = a
            .end
            .zip(a.shape.retry_after)
            .map(|(end, wait)| end.plus(i64::try_from(wait).unwrap_or(0).saturating_mul(SECOND)));
        until.is_some_and(|until| b.start < until)
    };
    let least = device.policy.min_retry;
    let resolution = case.audit.window.resolution;
    let soon =
        |pair: &&(&Record, &Record)| pair.0.outcome.is_failure() && wait(pair) + resolution < least;
    tell(case, noted, "too-soon", &retries.iter().filter(soon).collect::<Vec<_>>(), |first| {
        format!("the next attempt {} after a failed one, not {}", first, duration(least))
    });
    tell(
        case,
        noted,
        "retry-after-ignored",
        &retries.iter().filter(ignored).collect::<Vec<_>>(),
        |first| format!("the next attempt after {first}, in spite of Retry-After"),
    );
    let overlapping = |(a, b): &&(&Record, &Record)| {
        // A clock that was set back says nothing of the order.
        let after = b.start.since(a.start);
        a.end.is_none_or(|end| b.start < end) && (0..TIMEOUT).contains(&after)
    };
    if !case.audit.window.one_sided {
        let all: Vec<_> = pairs(device).into_iter().filter(|(a, b)| a.source == b.source).collect();
        tell(
            case,
            noted,
            "overlap",
            &all.iter().filter(overlapping).collect::<Vec<_>>(),
            |first| format!("a new attempt {first} after one that still waits for its answer"),
        );
    }
    let waits: Vec<i64> = retries.iter().map(wait).collect();
    let (min, max) = (waits.iter().min(), waits.iter().max());
    let Some((min, max)) = min.zip(max) else { return };
    // Three attempts with equal waits between them are a clock, not chance.
    if 2 <= waits.len() && max - min <= EQUAL {
        noted.add_kind("not-random", || {
            let title = format!(
                "retries {}{} apart: a random delay would spread them (GB/T 28181-2022 7.1 c)",
                if min == max { "exactly " } else { "" },
                duration(*min)
            );
            let records = retries.iter().map(|(_, next)| *next);
            Remark::new(title, "retries in step").times(waits.len()).requests(case, records)
        });
    }
}

fn tell(
    case: &Registrant<'_>,
    noted: &mut Noted<'_>,
    kind: &'static str,
    pairs: &[&(&Record, &Record)],
    title: impl Fn(String) -> String,
) {
    let Some(first) = pairs.iter().map(|(a, b)| b.start.since(a.start)).min() else { return };
    noted.add_kind(kind, || {
        let records = pairs.iter().map(|(_, next)| *next);
        let gb = case.device.is_gb();
        Remark::new(title(duration(first)), format!("retry after {}", duration(first)))
            .times(pairs.len())
            .requests(case, records)
            .at_most_if(!gb, Severity::Warning)
    });
}
