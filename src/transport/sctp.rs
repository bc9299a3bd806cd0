//! SIP over SCTP: DATA and I-DATA chunks become messages (RFC 4168, RFC 9260 section 3.3.1,
//! RFC 8260 section 2.1).

use std::collections::{BTreeMap, VecDeque};

use crate::limits::Limits;
use crate::net::Endpoint;
use crate::net::recent::Recent;
use crate::transport::Completeness;

const DATA: u8 = 0;
const I_DATA: u8 = 64;
/// Octets of a chunk before its data.
const DATA_HEADER: usize = 16;
const I_DATA_HEADER: usize = 20;
/// What one held fragment costs beside its octets.
const OVERHEAD: usize = 64;
/// Fragments of one direction held at once.
const FRAGMENTS: usize = 1_024;
/// Numbers of chunks remembered per direction, to know a retransmission.
const REMEMBERED: usize = 64;

/// All directions of all associations.
#[derive(Debug)]
pub struct Associations {
    directions: Recent<(Endpoint, Endpoint), Direction>,
    held: usize,
    bound: usize,
    count: usize,
}

/// One direction of an association.
#[derive(Debug, Default)]
struct Direction {
    fragments: BTreeMap<Key, Fragment>,
    /// Numbers of whole messages and fragments seen last.
    seen: VecDeque<u32>,
}

/// A row of fragments, and the place in it. DATA chunks are all one row, of which the transmission
/// sequence number gives the order; of I-DATA each message has a row of its own.
type Key = (u64, u32);

#[derive(Debug)]
struct Fragment {
    place: Place,
    bytes: Box<[u8]>,
}

/// Where in its message a fragment stands: the B and E bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Whole,
    First,
    Middle,
    Last,
}

/// A chunk of data.
struct Data<'a> {
    place: Place,
    /// Transmission sequence number.
    number: u32,
    key: Key,
    bytes: &'a [u8],
}

impl Associations {
    /// An empty table within `limits`.
    pub fn new(limits: &Limits) -> Self {
        Self {
            directions: Recent::default(),
            held: 0,
            bound: limits.fragment_bytes,
            count: limits.fragments,
        }
    }

    /// Fragments that wait for others.
    pub fn waiting(&mut self) -> u64 {
        let mut waiting = 0;
        while let Some(direction) = self.directions.remove_oldest() {
            waiting += direction.fragments.len() as u64;
        }
        self.held = 0;
        waiting
    }

    /// Takes the chunks of a packet in and hands out every user message that is whole then.
    /// Returns how many fragments were let go.
    pub fn read(
        &mut self,
        ends: (Endpoint, Endpoint),
        chunks: &[u8],
        each: &mut dyn FnMut(&[u8], Completeness),
    ) -> u64 {
        let mut let_go = 0;
        let mut rest = chunks;
        while let Some((&[kind, flags, high, low], _)) = rest.split_first_chunk() {
            let len = usize::from(u16::from_be_bytes([high, low]));
            if len < 4 {
                break;
            }
            let chunk = rest.get(..len).unwrap_or(rest);
            if let Some(data) = Data::of(kind, flags, chunk) {
                // A fragment that the snap length cut is as good as lost.
                match (data.place, chunk.len() < len) {
                    (_, false) => let_go += self.data(ends, &data, each),
                    (Place::Whole | Place::First, true) => {
                        each(data.bytes, Completeness::Truncated);
                    }
                    (Place::Middle | Place::Last, true) => {}
                }
            }
            rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
        }
        while self.bound < self.held || self.count < self.directions.len() {
            let Some(oldest) = self.directions.remove_oldest() else { break };
            self.held = self.held.saturating_sub(oldest.held());
            let_go += oldest.fragments.len() as u64;
        }
        let_go
    }

    /// Takes one chunk in; returns how many fragments were let go for it.
    fn data(
        &mut self,
        ends: (Endpoint, Endpoint),
        data: &Data<'_>,
        each: &mut dyn FnMut(&[u8], Completeness),
    ) -> u64 {
        let (direction, _) = self.directions.upsert(ends, |_| true, Direction::default);
        if direction.knows(data.number) {
            return 0;
        }
        if data.place == Place::Whole {
            each(data.bytes, Completeness::Whole);
            return 0;
        }
        let before = direction.held();
        let mut let_go = 0;
        if FRAGMENTS <= direction.fragments.len() {
            let_go = direction.fragments.len() as u64;
            direction.fragments.clear();
        }
        let fragment = Fragment { place: data.place, bytes: data.bytes.into() };
        direction.fragments.insert(data.key, fragment);
        if let Some(message) = direction.assemble(data.key) {
            each(&message, Completeness::Whole);
        }
        self.held = (self.held + direction.held()).saturating_sub(before);
        let_go
    }
}

impl Direction {
    fn held(&self) -> usize {
        self.fragments.values().map(|fragment| fragment.bytes.len() + OVERHEAD).sum()
    }

    /// True when the chunk was seen before; remembers it.
    fn knows(&mut self, number: u32) -> bool {
        if self.seen.contains(&number) {
            return true;
        }
        if REMEMBERED <= self.seen.len() {
            self.seen.pop_front();
        }
        self.seen.push_back(number);
        false
    }

    /// The message around the fragment `key`, when it is whole.
    fn assemble(&mut self, (row, number): Key) -> Option<Vec<u8>> {
        let mut first = number;
        while self.fragments.get(&(row, first))?.place != Place::First {
            first = first.wrapping_sub(1);
            if self.fragments.get(&(row, first))?.place == Place::Last {
                return None;
            }
        }
        let mut last = number;
        while self.fragments.get(&(row, last))?.place != Place::Last {
            last = last.wrapping_add(1);
            if self.fragments.get(&(row, last))?.place == Place::First {
                return None;
            }
        }
        let mut message = Vec::new();
        let mut at = first;
        loop {
            message.extend_from_slice(&self.fragments.remove(&(row, at))?.bytes);
            if at == last {
                return Some(message);
            }
            at = at.wrapping_add(1);
        }
    }
}

impl<'a> Data<'a> {
    fn of(kind: u8, flags: u8, chunk: &'a [u8]) -> Option<Self> {
        let place = match flags & 3 {
            3 => Place::Whole,
            2 => Place::First,
            1 => Place::Last,
            _ => Place::Middle,
        };
        let word = |at: usize| Some(u32::from_be_bytes(*chunk.get(at..)?.first_chunk()?));
        let number = word(4)?;
        let (key, header) = match kind {
            DATA => ((0, number), DATA_HEADER),
            I_DATA => {
                // Ordered and unordered messages are numbered apart; the first fragment has the
                // protocol where the others have their place.
                let stream = u64::from(word(8)? >> 16) << 32 | u64::from(flags & 4) << 48;
                let row = 1 << 63 | stream | u64::from(word(12)?);
                let at = if place == Place::First { 0 } else { word(16)? };
                ((row, at), I_DATA_HEADER)
            }
            _ => return None,
        };
        Some(Self { place, number, key, bytes: chunk.get(header..)? })
    }
}
