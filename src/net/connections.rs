//! The table of TCP connections: both directions under one number, bounded; those that proved
//! nothing go first, then those idle for longest.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::limits::Limits;
use crate::net::recent::Recent;
use crate::net::stream::{Arrival, Reading, Stream};
use crate::net::{Endpoint, Packet, Segment};
use crate::time::Timestamp;

/// Entries of connections that are gone or proved themselves, beyond as many as are open, that wait
/// to be passed over.
const STALE: usize = 1 << 12;

/// The share of connections that may have proved nothing before they go first: 1 in so many.
const DOUBTFUL: usize = 4;

/// All connections of a run. `S` is what the layer above keeps for each.
///
/// After every [`observe`](Self::observe): drain `Seen::ended`, then read. Before every frame:
/// [`overdue`](Self::overdue) until it says `None`. At the end: [`finish`](Self::finish) likewise.
#[derive(Debug)]
pub struct Connections<S> {
    open: Recent<Ends, Connection<S>>,
    ended: Vec<Connection<S>>,
    /// Connections that had proved nothing when they began, oldest first: the first to go, so that
    /// a flood of them does not cost those of others.
    doubtful: VecDeque<(Ends, u32)>,
    /// How many of those that are open proved themselves.
    proven: usize,
    /// Connections that had to go before their end.
    let_go: u64,
    /// When to look at which connection again because octets are missing.
    deadlines: BinaryHeap<Reverse<(Timestamp, u32, Ends)>>,
    /// The connection that was lent out last: what it holds is counted afterwards.
    lent: Option<Ends>,
    held: usize,
    numbers: u32,
    most: usize,
    stream_bytes: usize,
    memory: usize,
}

/// What the layer above keeps for a connection.
pub trait Keep: Default {
    /// Octets of private memory it holds.
    fn held(&self) -> usize;

    /// Whether the connection is known to carry what is looked for.
    fn is_proven(&self) -> bool;
}

impl Keep for () {
    fn held(&self) -> usize {
        0
    }

    fn is_proven(&self) -> bool {
        false
    }
}

/// The two endpoints of a connection, the lower first.
type Ends = (Endpoint, Endpoint);

/// One TCP connection.
#[derive(Debug)]
pub struct Connection<S> {
    /// Its number in the run, from 1.
    pub number: u32,
    /// What the layer above keeps for it.
    pub state: S,
    ends: Ends,
    streams: [Stream; 2],
    stage: Stage,
    closed: [bool; 2],
    held: usize,
    queued: bool,
    proven: bool,
    last: Arrival,
}

/// Which of the two directions, by its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The lower endpoint sends.
    Lower,
    /// The higher endpoint sends.
    Higher,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Its start was not captured, or it is open.
    Open,
    /// This side sent SYN; no answer so far.
    Opening(Side),
    /// RST.
    Reset,
}

/// What a segment did to its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Its sender opens the connection.
    Opened,
    /// Its sender closed its direction (the first FIN).
    Closed,
    /// Its sender aborted the connection.
    Reset,
    /// Its sender refused to open it: RST in answer to SYN.
    Refused,
}

/// Where a segment belongs.
#[derive(Debug)]
pub struct Seen<'t, S> {
    /// Connections that ended by this: evicted, or replaced by a new one on the same ports.
    /// Read what is left of them ([`Connection::finish`]) before anything else.
    pub ended: &'t mut Vec<Connection<S>>,
    /// The connection.
    pub connection: &'t mut Connection<S>,
    /// The direction of the segment.
    pub side: Side,
    /// What the segment changed.
    pub change: Option<Change>,
}

impl Side {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Lower, Self::Higher];

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Lower => Self::Higher,
            Self::Higher => Self::Lower,
        }
    }
}

impl<S: Keep> Connections<S> {
    /// An empty table.
    pub fn new(limits: &Limits) -> Self {
        Self {
            open: Recent::default(),
            ended: Vec::new(),
            doubtful: VecDeque::new(),
            proven: 0,
            let_go: 0,
            deadlines: BinaryHeap::new(),
            lent: None,
            held: 0,
            numbers: 0,
            most: (limits.streams / 2).max(1),
            stream_bytes: limits.stream_bytes,
            memory: limits.memory / 4,
        }
    }

