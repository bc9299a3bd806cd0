//! Keeps the times of frames in step when the clock of this machine is set while it captures.
//!
//! Intervals between messages are what an analysis lives by: a clock that is set an hour forward
//! must not let an hour of registrations lapse. So times go on as the clock went before, and the
//! user is told by how much they differ from it.

/// A smaller difference is the work of NTP, which slews, or of a busy machine.
const LEAST: i64 = 500_000_000;

/// What is known of the clock.
#[derive(Debug, Default)]
pub(super) struct Clock {
    /// Clock of the day less the monotonic clock when last looked at, nanoseconds.
    offset: Option<i64>,
    /// What the clock was set by so far.
    set_by: i64,
    /// What it was set by before the last time: for frames that were still on their way.
    set_before: i64,
}

impl Clock {
    /// Looks at both clocks, nanoseconds each; says by how much the clock was set since, if so.
    pub(super) fn look(&mut self, of_day: i64, monotonic: i64) -> Option<i64> {
        let offset = of_day - monotonic;
        let step = offset - self.offset.replace(offset).unwrap_or(offset);
        if step.abs() < LEAST {
            return None;
        }
        self.set_before = self.set_by;
        self.set_by += step;
        Some(step)
    }

    /// The time of a frame as the clock would have gone, `monotonic` being now.
    pub(super) fn time(&self, stamped: i64, monotonic: i64) -> i64 {
        if self.set_by == self.set_before {
            return stamped - self.set_by;
        }
        // A frame may be from before the clock was set: the time that is nearer to now is right.
        let now = monotonic + self.offset.unwrap_or_default() - self.set_by;
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
    fn a_clock_set_to_and_fro_is_where_it_was() {
        let mut clock = Clock::default();
        assert_eq!(clock.look(DAY, 0), None);
        assert_eq!(clock.look(DAY + 10 * SECOND, SECOND), Some(9 * SECOND));
        assert_eq!(clock.look(DAY + 2 * SECOND, 2 * SECOND), Some(-9 * SECOND));
        assert_eq!(clock.time(DAY + 3 * SECOND, 3 * SECOND), DAY + 3 * SECOND);
    }
}
