//! Octets that arrived ahead of their turn: sorted, never overlapping; what came first stays.

use std::collections::BTreeMap;

/// What one piece costs beside its octets: the map's node and the allocation.
const OVERHEAD: usize = 64;

/// Runs of octets by offset, each with the `mark` of what brought it.
#[derive(Debug)]
pub(super) struct Pieces<M> {
    runs: BTreeMap<u64, Piece<M>>,
    held: usize,
}

/// One run of octets.
#[derive(Debug)]
pub(super) struct Piece<M> {
    /// What brought it.
    pub(super) mark: M,
    /// Its octets, never empty.
    pub(super) bytes: Box<[u8]>,
}

impl<M> Default for Pieces<M> {
    fn default() -> Self {
        Self { runs: BTreeMap::new(), held: 0 }
    }
}

impl<M: Copy> Pieces<M> {
    /// Adds those of `bytes` (which begin at offset `at`) whose places are still empty.
    ///
    /// First come, first kept: a receiver has long delivered what came first, and a second
    /// version of the same octets is either equal or an attempt to fool whoever watches.
    pub(super) fn insert(&mut self, at: u64, bytes: &[u8], mark: M) {
        let end = at.saturating_add(bytes.len() as u64);
        let covered = self.runs.range(..=at).next_back().map(|(&start, run)| run.end(start));
        let mut from = at.max(covered.unwrap_or(at));
        while from < end {
            let next = self.runs.range(from..end).next();
            let (to, resume) = next.map_or((end, end), |(&start, run)| (start, run.end(start)));
            let part = bytes.get((from - at) as usize..(to - at) as usize).unwrap_or_default();
            if !part.is_empty() {
                self.held += part.len() + OVERHEAD;
                self.runs.insert(from, Piece { mark, bytes: part.into() });
            }
            from = resume;
        }
    }

    /// The first piece and its offset.
    pub(super) fn first(&self) -> Option<(u64, &Piece<M>)> {
        self.runs.first_key_value().map(|(&at, piece)| (at, piece))
    }

    /// Takes the first piece out when it begins at or before `offset`.
    pub(super) fn take_until(&mut self, offset: u64) -> Option<(u64, Piece<M>)> {
        let entry = self.runs.first_entry()?;
        if offset < *entry.key() {
            return None;
        }
        let (at, piece) = entry.remove_entry();
        self.held = self.held.saturating_sub(piece.bytes.len() + OVERHEAD);
        Some((at, piece))
    }

    /// All pieces in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &Piece<M>)> {
        self.runs.iter().map(|(&at, piece)| (at, piece))
    }

    /// Octets of memory held.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// Octets of the pieces alone.
    pub(super) fn octets(&self) -> u64 {
        (self.held - self.runs.len() * OVERHEAD) as u64
    }

    /// True when nothing is held.
    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }
}

impl<M> Piece<M> {
    fn end(&self, start: u64) -> u64 {
        start.saturating_add(self.bytes.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(pieces: &Pieces<char>) -> Vec<(u64, char, String)> {
        let show = |piece: &Piece<char>| String::from_utf8_lossy(&piece.bytes).into_owned();
        pieces.iter().map(|(at, piece)| (at, piece.mark, show(piece))).collect()
    }

    #[test]
    fn what_came_first_stays_and_holes_between_are_filled() {
        let mut pieces = Pieces::default();
        pieces.insert(4, b"efgh", 'a');
        pieces.insert(10, b"kl", 'b');
        pieces.insert(2, b"CDEFGHIJKLMN", 'c');
        let expected =
            [(2, 'c', "CD"), (4, 'a', "efgh"), (8, 'c', "IJ"), (10, 'b', "kl"), (12, 'c', "MN")];
        assert_eq!(text(&pieces), expected.map(|(at, mark, text)| (at, mark, text.to_owned())));
    }

    #[test]
    fn what_is_taken_is_no_longer_held() {
        let mut pieces = Pieces::default();
        pieces.insert(0, b"ab", ());
        pieces.insert(0, b"ab", ());
        assert_eq!(pieces.held(), 2 + OVERHEAD);
        assert!(pieces.take_until(0).is_some());
        assert!(pieces.is_empty());
        assert_eq!(pieces.held(), 0);
    }
}
