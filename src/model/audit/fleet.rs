//! All devices together: storms, herds, losses of many at once (RFC 6076 section 4).

use super::attempt::{Kind, Outcome, Record};
use super::device::Device;
use super::series::{Stats, seconds};
use super::window::Window;
use crate::time::{SECOND, Timestamp};

/// Devices that must begin together, at least, to be a storm.
const STORM_DEVICES: usize = 20;
/// Within this time, nanoseconds.
const STORM_WIDTH: i64 = 10 * SECOND;
/// A storm is over after so long with little going on, nanoseconds.
const STORM_CALM: i64 = 30 * SECOND;
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

/// Many devices begin an attempt at once.
#[derive(Clone, Debug, PartialEq)]
pub struct Storm {
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

    /// The numbers of `devices`.
    pub(super) fn of(devices: &[Device], window: &Window) -> Self {
        let sum = |f: &dyn Fn(&Device) -> usize| devices.iter().map(f).sum::<usize>();
        let delays = devices.iter().flat_map(Device::attempts).filter_map(Record::delay_ms);
        let lapses = devices.iter().flat_map(|d| &d.lapses);
        let mut starts: Vec<(i64, usize)> = Vec::new();
        for (at, device) in devices.iter().enumerate() {
            starts.extend(device.attempts().map(|r| (r.start.0, at)));
        }
        starts.sort_unstable();
        let per_second = per_second(starts.iter().map(|(time, _)| *time));
        let length = usize::try_from(window.length() / SECOND).unwrap_or(0) + 1;
        let storms = storms(devices, &starts, baseline(&per_second, length));
        Self {
            attempts: starts.len(),
            ok: sum(&|d| d.count(|o| o == Outcome::Ok)),
            failed: sum(&|d| d.count(Outcome::is_failure)),
            finished: sum(&|d| d.count(Outcome::is_finished)),
            live: devices.iter().map(|d| d.live).sum(),
            lapsed: devices.iter().map(|d| d.lapsed).sum(),
            lapses: sum(&|d| d.lapses.len()),
            worst_lapse: lapses.clone().map(|l| l.length).max(),
            delay_ms: Stats::of(&delays.collect::<Vec<_>>()),
            keepalive_timeouts: sum(&|d| {
                d.keepalives.as_ref().map_or(0, |k| k.platform_offline.len())
            }),
            baseline: baseline(&per_second, length),
            peak: per_second.iter().map(|(_, n)| *n).max().unwrap_or(0),
            herd: herd(devices),
            losses: losses(devices, &storms),
            storms,
        }
    }
}

/// Attempts in each second that has any.
fn per_second(times: impl Iterator<Item = i64>) -> Vec<(i64, usize)> {
    let mut counts: Vec<(i64, usize)> = Vec::new();
    for time in times {
        let second = time.div_euclid(SECOND);
        match counts.last_mut() {
            Some((last, n)) if *last == second => *n += 1,
            _ => counts.push((second, 1)),
        }
    }
    counts
}

/// Median over all seconds, those without any attempt among them.
fn baseline(per_second: &[(i64, usize)], length: usize) -> usize {
    let mut counts: Vec<usize> = per_second.iter().map(|(_, n)| *n).collect();
    counts.sort_unstable();
    let silent = length.saturating_sub(counts.len());
    (length / 2).checked_sub(silent).and_then(|at| counts.get(at)).copied().unwrap_or(0)
}

/// What begins in a storm: devices that lost their binding or were refused, not refreshes.
fn is_stormy(record: &Record) -> bool {
    use super::attempt::Trigger;
    let retry = matches!(record.trigger, Trigger::Retry | Trigger::RetryPerhaps);
    record.kind == Kind::Initial || retry
}

fn storms(devices: &[Device], starts: &[(i64, usize)], baseline: usize) -> Vec<Storm> {
    let least = STORM_DEVICES.max(devices.len().div_ceil(20));
    if devices.len() < least {
        return Vec::new();
    }
    let mut stormy: Vec<(i64, usize)> = Vec::new();
    for (at, device) in devices.iter().enumerate() {
        let begins = device.attempts().filter(|r| is_stormy(r));
        stormy.extend(begins.map(|r| (r.start.0, at)));
    }
    stormy.sort_unstable();
    let mut storms = Vec::new();
    let (mut low, mut inside) = (0, rustc_hash::FxHashMap::<usize, usize>::default());
    let mut over = i64::MIN;
    for high in 0..stormy.len() {
        let (time, device) = stormy[high];
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
            let end = calm(starts, from, baseline);
            over = end;
            storms.push(storm(devices, from, end));
        }
    }
    storms
}

