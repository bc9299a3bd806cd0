//! Builds frames from the inside out: payload, UDP or TCP, IP, fragments, tunnels, links.

use std::net::{IpAddr, SocketAddr};

use siplens::frame::{FileId, Frame, FrameId, LinkType};
use siplens::time::{MILLISECOND, Timestamp};

/// One IP packet before it is written.
#[derive(Clone, Debug)]
pub struct Ip {
    pub from: IpAddr,
    pub to: IpAddr,
    pub protocol: u8,
    pub id: u32,
    pub payload: Vec<u8>,
}

/// A TCP segment; flags as in the header: FIN 1, SYN 2, RST 4, ACK 16.
#[derive(Clone, Copy, Debug)]
pub struct Tcp<'a> {
    pub seq: u32,
    pub ack: u32,
    pub flags: u8,
    pub payload: &'a [u8],
}

pub const FIN: u8 = 1;
pub const SYN: u8 = 2;
pub const RST: u8 = 4;
pub const ACK: u8 = 16;

/// An endpoint such as `192.0.2.1:5060` or `[2001:db8::1]:5060`.
pub fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A UDP datagram in IP, checksums right.
pub fn udp(from: &str, to: &str, payload: &[u8]) -> Ip {
    let (from, to) = (at(from), at(to));
    let mut bytes = Vec::new();
    bytes.extend(from.port().to_be_bytes());
    bytes.extend(to.port().to_be_bytes());
    bytes.extend((payload.len() as u16 + 8).to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend(payload);
    let sum = checksum(from.ip(), to.ip(), 17, &bytes);
    bytes[6..8].copy_from_slice(&sum.to_be_bytes());
    Ip { from: from.ip(), to: to.ip(), protocol: 17, id: 1, payload: bytes }
}

/// A TCP segment in IP, checksums right.
pub fn tcp(from: &str, to: &str, segment: Tcp<'_>) -> Ip {
    let (from, to) = (at(from), at(to));
    let mut bytes = Vec::new();
    bytes.extend(from.port().to_be_bytes());
    bytes.extend(to.port().to_be_bytes());
    bytes.extend(segment.seq.to_be_bytes());
    bytes.extend(segment.ack.to_be_bytes());
    bytes.extend([0x50, segment.flags, 0xff, 0xff, 0, 0, 0, 0]);
    bytes.extend(segment.payload);
    let sum = checksum(from.ip(), to.ip(), 6, &bytes);
    bytes[16..18].copy_from_slice(&sum.to_be_bytes());
    Ip { from: from.ip(), to: to.ip(), protocol: 6, id: 1, payload: bytes }
}

/// Something else in IP: a tunnel, ICMP.
pub fn ip(from: &str, to: &str, protocol: u8, payload: Vec<u8>) -> Ip {
    Ip { from: from.parse().unwrap(), to: to.parse().unwrap(), protocol, id: 1, payload }
}

impl Ip {
    /// The same packet with another identification.
    pub fn id(self, id: u32) -> Self {
        Self { id, ..self }
    }

    /// The packet in one piece.
    pub fn whole(&self) -> Vec<u8> {
        match (self.from, self.to) {
            (IpAddr::V4(_), IpAddr::V4(_)) => self.v4(0, false, &self.payload),
            _ => self.v6(self.protocol, &self.payload),
        }
    }

    /// The packet in fragments of `size` octets (a multiple of 8), the last one shorter.
    pub fn fragments(&self, size: usize) -> Vec<Vec<u8>> {
        let count = self.payload.len().div_ceil(size);
        let piece = |(number, part): (usize, &[u8])| {
            let (offset, more) = (number * size, number + 1 < count);
            self.fragment(offset, more, part)
        };
        self.payload.chunks(size).enumerate().map(piece).collect()
    }

    /// One fragment of it, wherever it may belong.
    pub fn fragment(&self, offset: usize, more: bool, part: &[u8]) -> Vec<u8> {
        if self.from.is_ipv4() {
            return self.v4(offset, more, part);
        }
        let mut bytes = vec![self.protocol, 0];
        bytes.extend((offset as u16 | u16::from(more)).to_be_bytes());
        bytes.extend(self.id.to_be_bytes());
        bytes.extend(part);
        self.v6(44, &bytes)
    }

    fn v4(&self, offset: usize, more: bool, part: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x45, 0];
        bytes.extend((part.len() as u16 + 20).to_be_bytes());
        bytes.extend((self.id as u16).to_be_bytes());
        bytes.extend(((offset as u16 / 8) | (u16::from(more) << 13)).to_be_bytes());
        bytes.extend([64, self.protocol, 0, 0]);
        bytes.extend(octets(self.from));
        bytes.extend(octets(self.to));
        let sum = !fold(words(&bytes));
        bytes[10..12].copy_from_slice(&sum.to_be_bytes());
        bytes.extend(part);
        bytes
    }

    fn v6(&self, next: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x60, 0, 0, 0];
        bytes.extend((payload.len() as u16).to_be_bytes());
        bytes.extend([next, 64]);
        bytes.extend(octets(self.from));
        bytes.extend(octets(self.to));
        bytes.extend(payload);
        bytes
    }
}

/// Octets one after another.
pub fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// An IP packet in Ethernet.
pub fn ethernet(ip: &[u8]) -> Vec<u8> {
    let kind: u16 = if ip[0] >> 4 == 4 { 0x0800 } else { 0x86dd };
    ethernet_of(kind, ip)
}

/// Anything in Ethernet.
pub fn ethernet_of(kind: u16, payload: &[u8]) -> Vec<u8> {
    join(&[&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1], &kind.to_be_bytes(), payload])
}

/// Linux cooked capture, version 1.
pub fn cooked(kind: u16, payload: &[u8]) -> Vec<u8> {
    let head = [0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0];
    join(&[&head, &kind.to_be_bytes(), payload])
}

/// Linux cooked capture, version 2.
pub fn cooked2(kind: u16, payload: &[u8]) -> Vec<u8> {
    let tail = [0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0];
    join(&[&kind.to_be_bytes(), &tail, payload])
}

/// A frame of link type `link`, number and milliseconds as given, nothing cut.
pub fn frame(number: u64, millis: i64, link: u16, bytes: &[u8]) -> Frame<'_> {
    Frame {
        id: FrameId::new(FileId(0), number),
        time: Timestamp(millis * MILLISECOND),
        link: LinkType(link),
        interface: 0,
        wire_len: bytes.len() as u32,
        bytes,
        home: None,
    }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn checksum(from: IpAddr, to: IpAddr, protocol: u8, bytes: &[u8]) -> u16 {
    let pseudo = words(&octets(from)) + words(&octets(to)) + u64::from(protocol);
    !fold(pseudo + bytes.len() as u64 + words(bytes))
}

fn words(bytes: &[u8]) -> u64 {
    let word = |pair: &[u8]| u64::from(pair[0]) << 8 | u64::from(*pair.get(1).unwrap_or(&0));
    bytes.chunks(2).map(word).sum()
}

fn fold(mut sum: u64) -> u16 {
    while 0xffff < sum {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}
