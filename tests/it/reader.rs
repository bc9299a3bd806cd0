//! The reader: whatever carries SIP, each message comes out once and as it was sent.

use std::io::Write;

use proptest::collection::vec;
use proptest::prelude::*;
use siplens::engine::Reader;
use siplens::frame::Frame;
use siplens::limits::Limits;
use siplens::transport::{Completeness, ConnectionChange, Observation, Transport};

use crate::support::packet::{ACK, FIN, RST, SYN, Tcp, ethernet, frame, ip, tcp, udp};

const A: &str = "192.0.2.1:40000";
const B: &str = "192.0.2.2:5070";

/// What came out of a run.
#[derive(Debug, Default)]
struct Got {
    messages: Vec<(u64, Completeness, Vec<u8>)>,
    transports: Vec<Transport>,
    pings: usize,
    changes: Vec<ConnectionChange>,
    lost: Vec<(&'static str, u64)>,
}

impl Got {
    fn whole(&self) -> Vec<&[u8]> {
        let whole = self.messages.iter().filter(|(_, how, _)| *how == Completeness::Whole);
        whole.map(|(.., text)| text.as_slice()).collect()
    }

    /// The texts of [`Self::whole`], to be read when a test fails.
    fn shown(&self) -> Vec<String> {
        self.whole().into_iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect()
    }

    fn texts(&self) -> Vec<&[u8]> {
        self.messages.iter().map(|(.., text)| text.as_slice()).collect()
    }

