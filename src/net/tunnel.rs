//! What carries packets inside packets, over IP and over UDP.

use crate::net::esp;
use crate::net::ip::{self, IpHead};
use crate::net::path::{Encapsulation, Hosts, Trail};
use crate::net::rest::Rest;
use crate::net::skip::Skip;
use crate::net::walk::Layer;

const L2TP: u16 = 1701;
const GTP_U: u16 = 2152;
const ESP_IN_UDP: u16 = 4500;
const VXLAN: u16 = 4789;
const VXLAN_GPE: u16 = 4790;
const GENEVE: u16 = 6081;
/// What Linux used before VXLAN had a port.
const VXLAN_LINUX: u16 = 8472;

/// Peels what an IP header announces, when it is a tunnel.
pub(super) fn in_ip(head: &IpHead, rest: &mut Rest<'_>, trail: &mut Trail) -> Result<Layer, Skip> {
    match head.protocol {
        4 | 41 => {
            trail.push(Encapsulation::Ip(head.hosts))?;
            Ok(Layer::Ip)
        }
        47 => gre(head.hosts, rest, trail),
        50 => esp::peel(head, rest, trail),
        97 => {
            rest.take(2)?;
            trail.push(Encapsulation::EtherIp(head.hosts))?;
            Ok(Layer::Ethernet)
        }
        137 => {
            trail.push(Encapsulation::Ip(head.hosts))?;
            Ok(Layer::Mpls)
        }
        // Ethernet over SRv6 (RFC 8986 section 10.1).
        143 => {
            trail.push(Encapsulation::Ip(head.hosts))?;
            Ok(Layer::Ethernet)
        }
        _ => Err(Skip::NotOurs),
    }
}

/// True on ports where a tunnel is worth a try.
pub(super) fn may_carry((from, to): (u16, u16)) -> bool {
    let known =
        |port| matches!(port, L2TP | GTP_U | ESP_IN_UDP | VXLAN | VXLAN_GPE | GENEVE | VXLAN_LINUX);
    known(to) || known(from)
}

/// Peels the header of a tunnel over UDP. The caller must walk on and believe it only when a
/// packet comes out: a port proves nothing.
pub(super) fn in_udp<'a>(
    head: &IpHead,
    (from, to): (u16, u16),
    mut rest: Rest<'a>,
    trail: &mut Trail,
) -> Result<(Layer, Rest<'a>), Skip> {
    let on = |port| from == port || to == port;
    let layer = if on(VXLAN) || on(VXLAN_LINUX) || on(VXLAN_GPE) {
        vxlan(head.hosts, on(VXLAN_GPE), &mut rest, trail)
    } else if on(GENEVE) {
        geneve(head.hosts, &mut rest, trail)
    } else if on(GTP_U) {
        gtp(head.hosts, &mut rest, trail)
    } else if on(L2TP) {
        l2tp(head.hosts, &mut rest, trail)
    } else {
        esp::peel(head, &mut rest, trail)
    };
    Ok((layer?, rest))
}

/// GRE (RFC 2784, 2890), ERSPAN in it, and the PPTP variant (RFC 2637).
fn gre(hosts: Hosts, rest: &mut Rest<'_>, trail: &mut Trail) -> Result<Layer, Skip> {
    let flags = rest.take_u16()?;
    let protocol = rest.take_u16()?;
    let has = |bit: u16| flags & bit != 0;
    if flags & 7 == 1 {
        rest.take(2)?;
        let key = Some(u32::from(rest.take_u16()?));
        rest.take(if has(0x1000) { 4 } else { return Err(Skip::NotOurs) })?;
        rest.take(if has(0x0080) { 4 } else { 0 })?;
        trail.push(Encapsulation::Gre { hosts, key })?;
        return Ok(Layer::Ppp);
    }
    // Source routes (bit 1) were withdrawn by RFC 2784.
    if flags & 7 != 0 || has(0x4000) {
        return Err(Skip::Undecodable);
    }
    rest.take(if has(0x8000) { 4 } else { 0 })?;
    let key = if has(0x2000) { Some(rest.take_u32()?) } else { None };
    let numbered = has(0x1000);
    rest.take(if numbered { 4 } else { 0 })?;
    match protocol {
        0x88be | 0x22eb => erspan(hosts, protocol == 0x22eb, numbered, rest, trail),
        // WCCP: IPv4, in version 2 behind a redirect header.
        0x883e => {
            if rest.peek()? >> 4 != 4 {
                rest.take(4)?;
            }
            trail.push(Encapsulation::Gre { hosts, key })?;
            Ok(Layer::Ip)
        }
        _ => {
            trail.push(Encapsulation::Gre { hosts, key })?;
            Ok(Layer::EtherType(protocol))
        }
    }
}

