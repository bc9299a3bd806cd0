//! The registration audit: a table of devices, worst first, and a page for each.

pub mod detail;
mod group;
mod head;
pub mod row;
pub mod timeline;

use std::io::{self, Write};

use super::json::audit as json;
use super::style::{BOLD, Style};
use super::text::{in_charset, severity_paint};
use super::visible::{elide, visible, wrap};
use super::{Format, table};
use crate::limits::Tally;
use crate::model::audit::{Audit, Device, Platform};
use crate::rules::registration::duration;
use crate::rules::{DeviceFinding, Selection, Severity, check_device, check_fleet};

/// Devices of which all findings are printed below the table without being asked for.
const FEW: usize = 4;

/// Rows that are held at once.
const AT_ONCE: usize = 500;

/// What is shown of an audit. Devices and their findings are worked out one at a time, so that a
/// large fleet is never held as a whole.
pub struct Registrations<'a> {
    /// The audit.
    pub audit: &'a Audit,
    /// The rules that judge it.
    pub selection: &'a Selection,
    /// What was read.
    pub tally: &'a Tally,
    /// Packets the capture itself says it lost.
    pub dropped: u64,
    /// The inputs.
    pub files: &'a [String],
    /// What is asked for.
    pub options: Options,
    /// Findings of no device: of the fleet and the inventory.
    of_fleet: Vec<DeviceFinding>,
    /// What is needed of each device to choose and sort.
    briefs: Vec<Brief>,
    sums: Sums,
}

/// One device in few octets.
#[derive(Clone, Copy, Debug)]
struct Brief {
    worst: Option<Severity>,
    errors: u32,
    lapsed: i64,
    /// By what it is sorted, where that is a number.
    key: f64,
    is_wanted: bool,
}

/// Numbers of all devices.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    gb: usize,
    records: usize,
    errors: usize,
    warnings: usize,
    notes: usize,
}

impl Sums {
    fn count(&mut self, findings: &[DeviceFinding]) {
        for one in findings {
            match one.finding.severity {
                Severity::Error => self.errors += 1,
                Severity::Warning => self.warnings += 1,
                Severity::Info => self.notes += 1,
            }
        }
    }
}

/// What of it, and in which order.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Devices without findings, too.
    pub all: bool,
    /// More columns.
    pub wide: bool,
    /// The order of rows.
    pub sort: Sort,
    /// One row for each beginning of so many characters.
    pub group: Option<usize>,
    /// Devices whose names this fits, with a page each.
    pub device: Option<String>,
    /// Devices with a finding of one of these rules or kinds, by name.
    pub only: Vec<(&'static str, Option<&'static str>)>,
    /// The platform whose rule of being online is applied.
    pub platform: Option<Platform>,
}

/// The order of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// Worst finding first.
    #[default]
    Worst,
    /// By name.
    Device,
    /// Least coverage first.
    Coverage,
    /// Longest interval first.
    Interval,
    /// Most attempts first.
    Attempts,
    /// Latest attempt first.
    Last,
}

