//! A bounded set of what was seen.

use std::collections::HashSet;
use std::hash::BuildHasher;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use rustc_hash::FxBuildHasher;

use crate::model::Seed;
use crate::model::directions::Directions;
use crate::net::Endpoint;

/// Of things there was no room for, so many are known at once.
const REFUSED: usize = 2048;
/// Places for pairs of hosts that came lately.
const LATELY: usize = 2048;
/// Pairs of hosts that are taken in together.
const WAITING: usize = 64;

/// A set that takes no more than a bound.
#[derive(Debug)]
pub(super) struct Seen<S> {
    all: Arc<S>,
    most: usize,
    /// The latest there was no room for, so that who goes on counts once.
    refused: S,
    full: bool,
}

/// What holds all that is remembered; its hashes are keyed, for strangers choose what is in it.
pub(super) trait Store<T>: Clone + Default {
    /// Adds `thing`.
    fn put(&mut self, thing: T);
    /// True when `thing` is in it.
    fn holds(&self, thing: T) -> bool;
    /// How many are in it.
    fn size(&self) -> usize;
}

/// Endpoints.
#[derive(Clone, Debug)]
pub(super) struct Endpoints(HashSet<Endpoint, Seed>);

impl Default for Endpoints {
    fn default() -> Self {
        Self(HashSet::with_hasher(Seed::random()))
    }
}

impl Store<Endpoint> for Endpoints {
    fn put(&mut self, end: Endpoint) {
        self.0.insert(end);
    }

    fn holds(&self, end: Endpoint) -> bool {
        self.0.contains(&end)
    }

    fn size(&self) -> usize {
        self.0.len()
    }
}

impl Store<(IpAddr, IpAddr)> for Directions {
    fn put(&mut self, pair: (IpAddr, IpAddr)) {
        self.insert(pair);
    }

    fn holds(&self, pair: (IpAddr, IpAddr)) -> bool {
        self.contains(pair)
    }

    fn size(&self) -> usize {
        self.len()
    }
}

/// Directed pairs of hosts, those of IPv4 taken in some at a time: those of a fleet are in no cache, and
/// what waits for memory together takes a part of the time.
#[derive(Debug)]
pub(super) struct Hosts {
    seen: Seen<Directions>,
    /// Pairs of IPv4 that wait.
    waiting: Vec<Short>,
    /// The same that came lately, each where its hash says: most packets repeat one.
    lately: Box<[Short; LATELY]>,
}

/// Two addresses of IPv4 in one number, the sender above.
type Short = u64;

impl Hosts {
    /// An empty set that remembers `most`.
    pub(super) fn new(most: usize) -> Self {
        let waiting = Vec::with_capacity(WAITING);
        // At first as if nobody had sent to nobody, which is never left out.
        Self { seen: Seen::new(most), waiting, lately: Box::new([0; LATELY]) }
    }

    /// Takes in that one sent to the other; says for how many of those that waited
    /// there was no room.
    #[inline(always)]
    pub(super) fn add(&mut self, pair: (IpAddr, IpAddr)) -> u64 {
        let (IpAddr::V4(from), IpAddr::V4(to)) = pair else {
            return u64::from(!self.seen.add(pair));
        };
        let short = u64::from(from.to_bits()) << 32 | u64::from(to.to_bits());
        if short != 0 && self.came_lately(short) { 0 } else { self.add_short(short) }
    }

    #[inline(always)]
    fn came_lately(&mut self, pair: Short) -> bool {
        // No harm when strangers make them collide: each is looked up then.
        let place = FxBuildHasher.hash_one(pair) % LATELY as u64;
        std::mem::replace(&mut self.lately[place as usize], pair) == pair
    }

    #[cold]
    fn add_short(&mut self, pair: Short) -> u64 {
        self.waiting.push(pair);
        if self.waiting.len() < WAITING { 0 } else { self.settle() }
    }

