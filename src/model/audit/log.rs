//! The attempts of one device in few octets each: differences to the attempt before.

use std::sync::Arc;

use super::arena::{Arena, Tape};
use super::attempt::Kind;
use super::record::{CallId, Record, Shape, Trigger};
use crate::frame::{FileId, FrameId};
use crate::net::Endpoint;
use crate::time::Timestamp;

/// An attempt as it is written down; what came of it is told when it is read.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) kind: Kind,
    pub(super) follow_up: bool,
    pub(super) start: Timestamp,
    /// Final response.
    pub(super) end: Option<Timestamp>,
    /// First transmission of the last request.
    pub(super) last: Timestamp,
    pub(super) frame: FrameId,
    pub(super) response_frame: Option<FrameId>,
    pub(super) source: Endpoint,
    pub(super) connection: u32,
    pub(super) call_id: CallId,
    pub(super) cseq: u32,
    pub(super) retransmissions: u32,
    pub(super) duplicate_responses: u32,
    pub(super) date_skew: Option<i64>,
    /// Its place in the table of shapes.
    pub(super) shape: u32,
}

/// Attempts in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Log {
    tape: Tape,
    len: u32,
    /// The last one, which the next is told by.
    last: Base,
}

/// What an entry is told by.
#[derive(Clone, Debug)]
struct Base {
    start: i64,
    frame: FrameId,
    source: Endpoint,
    connection: u32,
    /// The hash of the Call-ID.
    call: u32,
}

impl Default for Base {
    fn default() -> Self {
        Self {
            start: 0,
            frame: FrameId::default(),
            source: Endpoint { ip: std::net::Ipv4Addr::UNSPECIFIED.into(), port: 0 },
            connection: 0,
            call: 0,
        }
    }
}

/// Marks of an entry: what follows, in this order.
mod mark {
    pub(super) const KIND: u64 = 0b111;
    pub(super) const FOLLOW_UP: u64 = 1 << 3;
    pub(super) const END: u64 = 1 << 4;
    pub(super) const SAME_CALL: u64 = 1 << 5;
    pub(super) const SAME_SOURCE: u64 = 1 << 6;
    pub(super) const COPIES: u64 = 1 << 7;
    pub(super) const SKEW: u64 = 1 << 8;
    pub(super) const FILE: u64 = 1 << 9;
    pub(super) const TEXT: u64 = 1 << 10;
}

const KINDS: [Kind; 7] = [
    Kind::FirstSeen,
    Kind::Initial,
    Kind::Refresh,
    Kind::Rebind,
    Kind::Query,
    Kind::Deregister,
    Kind::DeregisterAll,
];

impl Log {
    pub(super) fn len(&self) -> usize {
        self.len as usize
    }

    /// Octets of private memory it holds.
    pub(super) const fn heap_size(&self) -> usize {
        self.tape.held()
    }

    /// Adds the next attempt.
    pub(super) fn push(&mut self, entry: &Entry, arena: &mut Arena) {
        let base = &self.last;
        let same_call = self.len > 0 && base.call == entry.call_id.key;
        let same_source = base.source == entry.source && base.connection == entry.connection;
        let text = entry.call_id.text.as_ref().filter(|_| !same_call);
        let copies = entry.retransmissions + entry.duplicate_responses > 0;
        let mut marks = KINDS.iter().position(|kind| *kind == entry.kind).unwrap_or(0) as u64;
        for (is, mark) in [
            (entry.follow_up, mark::FOLLOW_UP),
            (entry.end.is_some(), mark::END),
            (same_call, mark::SAME_CALL),
            (same_source, mark::SAME_SOURCE),
            (copies, mark::COPIES),
            (entry.date_skew.is_some(), mark::SKEW),
            (base.frame.file() != entry.frame.file(), mark::FILE),
            (text.is_some(), mark::TEXT),
        ] {
            marks |= if is { mark } else { 0 };
        }
        let mut octets = Vec::with_capacity(64);
        let out = &mut octets;
        put(out, marks);
        put(out, u64::from(entry.shape));
        put_time(out, entry.start.0.wrapping_sub(base.start));
        put_time(out, entry.end.unwrap_or(entry.last).since(entry.start));
        put_signed(out, entry.frame.number().wrapping_sub(base.frame.number()).cast_signed());
        if let Some(frame) = entry.response_frame.filter(|_| entry.end.is_some()) {
            put_signed(out, frame.number().wrapping_sub(entry.frame.number()).cast_signed());
        }
        put(out, u64::from(entry.cseq));
        if !same_call {
            out.extend_from_slice(&entry.call_id.key.to_le_bytes());
        }
        if !same_source {
            put_endpoint(out, entry.source);
            put(out, u64::from(entry.connection));
        }
        if copies {
            put(out, u64::from(entry.retransmissions));
            put(out, u64::from(entry.duplicate_responses));
        }
        if let Some(skew) = entry.date_skew {
            put_time(out, skew);
        }
        if base.frame.file() != entry.frame.file() {
            put(out, u64::from(entry.frame.file().0));
        }
        if let Some(text) = text {
            put(out, text.len() as u64);
            out.extend_from_slice(text);
        }
        arena.extend(&mut self.tape, &octets);
        self.last = Base {
            start: entry.start.0,
            frame: entry.frame,
            source: entry.source,
            connection: entry.connection,
            call: entry.call_id.key,
        };
        self.len += 1;
    }

