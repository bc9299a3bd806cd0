//! Keepalives of one device as they come: equal ones in a row are one run.

use super::series::Stretch;
use super::spread::Spread;
use super::step::Beat;
use crate::frame::{FileId, FrameId};
use crate::net::Endpoint;
use crate::time::Timestamp;

/// Runs that are held before those that differ in spacing only become one.
const RUNS: usize = 1024;
/// Runs that are held at most: keepalives that go now this way, now that.
const MOST: usize = 8 * RUNS;

/// The keepalives of a device.
#[derive(Clone, Debug, Default)]
pub(super) struct Beats {
    pub(super) runs: Vec<Run>,
    /// Start to start.
    pub(super) intervals: Spread,
    pub(super) retransmissions: u32,
    /// Keepalives from another address than the last REGISTER.
    pub(super) drift: u32,
    /// What few devices have.
    pub(super) rare: Option<Box<Rare>>,
}

/// What was seen of the keepalives of few devices.
#[derive(Clone, Debug, Default)]
pub(super) struct Rare {
    /// Intervals between two files: whether they count is known in the end.
    pub(super) seams: Vec<Stretch>,
    /// The first that came from elsewhere.
    pub(super) drifted: Option<(Timestamp, Endpoint, FrameId)>,
}

/// Keepalives in a row that went the same way, evenly spaced.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    /// Numbers of their frames.
    pub(super) frames: (u64, u64),
    /// The file of all of them.
    pub(super) file: FileId,
    pub(super) n: u32,
    /// Of the final response; 0 without one.
    pub(super) status: u16,
    /// A binding was live.
    pub(super) bound: bool,
}

impl Run {
    /// Where the first and the last of them are.
    pub(super) const fn ends(&self) -> (FrameId, FrameId) {
        let file = self.file;
        let (first, last) = self.frames;
        (FrameId::new(file, first), FrameId::new(file, last))
    }

    /// Times of its keepalives: the first and the last as they were, those between as even spacing
    /// has them, less than an eighth of the spacing off.
    pub(super) fn times(&self) -> impl DoubleEndedIterator<Item = Timestamp> + use<> {
        let run = *self;
        (0..self.n).map(move |k| run.time(k))
    }

    fn time(&self, k: u32) -> Timestamp {
        let length = i128::from(self.last.since(self.first));
        self.first.plus((length * i128::from(k) / i128::from(self.steps())) as i64)
    }

    const fn steps(&self) -> u32 {
        if 1 < self.n { self.n - 1 } else { 1 }
    }

    /// The last of its keepalives before `time`.
    pub(super) fn before(&self, time: Timestamp) -> Option<Timestamp> {
        let length = i128::from(self.last.since(self.first).max(1));
        let passed = i128::from(time.since(self.first)) * i128::from(self.steps()) / length;
        let near = u32::try_from(passed.max(0)).unwrap_or(u32::MAX).min(self.n - 1);
        let found = [near, near.saturating_sub(1)].map(|k| self.time(k));
        found.into_iter().find(|at| *at < time)
    }

    fn takes(&self, beat: &Beat, bound: bool) -> bool {
        let gap = beat.time.since(self.last);
        let step = self.last.since(self.first) / i64::from(self.n - 1).max(1);
        self.status == beat.status.unwrap_or(0)
            && self.bound == bound
            && self.file == beat.frame.file()
            && 0 <= gap
            && (self.n == 1 || (gap - step).abs() <= step / 16)
    }
}

impl Beats {
    /// Takes in the next keepalive; `home` is where the last REGISTER came from, `bound` whether a
    /// binding is live, `gaps` are known to be missing. `false` when there is no room for it.
    pub(super) fn push(
        &mut self,
        beat: &Beat,
        home: Option<Endpoint>,
        bound: bool,
        gaps: &[Stretch],
    ) -> bool {
        if self.runs.len() % RUNS == RUNS - 1 {
            self.coarsen();
        }
        if MOST <= self.runs.len() {
            return false;
        }
        self.retransmissions += beat.copies;
        if home.is_some_and(|home| home != beat.source) {
            self.drift += 1;
            let rare = self.rare.get_or_insert_default();
            rare.drifted.get_or_insert((beat.time, beat.source, beat.frame));
        }
        if let Some(run) = self.runs.last_mut() {
            let interval = (run.last.0, beat.time.0);
            if run.file != beat.frame.file() {
                self.rare.get_or_insert_default().seams.push(interval);
            } else if !gaps.iter().any(|(from, until)| interval.0 < *until && interval.1 > *from) {
                self.intervals.push(interval.1 - interval.0);
            }
            if run.takes(beat, bound) {
                run.last = run.last.max(beat.time);
                run.frames.1 = beat.frame.number();
                run.n = run.n.saturating_add(1);
                return true;
            }
        }
        if self.runs.len() == self.runs.capacity() {
            self.runs.reserve_exact(2 + self.runs.len() / 2);
        }
        self.runs.push(Run {
            first: beat.time,
            last: beat.time,
            frames: (beat.frame.number(), beat.frame.number()),
            file: beat.frame.file(),
            n: 1,
            status: beat.status.unwrap_or(0),
            bound,
        });
        true
    }

