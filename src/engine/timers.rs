//! When a flow is to be looked at: soon after it changed, and when it has been silent for long
//! enough to be over.

use std::collections::{BTreeSet, VecDeque};

use rustc_hash::FxHashMap;

use crate::time::{SECOND, TIMEOUT, Timestamp};

/// After its last answer, no copy stays in the network longer than this: T4 (RFC 3261 section
/// 17.1.2.2).
pub const SETTLED: i64 = 5 * SECOND;
/// After this long no transaction waits any more, and the rules have had their second to see it.
const SILENT: i64 = TIMEOUT + SECOND;

/// Changes of flows that are gone that stand in line, beyond as many as there are flows.
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

/// The timers of all flows; each flow has one at most.
#[derive(Default)]
pub(super) struct Timers {
    /// Flows that changed, in order, each once.
    fresh: VecDeque<(u32, u64)>,
    /// Where a flow stands; flows are numbered by their place.
    standing: FxHashMap<u64, Standing>,
    /// What comes due when, and of which flow.
    times: BTreeSet<(Timestamp, u64)>,
    due: VecDeque<(u32, u64, Due)>,
}

struct Standing {
    place: u32,
    is_fresh: bool,
    /// When its timer fires, and whether it has settled by then.
    timer: (Timestamp, Stage),
}

/// What a flow waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Settling,
    FallingSilent,
}

impl Stage {
    const fn patience(self) -> i64 {
        match self {
            Self::Settling => SETTLED,
            Self::FallingSilent => SILENT,
        }
    }
}

impl Timers {
    /// The flow `key` at `place` has a new message.
    pub(super) fn touch(&mut self, place: u32, key: u64, now: Timestamp) {
        let times = &mut self.times;
        let standing = self.standing.entry(key).or_insert_with(|| {
            let timer = now.plus(SETTLED);
            times.insert((timer, key));
            Standing { place, is_fresh: false, timer: (timer, Stage::Settling) }
        });
        if standing.timer.1 == Stage::FallingSilent {
            // It goes on: it settles once more.
            times.remove(&(standing.timer.0, key));
            standing.timer = (now.plus(SETTLED), Stage::Settling);
            times.insert((standing.timer.0, key));
        }
        if !std::mem::replace(&mut standing.is_fresh, true) {
            self.fresh.push_back((place, key));
        }
    }

    /// The flow `key` was let go. That it changed is passed over, and taken out of line before a
    /// flood of such flows fills it.
    pub(super) fn forget(&mut self, key: u64) {
        if let Some(Standing { timer: (time, _), .. }) = self.standing.remove(&key) {
            self.times.remove(&(time, key));
        }
        let Self { fresh, standing, .. } = self;
        if 2 * standing.len() + STALE < fresh.len() {
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
        let mut later = Vec::new();
        while let Some((time, key)) = self.next_until(now) {
            let Some(standing) = self.standing.get_mut(&key) else { continue };
            let (place, stage) = (standing.place, standing.timer.1);
            let Some(last) = last(place, key) else {
                self.standing.remove(&key);
                continue;
            };
            let silence = now.since(last);
            // It may have gone on: its time runs from its last message.
            let next = if silence < SETTLED { Stage::Settling } else { stage };
            let right = last.plus(next.patience());
            if silence < next.patience() {
                standing.timer = (right, next);
                later.push((right, key));
            } else if time < right {
                // Others come first.
                standing.timer = (right, next);
                self.times.insert((right, key));
            } else if stage == Stage::Settling {
                standing.timer = (last.plus(SILENT), Stage::FallingSilent);
                self.times.insert((standing.timer.0, key));
                self.due.push_back((place, key, Due::Settled));
            } else {
                // Touched again, it is timed again.
                self.standing.remove(&key);
                self.due.push_back((place, key, Due::Silent));
            }
        }
        self.times.extend(later);
    }

    /// Takes out the first timer that fires until `now`.
    fn next_until(&mut self, now: Timestamp) -> Option<(Timestamp, u64)> {
        self.times.first().filter(|(time, _)| *time <= now)?;
        self.times.pop_first()
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
    fn a_flow_that_goes_on_settles_once_more_in_five_seconds() {
        let mut timers = Timers::default();
        timers.touch(0, 7, at(0));
        timers.advance(at(5), |_, _| Some(at(0)));
        assert_eq!(all(&mut timers), [(0, Due::Changed), (0, Due::Settled)]);
        timers.touch(0, 7, at(20));
        timers.advance(at(25), |_, _| Some(at(20)));
        assert_eq!(all(&mut timers), [(0, Due::Changed), (0, Due::Settled)]);
    }

    #[test]
    fn flows_are_due_in_the_order_of_their_last_messages_however_far_time_leaps() {
        let mut timers = Timers::default();
        timers.touch(0, 7, at(10));
        timers.touch(1, 8, at(12));
        timers.touch(0, 7, at(14));
        timers.advance(at(30), |place, _| Some(at(if place == 0 { 14 } else { 12 })));
        let settled = all(&mut timers).into_iter().filter(|(_, due)| *due == Due::Settled);
        assert_eq!(settled.map(|(place, _)| place).collect::<Vec<_>>(), [1, 0]);
    }

    #[test]
    fn a_flood_of_flows_that_are_let_go_leaves_little_behind() {
        let mut timers = Timers::default();
        timers.touch(0, u64::MAX, at(10));
        for key in 0..100_000 {
            timers.touch(1, key, at(10));
            timers.forget(key);
        }
        assert_eq!((timers.standing.len(), timers.times.len()), (1, 1));
        assert!(timers.fresh.len() <= 2 * STALE);
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
        assert!(timers.standing.is_empty() && timers.times.is_empty());
    }

    #[test]
    fn a_flow_settles_on_time_however_steady_the_traffic_of_others_is() {
        let mut timers = Timers::default();
        // The first goes on until 14 s; one that came at 14 s and fell silent is behind it.
        timers.touch(0, 0, at(10));
        for second in 11..19 {
            timers.touch(second, u64::from(second), at(i64::from(second)));
        }
        let last = |place: u32, _| Some(at(if place == 0 { 14 } else { i64::from(place) }));
        let mut settled = Vec::new();
        for second in 15..24 {
            timers.advance(at(second), last);
            let due = all(&mut timers).into_iter().filter(|(_, due)| *due == Due::Settled);
            settled.extend(due.map(|(place, _)| (place, second)));
        }
        let on_time = |(place, second): &(u32, i64)| {
            *second == SETTLED / SECOND + if *place == 0 { 14 } else { i64::from(*place) }
        };
        assert!(settled.len() == 9 && settled.iter().all(on_time), "{settled:?}");
    }

    #[test]
    fn the_end_of_time_is_the_end_of_waiting_for_it() {
        let mut timers = Timers::default();
        timers.touch(0, 7, Timestamp(i64::MAX));
        timers.advance(Timestamp(i64::MAX), |_, _| Some(Timestamp(i64::MAX)));
        assert_eq!(all(&mut timers), [(0, Due::Changed)]);
    }
}
