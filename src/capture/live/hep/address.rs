//! Where HEP is listened for, as the user writes it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

/// An address to listen on: `9060` and `:9060` are this machine alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HepAddress(pub SocketAddr);

impl FromStr for HepAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let port = text.strip_prefix(':').unwrap_or(text);
        if let Ok(port) = port.parse() {
            return Ok(Self(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)));
        }
        let address = text.parse().map_err(|_| {
            "expected a port of this machine, or an address and a port: 9060, 192.0.2.1:9060, \
             [::1]:9060, 0.0.0.0:9060 for all"
        })?;
        Ok(Self(address))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_port_alone_is_one_of_this_machine() {
        for (text, address) in [
            ("9060", "127.0.0.1:9060"),
            (":9060", "127.0.0.1:9060"),
            ("[::1]:9060", "[::1]:9060"),
            ("0.0.0.0:1", "0.0.0.0:1"),
        ] {
            assert_eq!(text.parse::<HepAddress>().unwrap().0.to_string(), address);
        }
        for wrong in ["", ":", "99999", "192.0.2.1", "host:9060", "::1:9060:"] {
            assert!(wrong.parse::<HepAddress>().unwrap_err().contains("[::1]:9060"), "{wrong}");
        }
    }
}
