//! The time an audit looks at, and stretches of it without a binding.

use super::attempt::Outcome;
use super::series::Stretch;
use crate::frame::Sightings;
use crate::time::Timestamp;

/// The window an audit looks at.
#[derive(Clone, Debug, Default)]
pub struct Window {
    /// First packet of the input, any traffic.
    pub from: Timestamp,
    /// Last packet.
    pub until: Timestamp,
    /// Stretches in which nothing was captured, sorted.
    pub gaps: Vec<Stretch>,
    /// The input holds no responses at all.
    pub one_sided: bool,
    /// The unit of its times, nanoseconds.
    pub resolution: i64,
    /// Packets the capture itself lost.
    pub dropped: u64,
    /// Messages of which not all was captured, or logged.
    pub truncated: Sightings,
    /// Records of text logs that name another length than the message in them has.
    pub misstated: Sightings,
}

impl Window {
    /// Its length, nanoseconds.
    pub const fn length(&self) -> i64 {
        self.until.since(self.from)
    }

    pub(super) fn crosses_gap(&self, a: Timestamp, b: Timestamp) -> bool {
        let next = self.gaps.partition_point(|(_, until)| *until <= a.0);
        self.gaps.get(next).is_some_and(|(from, _)| *from < b.0)
    }

    /// When the last gap before `time` ended.
    pub(super) fn gap_before(&self, time: Timestamp) -> Option<i64> {
        let next = self.gaps.partition_point(|(_, until)| *until <= time.0);
        self.gaps.get(next.checked_sub(1)?).map(|(_, until)| *until)
    }
}

/// A stretch in which a device should have had a binding and had none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lapse {
    /// Begin.
    pub from: Timestamp,
    /// End; `None` while it lasts.
    pub until: Option<Timestamp>,
    /// How long, to the end of the window while it lasts, nanoseconds.
    pub length: i64,
    /// Why.
    pub cause: Cause,
}

/// Why a binding lapsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The connection that carried it ended.
    ConnectionLost,
    /// Nobody tried to refresh it.
    NoRefresh,
    /// A try before its end failed.
    RefreshFailed(Outcome),
    /// Nobody tried before its end; a later try failed.
    NoRefreshThen(Outcome),
}

impl Cause {
    /// The stable words: `no-refresh`, `refresh-failed:timeout`, …
    pub fn word(self) -> String {
        match self {
            Self::ConnectionLost => "connection-lost".into(),
            Self::NoRefresh => "no-refresh".into(),
            Self::RefreshFailed(outcome) => format!("refresh-failed:{}", outcome.word()),
            Self::NoRefreshThen(outcome) => format!("no-refresh,then:{}", outcome.word()),
        }
    }
}
