//! The registration pages of the report: the fleet over time, intervals, a timeline per device.
#![allow(clippy::cast_sign_loss)] // Shares of an axis are never negative.

mod chart;
mod data;
mod device;
mod fleet;
mod overview;

use std::io;

use askama::Template;

use self::chart::{Histogram, Scale};
use self::overview::{Faults, Overview};
use crate::frame::FrameId;
use crate::model::audit::Audit;
use crate::rules::{Selection, check_device};
use crate::time::Timestamp;
use crate::view::TimeStyle;
use crate::view::visible::visible;

/// Bins of the time axis, at most.
const BINS: usize = 288;
/// Devices with a page of their own, and those that are listed without the script.
const PAGES: usize = 200;

/// Shows, sorts, searches and filters all devices, and opens groups of the heatmap; without it the
/// worst devices and all groups are there.
pub(super) const SCRIPT: &str = include_str!("../../../../templates/report_registrations.js");

#[derive(Template)]
#[template(path = "report_registrations.html")]
pub(super) struct Registrations {
    facts: Vec<(&'static str, String)>,
    unknown: Vec<String>,
    heatmap: String,
    bins: usize,
    attempts: String,
    histograms: Vec<String>,
    rules: Vec<Choice>,
    rows: Vec<device::Row>,
    left_out: usize,
    data: String,
    pages: Vec<device::DevicePage>,
    script: &'static str,
    /// For the numbers at the top of the page.
    pub(super) faults: Faults,
}

/// A rule by which devices can be chosen.
struct Choice {
    number: usize,
    label: String,
    devices: usize,
}

/// What the part on registrations is made of.
pub(super) struct Part<'a> {
    pub(super) audit: &'a Audit,
    pub(super) selection: &'a Selection,
    pub(super) time: &'a TimeStyle,
    /// Where the message of a frame is drawn, if it is.
    pub(super) href: &'a dyn Fn(FrameId) -> Option<String>,
}

/// The part on registrations; nothing when there is none.
pub(super) fn registrations(part: &Part<'_>) -> io::Result<Option<Registrations>> {
    let audit = part.audit;
    if audit.is_empty() {
        return Ok(None);
    }
    let axis = Axis::of(audit, part.time);
    let overview = Overview::of(part, &axis, PAGES)?;
    let (mut rows, mut pages) = (Vec::new(), Vec::new());
    for (at, place) in overview.order.iter().take(PAGES).enumerate() {
        let Some(device) = audit.device(*place) else { continue };
        let findings = check_device(audit, *place, &device, part.selection);
        rows.push(device::Row::of(&device, Some(at)));
        pages.push(device::page(&device, &findings, at, &axis, part.href));
    }
    let rules = overview.rules.iter().enumerate();
    Ok(Some(Registrations {
        facts: fleet::facts(audit, part.time),
        unknown: fleet::unknown(audit, overview.blind),
        heatmap: fleet::heatmap(&overview, &axis),
        bins: axis.bins,
        attempts: fleet::attempts(audit, &overview, &axis),
        histograms: histograms(&overview),
        rules: rules
            .map(|(number, (label, devices))| Choice {
                number,
                label: label.clone(),
                devices: *devices,
            })
            .collect(),
        left_out: audit.len().saturating_sub(rows.len()),
        rows,
        data: overview.data,
        pages,
        script: SCRIPT,
        faults: overview.faults,
    }))
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

fn histograms(overview: &Overview) -> Vec<String> {
    let ratio = overview.ratio.scaled(1e-3);
    let attempt = overview.intervals.scaled(1e-9);
    let beat = overview.keepalives.scaled(1e-9);
    let delay = overview.delays.scaled(1e-6);
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
