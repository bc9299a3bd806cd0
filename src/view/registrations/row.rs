//! One device as a row: what is wrong in words, then the numbers.

use super::super::table::{Cell, Column, Fit, Tone};
use super::super::visible::visible;
use super::super::{Style, registrations::Registrations};
use super::seconds;
use crate::model::audit::{Device, Judged, Options, Outcome};
use crate::rules::registration::{duration, trimmed};
use crate::rules::{DeviceFinding, Severity};

const NARROW: [Column; 12] = [
    column("Device", 20, 44, 0, Fit::Address),
    column("Why", 18, 26, 0, Fit::Text),
    column("Try", 2, 6, 1, Fit::Number),
    column("OK", 2, 6, 1, Fit::Number),
    column("Every", 11, 14, 0, Fit::Number),
    column("Dev", 4, 6, 5, Fit::Number),
    column("Exp", 6, 7, 7, Fit::Number),
    column("Cover", 4, 7, 2, Fit::Number),
    column("Lapses", 6, 14, 4, Fit::Text),
    column("Keepalive", 9, 14, 3, Fit::Text),
    column("Conn", 2, 5, 6, Fit::Number),
    column("Flags", 5, 14, 2, Fit::Text),
];

const WIDE: [Column; 18] = [
    NARROW[0],
    NARROW[1],
    NARROW[2],
    NARROW[3],
    NARROW[4],
    NARROW[5],
    NARROW[6],
    NARROW[7],
    NARROW[8],
    NARROW[9],
    NARROW[10],
    NARROW[11],
    column("p95", 4, 10, 9, Fit::Number),
    column("RRD", 4, 10, 10, Fit::Number),
    column("Call-IDs", 2, 8, 11, Fit::Number),
    column("Registrar", 10, 32, 8, Fit::Address),
    column("Source", 8, 40, 8, Fit::Text),
    column("User-Agent", 8, 32, 12, Fit::Text),
];

const fn column(title: &'static str, least: usize, most: usize, rank: u8, fit: Fit) -> Column {
    Column { title, least, most, rank, fit }
}

/// The columns.
pub(super) fn head(wide: bool) -> &'static [Column] {
    if wide { &WIDE } else { &NARROW }
}

/// The cells of one device.
pub(super) fn cells(
    device: &Device,
    view: &Registrations<'_>,
    findings: &[DeviceFinding],
    style: &Style,
) -> Vec<Cell> {
    let judged = device.judged();
    let worst = findings.first().filter(|one| one.finding.severity != Severity::Info);
    let name = match &device.name {
        Some(alias) => format!("{} {alias}", device.device),
        None => device.device.clone(),
    };
    let ok = if view.audit.window.one_sided { "?".to_owned() } else { ok(device).to_string() };
    let mut cells: Vec<Cell> = vec![
        visible(name.as_bytes()).into(),
        Cell {
            text: worst.map(|one| visible(one.brief.as_bytes())).unwrap_or_default(),
            tone: worst.map_or(Tone::Plain, |one| tone(one.finding.severity)),
        },
        device.tries().to_string().into(),
        ok.into(),
        every(device).into(),
        off(device).into(),
        expiry(device).into(),
        cover(device, style),
        lapses(device).into(),
        keepalive(device),
        device.flows.to_string().into(),
        flags(findings).into(),
    ];
    if view.options.wide {
        let mut hosts: Vec<String> = device.records.iter().map(|r| r.source.host()).collect();
        hosts.dedup();
        let agents: Vec<&str> = device.user_agents.iter().map(String::as_str).collect();
        cells.extend([
            seconds(judged.map(|(_, stats)| stats.p95)).into(),
            seconds(device.delay_ms.map(|stats| stats.p50 / 1e3)).into(),
            device.call_ids.to_string().into(),
            Cell::from(visible(device.registrar.as_bytes())),
            visible(hosts.join(" ").as_bytes()).into(),
            visible(agents.join(" / ").as_bytes()).into(),
        ]);
    }
    cells
}

/// Attempts that succeeded.
pub fn ok(device: &Device) -> usize {
    device.count(|outcome| outcome == Outcome::Ok)
}

const fn tone(severity: Severity) -> Tone {
    match severity {
        Severity::Error => Tone::Bad,
        Severity::Warning => Tone::Doubtful,
        Severity::Info => Tone::Plain,
    }
}

/// The median of the judged intervals, and what they are where they are not refreshes.
fn every(device: &Device) -> String {
    let Some((judged, stats)) = device.judged() else { return String::new() };
    let time = duration((stats.p50 * 1e9).round() as i64);
    let unsure = device.attempts().any(|r| matches!(r.outcome, Outcome::Unseen));
    match judged {
        Judged::Refresh => time,
        Judged::Attempt => format!("{time} try"),
        Judged::Retry if unsure => format!("{time} retry?"),
        Judged::Retry => format!("{time} retry"),
    }
}

