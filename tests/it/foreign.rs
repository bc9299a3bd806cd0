//! Capture files of other tools: snoop and Network Monitor.

use siplens::capture::{Capture, Source};

use crate::capture::{frames, read_bytes, reasons};
use crate::compression::gzip;

/// A snoop file of Ethernet frames: seconds, octets, and what was dropped before.
fn snoop(records: &[(u32, &[u8], u32)]) -> Vec<u8> {
    let mut bytes = b"snoop\0\0\0\0\0\0\x02\0\0\0\x04".to_vec();
    for (seconds, packet, drops) in records {
        let padded = packet.len().next_multiple_of(4);
        let length = packet.len() as u32;
        for field in [length + 1, length, padded as u32 + 24, *drops, *seconds, 250_000] {
            bytes.extend(field.to_be_bytes());
        }
        bytes.extend(*packet);
        bytes.resize(bytes.len() + padded - packet.len(), 0);
    }
    bytes
}

#[test]
fn snoop_is_read_with_what_it_says_was_dropped() {
    let bytes = snoop(&[(7, b"one", 0), (8, b"three", 5)]);
    let seen = frames(&bytes);
    let told: Vec<_> =
        seen.iter().map(|f| (f.time, f.link, f.wire_len, f.bytes.as_slice())).collect();
    assert_eq!(told, [(7_250_000_000, 1, 4, &b"one"[..]), (8_250_000_000, 1, 6, b"three")]);
    let mut capture = Capture::of_bytes(&bytes);
    while capture.next().unwrap().is_some() {}
    assert_eq!(capture.dropped(), 5);

    for cut in 17..bytes.len() {
        let (seen, errors) = read_bytes(&bytes[..cut]);
        let whole = usize::from(44 <= cut);
        assert_eq!(seen.len(), whole, "cut at {cut}");
        let wanted: &[&str] = if cut == 44 { &[] } else { &["file-cut"] };
        assert_eq!(reasons(&errors), wanted, "cut at {cut}");
    }
    let mut lies = bytes;
    lies[16 + 4] = 1;
    assert_eq!(reasons(&read_bytes(&lies).1), ["file-corrupt"]);
}

/// A Network Monitor file that began on 2005-07-17 15:39:20.502: microseconds, octets, and what
/// stands behind each frame.
fn netmon(minor: u8, frames: &[(u64, &[u8], &[u8])]) -> Vec<u8> {
    let mut bytes = b"GMBU".to_vec();
    bytes.extend([minor, 2, 1, 0]);
    for field in [2005_u16, 7, 0, 17, 15, 39, 20, 502] {
        bytes.extend(field.to_le_bytes());
    }
    bytes.resize(128, 0);
    let mut table = Vec::new();
    for (micros, packet, trailer) in frames {
        table.extend((bytes.len() as u32).to_le_bytes());
        bytes.extend(micros.to_le_bytes());
        bytes.extend((packet.len() as u32).to_le_bytes());
        bytes.extend((packet.len() as u32).to_le_bytes());
        bytes.extend(*packet);
        bytes.extend(*trailer);
    }
    let at = (bytes.len() as u32).to_le_bytes();
    bytes[24..28].copy_from_slice(&at);
    bytes[28..32].copy_from_slice(&(table.len() as u32).to_le_bytes());
    bytes.extend(table);
    bytes
}

#[test]
fn network_monitor_files_are_read_by_their_table_also_compressed() {
    let told = |bytes: &[u8]| -> Vec<(i64, u16, Vec<u8>)> {
        frames(bytes).into_iter().map(|f| (f.time, f.link, f.bytes)).collect()
    };
    let began = 1_121_614_760_502_000_000;
    let plain = netmon(0, &[(0, b"one", b""), (4_621_000, b"two", b"")]);
    let wanted = [(began, 1, b"one".to_vec()), (began + 4_621_000_000, 1, b"two".to_vec())];
    assert_eq!(told(&plain), wanted);
    assert_eq!(told(&gzip(&plain)), wanted);

    // Raw IP, an event of the system, and a frame of a pcap file.
    let media = [9_u16, 0xffe0, 0xe071].map(u16::to_le_bytes);
    let mixed = netmon(1, &[(0, b"a", &media[0]), (1, b"b", &media[1]), (2, b"c", &media[2])]);
    let links: Vec<u16> = frames(&mixed).iter().map(|f| f.link).collect();
    assert_eq!(links, [101, u16::MAX, 113]);

    let utc = (1_121_614_765_u64 + 11_644_473_600) * 10_000_000 + 1_230_000;
    let trailer = [&[1, 0, 0, 0, 0, 0][..], &utc.to_le_bytes(), &[0]].concat();
    let newer = netmon(3, &[(0, b"x", &trailer)]);
    assert_eq!(told(&newer), [(1_121_614_765_123_000_000, 1, b"x".to_vec())]);

    let mut lies = plain.clone();
    lies[128 + 12..128 + 16].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(reasons(&read_bytes(&lies).1), ["file-corrupt"]);
    for cut in 12..plain.len() {
        assert_eq!(read_bytes(&plain[..cut]).1.len(), 1, "cut at {cut}");
    }
}
