//! IP fragments become datagrams: any order, duplicates, overlaps; bounded.
//!
//! Where fragments overlap, the octets that arrived first are kept ([`Pieces`]).

use std::collections::VecDeque;

use smallvec::SmallVec;

use crate::limits::Limits;
use crate::net::PathId;
use crate::net::ip::IpHead;
use crate::net::path::Hosts;
use crate::net::pieces::Pieces;
use crate::net::recent::Recent;
use crate::net::stream::Arrival;
use crate::net::walk::Fragment;
use crate::time::{MILLISECOND, SECOND, Timestamp};

/// How long fragments are waited for: what Linux does; RFC 791 says 15 s, RFC 8200 60 s.
const PATIENCE: i64 = 30 * SECOND;
/// How long after a datagram its fragments may come again from a second tap.
const SECOND_TAP: i64 = 200 * MILLISECOND;
/// The largest IP payload.
const LARGEST: u64 = 65_535;
/// Memory of a datagram in reassembly beside its octets.
const OVERHEAD: usize = 256;
/// Datagrams given up that wait to be collected: more than one frame can push out.
const LOST: usize = 1024;

/// Which datagram a fragment belongs to (RFC 791 section 3.2, RFC 8200 section 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    hosts: Hosts,
    /// 0 for IPv6, where only the first fragment's counts.
    protocol: u8,
    id: u32,
    /// Both ends of a tunnel may have been captured.
    path: PathId,
}

/// A datagram in reassembly.
#[derive(Debug)]
pub(super) struct Set {
    number: u64,
    head: IpHead,
    path: PathId,
    pieces: Pieces<()>,
    /// What the snap length cut out of fragments.
    absent: SmallVec<[(u64, u64); 2]>,
    total: Option<u64>,
    count: u16,
    began: Timestamp,
    last: Arrival,
    /// The same datagram was completed a moment ago: this is what a second tap saw of it.
    again: bool,
}

/// A datagram of which all fragments came, or its head.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) head: IpHead,
    pub(super) path: PathId,
    pub(super) bytes: Vec<u8>,
    /// Octets missing at its end.
    pub(super) missing: u32,
    pub(super) fragments: u8,
}

/// Where a fragment belongs.
#[derive(Debug)]
pub(super) struct Joined {
    /// The number of its datagram in the run, from 1.
    pub(super) number: u64,
    /// The datagram, when the fragment was the last one missing.
    pub(super) whole: Option<Whole>,
}

/// All datagrams in reassembly.
#[derive(Debug)]
pub(super) struct Defrag {
    sets: Recent<Key, Set>,
    /// When datagrams were complete, and their numbers.
    done: Recent<Key, (Timestamp, u64)>,
    numbers: u64,
    lost: VecDeque<Set>,
    held: usize,
    most_sets: usize,
    most_octets: usize,
}

impl Defrag {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            sets: Recent::default(),
            done: Recent::default(),
            numbers: 0,
            lost: VecDeque::new(),
            held: 0,
            most_sets: limits.fragments.max(1),
            most_octets: limits.fragment_bytes,
        }
    }

    /// Takes a fragment in; `None` for one that cannot be part of a datagram.
    pub(super) fn insert(
        &mut self,
        fragment: &Fragment<'_>,
        path: PathId,
        arrival: Arrival,
    ) -> Option<Joined> {
        let head = fragment.head;
        let key = Key {
            hosts: head.hosts,
            protocol: if head.hosts.0.is_ipv6() { 0 } else { head.protocol },
            id: head.id.unwrap_or_default(),
            path,
        };
        if LARGEST < u64::from(fragment.place.offset) + fragment.rest.bytes.len() as u64 {
            return None;
        }
        let is_open = self.sets.peek(&key).is_some();
        let again = if is_open { None } else { self.was_done(&key, arrival.time) };
        if let Some(number) = again
            && fragment.place.offset != 0
        {
            return Some(Joined { number, whole: None });
        }
        let numbers = &mut self.numbers;
        let make = || {
            *numbers += 1;
            Set::new(*numbers, (head, path), arrival.time, again.is_some())
        };
        // Not touched: the order of the sets is the order of their beginnings.
        let set =
            if is_open { self.sets.peek(&key)? } else { self.sets.upsert(key, |_| true, make).0 };
        let before = if is_open { set.size() } else { 0 };
        set.insert(fragment, arrival);
        let (number, whole) = (set.number, set.whole());
        self.held = self.held + set.size() - before;
        if whole.is_some() {
            self.let_go(&key);
            self.done.upsert(key, |_| false, || (arrival.time, number));
        }
        self.keep_bounds();
        Some(Joined { number, whole })
    }

    /// The next datagram given up at `now`.
    #[inline]
    pub(super) fn expired(&mut self, now: Timestamp) -> Option<Set> {
        if self.lost.is_empty() && self.sets.is_empty() { None } else { self.next_expired(now) }
    }

    fn next_expired(&mut self, now: Timestamp) -> Option<Set> {
        if let Some(set) = self.lost.pop_front() {
            return Some(set);
        }
        loop {
            let (key, set) = self.sets.oldest()?;
            if now.since(set.began) < PATIENCE {
                return None;
            }
            let key = *key;
            let set = self.let_go(&key)?;
            if !set.again {
                return Some(set);
            }
        }
    }

    /// The number of the datagram of `key` when it was complete a moment ago.
    fn was_done(&mut self, key: &Key, now: Timestamp) -> Option<u64> {
        let (then, number) = self.done.peek(key)?;
        (now.since(*then) <= SECOND_TAP).then_some(*number)
    }

    fn let_go(&mut self, key: &Key) -> Option<Set> {
        let set = self.sets.remove(key)?;
        self.held = self.held.saturating_sub(set.size());
        Some(set)
    }

    fn keep_bounds(&mut self) {
        while self.most_sets < self.sets.len() || self.most_octets < self.held {
            let Some((&key, _)) = self.sets.oldest() else { break };
            let Some(set) = self.let_go(&key) else { break };
            if !set.again {
                self.lost.push_back(set);
            }
            if LOST < self.lost.len() {
                self.lost.pop_front();
            }
        }
        if self.most_sets < self.done.len() {
            self.done.remove_oldest();
        }
    }
}

