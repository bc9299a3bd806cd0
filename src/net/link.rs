//! Link layers: from the type of the interface down to an IP header.

use crate::frame::LinkType;
use crate::net::ip;
use crate::net::path::{Encapsulation, Trail};
use crate::net::rest::Rest;
use crate::net::skip::Skip;
use crate::net::walk::Layer;
use crate::net::wifi;

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
/// What is smaller is a length, not a type (IEEE 802.3).
const FIRST_TYPE: u16 = 0x0600;

/// The layer a frame of this link type begins with.
pub(super) fn of(link: LinkType) -> Option<Layer> {
    Some(match link.0 {
        0 | 108 => Layer::Loopback,
        1 => Layer::Ethernet,
        9 | 50 | 166 => Layer::Ppp,
        12 | 14 | 101 | 228 | 229 => Layer::Ip,
        51 => Layer::Pppoe,
        104 => Layer::CiscoHdlc,
        105 => Layer::Wifi,
        113 => Layer::CookedV1,
        127 => Layer::Radiotap,
        204 => Layer::PppWithDirection,
        276 => Layer::CookedV2,
        _ => return None,
    })
}

/// Peels one layer below IP.
pub(super) fn peel(layer: Layer, rest: &mut Rest<'_>, trail: &mut Trail) -> Result<Layer, Skip> {
    match layer {
        Layer::Ethernet => {
            rest.take(12)?;
            Ok(Layer::EtherType(rest.take_u16()?))
        }
        Layer::EtherType(kind) => ether_type(kind, rest, trail),
        Layer::Loopback => loopback(rest),
        Layer::CookedV1 => {
            rest.take(14)?;
            Ok(Layer::EtherType(rest.take_u16()?))
        }
        Layer::CookedV2 => {
            let kind = rest.take_u16()?;
            rest.take(18)?;
            Ok(Layer::EtherType(kind))
        }
        Layer::Llc => llc(rest),
        Layer::Ppp => ppp(rest),
        Layer::PppWithDirection => {
            rest.take(1)?;
            Ok(Layer::Ppp)
        }
        Layer::CiscoHdlc => {
            rest.take(2)?;
            Ok(Layer::EtherType(rest.take_u16()?))
        }
        Layer::Pppoe => pppoe(rest, trail),
        Layer::Mpls => mpls(rest, trail),
        Layer::Wifi => wifi::data(rest),
        Layer::Radiotap => wifi::radiotap(rest),
        Layer::Ip | Layer::Over(_) => Ok(layer),
    }
}

fn ether_type(kind: u16, rest: &mut Rest<'_>, trail: &mut Trail) -> Result<Layer, Skip> {
    Ok(match kind {
        IPV4 | IPV6 => Layer::Ip,
        0x8100 | 0x88a8 | 0x9100 | 0x9200 | 0x9300 => {
            let id = rest.take_u16()? & 0x0fff;
            trail.push(Encapsulation::Vlan(id))?;
            Layer::EtherType(rest.take_u16()?)
        }
        0x8847 | 0x8848 => Layer::Mpls,
        0x8864 => Layer::Pppoe,
        0x880b => Layer::Ppp,
        0x6558 => Layer::Ethernet,
        // 802.1ah: the service tag, then the customer's frame.
        0x88e7 => {
            let service = rest.take_u32()? & 0x00ff_ffff;
            trail.push(Encapsulation::Backbone { service })?;
            Layer::Ethernet
        }
        // VN-Tag (802.1Qbh).
        0x8926 => {
            rest.take(4)?;
            Layer::EtherType(rest.take_u16()?)
        }
        0x88e5 => mac_security(rest)?,
        // Linux cooked: 802.3 and 802.2 frames have no type.
        0x0001 | 0x0004 => Layer::Llc,
        length if length < FIRST_TYPE => {
            rest.limit(usize::from(length));
            Layer::Llc
        }
        _ => return Err(Skip::NotOurs),
    })
}

/// LLC with IP in it or a SNAP header (RFC 1042).
fn llc(rest: &mut Rest<'_>) -> Result<Layer, Skip> {
    match rest.take_array()? {
        [0xaa, 0xaa, 0x03] => {
            rest.take(3)?;
            Ok(Layer::EtherType(rest.take_u16()?))
        }
        [0x06, 0x06, 0x03] => Ok(Layer::Ip),
        _ => Err(Skip::NotOurs),
    }
}

