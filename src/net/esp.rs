//! ESP whose encryption is NULL, as `VoLTE` uses it: nothing says so, the contents must prove it.

use std::net::IpAddr;

use crate::net::ip::{self, IpHead};
use crate::net::path::{Encapsulation, Hosts, Trail};
use crate::net::rest::Rest;
use crate::net::skip::Skip;
use crate::net::walk::{Layer, TCP, UDP};

/// Octets of integrity check values in use: HMAC-96 first (RFC 2403, 2404), then RFC 4868, none.
const CHECK_VALUES: [usize; 6] = [12, 16, 0, 24, 32, 8];

/// Peels ESP (RFC 4303, 2410); encrypted when nothing can be proven.
pub(super) fn peel(head: &IpHead, rest: &mut Rest<'_>, trail: &mut Trail) -> Result<Layer, Skip> {
    let spi = rest.take_u32()?;
    rest.take(4)?;
    if spi == 0 {
        // IKE beside ESP on port 4500 (RFC 3948 section 2.2).
        return Err(Skip::NotOurs);
    }
    if rest.missing != 0 {
        return Err(Skip::Encrypted);
    }
    let found = CHECK_VALUES.iter().find_map(|check| plain(head.hosts, rest.bytes, *check));
    let (protocol, bytes) = found.ok_or(Skip::Encrypted)?;
    trail.push(Encapsulation::Esp { spi })?;
    rest.bytes = bytes;
    Ok(Layer::Over(IpHead { protocol, ..*head }))
}

/// The next header and the payload, when the trailer before `check` octets and what it announces
/// are all as they must be.
fn plain(hosts: Hosts, bytes: &[u8], check: usize) -> Option<(u8, &[u8])> {
    let body = bytes.get(..bytes.len().checked_sub(check)?)?;
    let (body, [padding, protocol]) = body.split_last_chunk::<2>()?;
    let (payload, padding) = body.split_at(body.len().checked_sub(usize::from(*padding))?);
    // The default padding counts from one (section 2.4).
    let counts = padding.iter().zip(1_u8..).all(|(octet, expected)| *octet == expected);
    (counts && is_proven(hosts, *protocol, payload)).then_some((*protocol, payload))
}

fn is_proven(hosts: Hosts, protocol: u8, payload: &[u8]) -> bool {
    match protocol {
        UDP => match payload {
            [_, _, _, _, high, low, _, _, ..] => {
                usize::from(u16::from_be_bytes([*high, *low])) == payload.len()
            }
            _ => false,
        },
        TCP => 20 <= payload.len() && checksum(hosts, protocol, payload) == 0xffff,
        4 | 41 => {
            let rest = Rest { bytes: payload, missing: 0 };
            20 <= payload.len() && ip::is_credible(rest) && ip::take_header(&mut { rest }).is_ok()
        }
        _ => false,
    }
}

/// The sum of a TCP segment with its pseudo header (RFC 9293 section 3.1); all ones when right.
fn checksum((from, to): Hosts, protocol: u8, segment: &[u8]) -> u16 {
    let mut sum = u64::from(protocol) + segment.len() as u64;
    for address in [from, to] {
        sum += match address {
            IpAddr::V4(address) => words(&address.octets()),
            IpAddr::V6(address) => words(&address.octets()),
        };
    }
    sum += words(segment);
    while 0xffff < sum {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

fn words(bytes: &[u8]) -> u64 {
    let pairs = bytes.chunks(2).map(|pair| match pair {
        [high, low] => u64::from(u16::from_be_bytes([*high, *low])),
        [high] => u64::from(*high) << 8,
        _ => 0,
    });
    pairs.sum()
}
