//! One device: who it is, its findings, every attempt, its time as a line.

use std::io::{self, Write};

use super::super::frames::Files;
use super::super::style::{BOLD, Style};
use super::super::table::{self, Cell, Column, Fit, Tone};
use super::super::text::in_charset;
use super::super::visible::{elide, visible};
use super::timeline::Timeline;
use super::{Registrations, write_finding};
use crate::model::audit::identity::GbId;
use crate::model::audit::{Device, Outcome, Record};
use crate::rules::DeviceFinding;
use crate::rules::registration::duration;

/// Attempts that are listed; more are counted.
const MOST: usize = 200;
/// Elsewhere a Request-URI of REGISTER has no user part (RFC 3261 section 10.2).
const GB_NAMES: &str =
    "From and To name the device, the Request-URI its server: normal in GB/T 28181";

/// Writes the findings of a device, and with `whole` its attempts and its timeline.
pub(super) fn write(
    view: &Registrations<'_>,
    device: &Device,
    findings: &[DeviceFinding],
    whole: bool,
    style: &Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let title =
        elide(&in_charset(&title(device), style.charset), style.width, style.glyph("…", "~"));
    writeln!(out, "{}", style.paint(BOLD, &title))?;
    for one in findings {
        write_finding(one, style, out)?;
    }
    if GbId::of(&device.device).is_some() && GbId::of(&device.registrar).is_some() {
        for line in super::wrap(GB_NAMES, style.width.saturating_sub(2)) {
            writeln!(out, "  {line}")?;
        }
    }
    if !whole {
        return Ok(());
    }
    if let Some(id) = GbId::of(&device.device) {
        writeln!(out, "  {}", elide(&explain_id(&id), style.width.saturating_sub(2), "~"))?;
    }
    platform(view, device, style, out)?;
    writeln!(out)?;
    attempts(view, device, style, out)?;
    timeline(view, device, style, out)
}

/// When the platform that was asked for would take the device as offline.
fn platform(
    view: &Registrations<'_>,
    device: &Device,
    style: &Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let Some(platform) = view.options.platform else { return Ok(()) };
    let clock = |time| style.time.time_of_day(time, 0);
    let periods: Vec<String> = platform
        .offline(device, &view.audit.window)
        .into_iter()
        .map(|(from, until)| format!("{}-{}", clock(from), until.map(clock).unwrap_or_default()))
        .collect();
    let when = if periods.is_empty() { "never".to_owned() } else { periods.join(", ") };
    let line = format!("offline for {} ({}): {when}", platform.word(), platform.meaning());
    for line in super::wrap(&line, style.width.saturating_sub(2)) {
        writeln!(out, "  {line}")?;
    }
    Ok(())
}

/// `11010000121310000034 (camera) -> 1100… (signalling server), TCP from …, User-Agent "…"`.
fn title(device: &Device) -> String {
    let kind =
        |id: &str| GbId::of(id).map_or_else(String::new, |g| format!(" ({})", g.kind_name()));
    let mut hosts: Vec<String> = device.records.iter().map(|r| r.source.host()).collect();
    hosts.dedup();
    hosts.truncate(3);
    let transports: Vec<String> =
        device.transports.iter().map(|t| t.word().to_uppercase()).collect();
    let agents: Vec<String> =
        device.user_agents.iter().map(|agent| visible(agent.as_bytes())).collect();
    let agents = match agents.as_slice() {
        [] => String::new(),
        agents => format!(", User-Agent \"{}\"", agents.join("\", \"")),
    };
    let alias = device.name.as_ref().map_or_else(String::new, |name| format!(" {name}"));
    visible(
        format!(
            "{}{}{alias} -> {}{}, {} from {}{agents}",
            device.device,
            kind(&device.device),
            device.registrar,
            kind(&device.registrar),
            transports.join("/"),
            hosts.join(", "),
        )
        .as_bytes(),
    )
}

/// `area 11010000, industry 12, type 131 (camera), network 0 (…), no. 000034`.
pub fn explain_id(id: &GbId<'_>) -> String {
    format!(
        "ID {} {} {} {} {}: area {}, {}, {}, {}, no. {}",
        id.area,
        id.industry,
        id.kind,
        id.network,
        id.serial,
        id.area,
        id.industry_name(),
        id.kind_name(),
        id.network_name(),
        id.serial.trim_start_matches('0')
    )
}

