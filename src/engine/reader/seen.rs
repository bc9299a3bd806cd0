//! A bounded set of what was seen, cheap when the same few things are seen over and over.

use std::collections::HashSet;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;

use crate::model::directions::Directions;
use crate::net::Endpoint;

/// Places of the cache, a power of two.
const CACHE: usize = 2048;

/// A set that takes no more than a bound.
#[derive(Debug)]
pub(super) struct Seen<T, S = HashSet<T>> {
    /// What was added last, by [`Place::place`].
    cache: Box<[Option<T>]>,
    all: Arc<S>,
    most: usize,
    full: bool,
}

/// Something with a cheap place in a cache; bad places cost time, nothing else.
pub(super) trait Place: Copy + Eq + Hash {
    /// Any number that differs for most.
    fn place(&self) -> usize;
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

impl<T: Place> Store<T> for HashSet<T> {
    fn put(&mut self, thing: T) {
        self.insert(thing);
    }

    fn holds(&self, thing: T) -> bool {
        self.contains(&thing)
    }

    fn size(&self) -> usize {
        self.len()
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

impl<T: Place, S: Store<T>> Seen<T, S> {
    /// An empty set that remembers `most`.
    pub(super) fn new(most: usize) -> Self {
        Self { cache: vec![None; CACHE].into(), all: Arc::default(), most, full: false }
    }

    /// Remembers `thing`; `false` when there is no room for it.
    #[inline]
    pub(super) fn add(&mut self, thing: T) -> bool {
        let Some(cached) = self.cache.get_mut(thing.place() % CACHE) else { return true };
        if *cached == Some(thing) {
            return true;
        }
        *cached = Some(thing);
        self.remember(thing)
    }

    fn remember(&mut self, thing: T) -> bool {
        if self.all.holds(thing) {
            return true;
        }
        let has_room = self.all.size() < self.most;
        if has_room {
            Arc::make_mut(&mut self.all).put(thing);
        }
        self.full |= !has_room;
        has_room
    }

    /// True when `thing` is remembered.
    pub(super) fn has(&self, thing: T) -> bool {
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

impl Place for Endpoint {
    fn place(&self) -> usize {
        self.ip.place() ^ usize::from(self.port)
    }
}

impl Place for (IpAddr, IpAddr) {
    fn place(&self) -> usize {
        self.0.place().wrapping_mul(31) ^ self.1.place()
    }
}

impl Place for IpAddr {
    fn place(&self) -> usize {
        match self {
            Self::V4(ip) => {
                let [_, _, high, low] = ip.octets();
                usize::from(high) << 4 ^ usize::from(low)
            }
            Self::V6(ip) => {
                let [.., high, low] = ip.segments();
                usize::from(high) << 4 ^ usize::from(low)
            }
        }
    }
}
