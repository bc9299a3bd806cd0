//! Tells new messages, retransmissions, duplicates and next hops apart, on compact keys.
//!
//! It keeps no message, so a stream of any length is judged in flat memory; a call flow uses it
//! with its own message numbers, `messages` with frame numbers.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::num::NonZeroU32;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::reading::Clues;
use super::{Few, Seed};
use crate::near;
use crate::net::Endpoint;
use crate::sip::{Message, Method, Status};
use crate::time::{MILLISECOND, TIMEOUT, Timestamp};
use crate::transport::Envelope;

/// Octets equal, same hop, and this close together: one packet captured twice.
const TWICE: i64 = 5 * MILLISECOND;
/// No copy of a message comes later than this after the last one (timers B, F and H).
const WINDOW: i64 = TIMEOUT;
/// How long an element that hides its Vias may take to send a message on.
const RELAY: i64 = 4_000 * MILLISECOND;
/// Passages of one message that are compared. A stranger may send a million.
const WALK: usize = 64;
/// Up to this many passages are scanned, more are found through a map.
const SCAN: usize = 32;

/// How a sighting relates to earlier ones; `T` names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sighted<T> {
    /// First sighting of the message.
    New,
    /// Sent again on the same hop.
    Retransmission(T),
    /// The same packet captured again.
    Duplicate(T),
    /// The same message on another hop.
    Forwarded(T),
}

impl<T> Sighted<T> {
    /// The same with another name for what it names.
    pub fn map<U>(self, name: impl Fn(T) -> U) -> Sighted<U> {
        match self {
            Self::New => Sighted::New,
            Self::Retransmission(of) => Sighted::Retransmission(name(of)),
            Self::Duplicate(of) => Sighted::Duplicate(name(of)),
            Self::Forwarded(of) => Sighted::Forwarded(name(of)),
        }
    }
}

/// The compact identity of one sighting.
#[derive(Clone, Debug)]
pub struct Print {
    /// Equal for all sightings of one message, on any hop.
    message: u64,
    vias: Few<u32>,
    /// Sender, receiver and transport; a port that a client makes up for a connection left out.
    hop: u32,
    from: u32,
    to: u32,
    body: u32,
    time: Timestamp,
    ip_id: u32,
    connection: u32,
    travels: Travels,
    is_request: bool,
}

/// How far a message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Travels {
    /// From end to end; an element on the way may hide Vias.
    Far,
    /// Maybe; only its Vias can tell. An ACK is end to end for a 2xx and hop by hop for others.
    ByVias,
    /// Each hop has its own (CANCEL, 100).
    OneHop,
}

impl Print {
    /// The identity of `message` among those of any Call-ID.
    pub fn of(message: &Message, seed: Seed) -> Self {
        Clues::within(seed.hash(message.call_id()), message, seed).print
    }

    /// How many Vias the message has.
    pub(super) fn vias(&self) -> usize {
        self.vias.len()
    }

    /// That of a message whose `identity` is equal on any hop.
    pub(super) fn of_parts(
        message: &Message,
        identity: u64,
        vias: Few<u32>,
        travels: Travels,
        seed: Seed,
    ) -> Self {
        let envelope = &message.envelope;
        let (from, to) = (envelope.from, envelope.to);
        let is_request = message.is_request();
        // Between two programs of one host only the ports tell who is who.
        let host = |end: Endpoint| match end.ip {
            _ if from.ip == to.ip => seed.short(end),
            IpAddr::V4(ip) => ip.to_bits(),
            IpAddr::V6(ip) => seed.short(ip),
        };
        let provisional = message.status().is_some_and(Status::is_provisional);
        Self {
            message: identity,
            vias,
            hop: hop_of(envelope, is_request, seed),
            from: host(from),
            to: host(to),
            // A second 183 with another body is news, though all else may be equal.
            body: if provisional { seed.short(message.body()) } else { 0 },
            time: envelope.time,
            ip_id: envelope.ip_id.map_or(0, NonZeroU32::get),
            connection: envelope.connection,
            travels,
            is_request,
        }
    }
}

/// [`Print::hop`].
fn hop_of(envelope: &Envelope, is_request: bool, seed: Seed) -> u32 {
    let Envelope { from, to, transport, .. } = *envelope;
    let carrier = (transport as u64) << 1;
    if !transport.is_reliable() {
        return seed.short((seed.endpoint(from), seed.endpoint(to), carrier));
    }
    let (client, server) = if is_request { (from, to) } else { (to, from) };
    let client = seed.endpoint(Endpoint { port: 0, ..client });
    seed.short((client, seed.endpoint(server), carrier | u64::from(is_request)))
}

