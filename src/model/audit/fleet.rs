//! All devices together: storms, herds, losses of many at once (RFC 6076 section 4).

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::Audit;
use super::attempt::{Kind, Outcome};
use super::device::Device;
use super::record::{Record, Trigger};
use super::series::{Stats, seconds};
use super::spread::Spread;
use super::window::Lapse;
use crate::time::{SECOND, Timestamp};

/// Devices that must begin together, at least, to be a storm.
pub(super) const STORM_DEVICES: usize = 20;
/// Within this time, nanoseconds.
pub(super) const STORM_WIDTH: i64 = 10 * SECOND;
/// A storm is over after so long with little going on, nanoseconds.
pub(super) const STORM_CALM: i64 = 30 * SECOND;
/// What ended this long before a storm may have set it off, nanoseconds.
const BEFORE: i64 = 60 * SECOND;

/// Numbers of all devices.
#[derive(Clone, Debug, Default)]
pub struct Fleet {
    /// Attempts that register.
    pub attempts: usize,
    /// Of them: 2xx.
    pub ok: usize,
    /// Of them: failed.
    pub failed: usize,
    /// Of them: finished in any way.
    pub finished: usize,
    /// Time with a binding, of all devices, nanoseconds.
    pub live: i64,
    /// Known time without, nanoseconds.
    pub lapsed: i64,
    /// Lapses.
    pub lapses: usize,
    /// The longest lapse, nanoseconds.
    pub worst_lapse: Option<i64>,
    /// First transmission to final response of successes, milliseconds.
    pub delay_ms: Option<Stats>,
    /// Stretches of silence after which a platform gives a device up.
    pub keepalive_timeouts: usize,
    /// Median attempts per second over the window.
    pub baseline: usize,
    /// Most attempts in one second.
    pub peak: usize,
    /// Storms, in order.
    pub storms: Vec<Storm>,
    /// How much refreshes come in step, 0 to 1.
    pub herd: Option<f64>,
    /// Times at which many devices were lost together, without a storm that tells of it.
    pub losses: Vec<MassLoss>,
}

/// Many devices begin an attempt at once: what that comes to while it goes on, and when it is over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surge {
    /// First attempt.
    pub from: Timestamp,
    /// First attempt of the last device.
    pub until: Timestamp,
    /// Devices that took part.
    pub devices: usize,
    /// Attempts, retries among them.
    pub attempts: usize,
    /// Most attempts in one second.
    pub peak: usize,
    /// Refusals by status.
    pub refused: Vec<(u16, usize)>,
}

/// A storm, and what came of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Storm {
    /// Who began, and how often.
    pub surge: Surge,
    /// When the last device was registered again.
    pub recovered: Option<Timestamp>,
    /// The longest lapse in it, nanoseconds.
    pub worst_lapse: Option<i64>,
    /// Connections that were reset or closed up to a minute before.
    pub ends_before: usize,
    /// When the last of those ended.
    pub ended_at: Option<Timestamp>,
}

/// Many bindings end within one keepalive period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MassLoss {
    /// The first loss.
    pub from: Timestamp,
    /// The last.
    pub until: Timestamp,
    /// Devices lost.
    pub devices: usize,
}

impl Fleet {
    /// Share of the known time with a binding.
    pub fn coverage(&self) -> Option<f64> {
        let known = self.live + self.lapsed;
        (0 < known).then(|| self.live as f64 / known as f64)
    }

    /// Ineffective attempts of 100 finished ones (RFC 6076 section 4.2).
    pub fn ineffective_percent(&self) -> Option<f64> {
        (0 < self.finished).then(|| 100.0 * self.failed as f64 / self.finished as f64)
    }

    /// The numbers of all devices of `audit`.
    pub(super) fn of(audit: &Audit) -> Self {
        let mut sums = Sums::default();
        for (at, device) in audit.devices().enumerate() {
            sums.add(at, &device);
            // Keepalives are those of the device, at whatever registrar.
            if audit.elsewhere(at).all(|other| at < other) {
                sums.keepalives(&device);
            }
        }
        let Sums { mut fleet, per_second, mut stormy, delays, herd, mut ends, width, .. } = sums;
        stormy.sort_unstable();
        ends.sort_unstable();
        let length = usize::try_from(audit.window.length() / SECOND).unwrap_or(0) + 1;
        fleet.baseline = baseline(&per_second, length);
        fleet.peak = per_second.values().max().map_or(0, |n| *n as usize);
        fleet.delay_ms = delays.stats().map(Stats::in_milliseconds);
        fleet.herd = herd.index();
        fleet.storms = storms(audit, &stormy, &per_second, fleet.baseline);
        fleet.losses = losses(audit.len(), &ends, width.unwrap_or(0), &fleet.storms);
        fleet
    }
}

/// Attempts in each second that has any; a tree, for a day of a large fleet fills most of them.
type PerSecond = BTreeMap<i64, u32>;