impl Set {
    fn new(number: u64, (head, path): (IpHead, PathId), began: Timestamp, again: bool) -> Self {
        Self {
            number,
            head,
            path,
            pieces: Pieces::default(),
            absent: SmallVec::new(),
            total: None,
            count: 0,
            began,
            last: Arrival::default(),
            again,
        }
    }

    fn insert(&mut self, fragment: &Fragment<'_>, arrival: Arrival) {
        let at = u64::from(fragment.place.offset);
        let end = at + fragment.rest.bytes.len() as u64;
        let sent_end = end + u64::from(fragment.rest.missing);
        let before = self.pieces.octets();
        self.pieces.insert(at, fragment.rest.bytes, ());
        if end < sent_end && self.absent.len() < 64 {
            self.absent.push((end, sent_end));
        }
        if fragment.place.last {
            self.total.get_or_insert(sent_end);
        }
        if at == 0 {
            self.head = fragment.head;
        }
        if before < self.pieces.octets() {
            self.count = self.count.saturating_add(1);
        }
        self.last = arrival;
    }

    fn size(&self) -> usize {
        self.pieces.held() + OVERHEAD
    }

    /// The datagram, when nothing of it is waited for.
    fn whole(&self) -> Option<Whole> {
        let total = self.total?;
        let absent: u64 = self.absent.iter().map(|(from, to)| to - from).sum();
        if self.pieces.octets() + absent < total {
            return None;
        }
        self.is_covered(total).then(|| self.assemble(total))
    }

    fn is_covered(&self, total: u64) -> bool {
        let pieces = self.pieces.iter().map(|(at, piece)| (at, at + piece.bytes.len() as u64));
        let mut runs: Vec<(u64, u64)> = pieces.chain(self.absent.iter().copied()).collect();
        runs.sort_unstable();
        let reached = runs
            .iter()
            .try_fold(0, |reached: u64, &(from, to)| (from <= reached).then_some(reached.max(to)));
        reached.is_some_and(|reached| total <= reached)
    }

    /// What there is from the first octet up to the first hole.
    fn assemble(&self, total: u64) -> Whole {
        let mut bytes = Vec::with_capacity(total.min(LARGEST) as usize);
        for (at, piece) in self.pieces.iter() {
            if at != bytes.len() as u64 {
                break;
            }
            bytes.extend_from_slice(&piece.bytes);
        }
        bytes.truncate(usize::try_from(total).unwrap_or(usize::MAX));
        Whole {
            head: IpHead { place: None, ..self.head },
            path: self.path,
            missing: (total - bytes.len() as u64) as u32,
            bytes,
            fragments: self.count.min(u16::from(u8::MAX)) as u8,
        }
    }

    /// The head of a datagram given up, unless its first fragment is missing.
    pub(super) fn remains(&self) -> Option<Whole> {
        let (first, _) = self.pieces.first()?;
        (first == 0).then(|| self.assemble(self.total.unwrap_or(LARGEST)))
    }

    /// Its number in the run.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The fragment seen last.
    pub(super) fn last(&self) -> Arrival {
        self.last
    }
}
