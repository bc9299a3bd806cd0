//! Storms while they go on: many devices that begin to register at once, as [`Fleet`] has them.
//!
//! [`Fleet`]: super::super::Fleet

use std::collections::{BTreeMap, VecDeque};

use rustc_hash::{FxHashMap, FxHashSet};

use super::super::fleet::{STORM_CALM, STORM_DEVICES, STORM_WIDTH, Surge};
use crate::time::{SECOND, Timestamp};

/// Beginnings of one storm that are looked back at, for each device that is told apart.
const RECENT: usize = 2;

/// Attempts of all devices as they begin.
#[derive(Debug, Default)]
pub(super) struct Storms {
    /// Beginnings that are looked back at, at most.
    most: usize,
    /// Those of the last seconds that lost their binding or were refused, each with its device.
    stormy: VecDeque<(i64, u32)>,
    inside: FxHashMap<u32, u32>,
    /// The attempts of the last seconds, to be counted should it be a storm.
    recent: VecDeque<(i64, u32)>,
    /// Those of them that were refused, with the status.
    refused: VecDeque<(i64, u16)>,
    going: Option<Going>,
    /// Until then nothing is another storm.
    over: i64,
    seconds: Seconds,
}

/// A storm that goes on.
#[derive(Debug)]
struct Going {
    surge: Surge,
    devices: FxHashSet<u32>,
    refused: BTreeMap<u16, usize>,
    /// Attempts of the last second.
    second: VecDeque<i64>,
    /// The end of the last busy second.
    busy: i64,
    /// Attempts after it: a part of the storm only when it goes on.
    later: Vec<(i64, u32)>,
}

/// How many attempts began in each second so far, as a histogram: for their median.
#[derive(Debug, Default)]
struct Seconds {
    first: Option<i64>,
    now: i64,
    count: u32,
    /// Of seconds that are over and had any: how many had so many.
    histogram: BTreeMap<u32, u64>,
}

impl Seconds {
    fn pass(&mut self, second: i64) {
        self.first.get_or_insert(second);
        if self.now < second {
            if 0 < self.count {
                *self.histogram.entry(self.count).or_default() += 1;
            }
            (self.now, self.count) = (second, 0);
        }
    }

    /// The median of all seconds so far.
    fn median(&self) -> u32 {
        let length = self.first.map_or(0, |first| self.now.saturating_sub(first)).unsigned_abs();
        let busy: u64 = self.histogram.values().sum();
        let mut seen = length.saturating_sub(busy);
        for (count, seconds) in &self.histogram {
            if length / 2 < seen {
                return 0;
            }
            seen += seconds;
            if length / 2 < seen {
                return *count;
            }
        }
        0
    }
}

impl Storms {
    /// Nothing began so far; `devices` are told apart.
    pub(super) fn new(devices: usize) -> Self {
        Self { most: devices.saturating_mul(RECENT), ..Self::default() }
    }

    /// Octets of private memory it holds, roughly.
    pub(super) fn heap_size(&self) -> usize {
        let going = self.going.as_ref().map_or(0, |going| {
            going.devices.capacity() * 8
                + (going.second.capacity() + 2 * going.later.capacity()) * 8
        });
        let lists = self.stormy.capacity() + self.recent.capacity() + self.refused.capacity();
        16 * lists + 16 * self.inside.capacity() + going
    }

    /// Device number `device` of `known` begins an attempt at `time`; one that lost its binding or
    /// was refused before is `stormy`. What is told when that makes it a storm.
    pub(super) fn begin(
        &mut self,
        time: i64,
        device: u32,
        stormy: bool,
        known: usize,
    ) -> Option<Surge> {
        let second = time.div_euclid(SECOND);
        self.seconds.pass(second);
        self.seconds.count = self.seconds.count.saturating_add(1);
        if self.going.is_some() {
            self.take(time, device);
        }
        self.remember(time, device, stormy);
        let least = STORM_DEVICES.max(known.div_ceil(20));
        let begins = self.going.is_none() && least <= self.inside.len() && self.over < time;
        if !begins {
            return None;
        }
        let from = self.stormy.front().map_or(time, |(at, _)| *at);
        let mut going = Going::new(from);
        for (at, device) in self.recent.iter().filter(|(at, _)| from <= *at) {
            going.add(*at, *device);
        }
        for (_, status) in self.refused.iter().filter(|(at, _)| from <= *at) {
            *going.refused.entry(*status).or_default() += 1;
        }
        going.busy = (second + 1) * SECOND - 1;
        let told = going.told();
        self.going = Some(going);
        Some(told)
    }

