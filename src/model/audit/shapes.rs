//! What attempts have in common, each held once for all devices.

use std::sync::Arc;

use super::arena::Arena;
use super::record::Shape;
use crate::model::Seed;

/// What all ledgers share.
#[derive(Debug)]
pub(super) struct Stores {
    pub(super) shapes: Shapes,
    pub(super) arena: Arena,
}

/// All shapes, by number.
#[derive(Debug)]
pub(super) struct Shapes {
    all: Vec<Arc<Shape>>,
    places: rustc_hash::FxHashMap<u64, u32>,
    seed: Seed,
    /// Octets of private memory all of them hold, roughly.
    octets: usize,
}

impl Shapes {
    pub(super) fn new(seed: Seed) -> Self {
        Self { all: Vec::new(), places: rustc_hash::FxHashMap::default(), seed, octets: 0 }
    }

    /// The number of `shape`.
    pub(super) fn place(&mut self, shape: Shape) -> u32 {
        let mut key = self.seed.hash(&shape);
        // Another shape in the same place is passed by.
        while let Some(at) = self.places.get(&key) {
            if self.all.get(*at as usize).is_some_and(|known| **known == shape) {
                return *at;
            }
            key = key.wrapping_add(1);
        }
        let at = self.all.len() as u32;
        self.places.insert(key, at);
        self.octets += size_of::<Shape>() + 64 + shape.text_size();
        self.all.push(Arc::new(shape));
        at
    }

    pub(super) fn into_all(self) -> Vec<Arc<Shape>> {
        self.all
    }

    pub(super) fn all(&self) -> &[Arc<Shape>] {
        &self.all
    }

    /// Octets of private memory they hold, roughly.
    pub(super) const fn heap_size(&self) -> usize {
        self.octets
    }
}
