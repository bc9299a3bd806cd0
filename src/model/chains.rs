//! Numbers filed under hashed keys, newest first: a scan while there are few, a map once many.

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::near;

/// Up to this many entries a scan is cheaper than a map, in time and in memory.
const SCAN: usize = 32;
/// Entries of one key that are looked at. A stranger may file a million under one key.
const WALK: usize = 64;
/// Entries that need no memory of their own: as many as a challenged registration has.
const ROOM: usize = 2;
/// Entries for which there may be room that is not used; to give it back takes longer than it is
/// worth.
const SPARE: usize = 4;
/// The end of a chain.
const NONE: u32 = u32::MAX;

/// An index from 64-bit keys to numbers; several numbers may share a key.
#[derive(Clone, Debug, Default)]
pub(super) struct Chains {
    filed: SmallVec<[Filed; ROOM]>,
    /// `None` while there are few.
    links: Option<Box<Links>>,
}

/// A number and its key, in octets so that there is no padding behind the two.
#[derive(Clone, Copy, Debug)]
struct Filed {
    key: [u8; 8],
    value: u32,
}

impl Filed {
    const fn key(self) -> u64 {
        u64::from_ne_bytes(self.key)
    }
}

#[derive(Clone, Debug, Default)]
struct Links {
    /// For each entry the one filed before it under the same key.
    older: Vec<u32>,
    newest: FxHashMap<u64, u32>,
}

impl Chains {
    /// Files `value` under `key`.
    pub(super) fn file(&mut self, key: u64, value: u32) {
        let count = self.filed.len();
        if count == self.filed.capacity() {
            self.filed.reserve_exact(count);
        }
        self.filed.push(Filed { key: key.to_ne_bytes(), value });
        if SCAN <= count {
            self.link();
        }
    }

    /// The values of `key`, newest first, [`WALK`] at most.
    pub(super) fn of(&self, key: u64) -> impl Iterator<Item = u32> {
        let links = self.links.as_deref();
        // Behind the next one, if there is one.
        let mut end = match links {
            None => self.filed.len(),
            Some(links) => links.newest.get(&key).map_or(0, |at| *at as usize + 1),
        };
        let next = move || {
            let rest = self.filed.get(..end)?;
            let at = match links {
                None => rest.iter().rposition(|filed| filed.key() == key)?,
                Some(_) => end.checked_sub(1)?,
            };
            end = match links {
                None => at,
                Some(links) => match links.older.get(at) {
                    None | Some(&NONE) => 0,
                    Some(older) => *older as usize + 1,
                },
            };
            rest.get(at).map(|filed| filed.value)
        };
        std::iter::from_fn(next).take(WALK)
    }

    /// All keys and their values, as they were filed.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, u32)> {
        self.filed.iter().map(|filed| (filed.key(), filed.value))
    }

    /// Asks for what was filed last.
    pub(super) fn ask_for_newest(&self) {
        self.filed.last().inspect(|filed| near::ask_for(*filed));
    }

    /// Octets of private memory it holds.
    pub(super) fn heap_size(&self) -> usize {
        let filed = if self.filed.spilled() { self.filed.capacity() } else { 0 };
        let links = self.links.as_ref().map_or(0, |links| {
            size_of::<Links>()
                + links.older.capacity() * size_of::<u32>()
                + links.newest.capacity() * size_of::<(u64, u32, u8)>()
        });
        filed * size_of::<Filed>() + links
    }

    /// Gives back what is reserved and not used.
    pub(super) fn shrink(&mut self) {
        if self.filed.len() + SPARE < self.filed.capacity() {
            self.filed.shrink_to_fit();
        }
        if let Some(links) = &mut self.links {
            links.older.shrink_to_fit();
        }
    }

    fn link(&mut self) {
        let links = self.links.get_or_insert_default();
        for (at, filed) in self.filed.iter().enumerate().skip(links.older.len()) {
            links.older.push(links.newest.insert(filed.key(), at as u32).unwrap_or(NONE));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_a_key_comes_first_with_few_and_with_many() {
        let mut chains = Chains::default();
        for n in 0..1_000 {
            chains.file(u64::from(n % 10), n);
            let found: Vec<u32> = chains.of(u64::from(n % 10)).collect();
            let expected: Vec<u32> =
                (0..=n).rev().filter(|m| m % 10 == n % 10).take(WALK).collect();
            assert_eq!(found, expected, "after {n}");
        }
        assert_eq!(chains.of(77).count(), 0);
    }

    #[test]
    fn a_million_under_one_key_are_not_walked() {
        let mut chains = Chains::default();
        for n in 0..1_000_000 {
            chains.file(1, n);
        }
        assert_eq!(chains.of(1).count(), WALK);
    }
}
