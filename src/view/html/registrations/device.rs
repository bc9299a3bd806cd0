//! One device: its row in the table and its page with the timeline.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::chart::{self, Histogram, LEFT, Scale, WIDTH};
use super::{Axis, name};
use crate::frame::FrameId;
use crate::model::audit::identity::GbId;
use crate::model::audit::series::{Stats, seconds};
use crate::model::audit::{Answer, Device, Outcome, Record};
use crate::rules::DeviceFinding;
use crate::view::clock::span;
use crate::view::markup::escape;

/// Attempts that are listed and have words of their own on the timeline.
const ATTEMPTS: usize = 100;

/// One line of the table.
pub(super) struct Row {
    pub(super) href: Option<String>,
    pub(super) device: String,
    pub(super) registrar: String,
    pub(super) state: &'static str,
    pub(super) tone: &'static str,
    pub(super) attempts: String,
    pub(super) ok: String,
    pub(super) every: String,
    pub(super) granted: String,
    pub(super) coverage: String,
    pub(super) lapses: String,
    pub(super) keepalive: String,
    pub(super) flows: String,
}

impl Row {
    /// Its numbers, in the order of the columns.
    pub(super) fn cells(&self) -> [&str; 8] {
        let Self { every, granted, coverage, lapses, keepalive, .. } = self;
        [&self.attempts, &self.ok, every, granted, coverage, lapses, keepalive, &self.flows]
    }

    pub(super) fn of(device: &Device, page: Option<usize>) -> Self {
        let finished = device.count(Outcome::is_finished);
        let failed = device.count(Outcome::is_failure);
        let (state, tone) = if finished == 0 {
            ("unknown", "plain")
        } else if failed == finished {
            ("never registered", "bad")
        } else if !device.lapses.is_empty() {
            ("lapsed", "bad")
        } else if failed > 0 {
            ("refused at times", "doubt")
        } else if let Some((_, None)) = device.planned.last() {
            ("deregistered", "plain")
        } else {
            ("registered", "good")
        };
        let lapsed: i64 = device.lapses.iter().map(|lapse| lapse.length).sum();
        let interval = |stats: Option<Stats>| stats.map(|s| span((s.p50 * 1e9) as i64));
        Self {
            href: page.map(|at| format!("#device-{at}")),
            device: name(&device.device),
            registrar: name(&device.registrar),
            state,
            tone,
            attempts: device.tries().to_string(),
            ok: device.count(|outcome| outcome == Outcome::Ok).to_string(),
            every: interval(device.refresh_interval)
                .or_else(|| interval(device.retry_interval).map(|text| text + " retry"))
                .or_else(|| interval(device.attempt_interval))
                .unwrap_or_default(),
            granted: device.granted().map(|s| format!("{s} s")).unwrap_or_default(),
            coverage: device
                .coverage()
                .map_or("?".into(), |share| format!("{:.1} %", share * 100.0)),
            lapses: match device.lapses.len() {
                0 => String::new(),
                n => format!("{n} / {}", span(lapsed)),
            },
            keepalive: device
                .keepalives
                .as_ref()
                .and_then(|k| interval(k.interval))
                .unwrap_or_default(),
            flows: device.flows.to_string(),
        }
    }
}

/// The page of one device.
pub(super) struct DevicePage {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) facts: Vec<(&'static str, String)>,
    pub(super) findings: Vec<Note>,
    pub(super) timeline: String,
    pub(super) histogram: Option<String>,
    pub(super) attempts: Vec<AttemptRow>,
    pub(super) more: usize,
}

/// What a rule says of a device.
pub(super) struct Note {
    pub(super) severity: &'static str,
    pub(super) label: String,
    pub(super) title: String,
    pub(super) details: Vec<String>,
}

impl Note {
    fn of(one: &DeviceFinding) -> Self {
        let finding = &one.finding;
        Self {
            severity: finding.severity.word(),
            label: format!("{} {}", finding.rule.label(finding.kind), finding.rule.name),
            title: name(&finding.title),
            details: one.details.iter().map(|line| name(line)).collect(),
        }
    }
}

