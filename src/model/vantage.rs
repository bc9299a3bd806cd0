//! What the capture point could see: the ground on which silence may be judged.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::time::Timestamp;

/// The window of the capture and the directions that were visible in it.
#[derive(Clone, Debug, Default)]
pub struct Vantage {
    /// First frame of the input, any traffic.
    pub first: Timestamp,
    /// Last frame of the input, any traffic.
    pub last: Timestamp,
    /// Directed pairs of hosts between which a packet was seen (any UDP, TCP, SCTP or ICMP), bounded.
    pub directions: BTreeSet<(IpAddr, IpAddr)>,
    /// True when `directions` was full; then a missing pair proves nothing.
    pub full: bool,
    /// Packets the capture itself says it lost (pcapng drop counters, TCP octets acknowledged but
    /// never seen).
    pub dropped: u64,
}

/// Directions remembered; a scan of an address range makes one a packet.
const DIRECTIONS: usize = 1 << 16;

impl Vantage {
    /// Takes in a packet: its time, sender and receiver.
    pub fn see(&mut self, time: Timestamp, from: IpAddr, to: IpAddr) {
        self.see_time(time);
        if DIRECTIONS <= self.directions.len() {
            self.full |= !self.directions.contains(&(from, to));
        } else {
            self.directions.insert((from, to));
        }
    }

    /// Takes in the time of a frame, whatever it holds.
    pub fn see_time(&mut self, time: Timestamp) {
        if self.first == Timestamp::default() || time < self.first {
            self.first = time;
        }
        self.last = self.last.max(time);
    }

    /// True when at least one packet from `from` to `to` was captured (guard BOTH).
    pub fn saw(&self, from: IpAddr, to: IpAddr) -> bool {
        self.directions.contains(&(from, to))
    }

    /// True when the capture goes on for `nanos` after `time` (guard END).
    pub fn covers(&self, time: Timestamp, nanos: i64) -> bool {
        self.last.since(time) >= nanos
    }
}