    /// Forgets all but the latest `keep` runs; how many keepalives were in the others.
    pub(super) fn shed(&mut self, keep: usize) -> u32 {
        let gone = self.runs.len().saturating_sub(keep);
        if let Some(rare) = &mut self.rare {
            rare.seams.clear();
        }
        self.runs.drain(..gone).map(|run| run.n).sum()
    }

    /// Joins runs that went the same way and follow each other without one missing between them:
    /// how many there were and what came of them stays exact, when each of them was does not.
    fn coarsen(&mut self) {
        let Some(usual) = self.intervals.clone().stats().map(|stats| (stats.p50 * 1e9) as i64)
        else {
            return;
        };
        self.runs.dedup_by(|next, run| {
            let gap = next.first.since(run.last);
            let joined = (run.status, run.bound, run.file) == (next.status, next.bound, next.file)
                && (0..=usual + usual / 2).contains(&gap);
            if joined {
                run.last = next.last;
                run.frames.1 = next.frames.1;
                run.n = run.n.saturating_add(next.n);
            }
            joined
        });
    }

    /// Octets of private memory it holds.
    pub(super) fn heap_size(&self) -> usize {
        self.runs.capacity() * size_of::<Run>()
            + self.intervals.heap_size()
            + self
                .rare
                .as_ref()
                .map_or(0, |rare| size_of::<Rare>() + rare.seams.capacity() * size_of::<Stretch>())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::time::SECOND;

    fn beat(time: Timestamp, status: Option<u16>) -> Beat {
        let frame = FrameId::new(FileId(0), 1);
        let nobody = Endpoint { ip: std::net::Ipv4Addr::LOCALHOST.into(), port: 5060 };
        let (source, target) = (nobody, nobody);
        Beat { device: String::new(), time, frame, source, target, copies: 0, status }
    }

    #[test]
    fn keepalives_of_uneven_spacing_keep_what_came_of_each() {
        let mut beats = Beats::default();
        let mut time = Timestamp(0);
        for n in 0..20_000_i64 {
            let status = if (6000..6400).contains(&n) { None } else { Some(200) };
            assert!(beats.push(&beat(time, status), None, true, &[]));
            time = time.plus((50 + n * 7 % 20) * SECOND);
        }
        assert!(beats.runs.len() <= RUNS);
        let lost: u32 = beats.runs.iter().filter(|run| run.status == 0).map(|run| run.n).sum();
        let all: u32 = beats.runs.iter().map(|run| run.n).sum();
        assert_eq!((all, lost), (20_000, 400));
    }

    #[test]
    fn the_last_keepalive_before_a_time_is_found_at_once() {
        for (n, last) in [(1, 0), (2, 7), (5, 1003), (7, 0), (60, 59 * 61)] {
            let run = Run { n, last: Timestamp(last), ..run(200) };
            for time in (1..70).chain([500, 1003, 1004, 3599, 9999]).map(Timestamp) {
                let wanted = run.times().rev().find(|at| *at < time);
                assert_eq!(run.before(time), wanted, "{n} to {last} before {time:?}");
            }
        }
    }

    fn run(status: u16) -> Run {
        let (first, last) = (Timestamp(0), Timestamp(0));
        Run { first, last, frames: (1, 1), file: FileId(0), n: 1, status, bound: true }
    }

    #[test]
    fn keepalives_that_go_now_this_way_now_that_are_held_in_bounds() {
        let mut beats = Beats::default();
        let taken = (0..20_000_i64).filter(|n| {
            let status = if n % 2 == 0 { None } else { Some(200) };
            let time = Timestamp(n * 60 * SECOND);
            beats.push(&beat(time, status), None, true, &[])
        });
        assert_eq!(taken.count(), MOST);
        assert_eq!(beats.runs.len(), MOST);
    }
}