/// One attempt of the table.
pub(super) struct AttemptRow {
    /// Where it is drawn.
    pub(super) href: Option<String>,
    pub(super) time: String,
    pub(super) since: String,
    pub(super) source: String,
    pub(super) kind: &'static str,
    pub(super) outcome: String,
    pub(super) tone: &'static str,
    pub(super) requested: String,
    pub(super) granted: String,
    pub(super) delay: String,
    pub(super) why: &'static str,
}

pub(super) fn page(
    device: &Device,
    findings: &[DeviceFinding],
    at: usize,
    axis: &Axis<'_>,
    href: &dyn Fn(FrameId) -> Option<String>,
) -> DevicePage {
    let intervals: Vec<(f64, u32)> =
        device.series.attempt.iter().map(|n| (seconds(*n), 1)).collect();
    let histogram = Histogram {
        title: "interval between attempts",
        values: &intervals,
        scale: Scale::Log,
        band: None,
        unit: "s",
    };
    let mut before = None;
    let attempts = device.records.iter().take(ATTEMPTS).map(|record| {
        let since = before.replace(record.start).map(|t| span(record.start.since(t)));
        attempt(record, since.unwrap_or_default(), href(record.frame), axis)
    });
    DevicePage {
        id: format!("device-{at}"),
        title: format!("{} at {}", name(&device.device), name(&device.registrar)),
        facts: facts(device, axis),
        findings: findings.iter().map(Note::of).collect(),
        timeline: timeline(device, axis, href),
        histogram: histogram.draw().filter(|_| intervals.len() > 1),
        attempts: attempts.collect(),
        more: device.records.len().saturating_sub(ATTEMPTS),
    }
}

fn facts(device: &Device, axis: &Axis<'_>) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if let Some(id) = GbId::of(&device.device) {
        let text = format!(
            "{} · area {}, industry {}, type {} ({}), network {} ({}), no. {}",
            name(&device.device),
            id.area,
            id.industry,
            id.kind,
            id.kind_name(),
            id.network,
            id.network_name(),
            id.serial
        );
        facts.push(("Identifier", text));
    }
    let agents: Vec<String> = device.user_agents.iter().map(|text| name(text)).collect();
    if !agents.is_empty() {
        facts.push(("User-Agent", agents.join(", ")));
    }
    let contacts: Vec<String> = device.contacts.iter().take(5).map(|text| name(text)).collect();
    facts.push(("Contacts", contacts.join(", ")));
    for lapse in device.lapses.iter().take(5) {
        let until = lapse.until.map_or("still".to_owned(), |until| axis.clock(until));
        let (from, cause) = (axis.clock(lapse.from), lapse.cause.word());
        facts.push(("Lapse", format!("{from} to {until}, {}: {cause}", span(lapse.length))));
    }
    if device.lapses.len() > 5 {
        facts.push(("", format!("and {} more lapses", device.lapses.len() - 5)));
    }
    facts
}

fn attempt(record: &Record, since: String, href: Option<String>, axis: &Axis<'_>) -> AttemptRow {
    let seconds = |value: Option<u32>| value.map(|s| s.to_string()).unwrap_or_default();
    AttemptRow {
        href,
        time: axis.clock(record.start),
        since,
        source: record.source.to_string(),
        kind: record.kind.word(),
        outcome: record.outcome.word(),
        tone: tone(record.outcome),
        requested: seconds(record.requested()),
        granted: seconds(record.granted()),
        delay: record.delay_ms().map(|ms| format!("{ms:.0} ms")).unwrap_or_default(),
        why: record.trigger.word(),
    }
}

fn tone(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Ok => "good",
        Outcome::Redirected => "doubt",
        Outcome::Pending | Outcome::Unseen => "plain",
        _ => "bad",
    }
}

