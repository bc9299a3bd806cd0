//! The octets that one direction of a TCP connection holds: those in order, and those that came
//! before their turn.

use std::collections::VecDeque;

use crate::frame::FrameId;
use crate::net::pieces::Pieces;
use crate::time::Timestamp;

/// Which frame brought something, and when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrival {
    /// The frame.
    pub frame: FrameId,
    /// Its time.
    pub time: Timestamp,
}

/// What a stream holds; allocated only when it has to hold something.
#[derive(Debug, Default)]
pub(super) struct Hold {
    /// Octets from the stream's position on, after `consumed` ones that are gone.
    ready: Vec<u8>,
    consumed: usize,
    /// Ends of the runs of `ready`, and what brought them.
    pub(super) marks: VecDeque<(u64, Arrival)>,
    /// Octets behind a gap.
    pub(super) later: Pieces<Arrival>,
}

impl Hold {
    /// The octets in order.
    pub(super) fn ready(&self) -> &[u8] {
        self.ready.get(self.consumed..).unwrap_or_default()
    }

    /// True when it holds nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.ready().is_empty() && self.later.is_empty()
    }

    /// Octets of private memory it holds.
    pub(super) fn size(&self) -> usize {
        self.ready.capacity() + self.later.held() + self.marks.len() * size_of::<(u64, Arrival)>()
    }

    /// Adds octets to those in order, which end at offset `end` then.
    pub(super) fn append(&mut self, end: u64, bytes: &[u8], arrival: Arrival) {
        if self.consumed == self.ready.len() {
            self.ready.clear();
            self.consumed = 0;
        }
        self.ready.extend_from_slice(bytes);
        self.marks.push_back((end, arrival));
    }

    /// What is in order, from offset `position` on, comes later: octets before it turned up.
    pub(super) fn put_off(&mut self, position: u64) {
        let mark = self.marks.back().map(|mark| mark.1).unwrap_or_default();
        let ready = std::mem::take(&mut self.ready);
        self.later.insert(position, ready.get(self.consumed..).unwrap_or_default(), mark);
        self.marks.clear();
        self.consumed = 0;
    }

    /// Moves the pieces that follow offset `known` without a hole to the octets in order.
    pub(super) fn gather(&mut self, mut known: u64) {
        while let Some((at, piece)) = self.later.take_until(known) {
            let old = usize::try_from(known - at).unwrap_or(usize::MAX);
            let new = piece.bytes.get(old..).unwrap_or_default();
            if !new.is_empty() {
                known += new.len() as u64;
                self.append(known, new, piece.mark);
            }
        }
    }

    /// Drops the first octets in order; the rest begins at offset `position`.
    pub(super) fn consume(&mut self, octets: usize, position: u64) {
        self.consumed += octets;
        if self.ready.len() <= self.consumed {
            self.ready.clear();
            self.consumed = 0;
        } else if self.ready.len() / 2 < self.consumed {
            self.ready.drain(..self.consumed);
            self.consumed = 0;
        }
        while self.marks.front().is_some_and(|&(end, _)| end <= position) {
            self.marks.pop_front();
        }
    }
}
