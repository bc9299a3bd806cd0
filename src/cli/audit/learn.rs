//! A policy file from what a healthy input shows.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::model::audit::identity::GbId;
use crate::model::audit::series::Stats;
use crate::model::audit::{Audit, Device, Judged};

/// Writes `[[match]]` blocks with the usual intervals of each kind of device.
pub(super) fn write(audit: &Audit, out: &mut dyn Write) -> io::Result<()> {
    let mut groups: BTreeMap<String, Vec<Habit>> = BTreeMap::new();
    for device in audit.devices() {
        groups.entry(group(&device.device)).or_default().push(Habit::of(&device));
    }
    writeln!(out, "# Learned from {} devices; check it before you rely on it.", audit.len())?;
    for (glob, devices) in &groups {
        let medians = |of: fn(&Habit) -> Option<Stats>| -> Vec<f64> {
            devices.iter().filter_map(of).map(|stats| stats.p50).collect()
        };
        writeln!(out, "\n[[match]]\nname = {}", text(&format!("{} devices", devices.len())))?;
        writeln!(out, "device = {}", text(glob))?;
        match Stats::of(&medians(|habit| habit.refresh)) {
            Some(stats) => {
                writeln!(out, "expect = \"{}s\"", stats.p50.round().max(1.0))?;
                writeln!(out, "tolerance = \"{}%\"", spread(devices, stats.p50))?;
            }
            None => writeln!(out, "# no refresh was seen")?,
        }
        if let Some(stats) = Stats::of(&medians(|habit| habit.keepalive)) {
            writeln!(out, "keepalive = \"{}s\"", stats.p50.round().max(1.0))?;
        }
    }
    Ok(())
}

/// What is usual for one device.
struct Habit {
    refresh: Option<Stats>,
    keepalive: Option<Stats>,
}

impl Habit {
    fn of(device: &Device) -> Self {
        let refresh = device.judged().filter(|(judged, _)| *judged == Judged::Refresh);
        Self {
            refresh: refresh.map(|(_, stats)| stats),
            keepalive: device.keepalives.as_ref().and_then(|all| all.interval),
        }
    }
}

/// Center, industry and type of an identifier; the domain of an address.
fn group(device: &str) -> String {
    if GbId::of(device).is_some() {
        return format!("{}*", device.get(..13).unwrap_or(device));
    }
    match device.split_once('@') {
        Some((_, domain)) => format!("*@{domain}"),
        None => device.to_owned(),
    }
}

/// What holds every interval seen, in whole percent, at least 5.
fn spread(devices: &[Habit], usual: f64) -> i64 {
    let stats = devices.iter().filter_map(|habit| habit.refresh);
    let most = stats.flat_map(|s| [s.max - usual, usual - s.min]).fold(0.0, f64::max);
    let percent = (100.0 * most / usual.max(1.0)).ceil();
    // Within the range of a percentage nothing is lost.
    percent.clamp(4.0, 10_000.0) as i64 + 1
}

/// A TOML string; its escapes are those of JSON.
fn text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
