//! SIP in WebSocket (RFC 7118): with and without its upgrade, masked, in pieces, compressed.

use siplens::engine::Reader;
use siplens::limits::Limits;
use siplens::transport::{Observation, Transport};

use crate::reader::{B, answer, message, messages, run, segment, shown, stream};
use crate::support::packet::{ACK, SYN, Tcp, ethernet, frame, tcp};

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
pub(crate) fn socket(all: &[Vec<u8>]) -> Vec<u8> {
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