    /// Finds or opens the connection of a segment and lets both directions know of it; the octets
    /// are not taken in: `seen.connection.parts(seen.side).0.insert(…)` does that.
    pub fn observe(
        &mut self,
        packet: &Packet<'_>,
        segment: &Segment<'_>,
        arrival: Arrival,
    ) -> Seen<'_, S> {
        self.settle();
        let side = if packet.from <= packet.to { Side::Lower } else { Side::Higher };
        let ends = match side {
            Side::Lower => (packet.from, packet.to),
            Side::Higher => (packet.to, packet.from),
        };
        let Self { open, ended, doubtful, numbers, stream_bytes, .. } = self;
        let (connection, replaced) = open.upsert(
            ends,
            |connection| !connection.is_replaced_by(segment, side),
            || {
                *numbers += 1;
                doubtful.push_back((ends, *numbers));
                Connection::new(*numbers, ends, *stream_bytes)
            },
        );
        if let Some(replaced) = replaced {
            self.held = self.held.saturating_sub(replaced.held);
            self.proven -= usize::from(replaced.proven);
            ended.push(replaced);
        }
        self.lent = Some(ends);
        connection.last = arrival;
        let change = connection.hear(segment, side, arrival.time);
        Seen { ended, connection, side, change }
    }

    /// The next connection of which missing octets are given up at `now`, and the direction to
    /// [`read`](Stream::read).
    #[inline]
    pub fn overdue(&mut self, now: Timestamp) -> Option<(&mut Connection<S>, Side)> {
        // Asked for each frame, and hardly ever is there one.
        let is_due = self.deadlines.peek().is_some_and(|Reverse((at, ..))| *at <= now);
        if is_due || self.lent.is_some() { self.next_overdue(now) } else { None }
    }

    fn next_overdue(&mut self, now: Timestamp) -> Option<(&mut Connection<S>, Side)> {
        self.settle();
        let (ends, side) = loop {
            let &Reverse((at, number, ends)) = self.deadlines.peek()?;
            if now < at {
                return None;
            }
            self.deadlines.pop();
            let Some(connection) = self.open.peek(&ends) else { continue };
            if connection.number != number {
                continue;
            }
            connection.queued = false;
            match connection.side_overdue(now) {
                Some(side) => break (ends, side),
                None => connection.queue(&mut self.deadlines),
            }
        };
        self.lent = Some(ends);
        self.open.peek(&ends).map(|connection| (connection, side))
    }

    /// How many connections had to go before their end, since this was asked last.
    pub fn take_let_go(&mut self) -> u64 {
        std::mem::take(&mut self.let_go)
    }

    /// Takes out what ended by eviction since, then every connection, oldest use first.
    pub fn finish(&mut self) -> Option<Connection<S>> {
        self.settle();
        self.ended.pop().or_else(|| self.open.remove_oldest())
    }

    /// The connection between two endpoints, the lower first, while it is the one of this number.
    pub fn find(&mut self, ends: (Endpoint, Endpoint), number: u32) -> Option<&mut Connection<S>> {
        self.settle();
        self.lent = Some(ends);
        self.open.peek(&ends).filter(|connection| connection.number == number)
    }

    /// Number of connections held.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// True without connections.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Counts what the connection lent out last holds now, and keeps the bounds.
    fn settle(&mut self) {
        if let Some(ends) = self.lent.take()
            && let Some(connection) = self.open.peek(&ends)
        {
            let streams: usize = connection.streams.iter().map(Stream::held).sum();
            let held = streams + connection.state.held();
            self.held = (self.held + held).saturating_sub(connection.held);
            connection.held = held;
            let is_proven = connection.state.is_proven();
            self.proven += usize::from(is_proven && !connection.proven);
            connection.proven |= is_proven;
            connection.queue(&mut self.deadlines);
        }
        while self.most < self.open.len() || self.memory < self.held {
            let Some(one) = self.next_to_go() else { return };
            self.held = self.held.saturating_sub(one.held);
            self.proven -= usize::from(one.proven);
            self.let_go += u64::from(!one.is_over());
            self.ended.push(one);
        }
        if 2 * self.open.len() + STALE < self.doubtful.len() {
            let Self { open, doubtful, .. } = self;
            doubtful.retain(|(ends, number)| is_doubtful(open.peek(ends), *number));
        }
    }

    /// Takes out the oldest connection that has proved nothing, while more than a few are such, or
    /// else the one idle for longest.
    fn next_to_go(&mut self) -> Option<Connection<S>> {
        let doubtful = self.open.len().saturating_sub(self.proven);
        while self.most / DOUBTFUL < doubtful
            && let Some((ends, number)) = self.doubtful.pop_front()
        {
            if is_doubtful(self.open.peek(&ends), number) {
                return self.open.remove(&ends);
            }
        }
        self.open.remove_oldest()
    }
}

