//! Puts frames of several interfaces in the order of their times.
//!
//! The kernel hands frames over in blocks, each interface its own: they are held until nothing
//! older can come any more.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use super::queue::Head;
use crate::time::Timestamp;

/// How long a frame waits for older ones: twice what a block waits in the kernel, and some.
pub const HOLD: Duration = Duration::from_millis(250);

/// What a frame that waits takes beside its octets, room to grow among it.
const OVERHEAD: usize = 2 * size_of::<Waiting>() + 32;

/// Frames that wait.
pub(super) struct Order {
    /// Octets that wait at most; beyond, the oldest frame goes ahead of its time.
    most: usize,
    waiting: BinaryHeap<Reverse<Waiting>>,
    count: u64,
    held: usize,
}

struct Waiting {
    time: Timestamp,
    /// Frames of one time keep the order in which they came.
    count: u64,
    came: Instant,
    head: Head,
    octets: Vec<u8>,
}

impl Order {
    /// No frame waits; `most` octets may.
    pub(super) fn new(most: usize) -> Self {
        Self { most, waiting: BinaryHeap::new(), count: 0, held: 0 }
    }

    /// Takes a frame in.
    #[allow(clippy::disallowed_methods)] // What waits, waits in the user's time.
    pub(super) fn add(&mut self, head: Head, octets: &[u8]) {
        self.count += 1;
        self.held += octets.len() + OVERHEAD;
        self.waiting.push(Reverse(Waiting {
            time: head.time,
            count: self.count,
            came: Instant::now(),
            head,
            octets: octets.to_vec(),
        }));
    }

    /// The oldest frame, once it has waited long enough, or when nothing else will come.
    pub(super) fn ripe(&mut self, is_last: bool) -> Option<(Head, Vec<u8>)> {
        if !is_last && !self.has_ripe() {
            return None;
        }
        let Reverse(waiting) = self.waiting.pop()?;
        self.held -= waiting.octets.len() + OVERHEAD;
        Some((waiting.head, waiting.octets))
    }

    /// Whether the oldest frame has waited long enough, or there is no room for more.
    pub(super) fn has_ripe(&self) -> bool {
        let is_full = self.most < self.held;
        is_full || self.waiting.peek().is_some_and(|Reverse(oldest)| HOLD <= oldest.came.elapsed())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How long to wait for more, of `patience` at most: not beyond the moment a frame is ripe.
    pub(super) fn patience(&self, patience: Duration) -> Duration {
        let Some(Reverse(oldest)) = self.waiting.peek() else { return patience };
        if self.has_ripe() {
            return Duration::ZERO;
        }
        HOLD.saturating_sub(oldest.came.elapsed()).min(patience)
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        (self.time, self.count) == (other.time, other.count)
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.time, self.count).cmp(&(other.time, other.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::LinkType;

    #[test]
    fn frames_of_two_interfaces_come_in_the_order_of_their_times() {
        let mut order = Order::new(1 << 20);
        for (second, interface) in [(3, 0), (5, 0), (1, 1), (3, 1)] {
            let time = Timestamp::new(second, 0);
            let head = Head { time, link: LinkType(1), interface, wire_len: 0 };
            order.add(head, &[]);
        }
        assert!(order.ripe(false).is_none(), "older ones may come");
        let mut times = Vec::new();
        while let Some((head, _)) = order.ripe(true) {
            times.push((head.time.0 / 1_000_000_000, head.interface));
        }
        assert_eq!(times, [(1, 1), (3, 0), (3, 1), (5, 0)]);
    }

    #[test]
    fn frames_without_octets_are_held_in_bounds() {
        let mut order = Order::new(1 << 20);
        let head =
            Head { time: Timestamp::new(1, 0), link: LinkType(1), interface: 0, wire_len: 0 };
        let most = (1 << 20) / size_of::<Waiting>();
        for _ in 0..most {
            order.add(head, &[]);
        }
        assert!(order.has_ripe() && order.ripe(false).is_some(), "they need not wait");
    }
}
