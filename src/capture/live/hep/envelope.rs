//! A HEP packet as a frame: IP and UDP headers from its sender to us around it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::frame::LinkType;

/// Raw IP (`LINKTYPE_RAW`).
pub(super) const LINK: LinkType = LinkType(101);
/// Octets of a HEP packet at most: what an IPv4 datagram holds.
pub(super) const MOST: usize = 65_535 - 20 - UDP_HEADER;

const UDP: u8 = 17;
const UDP_HEADER: usize = 8;
const HOPS: u8 = 64;

/// True for octets that begin as HEP of any version does.
pub(super) fn is_hep(bytes: &[u8]) -> bool {
    match bytes {
        [b'H', b'E', b'P', b'3', ..] => true,
        // Version, octets of the header, address family: Linux, the BSDs, macOS.
        [1 | 2, length, family, ..] => 16 <= *length && matches!(family, 2 | 10 | 24 | 28 | 30),
        _ => false,
    }
}

/// Octets of the HEP packet at the front of a stream, once its header is there.
pub(super) fn length(bytes: &[u8]) -> Result<Option<usize>, Garbage> {
    let magic = b"HEP3";
    if !bytes.iter().zip(magic).all(|(octet, wanted)| octet == wanted) {
        return Err(Garbage);
    }
    let Some(&[high, low]) = bytes.get(4..6).and_then(|length| length.first_chunk()) else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length < 6 { Err(Garbage) } else { Ok(Some(length)) }
}

/// A stream that is no HEP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Garbage;

/// Writes the frame of a HEP packet over `out`.
pub(super) fn write(out: &mut Vec<u8>, from: SocketAddr, to: SocketAddr, packet: &[u8]) {
    out.clear();
    let length = (UDP_HEADER + packet.len()) as u16;
    let (source, destination) = match (from.ip().to_canonical(), to.ip().to_canonical()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => (IpAddr::V4(from), IpAddr::V4(to)),
        // Heard by a socket for both families.
        (IpAddr::V4(from), IpAddr::V6(_)) => (IpAddr::V4(from), IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        (from, to) => (from, to),
    };
    let mut pseudo = Vec::with_capacity(40);
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            out.extend([0x45, 0]);
            out.extend((length + 20).to_be_bytes());
            out.extend([0, 0, 0x40, 0, HOPS, UDP, 0, 0]);
            out.extend(source.octets());
            out.extend(destination.octets());
            let sum = checksum(&[out]);
            if let Some(field) = out.get_mut(10..12) {
                field.copy_from_slice(&sum.to_be_bytes());
            }
            pseudo.extend(source.octets());
            pseudo.extend(destination.octets());
        }
        (source, destination) => {
            let wide = |ip: IpAddr| match ip {
                IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
                IpAddr::V6(ip) => ip.octets(),
            };
            out.extend([0x60, 0, 0, 0]);
            out.extend(length.to_be_bytes());
            out.extend([UDP, HOPS]);
            out.extend(wide(source));
            out.extend(wide(destination));
            pseudo.extend(wide(source));
            pseudo.extend(wide(destination));
        }
    }
    pseudo.extend([0, UDP]);
    pseudo.extend(length.to_be_bytes());
    let ports = [from.port().to_be_bytes(), to.port().to_be_bytes(), length.to_be_bytes()].concat();
    let sum = checksum(&[&pseudo, &ports, packet]);
    out.extend(&ports);
    // 0 would say that there is none.
    out.extend(if sum == 0 { u16::MAX } else { sum }.to_be_bytes());
    out.extend(packet);
}

/// The Internet checksum (RFC 1071) over parts of which all but the last are of even length.
fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0_u64;
    for part in parts {
        for pair in part.chunks(2) {
            let [high, low] = [pair.first(), pair.get(1)].map(|octet| octet.copied().unwrap_or(0));
            sum += u64::from(u16::from_be_bytes([high, low]));
        }
    }
    while 0xffff < sum {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
