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

    /// Whether the machine slept since this was asked last.
    pub(super) fn take_sleep(&mut self) -> Option<Found> {
        self.sleep_of(self.now() - self.awake())
    }

    /// The same when it slept for `all` nanoseconds so far.
    fn sleep_of(&mut self, all: i64) -> Option<Found> {
        if all - self.slept < LEAST {
            return None;
        }
        self.slept = all;
        Some(Found::Slept(all))
    }

    fn awake(&self) -> i64 {
        self.began.elapsed().as_nanos() as i64
    }
}

/// What one who captures found out about this machine; all others find the same, sooner or later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It slept for so many nanoseconds so far.
    Slept(i64),
    /// Its clock was set.
    Set {
        /// For which time.
        nth: u32,
        /// By so many nanoseconds so far.
        all: i64,
    },
}

/// What was said of this machine: each thing once, however many found it.
#[derive(Debug, Default)]
pub(super) struct Said {
    slept: i64,
    sets: u32,
    set_by: i64,
}

impl Said {
    /// What the clock was set by so far, nanoseconds.
    pub(super) const fn set_by(&self) -> i64 {
        self.set_by
    }

    /// What there is to say of what somebody found.
    pub(super) fn hear(&mut self, found: Found) -> Option<String> {
        match found {
            Found::Slept(all) => {
                let slept = all - self.slept;
                if slept < LEAST {
                    return None;
                }
                self.slept = all;
                let seconds = slept / 1_000_000_000;
                Some(format!(
                    "this machine slept for {seconds} s; nothing was seen of that time, and nobody \
                     is missed"
                ))
            }
            Found::Set { nth, all } => {
                if nth <= self.sets {
                    return None;
                }
                let step = all - self.set_by;
                (self.sets, self.set_by) = (nth, all);
                let which = if step < 0 { "back" } else { "forward" };
                let by = step.unsigned_abs() as f64 / 1e9;
                Some(format!(
                    "the clock of this machine was set {which} by {by:.3} s; the times shown go on \
                     as before, so that intervals are true"
                ))
            }
        }
    }
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
    /// How often it was set so far.
    sets: u32,
    /// What the clock was set by so far.
    set_by: i64,
    /// What it was set by before the last time: for frames that were still on their way.
    set_before: i64,
}

impl Clock {
    /// Looks at both clocks, nanoseconds each; says whether the clock was set since.
    pub(super) fn look(&mut self, of_day: i64, steady: i64) -> Option<Found> {
        let offset = of_day - steady;
        let step = offset - self.offset.replace(offset).unwrap_or(offset);
        if step.abs() < LEAST {
            return None;
        }
        self.set_before = self.set_by;
        self.set_by += step;
        self.sets += 1;
        Some(Found::Set { nth: self.sets, all: self.set_by })
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

    const fn set(nth: u32, all: i64) -> Found {
        Found::Set { nth, all }
    }

    #[test]
    fn what_each_of_several_threads_finds_is_said_once() {
        let mut said = Said::default();
        let all = [
            Found::Slept(2 * SECOND),
            Found::Slept(2 * SECOND + 1_000),
            set(1, 9 * SECOND),
            set(2, -SECOND),
            // Of another, which is late.
            set(1, 9 * SECOND),
            set(2, -SECOND),
            Found::Slept(5 * SECOND),
        ];
        let texts: Vec<_> = all.into_iter().filter_map(|found| said.hear(found)).collect();
        let begins = ["slept for 2 s", "forward by 9.000 s", "back by 10.000 s", "slept for 3 s"];
        assert_eq!(texts.len(), begins.len(), "{texts:#?}");
        assert!(texts.iter().zip(begins).all(|(text, begin)| text.contains(begin)), "{texts:#?}");
    }

    #[test]
    fn times_go_on_when_the_clock_is_set_and_stay_as_they_are_otherwise() {
        for step in [3_600 * SECOND, -3_600 * SECOND] {
            let mut clock = Clock::default();
            assert_eq!(clock.look(DAY, 0), None);
            assert_eq!(clock.look(DAY + SECOND + 1_000, SECOND), None, "it is slewed");
            assert_eq!(clock.time(DAY + SECOND, SECOND), DAY + SECOND);
            assert_eq!(clock.look(DAY + 2 * SECOND + 1_000 + step, 2 * SECOND), Some(set(1, step)));
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
        assert_eq!(steady.sleep_of(3_600 * SECOND), Some(Found::Slept(3_600 * SECOND)));
        assert_eq!(steady.sleep_of(3_600 * SECOND + 1_000), None);
        assert_eq!(steady.sleep_of(3_602 * SECOND), Some(Found::Slept(3_602 * SECOND)));
    }

    #[test]
    fn a_clock_set_to_and_fro_is_where_it_was() {
        let mut clock = Clock::default();
        assert_eq!(clock.look(DAY, 0), None);
        assert_eq!(clock.look(DAY + 10 * SECOND, SECOND), Some(set(1, 9 * SECOND)));
        assert_eq!(clock.look(DAY + 2 * SECOND, 2 * SECOND), Some(set(2, 0)));
        assert_eq!(clock.time(DAY + 3 * SECOND, 3 * SECOND), DAY + 3 * SECOND);
    }
}
