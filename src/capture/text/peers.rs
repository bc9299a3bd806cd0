//! Who sent a logged message to whom, from the words around it or from its top Via.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Sender and receiver; an unspecified address with port 0 is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Peers {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
}

/// Stands for an address the log does not tell.
pub(super) const UNKNOWN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// Which way a logged message went, seen from the program that logged it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    In,
    Out,
}

/// Reads the peers from `lines` (those before the message, the nearest last) and `text` (the
/// message itself).
pub(super) fn peers<'a>(
    lines: &(impl DoubleEndedIterator<Item = &'a [u8]> + Clone),
    text: &[u8],
) -> Peers {
    let known = lines.clone().rev().find_map(arrow).or_else(|| fields(lines));
    if let Some((from, to)) = known {
        return Peers { from: known_or(from), to: known_or(to) };
    }
    let way = lines.clone().rev().find_map(direction);
    let one = lines.clone().rev().find_map(single);
    match (way, one) {
        (Some(Way::In), Some(peer)) => return Peers { from: peer, to: UNKNOWN },
        (Some(Way::Out), Some(peer)) => return Peers { from: UNKNOWN, to: peer },
        _ => {}
    }
    let via = top_via(text).unwrap_or(UNKNOWN);
    if text.starts_with(b"SIP/2.0 ") {
        Peers { from: UNKNOWN, to: via }
    } else {
        Peers { from: via, to: UNKNOWN }
    }
}

/// The transport of the top Via, in lower case: `udp`, `tcp`, `tls`, `ws`, `wss`.
pub(super) fn transport(text: &[u8]) -> Option<&'static str> {
    let word = via_value(text)?;
    let word = word.rsplit(|&b| b == b'/').next()?;
    let end = word.iter().position(|b| !b.is_ascii_alphanumeric()).unwrap_or(word.len());
    ["udp", "tcp", "tls", "wss", "ws", "sctp"]
        .into_iter()
        .find(|name| word[..end].eq_ignore_ascii_case(name.as_bytes()))
}

/// `[::]:5060` is what a server listens on, not an address.
fn known_or(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() { UNKNOWN } else { address }
}

/// `192.0.2.1:5060 -> 192.0.2.2:5060`, `IP 192.0.2.1.5060 > 192.0.2.2.5060:`.
fn arrow(line: &[u8]) -> Option<(SocketAddr, SocketAddr)> {
    let words: Vec<&[u8]> = line.split(u8::is_ascii_whitespace).filter(|w| !w.is_empty()).collect();
    words.windows(3).rev().find_map(|three| {
        let [from, mark, to] = three else { return None };
        matches!(*mark, b"->" | b">").then_some(())?;
        Some((address(from)?, address(to)?))
    })
}

/// `srcip: …`, `srcport: …`, `dstip: …`, `dstport: …` on lines of their own.
fn fields<'a>(
    lines: &(impl Iterator<Item = &'a [u8]> + Clone),
) -> Option<(SocketAddr, SocketAddr)> {
    let field = |name: &[u8]| {
        lines
            .clone()
            .filter_map(|line| line.strip_prefix(name))
            .last()
            .and_then(|value| std::str::from_utf8(value.trim_ascii()).ok())
    };
    let end = |ip: Option<&str>, port: Option<&str>| {
        Some(SocketAddr::new(ip?.trim_matches(['[', ']']).parse().ok()?, port?.parse().ok()?))
    };
    let from = end(field(b"srcip: "), field(b"srcport: "))?;
    let to = end(field(b"dstip: "), field(b"dstport: "))?;
    Some((from, to))
}

fn direction(line: &[u8]) -> Option<Way> {
    const IN: [&str; 9] =
        ["recv", "received", "receive", "rx", ".rx", "rcv", "recvdata:", "recvlen:", "接收"];
    const OUT: [&str; 9] =
        ["send", "sent", "transmitting", "tx", ".tx", "snd", "writeto", "senddata:", "sendlen:"];
    let line = String::from_utf8_lossy(line).to_lowercase();
    if line.contains("接收") {
        return Some(Way::In);
    }
    if line.contains("发送") {
        return Some(Way::Out);
    }
    line.split_whitespace().rev().find_map(|word| {
        let word = word.trim_start_matches(['[', '(', '"', '<', '-']);
        let word = word.strip_prefix("msg=\"").unwrap_or(word);
        if IN.contains(&word) {
            Some(Way::In)
        } else if OUT.contains(&word) {
            Some(Way::Out)
        } else {
            None
        }
    })
}

/// One address: `udp/[192.0.2.1]:5060`, `UDP:192.0.2.1:5060`, `from UDP 192.0.2.1:5060:`.
///
/// An address behind `--->` is left out: wvp prints the platform's own there, either way.
fn single(line: &[u8]) -> Option<SocketAddr> {
    line.split(|b| b.is_ascii_whitespace() || *b == b',')
        .filter(|word| memchr::memmem::find(word, b"--->").is_none())
        .find_map(address)
}

