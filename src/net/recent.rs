//! A bounded map that knows which entry was used least recently; for keys that strangers choose.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, RandomState};

use foldhash::quality::FixedState;

const NONE: u32 = u32::MAX;

/// A map in order of use. Its hashes are keyed, and each word is multiplied with what depends on the
/// key, so that nobody can choose keys that collide. Nothing depends on their order.
#[derive(Debug)]
pub struct Recent<K, V> {
    index: HashMap<K, u32, FixedState>,
    slots: Vec<Slot<K, V>>,
    free: Vec<u32>,
    newest: u32,
    oldest: u32,
}

#[derive(Debug)]
struct Slot<K, V> {
    entry: Option<(K, V)>,
    newer: u32,
    older: u32,
}

/// A hasher nobody can foresee.
fn keyed() -> FixedState {
    FixedState::with_seed(RandomState::new().hash_one(0))
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self {
            index: HashMap::with_hasher(keyed()),
            slots: Vec::new(),
            free: Vec::new(),
            newest: NONE,
            oldest: NONE,
        }
    }
}

impl<K: Hash + Eq + Copy, V> Recent<K, V> {
    /// Number of entries.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// True without entries.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// The value of `key`, which becomes the most recently used.
    pub fn touch(&mut self, key: &K) -> Option<&mut V> {
        let at = *self.index.get(key)?;
        self.refresh(at);
        self.value(at)
    }

    /// The value of `key`, its age unchanged.
    pub fn peek(&mut self, key: &K) -> Option<&mut V> {
        let at = *self.index.get(key)?;
        self.value(at)
    }

    /// The value of `key`, made when it is missing or not worth keeping, and what it replaced.
    pub fn upsert(
        &mut self,
        key: K,
        keep: impl FnOnce(&V) -> bool,
        make: impl FnOnce() -> V,
    ) -> (&mut V, Option<V>) {
        let at = match self.index.get(&key) {
            Some(&at) => {
                self.refresh(at);
                at
            }
            None => self.allocate(key),
        };
        let entry = &mut self.slots[at as usize].entry;
        let old = entry.take_if(|(_, value)| !keep(value)).map(|(_, value)| value);
        let (_, value) = entry.get_or_insert_with(|| (key, make()));
        (value, old)
    }

    /// Takes out the value of `key`.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let at = self.index.remove(key)?;
        self.unlink(at);
        self.free.push(at);
        let (_, value) = self.slots.get_mut(at as usize)?.entry.take()?;
        Some(value)
    }

    /// The entry that was used least recently.
    pub fn oldest(&self) -> Option<(&K, &V)> {
        self.slots.get(self.oldest as usize)?.entry.as_ref().map(|(key, value)| (key, value))
    }

    /// Takes out the entry that was used least recently.
    pub fn remove_oldest(&mut self) -> Option<V> {
        let key = *self.oldest()?.0;
        self.remove(&key)
    }

    fn allocate(&mut self, key: K) -> u32 {
        let at = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { entry: None, newer: NONE, older: NONE });
            (self.slots.len() - 1) as u32
        });
        self.index.insert(key, at);
        self.link(at);
        at
    }

    fn refresh(&mut self, at: u32) {
        if self.newest != at {
            self.unlink(at);
            self.link(at);
        }
    }

    fn value(&mut self, at: u32) -> Option<&mut V> {
        self.slots.get_mut(at as usize)?.entry.as_mut().map(|(_, value)| value)
    }

    fn link(&mut self, at: u32) {
        let before = self.newest;
        if let Some(slot) = self.slots.get_mut(at as usize) {
            (slot.newer, slot.older) = (NONE, before);
        }
        match self.slots.get_mut(before as usize) {
            Some(slot) => slot.newer = at,
            None => self.oldest = at,
        }
        self.newest = at;
    }

    fn unlink(&mut self, at: u32) {
        let Some(slot) = self.slots.get(at as usize) else { return };
        let (newer, older) = (slot.newer, slot.older);
        match self.slots.get_mut(newer as usize) {
            Some(slot) => slot.older = older,
            None => self.newest = older,
        }
        match self.slots.get_mut(older as usize) {
            Some(slot) => slot.newer = newer,
            None => self.oldest = newer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_goes_first() {
        let mut recent = Recent::<i32, i32>::default();
        for key in 0..4 {
            recent.upsert(key, |_| true, || key * 10);
        }
        assert_eq!(recent.touch(&0), Some(&mut 0));
        assert_eq!(recent.peek(&1), Some(&mut 10));
        assert_eq!(recent.remove(&2), Some(20));
        recent.upsert(4, |_| true, || 40);
        let order: Vec<i32> = std::iter::from_fn(|| recent.remove_oldest()).collect();
        assert_eq!(order, [10, 30, 0, 40]);
        assert!(recent.is_empty());
    }

    #[test]
    fn an_entry_that_is_replaced_comes_back() {
        let mut recent = Recent::default();
        assert_eq!(recent.upsert(1, |_| true, || 'a'), (&mut 'a', None));
        assert_eq!(recent.upsert(1, |_| true, || 'b'), (&mut 'a', None));
        assert_eq!(recent.upsert(1, |_| false, || 'b'), (&mut 'b', Some('a')));
        assert_eq!(recent.len(), 1);
        assert_eq!(recent.remove_oldest(), Some('b'));
        assert_eq!(recent.remove_oldest(), None);
    }
}
