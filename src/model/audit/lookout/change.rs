//! What a lookout tells: changes of devices and of all of them together.

use std::sync::Arc;

use super::super::attempt::Outcome;
use super::super::fleet::Surge;
use super::super::window::Cause;
use crate::net::Endpoint;
use crate::time::Timestamp;

/// Something changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// When it is certain.
    pub time: Timestamp,
    /// GB identifier, or user@host; `None` for what concerns many.
    pub device: Option<Arc<str>>,
    /// GB identifier, or host; `None` for what concerns the device at all of its registrars.
    pub registrar: Option<Arc<str>>,
    /// What.
    pub turn: Turn,
}

/// What changed. Durations in nanoseconds.
#[derive(Clone, Debug, PartialEq)]
pub enum Turn {
    /// A device is registered that was not, as far as is known.
    New {
        /// Where it registers from.
        source: Endpoint,
        /// Seconds granted, where they are known.
        granted: Option<u32>,
    },
    /// It gave its registration up.
    Gone,
    /// Its last binding ended, longer than the grace ago, and it did not give it up.
    Lapse {
        /// When the binding ended.
        from: Timestamp,
        /// Why, as far as is known.
        cause: Cause,
        /// The last REGISTER before.
        tried: Option<Timestamp>,
        /// Its keepalives.
        keepalives: Beating,
    },
    /// No keepalive for interval × count.
    Offline {
        /// The last keepalive.
        last: Timestamp,
        /// The interval they are judged by.
        interval: i64,
        /// How many may be missing.
        count: u32,
    },
    /// No REGISTER when the operator expects one.
    Overdue {
        /// The last one.
        last: Timestamp,
        /// The interval that is expected.
        expected: i64,
    },
    /// An attempt came to nothing; the first since the last success.
    Fail {
        /// When it began.
        start: Timestamp,
        /// What came of it.
        outcome: Outcome,
        /// Who tried.
        source: Endpoint,
    },
    /// A device that was told to be lapsed or offline is back.
    Back {
        /// From what.
        from: Alarm,
        /// For how long it was: since the binding ended, since the last keepalive.
        after: i64,
        /// What is new about it.
        moved: Moved,
    },
    /// Many devices begin to register at once.
    Storm(Surge),
    /// That is over.
    Calm(Surge),
}

/// What a device comes back from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Alarm {
    /// [`Turn::Lapse`].
    Lapse,
    /// [`Turn::Offline`].
    Offline,
}

/// The keepalives of a device that lapsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beating {
    /// None was seen.
    Never,
    /// They go on.
    On,
    /// The last came then, too long ago.
    Ended(Timestamp),
}

/// What is new about a device that is back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// Nothing.
    Not,
    /// It comes from another address.
    Address(Endpoint),
    /// From another port.
    Port(u16),
    /// Over another connection.
    Connection,
}

impl Moved {
    /// What is new between two REGISTERs, each with its connection, 0 on datagrams.
    pub(super) fn between(old: (Endpoint, u32), new: (Endpoint, u32)) -> Self {
        if old.0.ip != new.0.ip {
            Self::Address(new.0)
        } else if old.0.port != new.0.port {
            Self::Port(new.0.port)
        } else if old.1 != new.1 {
            Self::Connection
        } else {
            Self::Not
        }
    }
}