    /// Takes in what waits; says how many there was no room for.
    pub(super) fn settle(&mut self) -> u64 {
        let long = |short: Short| {
            let host = |bits: u64| IpAddr::from(Ipv4Addr::from_bits(bits as u32));
            (host(short >> 32), host(short))
        };
        let Self { seen, waiting, .. } = self;
        waiting.retain(|pair| !seen.has(long(*pair)));
        waiting.drain(..).filter(|pair| !seen.add(long(*pair))).count() as u64
    }

    /// What was seen, and whether it is full; to be [settled](Self::settle) first.
    pub(super) fn all(&self) -> (Arc<Directions>, bool) {
        (self.seen.all(), self.seen.is_full())
    }
}

impl<S> Seen<S> {
    /// An empty set that remembers `most`.
    pub(super) fn new(most: usize) -> Self
    where
        S: Default,
    {
        Self { all: Arc::default(), most, refused: S::default(), full: false }
    }

    /// Remembers `thing`; `false` when there is no room for it, and that is news.
    #[inline]
    pub(super) fn add<T: Copy>(&mut self, thing: T) -> bool
    where
        S: Store<T>,
    {
        self.all.holds(thing) || self.remember(thing)
    }

    #[cold]
    fn remember<T: Copy>(&mut self, thing: T) -> bool
    where
        S: Store<T>,
    {
        if self.all.size() < self.most {
            Arc::make_mut(&mut self.all).put(thing);
            return true;
        }
        self.full = true;
        if self.refused.holds(thing) {
            return true;
        }
        if REFUSED <= self.refused.size() {
            self.refused = S::default();
        }
        self.refused.put(thing);
        false
    }

    /// True when `thing` is remembered.
    pub(super) fn has<T>(&self, thing: T) -> bool
    where
        S: Store<T>,
    {
        self.all.holds(thing)
    }

    /// All that is remembered so far; copied no sooner than another is added.
    pub(super) fn all(&self) -> Arc<S> {
        Arc::clone(&self.all)
    }

    /// True when something could not be remembered.
    pub(super) const fn is_full(&self) -> bool {
        self.full
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn end(number: u32) -> Endpoint {
        Endpoint { ip: IpAddr::from(number.to_be_bytes()), port: 5062 }
    }

    #[test]
    fn hosts_are_told_of_once_and_forgotten_never() {
        let mut hosts = Hosts::new(1_000);
        let pair = |n: u32| (IpAddr::from(n.to_be_bytes()), IpAddr::from([192, 0, 2, 1]));
        let long = ("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap());
        for n in (0..1_000).chain(0..1_000) {
            assert_eq!((hosts.add(pair(n % 990)), hosts.add(long)), (0, 0));
        }
        assert_eq!(hosts.settle(), 0);
        let (all, full) = hosts.all();
        assert!((0..990).all(|n| all.contains(pair(n))) && all.contains(long));
        assert_eq!((all.len(), full), (991, false));
        let refused: u64 = (990..1_100).map(|n| hosts.add(pair(n))).sum();
        assert_eq!((refused + hosts.settle(), hosts.all().1), (101, true));
    }

    #[test]
    fn what_there_is_no_room_for_is_news_once() {
        let mut seen = Seen::<Endpoints>::new(2);
        let mut refused = |numbers: &[u32]| -> Vec<u32> {
            numbers.iter().copied().filter(|n| !seen.add(end(*n))).collect()
        };
        assert!(refused(&[1, 2, 1, 2]).is_empty());
        assert_eq!(refused(&[3, 4, 3, 1, 4, 3]), [3, 4]);
        let crowd: Vec<u32> = (10..10 + 3 * REFUSED as u32).collect();
        assert_eq!(refused(&crowd), crowd);
        assert!(seen.has(end(1)) && !seen.has(end(3)) && seen.is_full());
        assert!(Store::<Endpoint>::size(&seen.refused) <= REFUSED);
    }
}
