//! What the capture point could see: the ground on which silence may be judged.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::directions::Directions;
use crate::frame::Sightings;
use crate::net::Endpoint;
use crate::time::Timestamp;

/// The window of the capture and the directions that were visible in it.
#[derive(Clone, Debug, Default)]
pub struct Vantage {
    /// First frame of the input, any traffic.
    pub first: Timestamp,
    /// Last frame of the input, any traffic.
    pub last: Timestamp,
    /// Directed pairs of hosts between which a packet was seen (any UDP, TCP, SCTP or ICMP), bounded.
    /// Shared with who goes on adding to them: a fleet has many.
    pub directions: Arc<Directions>,
    /// True when `directions` was full; then a missing pair proves nothing.
    pub full: bool,
    /// Directed pairs of hosts between which a message was cut in its head, bounded: it may be the one
    /// that is missed. Shared as `directions` are.
    pub torn: Arc<Directions>,
    /// True when `torn` was full; then silence proves nothing.
    pub all_torn: bool,
    /// Packets the capture itself says it lost (pcapng drop counters, TCP octets acknowledged but
    /// never seen).
    pub dropped: u64,
    /// Ends of TCP connections that carried SIP, in the order of the capture, bounded.
    pub ends: Vec<ConnectionEnd>,
    /// Keep-alives without content, by who sent them, bounded; shared as `directions` are.
    pub pings: Arc<BTreeMap<Endpoint, Pings>>,
    /// First and last frame of each input file, and what lies between.
    pub spans: Vec<Span>,
    /// Stretches in which nothing was captured though the capture went on: the machine slept, an
    /// interface was down.
    pub unwatched: Vec<(Timestamp, Timestamp)>,
    /// Records of text logs that name another length than the message in them has.
    pub misstated: Sightings,
}

/// The end of a TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionEnd {
    /// When.
    pub time: Timestamp,
    /// Which connection of the run, from 1.
    pub connection: u32,
    /// Who ended it.
    pub by: Endpoint,
    /// By RST, not FIN.
    pub reset: bool,
}

/// Keep-alives of one sender (RFC 5626 section 3.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pings {
    /// How many.
    pub count: u64,
    /// The first.
    pub first: Timestamp,
    /// The last.
    pub last: Timestamp,
}

/// The time one input file covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First frame.
    pub first: Timestamp,
    /// Last frame.
    pub last: Timestamp,
    /// The longest time between two of its frames, nanoseconds.
    pub silence: i64,
}

/// Files that follow one another this closely (nanoseconds) are one capture, cut in pieces.
const SEAM: i64 = 10 * crate::time::SECOND;

/// Directions remembered; a scan of an address range makes one a packet.
const DIRECTIONS: usize = 1 << 16;

impl Vantage {
    /// Takes in a packet: its time, sender and receiver.
    pub fn see(&mut self, time: Timestamp, from: IpAddr, to: IpAddr) {
        self.see_time(time);
        if DIRECTIONS <= self.directions.len() {
            self.full |= !self.directions.contains((from, to));
        } else {
            Arc::make_mut(&mut self.directions).insert((from, to));
        }
    }

    /// Takes in the time of a frame, whatever it holds.
    pub fn see_time(&mut self, time: Timestamp) {
        if self.first == Timestamp::default() || time < self.first {
            self.first = time;
        }
        self.last = self.last.max(time);
    }

    /// Takes in that the head of a message was cut.
    pub fn tear(&mut self, from: IpAddr, to: IpAddr) {
        if DIRECTIONS <= self.torn.len() {
            self.all_torn |= !self.torn.contains((from, to));
        } else {
            Arc::make_mut(&mut self.torn).insert((from, to));
        }
    }

    /// Whether a message from one host to the other may have been seen and not known for what it is.
    pub fn may_hide(&self, from: IpAddr, to: IpAddr) -> bool {
        self.all_torn || self.torn.contains((from, to))
    }

