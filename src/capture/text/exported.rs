//! A message without packets, packed as Wireshark's "exported PDU" (LINKTYPE 252): tags that
//! name the protocol and the endpoints, then the message.

use std::net::{IpAddr, SocketAddr};

use super::peers::Peers;

/// `LINKTYPE_WIRESHARK_UPPER_PDU`.
pub const LINK_TYPE: u16 = 252;

/// Tags of the format.
const END: u16 = 0;
const DISSECTOR: u16 = 12;
const IPV4_SRC: u16 = 20;
const IPV4_DST: u16 = 21;
const IPV6_SRC: u16 = 22;
const IPV6_DST: u16 = 23;
const SRC_PORT: u16 = 25;
const DST_PORT: u16 = 26;

/// Packs `text`. The protocol is named `sip` or, where the transport is known, `sip.tcp` and so on.
pub(super) fn pack(peers: Peers, transport: Option<&str>, text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 64);
    let name = transport.map_or_else(|| "sip".to_owned(), |word| format!("sip.{word}"));
    tag(&mut out, DISSECTOR, name.as_bytes());
    address(&mut out, peers.from, [IPV4_SRC, IPV6_SRC, SRC_PORT]);
    address(&mut out, peers.to, [IPV4_DST, IPV6_DST, DST_PORT]);
    tag(&mut out, END, b"");
    out.extend_from_slice(text);
    out
}

fn address(out: &mut Vec<u8>, address: SocketAddr, [v4, v6, port]: [u16; 3]) {
    match address.ip() {
        IpAddr::V4(ip) => tag(out, v4, &ip.octets()),
        IpAddr::V6(ip) => tag(out, v6, &ip.octets()),
    }
    tag(out, port, &u32::from(address.port()).to_be_bytes());
}

/// A tag, its length and its value, filled up to a multiple of four octets.
fn tag(out: &mut Vec<u8>, tag: u16, value: &[u8]) {
    let padded = value.len().next_multiple_of(4);
    out.extend_from_slice(&tag.to_be_bytes());
    out.extend_from_slice(&(padded as u16).to_be_bytes());
    out.extend_from_slice(value);
    out.resize(out.len() + padded - value.len(), 0);
}

/// The tags' octets and the message behind them.
#[cfg(test)]
pub(super) fn unpack(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut at = 0;
    loop {
        let head = bytes.get(at..at + 4)?;
        let len = u16::from_be_bytes([head[2], head[3]]) as usize;
        at += 4 + len;
        if head[..2] == [0, 0] {
            return Some((&bytes[..at], &bytes[at..]));
        }
    }
}
