//! Lists of small numbers: one that is nearly always short, in two words, and one that is nearly
//! always empty, in one.

use std::ops::Deref;

/// Items that need no memory beside the list itself.
const ROOM: usize = 3;

/// A list of which most have three items of four octets or fewer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Few<T>(Kept<T>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kept<T> {
    Here {
        len: u8,
        items: [T; ROOM],
    },
    // A vector takes three words, a pointer to one a single word.
    #[allow(clippy::box_collection)]
    Apart(Box<Vec<T>>),
}

impl<T: Copy + Default> Default for Few<T> {
    fn default() -> Self {
        Self(Kept::Here { len: 0, items: [T::default(); ROOM] })
    }
}

impl<T: Copy> Few<T> {
    /// Adds `item` at the end.
    pub fn push(&mut self, item: T) {
        match &mut self.0 {
            Kept::Here { len, items } => match items.get_mut(usize::from(*len)) {
                Some(place) => {
                    *place = item;
                    *len += 1;
                }
                None => {
                    let mut all = Vec::with_capacity(2 * ROOM);
                    all.extend_from_slice(items);
                    all.push(item);
                    self.0 = Kept::Apart(Box::new(all));
                }
            },
            Kept::Apart(all) => all.push(item),
        }
    }
}

impl<T> Few<T> {
    /// The items.
    pub fn as_slice(&self) -> &[T] {
        match &self.0 {
            Kept::Here { len, items } => items.get(..usize::from(*len)).unwrap_or(items),
            Kept::Apart(all) => all,
        }
    }

    /// Octets of private memory it holds beside itself.
    pub(super) fn heap_size(&self) -> usize {
        match &self.0 {
            Kept::Here { .. } => 0,
            Kept::Apart(all) => size_of::<Vec<T>>() + all.capacity() * size_of::<T>(),
        }
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.as_slice()
    }
}

impl<'l, T> IntoIterator for &'l Few<T> {
    type Item = &'l T;
    type IntoIter = std::slice::Iter<'l, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// A list of which most are empty.
#[derive(Clone, Debug, PartialEq, Eq)]
// A vector takes three words, a pointer to one a single word.
#[allow(clippy::box_collection)]
pub struct Rare<T>(Option<Box<Vec<T>>>);

impl<T> Default for Rare<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Rare<T> {
    /// Adds `item` at the end.
    pub fn push(&mut self, item: T) {
        self.0.get_or_insert_default().push(item);
    }

    /// The items.
    pub fn as_slice(&self) -> &[T] {
        self.0.as_deref().map_or(&[], Vec::as_slice)
    }

    /// Octets of private memory it holds beside itself.
    pub(super) fn heap_size(&self) -> usize {
        let apart = |all: &Vec<T>| size_of::<Vec<T>>() + all.capacity() * size_of::<T>();
        self.0.as_deref().map_or(0, apart)
    }
}

impl<T> Deref for Rare<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.as_slice()
    }
}

impl<'l, T> IntoIterator for &'l Rare<T> {
    type Item = &'l T;
    type IntoIter = std::slice::Iter<'l, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_hold_what_a_vector_holds() {
        let (mut few, mut rare, mut plain) = (Few::default(), Rare::default(), Vec::new());
        for n in 0..20_u32 {
            assert_eq!((few.as_slice(), rare.as_slice()), (&*plain, &*plain));
            few.push(n);
            rare.push(n);
            plain.push(n);
        }
        assert!(few.into_iter().eq(&plain) && rare.into_iter().eq(&plain));
        assert_eq!((few.len(), few.last()), (20, Some(&19)));
    }

    #[test]
    fn empty_lists_take_a_word() {
        assert_eq!(size_of::<Rare<u32>>(), 8);
        let mut rare = Rare::default();
        assert_eq!(rare.heap_size(), 0);
        rare.push(0_u32);
        assert!(0 < rare.heap_size());
    }

    #[test]
    fn short_lists_take_two_words() {
        assert_eq!(size_of::<Few<u32>>(), 16);
        let mut few = Few::default();
        (0..3_u32).for_each(|n| few.push(n));
        assert_eq!(few.heap_size(), 0);
        few.push(3);
        assert!(0 < few.heap_size());
    }
}