/// What is added up device by device.
#[derive(Default)]
struct Sums {
    fleet: Fleet,
    per_second: PerSecond,
    /// Starts of attempts that begin in a storm, with their devices.
    stormy: Vec<(i64, u32)>,
    /// Request delays, nanoseconds.
    delays: Spread<2048>,
    herd: Herd,
    /// When devices were lost.
    ends: Vec<i64>,
    /// The shortest time expected between keepalives, nanoseconds.
    width: Option<i64>,
}

impl Sums {
    fn add(&mut self, at: usize, device: &Device) {
        let fleet = &mut self.fleet;
        for record in device.attempts() {
            fleet.attempts += 1;
            fleet.ok += usize::from(record.outcome == Outcome::Ok);
            fleet.failed += usize::from(record.outcome.is_failure());
            fleet.finished += usize::from(record.outcome.is_finished());
            *self.per_second.entry(record.start.0.div_euclid(SECOND)).or_default() += 1;
            if is_stormy(record) {
                self.stormy.push((record.start.0, at as u32));
            }
            if let Some(end) = record.end.filter(|_| record.outcome == Outcome::Ok) {
                self.delays.push(end.since(record.start));
            }
        }
        fleet.live += device.live;
        fleet.lapsed += device.lapsed;
        fleet.lapses += device.lapses.len();
        let worst = device.lapses.iter().map(|lapse| lapse.length).max();
        fleet.worst_lapse = fleet.worst_lapse.max(worst);
        self.ends.extend(device.lapses.iter().map(|lapse| lapse.from.0));
        self.herd.add(device);
    }

    fn keepalives(&mut self, device: &Device) {
        let width = device.expected_keepalive();
        self.width = Some(self.width.map_or(width, |known| known.min(width)));
        // Several series at once tell the spacing of none.
        if 1 < device.registrars && device.agreed_keepalive().is_none() {
            return;
        }
        let offline = device.keepalives.iter().flat_map(|k| &k.platform_offline);
        self.fleet.keepalive_timeouts += offline.clone().count();
        self.ends.extend(offline.map(|(from, _)| from.0).filter(|_| device.lapses.is_empty()));
    }
}

/// Median over all seconds, those without any attempt among them.
fn baseline(per_second: &PerSecond, length: usize) -> usize {
    let mut counts: Vec<u32> = per_second.values().copied().collect();
    counts.sort_unstable();
    let silent = length.saturating_sub(counts.len());
    (length / 2).checked_sub(silent).and_then(|at| counts.get(at)).map_or(0, |n| *n as usize)
}

/// What begins in a storm: devices that lost their binding or were refused, not refreshes.
fn is_stormy(record: &Record) -> bool {
    let retry = matches!(record.trigger, Trigger::Retry | Trigger::RetryPerhaps);
    record.kind == Kind::Initial || retry
}

/// Storms among the attempts `stormy`; their numbers are those of all attempts while they last.
fn storms(
    audit: &Audit,
    stormy: &[(i64, u32)],
    per_second: &PerSecond,
    baseline: usize,
) -> Vec<Storm> {
    let least = STORM_DEVICES.max(audit.len().div_ceil(20));
    if audit.len() < least {
        return Vec::new();
    }
    let mut storms: Vec<Gathering> = Vec::new();
    let (mut low, mut inside) = (0, FxHashMap::<u32, usize>::default());
    let mut over = i64::MIN;
    for (time, device) in stormy.iter().copied() {
        *inside.entry(device).or_default() += 1;
        while STORM_WIDTH < time - stormy[low].0 {
            if let Some(n) = inside.get_mut(&stormy[low].1) {
                *n -= 1;
                if *n == 0 {
                    inside.remove(&stormy[low].1);
                }
            }
            low += 1;
        }
        if least <= inside.len() && over < time {
            let from = stormy[low].0;
            let end = calm(per_second, from, baseline).max(time);
            // What goes on right after it is no other one.
            over = end + STORM_CALM;
            storms.push(Gathering::new(from, end));
        }
    }
    if !storms.is_empty() {
        for device in audit.devices() {
            take_part(&mut storms, &device);
        }
    }
    storms.into_iter().map(Gathering::storm).collect()
}

/// When the storm that began at `from` is over: 30 s below twice the baseline.
fn calm(per_second: &PerSecond, from: i64, baseline: usize) -> i64 {
    let mut last = from;
    for (second, n) in per_second.range(from.div_euclid(SECOND)..) {
        if STORM_CALM < second * SECOND - last {
            break;
        }
        if 2 * baseline < *n as usize || baseline == 0 {
            last = (second + 1) * SECOND - 1;
        }
    }
    last
}

/// Adds `device` to those of `storms`, which follow one another, that it had a part in.
fn take_part(storms: &mut [Gathering], device: &Device) {
    let mut parts: BTreeMap<usize, Vec<&Record>> = BTreeMap::new();
    for record in device.attempts() {
        let at = storms.partition_point(|storm| storm.end < record.start.0);
        if storms.get(at).is_some_and(|storm| storm.storm.surge.from <= record.start) {
            parts.entry(at).or_default().push(record);
        }
    }
    let mut ends: Vec<Timestamp> = device.connection_ends.iter().map(|end| end.time).collect();
    ends.sort_unstable();
    for (at, records) in parts {
        if let Some(storm) = storms.get_mut(at) {
            storm.add(&records);
            storm.lapses(&device.lapses);
            storm.ends(&ends);
        }
    }
}