    /// Takes in that a connection ended; `false` when `most` are remembered already.
    pub fn end(&mut self, end: ConnectionEnd, most: usize) -> bool {
        let room = self.ends.len() < most;
        if room {
            self.ends.push(end);
        }
        room
    }

    /// Takes in a keep-alive of `from`; `false` when `most` senders are remembered already.
    pub fn ping(&mut self, time: Timestamp, from: Endpoint, most: usize) -> bool {
        if most <= self.pings.len() && !self.pings.contains_key(&from) {
            return false;
        }
        let all = Arc::make_mut(&mut self.pings);
        let pings = all.entry(from).or_insert(Pings { count: 0, first: time, last: time });
        pings.count += 1;
        pings.last = pings.last.max(time);
        true
    }

    /// Takes in a frame of the input file number `file`.
    #[inline]
    pub fn span(&mut self, file: usize, time: Timestamp) {
        match self.spans.get_mut(file) {
            Some(span) if span.first <= span.last => {
                span.silence = span.silence.max(time.since(span.last));
                span.first = span.first.min(time);
                span.last = span.last.max(time);
            }
            _ => self.begin_span(file, time),
        }
    }

    #[cold]
    fn begin_span(&mut self, file: usize, time: Timestamp) {
        if self.spans.len() <= file {
            // First behind last: nothing was captured.
            let none = Span { first: Timestamp(i64::MAX), last: Timestamp(i64::MIN), silence: 0 };
            self.spans.resize(file + 1, none);
        }
        if let Some(span) = self.spans.get_mut(file) {
            *span = Span { first: time, last: time, silence: 0 };
        }
    }

    /// Stretches between files in which nothing was captured, in nanoseconds since the epoch. Files
    /// that follow one another about as closely as their packets do leave no gap.
    pub fn gaps(&self) -> Vec<(i64, i64)> {
        let mut spans: Vec<Span> =
            self.spans.iter().filter(|span| span.first <= span.last).copied().collect();
        spans.sort_by_key(|span| span.first);
        let usual = spans.iter().map(|span| span.silence).max().unwrap_or(0).max(SEAM);
        let mut gaps = Vec::new();
        let mut last = i64::MAX;
        for span in spans {
            if usual < span.first.0.saturating_sub(last) {
                gaps.push((last, span.first.0));
            }
            last = if last == i64::MAX { span.last.0 } else { last.max(span.last.0) };
        }
        gaps
    }

    /// True when at least one packet from `from` to `to` was captured (guard BOTH).
    pub fn saw(&self, from: IpAddr, to: IpAddr) -> bool {
        self.directions.contains((from, to))
    }

    /// True when the capture goes on for `nanos` after `time`, and watches all of it (guard END).
    pub fn covers(&self, time: Timestamp, nanos: i64) -> bool {
        let until = time.plus(nanos);
        let is_watched = |(from, to): &(Timestamp, Timestamp)| *to <= time || until <= *from;
        self.last.since(time) >= nanos && self.unwatched.iter().all(is_watched)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_cut_hides_messages_of_its_direction_and_beyond_the_bound_of_all() {
        let ip = |host: u32| IpAddr::from(host.to_be_bytes());
        let mut vantage = Vantage::default();
        vantage.tear(ip(1), ip(2));
        assert!(vantage.may_hide(ip(1), ip(2)) && !vantage.may_hide(ip(2), ip(1)));
        (0..DIRECTIONS as u32 - 1).for_each(|host| vantage.tear(ip(3), ip(host)));
        vantage.tear(ip(1), ip(2));
        assert_eq!(vantage.torn.len(), DIRECTIONS);
        assert!(!vantage.may_hide(ip(2), ip(1)));
        vantage.tear(ip(4), ip(5));
        assert_eq!(vantage.torn.len(), DIRECTIONS);
        assert!(vantage.may_hide(ip(2), ip(1)));
    }
}
