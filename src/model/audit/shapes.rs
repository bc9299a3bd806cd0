//! What attempts have in common, each held once for all devices.

use std::sync::Arc;

use super::arena::Arena;
use super::bindings::Room;
use super::closed::Closed;
use super::places::Places;
use super::record::Shape;
use crate::limits::Tally;
use crate::model::Seed;

/// What all ledgers share.
#[derive(Debug)]
pub(super) struct Stores {
    pub(super) shapes: Shapes,
    pub(super) arena: Arena,
    /// What each device may hold.
    pub(super) room: Room,
    /// What had to be let go.
    pub(super) tally: Tally,
    /// Attempts that are over, where they are told instead of written down.
    pub(super) closed: Option<Vec<Closed>>,
}

/// All shapes, by number.
#[derive(Debug)]
pub(super) struct Shapes {
    all: Vec<Arc<Shape>>,
    places: Places,
    /// Octets of private memory all of them hold, roughly.
    octets: usize,
}

impl Shapes {
    pub(super) fn new(seed: Seed) -> Self {
        Self { all: Vec::new(), places: Places::new(seed), octets: 0 }
    }

    /// The number of `shape`.
    pub(super) fn place(&mut self, shape: Shape) -> u32 {
        let is = |at| self.all.get(at as usize).is_some_and(|known| **known == shape);
        match self.places.find(&shape, is) {
            Ok(at) => at,
            Err(vacant) => {
                self.places.insert(vacant, self.all.len());
                self.octets += size_of::<Shape>() + 64 + shape.text_size();
                self.all.push(Arc::new(shape));
                self.all.len() as u32 - 1
            }
        }
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
