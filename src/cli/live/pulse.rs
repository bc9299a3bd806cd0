//! Time while nothing comes: that of the last packet, and what passed since it came.

use std::time::{Duration, Instant};

use crate::time::Timestamp;

/// How often timers are looked at and what is held back is written.
const EVERY: Duration = Duration::from_millis(100);

/// Says when to look at timers, and what time it is then.
///
/// A capture from elsewhere has another clock than this machine: its time is that of its packets,
/// and goes on by itself when none comes. While packets come it is theirs alone, so that a capture
/// that is played back gives what it gave. What comes from elsewhere may also be late: so much
/// silence passes as the `margin` says before time goes on without it.
#[derive(Debug)]
pub(super) struct Pulse {
    last: Option<(Timestamp, Instant)>,
    beaten: Instant,
    margin: Duration,
}

impl Pulse {
    #[allow(clippy::disallowed_methods)] // The user's time.
    pub(super) fn new(margin: Duration) -> Self {
        Self { last: None, beaten: Instant::now(), margin }
    }

    /// Whether it is time to look.
    #[allow(clippy::disallowed_methods)] // The user's time.
    pub(super) fn is_due(&mut self) -> bool {
        let now = Instant::now();
        let is_due = EVERY <= now.duration_since(self.beaten);
        if is_due {
            self.beaten = now;
        }
        is_due
    }

    /// What time it is; `latest` is that of the latest packet.
    #[allow(clippy::disallowed_methods)] // The user's time.
    pub(super) fn now(&mut self, latest: Timestamp) -> Timestamp {
        match self.last {
            Some((time, since)) if time == latest => {
                let passed = since.elapsed().saturating_sub(self.margin);
                let passed = i64::try_from(passed.as_nanos());
                latest.plus(passed.unwrap_or(i64::MAX))
            }
            _ => {
                self.last = Some((latest, Instant::now()));
                latest
            }
        }
    }
}
