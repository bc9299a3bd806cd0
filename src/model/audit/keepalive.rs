//! Keepalive MESSAGEs of one device (GB/T 28181 section 9.6): answered, missed, from elsewhere.

use super::beats::{Beats, Run};
use super::policy::Policy;
use super::report::Heartbeat;
use super::series::Stats;
use super::window::Window;
use crate::frame::FrameId;
use crate::net::Endpoint;
use crate::time::{TIMEOUT, Timestamp};

/// The interval the standard proposes, nanoseconds (GB/T 28181 section 9.6.1).
pub(super) const USUAL: i64 = 60 * crate::time::SECOND;

/// The keepalives of a device.
#[derive(Clone, Debug, Default)]
pub struct Keepalives {
    /// Transactions, not packets.
    pub n: usize,
    /// Answered 2xx.
    pub answered: u32,
    /// Refused: by status, how often.
    pub rejected: Vec<(u16, u32)>,
    /// No answer within 32 s.
    pub unanswered: u32,
    /// No answer, and the capture cannot tell.
    pub pending: u32,
    /// Start to start, in seconds.
    pub interval: Option<Stats>,
    /// The interval they are judged by, nanoseconds.
    pub expected: i64,
    /// Retransmissions.
    pub retransmissions: u32,
    /// Slots in which none came, between the first and the last.
    pub missed_slots: u32,
    /// Slots in which none came after the last.
    pub missed_tail: u32,
    /// Most slots missed in a row.
    pub max_consecutive_missed: u32,
    /// Most keepalives in a row without any answer: how the device sees the server.
    pub max_consecutive_unanswered: u32,
    /// When a platform that waits interval × count thinks the device is gone; no end while it is.
    pub platform_offline: Vec<(Timestamp, Option<Timestamp>)>,
    /// Keepalives from another address than the last REGISTER.
    pub address_drift: u32,
    /// The first that came from elsewhere, and its source.
    pub drifted: Option<(Timestamp, Endpoint, FrameId)>,
    /// How often which interval came, nanoseconds; rounded where many differ.
    pub intervals: Vec<(i64, u32)>,
    /// The unit of [`Self::intervals`], nanoseconds; 0 while they are exact.
    pub rounding: i64,
    runs: Vec<Run>,
    until: Timestamp,
    one_sided: bool,
}

/// One keepalive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pulse {
    /// First transmission; within an even row less than an eighth of the spacing off.
    pub time: Timestamp,
    /// Where, for the first and the last of an even row.
    pub frame: Option<FrameId>,
    /// What came of it.
    pub answer: Answer,
}

/// What came of a keepalive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 2xx.
    Accepted,
    /// Refused with this status.
    Rejected(u16),
    /// No final response within 32 s.
    None,
    /// The capture cannot tell.
    Unknown,
}

impl Keepalives {
    /// The keepalives as seen in `window`; `told` is what the device says it is set to.
    pub(super) fn of(
        beats: &Beats,
        policy: &Policy,
        told: Option<Heartbeat>,
        window: &Window,
    ) -> Option<Self> {
        let last = beats.runs.last()?.last;
        let mut intervals = beats.intervals.clone();
        let crosses = |a: i64, b: i64| window.crosses_gap(Timestamp(a), Timestamp(b));
        let rare = beats.rare.as_ref();
        let seams = rare.map(|rare| rare.seams.as_slice()).unwrap_or_default();
        let seams = seams.iter().filter(|(a, b)| !crosses(*a, *b));
        seams.for_each(|(a, b)| intervals.push(b - a));
        let interval = intervals.stats();
        let own = interval.filter(|stats| 3 <= stats.n).map(|s| (s.p50 * 1e9) as i64);
        let mut all = Self {
            interval,
            expected: policy
                .keepalive
                .or(told.map(|told| told.interval))
                .or(own)
                .unwrap_or(USUAL)
                .max(1),
            retransmissions: beats.retransmissions,
            address_drift: beats.drift,
            drifted: rare.and_then(|rare| rare.drifted),
            intervals: intervals.values().collect(),
            rounding: intervals.unit(),
            runs: beats.runs.clone(),
            until: window.until,
            one_sided: window.one_sided,
            ..Self::default()
        };
        all.count();
        // Half a slot is rounded to even, as Python and IEEE 754 do.
        let missed = |gap: i64| {
            let slots = (gap as f64 / all.expected as f64).round_ties_even() as i64;
            u32::try_from(slots - 1).unwrap_or(0)
        };
        let slots = all.intervals.iter().map(|(gap, n)| missed(*gap).saturating_mul(*n));
        all.missed_slots = slots.fold(0, u32::saturating_add);
        all.max_consecutive_missed = all.intervals.last().map_or(0, |(gap, _)| missed(*gap));
        let allowed = all.expected as f64 * (1.0 + policy.tolerance.over);
        let tail = window.until.since(last) as f64 / allowed;
        all.missed_tail = u32::try_from(tail as i64).unwrap_or(0);
        all.offline(policy.keepalive_count(told), window);
        Some(all)
    }