/// A storm while its devices are counted.
struct Gathering {
    storm: Storm,
    /// When it is over.
    end: i64,
    times: Vec<i64>,
}

impl Gathering {
    fn new(from: i64, end: i64) -> Self {
        let (from, until) = (Timestamp(from), Timestamp(from));
        let surge = Surge { from, until, ..Surge::default() };
        let storm = Storm { surge, ..Storm::default() };
        Self { storm, end, times: Vec::new() }
    }

    /// The attempts in it of one device.
    fn add(&mut self, records: &[&Record]) {
        let Self { storm, times, .. } = self;
        storm.surge.devices += 1;
        if let Some(first) = records.first() {
            storm.surge.until = storm.surge.until.max(first.start);
        }
        for record in records {
            storm.surge.attempts += 1;
            times.push(record.start.0);
            match record.outcome {
                Outcome::Rejected(status) => {
                    match storm.surge.refused.iter_mut().find(|(code, _)| *code == status) {
                        Some((_, n)) => *n += 1,
                        None => storm.surge.refused.push((status, 1)),
                    }
                }
                Outcome::Ok => storm.recovered = storm.recovered.max(record.end),
                _ => {}
            }
        }
    }

    /// The lapses of one device, sorted.
    fn lapses(&mut self, all: &[Lapse]) {
        let from = self.storm.surge.from;
        let first = all.partition_point(|lapse| lapse.from.0 < from.0 - BEFORE);
        let near = all.iter().skip(first).take_while(|lapse| lapse.from.0 <= self.end);
        let touching = near.filter(|lapse| lapse.until.is_none_or(|until| from <= until));
        let worst = touching.map(|lapse| lapse.length).max();
        self.storm.worst_lapse = self.storm.worst_lapse.max(worst);
    }

    /// The ends of the connections of one device, sorted.
    fn ends(&mut self, all: &[Timestamp]) {
        let from = self.storm.surge.from;
        let first = all.partition_point(|end| end.0 < from.0 - BEFORE);
        for end in all.iter().skip(first).take_while(|end| **end <= from) {
            self.storm.ends_before += 1;
            self.storm.ended_at = self.storm.ended_at.max(Some(*end));
        }
    }

    fn storm(self) -> Storm {
        let Self { mut storm, mut times, .. } = self;
        times.sort_unstable();
        // The most attempts within one second that begins with an attempt.
        let mut low = 0;
        for (high, time) in times.iter().enumerate() {
            while SECOND <= time - times[low] {
                low += 1;
            }
            storm.surge.peak = storm.surge.peak.max(high + 1 - low);
        }
        storm
    }
}

/// The phases of all refreshes, each by the usual interval of its device.
#[derive(Default)]
struct Herd {
    x: f64,
    y: f64,
    refreshes: u32,
    devices: usize,
}

impl Herd {
    fn add(&mut self, device: &Device) {
        let Some(period) = device.refresh_interval.map(|s| s.p50).filter(|p| *p >= 1.0) else {
            return;
        };
        let before = self.refreshes;
        for record in device.attempts().filter(|r| r.kind == Kind::Refresh) {
            let phase = seconds(record.start.0).rem_euclid(period) / period;
            let angle = std::f64::consts::TAU * phase;
            self.x += angle.cos();
            self.y += angle.sin();
            self.refreshes += 1;
        }
        self.devices += usize::from(before < self.refreshes);
    }

    /// The length of the mean: near 1 when all come in step. `None` for fewer than 20 devices with
    /// a refresh.
    fn index(&self) -> Option<f64> {
        let enough = STORM_DEVICES <= self.devices;
        enough.then(|| self.x.hypot(self.y) / f64::from(self.refreshes))
    }
}

/// Times at which many of `all` devices were lost together, of the losses `ends`, within `width`.
fn losses(all: usize, ends: &[i64], width: i64, storms: &[Storm]) -> Vec<MassLoss> {
    let least = STORM_DEVICES.max(all.div_ceil(20));
    let mut losses: Vec<MassLoss> = Vec::new();
    let mut low = 0;
    for high in 0..ends.len() {
        while width < ends[high] - ends[low] {
            low += 1;
        }
        let (from, until, devices) = (Timestamp(ends[low]), Timestamp(ends[high]), high + 1 - low);
        if devices < least {
            continue;
        }
        let storm = storms.partition_point(|storm| storm.surge.from.0 - BEFORE <= from.0);
        let storm = storm.checked_sub(1).and_then(|at| storms.get(at));
        if storm.is_some_and(|storm| from <= storm.surge.until.plus(STORM_CALM)) {
            continue;
        }
        match losses.last_mut() {
            Some(last) if from <= last.until => {
                last.until = until;
                last.devices = last.devices.max(devices);
            }
            _ => losses.push(MassLoss { from, until, devices }),
        }
    }
    losses
}
