//! Keeps the times of frames in step when the clock of this machine is set while it captures, and
//! knows when the machine slept.
//!
//! Intervals between messages are what an analysis lives by: a clock that is set an hour forward
//! must not let an hour of registrations lapse. So times go on as the clock went before, and the
//! user is told by how much they differ from it. An hour of sleep is an hour; nobody watched it.

use std::time::Instant;

/// A smaller difference is the work of NTP, which slews, or of a busy machine.
const LEAST: i64 = 500_000_000;

/// A clock that nobody sets and that goes on while the machine sleeps.
#[derive(Debug)]
pub(super) struct Steady {
    began: Instant,
    /// What it showed at first.
    first: i64,
    /// Sleep that was told.
    slept: i64,
}

impl Steady {
    #[allow(clippy::disallowed_methods)] // The user's time, by which packets come.
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), first: with_sleep().unwrap_or_default(), slept: 0 }
    }

    /// Nanoseconds since it was made.
    pub(super) fn now(&self) -> i64 {
        with_sleep().map_or_else(|| self.awake(), |now| now - self.first)
    }

    /// How long the machine slept since this was asked last, if it did.
    pub(super) fn take_sleep(&mut self) -> Option<i64> {
        self.sleep_of(self.now() - self.awake())
    }

    /// The same when it slept for `all` nanoseconds so far.
    fn sleep_of(&mut self, all: i64) -> Option<i64> {
        let slept = all - self.slept;
        if slept < LEAST {
            return None;
        }
        self.slept = all;
        Some(slept)
    }

    fn awake(&self) -> i64 {
        self.began.elapsed().as_nanos() as i64
    }
}

/// What to say of a machine that slept for so many nanoseconds.
pub(super) fn slept_for(nanos: i64) -> String {
    let seconds = nanos / 1_000_000_000;
    format!(
        "this machine slept for {seconds} s; nothing was seen of that time, and nobody is missed"
    )
}

/// Nanoseconds since this machine was started, where it tells with the time it slept.
#[cfg(target_os = "linux")]
fn with_sleep() -> Option<i64> {
    use nix::time::{ClockId, clock_gettime};

    let now = clock_gettime(ClockId::CLOCK_BOOTTIME).ok()?;
    #[allow(clippy::useless_conversion)] // Not where these are 32 bits wide.
    Some(i64::from(now.tv_sec()) * 1_000_000_000 + i64::from(now.tv_nsec()))
}

/// Elsewhere sleep looks as if the clock had been set.
#[cfg(not(target_os = "linux"))]
fn with_sleep() -> Option<i64> {
    None
}

/// What is known of the clock.
#[derive(Debug, Default)]
pub(super) struct Clock {
    /// Clock of the day less the steady clock when last looked at, nanoseconds.
    offset: Option<i64>,
    /// What the clock was set by so far.
    set_by: i64,
    /// What it was set by before the last time: for frames that were still on their way.
    set_before: i64,
}

impl Clock {
    /// Looks at both clocks, nanoseconds each; says by how much the clock was set since, if so.
    pub(super) fn look(&mut self, of_day: i64, steady: i64) -> Option<i64> {
        let offset = of_day - steady;
        let step = offset - self.offset.replace(offset).unwrap_or(offset);
        if step.abs() < LEAST {
            return None;
        }
        self.set_before = self.set_by;
        self.set_by += step;
        Some(step)
    }

    /// The time now, as the clock would have gone.
    pub(super) fn now(&self, steady: i64) -> i64 {
        steady + self.offset.unwrap_or_default() - self.set_by
    }

    /// The time of a frame as the clock would have gone, `steady` being now.
    pub(super) fn time(&self, stamped: i64, steady: i64) -> i64 {
        if self.set_by == self.set_before {
            return stamped - self.set_by;
        }
        // A frame may be from before the clock was set: the time that is nearer to now is right.
        let now = self.now(steady);
        let candidates = [stamped - self.set_by, stamped - self.set_before];
        let [new, old] = candidates;
        if (new - now).abs() <= (old - now).abs() { new } else { old }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;
    const DAY: i64 = 86_400 * SECOND;

    #[test]
    fn times_go_on_when_the_clock_is_set_and_stay_as_they_are_otherwise() {
        for step in [3_600 * SECOND, -3_600 * SECOND] {
            let mut clock = Clock::default();
            assert_eq!(clock.look(DAY, 0), None);
            assert_eq!(clock.look(DAY + SECOND + 1_000, SECOND), None, "it is slewed");
            assert_eq!(clock.time(DAY + SECOND, SECOND), DAY + SECOND);
            assert_eq!(clock.look(DAY + 2 * SECOND + 1_000 + step, 2 * SECOND), Some(step));
            let late = clock.time(DAY + 2 * SECOND - SECOND / 10, 2 * SECOND);
            assert_eq!(late, DAY + 2 * SECOND - SECOND / 10, "captured before it was set");
            assert_eq!(clock.time(DAY + 3 * SECOND + step, 3 * SECOND), DAY + 3 * SECOND);
        }
    }

    #[test]
    fn sleep_is_told_once_and_what_both_clocks_differ_by_is_none() {
        let mut steady = Steady::new();
        assert_eq!(steady.take_sleep(), None, "nobody slept");
        assert_eq!(steady.sleep_of(1_000), None);
        assert_eq!(steady.sleep_of(3_600 * SECOND), Some(3_600 * SECOND));
        assert_eq!(steady.sleep_of(3_600 * SECOND + 1_000), None);
        assert_eq!(steady.sleep_of(3_602 * SECOND), Some(2 * SECOND));
    }

    #[test]
    fn a_clock_set_to_and_fro_is_where_it_was() {
        let mut clock = Clock::default();
        assert_eq!(clock.look(DAY, 0), None);
        assert_eq!(clock.look(DAY + 10 * SECOND, SECOND), Some(9 * SECOND));
        assert_eq!(clock.look(DAY + 2 * SECOND, 2 * SECOND), Some(-9 * SECOND));
        assert_eq!(clock.time(DAY + 3 * SECOND, 3 * SECOND), DAY + 3 * SECOND);
    }
}