    /// Forgets all but the latest `keep`: how many, and when the first of the others began.
    pub(super) fn shed(&mut self, keep: usize, arena: &mut Arena) -> (usize, Option<Timestamp>) {
        let gone = self.len().saturating_sub(keep);
        let kept: Vec<Entry> = self.entries(arena).skip(gone).collect();
        arena.release(&mut self.tape);
        *self = Self::default();
        for entry in &kept {
            self.push(entry, arena);
        }
        (gone, kept.first().map(|entry| entry.start))
    }

    /// Attempts in order.
    pub(super) fn entries(&self, arena: &Arena) -> Entries {
        let octets = arena.octets(&self.tape);
        Entries { octets, at: 0, base: Base::default(), text: None }
    }
}

/// Reads a [`Log`].
pub(super) struct Entries {
    octets: Vec<u8>,
    /// Where the next begins.
    at: usize,
    base: Base,
    /// The text of the Call-ID before.
    text: Option<Arc<[u8]>>,
}

impl Iterator for Entries {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        let rest = &mut self.octets.get(self.at..)?;
        let from = &mut *rest;
        let marks = take(from)?;
        let has = |mark: u64| marks & mark != 0;
        let shape = take(from)? as u32;
        let start = Timestamp(self.base.start.wrapping_add(take_time(from)?));
        let over = start.plus(take_time(from)?);
        let number = self.base.frame.number().wrapping_add(take_signed(from)?.cast_unsigned());
        let end = has(mark::END).then_some(over);
        let answer = match end {
            Some(_) => Some(number.wrapping_add(take_signed(from)?.cast_unsigned())),
            None => None,
        };
        let cseq = take(from)? as u32;
        let mut call_id = CallId { key: self.base.call, text: self.text.take() };
        if !has(mark::SAME_CALL) {
            let (key, rest) = from.split_first_chunk::<4>()?;
            call_id = CallId { key: u32::from_le_bytes(*key), text: None };
            *from = rest;
        }
        let (mut source, mut connection) = (self.base.source, self.base.connection);
        if !has(mark::SAME_SOURCE) {
            source = take_endpoint(from)?;
            connection = take(from)? as u32;
        }
        let (mut retransmissions, mut duplicate_responses) = (0, 0);
        if has(mark::COPIES) {
            retransmissions = take(from)? as u32;
            duplicate_responses = take(from)? as u32;
        }
        let date_skew = if has(mark::SKEW) { Some(take_time(from)?) } else { None };
        let mut file = self.base.frame.file();
        if has(mark::FILE) {
            file = FileId(u16::try_from(take(from)?).ok()?);
        }
        if has(mark::TEXT) {
            let len = usize::try_from(take(from)?).ok()?;
            let (text, rest) = from.split_at_checked(len)?;
            call_id.text = Some(text.into());
            *from = rest;
        }
        self.at = self.octets.len() - from.len();
        let frame = FrameId::new(file, number);
        self.base = Base { start: start.0, frame, source, connection, call: call_id.key };
        self.text.clone_from(&call_id.text);
        Some(Entry {
            kind: KINDS[((marks & mark::KIND) as usize).min(KINDS.len() - 1)],
            follow_up: has(mark::FOLLOW_UP),
            start,
            end,
            last: over,
            frame,
            response_frame: answer.map(|number| FrameId::new(file, number)),
            source,
            connection,
            call_id,
            cseq,
            retransmissions,
            duplicate_responses,
            date_skew,
            shape,
        })
    }
}