    /// An attempt that began at `start` was refused.
    pub(super) fn refuse(&mut self, start: i64, status: u16) {
        if let Some(going) = self.going.as_mut().filter(|going| going.surge.from.0 <= start) {
            *going.refused.entry(status).or_default() += 1;
        }
        self.refused.push_back((start, status));
        let first = self.recent.front().map_or(start, |(at, _)| *at);
        while self.refused.front().is_some_and(|(at, _)| *at < first)
            || self.most < self.refused.len()
        {
            self.refused.pop_front();
        }
    }

    /// When the storm is over, should nothing more come.
    pub(super) fn due(&self) -> Option<i64> {
        self.going.as_ref().map(|going| going.busy + STORM_CALM + 1)
    }

    /// What is told when it is over at `now`.
    pub(super) fn end(&mut self, now: i64) -> Option<Surge> {
        self.due().filter(|due| *due <= now)?;
        let going = self.going.take()?;
        self.over = going.busy + STORM_CALM;
        Some(going.told())
    }

    fn take(&mut self, time: i64, device: u32) {
        let twice = 2 * self.seconds.median();
        let Some(going) = &mut self.going else { return };
        // A second is busy as soon as it has more than twice the usual.
        if twice == 0 || twice < self.seconds.count {
            for (at, device) in std::mem::take(&mut going.later) {
                going.add(at, device);
            }
            going.add(time, device);
            going.busy = (time.div_euclid(SECOND) + 1) * SECOND - 1;
        } else if time <= going.busy {
            going.add(time, device);
        } else if going.later.len() < self.most {
            going.later.push((time, device));
        }
    }

    fn remember(&mut self, time: i64, device: u32, stormy: bool) {
        self.recent.push_back((time, device));
        while self.recent.front().is_some_and(|(at, _)| STORM_WIDTH < time - at)
            || self.most < self.recent.len()
        {
            self.recent.pop_front();
        }
        if stormy {
            self.stormy.push_back((time, device));
            *self.inside.entry(device).or_default() += 1;
        }
        while let Some((at, device)) = self.stormy.front().copied()
            && (STORM_WIDTH < time - at || self.most < self.stormy.len())
        {
            self.stormy.pop_front();
            if let Some(n) = self.inside.get_mut(&device) {
                *n -= 1;
                if *n == 0 {
                    self.inside.remove(&device);
                }
            }
        }
    }
}

impl Going {
    fn new(from: i64) -> Self {
        let (from, until) = (Timestamp(from), Timestamp(from));
        Self {
            surge: Surge { from, until, ..Surge::default() },
            devices: FxHashSet::default(),
            refused: BTreeMap::new(),
            second: VecDeque::new(),
            busy: from.0,
            later: Vec::new(),
        }
    }

    fn add(&mut self, time: i64, device: u32) {
        let Self { surge, devices, second, .. } = self;
        surge.attempts += 1;
        if devices.insert(device) {
            surge.until = surge.until.max(Timestamp(time));
        }
        second.push_back(time);
        while second.front().is_some_and(|first| SECOND <= time - first) {
            second.pop_front();
        }
        surge.peak = surge.peak.max(second.len());
    }

    fn told(&self) -> Surge {
        let refused = self.refused.iter().map(|(status, n)| (*status, *n)).collect();
        Surge { devices: self.devices.len(), refused, ..self.surge.clone() }
    }
}