/// An address and port, whatever punctuation stands around them.
fn address(word: &[u8]) -> Option<SocketAddr> {
    let word = std::str::from_utf8(word).ok()?;
    let word = word.trim_end_matches([':', ',', ';', ')', '>', '-', '"']);
    let word = word.rsplit_once('/').map_or(word, |(_, address)| address);
    let word = ["UDP:", "TCP:", "TLS:", "WS:", "WSS:", "udp:", "tcp:", "tls:", "RemoteAddr:"]
        .iter()
        .find_map(|prefix| word.strip_prefix(prefix))
        .unwrap_or(word)
        .trim_start_matches(['(', '"', '<']);
    if let Ok(address) = word.parse::<SocketAddr>() {
        return Some(address);
    }
    if let Some((ip, port)) = word.strip_prefix('[').and_then(|rest| rest.split_once("]:")) {
        return Some(SocketAddr::new(ip.parse().ok()?, port.parse().ok()?));
    }
    // tcpdump joins the port with a dot.
    let (ip, port) = word.rsplit_once('.')?;
    Some(SocketAddr::new(ip.parse().ok()?, port.parse().ok()?))
}

fn via_value(text: &[u8]) -> Option<&[u8]> {
    text.split(|&b| b == b'\n').skip(1).take_while(|line| line.len() > 1).find_map(|line| {
        let colon = memchr::memchr(b':', line)?;
        let name = line[..colon].trim_ascii();
        let via = name.eq_ignore_ascii_case(b"via") || name.eq_ignore_ascii_case(b"v");
        via.then(|| line[colon + 1..].split(|&b| b == b',').next().unwrap_or_default().trim_ascii())
    })
}

/// Where the top Via says the request came from: `received` and `rport` before sent-by.
fn top_via(text: &[u8]) -> Option<SocketAddr> {
    let value = std::str::from_utf8(via_value(text)?).ok()?;
    let (_, rest) = value.split_once(char::is_whitespace)?;
    let mut parts = rest.split(';');
    let sent_by = parts.next()?.trim();
    let mut ip = host(sent_by);
    let mut port = port(sent_by).unwrap_or(5060);
    for part in parts {
        match part.split_once('=') {
            Some((name, value)) if name.trim().eq_ignore_ascii_case("received") => {
                ip = value.trim().trim_matches(['[', ']']).parse().ok().or(ip);
            }
            Some((name, value)) if name.trim().eq_ignore_ascii_case("rport") => {
                port = value.trim().parse().unwrap_or(port);
            }
            _ => {}
        }
    }
    Some(SocketAddr::new(ip?, port))
}

fn host(sent_by: &str) -> Option<IpAddr> {
    if let Some(rest) = sent_by.strip_prefix('[') {
        return rest.split(']').next()?.parse().ok();
    }
    sent_by.split(':').next()?.parse().ok()
}

fn port(sent_by: &str) -> Option<u16> {
    sent_by.rsplit_once(':').filter(|(_, port)| !port.contains(']'))?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[track_caller]
    fn check(line: &str, from: &str, to: &str) {
        let text = b"REGISTER sip:x SIP/2.0\r\nVia: SIP/2.0/UDP 10.9.9.9:5070;rport\r\n\r\n";
        let found = peers(&line.lines().map(str::as_bytes), text);
        assert_eq!(
            (found.from.to_string(), found.to.to_string()),
            (from.into(), to.into()),
            "{line}"
        );
    }

    #[test]
    fn peers_of_all_forms_are_read() {
        let (a, b, none) = ("192.0.2.21:5060", "198.51.100.10:5060", "0.0.0.0:0");
        check("U 2025/03/01 08:00:00.000000 192.0.2.21:5060 -> 198.51.100.10:5060 #1", a, b);
        check("IP 192.0.2.21.5060 > 198.51.100.10.5060: SIP: REGISTER", a, b);
        check("srcip: 192.0.2.21\nsrcport: 5060\ndstip: 198.51.100.10\ndstport: 5060", a, b);
        check(
            "[Mar  1] <--- Received SIP request (440 bytes) from UDP:192.0.2.21:5060 --->",
            a,
            none,
        );
        check("<--- Transmitting SIP response (362 bytes) to UDP:192.0.2.21:5060 --->", none, a);
        check("recv 393 bytes from udp/[192.0.2.21]:5060 at 08:00:00.000000:", a, none);
        check(
            ".RX 440 bytes Request msg REGISTER/cseq=1 (rdata0x7fd5) from UDP 192.0.2.21:5060:",
            a,
            none,
        );
        check("msg=\"receive request from: 192.0.2.21:5060 ,method: REGISTER", a, none);
        check("msg=\"writeTo 362 , [::]:5060 -> 192.0.2.21:5060 \\n ", none, a);
        check("GB28181_SIP: 461 接收：来自--->198.51.100.10:5060", "10.9.9.9:5070", none);
        check("nothing", "10.9.9.9:5070", none);
        check(
            "IP6 2001:db8::1.5060 > 2001:db8::2.5060: SIP",
            "[2001:db8::1]:5060",
            "[2001:db8::2]:5060",
        );
    }
}
