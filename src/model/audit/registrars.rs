//! Names of registrars, each held once.

use rustc_hash::FxHashMap;

use crate::model::Seed;

/// All registrars, by number.
#[derive(Debug)]
pub(super) struct Registrars {
    names: Vec<Box<str>>,
    /// Their numbers by a seeded hash of the name; another name in the same place is passed by.
    places: FxHashMap<u64, u32>,
    seed: Seed,
}

impl Registrars {
    pub(super) fn new(seed: Seed) -> Self {
        Self { names: Vec::new(), places: FxHashMap::default(), seed }
    }

    /// The number of the registrar `name`.
    pub(super) fn place(&mut self, name: &str) -> u32 {
        let mut key = self.seed.hash(name);
        while let Some(at) = self.places.get(&key) {
            if self.names.get(*at as usize).is_some_and(|known| **known == *name) {
                return *at;
            }
            key = key.wrapping_add(1);
        }
        let at = self.names.len() as u32;
        self.places.insert(key, at);
        self.names.push(name.into());
        at
    }

    /// Octets that one more named `name` takes, roughly.
    pub(super) const fn cost(name: &str) -> usize {
        size_of::<Box<str>>() + 2 * size_of::<(u64, u32)>() + name.len()
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    pub(super) fn into_names(self) -> Vec<Box<str>> {
        self.names
    }
}
