//! Name resolution blocks: what the capturing machine called the hosts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::capture::order::Order;
use crate::octets::octets;

const IPV4: u16 = 1;
const IPV6: u16 = 2;
/// Names that wait to be taken; more are let go.
const NAMES_MAX: usize = 65_536;

/// Reads the records of a name resolution block (section 4.5); the first name of an address counts.
pub(super) fn read(order: Order, mut body: &[u8], names: &mut Vec<(IpAddr, String)>) {
    while let Some((head, rest)) = body.split_first_chunk::<4>()
        && names.len() < NAMES_MAX
    {
        let kind = order.u16(head, 0);
        let length = usize::from(order.u16(head, 2));
        let Some(value) = rest.get(..length) else { return };
        match kind {
            0 => return,
            IPV4 => {
                if let Some((octets, name)) = value.split_first_chunk::<4>() {
                    keep(Ipv4Addr::from(*octets).into(), name, names);
                }
            }
            IPV6 => {
                if let Some((octets, name)) = value.split_first_chunk::<16>() {
                    keep(Ipv6Addr::from(*octets).into(), name, names);
                }
            }
            _ => {}
        }
        body = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
}

fn keep(address: IpAddr, name: &[u8], names: &mut Vec<(IpAddr, String)>) {
    let name = name.split(|octet| *octet == 0).next().unwrap_or_default();
    if !name.is_empty() {
        names.push((address, octets(name).into_owned()));
    }
}
