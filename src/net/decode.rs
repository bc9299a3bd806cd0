//! Frames become packets: link layers, tunnels and IP are peeled until UDP, TCP, SCTP or ICMP.

use smallvec::SmallVec;

use crate::frame::{Frame, LinkType};
use crate::limits::Limits;
use crate::net::defrag::{Defrag, Joined, Whole};
use crate::net::path::{Paths, Trail};
use crate::net::rest::Rest;
use crate::net::skip::Skip;
use crate::net::stream::Arrival;
use crate::net::walk::{self, Found};
use crate::net::{Packet, PathId, fast, link};
use crate::time::Timestamp;

const ETHERNET: LinkType = LinkType(1);

/// A datagram whose fragments did not all come: count it as `fragment-lost`.
#[derive(Clone, Copy, Debug)]
pub struct Incomplete<'a> {
    /// Its number, see [`Decoder::datagrams`].
    pub datagram: u64,
    /// The last of its fragments that was seen.
    pub arrival: Arrival,
    /// Its head as a packet that is cut, when the first fragment was seen.
    pub packet: Option<Packet<'a>>,
}

/// Levels of fragmentation within one another: a tunnel's packets are fragments of fragments.
const LEVELS: usize = 4;

/// Decodes frames; holds the fragments and the names of the encapsulations.
#[derive(Debug)]
pub struct Decoder {
    trail: Trail,
    paths: Paths,
    defrag: Defrag,
    /// The datagrams put together from the frame at hand.
    whole: [Vec<u8>; LEVELS],
    /// The datagrams that the frame at hand is a part of.
    joined: SmallVec<[u64; LEVELS]>,
}

impl Decoder {
    /// A decoder within `limits`.
    pub fn new(limits: &Limits) -> Self {
        Self {
            trail: Trail::new(limits.depth),
            paths: Paths::default(),
            defrag: Defrag::new(limits),
            whole: Default::default(),
            joined: SmallVec::new(),
        }
    }

    /// The packet in a frame; the innermost when there are tunnels.
    ///
    /// Lengths and checksums that are wrong (offload) are no reason to drop a packet: what was
    /// captured is read as far as it goes.
    #[inline]
    pub fn decode<'a>(&'a mut self, frame: &Frame<'a>) -> Result<Packet<'a>, Skip> {
        self.joined.clear();
        if frame.link == ETHERNET {
            self.trail.clear();
            if let Some(mut packet) = fast::ethernet(frame.bytes, &mut self.trail) {
                if 0 < self.trail.len() {
                    packet.path = self.paths.number(&self.trail);
                }
                return Ok(packet);
            }
        }
        self.decode_any(frame)
    }

