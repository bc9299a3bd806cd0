//! All devices together: numbers, the heatmap by group, attempts over time.

use super::Axis;
use super::chart::{self, Bars};
use super::overview::Overview;
use crate::model::audit::series::seconds;
use crate::model::audit::{Audit, Storm};
use crate::view::TimeStyle;
use crate::view::clock::span;

pub(super) fn facts(audit: &Audit, time: &TimeStyle) -> Vec<(&'static str, String)> {
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
    for Storm { surge, .. } in &fleet.storms {
        let from = time.date_time(surge.from);
        let text = format!(
            "{from}: {} devices, {} attempts, at most {} a second",
            surge.devices, surge.attempts, surge.peak
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
pub(super) fn unknown(audit: &Audit, blind: usize) -> Vec<String> {
    let mut out = Vec::new();
    if audit.window.one_sided {
        out.push(
            "the input holds no response: success, granted expiry and coverage are unknown".into(),
        );
    }
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
pub(super) fn heatmap(overview: &Overview, axis: &Axis<'_>) -> String {
    let title = "Share of each stretch of time without a live binding";
    chart::heatmap(title, &overview.heat, axis.ends())
}

/// REGISTER attempts per second, failures by what became of them.
pub(super) fn attempts(audit: &Audit, overview: &Overview, axis: &Axis<'_>) -> String {
    const CLASSES: [&str; 4] = ["good", "doubt", "bad", "unknown"];
    let counts = &overview.attempts;
    let bin = (seconds(axis.until - axis.from) / axis.bins as f64).max(1e-9);
    let columns: Vec<Vec<(&'static str, f64)>> = counts
        .iter()
        .map(|c| CLASSES.into_iter().zip(c.map(|n| f64::from(n) / bin)).collect())
        .collect();
    let shaded: Vec<(f64, f64)> = audit
        .fleet
        .storms
        .iter()
        .map(|Storm { surge, .. }| (axis.share(surge.from.0), axis.share(surge.until.0)))
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