/// ERSPAN types I (no header), II (8 octets) and III (12, maybe 8 more).
fn erspan(
    hosts: Hosts,
    third: bool,
    numbered: bool,
    rest: &mut Rest<'_>,
    trail: &mut Trail,
) -> Result<Layer, Skip> {
    let mut session = 0;
    if third || numbered {
        let [_, _, high, low, _, _, _, _] = rest.take_array()?;
        session = u16::from_be_bytes([high, low]) & 0x03ff;
    }
    if third {
        let [_, _, _, flags] = rest.take_array()?;
        rest.take(if flags & 1 != 0 { 8 } else { 0 })?;
    }
    trail.push(Encapsulation::Erspan { hosts, session })?;
    Ok(Layer::Ethernet)
}

/// VXLAN (RFC 7348) and its generic extension.
fn vxlan(
    hosts: Hosts,
    generic: bool,
    rest: &mut Rest<'_>,
    trail: &mut Trail,
) -> Result<Layer, Skip> {
    let [flags, _, _, next] = rest.take_array()?;
    let network = rest.take_u32()? >> 8;
    if flags & 0x08 == 0 {
        return Err(Skip::NotOurs);
    }
    trail.push(Encapsulation::Vxlan { hosts, network })?;
    match (generic && flags & 0x04 != 0, next) {
        (false, _) | (true, 3) => Ok(Layer::Ethernet),
        (true, 1 | 2) => Ok(Layer::Ip),
        _ => Err(Skip::NotOurs),
    }
}

/// GENEVE (RFC 8926).
fn geneve(hosts: Hosts, rest: &mut Rest<'_>, trail: &mut Trail) -> Result<Layer, Skip> {
    let [first, flags] = rest.take_array()?;
    let protocol = rest.take_u16()?;
    let network = rest.take_u32()? >> 8;
    if first & 0xc0 != 0 || flags & 0x3f != 0 {
        return Err(Skip::NotOurs);
    }
    rest.take(usize::from(first & 0x3f) * 4)?;
    trail.push(Encapsulation::Geneve { hosts, network })?;
    Ok(Layer::EtherType(protocol))
}

/// GTP-U version 1, user data only, with extension headers (3GPP TS 29.281 section 5).
fn gtp(hosts: Hosts, rest: &mut Rest<'_>, trail: &mut Trail) -> Result<Layer, Skip> {
    let [flags, kind] = rest.take_array()?;
    let length = rest.take_u16()?;
    let tunnel = rest.take_u32()?;
    if flags & 0xf0 != 0x30 || kind != 0xff {
        return Err(Skip::NotOurs);
    }
    rest.limit_within(usize::from(length));
    if flags & 7 != 0 {
        let [_, _, _, mut next] = rest.take_array()?;
        while flags & 4 != 0 && next != 0 {
            let [length] = rest.take_array()?;
            let octets = usize::from(length) * 4;
            let extension = rest.take(octets.checked_sub(1).ok_or(Skip::Undecodable)?)?;
            next = extension.last().copied().ok_or(Skip::Undecodable)?;
        }
    }
    trail.push(Encapsulation::Gtp { hosts, tunnel })?;
    Ok(if ip::is_credible(*rest) { Layer::Ip } else { Layer::Ethernet })
}

/// A data message of L2TP version 2 (RFC 2661 section 3.1); it carries PPP.
fn l2tp(hosts: Hosts, rest: &mut Rest<'_>, trail: &mut Trail) -> Result<Layer, Skip> {
    let flags = rest.take_u16()?;
    if flags & 0xb4ff != 2 {
        return Err(Skip::NotOurs);
    }
    rest.take(if flags & 0x4000 != 0 { 2 } else { 0 })?;
    let (tunnel, session) = (rest.take_u16()?, rest.take_u16()?);
    rest.take(if flags & 0x0800 != 0 { 4 } else { 0 })?;
    if flags & 0x0200 != 0 {
        let padding = rest.take_u16()?;
        rest.take(usize::from(padding))?;
    }
    trail.push(Encapsulation::L2tp { hosts, tunnel, session })?;
    Ok(Layer::Ppp)
}