    /// Percentile `p` of the intervals by nearest rank, nanoseconds; 0 without any.
    pub fn percentile(&self, p: u64) -> i64 {
        let n: u64 = self.intervals.iter().map(|(_, n)| u64::from(*n)).sum();
        let wanted = (p * n).div_ceil(100).max(1);
        let mut seen = 0;
        let found = self.intervals.iter().find(|(_, n)| {
            seen += u64::from(*n);
            wanted <= seen
        });
        found.map_or(0, |(interval, _)| *interval)
    }

    /// All of them, in order.
    pub fn pulses(&self) -> impl DoubleEndedIterator<Item = Pulse> + '_ {
        self.runs.iter().flat_map(move |run| {
            run.times().map(move |time| Pulse {
                time,
                frame: match time {
                    time if time == run.first => Some(run.ends().0),
                    time if time == run.last => Some(run.ends().1),
                    _ => None,
                },
                answer: self.answer(run, time),
            })
        })
    }

    /// The last of them, when it came, and where.
    pub fn last(&self) -> Option<(Timestamp, FrameId)> {
        self.runs.last().map(|run| (run.last, run.ends().1))
    }

    /// Those that came while no binding was live.
    pub fn unbound(&self) -> impl Iterator<Item = Pulse> + '_ {
        let runs = self.runs.iter().filter(|run| !run.bound);
        runs.flat_map(move |run| {
            let frames = run.ends();
            run.times().map(move |time| Pulse {
                time,
                frame: Some(if time == run.last { frames.1 } else { frames.0 }),
                answer: self.answer(run, time),
            })
        })
    }

    /// True when the last keepalive in `from..before` has no final response.
    pub(super) fn failed_between(&self, from: Timestamp, before: Timestamp) -> bool {
        let run = self.runs.iter().rev().find(|run| run.first < before);
        run.is_some_and(|run| {
            run.status == 0 && run.before(before).is_some_and(|time| from <= time)
        })
    }

    fn answer(&self, run: &Run, time: Timestamp) -> Answer {
        match run.status {
            200..=299 => Answer::Accepted,
            0 if !self.one_sided && self.until.since(time) >= TIMEOUT => Answer::None,
            0 => Answer::Unknown,
            status => Answer::Rejected(status),
        }
    }

    fn count(&mut self) {
        let mut row = 0;
        for run in std::mem::take(&mut self.runs) {
            self.n += run.n as usize;
            match run.status {
                200..=299 => self.answered += run.n,
                0 => {
                    let silent =
                        run.times().filter(|time| self.answer(&run, *time) == Answer::None);
                    let silent = silent.count() as u32;
                    self.unanswered += silent;
                    self.pending += run.n - silent;
                    row += silent;
                    self.max_consecutive_unanswered = self.max_consecutive_unanswered.max(row);
                }
                status => match self.rejected.iter_mut().find(|(code, _)| *code == status) {
                    Some((_, n)) => *n += run.n,
                    None => self.rejected.push((status, run.n)),
                },
            }
            row = if run.status == 0 { row } else { 0 };
            self.runs.push(run);
        }
    }

    fn offline(&mut self, count: u32, window: &Window) {
        let patience = self.expected.saturating_mul(i64::from(count));
        let mut periods = Vec::new();
        let mut silence = |from: Timestamp, next: Option<Timestamp>| {
            let until = next.unwrap_or(window.until);
            if !window.crosses_gap(from, until) && until.since(from) > patience {
                periods.push((from.plus(patience), next));
            }
        };
        for (at, run) in self.runs.iter().enumerate() {
            // Even rows are looked into where their spacing can be too long.
            let step = run.last.since(run.first) / i64::from(run.n - 1).max(1);
            if patience < step + step / 8 {
                let times: Vec<Timestamp> = run.times().collect();
                times.windows(2).for_each(|two| silence(two[0], Some(two[1])));
            }
            silence(run.last, self.runs.get(at + 1).map(|next| next.first));
        }
        self.platform_offline = periods;
    }
}