/// Whether the connection that is open now is still the one of this `number`, and proved nothing.
fn is_doubtful<S>(open: Option<&mut Connection<S>>, number: u32) -> bool {
    open.is_some_and(|connection| connection.number == number && !connection.proven)
}

impl<S: Keep> Connection<S> {
    fn new(number: u32, ends: Ends, stream_bytes: usize) -> Self {
        Self {
            number,
            state: S::default(),
            ends,
            streams: [Stream::new(stream_bytes), Stream::new(stream_bytes)],
            stage: Stage::Open,
            closed: [false; 2],
            held: 0,
            queued: false,
            proven: false,
            last: Arrival::default(),
        }
    }
}

impl<S> Connection<S> {
    /// Who sends on `side`.
    pub fn from(&self, side: Side) -> Endpoint {
        match side {
            Side::Lower => self.ends.0,
            Side::Higher => self.ends.1,
        }
    }

    /// Who receives what `side` sends.
    pub fn to(&self, side: Side) -> Endpoint {
        self.from(side.other())
    }

    /// The stream that `side` sends, and the state, to be used together.
    pub fn parts(&mut self, side: Side) -> (&mut Stream, &mut S) {
        (&mut self.streams[side as usize], &mut self.state)
    }

    /// Marks both directions as no business of ours: nothing is held for them from here on.
    pub fn ignore(&mut self) {
        self.streams.iter_mut().for_each(Stream::ignore);
    }

    /// True when nothing more is expected of it: both sides closed it, one aborted it, or it is no
    /// business of ours.
    fn is_over(&self) -> bool {
        self.stage == Stage::Reset
            || self.closed == [true; 2]
            || self.streams.iter().all(Stream::is_ignored)
    }

    /// The frame seen last.
    pub fn last(&self) -> Arrival {
        self.last
    }

    /// All that is left of `side`, when nothing will come any more.
    pub fn finish(&mut self, side: Side) -> (Reading<'_>, &mut S) {
        (self.streams[side as usize].finish(self.last), &mut self.state)
    }

    /// True when a SYN on `side` opens another connection on the same ports.
    fn is_replaced_by(&self, segment: &Segment<'_>, side: Side) -> bool {
        if !segment.flags.syn {
            return false;
        }
        match self.streams[side as usize].first_seq() {
            Some(first) => first != segment.seq.wrapping_add(1),
            None => {
                let answers = segment.flags.ack && self.stage == Stage::Opening(side.other());
                !answers && self.streams[side.other() as usize].is_under_way()
            }
        }
    }

    fn hear(&mut self, segment: &Segment<'_>, side: Side, now: Timestamp) -> Option<Change> {
        let flags = segment.flags;
        if flags.ack {
            self.streams[side.other() as usize].acknowledge(segment.ack, now);
        }
        if flags.rst {
            return self.hear_reset(side);
        }
        let stage = self.stage;
        if stage == Stage::Opening(side.other()) {
            self.stage = Stage::Open;
        }
        if flags.syn {
            let known = self.streams[side as usize].first_seq().is_some();
            self.streams[side as usize].open(segment.seq.wrapping_add(1), now);
            if !flags.ack && !known {
                self.stage = Stage::Opening(side);
                return Some(Change::Opened);
            }
        }
        let first = flags.fin && !std::mem::replace(&mut self.closed[side as usize], flags.fin);
        first.then_some(Change::Closed)
    }

    fn hear_reset(&mut self, side: Side) -> Option<Change> {
        let stage = std::mem::replace(&mut self.stage, Stage::Reset);
        self.streams.iter_mut().for_each(Stream::abort);
        match stage {
            Stage::Reset => None,
            Stage::Opening(opener) if opener != side => Some(Change::Refused),
            // Many a stack resets what both sides have closed.
            Stage::Open | Stage::Opening(_) => (self.closed != [true; 2]).then_some(Change::Reset),
        }
    }

    fn side_overdue(&self, now: Timestamp) -> Option<Side> {
        let overdue = |side: &Side| {
            self.streams[*side as usize].deadline().is_some_and(|deadline| deadline <= now)
        };
        Side::BOTH.into_iter().find(overdue)
    }

    fn queue(&mut self, deadlines: &mut BinaryHeap<Reverse<(Timestamp, u32, Ends)>>) {
        let next = self.streams.iter().filter_map(Stream::deadline).min();
        if let Some(at) = next
            && !self.queued
        {
            self.queued = true;
            deadlines.push(Reverse((at, self.number, self.ends)));
        }
    }
}
