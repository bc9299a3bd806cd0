//! The short way for most frames: Ethernet, VLAN tags, whole IPv4 or IPv6, UDP or TCP.
//!
//! Anything unusual is left to the walk; where this says something, both say the same
//! (`both_ways_agree`).

use std::net::IpAddr;

use crate::net::ip::IpHead;
use crate::net::path::{Encapsulation, Trail};
use crate::net::walk::{TCP, UDP, packet};
use crate::net::{Packet, Payload, Segment, TcpFlags, tunnel};

/// The packet in an Ethernet frame when it is a datagram of IPv4 and nothing lies around it, as most
/// are; `None` says nothing. A way of its own, so that it need not be put together in memory.
#[inline(always)]
pub(super) fn datagram(frame: &[u8]) -> Option<Packet<'_>> {
    let (head, transport) = v4(frame.get(14..).filter(|_| u16_at(frame, 12) == Some(0x0800))?)?;
    if head.protocol == UDP { udp(&head, transport) } else { None }
}

/// The packet in an Ethernet frame; `None` when the long way must be taken.
#[inline(always)]
pub(super) fn ethernet<'a>(frame: &'a [u8], trail: &mut Trail) -> Option<Packet<'a>> {
    let mut kind = u16_at(frame, 12)?;
    let mut at = 14;
    while matches!(kind, 0x8100 | 0x88a8) {
        trail.push(Encapsulation::Vlan(u16_at(frame, at)? & 0x0fff)).ok()?;
        kind = u16_at(frame, at + 2)?;
        at += 4;
    }
    let ip = frame.get(at..)?;
    let (head, transport) = match kind {
        0x0800 => v4(ip)?,
        0x86dd => v6(ip)?,
        _ => return None,
    };
    match head.protocol {
        UDP => udp(&head, transport),
        TCP => tcp(&head, transport),
        _ => None,
    }
}

#[inline(always)]
fn v4(ip: &[u8]) -> Option<(IpHead, &[u8])> {
    let header = ip.first_chunk::<20>()?;
    let total = usize::from(u16_at(header, 2)?);
    if header[0] != 0x45 || u16_at(header, 6)? & 0x3fff != 0 {
        return None;
    }
    let hosts = (address_v4(header, 12)?, address_v4(header, 16)?);
    let id = Some(u32::from(u16_at(header, 4)?));
    let head = IpHead { hosts, protocol: header[9], id, place: None };
    Some((head, ip.get(20..total)?))
}

#[inline]
fn v6(ip: &[u8]) -> Option<(IpHead, &[u8])> {
    let header = ip.first_chunk::<40>()?;
    let length = usize::from(u16_at(header, 4)?);
    if header[0] >> 4 != 6 || length == 0 {
        return None;
    }
    let hosts = (address_v6(header, 8)?, address_v6(header, 24)?);
    let head = IpHead { hosts, protocol: header[6], id: None, place: None };
    Some((head, ip.get(40..40 + length)?))
}

#[inline(always)]
fn udp<'a>(head: &IpHead, transport: &'a [u8]) -> Option<Packet<'a>> {
    let ports = (u16_at(transport, 0)?, u16_at(transport, 2)?);
    let length = usize::from(u16_at(transport, 4)?);
    if tunnel::may_carry(ports) {
        return None;
    }
    Some(packet(head, ports, Payload::Datagram(transport.get(8..length)?), 0))
}

#[inline]
fn tcp<'a>(head: &IpHead, transport: &'a [u8]) -> Option<Packet<'a>> {
    let header = transport.first_chunk::<20>()?;
    let offset = usize::from(header[12] >> 4) * 4;
    if offset < 20 {
        return None;
    }
    let flag = |bit: u8| header[13] & bit != 0;
    let segment = Segment {
        seq: u32_at(header, 4)?,
        ack: u32_at(header, 8)?,
        flags: TcpFlags { fin: flag(1), syn: flag(2), rst: flag(4), ack: flag(16) },
        bytes: transport.get(offset..)?,
    };
    let ports = (u16_at(header, 0)?, u16_at(header, 2)?);
    Some(packet(head, ports, Payload::Segment(segment), 0))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|octets| u16::from_be_bytes(*octets))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|octets| u32::from_be_bytes(*octets))
}

fn address_v4(bytes: &[u8], at: usize) -> Option<IpAddr> {
    bytes.get(at..)?.first_chunk::<4>().map(|octets| IpAddr::from(*octets))
}

fn address_v6(bytes: &[u8], at: usize) -> Option<IpAddr> {
    bytes.get(at..)?.first_chunk::<16>().map(|octets| IpAddr::from(*octets))
}
