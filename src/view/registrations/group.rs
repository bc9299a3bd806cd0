//! Devices by the beginning of their names: one row for each center, industry and type.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::super::Style;
use super::super::table::{self, Cell, Column, Fit, Tone};
use super::super::visible::visible;
use super::{Registrations, head, row};
use crate::rules::Severity;
use crate::rules::registration::{duration, trimmed};

const HEAD: [Column; 9] = [
    column("Group", 8, 40, 0, Fit::Text),
    column("Devices", 3, 7, 0, Fit::Number),
    column("Errors", 2, 7, 1, Fit::Number),
    column("Warnings", 2, 8, 2, Fit::Number),
    column("Try", 2, 8, 3, Fit::Number),
    column("OK", 2, 8, 3, Fit::Number),
    column("Cover", 4, 7, 0, Fit::Number),
    column("Lapses", 5, 16, 1, Fit::Text),
    column("Offline", 2, 7, 4, Fit::Number),
];

const fn column(title: &'static str, least: usize, most: usize, rank: u8, fit: Fit) -> Column {
    Column { title, least, most, rank, fit }
}

#[derive(Default)]
struct Sum {
    devices: usize,
    errors: usize,
    warnings: usize,
    attempts: usize,
    ok: usize,
    live: i64,
    lapsed: i64,
    lapses: usize,
    offline: usize,
}

/// Writes one row for each beginning of `length` characters, most devices with errors first.
pub(super) fn write(
    view: &Registrations<'_>,
    chosen: &[usize],
    length: usize,
    style: &Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut groups: BTreeMap<String, Sum> = BTreeMap::new();
    for place in chosen {
        let Some((device, findings)) = view.of(*place) else { continue };
        let prefix: String = device.device.chars().take(length).collect();
        let sum = groups.entry(prefix).or_default();
        let has = |severity| findings.iter().any(|one| one.finding.severity == severity);
        sum.devices += 1;
        sum.errors += usize::from(has(Severity::Error));
        sum.warnings += usize::from(has(Severity::Warning));
        sum.attempts += device.attempts().count();
        sum.ok += row::ok(&device);
        sum.live += device.live;
        sum.lapsed += device.lapsed;
        sum.lapses += device.lapses.len();
        sum.offline += device.keepalives.as_ref().map_or(0, |k| k.platform_offline.len());
    }
    let mut groups: Vec<(String, Sum)> = groups.into_iter().collect();
    groups.sort_by(|(a, x), (b, y)| y.errors.cmp(&x.errors).then(a.cmp(b)));
    let rows: Vec<Vec<Cell>> =
        groups.iter().map(|(prefix, sum)| cells(prefix, sum, length)).collect();
    table::write(&HEAD, &rows, style, out)?;
    head::totals(view, style, out)
}

fn cells(prefix: &str, sum: &Sum, length: usize) -> Vec<Cell> {
    let known = sum.live + sum.lapsed;
    let share = (0 < known).then(|| 100.0 * sum.live as f64 / known as f64);
    let more = if prefix.chars().count() == length { "*" } else { "" };
    let bad = if sum.errors > 0 { Tone::Bad } else { Tone::Plain };
    vec![
        format!("{}{more}", visible(prefix.as_bytes())).into(),
        sum.devices.to_string().into(),
        Cell { text: sum.errors.to_string(), tone: bad },
        sum.warnings.to_string().into(),
        sum.attempts.to_string().into(),
        sum.ok.to_string().into(),
        share.map_or_else(|| "?".to_owned(), |s| format!("{}%", trimmed(s, 1))).into(),
        match sum.lapses {
            0 => "-".into(),
            n => format!("{n}/{}", duration(sum.lapsed)).into(),
        },
        sum.offline.to_string().into(),
    ]
}
