//! IPv4 and IPv6 headers with their extensions, down to the transport header.

use std::net::IpAddr;

use etherparse::{
    IpAuthHeaderSlice, Ipv4HeaderSlice, Ipv6FragmentHeaderSlice, Ipv6HeaderSlice,
    Ipv6RawExtHeaderSlice,
};

use crate::net::path::Hosts;
use crate::net::rest::Rest;
use crate::net::skip::Skip;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;
const MOBILITY: u8 = 135;
const HOST_IDENTITY: u8 = 139;
const SHIM6: u8 = 140;

/// What an IP header says of the octets behind it.
#[derive(Clone, Copy, Debug)]
pub(super) struct IpHead {
    /// Sender and receiver.
    pub(super) hosts: Hosts,
    /// Protocol of what follows.
    pub(super) protocol: u8,
    /// IPv4 identification, or that of the IPv6 fragment header.
    pub(super) id: Option<u32>,
    /// Where the octets belong when they are a fragment.
    pub(super) place: Option<Place>,
}

/// The place of a fragment in its datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Offset of its first octet.
    pub(super) offset: u32,
    /// Whether it is the end.
    pub(super) last: bool,
}

/// Takes an IP header of either version with its extensions; leaves the payload.
pub(super) fn take_header(rest: &mut Rest<'_>) -> Result<IpHead, Skip> {
    match rest.peek()? >> 4 {
        4 => take_v4(rest),
        6 => take_v6(rest),
        _ => Err(Skip::Undecodable),
    }
}

/// True when the octets begin with a credible IP header; where nothing else tells.
pub(super) fn is_credible(rest: Rest<'_>) -> bool {
    let on_wire = rest.bytes.len() + rest.missing as usize;
    match rest.bytes {
        [first, _, high, low, ..] if first >> 4 == 4 => {
            let total = usize::from(u16::from_be_bytes([*high, *low]));
            5 <= first & 15 && (total == 0 || (20..=on_wire).contains(&total))
        }
        [first, _, _, _, high, low, ..] if first >> 4 == 6 => {
            40 + usize::from(u16::from_be_bytes([*high, *low])) <= on_wire
        }
        _ => false,
    }
}

fn take_v4(rest: &mut Rest<'_>) -> Result<IpHead, Skip> {
    let header = Ipv4HeaderSlice::from_slice(rest.bytes).map_err(|_| short_or_bad(rest, 20))?;
    let length = header.slice().len();
    let declared = usize::from(header.total_len());
    // Segmentation offload writes 0, and now and then less than the header.
    if length <= declared {
        rest.limit(declared);
    }
    rest.take(length)?;
    let offset = u32::from(header.fragments_offset().value()) * 8;
    let place = Place { offset, last: !header.more_fragments() };
    let mut head = IpHead {
        hosts: (IpAddr::V4(header.source_addr()), IpAddr::V4(header.destination_addr())),
        protocol: header.protocol().0,
        id: Some(u32::from(header.identification())),
        place: (place != Place { offset: 0, last: true }).then_some(place),
    };
    if head.place.is_none() {
        take_extensions(&mut head, rest)?;
    }
    Ok(head)
}

fn take_v6(rest: &mut Rest<'_>) -> Result<IpHead, Skip> {
    let header = Ipv6HeaderSlice::from_slice(rest.bytes).map_err(|_| short_or_bad(rest, 40))?;
    let declared = usize::from(header.payload_length());
    rest.take(40)?;
    // 0 is a jumbogram or an offloaded segment: the frame alone knows.
    if declared != 0 {
        rest.limit(declared);
    }
    let mut head = IpHead {
        hosts: (IpAddr::V6(header.source_addr()), IpAddr::V6(header.destination_addr())),
        protocol: header.next_header().0,
        id: None,
        place: None,
    };
    take_extensions(&mut head, rest)?;
    Ok(head)
}

/// Takes extension headers and AH; stops at a fragment.
pub(super) fn take_extensions(head: &mut IpHead, rest: &mut Rest<'_>) -> Result<(), Skip> {
    let is_v6 = head.hosts.0.is_ipv6();
    loop {
        match head.protocol {
            AUTHENTICATION => {
                let header = IpAuthHeaderSlice::from_slice(rest.bytes)
                    .map_err(|_| short_or_bad(rest, 12))?;
                rest.take(header.slice().len())?;
                head.protocol = header.next_header().0;
            }
            HOP_BY_HOP | ROUTING | DESTINATION | MOBILITY | HOST_IDENTITY | SHIM6 if is_v6 => {
                let header =
                    Ipv6RawExtHeaderSlice::from_slice(rest.bytes).map_err(|_| rest.too_short())?;
                rest.take(header.slice().len())?;
                head.protocol = header.next_header().0;
            }
            FRAGMENT if is_v6 => {
                let header = Ipv6FragmentHeaderSlice::from_slice(rest.bytes)
                    .map_err(|_| rest.too_short())?;
                rest.take(8)?;
                head.protocol = header.next_header().0;
                head.id = Some(header.identification());
                if header.is_fragmenting_payload() {
                    let offset = u32::from(header.fragment_offset().value()) * 8;
                    head.place = Some(Place { offset, last: !header.more_fragments() });
                    return Ok(());
                }
            }
            _ => return Ok(()),
        }
    }
}

/// A header that does not fit is cut; one that fits and is refused contradicts itself.
fn short_or_bad(rest: &Rest<'_>, least: usize) -> Skip {
    let short = rest.bytes.len() < least.max(60);
    if short { rest.too_short() } else { Skip::Undecodable }
}
