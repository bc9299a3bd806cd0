//! Which flow was seen last between two endpoints.

use std::collections::VecDeque;
use std::hint::black_box;

use rustc_hash::FxHashMap;

use crate::model::Seed;
use crate::net::Endpoint;
use crate::transport::{Envelope, Transport};

/// The flows seen last, by transport: an error of one is none of another.
pub(super) struct Latest {
    seed: Seed,
    datagrams: Pairs,
    /// Pairs and flows of the datagrams since somebody asked: to file each takes longer, and most
    /// captures have no error that asks.
    unfiled: VecDeque<(u64, u64)>,
    /// The most of them that are kept. An error comes within seconds of what it is about, and even the
    /// largest proxies send fewer in that time.
    most_unfiled: usize,
    /// By anything else: a connection may fail long after its last message.
    others: Pairs,
    /// Kept for their room.
    keys: Vec<(u64, u64)>,
}

impl Latest {
    /// Nothing yet; `names` pairs of endpoints are remembered of each kind of transport.
    pub(super) fn new(seed: Seed, names: usize) -> Self {
        Self {
            seed,
            datagrams: Pairs::new(names),
            unfiled: VecDeque::new(),
            most_unfiled: 2 * names,
            others: Pairs::new(names),
            keys: Vec::new(),
        }
    }

    /// Takes in flows and the messages with which they were seen, in order.
    pub(super) fn add_all<'e>(&mut self, seen: impl Iterator<Item = (u64, &'e Envelope)>) {
        for (flow, envelope) in seen {
            let key = (self.seed.ends(envelope.from, envelope.to), flow);
            if !is_datagram(envelope.transport) {
                self.keys.push(key);
                continue;
            }
            if self.most_unfiled <= self.unfiled.len() {
                self.unfiled.pop_front();
            }
            self.unfiled.push_back(key);
        }
        self.others.insert_all(&self.keys);
        self.keys.clear();
    }

    /// The flow seen last between two endpoints, from the first to the second if there is one.
    pub(super) fn recall(
        &mut self,
        transport: Transport,
        (from, to): (Endpoint, Endpoint),
    ) -> Option<u64> {
        let keys = [self.seed.ends(from, to), self.seed.ends(to, from)];
        if is_datagram(transport) {
            self.datagrams.insert_all(self.unfiled.make_contiguous());
            self.unfiled.clear();
            self.datagrams.find(keys)
        } else {
            self.others.find(keys)
        }
    }
}

const fn is_datagram(transport: Transport) -> bool {
    matches!(transport, Transport::Udp | Transport::Unknown)
}

/// The flows of pairs of endpoints: those that came last, in two generations.
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

    /// Takes in pairs and flows in order. All are looked for before the first is changed: what waits
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

    fn find(&self, keys: [u64; 2]) -> Option<u64> {
        let found = |key: &u64| self.young.get(key).or_else(|| self.old.get(key)).copied();
        keys.iter().find_map(found)
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
    fn what_nobody_asked_for_is_held_in_bounds() {
        let mut latest = Latest::new(Seed::random(), 8);
        for transport in [Transport::Udp, Transport::Tcp] {
            for to in 0..10_000 {
                latest.add_all([(u64::from(to), &sent(1, to, transport))].into_iter());
            }
            assert!(latest.unfiled.len() <= 16 && latest.others.young.len() <= 8);
            assert_eq!(latest.recall(transport, (end(1), end(9_999))), Some(9_999));
            assert_eq!(latest.recall(transport, (end(1), end(9_000))), None);
        }
    }
}