const HEAD: [Column; 11] = [
    column("#", 2, 5, 0, Fit::Number),
    column("Time", 8, 15, 0, Fit::Text),
    column("dt", 4, 10, 0, Fit::Number),
    column("From", 10, 47, 2, Fit::Address),
    column("Call-ID", 6, 24, 4, Fit::Address),
    column("CSeq", 3, 10, 3, Fit::Number),
    column("Expires", 4, 7, 3, Fit::Number),
    column("Auth", 4, 8, 5, Fit::Text),
    column("Response", 8, 22, 0, Fit::Text),
    column("Trigger", 5, 16, 0, Fit::Text),
    column("Frame", 3, 12, 6, Fit::Number),
];

const fn column(title: &'static str, least: usize, most: usize, rank: u8, fit: Fit) -> Column {
    Column { title, least, most, rank, fit }
}

fn attempts(
    view: &Registrations<'_>,
    device: &Device,
    style: &Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut rows = Vec::new();
    let mut before: Option<&Record> = None;
    for (number, record) in device.records.iter().enumerate().take(MOST) {
        rows.push(row(view, record, before, number + 1, style));
        before = Some(record);
    }
    table::write(&HEAD, &rows, style, out)?;
    if MOST < device.records.len() {
        writeln!(out, "  and {} more", device.records.len() - MOST)?;
    }
    Ok(())
}

fn row(
    view: &Registrations<'_>,
    record: &Record,
    before: Option<&Record>,
    number: usize,
    style: &Style,
) -> Vec<Cell> {
    let digits = if view.audit.window.resolution < 1_000_000_000 { 3 } else { 0 };
    let auth = match (record.shape.credentials, record.shape.challenges) {
        (false, 0) => "none".to_owned(),
        (true, 0) => "yes".to_owned(),
        (true, n) => format!("yes, {n} x"),
        (false, n) => format!("no, {n} x"),
    };
    let (response, tone) = response(record);
    let trigger = if record.follow_up {
        "contact update"
    } else if record.kind.registers() {
        record.trigger.word()
    } else {
        record.kind.word()
    };
    vec![
        number.to_string().into(),
        style.time.time_of_day(record.start, digits).into(),
        before.map_or_else(|| "-".to_owned(), |b| duration(record.start.since(b.start))).into(),
        record.source.to_string().into(),
        record.call_id.text.as_deref().map(visible).unwrap_or_default().into(),
        record.cseq.to_string().into(),
        expiry(record).into(),
        auth.into(),
        Cell { text: response, tone },
        trigger.into(),
        Files(view.files).frame(record.frame).into(),
    ]
}

fn expiry(record: &Record) -> String {
    match (record.requested(), record.granted()) {
        (Some(asked), Some(granted)) if asked != granted => format!("{asked}>{granted}"),
        (Some(asked), _) => asked.to_string(),
        (None, Some(granted)) => granted.to_string(),
        (None, None) => "-".to_owned(),
    }
}

fn response(record: &Record) -> (String, Tone) {
    let delay = record.delay_ms().map(|ms| duration((ms * 1e6) as i64));
    match record.outcome {
        Outcome::Ok => (format!("200 {}", delay.unwrap_or_default()), Tone::Good),
        Outcome::Unseen => ("none seen".to_owned(), Tone::Plain),
        Outcome::Pending => ("none until the end".to_owned(), Tone::Plain),
        Outcome::Timeout => ("none in 32 s".to_owned(), Tone::Bad),
        Outcome::Rejected(status) => (status.to_string(), Tone::Bad),
        outcome => (outcome.word(), Tone::Bad),
    }
}

fn timeline(
    view: &Registrations<'_>,
    device: &Device,
    style: &Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let window = &view.audit.window;
    let clock = |time| style.time.time_of_day(time, 0);
    let (from, until) = (clock(window.from), clock(window.until));
    let room = style.width.saturating_sub(from.len() + until.len() + 2).clamp(10, 120);
    let line = Timeline::of(device, window, room);
    writeln!(out, "\n{from} {} {until}", line.state)?;
    if !line.sent.is_empty() {
        writeln!(out, "{} {}", " ".repeat(from.len()), line.sent)?;
    }
    let legend = "= live  . lapsed  ? unknown  o away on purpose  R ok  r failed  u answer not seen  k keepalive  ! unanswered";
    writeln!(out, "{}", elide(legend, style.width, "~"))
}