impl Travels {
    pub(super) fn of(method: Option<&Method>, status: Option<Status>) -> Self {
        match (method, status) {
            (Some(Method::Cancel), _) | (_, Some(Status(100))) => Self::OneHop,
            (Some(Method::Ack), _) => Self::ByVias,
            _ => Self::Far,
        }
    }
}

/// What was seen lately.
#[derive(Clone, Debug)]
pub struct Passages<T> {
    records: VecDeque<Record<T>>,
    /// Number of the first record; numbers count on for ever.
    base: u64,
    /// Message to its newest record, once there are many; boxed, since most never are.
    newest: Option<Box<FxHashMap<u64, u64>>>,
    /// Narrow, both of them, since every flow has such a list.
    limit: u32,
    /// Records that had to go though a copy could still come.
    let_go: u32,
}

/// One message on one hop.
#[derive(Clone, Debug)]
struct Record<T> {
    message: u64,
    /// How many records back the one before it of the same message is; 0 without one.
    back: u32,
    vias: Few<u32>,
    hop: u32,
    from: u32,
    to: u32,
    body: u32,
    first: T,
    /// The last transmissions, newest last; older ones matter no more.
    sent: SmallVec<[Sent<T>; 1]>,
}

#[derive(Clone, Copy, Debug)]
struct Sent<T> {
    time: Timestamp,
    ip_id: u32,
    connection: u32,
    id: T,
}

/// Transmissions of one message on one hop that are compared for duplicates.
const SENT: usize = 4;

impl<T> Default for Passages<T> {
    fn default() -> Self {
        Self::new(1 << 18)
    }
}

impl<T> Passages<T> {
    /// Remembers at most `limit` messages, each on each hop.
    pub fn new(limit: u32) -> Self {
        Self { records: VecDeque::new(), base: 0, newest: None, limit: limit.max(1), let_go: 0 }
    }

    /// Messages of which a copy that came later would not have been known as one.
    pub const fn let_go(&self) -> u64 {
        self.let_go as u64
    }

    /// Asks for what the next message is compared with: what is known of those that came last, and
    /// of the oldest, which may be forgotten.
    pub(super) fn ask_for_ends(&self) {
        self.records.front().inspect(|record| near::ask_for(*record));
        self.records.back().inspect(|record| near::ask_for(*record));
    }

    /// Octets of private memory it holds.
    pub fn heap_size(&self) -> usize {
        self.records.capacity() * size_of::<Record<T>>()
            + self.newest.as_ref().map_or(0, |map| map.capacity() * (size_of::<(u64, u64)>() + 1))
    }
}

impl<T: Copy> Passages<T> {
    /// Judges the next sighting and remembers it as `id`; `same_text` says whether the message that
    /// an earlier one names has the same octets.
    pub fn observe(&mut self, print: &Print, id: T, same_text: impl Fn(T) -> bool) -> Sighted<T> {
        self.forget(print.time);
        let mut forwarded: Option<(i32, T)> = None;
        let mut next = self.newest_of(print.message);
        for _ in 0..WALK {
            let Some(record) = next.and_then(|at| self.records.get_mut(at)) else { break };
            if record.is_recent(print.time) {
                if record.is_same_hop(print) {
                    return record.again(print, id, same_text);
                }
                if let Some(score) = record.relay_score(print)
                    && forwarded.is_none_or(|(best, _)| best < score)
                {
                    forwarded = Some((score, record.first));
                }
            }
            next = next.and_then(|at| self.before(at));
        }
        self.add(print, id);
        forwarded.map_or(Sighted::New, |(_, first)| Sighted::Forwarded(first))
    }

    /// The place of the newest record of `message`.
    fn newest_of(&self, message: u64) -> Option<usize> {
        match &self.newest {
            None => self.records.iter().rposition(|record| record.message == message),
            Some(newest) => usize::try_from(newest.get(&message)?.checked_sub(self.base)?).ok(),
        }
    }

    /// The place of the record of the same message before the one at `at`.
    fn before(&self, at: usize) -> Option<usize> {
        let record = self.records.get(at)?;
        match &self.newest {
            None => self.records.range(..at).rposition(|old| old.message == record.message),
            Some(_) => at.checked_sub(record.back as usize).filter(|before| *before < at),
        }
    }

