//! ICMP and `ICMPv6` errors and the packets they quote.

use crate::net::ip::{self, IpHead};
use crate::net::rest::Rest;
use crate::net::skip::Skip;
use crate::net::walk::{ICMP, SCTP, TCP, UDP, packet};
use crate::net::{Endpoint, IcmpError, IcmpKind, Packet, Payload};

const IP_IN_IP: u8 = 4;
const IPV6_IN_IP: u8 = 41;

/// The error in an ICMP message of either version; other messages are not ours.
pub(super) fn error<'a>(head: &IpHead, mut rest: Rest<'a>) -> Result<Packet<'a>, Skip> {
    let [kind, code, _, _, _, length, _, _] = rest.take_array()?;
    let is_v4 = head.protocol == ICMP;
    let kind = if is_v4 { v4_kind(kind, code) } else { v6_kind(kind, code) };
    let kind = kind.ok_or(Skip::NotOurs)?;
    // Extensions may follow a quote of stated length (RFC 4884 section 4).
    if is_v4 && length != 0 {
        rest.limit_within(usize::from(length) * 4);
    }
    let quoted = quote(kind, rest)?;
    Ok(packet(head, (0, 0), Payload::IcmpError(quoted), 0))
}

const fn v4_kind(kind: u8, code: u8) -> Option<IcmpKind> {
    Some(match (kind, code) {
        (3, 0 | 5 | 6 | 8 | 11) => IcmpKind::NetUnreachable,
        (3, 1 | 7 | 12) => IcmpKind::HostUnreachable,
        (3, 3) => IcmpKind::PortUnreachable,
        (3, 4) => IcmpKind::FragmentationNeeded,
        (3, 9 | 10 | 13 | 14 | 15) => IcmpKind::Prohibited,
        (11, _) => IcmpKind::TimeExceeded,
        // Source quench, parameter problem, protocol unreachable.
        (3 | 4 | 12, _) => IcmpKind::Other,
        _ => return None,
    })
}

const fn v6_kind(kind: u8, code: u8) -> Option<IcmpKind> {
    Some(match (kind, code) {
        (1, 0) => IcmpKind::NetUnreachable,
        (1, 1 | 5 | 6) => IcmpKind::Prohibited,
        (1, 2 | 3) => IcmpKind::HostUnreachable,
        (1, 4) => IcmpKind::PortUnreachable,
        (2, _) => IcmpKind::FragmentationNeeded,
        (3, _) => IcmpKind::TimeExceeded,
        (1 | 4, _) => IcmpKind::Other,
        _ => return None,
    })
}

/// Reads as much of the quoted packet as there is; it is nearly always cut.
fn quote(kind: IcmpKind, mut rest: Rest<'_>) -> Result<IcmpError<'_>, Skip> {
    let mut head = ip::take_header(&mut rest)?;
    while matches!(head.protocol, IP_IN_IP | IPV6_IN_IP) && head.place.is_none() {
        head = ip::take_header(&mut rest)?;
    }
    if !matches!(head.protocol, UDP | TCP | SCTP) {
        return Err(Skip::NotOurs);
    }
    let is_head = head.place.is_none_or(|place| place.offset == 0);
    let ports = match rest.bytes {
        [a, b, c, d, ..] if is_head => (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d])),
        _ => (0, 0),
    };
    let header = match head.protocol {
        UDP => 8,
        SCTP => 12,
        _ => rest.bytes.get(12).map_or(usize::MAX, |offset| usize::from(offset >> 4) * 4),
    };
    let quoted = if is_head { rest.bytes.get(header..).unwrap_or_default() } else { &[] };
    Ok(IcmpError {
        kind,
        from: Endpoint { ip: head.hosts.0, port: ports.0 },
        to: Endpoint { ip: head.hosts.1, port: ports.1 },
        protocol: head.protocol,
        quoted,
    })
}