/// Validity of the binding over time; ticks above for attempts, below for keepalives.
fn timeline(device: &Device, axis: &Axis<'_>, href: &dyn Fn(FrameId) -> Option<String>) -> String {
    let title = format!("Binding of {} over time", name(&device.device));
    let mut svg = chart::open(&title, 74.0);
    let x = |time: i64| LEFT + axis.share(time) * WIDTH;
    let bar = |svg: &mut String, class: &str, from: i64, until: i64, words: &str| {
        let (a, b) = (x(from), x(until));
        let _ = write!(
            svg,
            "<rect class=\"{class}\" x=\"{a:.1}\" y=\"22\" width=\"{:.1}\" height=\"14\"><title>{}</title></rect>",
            (b - a).max(0.8),
            escape(words)
        );
    };
    bar(&mut svg, "unknown", axis.from, axis.until, "nothing is known");
    for (from, until) in axis.gaps {
        bar(&mut svg, "gap", *from, *until, "nothing was captured");
    }
    for (from, until) in &device.live_stretches {
        bar(&mut svg, "h0", *from, *until, &format!("bound for {}", span(until - from)));
    }
    for lapse in &device.lapses {
        let words = format!("not bound for {}: {}", span(lapse.length), lapse.cause.word());
        bar(&mut svg, "h4", lapse.from.0, lapse.from.0 + lapse.length, &words);
    }
    for (at, record) in device.records.iter().enumerate() {
        let class = tone(record.outcome);
        let place = x(record.start.0);
        if at < ATTEMPTS {
            let delay = record.delay_ms().map(|ms| format!(", {ms:.0} ms")).unwrap_or_default();
            let (kind, outcome) = (record.kind.word(), record.outcome.word());
            let words = format!("{kind} {outcome}, {}{delay}", record.trigger.word());
            let tick = format!(
                "<path class=\"tick {class}\" d=\"M{place:.1} 6v14\"><title>{}</title></path>",
                escape(&words)
            );
            match href(record.frame) {
                Some(href) => {
                    let _ = write!(svg, "<a href=\"{}\">{tick}</a>", escape(&href));
                }
                None => svg.push_str(&tick),
            }
        }
    }
    ticks(&mut svg, "tick bad", (6, 14), rest(device, Outcome::is_failure).map(x));
    ticks(&mut svg, "tick good", (6, 14), rest(device, |o| o == Outcome::Ok).map(x));
    if let Some(keepalives) = &device.keepalives {
        let of = |good: bool| {
            keepalives
                .pulses()
                .filter(move |b| matches!(b.answer, Answer::Accepted | Answer::Unknown) == good)
                .map(|b| b.time.0)
        };
        ticks(&mut svg, "tick plain", (39, 8), of(true).map(x));
        ticks(&mut svg, "tick bad", (39, 8), of(false).map(x));
    }
    ticks(&mut svg, "tick end", (2, 52), device.connection_ends.iter().map(|e| x(e.time.0)));
    chart::axis(&mut svg, 54.0, "", axis.ends());
    svg
}

/// Starts of the attempts that have no words of their own.
fn rest(device: &Device, test: impl Fn(Outcome) -> bool) -> impl Iterator<Item = i64> {
    let later = device.records.iter().skip(ATTEMPTS);
    later.filter(move |record| test(record.outcome)).map(|record| record.start.0)
}

/// Many ticks as one path; those in the same place are one.
fn ticks(
    svg: &mut String,
    class: &str,
    (y, height): (u32, u32),
    places: impl Iterator<Item = f64>,
) {
    let places: BTreeSet<i64> = places.map(|x| (x * 2.0).round() as i64).collect();
    if places.is_empty() {
        return;
    }
    let _ = write!(svg, "<path class=\"{class}\" d=\"");
    for place in places {
        let _ = write!(svg, "M{} {y}v{height}", place as f64 / 2.0);
    }
    svg.push_str("\"/>");
}
