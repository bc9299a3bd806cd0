//! TCP streams: whatever order segments come in, the same octets come out, and gaps where they are.

use proptest::collection::vec;
use proptest::prelude::*;
use siplens::limits::Limits;
use siplens::net::Payload;
use siplens::net::connections::{Change, Connections, Side};
use siplens::net::decode::Decoder;
use siplens::net::stream::{After, Arrival, Reading};

use crate::net::{ALICE, BOB, limits};
use crate::support::packet::{ACK, FIN, RST, SYN, Tcp, frame, tcp};

/// One segment of a test: milliseconds, from Alice, and what TCP says.
type Step<'a> = (i64, bool, Tcp<'a>);

/// What a reader that takes everything gets: octets, gaps and changes per connection.
#[derive(Debug, Default, PartialEq)]
struct Got {
    octets: Vec<u8>,
    gaps: Vec<u64>,
    changes: Vec<(u32, Change)>,
    ends: u32,
}

fn take(got: &mut Got, mut reading: Reading<'_>) {
    loop {
        let readable = reading.readable();
        let (count, after) = (readable.bytes.len(), readable.after);
        got.octets.extend(readable.bytes);
        reading.consume(count);
        match after {
            After::Gap(octets) => {
                got.gaps.push(octets);
                assert_eq!(reading.pass_gap(), octets);
            }
            After::End => {
                got.ends += 1;
                return;
            }
            After::More => return,
        }
    }
}

fn run(steps: &[Step<'_>]) -> Got {
    let limits = limits();
    let mut decoder = Decoder::new(&limits);
    let mut connections: Connections<()> = Connections::new(&limits);
    let mut got = Got::default();
    for (number, (millis, forth, segment)) in steps.iter().enumerate() {
        let (from, to) = if *forth { (ALICE, BOB) } else { (BOB, ALICE) };
        let bytes = tcp(from, to, *segment).whole();
        let frame = frame(number as u64 + 1, *millis, 101, &bytes);
        let arrival = Arrival { frame: frame.id, time: frame.time };
        while let Some((connection, side)) = connections.overdue(frame.time) {
            take(&mut got, connection.parts(side).0.read(arrival));
        }
        let packet = decoder.decode(&frame).unwrap();
        let Payload::Segment(segment) = packet.payload else { panic!("{packet:?}") };
        let seen = connections.observe(&packet, &segment, arrival);
        for mut ended in seen.ended.drain(..) {
            for side in Side::BOTH {
                take(&mut got, ended.finish(side).0);
            }
        }
        got.changes.extend(seen.change.map(|change| (seen.connection.number, change)));
        take(&mut got, seen.connection.parts(seen.side).0.insert(&segment, 0, arrival));
    }
    got
}

fn segment(seq: u32, payload: &[u8]) -> Tcp<'_> {
    Tcp { seq, ack: 500, flags: ACK, payload }
}

fn syn(seq: u32) -> Tcp<'static> {
    Tcp { seq, ack: 0, flags: SYN, payload: b"" }
}

fn acknowledge(ack: u32) -> Tcp<'static> {
    Tcp { seq: 500, ack, flags: ACK, payload: b"" }
}

#[test]
fn a_gap_the_receiver_acknowledged_is_given_up_and_reading_goes_on() {
    let got = run(&[
        (0, true, syn(99)),
        (1, true, segment(100, b"abc")),
        (2, true, segment(107, b"hij")),
        (3, false, acknowledge(110)),
        (4, true, segment(110, b"klm")),
        (40, true, segment(113, b"n")),
    ]);
    assert_eq!((got.octets.as_slice(), got.gaps.as_slice()), (&b"abchijklmn"[..], &[4][..]));
}

#[test]
fn a_gap_nobody_acknowledged_waits_for_the_retransmission() {
    let got = run(&[
        (0, true, syn(99)),
        (1, true, segment(100, b"abc")),
        (2, true, segment(107, b"hij")),
        (3, false, acknowledge(103)),
        (3_000, true, segment(103, b"defg")),
    ]);
    assert_eq!((got.octets.as_slice(), got.gaps.as_slice()), (&b"abcdefghij"[..], &[][..]));
}

#[test]
fn a_one_sided_gap_is_given_up_in_time() {
    let got = run(&[
        (0, true, segment(100, b"abc")),
        (1, true, segment(107, b"hij")),
        (6_000, true, segment(110, b"k")),
    ]);
    assert_eq!((got.octets.as_slice(), got.gaps.as_slice()), (&b"abchijk"[..], &[4][..]));
}

#[test]
fn a_new_syn_on_the_same_ports_is_another_connection() {
    let got = run(&[
        (0, true, syn(99)),
        (1, true, segment(100, b"one")),
        (2, true, syn(77_000)),
        (2, true, syn(77_000)),
        (3, true, segment(77_001, b"two")),
    ]);
    assert_eq!(got.octets, b"onetwo");
    assert_eq!(got.changes, [(1, Change::Opened), (2, Change::Opened)]);
}