/// By how much the median differs from what is expected.
fn off(device: &Device) -> String {
    let (Some(expected), Some((_, stats))) = (device.expected(), device.judged()) else {
        return String::new();
    };
    let share = stats.p50 * 1e9 / expected as f64 - 1.0;
    format!("{:+.0}%", share * 100.0)
}

/// Seconds granted, or in parentheses asked for.
fn expiry(device: &Device) -> String {
    match (device.granted(), device.requested()) {
        (Some(granted), _) => granted.to_string(),
        (None, Some(requested)) => format!("({requested})"),
        (None, None) => String::new(),
    }
}

fn cover(device: &Device, style: &Style) -> Cell {
    let Some(share) = device.coverage() else { return "?".into() };
    // What is not quite all must not look like all.
    let percent = if share < 1.0 { (share * 1000.0).floor() / 10.0 } else { 100.0 };
    let censored = device.lapses.iter().any(|lapse| lapse.until.is_none());
    let sign = if censored { style.glyph("≤", "<=") } else { "" };
    let tone = match share {
        s if s >= 1.0 => Tone::Good,
        s if s >= 0.95 => Tone::Doubtful,
        _ => Tone::Bad,
    };
    Cell { text: format!("{sign}{}%", trimmed(percent, 1)), tone }
}

fn lapses(device: &Device) -> String {
    if device.evidence.is_none() || device.lapses.is_empty() {
        return "-".to_owned();
    }
    let total: i64 = device.lapses.iter().map(|lapse| lapse.length).sum();
    format!("{}/{}", device.lapses.len(), duration(total))
}

fn keepalive(device: &Device) -> Cell {
    let Some(beats) = &device.keepalives else {
        let none = if device.is_gb() { "none" } else { "" };
        return device.options.map_or_else(|| none.into(), |options| asked(&options));
    };
    let open = beats.platform_offline.last().is_some_and(|(_, until)| until.is_none());
    let every = beats.interval.map(|stats| duration((stats.p50 * 1e9).round() as i64));
    let every = every.unwrap_or_default();
    let (state, tone) = if beats.address_drift > 0 {
        (format!("drift {}", beats.address_drift), Tone::Bad)
    } else if open {
        ("timeout".to_owned(), Tone::Bad)
    } else if !beats.rejected.is_empty() {
        (format!("{every} refused"), Tone::Bad)
    } else if beats.unanswered > 0 {
        (format!("{every} silent"), Tone::Bad)
    } else if beats.missed_slots > 0 {
        (format!("{every} -{}", beats.missed_slots), Tone::Doubtful)
    } else {
        (format!("{every} ok"), Tone::Plain)
    };
    Cell { text: state.trim().to_owned(), tone }
}

fn asked(options: &Options) -> Cell {
    let every = options.interval.map(|stats| duration((stats.p50 * 1e9).round() as i64));
    let (state, tone) = match options.unanswered {
        0 => ("options".to_owned(), Tone::Plain),
        n => (format!("options -{n}"), Tone::Doubtful),
    };
    Cell { text: format!("{} {state}", every.unwrap_or_default()).trim().to_owned(), tone }
}

/// One letter for each kind of trouble.
fn flags(findings: &[DeviceFinding]) -> String {
    const ORDER: &str = "AIRLOKDNCEXT";
    let mut all: Vec<char> = findings.iter().filter_map(flag).collect();
    all.sort_by_key(|letter| ORDER.find(*letter));
    all.dedup();
    all.iter().map(char::to_string).collect::<Vec<_>>().join(" ")
}

fn flag(one: &DeviceFinding) -> Option<char> {
    let kind = one.finding.kind.unwrap_or_default();
    Some(match (one.finding.rule.name, kind) {
        ("registration-rejected", "auth-loop" | "final-error" | "challenge-incomplete") => 'A',
        ("register-interval-unexpected" | "register-too-frequent", _) => 'I',
        ("register-retry-cadence" | "register-retry-too-fast", _) if kind != "not-random" => 'R',
        ("registration-lapsed", _) => 'L',
        ("registration-overdue", _) => 'O',
        (
            "gb-keepalive-lost"
            | "gb-keepalive-unregistered"
            | "gb-keepalive-absent"
            | "gb-keepalive-interval",
            _,
        ) if one.finding.severity != Severity::Info => 'K',
        ("gb-keepalive-moved", _) => 'D',
        ("registration-unstable", "source-changed" | "source-port-changed")
        | ("register-contact-unreachable", _) => 'N',
        ("registration-unstable", "new-connection-each-refresh" | "connection-lost") => 'C',
        (
            "register-expires-invalid" | "gb-register-expires-short" | "register-response-contact",
            _,
        ) => 'E',
        ("gb-date-header", _) if one.finding.severity != Severity::Info => 'T',
        ("registration-shared-id", _) => 'X',
        _ => return None,
    })
}
