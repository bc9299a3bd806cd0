//! The keepalives of one device while they come.

use std::sync::Arc;

use super::super::keepalive::USUAL;
use super::super::policy::Policy;
use super::super::report::Heartbeat;
use super::super::spread::Spread;
use super::change::{Beating, Turn};
use crate::net::Endpoint;
use crate::time::Timestamp;

/// Keepalives that show a device which was not seen registering to be one.
const ENOUGH: u32 = 3;

/// What is known of the keepalives of a device.
#[derive(Debug)]
pub(super) struct Heart {
    pub(super) policy: Arc<Policy>,
    pub(super) last: Timestamp,
    pub(super) source: Endpoint,
    pub(super) n: u32,
    intervals: Spread,
    /// It is told to be offline.
    pub(super) is_offline: bool,
}

impl Heart {
    pub(super) fn new(policy: Arc<Policy>, first: Timestamp, source: Endpoint) -> Self {
        let intervals = Spread::default();
        Self { policy, last: first, source, n: 1, intervals, is_offline: false }
    }

    /// Octets of private memory it takes, roughly.
    pub(super) fn heap_size(&self) -> usize {
        size_of::<Self>() + 32 + self.intervals.heap_size()
    }

    /// Takes in the next; what was lost before it makes no interval.
    pub(super) fn beat(&mut self, time: Timestamp, source: Endpoint, is_whole: bool) {
        if is_whole {
            self.intervals.push(time.since(self.last));
        }
        self.last = time;
        self.source = source;
        self.n = self.n.saturating_add(1);
    }

    /// True when it proves to be that of a device; `proved` when that is known anyway.
    pub(super) const fn counts(&self, proved: bool) -> bool {
        proved || ENOUGH <= self.n
    }

    /// The interval that is expected, and how many may be missing: what the policy says, else the
    /// device, else what is usual with it; `None` where it sends to several registrars and nobody
    /// says.
    pub(super) fn patience(
        &self,
        told: Option<Heartbeat>,
        registrars: usize,
    ) -> Option<(i64, u32)> {
        let agreed = self.policy.keepalive.or(told.map(|told| told.interval));
        let own = || {
            let stats = self.intervals.stats().filter(|stats| 3 <= stats.n);
            stats.map_or(USUAL, |stats| (stats.p50 * 1e9) as i64)
        };
        let interval = match agreed {
            Some(agreed) => agreed,
            None if 1 < registrars => return None,
            None => own(),
        };
        Some((interval.max(1), self.policy.keepalive_count(told)))
    }

    /// When it is offline, should nothing come.
    pub(super) fn due(&self, (interval, count): (i64, u32)) -> i64 {
        self.last.plus(interval.saturating_mul(i64::from(count))).0.saturating_add(1)
    }

    pub(super) const fn offline(&self, (interval, count): (i64, u32)) -> Turn {
        Turn::Offline { last: self.last, interval, count }
    }

    /// How they go on at `now`.
    pub(super) fn beating(&self, now: i64, patience: Option<(i64, u32)>) -> Beating {
        match patience {
            Some(patience) if self.due(patience) <= now => Beating::Ended(self.last),
            _ => Beating::On,
        }
    }
}
