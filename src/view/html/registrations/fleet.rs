//! All devices together: numbers, the heatmap by group, attempts over time.

use std::collections::BTreeMap;

use super::chart::{self, Bars, HeatRow};
use super::{Axis, name};
use crate::model::audit::series::{Stretch, seconds};
use crate::model::audit::{Audit, Device, Outcome};
use crate::view::clock::span;
use crate::view::html::Page;

/// Rows of the heatmap, at most.
const GROUPS: usize = 60;

pub(super) fn facts(audit: &Audit, page: &Page<'_>) -> Vec<(&'static str, String)> {
    let fleet = &audit.fleet;
    let (_, registrars) = audit.counts();
    let percent = |share: Option<f64>| share.map_or("unknown".to_owned(), |s| format!("{s:.2} %"));
    let mut facts = vec![
        ("Devices", format!("{} at {registrars} registrars", audit.len())),
        ("Attempts", format!("{}: {} ok, {} failed", fleet.attempts, fleet.ok, fleet.failed)),
        ("Ineffective", percent(fleet.ineffective_percent())),
        ("Coverage", percent(fleet.coverage().map(|share| share * 100.0))),
        ("Lapses", lapses(fleet.lapses, fleet.worst_lapse)),
    ];
    if let Some(delay) = fleet.delay_ms {
        facts.push((
            "Request delay",
            format!("{:.0} ms, 95 % below {:.0} ms", delay.p50, delay.p95),
        ));
    }
    for storm in &fleet.storms {
        let from = page.options.time.date_time(storm.from);
        let text = format!(
            "{from}: {} devices, {} attempts, at most {} a second",
            storm.devices, storm.attempts, storm.peak
        );
        facts.push(("Storm", text));
    }
    facts
}

fn lapses(count: usize, worst: Option<i64>) -> String {
    match worst {
        Some(worst) if count > 0 => format!("{count}, the longest {}", span(worst)),
        _ => count.to_string(),
    }
}

/// What could not be known, in words.
pub(super) fn unknown(audit: &Audit, devices: &[Device]) -> Vec<String> {
    let mut out = Vec::new();
    if audit.window.one_sided {
        out.push(
            "the input holds no response: success, granted expiry and coverage are unknown".into(),
        );
    }
    let blind = devices.iter().filter(|d| d.evidence.is_none()).count();
    if blind > 0 && !audit.window.one_sided {
        out.push(format!("{blind} devices were never seen registered: their coverage is unknown"));
    }
    let gaps: i64 = audit.window.gaps.iter().map(|(from, until)| until - from).sum();
    if gaps > 0 {
        out.push(format!("nothing was captured for {}: not judged", span(gaps)));
    }
    out
}

/// Groups of devices over time: how much of each bin was without binding.
pub(super) fn heatmap(devices: &[Device], axis: &Axis<'_>) -> String {
    let length = prefix(devices);
    let mut groups: BTreeMap<String, Vec<&Device>> = BTreeMap::new();
    for device in devices {
        let group: String = device.device.chars().take(length).collect();
        groups.entry(group).or_default().push(device);
    }
    let rows: Vec<HeatRow> = groups
        .iter()
        .take(GROUPS)
        .map(|(group, devices)| {
            let whole = devices.iter().all(|d| d.device.chars().count() <= length);
            let more = if whole { String::new() } else { format!("… ({})", devices.len()) };
            let mut text = name(group);
            if text.chars().count() > 24 {
                text = text.chars().take(23).chain(['…']).collect();
            }
            HeatRow { name: text + &more, cells: cells(devices, axis) }
        })
        .collect();
    chart::heatmap("Share of each stretch of time without a live binding", &rows, axis.ends())
}

/// The longest prefix that makes at most [`GROUPS`] groups.
fn prefix(devices: &[Device]) -> usize {
    let longest = devices.iter().map(|d| d.device.chars().count()).max().unwrap_or(0);
    (1..=longest)
        .rev()
        .find(|length| {
            let mut seen = std::collections::BTreeSet::new();
            devices.iter().all(|device| {
                seen.insert(device.device.chars().take(*length).collect::<String>());
                seen.len() <= GROUPS
            })
        })
        .unwrap_or(0)
}

/// The class of each bin: gap, unknown, or how much of the known time lapsed.
fn cells(devices: &[&Device], axis: &Axis<'_>) -> Vec<&'static str> {
    let mut live = vec![0_i64; axis.bins];
    let mut lapsed = vec![0_i64; axis.bins];
    for device in devices {
        for stretch in &device.live_stretches {
            spread(*stretch, axis, &mut live);
        }
        for lapse in &device.lapses {
            spread((lapse.from.0, lapse.from.0 + lapse.length), axis, &mut lapsed);
        }
    }
    (0..axis.bins)
        .map(|bin| {
            let (from, until) = axis.stretch(bin);
            let middle = from + (until - from) / 2;
            let known = live[bin] + lapsed[bin];
            if axis.gaps.iter().any(|(a, b)| *a <= middle && middle < *b) {
                "gap"
            } else if known == 0 {
                "unknown"
            } else {
                match lapsed[bin] as f64 / known as f64 {
                    0.0 => "h0",
                    share if share < 0.05 => "h1",
                    share if share < 0.25 => "h2",
                    share if share < 0.75 => "h3",
                    _ => "h4",
                }
            }
        })
        .collect()
}

/// Adds what `stretch` covers of each bin.
fn spread(stretch: Stretch, axis: &Axis<'_>, bins: &mut [i64]) {
    let (from, until) = (stretch.0.max(axis.from), stretch.1.min(axis.until));
    if until <= from {
        return;
    }
    for bin in axis.bin(from)..=axis.bin(until - 1) {
        let (begin, end) = axis.stretch(bin);
        if let Some(sum) = bins.get_mut(bin) {
            *sum += (until.min(end) - from.max(begin)).max(0);
        }
    }
}

/// REGISTER attempts per second, failures by what became of them.
pub(super) fn attempts(audit: &Audit, devices: &[Device], axis: &Axis<'_>) -> String {
    const CLASSES: [&str; 4] = ["good", "doubt", "bad", "unknown"];
    let mut counts = vec![[0_u32; 4]; axis.bins];
    for record in devices.iter().flat_map(Device::attempts) {
        let class = match record.outcome {
            Outcome::Ok => 0,
            Outcome::Pending | Outcome::Unseen => 3,
            Outcome::Redirected | Outcome::AuthFailed | Outcome::ChallengeUnanswered => 1,
            Outcome::Rejected(_) | Outcome::Timeout => 2,
        };
        counts[axis.bin(record.start.0)][class] += 1;
    }
    let bin = (seconds(axis.until - axis.from) / axis.bins as f64).max(1e-9);
    let columns: Vec<Vec<(&'static str, f64)>> = counts
        .iter()
        .map(|c| CLASSES.into_iter().zip(c.map(|n| f64::from(n) / bin)).collect())
        .collect();
    let shaded: Vec<(f64, f64)> = audit
        .fleet
        .storms
        .iter()
        .map(|storm| (axis.share(storm.from.0), axis.share(storm.until.0)))
        .collect();
    Bars {
        title: "REGISTER attempts per second; storms shaded",
        columns: &columns,
        shaded: &shaded,
        unit: "/s",
        ends: axis.ends(),
    }
    .draw()
}
