//! A list that hardly ever moves what it holds: a flow grows message by message, and to copy the old
//! ones each time costs more than to judge the new one.

use std::ops::{Index, IndexMut};

use smallvec::SmallVec;

use crate::near;

/// Items of a block: a registration that is challenged. So few that what is reserved and not used
/// hardly counts.
const BLOCK: usize = 4;
/// Items the first block begins with: a request and its response, which are all of many flows.
const FIRST: usize = 2;

/// A list in blocks of four items; only the last may have fewer.
#[derive(Clone, Debug)]
pub struct Blocks<T> {
    /// Without memory of their own for the messages of a short call.
    blocks: SmallVec<[Vec<T>; 2]>,
}

impl<T> Default for Blocks<T> {
    fn default() -> Self {
        Self { blocks: SmallVec::new() }
    }
}

impl<T> Blocks<T> {
    /// Number of items.
    pub fn len(&self) -> usize {
        self.blocks.last().map_or(0, |last| (self.blocks.len() - 1) * BLOCK + last.len())
    }

    /// True without items.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// The item at place `at`.
    pub fn get(&self, at: usize) -> Option<&T> {
        self.blocks.get(at / BLOCK)?.get(at % BLOCK)
    }

    /// The first item.
    pub fn first(&self) -> Option<&T> {
        self.blocks.first()?.first()
    }

    /// The last item.
    pub fn last(&self) -> Option<&T> {
        self.blocks.last()?.last()
    }

    /// All items in order.
    pub fn iter(&self) -> Iter<'_, T> {
        self.blocks.iter().flatten()
    }

    /// Asks for the first `most` items.
    pub(super) fn ask_for(&self, most: usize) {
        let blocks = self.blocks.iter().take(most.div_ceil(BLOCK));
        blocks.for_each(|block| near::ask_for(block.as_slice()));
    }

    /// All items in order, to change them.
    pub fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut T> {
        self.blocks.iter_mut().flatten()
    }

    /// Adds `item` at the end.
    pub(super) fn push(&mut self, item: T) {
        if let Some(last) = self.blocks.last_mut().filter(|last| last.len() < BLOCK) {
            // The first block grows once, and room that was given back is asked for anew.
            if last.len() == last.capacity() {
                last.reserve_exact(BLOCK - last.len());
            }
            return last.push(item);
        }
        let mut block = Vec::with_capacity(if self.is_empty() { FIRST } else { BLOCK });
        block.push(item);
        if self.blocks.len() == self.blocks.capacity() {
            self.blocks.reserve_exact(self.blocks.len());
        }
        self.blocks.push(block);
    }

    /// Gives back what is reserved and not used.
    pub(super) fn shrink(&mut self) {
        if let Some(last) = self.blocks.last_mut() {
            last.shrink_to_fit();
        }
    }

    /// Octets of private memory the list itself holds.
    pub(super) fn heap_size(&self) -> usize {
        let list = if self.blocks.spilled() { self.blocks.capacity() } else { 0 };
        let items: usize = self.blocks.iter().map(Vec::capacity).sum();
        list * size_of::<Vec<T>>() + items * size_of::<T>()
    }
}

/// The items of [`Blocks`] in order.
pub type Iter<'l, T> = std::iter::Flatten<std::slice::Iter<'l, Vec<T>>>;

impl<'l, T> IntoIterator for &'l Blocks<T> {
    type Item = &'l T;
    type IntoIter = Iter<'l, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T> Index<usize> for Blocks<T> {
    type Output = T;

    fn index(&self, at: usize) -> &T {
        &self.blocks[at / BLOCK][at % BLOCK]
    }
}

impl<T> IndexMut<usize> for Blocks<T> {
    fn index_mut(&mut self, at: usize) -> &mut T {
        &mut self.blocks[at / BLOCK][at % BLOCK]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(count: usize) -> Blocks<usize> {
        let mut list = Blocks::default();
        (0..count).for_each(|n| list.push(n));
        list
    }

    #[test]
    fn it_holds_what_a_vector_holds() {
        for count in 0..50 {
            let (mut list, plain) = (counted(count), (0..count).collect::<Vec<_>>());
            assert_eq!(list.iter().copied().collect::<Vec<_>>(), plain);
            assert!(list.iter().rev().eq(plain.iter().rev()));
            assert_eq!((list.len(), list.is_empty()), (count, count == 0));
            assert_eq!((list.first(), list.last()), (plain.first(), plain.last()));
            for at in 0..count {
                assert_eq!((list[at], list.get(at)), (at, Some(&at)));
                list[at] += 1;
            }
            assert_eq!(list.get(count), None);
            assert!(list.iter_mut().map(|n| *n).eq(1..=count));
        }
    }

    #[test]
    fn items_stay_where_they_are() {
        let mut list = counted(FIRST + 1);
        let place = std::ptr::from_ref(&list[0]);
        (0..1_000).for_each(|n| list.push(n));
        assert_eq!(std::ptr::from_ref(&list[0]), place);
    }

    #[test]
    fn little_is_reserved_and_nothing_after_shrinking() {
        for count in 1..50 {
            let mut list = counted(count);
            let spare = list.blocks.iter().map(Vec::capacity).sum::<usize>() - count;
            assert!(spare < BLOCK, "{count}");
            list.shrink();
            assert_eq!(list.blocks.iter().map(Vec::capacity).sum::<usize>(), count);
            list.push(count);
            assert_eq!((list.len(), list.last()), (count + 1, Some(&count)));
        }
    }
}
