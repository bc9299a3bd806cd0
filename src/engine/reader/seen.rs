//! A bounded set of what was seen.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use crate::model::Seed;
use crate::model::directions::Directions;
use crate::net::Endpoint;

/// A set that takes no more than a bound.
#[derive(Debug)]
pub(super) struct Seen<S> {
    all: Arc<S>,
    most: usize,
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

impl<S> Seen<S> {
    /// An empty set that remembers `most`.
    pub(super) fn new(most: usize) -> Self
    where
        S: Default,
    {
        Self { all: Arc::default(), most, full: false }
    }

    /// Remembers `thing`; `false` when there is no room for it.
    #[inline]
    pub(super) fn add<T: Copy>(&mut self, thing: T) -> bool
    where
        S: Store<T>,
    {
        self.all.holds(thing) || self.remember(thing)
    }

    #[cold]
    fn remember<T>(&mut self, thing: T) -> bool
    where
        S: Store<T>,
    {
        let has_room = self.all.size() < self.most;
        if has_room {
            Arc::make_mut(&mut self.all).put(thing);
        }
        self.full |= !has_room;
        has_room
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