/// `MACsec` that only authenticates; its check value goes as a trailer.
fn mac_security(rest: &mut Rest<'_>) -> Result<Layer, Skip> {
    let [flags, _, _, _, _, _] = rest.take_array()?;
    if flags & 0x0c != 0 {
        return Err(Skip::Encrypted);
    }
    if flags & 0x20 != 0 {
        rest.take(8)?;
    }
    Ok(Layer::EtherType(rest.take_u16()?))
}

/// NULL and LOOP: the address family in the byte order of whoever captured.
fn loopback(rest: &mut Rest<'_>) -> Result<Layer, Skip> {
    let family: [u8; 4] = rest.take_array()?;
    let family = match family {
        [0, 0, high, low] | [low, high, 0, 0] => u16::from_be_bytes([high, low]),
        _ => return Err(Skip::Undecodable),
    };
    match family {
        // AF_INET; AF_INET6 of Linux, of NetBSD and OpenBSD, of FreeBSD, of macOS, of Windows.
        2 | 10 | 24 | 28 | 30 | 23 => Ok(Layer::Ip),
        _ => Err(Skip::NotOurs),
    }
}

/// PPP with or without address and control, its protocol in one octet or two (RFC 1661).
fn ppp(rest: &mut Rest<'_>) -> Result<Layer, Skip> {
    if let [0xff, 0x03, ..] = rest.bytes {
        rest.take(2)?;
    }
    let [mut protocol] = rest.take_array::<1>()?.map(u16::from);
    if protocol & 1 == 0 {
        let [low] = rest.take_array()?;
        protocol = protocol << 8 | u16::from(low);
    }
    match protocol {
        0x0021 | 0x0057 => Ok(Layer::Ip),
        0x0281 | 0x0283 => Ok(Layer::Mpls),
        _ => Err(Skip::NotOurs),
    }
}

/// A `PPPoE` session header (RFC 2516 section 4).
fn pppoe(rest: &mut Rest<'_>, trail: &mut Trail) -> Result<Layer, Skip> {
    let [version, code] = rest.take_array()?;
    let session = rest.take_u16()?;
    let length = usize::from(rest.take_u16()?);
    if version != 0x11 {
        return Err(Skip::Undecodable);
    }
    if code != 0 {
        return Err(Skip::NotOurs);
    }
    if length != 0 {
        rest.limit(length);
    }
    trail.push(Encapsulation::Pppoe { session })?;
    Ok(Layer::Ppp)
}

/// The MPLS stack down to its bottom; what is below has no type and must be guessed.
fn mpls(rest: &mut Rest<'_>, trail: &mut Trail) -> Result<Layer, Skip> {
    loop {
        let entry = rest.take_u32()?;
        trail.push(Encapsulation::Mpls { label: entry >> 12 })?;
        if entry & 0x100 != 0 {
            break;
        }
    }
    match rest.peek()? >> 4 {
        4 | 6 if ip::is_credible(*rest) => Ok(Layer::Ip),
        // A pseudowire: Ethernet behind a control word (RFC 4448 section 4.6) …
        0 if rest.bytes.get(16..).is_some_and(|tail| is_known_type(tail, rest.bytes.get(4..))) => {
            rest.take(4)?;
            Ok(Layer::Ethernet)
        }
        // … or without.
        _ if is_known_type(rest.bytes.get(12..).unwrap_or_default(), Some(rest.bytes)) => {
            Ok(Layer::Ethernet)
        }
        _ => Err(Skip::NotOurs),
    }
}

/// True when the type field at the start of `tail` is one that Ethernet frames have.
fn is_known_type(tail: &[u8], frame: Option<&[u8]>) -> bool {
    let Some([high, low]) = tail.first_chunk() else { return false };
    let known = matches!(
        u16::from_be_bytes([*high, *low]),
        IPV4 | IPV6 | 0x0806 | 0x8100 | 0x88a8 | 0x9100 | 0x8847 | 0x8864 | 0x8863
    );
    known && frame.is_some_and(|frame| 14 <= frame.len())
}
