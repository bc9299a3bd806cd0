//! The body of the fuzz target `frame`: any octets as frames, through decoder and connections.

use crate::frame::{FileId, Frame, FrameId, LinkType};
use crate::limits::Limits;
use crate::net::Payload;
use crate::net::connections::{Connections, Side};
use crate::net::decode::Decoder;
use crate::net::stream::{After, Arrival, Reading};
use crate::time::{MILLISECOND, Timestamp};

/// Link types tried, chosen by the first octet of a frame.
const LINKS: [u16; 20] =
    [0, 1, 9, 12, 14, 50, 51, 101, 104, 105, 108, 113, 127, 147, 166, 204, 228, 229, 276, 1];

/// Reads `input` as frames (link, milliseconds passed, length, octets) and returns how many
/// octets of payload came out; must never panic, hang or hold more than its limits.
pub fn frames(mut input: &[u8]) -> usize {
    let limits = Limits {
        streams: 8,
        stream_bytes: 4096,
        fragments: 4,
        fragment_bytes: 8192,
        memory: 1 << 16,
        ..Limits::default()
    };
    let mut decoder = Decoder::new(&limits);
    let mut connections: Connections<()> = Connections::new(&limits);
    let (mut time, mut number, mut octets) = (Timestamp::default(), 0, 0);
    while let [link, wait, length, tail @ ..] = input {
        let (bytes, rest) = tail.split_at(usize::from(*length).min(tail.len()));
        input = rest;
        time = time.plus(i64::from(*wait) * 100 * MILLISECOND);
        number += 1;
        let id = FrameId::new(FileId(0), number);
        let link = LinkType(LINKS[usize::from(*link) % LINKS.len()]);
        let wire_len = u32::from(*length) + u32::from(link.0 % 7);
        let frame = Frame { id, time, link, interface: 0, wire_len, bytes, home: None };
        let arrival = Arrival { frame: id, time };
        while decoder.expire(time).is_some() {}
        while let Some((connection, side)) = connections.overdue(time) {
            octets += drain(connection.parts(side).0.read(arrival));
        }
        let Ok(packet) = decoder.decode(&frame) else { continue };
        match &packet.payload {
            Payload::Datagram(bytes) | Payload::Sctp(bytes) => octets += bytes.len(),
            Payload::IcmpError(error) => octets += error.quoted.len(),
            Payload::Segment(segment) => {
                let seen = connections.observe(&packet, segment, arrival);
                seen.ended.clear();
                let (stream, ()) = seen.connection.parts(seen.side);
                octets += drain(stream.insert(segment, packet.cut, arrival));
            }
        }
    }
    while decoder.finish().is_some() {}
    while let Some(mut connection) = connections.finish() {
        for side in Side::BOTH {
            octets += drain(connection.finish(side).0);
        }
    }
    octets
}

/// Takes half of what is there, as a reader does that waits for the rest.
fn drain(mut reading: Reading<'_>) -> usize {
    let mut octets = 0;
    loop {
        let readable = reading.readable();
        let after = readable.after;
        let part = match after {
            After::More => readable.bytes.len() / 2,
            After::Gap(_) | After::End => readable.bytes.len(),
        };
        reading.consume(part);
        octets += part;
        if !matches!(after, After::Gap(_)) {
            return octets;
        }
        reading.pass_gap();
    }
}
