//! SIP in IP fragments through the whole reader, however they are cut, moved, doubled and lost.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use siplens::engine::Reader;
use siplens::limits::Limits;
use siplens::transport::{Completeness, Observation};

use crate::support::packet::{ACK, Ip, SYN, Tcp, ethernet, frame, ip, tcp, udp};

/// How the messages are carried.
#[derive(Clone, Copy, Debug)]
struct Carriage {
    over_tcp: bool,
    v6: bool,
    /// The fragments are inside a tunnel.
    tunnel: bool,
}

impl Carriage {
    const fn ends(self) -> (&'static str, &'static str) {
        if self.v6 {
            ("[2001:db8::1]:40000", "[2001:db8::2]:5070")
        } else {
            ("192.0.2.1:40000", "192.0.2.2:5070")
        }
    }

    /// The packets that carry `all`, one message each; a message over TCP in two segments.
    fn packets(self, all: &[Vec<u8>]) -> Vec<Ip> {
        let (from, to) = self.ends();
        if !self.over_tcp {
            let packet = |(n, text): (usize, &Vec<u8>)| udp(from, to, text).id(n as u32 + 1);
            return all.iter().enumerate().map(packet).collect();
        }
        let octets = all.concat();
        let piece = |(n, payload): (usize, &[u8])| {
            let seq = 1000 + n as u32 * 900;
            tcp(from, to, Tcp { seq, ack: 0, flags: ACK, payload }).id(n as u32 + 1)
        };
        octets.chunks(900).enumerate().map(piece).collect()
    }

    fn frame(self, piece: Vec<u8>) -> Vec<u8> {
        if !self.tunnel {
            return ethernet(&piece);
        }
        let protocol = if self.v6 { 41 } else { 4 };
        ethernet(&ip("198.51.100.1", "198.51.100.2", protocol, piece).whole())
    }
}

fn carriages() -> impl Strategy<Value = Carriage> {
    (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(over_tcp, v6, tunnel)| Carriage {
        over_tcp,
        v6,
        tunnel,
    })
}

fn message(number: usize, body: usize) -> Vec<u8> {
    let body: String = (0..body).map(|n| char::from(b'a' + (n * 7 + number) as u8 % 26)).collect();
    format!(
        "MESSAGE sip:b@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK{number}\r\n\
         From: <sip:a@192.0.2.1>;tag=1\r\nTo: <sip:b@192.0.2.2>\r\nCall-ID: {number}@192.0.2.1\r\n\
         CSeq: {number} MESSAGE\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Whole messages, and parts of such.
fn run(carriage: Carriage, pieces: Vec<Vec<u8>>) -> (BTreeSet<Vec<u8>>, Vec<Vec<u8>>) {
    let mut reader = Reader::new(&Limits::default());
    let (mut whole, mut parts) = (BTreeSet::new(), Vec::new());
    let mut note = |observation: Observation<'_>| {
        let Observation::Message { envelope, text, .. } = observation else { return };
        if envelope.completeness == Completeness::Whole {
            whole.insert(text.to_vec());
        } else {
            parts.push(text.to_vec());
        }
    };
    let (from, to) = carriage.ends();
    let opening = tcp(from, to, Tcp { seq: 999, ack: 0, flags: SYN, payload: &[] }).whole();
    for (at, piece) in std::iter::once(opening).chain(pieces).enumerate() {
        reader.read(&frame(at as u64 + 1, 0, 1, &carriage.frame(piece)), &mut note);
    }
    reader.finish(&mut note);
    (whole, parts)
}

fn swap<T>(all: &mut [T], swaps: &[(prop::sample::Index, prop::sample::Index)]) {
    for (a, b) in swaps {
        let (a, b) = (a.index(all.len()), b.index(all.len()));
        all.swap(a, b);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn any_cut_order_overlap_and_duplication_of_fragments_gives_the_same_messages(
        carriage in carriages(),
        bodies in vec(0_usize..2500, 1..5),
        size in 1_usize..60,
        again in vec((any::<prop::sample::Index>(), 0_usize..100, 1_usize..40), 0..12),
        swaps in vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..40),
    ) {
        let all: Vec<Vec<u8>> = bodies.iter().enumerate().map(|(n, b)| message(n, *b)).collect();
        let packets = carriage.packets(&all);
        let mut pieces: Vec<Vec<u8>> = Vec::new();
        for packet in &packets {
            pieces.extend(packet.fragments(size * 8));
        }
        for (which, at, length) in again {
            // A piece of any size at any place, which repeats what others say.
            let packet = &packets[which.index(packets.len())];
            let octets = packet.payload.len();
            let from = at * 8 % octets / 8 * 8;
            let end = (from + length * 8).min(octets);
            if packet.fragments(size * 8).len() != 1 {
                pieces.push(packet.fragment(from, end < octets, &packet.payload[from..end]));
            }
        }
        swap(&mut pieces, &swaps);
        let (whole, parts) = run(carriage, pieces);
        prop_assert!(whole == all.into_iter().collect::<BTreeSet<_>>());
        prop_assert!(parts.is_empty(), "{:?}", parts.len());
    }

    #[test]
    fn loss_of_fragments_never_yields_a_message_that_was_not_sent(
        carriage in carriages(),
        bodies in vec(0_usize..2500, 1..5),
        size in 1_usize..60,
        lost in vec(any::<prop::sample::Index>(), 1..5),
        swaps in vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..20),
    ) {
        let all: Vec<Vec<u8>> = bodies.iter().enumerate().map(|(n, b)| message(n, *b)).collect();
        let mut pieces: Vec<Vec<u8>> =
            carriage.packets(&all).iter().flat_map(|packet| packet.fragments(size * 8)).collect();
        for lost in lost {
            if 1 < pieces.len() {
                pieces.remove(lost.index(pieces.len()));
            }
        }
        swap(&mut pieces, &swaps);
        let (whole, parts) = run(carriage, pieces);
        for text in &whole {
            prop_assert!(all.contains(text), "{}", String::from_utf8_lossy(text));
        }
        for text in &parts {
            let is_part = all.iter().any(|sent| sent.starts_with(text));
            prop_assert!(is_part, "{}", String::from_utf8_lossy(text));
        }
    }
}