impl<'a> Registrations<'a> {
    /// What `options` ask for of `audit`, judged by `selection`.
    pub fn new(
        audit: &'a Audit,
        selection: &'a Selection,
        (tally, dropped): (&'a Tally, u64),
        files: &'a [String],
        options: Options,
    ) -> Self {
        let of_fleet = check_fleet(audit, selection);
        let mut sums = Sums::default();
        sums.count(&of_fleet);
        let mut briefs = Vec::with_capacity(audit.len());
        for (place, device) in audit.devices().enumerate() {
            let own = check_device(audit, place, &device, selection);
            sums.count(&own);
            sums.gb += usize::from(device.is_gb());
            sums.records += device.records.len();
            let errors = own.iter().filter(|f| f.finding.severity == Severity::Error);
            briefs.push(Brief {
                worst: own.iter().map(|f| f.finding.severity).max(),
                errors: errors.count() as u32,
                lapsed: device.lapsed,
                key: options.sort.key(&device),
                is_wanted: options.want(&device, &own),
            });
        }
        Self { audit, selection, tally, dropped, files, options, of_fleet, briefs, sums }
    }

    /// The device at `place` in the audit, and what is said of it, worst first.
    pub fn of(&self, place: usize) -> Option<(Device, Vec<DeviceFinding>)> {
        let device = self.audit.device(place)?;
        let own = check_device(self.audit, place, &device, self.selection);
        Some((device, own))
    }

    /// The findings of no device: of the fleet and the inventory.
    pub fn of_fleet(&self) -> &[DeviceFinding] {
        &self.of_fleet
    }

    /// The highest severity of all findings.
    pub fn worst(&self) -> Option<Severity> {
        let fleet = self.of_fleet.iter().map(|one| one.finding.severity);
        fleet.chain(self.briefs.iter().filter_map(|brief| brief.worst)).max()
    }

    /// The devices that are asked for, in the order that is asked for.
    pub fn chosen(&self) -> Vec<usize> {
        let mut places: Vec<usize> = (0..self.briefs.len()).collect();
        places.retain(|place| self.briefs[*place].is_wanted);
        match self.options.sort {
            Sort::Worst => places.sort_by_key(|place| {
                let Brief { worst, errors, lapsed, .. } = self.briefs[*place];
                std::cmp::Reverse((worst, errors, lapsed))
            }),
            Sort::Device => places.sort_by_key(|place| self.audit.ids(*place).0),
            Sort::Coverage | Sort::Interval | Sort::Attempts | Sort::Last => {
                places.sort_by(|a, b| self.briefs[*b].key.total_cmp(&self.briefs[*a].key));
            }
        }
        places
    }

    /// True for devices with something worth showing without being asked.
    fn is_loud(&self, place: usize) -> bool {
        self.briefs.get(place).is_some_and(|brief| Some(Severity::Info) < brief.worst)
    }
}

impl Sort {
    /// A number that is greater for what comes first.
    fn key(self, device: &Device) -> f64 {
        match self {
            Self::Worst | Self::Device => 0.0,
            Self::Coverage => -device.coverage().unwrap_or(2.0),
            Self::Interval => device.judged().map_or(-1.0, |(_, stats)| stats.p50),
            Self::Attempts => device.attempts().count() as f64,
            Self::Last => -(device.last_attempt_age.unwrap_or(i64::MAX) as f64),
        }
    }
}

impl Options {
    fn want(&self, device: &Device, findings: &[DeviceFinding]) -> bool {
        let named = |f: &DeviceFinding| self.only.contains(&(f.finding.rule.name, f.finding.kind));
        self.device.as_ref().is_none_or(|glob| fits(glob, device))
            && (self.only.is_empty() || findings.iter().any(named))
    }
}

/// True when `glob` (`*` any characters, `?` any one) fits the name, alias or address of `device`.
pub fn fits(glob: &str, device: &Device) -> bool {
    let names = [Some(device.device.as_str()), device.name.as_deref()];
    names.into_iter().flatten().any(|name| matches(glob.as_bytes(), name.as_bytes()))
}

/// Whether `glob` fits all of `text`.
pub fn matches(glob: &[u8], text: &[u8]) -> bool {
    let (mut g, mut t) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while t < text.len() {
        match glob.get(g) {
            Some(b'*') => {
                back = Some((g + 1, t));
                g += 1;
            }
            Some(b'?') => {
                g += 1;
                t += 1;
            }
            Some(octet) if *octet == text[t] => {
                g += 1;
                t += 1;
            }
            _ => {
                let Some((after, from)) = back else { return false };
                back = Some((after, from + 1));
                g = after;
                t = from + 1;
            }
        }
    }
    glob[g..].iter().all(|octet| *octet == b'*')
}

/// Writes what is asked for.
pub fn write(
    view: &Registrations<'_>,
    format: Format,
    style: &Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    match format {
        Format::Text => text(view, style, out),
        Format::Json => json::document(view, out),
        Format::Ndjson => json::lines(view, out),
        Format::Csv => json::table(view, out),
    }
}

fn text(view: &Registrations<'_>, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    head::write(view, style, out)?;
    let chosen = view.chosen();
    if let Some(length) = view.options.group {
        return group::write(view, &chosen, length, style, out);
    }
    let shows =
        |place: &usize| view.options.all || view.options.device.is_some() || view.is_loud(*place);
    let shown: Vec<usize> = match chosen.len() {
        0..=FEW => chosen.clone(),
        _ => chosen.iter().copied().filter(shows).collect(),
    };
    let cells = |place: &usize| {
        let (device, findings) = view.of(*place)?;
        Some(row::cells(&device, view, &findings, style))
    };
    let mut measure = table::Measure::default();
    shown.iter().filter_map(cells).for_each(|row| measure.add(&row));
    if !shown.is_empty() {
        let mut table = table::Table::begin(row::head(view.options.wide), &measure, style, out)?;
        for part in shown.chunks(AT_ONCE) {
            table.rows(&part.iter().filter_map(cells).collect::<Vec<_>>())?;
        }
    }
    if shown.len() < chosen.len() {
        let quiet = chosen.len() - shown.len();
        writeln!(out, "{quiet} devices without warnings or errors (--all lists them)")?;
    }
    for finding in view.of_fleet() {
        writeln!(out)?;
        write_finding(finding, style, out)?;
    }
    let pages = view.options.device.is_some();
    if pages || shown.len() <= FEW {
        for place in &shown {
            let Some((device, findings)) = view.of(*place) else { continue };
            writeln!(out)?;
            detail::write(view, &device, &findings, pages, style, out)?;
        }
    }
    head::totals(view, style, out)
}

/// One finding: severity, code and name, what happened; below it how it is known.
fn write_finding(one: &DeviceFinding, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let finding = &one.finding;
    let word = format!("{:7}", finding.severity.word());
    let rule = finding.rule;
    let label = match finding.kind {
        Some(kind) => format!("{} {}:{kind}", rule.code, rule.name),
        None => format!("{} {}", rule.code, rule.name),
    };
    let times =
        if 1 < finding.count { format!(" ({} times)", finding.count) } else { String::new() };
    writeln!(
        out,
        "  {} {}{times}",
        style.paint(severity_paint(finding.severity), &word),
        style.paint(BOLD, &label)
    )?;
    let room = style.width.saturating_sub(10).clamp(30, 110);
    for text in std::iter::once(&finding.title).chain(&one.details) {
        for line in wrap(&in_charset(&visible(text.as_bytes()), style.charset), room) {
            writeln!(out, "          {}", elide(&line, room, style.glyph("…", "~")))?;
        }
    }
    Ok(())
}

/// A span of seconds as this audit writes them; a dash for what is not known.
pub fn seconds(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |s| duration((s * 1e9).round() as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_fit_whole_names() {
        assert!(matches(b"3402*132*", b"34020000001320000001"));
        assert!(matches(b"*", b""));
        assert!(matches(b"100?@*", b"1001@pbx.example"));
        assert!(!matches(b"100", b"1001"));
        assert!(!matches(b"*2", b"1001"));
    }
}