/// When the storm that began at `from` is over: 30 s below twice the baseline.
fn calm(starts: &[(i64, usize)], from: i64, baseline: usize) -> i64 {
    let first = starts.partition_point(|(time, _)| *time < from);
    let busy = per_second(starts[first..].iter().map(|(time, _)| *time));
    let mut last = from;
    for (second, n) in busy {
        if STORM_CALM < second * SECOND - last {
            break;
        }
        if 2 * baseline < n || baseline == 0 {
            last = (second + 1) * SECOND - 1;
        }
    }
    last
}

fn storm(devices: &[Device], from: i64, end: i64) -> Storm {
    let mut storm = Storm {
        from: Timestamp(from),
        until: Timestamp(from),
        devices: 0,
        attempts: 0,
        peak: 0,
        refused: Vec::new(),
        recovered: None,
        worst_lapse: None,
        ends_before: 0,
        ended_at: None,
    };
    let mut times = Vec::new();
    for device in devices {
        let mut part = device.attempts().filter(|r| (from..=end).contains(&r.start.0)).peekable();
        let Some(first) = part.peek() else { continue };
        storm.devices += 1;
        storm.until = storm.until.max(first.start);
        for record in part {
            storm.attempts += 1;
            times.push(record.start.0);
            match record.outcome {
                Outcome::Rejected(status) => {
                    match storm.refused.iter_mut().find(|(code, _)| *code == status) {
                        Some((_, n)) => *n += 1,
                        None => storm.refused.push((status, 1)),
                    }
                }
                Outcome::Ok => storm.recovered = storm.recovered.max(record.end),
                _ => {}
            }
        }
        let touches = |l: &&super::Lapse| {
            from - BEFORE <= l.from.0 && l.from.0 <= end && l.until.is_none_or(|u| from <= u.0)
        };
        let lapse = device.lapses.iter().filter(touches).map(|l| l.length).max();
        storm.worst_lapse = storm.worst_lapse.max(lapse);
        let before =
            |e: &&crate::model::vantage::ConnectionEnd| (from - BEFORE..=from).contains(&e.time.0);
        for end in device.connection_ends.iter().filter(before) {
            storm.ends_before += 1;
            storm.ended_at = storm.ended_at.max(Some(end.time));
        }
    }
    times.sort_unstable();
    // The most attempts within one second that begins with an attempt.
    let mut low = 0;
    for (high, time) in times.iter().enumerate() {
        while SECOND <= time - times[low] {
            low += 1;
        }
        storm.peak = storm.peak.max(high + 1 - low);
    }
    storm
}

/// The length of the mean of the phases of all refreshes, by the expiry each was granted: near 1
/// when all come in step. `None` for fewer than 20 devices with a refresh.
fn herd(devices: &[Device]) -> Option<f64> {
    let (mut x, mut y, mut n, mut some) = (0.0, 0.0, 0_u32, 0);
    for device in devices {
        let refreshes = device.attempts().filter(|r| r.kind == Kind::Refresh);
        let mut any = false;
        for record in refreshes {
            let Some(period) = device.refresh_interval.map(|s| s.p50).filter(|p| *p >= 1.0) else {
                continue;
            };
            let phase = seconds(record.start.0).rem_euclid(period) / period;
            let angle = std::f64::consts::TAU * phase;
            x += angle.cos();
            y += angle.sin();
            n += 1;
            any = true;
        }
        some += usize::from(any);
    }
    (STORM_DEVICES <= some).then(|| x.hypot(y) / f64::from(n))
}

fn losses(devices: &[Device], storms: &[Storm]) -> Vec<MassLoss> {
    let least = STORM_DEVICES.max(devices.len().div_ceil(20));
    let mut ends: Vec<i64> = Vec::new();
    for device in devices {
        ends.extend(device.lapses.iter().map(|lapse| lapse.from.0));
        let offline = device.keepalives.iter().flat_map(|k| &k.platform_offline);
        ends.extend(offline.map(|(from, _)| from.0).filter(|_| device.lapses.is_empty()));
    }
    ends.sort_unstable();
    let width = devices.iter().map(Device::expected_keepalive).min().unwrap_or(0);
    let mut losses: Vec<MassLoss> = Vec::new();
    let mut low = 0;
    for high in 0..ends.len() {
        while width < ends[high] - ends[low] {
            low += 1;
        }
        let (from, until, devices) = (Timestamp(ends[low]), Timestamp(ends[high]), high + 1 - low);
        let told = |s: &Storm| s.from.0 - BEFORE <= from.0 && from <= s.until.plus(STORM_CALM);
        if devices < least || storms.iter().any(told) {
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
