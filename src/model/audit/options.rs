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

    /// Those between the ends of the attempts `records`, as seen in `window`.
    pub(super) fn between(
        &self,
        records: &[Record],
        policy: &Policy,
        window: &Window,
    ) -> Option<Options> {
        if self.0.is_empty() {
            return None;
        }
        let ends: BTreeSet<_> = records.iter().map(|r| (r.source, r.shape.target)).collect();
        let (mut sum, mut most) = (Options::default(), 0);
        for (device, registrar) in ends {
            for ends in [(device, registrar), (registrar, device)] {
                let beats = self.0.get(&ends);
                let Some(all) = beats.and_then(|all| Keepalives::of(all, policy, None, window))
                else {
                    continue;
                };
                let n = all.n as u32;
                sum.n += n;
                sum.from_registrar += if ends.0 == registrar { n } else { 0 };
                sum.unanswered += all.unanswered;
                sum.pending += all.pending;
                if most < n {
                    (most, sum.interval) = (n, all.interval);
                }
            }
        }
        sum.answered = sum.n - sum.unanswered - sum.pending;
        (0 < sum.n).then_some(sum)
    }
}
