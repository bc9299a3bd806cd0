//! Numbers of all registrations so far, counted as they happen.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::attempt::{Kind, Outcome};
use super::super::window::Cause;
use super::change::Moved;
use super::lane::{Decided, State};
use crate::time::{SECOND, Timestamp};

/// Registrars that are counted apart; all others are one.
const REGISTRARS: usize = 64;

/// Upper bounds of the time from a REGISTER to its 2xx, in seconds (RFC 6076 section 4.1).
pub const DELAY_BOUNDS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0];
/// Upper bounds of the share of a binding's time that had passed when it was refreshed.
pub const RATIO_BOUNDS: &[f64] = &[0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 1.0, 1.5];

/// Numbers so far. Counters never go back.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// By registrar, as devices name it; `other` for all beyond the first 64.
    pub registrars: BTreeMap<Arc<str>, Registrar>,
    /// Devices that went silent for as long as makes them offline.
    pub keepalive_timeouts: u64,
    /// Successes from another address than the one before, another port, another connection.
    pub moves: [u64; 3],
    /// A storm goes on.
    pub storm: bool,
    /// What was told of devices and holds until they recover.
    pub alarms: Alarms,
}

/// Of how many devices an alarm was told from which they have not recovered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Alarms {
    /// [`Turn::Lapse`](super::Turn::Lapse), each at each registrar.
    pub lapsed: u64,
    /// [`Turn::Overdue`](super::Turn::Overdue), each at each registrar.
    pub overdue: u64,
    /// [`Turn::Fail`](super::Turn::Fail), each at each registrar.
    pub failing: u64,
    /// [`Turn::Offline`](super::Turn::Offline).
    pub offline: u64,
}

/// Numbers of one registrar.
#[derive(Clone, Debug)]
pub struct Registrar {
    /// Devices now.
    pub devices: BTreeMap<State, u64>,
    /// Attempts that were decided, contact updates left out: of which kind, and what came of them.
    pub attempts: BTreeMap<(Kind, Outcome), u64>,
    /// Seconds from a REGISTER to its 2xx, challenge included.
    pub delay: Buckets,
    /// Share of the time granted that had passed at the refresh.
    pub ratio: Buckets,
    /// Lapses by cause.
    pub lapses: BTreeMap<String, u64>,
    /// Nanoseconds of lapses that are over.
    lapsed: i128,
    /// Begins of those that last, together, nanoseconds since the epoch; and how many they are.
    lasting: (i128, u64),
    /// Challenges that said `stale=true`, and all others.
    pub challenges: [u64; 2],
    /// Keepalives: answered, rejected, unanswered.
    pub keepalives: [u64; 3],
}

/// How often values fell between bounds.
#[derive(Clone, Debug)]
pub struct Buckets {
    /// Upper bounds, each part of what it bounds.
    pub bounds: &'static [f64],
    /// One for each bound, and one for what is beyond the last.
    pub counts: Vec<u64>,
    /// All values together.
    pub sum: f64,
}

impl Buckets {
    fn new(bounds: &'static [f64]) -> Self {
        Self { bounds, counts: vec![0; bounds.len() + 1], sum: 0.0 }
    }

    fn push(&mut self, value: f64) {
        let place = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get_mut(place) {
            *count += 1;
            self.sum += value;
        }
    }
}

impl Default for Registrar {
    fn default() -> Self {
        Self {
            devices: BTreeMap::new(),
            attempts: BTreeMap::new(),
            delay: Buckets::new(DELAY_BOUNDS),
            ratio: Buckets::new(RATIO_BOUNDS),
            lapses: BTreeMap::new(),
            lapsed: 0,
            lasting: (0, 0),
            challenges: [0; 2],
            keepalives: [0; 3],
        }
    }
}

impl Registrar {
    /// Seconds of all lapses until `now`.
    pub fn lapsed_seconds(&self, now: Timestamp) -> f64 {
        let (begins, n) = self.lasting;
        let lasting = i128::from(now.0) * i128::from(n) - begins;
        (self.lapsed + lasting.max(0)) as f64 / SECOND as f64
    }

    /// A device stands otherwise than before, since `at`.
    pub(super) fn stands(&mut self, from: Option<State>, to: Option<State>) {
        if from == to {
            return;
        }
        if let Some(devices) = from.and_then(|from| self.devices.get_mut(&from)) {
            *devices = devices.saturating_sub(1);
        }
        if let Some(to) = to {
            *self.devices.entry(to).or_default() += 1;
        }
    }

    /// A lapse begins at `from`.
    pub(super) fn lapses(&mut self, from: Timestamp, cause: Cause) {
        *self.lapses.entry(cause.word()).or_default() += 1;
        self.lasting = (self.lasting.0 + i128::from(from.0), self.lasting.1 + 1);
    }

    /// One that began at `from` is over.
    pub(super) fn is_back(&mut self, from: Timestamp, now: i64) {
        let (begins, n) = self.lasting;
        self.lasting = (begins - i128::from(from.0), n.saturating_sub(1));
        self.lapsed += i128::from(now.saturating_sub(from.0).max(0));
    }

    fn decide(&mut self, decided: &Decided) {
        let Decided { attempt, outcome, ratio, .. } = decided;
        let [stale, others] = &mut self.challenges;
        let (all, said_stale) = attempt.challenges;
        *stale += u64::from(said_stale);
        *others += u64::from(all.saturating_sub(said_stale));
        if attempt.follow_up {
            return;
        }
        *self.attempts.entry((attempt.kind, *outcome)).or_default() += 1;
        if let Some((end, _)) = attempt.answer.filter(|_| *outcome == Outcome::Ok) {
            self.delay.push(end.since(attempt.start) as f64 / SECOND as f64);
        }
        if let Some(ratio) = ratio {
            self.ratio.push(*ratio);
        }
    }
}

impl Counts {
    /// The numbers of the registrar `name`.
    pub(super) fn of(&mut self, name: &Arc<str>) -> &mut Registrar {
        let is_known = self.registrars.contains_key(name);
        let is_apart = is_known || self.registrars.len() < REGISTRARS;
        let name = if is_apart { Arc::clone(name) } else { "other".into() };
        self.registrars.entry(name).or_default()
    }

    /// The alarms of a device at a registrar are `now`, and were `before`: [lapse, overdue, fail].
    pub(super) fn ring(&mut self, before: [bool; 3], now: [bool; 3]) {
        let Alarms { lapsed, overdue, failing, .. } = &mut self.alarms;
        for ((count, before), now) in [lapsed, overdue, failing].into_iter().zip(before).zip(now) {
            *count = (*count + u64::from(now)).saturating_sub(u64::from(before));
        }
    }

    /// A device is no longer offline, or no longer known; `was` tells whether it was told to be.
    pub(super) fn hush(&mut self, was: bool) {
        self.alarms.offline = self.alarms.offline.saturating_sub(u64::from(was));
    }

    pub(super) fn decide(&mut self, name: &Arc<str>, decided: &Decided) {
        match decided.moved {
            Moved::Not => {}
            Moved::Address(_) => self.moves[0] += 1,
            Moved::Port(_) => self.moves[1] += 1,
            Moved::Connection => self.moves[2] += 1,
        }
        self.of(name).decide(decided);
    }

    /// A keepalive of a device of the registrar `name` was answered with `status`, or not.
    pub(super) fn keepalive(&mut self, name: &Arc<str>, status: Option<u16>) {
        let [answered, rejected, unanswered] = &mut self.of(name).keepalives;
        *match status {
            Some(200..=299) => answered,
            Some(_) => rejected,
            None => unanswered,
        } += 1;
    }
}
