//! A played script as a pcap file: Ethernet, IPv4 with fragments, UDP, TCP.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;

use super::{Carriage, Flow, Seen, Sent};

/// Octets of IP payload in one frame.
const MTU: usize = 1480;

/// The frames of a played script, in order.
pub(crate) struct Capture {
    pub(crate) records: Vec<Record>,
}

/// One captured Ethernet frame.
#[derive(Clone)]
pub(crate) struct Record {
    /// Nanoseconds since the epoch.
    pub(crate) time: i64,
    /// What was captured.
    pub(crate) bytes: Vec<u8>,
    /// Octets it had on the wire.
    pub(crate) wire_len: u32,
    /// The message of the script it belongs to; 0 for none.
    pub(crate) number: usize,
}

impl Capture {
    /// The frames of a little-endian pcap file of microseconds.
    pub(crate) fn read(file: &[u8]) -> Self {
        let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
        assert_eq!((word(0), word(20)), (0xa1b2_c3d4, 1), "Ethernet, microseconds");
        let (mut at, mut records) = (24, Vec::new());
        while at < file.len() {
            let time = i64::from(word(at)) * 1_000_000_000 + i64::from(word(at + 4)) * 1_000;
            let kept = word(at + 8) as usize;
            let bytes = file[at + 16..at + 16 + kept].to_vec();
            let number = records.len() + 1;
            records.push(Record { time, bytes, wire_len: word(at + 12), number });
            at += 16 + kept;
        }
        Self { records }
    }

    /// The frames as a pcap file: nanoseconds, version 2.4, Ethernet.
    pub(crate) fn pcap(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for word in [0xa1b2_3c4d, 0x0004_0002, 0, 0, 262_144, 1] {
            out.extend(u32::to_le_bytes(word));
        }
        for record in &self.records {
            for word in [
                (record.time / 1_000_000_000) as u32,
                (record.time % 1_000_000_000) as u32,
                record.bytes.len() as u32,
                record.wire_len,
            ] {
                out.extend(word.to_le_bytes());
            }
            out.extend(&record.bytes);
        }
        out
    }
}

pub(crate) fn write(flow: &Flow) -> Capture {
    let mut writer = Writer::default();
    for sent in &flow.sent {
        match sent.carriage {
            Carriage::Udp => writer.datagram(sent),
            Carriage::Tcp => writer.segment(sent),
        }
    }
    if let Some(time) = flow.end {
        let from = "192.0.2.250:9".parse().unwrap();
        let to = "192.0.2.251:9".parse().unwrap();
        writer.packet(0, time, from, to, 17, 0, &udp(from, to, b"end"), usize::MAX);
    }
    Capture { records: writer.records }
}

#[derive(Default)]
struct Writer {
    records: Vec<Record>,
    /// Next sequence number by direction.
    seqs: BTreeMap<(SocketAddrV4, SocketAddrV4), u32>,
}

impl Writer {
    fn datagram(&mut self, sent: &Sent) {
        let Some(keep) = keep(sent.seen, 8) else { return };
        let payload = udp(sent.from, sent.to, &sent.bytes);
        self.packet(sent.number, sent.time, sent.from, sent.to, 17, sent.ip_id, &payload, keep);
    }

    fn segment(&mut self, sent: &Sent) {
        let Some(keep) = keep(sent.seen, 20) else { return };
        let (from, to) = (sent.from, sent.to);
        if !self.seqs.contains_key(&(from, to)) {
            self.seqs.insert((from, to), 1);
            self.seqs.insert((to, from), 1);
            for (a, b, seq, ack, flags) in [(from, to, 0, 0, 2), (to, from, 0, 1, 0x12)] {
                let bytes = tcp(a, b, seq, ack, flags, b"");
                self.packet(0, sent.time - 1_000_000, a, b, 6, 0, &bytes, usize::MAX);
            }
            let bytes = tcp(from, to, 1, 1, 0x10, b"");
            self.packet(0, sent.time - 500_000, from, to, 6, 0, &bytes, usize::MAX);
        }
        let ack = self.seqs[&(to, from)];
        for chunk in sent.bytes.chunks(MTU - 20) {
            let seq = self.seqs[&(from, to)];
            self.seqs.insert((from, to), seq + chunk.len() as u32);
            let bytes = tcp(from, to, seq, ack, 0x18, chunk);
            self.packet(sent.number, sent.time, from, to, 6, 0, &bytes, keep);
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn packet(
        &mut self,
        number: usize,
        time: i64,
        from: SocketAddrV4,
        to: SocketAddrV4,
        protocol: u8,
        id: u16,
        payload: &[u8],
        keep: usize,
    ) {
        let pieces = payload.chunks(MTU).count();
        for (i, piece) in payload.chunks(MTU).enumerate() {
            let more = if i + 1 < pieces { 0x2000 } else { 0 };
            let offset = (i * MTU / 8) as u16 | more;
            let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
            let mut header = vec![0x45, 0];
            header.extend(u16::to_be_bytes(20 + piece.len() as u16));
            header.extend(u16::to_be_bytes(id));
            header.extend(u16::to_be_bytes(offset));
            header.extend([64, protocol, 0, 0]);
            header.extend(from.ip().octets());
            header.extend(to.ip().octets());
            let sum = checksum(&header);
            header[10..12].copy_from_slice(&sum.to_be_bytes());
            frame.extend(header);
            frame.extend(piece);
            let wire_len = frame.len() as u32;
            frame.truncate(keep.saturating_add(34));
            self.records.push(Record { time, bytes: frame, wire_len, number });
        }
    }
}

/// Octets of IP payload to keep; `None` for a message that was not captured.
fn keep(seen: Seen, header: usize) -> Option<usize> {
    match seen {
        Seen::Whole => Some(usize::MAX),
        Seen::Cut(octets) => Some(header + octets),
        Seen::Lost => None,
    }
}

fn udp(from: SocketAddrV4, to: SocketAddrV4, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for word in [from.port(), to.port(), 8 + bytes.len() as u16, 0] {
        out.extend(word.to_be_bytes());
    }
    out.extend(bytes);
    let sum = pseudo(from, to, 17, &out);
    out[6..8].copy_from_slice(&sum.to_be_bytes());
    out
}

fn tcp(from: SocketAddrV4, to: SocketAddrV4, seq: u32, ack: u32, flags: u8, b: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(from.port().to_be_bytes());
    out.extend(to.port().to_be_bytes());
    out.extend(seq.to_be_bytes());
    out.extend(ack.to_be_bytes());
    out.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    out.extend(b);
    let sum = pseudo(from, to, 6, &out);
    out[16..18].copy_from_slice(&sum.to_be_bytes());
    out
}

/// The checksum over pseudo header and `segment`.
fn pseudo(from: SocketAddrV4, to: SocketAddrV4, protocol: u8, segment: &[u8]) -> u16 {
    let mut all = Vec::new();
    all.extend(from.ip().octets());
    all.extend(to.ip().octets());
    all.extend([0, protocol]);
    all.extend((segment.len() as u16).to_be_bytes());
    all.extend(segment);
    match checksum(&all) {
        0 => 0xffff,
        sum => sum,
    }
}

fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)])))
        .sum();
    while 0xffff < sum {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