    fn note(&mut self, observation: &Observation<'_>) {
        match observation {
            Observation::Message { envelope, text, .. } => {
                self.messages.push((envelope.frame.number, envelope.completeness, text.to_vec()));
                self.transports.push(envelope.transport);
            }
            Observation::Ping { .. } => self.pings += 1,
            Observation::Connection { change, .. } => self.changes.push(*change),
            Observation::Unreachable { .. } => {}
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

fn run(frames: &[Vec<u8>]) -> Got {
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

fn shown(texts: &[Vec<u8>]) -> Vec<String> {
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

fn messages(count: usize) -> Vec<Vec<u8>> {
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

/// One WebSocket frame.
pub(crate) fn websocket(first: u8, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
    let masked = if mask.is_some() { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..126 => bytes.push(masked | len as u8),
        len @ 126..65_536 => {
            bytes.push(masked | 0x7e);
            bytes.extend((len as u16).to_be_bytes());
        }
        len => {
            bytes.push(masked | 0x7f);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    let key = mask.unwrap_or_default();
    if mask.is_some() {
        bytes.extend(key);
    }
    bytes.extend(payload.iter().zip(key.iter().cycle()).map(|(octet, key)| octet ^ key));
    bytes
}

/// Messages in WebSocket frames of every kind: whole, in three parts with a ping between, masked.
fn socket(all: &[Vec<u8>]) -> Vec<u8> {
    let mut octets = Vec::new();
    for (number, text) in all.iter().enumerate() {
        let mask = (number % 2 == 0).then_some([1, 2, number as u8, 4]);
        if number % 3 == 0 {
            octets.extend(websocket(0x81, text, mask));
            continue;
        }
        let (first, rest) = text.split_at(text.len() / 3);
        let (second, third) = rest.split_at(rest.len() / 2);
        octets.extend(websocket(0x01, first, mask));
        octets.extend(websocket(0x89, b"are you there?", mask));
        octets.extend(websocket(0x00, second, mask));
        octets.extend(websocket(0x80, third, mask));
    }
    octets
}

pub(crate) const UPGRADE: &[u8] =
    b"GET / HTTP/1.1\r\nHost: b\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Protocol: sip\r\n\r\n";

#[test]
fn a_websocket_is_read_with_and_without_its_upgrade() {
    let mut all = messages(9);
    all.push(message(9, &vec![b'z'; 70_000]));
    let octets = socket(&all);
    for sizes in [&[1460][..], &[61], &[60_000]] {
        let got = run(&stream(&[UPGRADE, &octets].concat(), sizes));
        assert_eq!(got.shown(), shown(&all), "segments of {sizes:?}");
        assert!(got.transports.iter().all(|transport| *transport == Transport::Ws));
        let got = run(&stream(&octets, sizes)[1..]);
        assert_eq!(got.shown(), shown(&all), "without the upgrade");
    }
}

#[test]
fn a_compressed_websocket_is_read_with_and_without_context_takeover() {
    let all = messages(6);
    for takeover in [true, false] {
        let octets = [UPGRADE, &compressed(&all, takeover)].concat();
        assert_eq!(run(&stream(&octets, &[300])).whole(), all);
    }
}

/// Messages in compressed frames of a WebSocket, with context takeover or not.
pub(crate) fn compressed(all: &[Vec<u8>], takeover: bool) -> Vec<u8> {
    use flate2::{Compress, Compression, FlushCompress};
    let mut deflate = Compress::new(Compression::default(), false);
    let mut octets = Vec::new();
    for text in all {
        if !takeover {
            deflate.reset();
        }
        let mut out = Vec::with_capacity(10_000);
        deflate.compress_vec(text, &mut out, FlushCompress::Sync).unwrap();
        out.truncate(out.len() - 4);
        octets.extend(websocket(0xc1, &out, Some([9, 8, 7, 6])));
    }
    octets
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
fn windows_of_compressed_websockets_count_against_the_memory_allowed() {
    use flate2::{Compress, Compression, FlushCompress};
    let mut out = Vec::with_capacity(10_000);
    let mut deflate = Compress::new(Compression::default(), false);
    deflate.compress_vec(&message(1, b""), &mut out, FlushCompress::Sync).unwrap();
    out.truncate(out.len() - 4);
    let octets = [UPGRADE, &websocket(0xc1, &out, Some([9, 8, 7, 6]))].concat();
    let limits = Limits { memory: 8 << 20, ..Limits::default() };
    let mut reader = Reader::new(&limits);
    let mut messages = 0;
    for number in 0..1_000 {
        let from = format!("192.0.2.1:{}", 1_024 + number);
        let open = Tcp { seq: 999, ack: 0, flags: SYN, payload: &[] };
        let data = Tcp { seq: 1000, ack: 0, flags: ACK, payload: &octets };
        for segment in [open, data] {
            let bytes = ethernet(&tcp(&from, B, segment).whole());
            reader.read(&frame(1, 0, 1, &bytes), &mut |observation| {
                messages += usize::from(matches!(observation, Observation::Message { .. }));
            });
        }
    }
    assert_eq!(messages, 1_000);
    // A quarter of the memory is for streams; a window takes 48 KiB.
    assert!((30..=43).contains(&reader.connections()), "{}", reader.connections());
}

#[test]
fn a_compressed_websocket_that_lost_a_message_is_unread_from_there_and_counted() {
    use flate2::{Compress, Compression, FlushCompress};
    let all = messages(9);
    let mut deflate = Compress::new(Compression::default(), false);
    let mut frames = vec![segment(999, SYN, &[]), segment(1000, ACK, UPGRADE)];
    let mut at = 1000 + UPGRADE.len() as u32;
    for text in &all {
        let mut out = Vec::with_capacity(10_000);
        deflate.compress_vec(text, &mut out, FlushCompress::Sync).unwrap();
        out.truncate(out.len() - 4);
        let octets = websocket(0xc1, &out, Some([9, 8, 7, 6]));
        frames.push(segment(at, ACK, &octets));
        at += octets.len() as u32;
    }
    // The third message is not captured, but the other side has it.
    frames.remove(4);
    frames.insert(4, answer(at, ACK));
    let got = run(&frames);
    for text in got.whole() {
        assert!(all.iter().any(|sent| sent == text), "{}", String::from_utf8_lossy(text));
    }
    assert_eq!(got.whole()[..2], all[..2]);
    let lost = |reason: &str| got.lost.iter().find(|(r, _)| *r == reason).map_or(0, |(_, n)| *n);
    let unread = all.len() as u64 - 1 - got.whole().len() as u64;
    assert_eq!((lost("tcp-gap"), lost("ws-deflate")), (1, unread), "{:?}", got.lost);
    assert!(0 < unread);
}

#[test]
fn a_decompression_bomb_ends_at_the_limit() {
    use flate2::{Compress, Compression, FlushCompress};
    let mut deflate = Compress::new(Compression::best(), false);
    let mut out = Vec::with_capacity(100_000);
    deflate.compress_vec(&vec![b' '; 5 << 20], &mut out, FlushCompress::Sync).unwrap();
    let octets = [UPGRADE, &websocket(0xc1, &out, None)].concat();
    let got = run(&stream(&octets, &[1460]));
    assert_eq!(got.lost, [("too-long", 1)]);
}

/// A chunk of HEP version 3.
pub(crate) fn chunk(kind: u16, value: &[u8]) -> Vec<u8> {
    let len = value.len() as u16 + 6;
    [&[0, 0][..], &kind.to_be_bytes(), &len.to_be_bytes(), value].concat()
}

/// What an agent that saw `payload` on its way from 198.51.100.1 to 198.51.100.2 reports.
pub(crate) fn report(payload: &[u8]) -> Vec<u8> {
    let chunks = [
        chunk(1, &[2]),
        chunk(2, &[6]),
        chunk(3, &[198, 51, 100, 1]),
        chunk(4, &[198, 51, 100, 2]),
        chunk(7, &[0x13, 0xc4]),
        chunk(8, &[0x13, 0xc5]),
        chunk(9, &1_700_000_000_u32.to_be_bytes()),
        chunk(10, &250_000_u32.to_be_bytes()),
        chunk(12, &[0, 0, 0, 7]),
        payload.to_vec(),
    ]
    .concat();
    let len = chunks.len() as u16 + 6;
    [b"HEP3", &len.to_be_bytes()[..], &chunks].concat()
}

/// Time, ends and transport of what came out.
fn envelopes(frames: &[Vec<u8>]) -> Vec<(i64, String, Transport)> {
    let mut reader = Reader::new(&Limits::default());
    let mut envelopes = Vec::new();
    for (at, bytes) in frames.iter().enumerate() {
        reader.read(&frame(at as u64 + 1, 1_700_000_001_000, 1, bytes), &mut |observation| {
            if let Observation::Message { envelope, .. } = observation {
                let ends = format!("{} > {}", envelope.from, envelope.to);
                envelopes.push((envelope.time.0 / 1_000_000, ends, envelope.transport));
            }
        });
    }
    envelopes
}

fn zlib(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_report_of_an_agent_is_the_message_it_saw() {
    let one = message(1, b"hello");
    let plain = report(&chunk(15, &one));
    let compressed = report(&chunk(16, &zlib(&one)));
    let sent = |payload: &[u8]| ethernet(&udp(A, "192.0.2.2:9060", payload).whole());
    let ends = "198.51.100.1:5060 > 198.51.100.2:5061".to_owned();
    let expected = (1_700_000_000_250, ends, Transport::Tcp);
    for frames in [
        vec![sent(&plain)],
        vec![sent(&compressed)],
        stream(&plain, &[33]),
        stream(&compressed, &[1000]),
    ] {
        assert_eq!(run(&frames).whole(), [&one]);
        assert_eq!(envelopes(&frames), std::slice::from_ref(&expected));
    }
    assert_eq!(run(&[sent(&report(&chunk(15, b"{\"rtcp\":1}")))]).lost, [("hep-not-sip", 1)]);
    let bomb = report(&chunk(16, &zlib(&vec![b' '; 5 << 20])));
    assert_eq!(run(&[sent(&bomb)]).lost, [("hep-inflate", 1)]);
}

#[test]
fn the_agent_of_a_report_is_its_path_by_number_and_name() {
    let named = [chunk(19, b"proxy-1\n"), chunk(15, &message(1, b"x"))].concat();
    for (payload, name) in [(named, "hep 7 proxy-1"), (chunk(15, &message(1, b"x")), "hep 7")] {
        let bytes = ethernet(&udp(A, "192.0.2.2:9060", &report(&payload)).whole());
        let mut reader = Reader::new(&Limits::default());
        let mut path = None;
        reader.read(&frame(1, 0, 1, &bytes), &mut |observation| {
            if let Observation::Message { envelope, .. } = observation {
                path = Some(envelope.path);
            }
        });
        assert_eq!(reader.path(path.unwrap()), name);
    }
}

#[test]
fn reports_of_the_old_versions_are_read() {
    let one = message(1, b"");
    let head = [17, 0x13, 0xc4, 0x13, 0xc5, 198, 51, 100, 1, 198, 51, 100, 2];
    let first = [&[1, 16, 2][..], &head, &one].concat();
    let clock = [&1_700_000_000_u32.to_le_bytes()[..], &250_000_u32.to_le_bytes(), &[7, 0, 0, 0]];
    let second = [&[2, 28, 2][..], &head, &clock.concat(), &one].concat();
    let sent = |payload: &[u8]| ethernet(&udp(A, "192.0.2.2:9060", payload).whole());
    let ends = "198.51.100.1:5060 > 198.51.100.2:5061".to_owned();
    let expected = [
        (1_700_000_001_000, ends.clone(), Transport::Udp),
        (1_700_000_000_250, ends, Transport::Udp),
    ];
    assert_eq!(envelopes(&[sent(&first), sent(&second)]), expected);
}

/// An SCTP packet with one DATA chunk.
pub(crate) fn sctp(flags: u8, number: u32, data: &[u8]) -> Vec<u8> {
    let len = data.len() as u16 + 16;
    let chunk =
        [&[0, flags][..], &len.to_be_bytes(), &number.to_be_bytes(), &[0; 8], data].concat();
    let packet = [&[0x13, 0xc4, 0x13, 0xc4][..], &[0; 8], &chunk].concat();
    ethernet(&ip("192.0.2.1", "192.0.2.2", 132, packet).whole())
}

#[test]
fn fragments_of_an_sctp_message_come_in_any_order_and_twice() {
    let one = message(1, &[b'x'; 900]);
    let two = message(2, b"");
    let parts: Vec<Vec<u8>> = [(2, 10, 0..300), (0, 11, 300..700), (1, 12, 700..one.len())]
        .map(|(flags, number, range)| sctp(flags, number, &one[range]))
        .into();
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [2, 0, 1]] {
        let mut frames: Vec<Vec<u8>> = order.iter().map(|&at| parts[at].clone()).collect();
        frames.insert(1, frames[0].clone());
        frames.push(sctp(3, 13, &two));
        frames.push(sctp(3, 13, &two));
        assert_eq!(run(&frames).whole(), [&one, &two], "{order:?}");
    }
    let torn = run(&[parts[0].clone(), parts[2].clone()]);
    assert_eq!((torn.messages.len(), torn.lost), (0, vec![("sctp-gap", 2)]));
    // The snap length cut the chunk.
    let mut cut = sctp(3, 14, &one);
    cut.truncate(300);
    let got = run(&[cut]);
    assert_eq!(got.messages.len(), 1);
    assert_eq!(got.messages[0].1, Completeness::Truncated);
}

#[test]
fn interleaved_sctp_messages_are_put_together_each_by_itself() {
    // RFC 8260: fragments of two messages of two streams, in between each other.
    let all = [message(1, &[b'x'; 900]), message(2, &[b'y'; 700]), message(3, b"z")];
    let piece = |flags: u8, tsn: u32, stream: u8, at: u32, data: &[u8]| {
        let len = (data.len() as u16 + 20).to_be_bytes();
        let head = [&[64, flags][..], &len, &tsn.to_be_bytes(), &[0, stream, 0, 0, 0, 0, 0, 9]];
        let chunk = [&head.concat()[..], &at.to_be_bytes(), data].concat();
        let packet = [&[0x13, 0xc4, 0x13, 0xc4][..], &[0; 8], &chunk].concat();
        ethernet(&ip("192.0.2.1", "192.0.2.2", 132, packet).whole())
    };
    let [one, two, three] = &all;
    let frames = [
        piece(2, 10, 1, 0, &one[..300]),
        piece(2, 11, 2, 0, &two[..500]),
        piece(0, 12, 1, 1, &one[300..700]),
        piece(3, 13, 3, 0, three),
        piece(1, 14, 2, 1, &two[500..]),
        piece(1, 15, 1, 2, &one[700..]),
    ];
    let got = run(&frames);
    assert_eq!(got.whole(), [three, two, one]);
    assert!(got.lost.is_empty(), "{:?}", got.lost);
    let late = [5, 3, 0, 4, 2, 1].map(|at: usize| frames[at].clone());
    assert_eq!(run(&late).whole().len(), 3);
    assert_eq!(run(&frames[..5]).lost, [("sctp-gap", 2)]);
}

#[test]
fn a_flood_of_sctp_fragments_stays_in_bounds_and_is_counted() {
    let limits = Limits { fragments: 100, ..Limits::default() };
    let mut reader = Reader::new(&limits);
    for number in 0..1_000_u32 {
        let from = format!("198.51.{}.{}", number / 250, number % 250 + 1);
        let chunk = [&[0, 2, 0, 20][..], &number.to_be_bytes(), &[0; 8], b"INVI"].concat();
        let packet = [&[0x13, 0xc4, 0x13, 0xc4][..], &[0; 8], &chunk].concat();
        let bytes = ethernet(&ip(&from, "192.0.2.2", 132, packet).whole());
        reader.read(&frame(number.into(), 0, 1, &bytes), &mut |_| panic!("no message is whole"));
    }
    assert_eq!(reader.tally().lost.get("let-go"), Some(&900));
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
