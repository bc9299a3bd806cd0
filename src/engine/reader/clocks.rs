//! What the clocks of capture agents show, held against the one here.
//!
//! Timers run by the time of this machine. So what an agent reports has to be of the time at which it
//! happened here, whatever its own clock says: an agent that is behind would otherwise seem to lose
//! the refreshes of its phones, one that is ahead would end the registrations of others.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::time::{SECOND, Timestamp};

/// Agents whose clocks are remembered.
const AGENTS: usize = 1_024;
/// How long what was seen of a clock counts before it is looked at anew: clocks drift.
const WINDOW: i64 = 600 * SECOND;
/// An agent that says nothing for so long makes room for others, and how often that is looked for.
const SILENCE: i64 = WINDOW;
const SWEEP: i64 = 60 * SECOND;
/// How far a clock may be ahead without a word.
const AHEAD: i64 = 5 * SECOND;
/// A clock that differs by less is taken as right: reports are on their way for as long.
const RIGHT: i64 = SECOND;

/// All agents.
#[derive(Debug)]
pub(super) struct Clocks {
    /// How late a report may come, nanoseconds.
    delay: i64,
    agents: HashMap<Agent, Lags>,
    swept: Timestamp,
    /// What the clock of this machine was set by so far, and before the last time: for reports that
    /// were still on their way.
    set_by: [i64; 2],
}

/// An agent: where its reports come from, and its number.
pub(super) type Agent = (IpAddr, u32);

/// How much later than it says the reports of an agent came.
#[derive(Clone, Copy, Debug)]
struct Lags {
    /// The least in this window, and in the one before it.
    least: [i64; 2],
    /// When this window ends.
    until: Timestamp,
    heard: Timestamp,
}

/// When something was seen of which an agent reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Then.
    At(Timestamp),
    /// Then, though the clock of the agent is so many nanoseconds behind; ahead, if negative.
    Off(Timestamp, i64),
}

impl Lags {
    fn first(lag: i64, came: Timestamp) -> Self {
        Self { least: [lag; 2], until: came.plus(WINDOW), heard: came }
    }

    /// Takes in another one.
    fn add(&mut self, lag: i64, came: Timestamp) {
        if self.until <= came {
            let [least, _] = self.least;
            *self = Self { least: [lag, least], ..Self::first(lag, came) };
        }
        self.least = self.least.map(|least| least.min(lag));
        self.heard = came;
    }

    fn least(&self) -> i64 {
        let [now, before] = self.least;
        now.min(before)
    }
}

impl Clocks {
    /// Nothing is known of any; a report comes up to `delay` nanoseconds late.
    pub(super) fn new(delay: i64) -> Self {
        let (agents, swept) = (HashMap::new(), Timestamp(i64::MIN));
        Self { delay, agents, swept, set_by: [0; 2] }
    }

    /// The clock of this machine was set by `nanos` so far, and the times of frames went on as before.
    pub(super) fn set(&mut self, nanos: i64) {
        let [set_by, _] = self.set_by;
        if set_by != nanos {
            self.set_by = [nanos, set_by];
            self.agents.clear();
        }
    }

    /// When something was seen of which `agent` says that it was at `own`, in a report that `came`.
    pub(super) fn time_of(&mut self, agent: Agent, own: Timestamp, came: Timestamp) -> Seen {
        // What is right by the clock here is of the times of frames once that is taken off.
        let candidates = self.set_by.map(|set_by| own.plus(-set_by));
        let Some(own) = candidates.into_iter().min_by_key(|own| came.since(*own).unsigned_abs())
        else {
            return Seen::At(came);
        };
        let lag = came.since(own);
        if self.delay == i64::MAX {
            // Files hold the past, each its own.
            return if -AHEAD <= lag { Seen::At(own.min(came)) } else { Seen::Off(came, lag) };
        }
        let least = self.least(agent, lag, came);
        // Of the time it says, as far as it can be; and never of later than it came.
        let time = if least.abs() < RIGHT { own } else { own.plus(least) }.min(came);
        let is_plausible = -AHEAD <= least && least <= self.delay;
        if is_plausible { Seen::At(time) } else { Seen::Off(time, least) }
    }

