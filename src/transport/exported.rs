//! Exported PDUs (`LINKTYPE_WIRESHARK_UPPER_PDU`): a message without its packets, with tags that
//! name the protocol and the endpoints. Wireshark writes them, and so does the reader of text logs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::frame::LinkType;
use crate::net::Endpoint;
use crate::transport::Transport;

/// The link type of such frames.
pub const LINK_TYPE: LinkType = LinkType(252);

/// A message and what its tags say. An endpoint that is not told is [`Endpoint::UNKNOWN`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exported<'a> {
    /// Sender.
    pub from: Endpoint,
    /// Receiver.
    pub to: Endpoint,
    /// What carried it.
    pub transport: Transport,
    /// The message.
    pub payload: &'a [u8],
}

/// Reads the tags of a frame. `None` when they do not end within it, or name another protocol.
pub fn read(bytes: &[u8]) -> Option<Exported<'_>> {
    let mut found = Exported {
        from: Endpoint::UNKNOWN,
        to: Endpoint::UNKNOWN,
        transport: Transport::Unknown,
        payload: &[],
    };
    let mut rest = bytes;
    loop {
        let [a, b, c, d, tail @ ..] = rest else { return None };
        let (tag, len) = (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d]));
        let (value, tail) = tail.split_at_checked(len as usize)?;
        rest = tail;
        match tag {
            0 => break,
            // Dissector by name; the word behind the dot is our own addition.
            12 => {
                let end = value.iter().position(|b| *b == 0).unwrap_or(value.len());
                let mut words = value[..end].split(|b| *b == b'.');
                words.next().filter(|name| name.eq_ignore_ascii_case(b"sip"))?;
                if let Some(transport) = words.next().and_then(of_word) {
                    found.transport = transport;
                }
            }
            20 => found.from.ip = v4(value)?,
            21 => found.to.ip = v4(value)?,
            22 => found.from.ip = v6(value)?,
            23 => found.to.ip = v6(value)?,
            // Port type; a name has told more.
            24 if found.transport == Transport::Unknown => found.transport = of_port_type(value),
            25 => found.from.port = port(value)?,
            26 => found.to.port = port(value)?,
            _ => {}
        }
    }
    found.payload = rest;
    Some(found)
}

fn v4(value: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(value).ok().map(|octets| Ipv4Addr::from(octets).into())
}

fn v6(value: &[u8]) -> Option<IpAddr> {
    <[u8; 16]>::try_from(value).ok().map(|octets| Ipv6Addr::from(octets).into())
}

fn port(value: &[u8]) -> Option<u16> {
    let octets = <[u8; 4]>::try_from(value).ok()?;
    u16::try_from(u32::from_be_bytes(octets)).ok()
}

fn of_word(word: &[u8]) -> Option<Transport> {
    [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss, Transport::Sctp]
        .into_iter()
        .find(|transport| word.eq_ignore_ascii_case(transport.word().as_bytes()))
}

/// Wireshark's numbers of port types.
fn of_port_type(value: &[u8]) -> Transport {
    match value {
        [0, 0, 0, 1] => Transport::Sctp,
        [0, 0, 0, 2] => Transport::Tcp,
        [0, 0, 0, 3] => Transport::Udp,
        _ => Transport::Unknown,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn tags_are_read_in_any_order_and_with_any_company() {
        let mut frame = Vec::new();
        for (tag, value) in [
            (26_u16, &[0, 0, 0x13, 0xc5][..]),
            (9, b"abcd"),
            (12, b"sip\0"),
            (24, &[0, 0, 0, 2]),
            (20, &[192, 0, 2, 1]),
            (21, &[192, 0, 2, 2]),
            (25, &[0, 0, 0x13, 0xc4]),
            (0, b""),
        ] {
            frame.extend(tag.to_be_bytes());
            frame.extend((value.len() as u16).to_be_bytes());
            frame.extend(value);
        }
        frame.extend(b"BYE sip:a SIP/2.0\r\n");
        let found = read(&frame).unwrap();
        assert_eq!(found.from.to_string(), "192.0.2.1:5060");
        assert_eq!(found.to.to_string(), "192.0.2.2:5061");
        assert_eq!(found.transport, Transport::Tcp);
        assert_eq!(found.payload, b"BYE sip:a SIP/2.0\r\n");
        assert_eq!(read(&frame[..40]), None);
        assert_eq!(read(&[0, 12, 0, 4, b'h', b't', b't', b'p', 0, 0, 0, 0]), None);
    }
}
