//! Finds texts and other things in a list by a seeded hash, without holding them a second time.

use std::hash::Hash;

use rustc_hash::FxHashMap;

use crate::model::Seed;

/// Where things are in a list; what is in it strangers choose.
#[derive(Clone, Debug)]
pub(super) struct Places {
    at: FxHashMap<u64, u32>,
    seed: Seed,
}

/// A place that is free.
#[derive(Clone, Copy, Debug)]
pub(super) struct Vacant(u64);

impl Places {
    /// Octets one takes, roughly.
    pub(super) const SIZE: usize = 2 * size_of::<(u64, u32)>();

    pub(super) fn new(seed: Seed) -> Self {
        Self { at: FxHashMap::default(), seed }
    }

    /// Where `thing` is, when what `is` there is equal to it; others of the same hash are passed by.
    ///
    /// # Errors
    /// It is nowhere; where it can go.
    pub(super) fn find(&self, thing: impl Hash, is: impl Fn(u32) -> bool) -> Result<u32, Vacant> {
        let mut key = self.seed.hash(thing);
        while let Some(at) = self.at.get(&key) {
            if is(*at) {
                return Ok(*at);
            }
            key = key.wrapping_add(1);
        }
        Err(Vacant(key))
    }

    /// What is to be found at `vacant` is at `at`.
    pub(super) fn insert(&mut self, Vacant(key): Vacant, at: usize) {
        self.at.insert(key, at as u32);
    }
}