    /// How much later than it says the reports of `agent` come at least, of which this one came `lag`
    /// later.
    fn least(&mut self, agent: Agent, lag: i64, came: Timestamp) -> i64 {
        if let Some(lags) = self.agents.get_mut(&agent) {
            // Its clock was set back, or the reports of a long time were held up.
            if self.delay < lag.saturating_sub(lags.least()) {
                *lags = Lags::first(lag, came);
            }
            lags.add(lag, came);
            return lags.least();
        }
        if AGENTS <= self.agents.len() && SWEEP <= came.since(self.swept) {
            self.swept = came;
            self.agents.retain(|_, lags| came.since(lags.heard) < SILENCE);
        }
        if self.agents.len() < AGENTS {
            self.agents.insert(agent, Lags::first(lag, came));
        }
        lag
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]

    use std::net::Ipv4Addr;

    use super::*;

    const DELAY: i64 = 30 * SECOND;

    fn agent(number: u32) -> Agent {
        (Ipv4Addr::from(number).into(), 0)
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp(millis * 1_000_000)
    }

    #[test]
    fn a_clock_that_is_behind_is_put_right_by_the_least_delay_and_follows_when_it_drifts() {
        let mut clocks = Clocks::new(DELAY);
        // 20 s behind, and 40 ms at least on the way.
        assert_eq!(clocks.time_of(agent(1), at(0), at(20_900)), Seen::At(at(20_900)));
        assert_eq!(clocks.time_of(agent(1), at(1_000), at(21_040)), Seen::At(at(21_040)));
        assert_eq!(clocks.time_of(agent(1), at(2_000), at(24_000)), Seen::At(at(22_040)));
        // It falls behind by another second in an hour.
        let mut last = at(0);
        for minute in 0..60 {
            let own = minute * 60_000;
            let came = at(own + 20_040 + own / 3_600);
            let Seen::At(time) = clocks.time_of(agent(1), at(own), came) else { panic!() };
            assert!(came.since(time) < SECOND / 2, "{minute}");
            assert!(last < time);
            last = time;
        }
        // Others are not concerned.
        assert_eq!(clocks.time_of(agent(2), at(50_000), at(50_300)), Seen::At(at(50_000)));
        assert_eq!(clocks.time_of(agent(2), at(50_500), at(50_400)), Seen::At(at(50_400)));
    }

    #[test]
    fn a_clock_that_is_set_is_believed_again_and_one_that_is_wrong_keeps_its_intervals() {
        let mut clocks = Clocks::new(DELAY);
        let hour = 3_600_000;
        assert_eq!(
            clocks.time_of(agent(1), at(hour), at(10)),
            Seen::Off(at(10), -hour * 1_000_000 + 10_000_000)
        );
        let Seen::Off(time, _) = clocks.time_of(agent(1), at(hour + 5_000), at(5_300)) else {
            panic!()
        };
        assert_eq!(time, at(5_010), "5 s later");
        // It is set right.
        assert_eq!(clocks.time_of(agent(1), at(7_000), at(7_010)), Seen::At(at(7_000)));
        // So is one that is set back by less than reports may be late, after a while.
        let mut late = Vec::new();
        for second in 10..3_000 {
            let (own, came) = (at(second * 1_000 - 20_000), at(second * 1_000));
            let Seen::At(time) = clocks.time_of(agent(1), own, came) else { panic!() };
            late.push(came.since(time) / SECOND);
        }
        assert_eq!((late[0], late.last()), (20, Some(&0)));
    }

    #[test]
    fn the_clock_here_may_be_set_and_agents_are_believed_on_either_side_of_it() {
        let mut clocks = Clocks::new(DELAY);
        let hour = 3_600_000;
        assert_eq!(clocks.time_of(agent(1), at(1_000), at(1_010)), Seen::At(at(1_000)));
        clocks.set(hour * 1_000_000);
        // One on this machine, another one elsewhere, one that was on its way.
        assert_eq!(clocks.time_of(agent(1), at(hour + 2_000), at(2_010)), Seen::At(at(2_000)));
        assert_eq!(clocks.time_of(agent(2), at(2_500), at(2_510)), Seen::At(at(2_500)));
        assert_eq!(clocks.time_of(agent(1), at(1_990), at(2_510)), Seen::At(at(1_990)));
    }

    #[test]
    fn agents_without_number_are_remembered_in_bounds() {
        let mut clocks = Clocks::new(DELAY);
        for number in 0..100_000 {
            let (own, came) = (at(i64::from(number)), at(i64::from(number) + 10_000));
            assert_eq!(clocks.time_of(agent(number), own, came), Seen::At(came));
        }
        assert_eq!(clocks.agents.len(), AGENTS);
        // Those that are heard no more make room.
        clocks.time_of(agent(1 << 30), at(10_000_000), at(10_000_000));
        assert_eq!(clocks.agents.len(), 1);
    }
}