impl Entry {
    /// The attempt as others see it, when the input ends at `until`.
    pub(super) fn record(
        self,
        shapes: &[Arc<Shape>],
        until: Timestamp,
        one_sided: bool,
    ) -> Option<Record> {
        let shape = Arc::clone(shapes.get(self.shape as usize)?);
        Some(Record {
            kind: self.kind,
            outcome: shape.outcome(self.end, self.last, until, one_sided),
            follow_up: self.follow_up,
            start: self.start,
            end: self.end,
            frame: self.frame,
            response_frame: self.response_frame,
            source: self.source,
            connection: self.connection,
            call_id: self.call_id,
            cseq: self.cseq,
            retransmissions: self.retransmissions,
            duplicate_responses: self.duplicate_responses,
            date_skew: self.date_skew,
            trigger: Trigger::First,
            shape,
        })
    }
}

fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn take(from: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (octet, rest) = from.split_first()?;
        *from = rest;
        value |= u64::from(octet & 0x7F) << shift;
        if octet & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn put_signed(out: &mut Vec<u8>, value: i64) {
    put(out, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

fn take_signed(from: &mut &[u8]) -> Option<i64> {
    let value = take(from)?;
    Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
}

/// Nanoseconds; whole microseconds, which most captures have, in fewer octets. The signed form has
/// one bit for the unit, so that spans of up to 146 years fit.
fn put_time(out: &mut Vec<u8>, nanos: i64) {
    let whole = nanos % 1000 == 0;
    let value = if whole { nanos / 1000 } else { nanos };
    put_signed(out, (value << 1) | i64::from(whole));
}

fn take_time(from: &mut &[u8]) -> Option<i64> {
    let value = take_signed(from)?;
    let unit = if value & 1 == 1 { 1000 } else { 1 };
    Some((value >> 1).wrapping_mul(unit))
}

fn put_endpoint(out: &mut Vec<u8>, end: Endpoint) {
    match end.ip {
        std::net::IpAddr::V4(ip) => {
            out.push(4);
            out.extend_from_slice(&ip.octets());
        }
        std::net::IpAddr::V6(ip) => {
            out.push(16);
            out.extend_from_slice(&ip.octets());
        }
    }
    out.extend_from_slice(&end.port.to_le_bytes());
}

fn take_endpoint(from: &mut &[u8]) -> Option<Endpoint> {
    let (size, rest) = from.split_first()?;
    let (ip, rest) = if *size == 4 {
        let (ip, rest) = rest.split_first_chunk::<4>()?;
        (std::net::IpAddr::from(*ip), rest)
    } else {
        let (ip, rest) = rest.split_first_chunk::<16>()?;
        (std::net::IpAddr::from(*ip), rest)
    };
    let (port, rest) = rest.split_first_chunk::<2>()?;
    *from = rest;
    Some(Endpoint { ip, port: u16::from_le_bytes(*port) })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn entry(n: u64) -> Entry {
        let start = Timestamp(1_740_787_200_000_000_000 + n.cast_signed() * 3_600_000_123_000);
        Entry {
            kind: KINDS[n as usize % KINDS.len()],
            follow_up: n.is_multiple_of(3),
            start,
            end: (!n.is_multiple_of(4)).then(|| start.plus(26_000_017)),
            last: start.plus(16_000_000),
            frame: FrameId::new(FileId((n / 5) as u16), 1 + n * 2_500_000),
            response_frame: (!n.is_multiple_of(4))
                .then(|| FrameId::new(FileId((n / 5) as u16), 4 + n * 2_500_000)),
            source: Endpoint { ip: [192, 0, 2, (n / 2) as u8].into(), port: 5060 + (n / 3) as u16 },
            connection: (n / 4) as u32,
            call_id: CallId::of(format!("call-{}", n / 2).as_bytes(), n >= 6),
            cseq: n as u32,
            retransmissions: u32::from(n == 5),
            duplicate_responses: 0,
            date_skew: (n == 3).then_some(-539_000_000),
            shape: n as u32 % 3,
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let (mut log, mut arena) = (Log::default(), Arena::default());
        for n in 0..12 {
            log.push(&entry(n), &mut arena);
        }
        let read: Vec<Entry> = log.entries(&arena).collect();
        assert_eq!(read.len(), log.len());
        for (n, found) in (0..).zip(read) {
            let mut wanted = entry(n);
            wanted.last = wanted.end.unwrap_or(wanted.last);
            assert_eq!(format!("{found:?}"), format!("{wanted:?}"), "{n}");
        }
    }

    #[test]
    fn an_attempt_takes_few_octets() {
        let (mut log, mut arena) = (Log::default(), Arena::default());
        let same = entry(1);
        for n in 0..24 {
            let start = same.start.plus(n * 3_600_000_123_000);
            let call_id = CallId::of(&n.to_le_bytes(), false);
            let end = Some(start.plus(26_000_000));
            log.push(&Entry { start, end, call_id, ..same.clone() }, &mut arena);
        }
        assert!(log.heap_size() < 24 * 26, "{}", log.heap_size());
    }
}