#[test]
fn the_life_of_a_connection_is_told() {
    let reset = Tcp { seq: 0, ack: 100, flags: RST | ACK, payload: b"" };
    let refused = run(&[(0, true, syn(99)), (1, false, reset)]);
    assert_eq!(refused.changes, [(1, Change::Opened), (1, Change::Refused)]);
    let fin = Tcp { flags: FIN | ACK, ..segment(103, b"d") };
    let closed = run(&[
        (0, true, syn(99)),
        (0, false, Tcp { seq: 499, ack: 100, flags: SYN | ACK, payload: b"" }),
        (1, true, segment(100, b"abc")),
        (2, true, fin),
        (3, true, fin),
        (4, false, Tcp { seq: 500, ack: 105, flags: RST, payload: b"" }),
    ]);
    assert_eq!(closed.changes, [(1, Change::Opened), (1, Change::Closed), (1, Change::Reset)]);
    assert_eq!((closed.octets.as_slice(), closed.gaps.as_slice()), (&b"abcd"[..], &[][..]));
}

#[test]
fn keep_alive_probes_add_nothing() {
    let got = run(&[
        (0, true, segment(99, b"\0")),
        (1, true, segment(100, b"abc")),
        (2, true, segment(102, b"\0")),
        (3, true, segment(103, b"d")),
    ]);
    assert_eq!(got.octets, b"abcd");
}

#[test]
fn a_flood_of_half_open_connections_stays_in_bounds() {
    let limits = Limits { streams: 200, ..limits() };
    let mut connections: Connections<()> = Connections::new(&limits);
    let mut ended = 0;
    for number in 0..20_000_u64 {
        let from = format!("192.0.{}.{}:{}", number / 250 % 250, number % 250, 1024 + number);
        let bytes = tcp(&from, BOB, syn(1)).whole();
        let frame = frame(number + 1, 0, 101, &bytes);
        let mut decoder = Decoder::new(&limits);
        let packet = decoder.decode(&frame).unwrap();
        let Payload::Segment(segment) = packet.payload else { panic!("{packet:?}") };
        let arrival = Arrival { frame: frame.id, time: frame.time };
        ended += connections.observe(&packet, &segment, arrival).ended.drain(..).count();
        assert!(connections.len() <= 101);
    }
    assert_eq!(ended + connections.len(), 20_000);
    assert_eq!(connections.take_let_go(), ended as u64);
}

proptest! {
    #[test]
    fn any_cut_order_overlap_and_duplication_of_segments_gives_the_same_octets(
        text in vec(any::<u8>(), 1..600),
        first in any::<u32>(),
        cuts in vec((any::<prop::sample::Index>(), 1_usize..80), 0..30),
        order in vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..60),
    ) {
        let mut parts: Vec<(usize, usize)> = cuts
            .iter()
            .map(|(at, length)| {
                let at = at.index(text.len());
                (at, (at + length).min(text.len()))
            })
            .collect();
        parts.extend((0..text.len()).step_by(40).map(|at| (at, (at + 40).min(text.len()))));
        for (a, b) in order {
            let (a, b) = (a.index(parts.len()), b.index(parts.len()));
            parts.swap(a, b);
        }
        let send = |(at, end): &(usize, usize)| {
            (1, true, segment(first.wrapping_add(1 + *at as u32), &text[*at..*end]))
        };
        let steps: Vec<Step<'_>> =
            std::iter::once((0, true, syn(first))).chain(parts.iter().map(send)).collect();
        let got = run(&steps);
        prop_assert_eq!(&got.octets, &text);
        prop_assert!(got.gaps.is_empty());
    }

    #[test]
    fn what_is_lost_is_a_gap_of_its_size_and_nothing_is_invented(
        lost in 1_usize..9,
        sizes in vec(1_usize..50, 10),
        reader in 1_usize..5,
    ) {
        let mut parts = Vec::new();
        let mut at = 0_u32;
        for size in sizes {
            parts.push((at, vec![b'a' + (at % 26) as u8; size]));
            at += size as u32;
        }
        let (_, missing) = parts.remove(lost);
        let mut steps: Vec<Step<'_>> = vec![(0, true, syn(99))];
        for (at, bytes) in &parts {
            steps.push((reader as i64, true, segment(100 + at, bytes)));
        }
        steps.push((10, false, acknowledge(100 + at)));
        steps.push((50, true, segment(100 + at, b"!")));
        let got = run(&steps);
        let mut expected: Vec<u8> = parts.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
        expected.push(b'!');
        // A loss at the very end is overtaken too.
        prop_assert_eq!(got.octets, expected);
        prop_assert_eq!(got.gaps, vec![missing.len() as u64]);
    }
}