    fn add(&mut self, print: &Print, id: T) {
        let count = self.records.len();
        if count == self.records.capacity() {
            // By little, not twice as much: every flow has such a list, and many have two messages.
            self.records.reserve_exact(match count {
                0 => 2,
                1..16 => 4,
                _ => count / 2,
            });
        }
        self.records.push_back(Record {
            message: print.message,
            back: 0,
            vias: print.vias.clone(),
            hop: print.hop,
            from: print.from,
            to: print.to,
            body: print.body,
            first: id,
            sent: SmallVec::from_buf([Sent::of(print, id)]),
        });
        if self.newest.is_some() {
            self.link(self.base + count as u64);
        } else if SCAN <= count {
            for place in 0..=count {
                self.link(self.base + place as u64);
            }
        }
    }

    fn link(&mut self, at: u64) {
        let Some(record) = self.records.get_mut((at - self.base) as usize) else { return };
        let before = self.newest.get_or_insert_default().insert(record.message, at);
        record.back = before.and_then(|before| u32::try_from(at - before).ok()).unwrap_or(0);
    }

    /// Drops what is out of the window, and the oldest while there is too much.
    fn forget(&mut self, now: Timestamp) {
        while let Some(record) = self.records.front() {
            let is_recent = record.is_recent(now);
            if self.records.len() < self.limit as usize && is_recent {
                return;
            }
            self.let_go = self.let_go.saturating_add(is_recent.into());
            if let Some(newest) = &mut self.newest
                && newest.get(&record.message) == Some(&self.base)
            {
                newest.remove(&record.message);
            }
            self.records.pop_front();
            self.base += 1;
        }
    }
}

impl<T: Copy> Record<T> {
    fn is_recent(&self, now: Timestamp) -> bool {
        self.sent.last().is_some_and(|sent| now.since(sent.time) <= WINDOW)
    }

    fn is_same_hop(&self, print: &Print) -> bool {
        self.hop == print.hop && self.vias.first() == print.vias.first() && self.body == print.body
    }

    /// Notes another transmission on the same hop.
    fn again(&mut self, print: &Print, id: T, same_text: impl Fn(T) -> bool) -> Sighted<T> {
        let mut sent = self.sent.iter();
        if let Some(twin) = sent.find(|sent| sent.may_be_twin(print) && same_text(sent.id)) {
            return Sighted::Duplicate(twin.id);
        }
        if self.sent.len() == SENT {
            self.sent.remove(0);
        }
        self.sent.push(Sent::of(print, id));
        Sighted::Retransmission(self.first)
    }

    /// How surely `print` is this message on another hop; `None` when nothing says so.
    fn relay_score(&self, print: &Print) -> Option<i32> {
        let (old, new) = (self.vias.as_slice(), print.vias.as_slice());
        if !old.is_empty() && old == new {
            // An address translator, or a forwarder that adds no Via.
            return (self.hop != print.hop).then_some(4_000);
        }
        if print.travels == Travels::OneHop || old.is_empty() || new.is_empty() {
            return None;
        }
        // A request gains Vias on its way, a response loses them.
        let (short, long) = if print.is_request { (old, new) } else { (new, old) };
        let depth = i32::try_from(old.len().min(100)).unwrap_or(0);
        if short.len() < long.len() && long.ends_with(short) {
            return Some(if print.is_request { 3_000 + depth } else { 3_000 - depth });
        }
        if long.iter().skip(1).any(|via| Some(via) == short.first()) {
            return Some(if print.is_request { 2_500 + depth } else { 2_500 - depth });
        }
        // The hops came in the wrong order: two capture points with two clocks.
        if long.len() < short.len() && short.ends_with(long) {
            return Some(1_000);
        }
        let handed_on = self.to == print.from && self.from != print.to;
        let soon = self.sent.last().is_some_and(|sent| print.time.since(sent.time) <= RELAY);
        (print.travels == Travels::Far && handed_on && soon).then_some(500)
    }
}

impl<T> Sent<T> {
    fn of(print: &Print, id: T) -> Self {
        Self { time: print.time, ip_id: print.ip_id, connection: print.connection, id }
    }

    /// True when `print` is this very packet, captured a second time, if its text is the same.
    fn may_be_twin(&self, print: &Print) -> bool {
        // Within one connection reassembly has taken doubled segments away already.
        let same_stream = self.connection != 0 && self.connection == print.connection;
        let together = print.time.since(self.time).abs() <= TWICE;
        let same_packet = self.ip_id != 0 && self.ip_id == print.ip_id;
        !same_stream && (together || same_packet)
    }
}
