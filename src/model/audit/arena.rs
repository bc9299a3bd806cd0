//! Octets of many lists in one place: a list that grows takes another block instead of moving, so
//! that a hundred thousand of them leave no holes behind.

/// Octets of a block, beside its link.
const BLOCK: usize = 60;
/// No block.
const NONE: u32 = u32::MAX;

/// The blocks of all lists.
#[derive(Debug)]
pub(super) struct Arena {
    blocks: Vec<Block>,
    /// The first of those that are to be used again.
    free: u32,
}

impl Default for Arena {
    fn default() -> Self {
        Self { blocks: Vec::new(), free: NONE }
    }
}

#[derive(Debug)]
struct Block {
    next: u32,
    octets: [u8; BLOCK],
}

/// A list of octets in an [`Arena`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Tape {
    first: u32,
    last: u32,
    len: u32,
}

impl Default for Tape {
    fn default() -> Self {
        Self { first: NONE, last: NONE, len: 0 }
    }
}

impl Tape {
    /// Octets of memory it takes.
    pub(super) const fn held(&self) -> usize {
        (self.len as usize).div_ceil(BLOCK) * size_of::<Block>()
    }
}

impl Arena {
    /// Adds `octets` to the end of `tape`.
    pub(super) fn extend(&mut self, tape: &mut Tape, octets: &[u8]) {
        for octet in octets {
            let place = tape.len as usize % BLOCK;
            if place == 0 {
                let fresh = self.fresh();
                match self.blocks.get_mut(tape.last as usize) {
                    Some(last) => last.next = fresh,
                    None => tape.first = fresh,
                }
                tape.last = fresh;
            }
            if let Some(last) = self.blocks.get_mut(tape.last as usize) {
                last.octets[place] = *octet;
                tape.len += 1;
            }
        }
    }

    /// An empty block.
    fn fresh(&mut self) -> u32 {
        let empty = Block { next: NONE, octets: [0; BLOCK] };
        let at = self.free;
        if let Some(block) = self.blocks.get_mut(at as usize) {
            self.free = std::mem::replace(block, empty).next;
            return at;
        }
        self.blocks.push(empty);
        self.blocks.len() as u32 - 1
    }

    /// Empties `tape`; its blocks are used again.
    pub(super) fn release(&mut self, tape: &mut Tape) {
        if let Some(last) = self.blocks.get_mut(tape.last as usize) {
            last.next = self.free;
            self.free = tape.first;
        }
        *tape = Tape::default();
    }

    /// All octets of `tape`.
    pub(super) fn octets(&self, tape: &Tape) -> Vec<u8> {
        let mut all = Vec::with_capacity((tape.len as usize).next_multiple_of(BLOCK));
        let mut at = tape.first;
        while let Some(block) = self.blocks.get(at as usize) {
            all.extend_from_slice(&block.octets);
            at = block.next;
        }
        all.truncate(tape.len as usize);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_that_grow_in_turn_keep_their_octets() {
        let (mut arena, mut one, mut other) = (Arena::default(), Tape::default(), Tape::default());
        for n in 0..50_u8 {
            arena.extend(&mut one, &[n; 7]);
            arena.extend(&mut other, &[n]);
        }
        let wanted: Vec<u8> = (0..50).flat_map(|n| [n; 7]).collect();
        assert_eq!(arena.octets(&one), wanted);
        assert_eq!(arena.octets(&other), (0..50).collect::<Vec<u8>>());
        assert!(arena.octets(&Tape::default()).is_empty());
        assert_eq!(one.held(), 6 * 64);
        // What is let go makes room for what comes.
        let blocks = arena.blocks.len();
        arena.release(&mut one);
        assert!(arena.octets(&one).is_empty());
        for n in 0..50_u8 {
            arena.extend(&mut one, &[n; 7]);
        }
        assert_eq!(arena.octets(&one), wanted);
        assert_eq!(arena.octets(&other), (0..50).collect::<Vec<u8>>());
        assert_eq!(arena.blocks.len(), blocks);
    }
}
