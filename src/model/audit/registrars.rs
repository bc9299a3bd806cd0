//! Names of registrars, each held once.

use super::places::Places;
use crate::model::Seed;

/// All registrars, by number.
#[derive(Debug)]
pub(super) struct Registrars {
    names: Vec<Box<str>>,
    places: Places,
}

impl Registrars {
    pub(super) fn new(seed: Seed) -> Self {
        Self { names: Vec::new(), places: Places::new(seed) }
    }

    /// The number of the registrar `name`, and how many octets more are held.
    pub(super) fn place(&mut self, name: &str) -> (u32, usize) {
        let is = |at| self.names.get(at as usize).is_some_and(|known| **known == *name);
        match self.places.find(name, is) {
            Ok(at) => (at, 0),
            Err(vacant) => {
                self.places.insert(vacant, self.names.len());
                self.names.push(name.into());
                let octets = size_of::<Box<str>>() + Places::SIZE + name.len();
                (self.names.len() as u32 - 1, octets)
            }
        }
    }

    pub(super) fn into_names(self) -> Vec<Box<str>> {
        self.names
    }
}
