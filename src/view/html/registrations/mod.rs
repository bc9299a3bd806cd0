//! The registration pages of the report: the fleet over time, intervals, a timeline per device.
#![allow(clippy::cast_sign_loss)] // Shares of an axis are never negative.

mod chart;
mod device;
mod fleet;

use askama::Template;

use self::chart::{Histogram, Scale};
use super::Page;
use crate::model::audit::series::seconds;
use crate::model::audit::{Audit, Device, Outcome};
use crate::time::Timestamp;
use crate::view::TimeStyle;
use crate::view::visible::visible;

/// Bins of the time axis, at most.
const BINS: usize = 288;
/// Devices with a page of their own.
const PAGES: usize = 200;
/// Devices in the table.
const ROWS: usize = 20_000;

/// Sorts, searches and filters the table of devices; without it the table is whole as it is.
pub(super) const SCRIPT: &str = include_str!("../../../../templates/report_registrations.js");

#[derive(Template)]
#[template(path = "report_registrations.html")]
pub(super) struct Registrations {
    facts: Vec<(&'static str, String)>,
    unknown: Vec<String>,
    heatmap: String,
    attempts: String,
    histograms: Vec<String>,
    rows: Vec<device::Row>,
    left_out: usize,
    pages: Vec<device::DevicePage>,
    script: &'static str,
}

/// The part on registrations; nothing when there is none.
pub(super) fn registrations(page: &Page<'_>, audit: &Audit) -> Option<Registrations> {
    if audit.is_empty() {
        return None;
    }
    let axis = Axis::of(audit, &page.options.time);
    // Worst first: the longest without binding, then the most failures.
    let devices: Vec<Device> = audit.devices().collect();
    let mut order: Vec<&Device> = devices.iter().collect();
    order.sort_by_key(|d| std::cmp::Reverse((d.lapsed, d.count(Outcome::is_failure))));
    let rows: Vec<device::Row> = order
        .iter()
        .take(ROWS)
        .enumerate()
        .map(|(at, device)| device::row(device, (at < PAGES).then_some(at)))
        .collect();
    Some(Registrations {
        facts: fleet::facts(audit, page),
        unknown: fleet::unknown(audit, &devices),
        heatmap: fleet::heatmap(&devices, &axis),
        attempts: fleet::attempts(audit, &devices, &axis),
        histograms: histograms(&devices),
        left_out: order.len().saturating_sub(rows.len()),
        rows,
        pages: order
            .iter()
            .take(PAGES)
            .enumerate()
            .map(|(at, device)| device::page(device, at, &axis))
            .collect(),
        script: SCRIPT,
    })
}

/// The time axis all charts share.
struct Axis<'a> {
    from: i64,
    until: i64,
    bins: usize,
    gaps: &'a [(i64, i64)],
    time: &'a TimeStyle,
    begin: String,
    end: String,
}

impl<'a> Axis<'a> {
    fn of(audit: &'a Audit, time: &'a TimeStyle) -> Self {
        let (from, until) = (audit.window.from, audit.window.until);
        let length = until.since(from).max(1);
        Self {
            from: from.0,
            until: from.0 + length,
            bins: usize::try_from(length / crate::time::SECOND).unwrap_or(BINS).clamp(1, BINS),
            gaps: &audit.window.gaps,
            time,
            begin: time.date_time(from),
            end: time.date_time(until),
        }
    }

    fn ends(&self) -> (&str, &str) {
        (&self.begin, &self.end)
    }

    /// Where a moment lies, as a share of the axis.
    fn share(&self, time: i64) -> f64 {
        ((time - self.from) as f64 / (self.until - self.from) as f64).clamp(0.0, 1.0)
    }

    fn bin(&self, time: i64) -> usize {
        ((self.share(time) * self.bins as f64) as usize).min(self.bins - 1)
    }

    /// Begin and end of a bin, nanoseconds.
    fn stretch(&self, bin: usize) -> (i64, i64) {
        let length = (self.until - self.from) as f64;
        let edge = |n: usize| self.from + (length * n as f64 / self.bins as f64) as i64;
        (edge(bin), edge(bin + 1))
    }

    fn clock(&self, time: Timestamp) -> String {
        self.time.date_time(time)
    }
}

fn histograms(devices: &[Device]) -> Vec<String> {
    let all = |of: &dyn Fn(&Device) -> Vec<f64>| devices.iter().flat_map(of).collect::<Vec<f64>>();
    let in_seconds = |nanos: &[i64]| nanos.iter().map(|n| seconds(*n)).collect::<Vec<f64>>();
    let beats = |d: &Device| {
        let all = d.keepalives.iter().flat_map(|k| &k.intervals);
        all.flat_map(|(gap, n)| std::iter::repeat_n(seconds(*gap), *n as usize)).collect()
    };
    let ratio = all(&|d| d.series.ratio.clone());
    let attempt = all(&|d| in_seconds(&d.series.attempt));
    let beat = all(&beats);
    let delay = all(&|d| d.series.delay.clone());
    [
        Histogram {
            title: "refresh, as a share of the granted life",
            values: &ratio,
            scale: Scale::Linear(1.5),
            band: Some((0.5, 0.95)),
            unit: "",
        },
        Histogram {
            title: "interval between attempts",
            values: &attempt,
            scale: Scale::Log,
            band: None,
            unit: "s",
        },
        Histogram {
            title: "interval between keepalives",
            values: &beat,
            scale: Scale::Log,
            band: None,
            unit: "s",
        },
        Histogram {
            title: "registration request delay",
            values: &delay,
            scale: Scale::Log,
            band: None,
            unit: "ms",
        },
    ]
    .iter()
    .filter_map(Histogram::draw)
    .collect()
}

/// A name that came from the capture.
fn name(text: &str) -> String {
    visible(text.as_bytes())
}
