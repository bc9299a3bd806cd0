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
use crate::model::Model;
use crate::model::audit::{Audit, Device, Platform};
use crate::rules::registration::duration;
use crate::rules::{DeviceFinding, Severity};

/// Devices of which all findings are printed below the table without being asked for.
const FEW: usize = 4;

/// What is shown of an audit.
pub struct Registrations<'a> {
    /// The audit.
    pub audit: &'a Audit,
    /// What the rules say of it.
    pub findings: &'a [DeviceFinding],
    /// The messages it was made from.
    pub model: &'a Model,
    /// The inputs.
    pub files: &'a [String],
    /// What is asked for.
    pub options: Options,
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
    /// The findings of the device at `place` in the audit, worst first.
    pub fn of(&self, place: usize) -> &'a [DeviceFinding] {
        // Findings stand by device, those of the fleet first.
        let start = self.findings.partition_point(|one| one.device < Some(place));
        let end = self.findings.partition_point(|one| one.device <= Some(place));
        self.findings.get(start..end).unwrap_or_default()
    }

    /// The findings of no device: of the fleet and the inventory.
    pub fn of_fleet(&self) -> &'a [DeviceFinding] {
        let end = self.findings.partition_point(|one| one.device.is_none());
        self.findings.get(..end).unwrap_or_default()
    }

    /// The devices that are asked for, in the order that is asked for.
    pub fn chosen(&self) -> Vec<usize> {
        let wanted = |place: &usize| {
            let Some(device) = self.audit.devices.get(*place) else { return false };
            let fits = self.options.device.as_ref().is_none_or(|glob| fits(glob, device));
            let own = self.of(*place);
            let only = &self.options.only;
            fits && (only.is_empty()
                || own.iter().any(|f| only.contains(&(f.finding.rule.name, f.finding.kind))))
        };
        let mut places: Vec<usize> = (0..self.audit.devices.len()).filter(wanted).collect();
        let devices = &self.audit.devices;
        let descending = |f: &dyn Fn(&Device) -> f64, places: &mut Vec<usize>| {
            places.sort_by(|a, b| f(&devices[*b]).total_cmp(&f(&devices[*a])));
        };
        match self.options.sort {
            Sort::Worst => places.sort_by_cached_key(|place| self.badness(*place)),
            Sort::Device => places.sort_by(|a, b| devices[*a].device.cmp(&devices[*b].device)),
            Sort::Coverage => descending(&|d| -d.coverage().unwrap_or(2.0), &mut places),
            Sort::Interval => {
                descending(&|d| d.judged().map_or(-1.0, |(_, s)| s.p50), &mut places);
            }
            Sort::Attempts => descending(&|d| d.attempts().count() as f64, &mut places),
            Sort::Last => {
                descending(&|d| -(d.last_attempt_age.unwrap_or(i64::MAX) as f64), &mut places);
            }
        }
        places
    }

    /// The worst severity, how many errors, how long it was down; then the name.
    fn badness(&self, place: usize) -> (std::cmp::Reverse<(Option<Severity>, usize, i64)>, usize) {
        let own = self.of(place);
        let worst = own.iter().map(|f| f.finding.severity).max();
        let errors = own.iter().filter(|f| f.finding.severity == Severity::Error).count();
        let lapsed = self.audit.devices.get(place).map_or(0, |device| device.lapsed);
        (std::cmp::Reverse((worst, errors, lapsed)), place)
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
    let shows = |place: &usize| {
        view.options.all || view.options.device.is_some() || view.of(*place).iter().any(is_loud)
    };
    let shown: Vec<usize> = match chosen.len() {
        0..=FEW => chosen.clone(),
        _ => chosen.iter().copied().filter(shows).collect(),
    };
    let cells = |place: &usize| {
        let device = view.audit.devices.get(*place)?;
        Some(row::cells(device, view, view.of(*place), style))
    };
    let rows: Vec<_> = shown.iter().filter_map(cells).collect();
    if !rows.is_empty() {
        table::write(row::head(view.options.wide), &rows, style, out)?;
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
            let Some(device) = view.audit.devices.get(*place) else { continue };
            writeln!(out)?;
            detail::write(view, *place, device, pages, style, out)?;
        }
    }
    head::totals(view, style, out)
}

/// True for what makes a row worth showing without being asked.
fn is_loud(finding: &DeviceFinding) -> bool {
    finding.finding.severity != Severity::Info
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
