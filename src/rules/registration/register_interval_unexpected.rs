//! R004: registrations at another interval than expected.

use super::{duration, nanos, pairs, trimmed};
use crate::model::audit::{Judged, Record, Trigger};
use crate::rules::registrant::{Noted, Registrant, Remark};
use crate::rules::{Check, Group, Rule, Severity, Tier};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "R004",
    name: "register-interval-unexpected",
    aliases: &[],
    statement: "The measured time between registrations differs from the expected interval.",
    tier: Tier::Core,
    severity: Severity::Error,
    refs: &[
        "RFC 3261 section 10.2.1.1",
        "RFC 3261 section 10.2.4",
        "GB/T 28181-2022 section 9.1.1",
    ],
    kinds: &[("long", Severity::Error), ("short", Severity::Error)],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("register_interval_unexpected.md"),
    checks: &[Check::Registration(check)],
};

fn check(case: &Registrant<'_>, noted: &mut Noted<'_>) {
    let device = case.device;
    let (Some(expected), Some((judged, _))) = (device.expected(), device.judged()) else { return };
    // Devices that share an identifier have intervals of their own.
    if super::is_shared(device) {
        return;
    }
    let (series, all): (Vec<(i64, Option<&Record>)>, usize) = match judged {
        Judged::Refresh => {
            let series = &device.series.refresh;
            (series.iter().map(|interval| (*interval, None)).collect(), series.len())
        }
        Judged::Attempt | Judged::Retry => {
            let pairs = pairs(device);
            let own =
                pairs.iter().filter(|(_, next)| is_of_its_own(next, device.records.as_slice()));
            let series = own.map(|(a, b)| (b.start.since(a.start), Some(*b))).collect();
            (series, pairs.len())
        }
    };
    let tolerance = device.policy.tolerance;
    let resolution = case.audit.window.resolution;
    let longest = (expected as f64 * (1.0 + tolerance.over)) as i64 + resolution;
    let shortest = (expected as f64 * (1.0 - tolerance.under)) as i64 - resolution;
    let mut tell = |kind, outside: &dyn Fn(i64) -> bool, share: f64, sign: &str, brief: &str| {
        let wrong: Vec<_> = series.iter().filter(|(interval, _)| outside(*interval)).collect();
        let Some(((first, _), rest)) = wrong.split_first() else { return };
        noted.add_kind(kind, || {
            let worst = rest.iter().map(|(interval, _)| *interval).fold(*first, |a, b| {
                if (a - expected).abs() < (b - expected).abs() { b } else { a }
            });
            let off = 100.0 * (worst - expected) as f64 / expected as f64;
            let percent = trimmed(share * 100.0, 1);
            let title = format!(
                "{} between REGISTERs ({} of {all}), expected {} {sign} {percent} %: {off:+.1} %",
                duration(nanos(worst as f64 / 1e9)),
                wrong.len(),
                duration(expected),
            );
            let records = wrong.iter().filter_map(|(_, record)| *record);
            let brief = format!("{brief}: every {}", duration(worst));
            Remark::new(title, brief).times(wrong.len()).requests(case, records)
        });
    };
    tell("long", &|interval| longest < interval, tolerance.over, "+/-", "interval too long");
    tell("short", &|interval| interval < shortest, tolerance.under, "+/-", "interval too short");
}

/// False for an attempt that something else called for: a refusal before it, a lost connection.
fn is_of_its_own(record: &Record, all: &[Record]) -> bool {
    match record.trigger {
        Trigger::ConnectionLost => false,
        Trigger::Retry => {
            let before = all.iter().rev().find(|r| r.kind.registers() && r.start < record.start);
            before.is_some_and(|before| super::unanswered(before.outcome))
        }
        _ => true,
    }
}
