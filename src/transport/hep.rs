//! HEP, versions 1 to 3: packets that were seen elsewhere and sent on by an agent of Homer.
//!
//! What the agent says (addresses, time, transport) is the message's; what carried the report
//! is not of interest.

use std::borrow::Cow;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use flate2::read::ZlibDecoder;

use crate::limits::Limits;
use crate::net::Endpoint;
use crate::time::Timestamp;
use crate::transport::Transport;
use crate::transport::peek::is_start_line;

/// Octets before the chunks of version 3.
pub(super) const HEADER: usize = 6;
/// Octets before the addresses of versions 1 and 2.
const OLD_HEADER: usize = 8;
/// Nanoseconds a time of version 2 may differ from that of its frame: ten years.
const PLAUSIBLE: u64 = 10 * 366 * 86_400 * 1_000_000_000;

/// A packet as its agent saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirrored<'a> {
    /// Its sender.
    pub from: Endpoint,
    /// Its receiver.
    pub to: Endpoint,
    /// What carried it.
    pub transport: Transport,
    /// When the agent saw it, if it says.
    pub time: Option<Timestamp>,
    /// The number of the agent.
    pub capture_id: Option<u32>,
    /// The name of the agent.
    pub node: Option<&'a [u8]>,
    /// What the packet carried.
    pub payload: Cow<'a, [u8]>,
}

impl Mirrored<'_> {
    /// True when it carries a SIP message.
    pub fn is_sip(&self) -> bool {
        is_start_line(&self.payload)
    }
}

/// Why something that looks like HEP gives no packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Chunks that contradict themselves or lack something.
    Malformed,
    /// A compressed payload that does not inflate, or grows beyond the bound.
    Inflate,
}

impl Flaw {
    /// The counter of [`Tally::lost`](crate::limits::Tally::lost).
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Malformed => "hep-malformed",
            Self::Inflate => "hep-inflate",
        }
    }
}

/// How many octets the HEP packet at the front of a stream takes; `None` when there is none.
/// Asks for no more than the first six.
pub fn length(bytes: &[u8]) -> Option<usize> {
    let [b'H', b'E', b'P', b'3', high, low, ..] = bytes else { return None };
    let total = usize::from(u16::from_be_bytes([*high, *low]));
    (HEADER <= total).then_some(total)
}

/// The packet that a datagram of HEP reports; `None` when `bytes` are no HEP. `seen` is when
/// the report was captured.
pub fn read<'a>(
    bytes: &'a [u8],
    seen: Option<Timestamp>,
    limits: &Limits,
) -> Option<Result<Mirrored<'a>, Flaw>> {
    match bytes {
        [b'H', b'E', b'P', b'3', ..] => Some(match length(bytes) {
            Some(total) => chunks(bytes.get(HEADER..total.min(bytes.len()))?, limits),
            None => Err(Flaw::Malformed),
        }),
        [1 | 2, len, family, protocol, ..] => {
            let transport = transport(*protocol)?;
            old(bytes, (*len, *family), transport, seen).map(Ok)
        }
        _ => None,
    }
}