    /// The same of a frame that holds a datagram as most do; `None` says nothing.
    #[inline(always)]
    pub(crate) fn decode_datagram<'a>(&mut self, frame: &Frame<'a>) -> Option<Packet<'a>> {
        self.joined.clear();
        if frame.link == ETHERNET { fast::datagram(frame.bytes) } else { None }
    }

    /// The long way, which knows everything.
    fn decode_any<'a>(&'a mut self, frame: &Frame<'a>) -> Result<Packet<'a>, Skip> {
        let Self { trail, paths, defrag, whole, joined } = self;
        trail.clear();
        let layer = link::of(frame.link).ok_or(Skip::UnknownLink)?;
        let rest = Rest { bytes: frame.bytes, missing: frame.cut() };
        let arrival = Arrival { frame: frame.id, time: frame.time };
        let mut found = walk::walk(layer, rest, trail)?;
        let mut fragments = 1;
        for buffer in whole {
            let Found::Fragment(fragment) = found else { break };
            let Joined { number, whole } =
                defrag.insert(&fragment, paths.number(trail), arrival).ok_or(Skip::FragmentHeld)?;
            joined.push(number);
            let datagram = whole.ok_or(Skip::FragmentHeld)?;
            fragments = datagram.fragments;
            *buffer = datagram.bytes;
            let rest = Rest { bytes: buffer, missing: datagram.missing };
            found = walk::resume(datagram.head, rest, trail)?;
        }
        match found {
            Found::Packet(packet) => Ok(Packet { path: paths.number(trail), fragments, ..packet }),
            Found::Fragment(_) => Err(Skip::TooDeep),
        }
    }

    /// The next datagram given up: its fragments did not come in time, or too many were held.
    /// Before every frame, until it says `None`.
    #[inline]
    pub fn expire(&mut self, now: Timestamp) -> Option<Incomplete<'_>> {
        let set = self.defrag.expired(now)?;
        let (arrival, datagram) = (set.last(), set.number());
        Some(Incomplete {
            datagram,
            arrival,
            packet: set.remains().and_then(|head| self.show(head)),
        })
    }

    /// The next datagram that was still in reassembly at the end of the input.
    pub fn finish(&mut self) -> Option<Incomplete<'_>> {
        self.expire(Timestamp(i64::MAX))
    }

    /// The fragmented datagrams that the frame decoded last is a part of, outermost first, by
    /// number; all but the last are whole, and that one too when there was a packet.
    pub fn datagrams(&self) -> &[u64] {
        &self.joined
    }

    /// Names the encapsulations of a packet, outermost first, with the addresses of tunnels:
    /// `vlan 120 / gre 0x1234 192.0.2.1 > 192.0.2.2`; empty without any.
    pub fn path(&self, id: PathId) -> &str {
        self.paths.name(id)
    }

    /// The packet that the head of a datagram shows, cut.
    fn show(&mut self, head: Whole) -> Option<Packet<'_>> {
        let Self { trail, paths, whole: [buffer, ..], .. } = self;
        trail.set(paths.layers(head.path));
        *buffer = head.bytes;
        let rest = Rest { bytes: buffer, missing: head.missing };
        match walk::resume(head.head, rest, trail).ok()? {
            Found::Packet(packet) => {
                let path = paths.number(trail);
                Some(Packet { path, fragments: head.fragments, ..packet })
            }
            Found::Fragment(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::frame::{FileId, FrameId};

    /// A plain frame, to be damaged: tags, IPv4 or IPv6, UDP or TCP.
    fn sound(tags: usize, v6: bool, udp: bool, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![2; 12];
        for id in 0..tags {
            bytes.extend([0x81, 0, 0, id as u8 + 1]);
        }
        let length = payload.len() as u16 + if udp { 8 } else { 20 };
        let protocol = if udp { 17 } else { 6 };
        if v6 {
            bytes.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
            bytes.extend(length.to_be_bytes());
            bytes.extend([protocol, 64]);
            bytes.extend([7; 32]);
        } else {
            bytes.extend([8, 0, 0x45, 0]);
            bytes.extend((length + 20).to_be_bytes());
            bytes.extend([0, 9, 0, 0, 64, protocol, 0, 0]);
            bytes.extend([7; 8]);
        }
        bytes.extend([0x13, 0xc4, 0x13, 0xc4]);
        if udp {
            bytes.extend(length.to_be_bytes());
            bytes.extend([0, 0]);
        } else {
            bytes.extend([0, 0, 0, 1, 0, 0, 0, 2, 0x50, 16, 0, 0, 0, 0, 0, 0]);
        }
        bytes.extend(payload);
        bytes
    }

    proptest! {
        #[test]
        fn both_ways_agree(
            tags in 0_usize..3,
            v6 in any::<bool>(),
            udp in any::<bool>(),
            payload in vec(any::<u8>(), 0..60),
            damage in vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
            trailer in 0_usize..8,
        ) {
            let mut bytes = sound(tags, v6, udp, &payload);
            for (at, octet) in damage {
                let at = at.index(bytes.len());
                bytes[at] = octet;
            }
            bytes.extend(vec![0; trailer]);
            let id = FrameId::new(FileId(0), 1);
            let wire_len = bytes.len() as u32;
            let (time, link) = (Timestamp(0), ETHERNET);
            let frame = Frame { id, time, link, interface: 0, wire_len, bytes: &bytes, home: None };
            let limits = Limits::default();
            let (mut short, mut long) = (Decoder::new(&limits), Decoder::new(&limits));
            let fast = fast::ethernet(&bytes, &mut Trail::new(limits.depth)).is_some();
            let one = format!("{:?}", short.decode(&frame));
            let other = format!("{:?}", long.decode_any(&frame));
            prop_assert_eq!(&one, &other);
            let datagram = short.decode_datagram(&frame);
            let is_plain = tags == 0 && !v6 && udp;
            prop_assert!(datagram.is_some() || !is_plain || frame.bytes != sound(tags, v6, udp, &payload));
            if let Some(packet) = datagram {
                prop_assert_eq!(format!("{:?}", Ok::<_, Skip>(packet)), one);
            }
            prop_assert!(fast || frame.bytes != sound(tags, v6, udp, &payload));
        }
    }
}
