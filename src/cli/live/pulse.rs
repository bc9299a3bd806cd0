//! Time while nothing comes: that of the last packet, and what passed since it came.

use std::time::{Duration, Instant};

use crate::time::Timestamp;

/// How often timers are looked at and what is held back is written.
const EVERY: Duration = Duration::from_millis(200);

/// Says when to look at timers, and what time it is then.
///
/// A capture from elsewhere has another clock than this machine: its time is that of its packets,
/// and goes on by itself when none comes. While packets come it is theirs alone, so that a capture
/// that is played back gives what it gave.
#[derive(Debug)]
pub(super) struct Pulse {
    last: Option<(Timestamp, Instant)>,
    beaten: Instant,
}

impl Pulse {
    #[allow(clippy::disallowed_methods)] // The user's time.
    pub(super) fn new() -> Self {
        Self { last: None, beaten: Instant::now() }
    }

    /// The time, when it is time to look; `latest` is that of the latest packet.
    #[allow(clippy::disallowed_methods)] // The user's time.
    pub(super) fn beat(&mut self, latest: Option<Timestamp>) -> Option<Timestamp> {
        let now = Instant::now();
        if now.duration_since(self.beaten) < EVERY {
            return None;
        }
        self.beaten = now;
        let latest = latest?;
        match self.last {
            Some((time, since)) if time == latest => {
                let passed = now.duration_since(since).as_nanos();
                Some(latest.plus(i64::try_from(passed).unwrap_or(i64::MAX)))
            }
            _ => {
                self.last = Some((latest, now));
                Some(latest)
            }
        }
    }
}
