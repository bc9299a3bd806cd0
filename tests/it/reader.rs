//! The reader: whatever carries SIP, each message comes out once and as it was sent.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use siplens::engine::Reader;
use siplens::frame::{Frame, Home};
use siplens::limits::Limits;
use siplens::transport::{Completeness, ConnectionChange, Observation, Transport};

use crate::support::packet::{ACK, FIN, RST, SYN, Tcp, ethernet, frame, tcp, udp};
use crate::websocket::{UPGRADE, compressed, socket};

pub(crate) const A: &str = "192.0.2.1:40000";
pub(crate) const B: &str = "192.0.2.2:5070";

/// What came out of a run.
#[derive(Debug, Default)]
pub(crate) struct Got {
    pub(crate) messages: Vec<(u64, Completeness, Vec<u8>)>,
    pub(crate) transports: Vec<Transport>,
    pings: usize,
    changes: Vec<ConnectionChange>,
    pub(crate) lost: Vec<(&'static str, u64)>,
}

impl Got {
    pub(crate) fn whole(&self) -> Vec<&[u8]> {
        let whole = self.messages.iter().filter(|(_, how, _)| *how == Completeness::Whole);
        whole.map(|(.., text)| text.as_slice()).collect()
    }

    /// The texts of [`Self::whole`], to be read when a test fails.
    pub(crate) fn shown(&self) -> Vec<String> {
        self.whole().into_iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect()
    }

    pub(crate) fn texts(&self) -> Vec<&[u8]> {
        self.messages.iter().map(|(.., text)| text.as_slice()).collect()
    }

    fn note(&mut self, observation: &Observation<'_>) {
        match observation {
            Observation::Message { envelope, text, .. } => {
                self.messages.push((envelope.frame.number(), envelope.completeness, text.to_vec()));
                self.transports.push(envelope.transport);
            }
            Observation::Ping { .. } => self.pings += 1,
            Observation::Connection { change, .. } => self.changes.push(*change),
            Observation::Gap { .. } | Observation::Unreachable { .. } => {}
        }
    }

