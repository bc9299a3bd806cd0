//! When a flow is to be looked at: soon after it changed, and when it has been silent for long
//! enough to be over.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use crate::time::{SECOND, TIMEOUT, Timestamp};

/// After its last answer, no copy stays in the network longer than this: T4 (RFC 3261 section
/// 17.1.2.2).
pub const SETTLED: i64 = 5 * SECOND;
/// After this long no transaction waits any more, and the rules have had their second to see it.
const SILENT: i64 = TIMEOUT + SECOND;

/// Entries of flows that are gone that queues hold, beyond as many as there are flows.
const STALE: usize = 1 << 12;

/// Why a flow is to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// It has messages that nobody looked at.
    Changed,
    /// Silent for 5 s: if it has come to its end, nothing more will come.
    Settled,
    /// Silent for longer than any transaction waits.
    Silent,
}

/// The timers of all flows; each flow stands in one queue at most.
#[derive(Default)]
pub(super) struct Timers {
    /// Flows that changed, in order, each once.
    fresh: VecDeque<(u32, u64)>,
    /// Where a flow stands; flows are numbered by their place.
    standing: FxHashMap<u64, Standing>,
    settling: VecDeque<(Timestamp, u32, u64)>,
    falling_silent: VecDeque<(Timestamp, u32, u64)>,
    due: VecDeque<(u32, u64, Due)>,
}

#[derive(Clone, Copy, Default)]
struct Standing {
    is_fresh: bool,
    is_timed: bool,
}

impl Timers {
    /// The flow `key` at `place` has a new message.
    pub(super) fn touch(&mut self, place: u32, key: u64, now: Timestamp) {
        let standing = self.standing.entry(key).or_default();
        if !standing.is_fresh {
            standing.is_fresh = true;
            self.fresh.push_back((place, key));
        }
        if !standing.is_timed {
            standing.is_timed = true;
            self.settling.push_back((now, place, key));
        }
    }

    /// The flow `key` was let go. What stands of it in the queues is passed over, and taken out before
    /// a flood of such flows fills them.
    pub(super) fn forget(&mut self, key: u64) {
        self.standing.remove(&key);
        let Self { fresh, standing, settling, falling_silent, .. } = self;
        let most = 2 * standing.len() + STALE;
        for queue in [settling, falling_silent] {
            if most < queue.len() {
                queue.retain(|(_, _, key)| standing.contains_key(key));
            }
        }
        if most < fresh.len() {
            fresh.retain(|(_, key)| standing.contains_key(key));
        }
    }

    /// Lets time pass to `now`. `last` says when the flow at a place had its last message; `None`
    /// when it is gone.
    pub(super) fn advance(&mut self, now: Timestamp, last: impl Fn(u32, u64) -> Option<Timestamp>) {
        for (place, key) in self.fresh.drain(..) {
            if let Some(standing) = self.standing.get_mut(&key) {
                standing.is_fresh = false;
            }
            self.due.push_back((place, key, Due::Changed));
        }
        while let Some((_, place, key)) =
            self.settling.pop_front_if(|(since, ..)| SETTLED <= now.since(*since))
        {
            match last(place, key) {
                None => {}
                // It went on: its time runs from its last message.
                Some(last) if now.since(last) < SETTLED => {
                    self.settling.push_back((last, place, key));
                }
                Some(last) => {
                    self.due.push_back((place, key, Due::Settled));
                    self.falling_silent.push_back((last, place, key));
                }
            }
        }
        while let Some((_, place, key)) =
            self.falling_silent.pop_front_if(|(since, ..)| SILENT <= now.since(*since))
        {
            match last(place, key) {
                None => {}
                Some(last) if now.since(last) < SETTLED => {
                    self.settling.push_back((last, place, key));
                }
                Some(last) if now.since(last) < SILENT => {
                    self.falling_silent.push_back((last, place, key));
                }
                Some(_) => {
                    self.due.push_back((place, key, Due::Silent));
                    // Touched again, it is timed again.
                    self.standing.remove(&key);
                }
            }
        }
    }

    /// The next flow that is to be looked at.
    pub(super) fn poll(&mut self) -> Option<(u32, u64, Due)> {
        self.due.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::new(second, 0)
    }

    fn all(timers: &mut Timers) -> Vec<(u32, Due)> {
        std::iter::from_fn(|| timers.poll()).map(|(place, _, due)| (place, due)).collect()
    }

    #[test]
    fn a_flow_is_due_when_it_changed_when_it_settled_and_when_it_fell_silent() {
        let mut timers = Timers::default();
        timers.touch(0, 7, at(10));
        timers.touch(0, 7, at(11));
        timers.advance(at(12), |_, _| Some(at(11)));
        assert_eq!(all(&mut timers), [(0, Due::Changed)], "once for both messages");
        timers.advance(at(15), |_, _| Some(at(11)));
        assert_eq!(all(&mut timers), [], "five seconds run from its last message");
        timers.advance(at(16), |_, _| Some(at(11)));
        assert_eq!(all(&mut timers), [(0, Due::Settled)]);
        timers.advance(at(44), |_, _| Some(at(11)));
        assert_eq!(all(&mut timers), [(0, Due::Silent)]);
        assert!(timers.standing.is_empty(), "nothing of it is kept");
    }

    #[test]
    fn a_flood_of_flows_that_are_let_go_leaves_little_behind() {
        let mut timers = Timers::default();
        timers.touch(0, u64::MAX, at(10));
        for key in 0..100_000 {
            timers.touch(1, key, at(10));
            timers.forget(key);
        }
        assert_eq!(timers.standing.len(), 1);
        assert!(timers.settling.len() <= 2 * STALE && timers.fresh.len() <= 2 * STALE);
        timers.advance(at(15), |place, _| (place == 0).then_some(at(10)));
        assert!(all(&mut timers).contains(&(0, Due::Settled)), "who is still there is looked at");
    }

    #[test]
    fn a_flow_that_begins_anew_is_due_in_its_own_time() {
        let mut timers = Timers::default();
        timers.touch(0, 7, at(10));
        timers.forget(7);
        timers.touch(1, 7, at(13));
        timers.advance(at(16), |place, _| (place == 1).then_some(at(13)));
        assert_eq!(all(&mut timers), [(0, Due::Changed), (1, Due::Changed)]);
        timers.advance(at(18), |place, _| (place == 1).then_some(at(13)));
        assert_eq!(all(&mut timers), [(1, Due::Settled)], "not lost with the one before");
    }

    #[test]
    fn a_flow_that_is_gone_is_forgotten() {
        let mut timers = Timers::default();
        timers.touch(0, 7, at(10));
        timers.advance(at(16), |_, _| None);
        assert_eq!(all(&mut timers), [(0, Due::Changed)]);
        timers.forget(7);
        assert!(timers.standing.is_empty() && timers.falling_silent.is_empty());
    }
}