/// Version 3: a list of chunks, each with vendor, type and length.
fn chunks<'a>(mut bytes: &'a [u8], limits: &Limits) -> Result<Mirrored<'a>, Flaw> {
    let (mut from, mut to) = (None, None);
    let (mut from_port, mut to_port) = (0, 0);
    let (mut seconds, mut micros, mut capture_id) = (None, 0, None);
    let mut carried = Transport::Unknown;
    let (mut payload, mut node) = (None, None);
    while let Some((&[v0, v1, t0, t1, l0, l1], _)) = bytes.split_first_chunk() {
        let len = usize::from(u16::from_be_bytes([l0, l1]));
        let value = match bytes.get(HEADER..len) {
            Some(value) => value,
            // The snap length cut the report.
            None if [v0, v1, t0, t1] == [0, 0, 0, 15] => bytes.get(HEADER..).unwrap_or_default(),
            None => return Err(Flaw::Malformed),
        };
        bytes = bytes.get(len..).unwrap_or_default();
        if [v0, v1] != [0, 0] {
            continue;
        }
        match u16::from_be_bytes([t0, t1]) {
            2 => carried = value.first().and_then(|&octet| transport(octet)).unwrap_or(carried),
            3 | 5 => from = address(value),
            4 | 6 => to = address(value),
            7 => from_port = number(value) as u16,
            8 => to_port = number(value) as u16,
            9 => seconds = Some(i64::from(number(value))),
            10 => micros = i64::from(number(value)),
            12 => capture_id = Some(number(value)),
            15 => payload = Some(Cow::Borrowed(value)),
            16 => payload = Some(Cow::Owned(inflate(value, limits.inflate).ok_or(Flaw::Inflate)?)),
            19 => node = Some(value).filter(|name| !name.is_empty()),
            _ => {}
        }
    }
    Ok(Mirrored {
        from: Endpoint { ip: from.ok_or(Flaw::Malformed)?, port: from_port },
        to: Endpoint { ip: to.ok_or(Flaw::Malformed)?, port: to_port },
        transport: carried,
        time: seconds.map(|seconds| Timestamp::new(seconds, micros * 1_000)),
        capture_id,
        node,
        payload: payload.unwrap_or_default(),
    })
}

/// Versions 1 and 2: a fixed header, known by the SIP behind it.
fn old(
    bytes: &[u8],
    (len, family): (u8, u8),
    transport: Transport,
    seen: Option<Timestamp>,
) -> Option<Mirrored<'_>> {
    let size = match family {
        2 => 4,
        // AF_INET6 of Linux, of the BSDs and of macOS.
        10 | 24 | 28 | 30 => 16,
        _ => return None,
    };
    let len = usize::from(len);
    let addresses = bytes.get(OLD_HEADER..OLD_HEADER + 2 * size)?;
    let fixed = OLD_HEADER + 2 * size;
    if len < fixed || !is_start_line(bytes.get(len..)?) {
        return None;
    }
    let (from, to) = addresses.split_at(size);
    let port = |at: usize| Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?));
    let clock = bytes.get(fixed..len)?;
    Some(Mirrored {
        from: Endpoint { ip: address(from)?, port: port(4)? },
        to: Endpoint { ip: address(to)?, port: port(6)? },
        transport,
        time: old_time(clock, seen),
        capture_id: clock
            .get(8..10)
            .and_then(|id| id.first_chunk())
            .map(|&id| u32::from(u16::from_le_bytes(id))),
        node: None,
        payload: Cow::Borrowed(bytes.get(len..)?),
    })
}

/// The time of version 2, in the octet order of the agent's machine: the order that makes sense.
fn old_time(clock: &[u8], seen: Option<Timestamp>) -> Option<Timestamp> {
    let (&seconds, rest) = clock.split_first_chunk::<4>()?;
    let &micros = rest.first_chunk::<4>()?;
    let little = Timestamp::new(
        i64::from(u32::from_le_bytes(seconds)),
        i64::from(u32::from_le_bytes(micros)) * 1_000,
    );
    let big = Timestamp::new(
        i64::from(u32::from_be_bytes(seconds)),
        i64::from(u32::from_be_bytes(micros)) * 1_000,
    );
    let seen = seen?;
    [little, big].into_iter().find(|time| time.since(seen).unsigned_abs() < PLAUSIBLE)
}

fn transport(protocol: u8) -> Option<Transport> {
    match protocol {
        17 => Some(Transport::Udp),
        6 => Some(Transport::Tcp),
        132 => Some(Transport::Sctp),
        _ => None,
    }
}

fn address(value: &[u8]) -> Option<IpAddr> {
    if let Ok(octets) = <[u8; 4]>::try_from(value) {
        return Some(Ipv4Addr::from(octets).into());
    }
    <[u8; 16]>::try_from(value).ok().map(|octets| Ipv6Addr::from(octets).into())
}

/// The last four octets of a value as a number.
fn number(value: &[u8]) -> u32 {
    value.iter().fold(0, |number, &octet| number << 8 | u32::from(octet))
}

fn inflate(value: &[u8], bound: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    ZlibDecoder::new(value).take(bound as u64 + 1).read_to_end(&mut out).ok()?;
    (out.len() <= bound).then_some(out)
}
