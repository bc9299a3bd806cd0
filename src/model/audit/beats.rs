//! Keepalives of one device as they come: equal ones in a row are one run.

use super::series::Stretch;
use super::spread::Spread;
use super::step::Beat;
use crate::frame::FrameId;
use crate::net::Endpoint;
use crate::time::Timestamp;

/// Runs that are held; then the last one takes in whatever comes.
const RUNS: usize = 1024;

/// The keepalives of a device.
#[derive(Clone, Debug, Default)]
pub(super) struct Beats {
    pub(super) runs: Vec<Run>,
    /// Start to start.
    pub(super) intervals: Spread,
    /// Intervals between two files: whether they count is known in the end.
    pub(super) seams: Vec<Stretch>,
    pub(super) retransmissions: u32,
    /// Keepalives from another address than the last REGISTER.
    pub(super) drift: u32,
    /// The first that came from elsewhere.
    pub(super) drifted: Option<(Timestamp, Endpoint, FrameId)>,
}

/// Keepalives in a row that went the same way, evenly spaced.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    pub(super) first_frame: FrameId,
    pub(super) last_frame: FrameId,
    pub(super) n: u32,
    /// Of the final response; 0 without one.
    pub(super) status: u16,
    /// A binding was live.
    pub(super) bound: bool,
}

impl Run {
    /// Times of its keepalives: the first and the last as they were, those between as even spacing
    /// has them, less than an eighth of the spacing off.
    pub(super) fn times(&self) -> impl DoubleEndedIterator<Item = Timestamp> + use<> {
        let (first, length, steps) = (self.first, self.last.since(self.first), self.n - 1);
        let part = move |k: u32| i128::from(length) * i128::from(k) / i128::from(steps.max(1));
        (0..self.n).map(move |k| first.plus(part(k) as i64))
    }

    fn takes(&self, beat: &Beat, bound: bool) -> bool {
        let gap = beat.time.since(self.last);
        let step = self.last.since(self.first) / i64::from(self.n - 1).max(1);
        self.status == beat.status.unwrap_or(0)
            && self.bound == bound
            && self.last_frame.file == beat.frame.file
            && 0 <= gap
            && (self.n == 1 || (gap - step).abs() <= step / 16)
    }
}

impl Beats {
    /// Takes in the next keepalive; `home` is where the last REGISTER came from, `bound` whether a
    /// binding is live, `gaps` are known to be missing.
    pub(super) fn push(
        &mut self,
        beat: &Beat,
        home: Option<Endpoint>,
        bound: bool,
        gaps: &[Stretch],
    ) {
        self.retransmissions += beat.copies;
        if home.is_some_and(|home| home != beat.source) {
            self.drift += 1;
            self.drifted.get_or_insert((beat.time, beat.source, beat.frame));
        }
        let full = RUNS <= self.runs.len();
        if let Some(run) = self.runs.last_mut() {
            let interval = (run.last.0, beat.time.0);
            if run.last_frame.file != beat.frame.file {
                self.seams.push(interval);
            } else if !gaps.iter().any(|(from, until)| interval.0 < *until && interval.1 > *from) {
                self.intervals.push(interval.1 - interval.0);
            }
            if full || run.takes(beat, bound) {
                run.last = run.last.max(beat.time);
                run.last_frame = beat.frame;
                run.n = run.n.saturating_add(1);
                return;
            }
        }
        if self.runs.len() == self.runs.capacity() {
            self.runs.reserve_exact(2 + self.runs.len() / 2);
        }
        self.runs.push(Run {
            first: beat.time,
            last: beat.time,
            first_frame: beat.frame,
            last_frame: beat.frame,
            n: 1,
            status: beat.status.unwrap_or(0),
            bound,
        });
    }

    /// Octets of private memory it holds.
    pub(super) fn heap_size(&self) -> usize {
        self.runs.capacity() * size_of::<Run>()
            + self.intervals.heap_size()
            + self.seams.capacity() * size_of::<Stretch>()
    }
}
