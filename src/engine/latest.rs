//! Which flow was seen last between two endpoints.

use std::hint::black_box;

use rustc_hash::FxHashMap;

use crate::model::Seed;
use crate::net::Endpoint;
use crate::transport::{Envelope, Transport};

/// Where the flow of a datagram stands is the same in every run, so that what is forgotten is too.
const PLACES: Seed = Seed(0);

/// The flows seen last, those of datagrams apart from all others.
pub(super) struct Latest {
    seed: Seed,
    datagrams: Table,
    others: Pairs,
    /// Kept for their room.
    keys: Vec<(u64, u64)>,
}

impl Latest {
    /// Nothing yet; about `names` pairs of endpoints are remembered of either kind.
    pub(super) fn new(seed: Seed, names: usize) -> Self {
        Self { seed, datagrams: Table::new(names), others: Pairs::new(names), keys: Vec::new() }
    }

    /// Takes in flows and the messages with which they were seen, in order.
    pub(super) fn add_all<'e>(&mut self, seen: impl Iterator<Item = (u64, &'e Envelope)>) {
        for (flow, Envelope { from, to, transport, .. }) in seen {
            let key = self.seed.ends(*from, *to);
            // Of an unknown transport both may be true.
            if !transport.is_reliable() {
                self.datagrams.insert((*from, *to), key, flow);
            }
            if *transport != Transport::Udp {
                self.keys.push((key, flow));
            }
        }
        self.others.insert_all(&self.keys);
        self.keys.clear();
    }

    /// The flow seen last between two endpoints, from the first to the second if there is one.
    pub(super) fn recall(
        &self,
        transport: Transport,
        (from, to): (Endpoint, Endpoint),
    ) -> Option<u64> {
        [(from, to), (to, from)].into_iter().find_map(|ends| {
            let key = self.seed.ends(ends.0, ends.1);
            if transport.is_reliable() {
                self.others.find(key)
            } else {
                self.datagrams.find(ends, key)
            }
        })
    }
}

/// Pairs of endpoints, each where a hash says: one that comes to the place of another takes it. So to
/// enter one waits for no memory, which is done for every datagram, and nearly no capture has an
/// error that asks.
struct Table {
    /// Keys and flows; a power of two of places.
    places: Box<[(u64, u64)]>,
}

impl Table {
    fn new(names: usize) -> Self {
        let count = names.saturating_mul(2).checked_next_power_of_two().unwrap_or(1);
        Self { places: vec![(0, 0); count].into() }
    }

    fn insert(&mut self, ends: (Endpoint, Endpoint), key: u64, flow: u64) {
        let at = self.place(ends);
        self.places[at] = (key, flow);
    }

    fn find(&self, ends: (Endpoint, Endpoint), key: u64) -> Option<u64> {
        let (known, flow) = self.places[self.place(ends)];
        (known == key).then_some(flow)
    }

    fn place(&self, (from, to): (Endpoint, Endpoint)) -> usize {
        PLACES.ends(from, to) as usize & (self.places.len() - 1)
    }
}

/// Pairs of endpoints, none of which takes the place of another: a connection may fail long after its
/// last message. Those that came last, in two generations.
struct Pairs {
    /// How many there are in one.
    most: usize,
    young: FxHashMap<u64, u64>,
    old: FxHashMap<u64, u64>,
}

impl Pairs {
    fn new(names: usize) -> Self {
        Self { most: names / 2, young: FxHashMap::default(), old: FxHashMap::default() }
    }

    /// Takes in keys and flows in order. All are looked for before the first is changed: what waits
    /// for memory together takes a part of the time, and a map does not say where to ask for it.
    fn insert_all(&mut self, pairs: &[(u64, u64)]) {
        black_box(pairs.iter().filter(|(key, _)| self.young.contains_key(key)).count());
        for (key, flow) in pairs {
            if self.most <= self.young.len() {
                self.old = std::mem::take(&mut self.young);
            }
            self.young.insert(*key, *flow);
        }
    }

    fn find(&self, key: u64) -> Option<u64> {
        self.young.get(&key).or_else(|| self.old.get(&key)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn end(port: u16) -> Endpoint {
        Endpoint { ip: [192, 0, 2, 1].into(), port }
    }

    fn sent(from: u16, to: u16, transport: Transport) -> Envelope {
        Envelope { transport, ..Envelope::datagram(0, Timestamp(0), end(from), end(to)) }
    }

    #[test]
    fn the_flow_seen_last_between_two_endpoints_is_recalled_by_transport() {
        let mut latest = Latest::new(Seed::random(), 8);
        let (udp, tcp) = (sent(1, 2, Transport::Udp), sent(1, 2, Transport::Tls));
        let back = sent(2, 1, Transport::Udp);
        latest.add_all([(10, &udp), (11, &tcp), (12, &udp), (13, &back)].into_iter());
        let ends = (end(1), end(2));
        for _ in 0..2 {
            assert_eq!(latest.recall(Transport::Udp, ends), Some(12));
            assert_eq!(latest.recall(Transport::Tcp, ends), Some(11));
            // The other way when there is none this way.
            assert_eq!(latest.recall(Transport::Tcp, (end(2), end(1))), Some(11));
            assert_eq!(latest.recall(Transport::Udp, (end(1), end(3))), None);
        }
        latest.add_all([(14, &udp)].into_iter());
        assert_eq!(latest.recall(Transport::Udp, ends), Some(14));
    }

    #[test]
    fn of_an_unknown_transport_either_may_be_true() {
        let mut latest = Latest::new(Seed::random(), 8);
        latest.add_all([(10, &sent(1, 2, Transport::Unknown))].into_iter());
        for transport in [Transport::Udp, Transport::Tcp] {
            assert_eq!(latest.recall(transport, (end(1), end(2))), Some(10));
        }
    }

    #[test]
    fn a_flood_of_endpoints_is_held_in_bounds_and_nobody_is_taken_for_another() {
        for transport in [Transport::Udp, Transport::Tcp] {
            let mut latest = Latest::new(Seed::random(), 8);
            for to in 0..10_000 {
                latest.add_all([(u64::from(to), &sent(1, to, transport))].into_iter());
            }
            assert_eq!(latest.datagrams.places.len(), 16);
            assert!(latest.others.young.len() <= 4 && latest.others.old.len() <= 4);
            assert_eq!(latest.recall(transport, (end(1), end(9_999))), Some(9_999));
            let known = |to: &u16| {
                let flow = latest.recall(transport, (end(1), end(*to)));
                assert!(flow.is_none_or(|flow| flow == u64::from(*to)));
                flow.is_some()
            };
            assert!((0..10_000).filter(known).count() <= 16);
        }
    }
}
