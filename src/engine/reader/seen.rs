//! A bounded set of what was seen, cheap when the same few things are seen over and over.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;
use std::sync::Arc;

use crate::model::Seed;
use crate::net::Endpoint;

/// Things remembered.
const BOUND: usize = 1 << 16;
/// Places of the cache, a power of two.
const CACHE: usize = 2048;

/// A set that takes no more than a bound. Seeded: strangers choose what is in it.
#[derive(Debug)]
pub(super) struct Seen<T> {
    /// What was added last, by [`Place::place`].
    cache: Box<[Option<T>]>,
    all: Arc<HashSet<T, Seed>>,
    full: bool,
}

/// Something with a cheap place in a cache; bad places cost time, nothing else.
pub(super) trait Place: Copy + Eq + Hash {
    /// Any number that differs for most.
    fn place(&self) -> usize;
}

impl<T: Place> Seen<T> {
    pub(super) fn new() -> Self {
        let seed = Seed(RandomState::new().hash_one(0));
        let all = Arc::new(HashSet::with_hasher(seed));
        Self { cache: vec![None; CACHE].into(), all, full: false }
    }

    /// Remembers `thing`.
    #[inline]
    pub(super) fn add(&mut self, thing: T) {
        let Some(cached) = self.cache.get_mut(thing.place() % CACHE) else { return };
        if *cached != Some(thing) {
            *cached = Some(thing);
            self.remember(thing);
        }
    }

    fn remember(&mut self, thing: T) {
        if self.all.len() < BOUND {
            Arc::make_mut(&mut self.all).insert(thing);
        } else if !self.all.contains(&thing) {
            self.full = true;
        }
    }

    /// True when `thing` is remembered.
    pub(super) fn has(&self, thing: &T) -> bool {
        self.all.contains(thing)
    }

    /// All that is remembered so far; copied no sooner than another is added.
    pub(super) fn all(&self) -> Arc<HashSet<T, Seed>> {
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
