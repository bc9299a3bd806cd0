//! One direction of a TCP connection, and how it was opened.

use super::Link;
use super::desk::Origin;
use crate::net::connections::{Connection, Side};
use crate::net::stream::Arrival;
use crate::net::{Endpoint, PathId};

/// A SYN that was not told so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opening {
    pub(super) arrival: Arrival,
    pub(super) direction: Direction,
}

impl Opening {
    pub(super) fn origin(self, path: PathId) -> Origin {
        self.direction.origin(self.arrival, path)
    }
}

/// A direction of a connection by name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Direction {
    pub(super) side: Side,
    from: Endpoint,
    to: Endpoint,
    pub(super) number: u32,
}

impl Direction {
    pub(super) fn of(connection: &Connection<Link>, side: Side) -> Self {
        let (from, to) = (connection.from(side), connection.to(side));
        Self { side, from, to, number: connection.number }
    }

    /// The other direction of the same connection.
    pub(super) fn turned(self) -> Self {
        Self { side: self.side.other(), from: self.to, to: self.from, ..self }
    }

    /// Both endpoints, the lower first.
    pub(super) fn ends(self) -> (Endpoint, Endpoint) {
        (self.from.min(self.to), self.from.max(self.to))
    }

    pub(super) fn origin(self, arrival: Arrival, path: PathId) -> Origin {
        Origin {
            arrival,
            from: self.from,
            to: self.to,
            connection: self.number,
            ip_id: None,
            path,
            fragments: 1,
        }
    }
}
