//! From one layer to the next until a transport header or a fragment is found.

use etherparse::{TcpHeaderSlice, UdpHeaderSlice};

use crate::net::ip::{self, IpHead, Place};
use crate::net::path::Trail;
use crate::net::rest::Rest;
use crate::net::skip::Skip;
use crate::net::{Endpoint, Packet, PathId, Payload, Segment, TcpFlags, icmp, link, tunnel};

pub(super) const ICMP: u8 = 1;
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
pub(super) const ICMP_V6: u8 = 58;
pub(super) const SCTP: u8 = 132;

/// What the octets at hand begin with.
#[derive(Clone, Copy, Debug)]
pub(super) enum Layer {
    Ethernet,
    /// What the type of an Ethernet frame says.
    EtherType(u16),
    /// NULL and LOOP.
    Loopback,
    CookedV1,
    CookedV2,
    Llc,
    Ppp,
    PppWithDirection,
    CiscoHdlc,
    Pppoe,
    Mpls,
    Wifi,
    Radiotap,
    /// An IP header of either version.
    Ip,
    /// What an IP header announces.
    Over(IpHead),
}

/// Where a walk ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum Found<'a> {
    /// A packet; its path is still to be named.
    Packet(Packet<'a>),
    /// A fragment of one.
    Fragment(Fragment<'a>),
}

/// A fragment and its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fragment<'a> {
    pub(super) head: IpHead,
    pub(super) place: Place,
    pub(super) rest: Rest<'a>,
}

/// Peels `rest`, which begins with `layer`, and notes the encapsulations in `trail`.
///
/// Every step takes at least one octet or adds to the trail, which is bounded.
pub(super) fn walk<'a>(
    mut layer: Layer,
    mut rest: Rest<'a>,
    trail: &mut Trail,
) -> Result<Found<'a>, Skip> {
    loop {
        layer = match layer {
            Layer::Ip => {
                let head = ip::take_header(&mut rest)?;
                if let Some(place) = head.place {
                    return Ok(Found::Fragment(Fragment { head, place, rest }));
                }
                Layer::Over(head)
            }
            Layer::Over(head) => match head.protocol {
                UDP => return udp(&head, rest, trail),
                TCP => return tcp(&head, rest).map(Found::Packet),
                SCTP => return sctp(&head, rest).map(Found::Packet),
                ICMP | ICMP_V6 => return icmp::error(&head, rest).map(Found::Packet),
                _ => tunnel::in_ip(&head, &mut rest, trail)?,
            },
            _ => link::peel(layer, &mut rest, trail)?,
        };
    }
}

/// Goes on behind the IP header of a datagram that is whole again.
pub(super) fn resume<'a>(
    mut head: IpHead,
    mut rest: Rest<'a>,
    trail: &mut Trail,
) -> Result<Found<'a>, Skip> {
    ip::take_extensions(&mut head, &mut rest)?;
    match head.place {
        Some(place) => Ok(Found::Fragment(Fragment { head, place, rest })),
        None => walk(Layer::Over(head), rest, trail),
    }
}

fn udp<'a>(head: &IpHead, mut rest: Rest<'a>, trail: &mut Trail) -> Result<Found<'a>, Skip> {
    let header = UdpHeaderSlice::from_slice(rest.bytes).map_err(|_| rest.too_short())?;
    let ports = (header.source_port(), header.destination_port());
    let declared = usize::from(header.length());
    // 0 is an offloaded or a jumbo datagram; less than the header is nonsense.
    if 8 <= declared {
        rest.limit_within(declared);
    }
    rest.take(8)?;
    if tunnel::may_carry(ports) {
        let depth = trail.len();
        let inner = tunnel::in_udp(head, ports, rest, trail)
            .and_then(|(layer, inner)| walk(layer, inner, trail));
        match inner {
            Ok(found) => return Ok(found),
            Err(Skip::TooDeep) => return Err(Skip::TooDeep),
            // No tunnel, whatever the port says.
            Err(_) => trail.truncate(depth),
        }
    }
    Ok(Found::Packet(packet(head, ports, Payload::Datagram(rest.bytes), rest.missing)))
}

fn tcp<'a>(head: &IpHead, mut rest: Rest<'a>) -> Result<Packet<'a>, Skip> {
    let short = if rest.bytes.len() < 60 { rest.too_short() } else { Skip::Undecodable };
    let header = TcpHeaderSlice::from_slice(rest.bytes).map_err(|_| short)?;
    rest.take(header.slice().len())?;
    let segment = Segment {
        seq: header.sequence_number(),
        ack: header.acknowledgment_number(),
        flags: TcpFlags {
            syn: header.syn(),
            fin: header.fin(),
            rst: header.rst(),
            ack: header.ack(),
        },
        bytes: rest.bytes,
    };
    let ports = (header.source_port(), header.destination_port());
    Ok(packet(head, ports, Payload::Segment(segment), rest.missing))
}

fn sctp<'a>(head: &IpHead, mut rest: Rest<'a>) -> Result<Packet<'a>, Skip> {
    let ports = (rest.take_u16()?, rest.take_u16()?);
    rest.take(8)?;
    Ok(packet(head, ports, Payload::Sctp(rest.bytes), rest.missing))
}

/// A packet with the addresses of `head`.
#[inline(always)]
pub(super) fn packet<'a>(
    head: &IpHead,
    ports: (u16, u16),
    payload: Payload<'a>,
    cut: u32,
) -> Packet<'a> {
    Packet {
        from: Endpoint { ip: head.hosts.0, port: ports.0 },
        to: Endpoint { ip: head.hosts.1, port: ports.1 },
        payload,
        ip_id: head.id,
        fragments: 1,
        cut,
        path: PathId(0),
    }
}