    fn end(mut self, mut reader: Reader) -> Self {
        reader.finish(&mut |observation| self.note(&observation));
        let tally = reader.tally();
        assert_eq!(
            tally.frames,
            tally.sip_frames + tally.other_frames + tally.skipped_frames,
            "every frame ends in one counter"
        );
        self.lost = tally.lost.iter().map(|(reason, count)| (*reason, *count)).collect();
        self
    }
}

pub(crate) fn run(frames: &[Vec<u8>]) -> Got {
    let mut reader = Reader::new(&Limits::default());
    let mut got = Got::default();
    for (at, bytes) in frames.iter().enumerate() {
        let frame: Frame<'_> = frame(at as u64 + 1, at as i64, 1, bytes);
        reader.read(&frame, &mut |observation| got.note(&observation));
    }
    got.end(reader)
}

pub(crate) fn segment(seq: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    ethernet(&tcp(A, B, Tcp { seq, ack: 0, flags, payload }).whole())
}

pub(crate) fn answer(ack: u32, flags: u8) -> Vec<u8> {
    ethernet(&tcp(B, A, Tcp { seq: 1, ack, flags, payload: &[] }).whole())
}

/// A stream in segments of the sizes that `sizes` gives in turn, after its SYN.
pub(crate) fn stream(octets: &[u8], sizes: &[usize]) -> Vec<Vec<u8>> {
    let mut frames = vec![segment(999, SYN, &[])];
    let (mut at, mut sizes) = (0, sizes.iter().cycle());
    while at < octets.len() {
        let end = (at + sizes.next().unwrap()).min(octets.len());
        frames.push(segment(1000 + at as u32, ACK, &octets[at..end]));
        at = end;
    }
    frames
}

pub(crate) fn shown(texts: &[Vec<u8>]) -> Vec<String> {
    texts.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect()
}

pub(crate) fn message(number: usize, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "MESSAGE sip:b@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK{number}\r\n\
         From: <sip:a@192.0.2.1>;tag=1\r\nTo: <sip:b@192.0.2.2>\r\nCall-ID: {number}@192.0.2.1\r\n\
         CSeq: {number} MESSAGE\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Bodies that mislead whoever does not count: a start line, half a head, line ends, anything.
fn misleading(number: usize) -> Vec<u8> {
    match number % 5 {
        0 => Vec::new(),
        1 => b"\r\n\r\nSIP/2.0 200 OK\r\nTo: x\r\n\r\n".to_vec(),
        2 => b"INVITE sip:nobody@192.0.2.9 SIP/2.0\r\nX: y\r\n".to_vec(),
        3 => (0..=255).cycle().take(700).collect(),
        _ => b"\r\n".repeat(40),
    }
}

pub(crate) fn messages(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|number| message(number, &misleading(number))).collect()
}

#[test]
fn segments_of_one_octet_are_no_hardship() {
    let all = messages(10);
    let got = run(&stream(&all.concat(), &[1]));
    assert_eq!(got.whole(), all);
    assert!(got.lost.is_empty(), "{:?}", got.lost);
}

#[test]
fn only_messages_that_lie_in_several_segments_are_copied() {
    let all = messages(6);
    let octets = all.concat();
    // The second segment begins in the middle of the first message, the third in that of the last.
    let first = all[0].len() / 2;
    let frames = stream(&octets, &[first, octets.len() - first - all[5].len() / 2]);
    let home: Arc<Home> = Arc::new(Home::Memory(frames.concat().into()));
    let mut reader = Reader::new(&Limits::default());
    let (mut places, mut texts, mut at) = (Vec::new(), Vec::new(), 0);
    for (number, bytes) in frames.iter().enumerate() {
        let place = &home.bytes()[at..at + bytes.len()];
        at += bytes.len();
        let mut frame = frame(number as u64 + 1, number as i64, 1, place);
        frame.home = Some(&home);
        reader.read(&frame, &mut |observation| {
            if let Observation::Message { text, home, .. } = observation {
                places.push(home.is_some());
                texts.push(text.to_vec());
            }
        });
    }
    assert_eq!(texts, all);
    assert_eq!(places, [false, true, true, true, true, false]);
}

#[test]
fn a_long_message_comes_on_the_frame_that_completes_it() {
    let all = [message(1, &[b'x'; 8000]), message(2, b"y")];
    let got = run(&stream(&all.concat(), &[1460]));
    assert_eq!(got.whole(), all);
    let last = got.messages.iter().map(|(frame, ..)| *frame).collect::<Vec<_>>();
    assert_eq!(last, [7, 7]);
}

#[test]
fn keep_alives_before_between_and_glued_are_no_part_of_a_message() {
    let all = messages(3);
    let octets = [b"\r\n\r\n", &all[0][..], b"\r\n", &all[1], b"\r\n\r\n", &all[2], b"\r\n\r\n"];
    for sizes in [&[1][..], &[7], &[100, 3], &[10_000]] {
        let got = run(&stream(&octets.concat(), sizes));
        assert_eq!(got.whole(), all, "segments of {sizes:?}");
    }
    let got = run(&stream(&octets.concat(), &[10_000]));
    assert_eq!(got.pings, 3);
}

#[test]
fn a_capture_that_begins_in_a_message_begins_with_the_next() {
    let all = messages(6);
    let octets = all.concat();
    for cut in [1, 40, all[0].len() - 3, all[0].len() + 200] {
        let got = run(&stream(&octets[cut..], &[300])[1..]);
        let whole = got.whole();
        let first = all.len() - whole.len();
        assert_eq!(whole, all[first..]);
        assert!(first <= 2, "cut at {cut}: {first} messages lost");
    }
}

#[test]
fn a_message_without_content_length_ends_where_practice_ends_it() {
    let head = "REGISTER sip:b SIP/2.0\r\nVia: SIP/2.0/TCP a\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\n";
    let bare = format!("{head}\r\n").into_bytes();
    let xml = format!(
        "{head}Content-Type: Application/MANSCDP+xml\r\n\r\n<?xml?><Notify><a/></Notify>\r\n"
    );
    let text = format!("{head}Content-Type: text/plain\r\n\r\nhello\r\nworld");
    let next = message(7, b"");
    for (first, sizes) in
        [(bare.as_slice(), &[50][..]), (xml.as_bytes(), &[5000]), (text.as_bytes(), &[9])]
    {
        let got = run(&stream(&[first, &next].concat(), sizes));
        assert_eq!(got.whole(), [first, &next], "{}", String::from_utf8_lossy(first));
    }
    let got = run(&stream(xml.as_bytes(), &[200]));
    assert_eq!(got.messages.len(), 1, "it does not wait for the next message");
}

#[test]
fn a_content_length_that_lies_costs_no_other_message() {
    let next = message(7, b"");
    let lie = |said: &str, body: &str| {
        format!(
            "MESSAGE sip:b SIP/2.0\r\nVia: SIP/2.0/TCP a\r\nCall-ID: 1\r\nl : {said}\r\n\r\n{body}"
        )
        .into_bytes()
    };
    for (first, how) in [
        (lie("2", "too short"), Completeness::Desync),
        (lie("60", "too long"), Completeness::Desync),
        (lie("-1", "negative"), Completeness::Whole),
        (lie("99999999999999999999", "absurd"), Completeness::Whole),
    ] {
        let got = run(&stream(&[&first[..], &next, &next].concat(), &[10_000]));
        let hows: Vec<_> = got.messages.iter().map(|(_, how, _)| *how).collect();
        assert_eq!(
            hows,
            [how, Completeness::Whole, Completeness::Whole],
            "{}",
            String::from_utf8_lossy(&first)
        );
        assert_eq!(got.texts()[1..], [&next, &next]);
    }
}

#[test]
fn a_message_beyond_the_limit_is_counted_and_passed_over() {
    let all = [message(1, &vec![b'x'; 300 << 10]), message(2, b"y")];
    let got = run(&stream(&all.concat(), &[1460]));
    assert_eq!(got.whole(), [&all[1]]);
    assert_eq!(got.lost, [("too-long", 1)]);
}

#[test]
fn a_message_that_the_end_of_the_capture_cuts_is_shown_as_such() {
    let one = message(1, b"0123456789");
    let got = run(&stream(&one[..one.len() - 4], &[1460]));
    assert_eq!(got.messages.len(), 1);
    assert_eq!(got.messages[0].1, Completeness::Gap);
    assert_eq!(got.messages[0].2, one[..one.len() - 4]);
}

#[test]
fn the_life_of_a_connection_that_carries_sip_is_told() {
    let one = message(1, b"");
    let end = 1000 + one.len() as u32;
    let mut frames = stream(&one, &[5000]);
    frames.insert(1, answer(1000, SYN | ACK));
    frames.push(segment(end, FIN | ACK, &[]));
    frames.push(answer(end + 1, RST));
    let got = run(&frames);
    assert_eq!(
        got.changes,
        [ConnectionChange::Opened, ConnectionChange::Closed, ConnectionChange::Reset]
    );

    let stranger = run(&stream(b"SSH-2.0-OpenSSH_9.2\r\n", &[5000]));
    assert!(stranger.changes.is_empty() && stranger.messages.is_empty());
}

#[test]
fn a_refused_connection_to_a_sip_port_is_told() {
    let syn = Tcp { seq: 9, ack: 0, flags: SYN, payload: &[] };
    let reset = Tcp { seq: 0, ack: 10, flags: RST | ACK, payload: &[] };
    let frames = [
        ethernet(&tcp(A, "192.0.2.2:5060", syn).whole()),
        ethernet(&tcp("192.0.2.2:5060", A, reset).whole()),
    ];
    assert_eq!(run(&frames).changes, [ConnectionChange::Opened, ConnectionChange::Refused]);
}

#[test]
fn keep_alives_over_udp_are_pings_and_other_datagrams_are_nothing() {
    let sent = |payload: &[u8]| ethernet(&udp("192.0.2.1:5060", "192.0.2.2:5060", payload).whole());
    let strange =
        |payload: &[u8]| ethernet(&udp("192.0.2.1:6000", "192.0.2.2:6002", payload).whole());
    let got = run(&[
        sent(b"\r\n\r\n"),
        sent(b"\r\n"),
        sent(b"\0\0\0\0"),
        sent(b""),
        sent(b"\x80\x00rtp"),
        // STUN: a binding request, one of a wrong length, a response, a request elsewhere.
        sent(b"\0\x01\0\x04\x21\x12\xA4\x42transaction!\x80\x28\0\0"),
        sent(b"\0\x01\0\x08\x21\x12\xA4\x42transaction!\x80\x28\0\0"),
        sent(b"\x01\x01\0\0\x21\x12\xA4\x42transaction!"),
        strange(b"\0\x01\0\0\x21\x12\xA4\x42transaction!"),
        strange(b"\0\0\0\0"),
        strange(b""),
        strange(b"\r\n\r\n"),
    ]);
    assert_eq!((got.pings, got.messages.len()), (6, 0));
}

#[test]
fn tls_without_keys_is_counted_once_for_a_connection() {
    let random = [7; 32];
    let hello = |kind: u8, rest: &[u8]| {
        let body = [&[3, 3][..], &random, &[0], rest].concat();
        let len = body.len() as u8;
        [&[22, 3, 3, 0, len + 4, kind, 0, 0, len][..], &body, &[23, 3, 3, 0, 3, 1, 2, 3]].concat()
    };
    let mut frames = stream(&hello(1, &[0, 2, 0xc0, 0x2f, 1, 0]), &[100]);
    let back = Tcp { seq: 1, ack: 1011, flags: ACK, payload: &hello(2, &[0xc0, 0x2f, 0]) };
    frames.push(ethernet(&tcp(B, A, back).whole()));
    assert_eq!(run(&frames).lost, [("encrypted", 1)]);
}

/// The messages as a stream carries them: alone, and in a WebSocket of each sort.
fn carried(carriage: usize, all: &[Vec<u8>]) -> Vec<u8> {
    match carriage {
        0 => all.concat(),
        1 => [UPGRADE, &socket(all)].concat(),
        2 => [UPGRADE, &compressed(all, true)].concat(),
        _ => [UPGRADE, &compressed(all, false)].concat(),
    }
}

#[test]
fn a_flood_of_streams_that_never_end_a_message_stays_in_bounds() {
    let limits = Limits { memory: 8 << 20, streams: 2_000, ..Limits::default() };
    let mut reader = Reader::new(&limits);
    let mut seen = 0;
    let head = [b"INVITE sip:b SIP/2.0\r\nVia: x\r\nX: ".as_slice(), &[b'x'; 1300]].concat();
    for number in 0..20_000_u32 {
        let from = format!("198.51.100.{}:{}", number % 250 + 1, 1024 + number / 250);
        let bytes =
            ethernet(&tcp(&from, B, Tcp { seq: 1, ack: 0, flags: ACK, payload: &head }).whole());
        reader.read(&frame(number.into(), 0, 1, &bytes), &mut |observation| {
            if let Observation::Message { envelope, .. } = observation {
                assert_eq!(envelope.completeness, Completeness::Gap);
                seen += 1;
            }
        });
    }
    assert!(18_900 <= seen, "what is let go is shown as far as it came: {seen}");
}

#[test]
fn a_flood_of_half_open_connections_costs_no_other_and_is_counted() {
    let limits = Limits { streams: 200, ..Limits::default() };
    let mut reader = Reader::new(&limits);
    let mut got = Got::default();
    let mut number = 0;
    let mut read = |bytes: &[u8]| {
        number += 1;
        reader.read(&frame(number, 0, 1, bytes), &mut |observation| got.note(&observation));
    };
    let (one, two) = (message(1, b"hello"), message(2, b"world"));
    let (head, rest) = two.split_at(100);
    read(&segment(1, ACK, &one));
    read(&segment(1 + one.len() as u32, ACK, head));
    for port in 1_024..21_024_u32 {
        let from = format!("198.51.100.{}:{}", port % 250 + 1, port);
        read(&ethernet(&tcp(&from, B, Tcp { seq: 1, ack: 0, flags: SYN, payload: b"" }).whole()));
    }
    read(&segment(1 + one.len() as u32 + 100, ACK, rest));
    let got = got.end(reader);
    assert_eq!(got.whole(), [one.as_slice(), &two]);
    assert_eq!(got.lost, [("let-go-connections", 19_901)]);
}

#[test]
fn senders_of_keep_alives_without_number_are_held_in_bounds() {
    let mut reader = Reader::new(&Limits { signs: 100, ..Limits::default() });
    for port in 1_024..2_024_u32 {
        let bytes =
            ethernet(&udp(&format!("198.51.100.1:{port}"), "192.0.2.2:5060", b"\r\n\r\n").whole());
        reader.read(&frame(u64::from(port), 0, 1, &bytes), &mut |_| {});
    }
    assert_eq!(reader.vantage().pings.len(), 100);
    assert_eq!(reader.tally().lost.get("let-go-evidence"), Some(&900));
}

#[test]
fn connections_find_room_among_many_that_carry_sip() {
    let mut reader = Reader::new(&Limits { streams: 20, ..Limits::default() });
    let mut got = Got::default();
    let (mut number, whole) = (0, message(1, b"hello"));
    for port in 1_024..1_124 {
        for (seq, flags, payload) in
            [(0, SYN, &b""[..]), (1, ACK, &whole[..50]), (51, ACK, &whole[50..])]
        {
            let from = format!("198.51.100.1:{port}");
            let bytes = ethernet(&tcp(&from, B, Tcp { seq, ack: 0, flags, payload }).whole());
            number += 1;
            reader.read(&frame(number, 0, 1, &bytes), &mut |observation| got.note(&observation));
        }
    }
    assert_eq!(got.end(reader).whole().len(), 100);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn any_cut_order_overlap_and_duplication_gives_the_same_messages(
        count in 1_usize..8,
        carriage in 0_usize..4,
        cuts in vec((any::<prop::sample::Index>(), 1_usize..200), 0..20),
        swaps in vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..30),
    ) {
        let all = messages(count);
        let octets = carried(carriage, &all);
        let mut parts: Vec<(usize, usize)> = cuts
            .iter()
            .map(|(at, length)| {
                let at = at.index(octets.len());
                (at, (at + length).min(octets.len()))
            })
            .collect();
        parts.extend((0..octets.len()).step_by(90).map(|at| (at, (at + 90).min(octets.len()))));
        for (a, b) in swaps {
            let (a, b) = (a.index(parts.len()), b.index(parts.len()));
            parts.swap(a, b);
        }
        let mut frames = vec![segment(999, SYN, &[])];
        frames.extend(parts.iter().map(|&(at, end)| segment(1000 + at as u32, ACK, &octets[at..end])));
        let got = run(&frames);
        prop_assert_eq!(got.whole(), all);
        prop_assert_eq!(got.messages.len(), count);
    }

    #[test]
    fn loss_never_yields_a_message_that_was_not_sent(
        count in 2_usize..9,
        carriage in 0_usize..4,
        size in 20_usize..400,
        lost in vec(any::<prop::sample::Index>(), 1..4),
        is_heard in any::<bool>(),
    ) {
        let all = messages(count);
        let octets = carried(carriage, &all);
        let mut frames = stream(&octets, &[size]);
        for lost in lost {
            let at = 1 + lost.index(frames.len() - 1);
            frames.remove(at);
            if frames.len() < 2 {
                break;
            }
        }
        if is_heard {
            frames.push(answer(1000 + octets.len() as u32, ACK));
        }
        let got = run(&frames);
        for text in got.whole() {
            prop_assert!(all.iter().any(|sent| sent == text), "{}", String::from_utf8_lossy(text));
        }
        for (_, how, text) in &got.messages {
            let is_part = all.iter().any(|sent| sent.starts_with(text));
            prop_assert!(is_part, "{:?} {}", how, String::from_utf8_lossy(text));
        }
    }
}
