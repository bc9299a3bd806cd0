//! OPTIONS by which a device and its registrar make sure of each other: kept by their two ends,
//! since those of a registrar often do not name the device.

use std::collections::{BTreeSet, HashMap};

use super::beats::Beats;
use super::keepalive::Keepalives;
use super::policy::Policy;
use super::record::Record;
use super::series::{Stats, Stretch};
use super::step::Beat;
use super::window::Window;
use crate::model::Seed;
use crate::net::Endpoint;

/// OPTIONS outside of dialogs between a device and its registrar, either way.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Options {
    /// Transactions, not packets.
    pub n: u32,
    /// Of them: the registrar asked.
    pub from_registrar: u32,
    /// Any final response: the other side lives, whatever it says.
    pub answered: u32,
    /// No answer within 32 s.
    pub unanswered: u32,
    /// No answer, and the capture cannot tell.
    pub pending: u32,
    /// Start to start, in seconds, between the two ends and in the direction that has most.
    pub interval: Option<Stats>,
}

/// All OPTIONS outside of dialogs, by who asked whom.
#[derive(Debug, Default)]
pub(super) struct Asked(HashMap<(Endpoint, Endpoint), Beats, Seed>);

impl Asked {
    pub(super) fn new(seed: Seed) -> Self {
        Self(HashMap::with_hasher(seed))
    }

    /// Takes in the next one; how many octets more are held, `None` when there is no room: it is one
    /// between ends that are not known and `bound` of those are, or those ends have too many.
    pub(super) fn push(&mut self, beat: &Beat, bound: usize, gaps: &[Stretch]) -> Option<usize> {
        let ends = (beat.source, beat.target);
        let is_new = !self.0.contains_key(&ends);
        if is_new && bound <= self.0.len() {
            return None;
        }
        let beats = self.0.entry(ends).or_default();
        let before = beats.heap_size();
        if !beats.push(beat, None, true, gaps) {
            return None;
        }
        let own = if is_new { 2 * size_of::<((Endpoint, Endpoint), Beats)>() } else { 0 };
        Some(beats.heap_size() - before + own)
    }

    /// What came of them as seen in `window`.
    pub(super) fn sums(self, window: &Window) -> Sums {
        let Self(all) = self;
        let mut sums = HashMap::with_hasher(*all.hasher());
        let policy = Policy::default();
        #[allow(clippy::iter_over_hash_type)] // Each has a place of its own again.
        for (ends, beats) in all {
            sums.extend(
                Keepalives::of(&beats, &policy, None, window).map(|all| (ends, Sum::of(&all))),
            );
        }
        Sums(sums)
    }
}

/// What came of all OPTIONS outside of dialogs, by who asked whom.
#[derive(Debug, Default)]
pub(super) struct Sums(HashMap<(Endpoint, Endpoint), Sum, Seed>);

/// What came of those of one end.
#[derive(Clone, Copy, Debug)]
struct Sum {
    n: u32,
    unanswered: u32,
    pending: u32,
    interval: Option<Stats>,
}

impl Sum {
    const fn of(all: &Keepalives) -> Self {
        let Keepalives { unanswered, pending, interval, .. } = *all;
        Self { n: all.n as u32, unanswered, pending, interval }
    }
}

impl Sums {
    /// Those between the ends of the attempts `records`.
    pub(super) fn between(&self, records: &[Record]) -> Option<Options> {
        if self.0.is_empty() {
            return None;
        }
        let ends: BTreeSet<_> = records.iter().map(|r| (r.source, r.shape.target)).collect();
        let (mut sum, mut most) = (Options::default(), 0);
        for (device, registrar) in ends {
            for ends in [(device, registrar), (registrar, device)] {
                let Some(own) = self.0.get(&ends) else { continue };
                sum.n += own.n;
                sum.from_registrar += if ends.0 == registrar { own.n } else { 0 };
                sum.unanswered += own.unanswered;
                sum.pending += own.pending;
                if most < own.n {
                    (most, sum.interval) = (own.n, own.interval);
                }
            }
        }
        sum.answered = sum.n - sum.unanswered - sum.pending;
        (0 < sum.n).then_some(sum)
    }
}
