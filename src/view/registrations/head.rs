//! What stands above and below the table: the input, the fleet, the sum.

use std::io::{self, Write};

use super::super::style::{BOLD, Style, WARNING};
use super::super::text::in_charset;
use super::super::visible::{elide, visible};
use super::{Registrations, seconds};
use crate::rules::registration::{duration, trimmed};

/// The lines above the table.
pub(super) fn write(
    view: &Registrations<'_>,
    style: &Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let window = &view.audit.window;
    let base = |name: &String| visible(name.rsplit('/').next().unwrap_or(name).as_bytes());
    let files = match view.files {
        [] => "input".to_owned(),
        [file] => base(file),
        files => format!("{} files", files.len()),
    };
    let (from, until) = (window.from, window.until);
    let digits = usize::from(window.resolution < 1_000_000_000) * 3;
    let clock =
        |time| format!("{} {}", style.time.date(time), style.time.time_of_day(time, digits));
    let profile = match (view.sums.gb, view.audit.len()) {
        (0, _) => "sip",
        (gb, all) if gb == all => "gb28181",
        _ => "gb28181 and sip",
    };
    let lines = [
        format!(
            "{files}: {} SIP messages in {} packets at {} resolution",
            view.tally.messages,
            view.tally.frames,
            resolution(window.resolution)
        ),
        format!(
            "{} .. {} {} ({}), {}, profile {profile}",
            clock(from),
            clock(until),
            style.time.zone(from),
            duration(window.length()),
            devices(view),
        ),
    ];
    for line in lines {
        writeln!(out, "{}", cut(&line, style))?;
    }
    if window.one_sided && !view.audit.is_empty() {
        let requests = view.sums.records;
        let line = format!(
            "! one-sided input: {requests} requests, no responses. Success, granted expiry and \
             coverage cannot be known."
        );
        for line in super::wrap(&line, style.width) {
            writeln!(out, "{}", style.paint(WARNING, &in_charset(&line, style.charset)))?;
        }
    }
    fleet(view, style, out)?;
    writeln!(out)
}

fn fleet(view: &Registrations<'_>, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let fleet = &view.audit.fleet;
    if view.audit.len() < 2 {
        return Ok(());
    }
    let percent = |share: Option<f64>| {
        share.map_or_else(|| "?".to_owned(), |share| format!("{} %", trimmed(share, 2)))
    };
    let worst = fleet.worst_lapse.map_or_else(String::new, |l| format!(" (worst {})", duration(l)));
    let rrd = fleet.delay_ms.map_or_else(String::new, |stats| {
        let (p50, p95) = (seconds(Some(stats.p50 / 1e3)), seconds(Some(stats.p95 / 1e3)));
        format!("  RRD p50 {p50} p95 {p95}")
    });
    let line = format!(
        "fleet   coverage {}  lapses {}{worst}  IRA {}{rrd}  keepalive timeouts {}",
        percent(fleet.coverage().map(|share| share * 100.0)),
        fleet.lapses,
        percent(fleet.ineffective_percent()),
        fleet.keepalive_timeouts,
    );
    writeln!(out, "{}", cut(&line, style))?;
    for storm in &fleet.storms {
        let surge = &storm.surge;
        let clock = |time| style.time.time_of_day(time, 0);
        let refused: String = surge
            .refused
            .iter()
            .fold(String::new(), |all, (status, n)| all + &format!(", {n} x {status}"));
        let back =
            storm.recovered.map_or_else(String::new, |at| format!(", last back {}", clock(at)));
        let cause = storm.ended_at.map_or_else(String::new, |at| {
            format!(" (after {} connections ended at {})", storm.ends_before, clock(at))
        });
        let line = format!(
            "storm   {}-{} {} devices, {} attempts, peak {}/s{refused}{back}{cause}",
            clock(surge.from),
            clock(surge.until),
            surge.devices,
            surge.attempts,
            surge.peak
        );
        writeln!(out, "{}", style.paint(WARNING, &cut(&line, style)))?;
    }
    Ok(())
}

/// The line below all.
pub(super) fn totals(
    view: &Registrations<'_>,
    style: &Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let sums = &view.sums;
    let words = [(sums.errors, "error"), (sums.warnings, "warning"), (sums.notes, "note")];
    let mut parts = vec![devices(view)];
    for (n, word) in words {
        if n != 0 {
            parts.push(format!("{n} {word}{}", if n == 1 { "" } else { "s" }));
        }
    }
    if parts.len() == 1 {
        parts.push("no findings".to_owned());
    }
    writeln!(out, "\n{}", style.paint(BOLD, &cut(&parts.join(", "), style)))
}

fn devices(view: &Registrations<'_>) -> String {
    let (devices, registrars) = view.audit.counts();
    let plural = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    match registrars {
        0 | 1 => plural(devices, "device"),
        _ => format!("{}, {}", plural(devices, "device"), plural(registrars, "registrar")),
    }
}

fn resolution(nanos: i64) -> &'static str {
    match nanos {
        1_000_000_000 => "1 s",
        1_000_000 => "1 ms",
        1_000 => "1 us",
        _ => "1 ns",
    }
}

fn cut(line: &str, style: &Style) -> String {
    elide(&in_charset(line, style.charset), style.width, style.glyph("…", "~"))
}
