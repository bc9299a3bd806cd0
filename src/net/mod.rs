//! Frames become whole packets and ordered byte streams: link layers, tunnels, IP, UDP, TCP, ICMP.
//!
//! Knows nothing of SIP.

pub mod connections;
pub mod decode;
mod defrag;
mod esp;
mod fast;
#[doc(hidden)]
pub mod fuzz;
mod hold;
mod icmp;
mod ip;
mod link;
mod path;
mod pieces;
pub mod recent;
mod rest;
pub mod skip;
pub mod stream;
mod tunnel;
mod walk;
mod wifi;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

/// An address and a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// The host; of the innermost packet when there are tunnels.
    pub ip: IpAddr,
    /// UDP, TCP or SCTP port.
    pub port: u16,
}

impl Endpoint {
    /// Stands for one that the input does not tell, as text logs may leave it out.
    pub const UNKNOWN: Self = Self { ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED), port: 0 };

    /// The endpoint, unless it is not known.
    pub fn known(self) -> Option<Self> {
        (self != Self::UNKNOWN).then_some(self)
    }

    /// The address without the port; `unknown` when it is not known.
    pub fn host(self) -> String {
        self.known().map_or_else(|| self.to_string(), |end| end.ip.to_string())
    }
}

impl fmt::Display for Endpoint {
    /// `192.0.2.1:5060`, `[2001:db8::1]:5060`, `unknown`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::UNKNOWN {
            return f.write_str("unknown");
        }
        match self.ip {
            IpAddr::V4(ip) => write!(f, "{ip}:{}", self.port),
            IpAddr::V6(ip) => write!(f, "[{ip}]:{}", self.port),
        }
    }
}

/// One IP packet with a transport header, whole again after reassembly.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// Sender.
    pub from: Endpoint,
    /// Receiver.
    pub to: Endpoint,
    /// What it carries.
    pub payload: Payload<'a>,
    /// IPv4 identification, or the IPv6 fragment's; tells a packet captured twice from one sent twice.
    pub ip_id: Option<u32>,
    /// In how many IP fragments it came; 1 for a whole packet.
    pub fragments: u8,
    /// Octets missing at the end (snap length).
    pub cut: u32,
    /// The encapsulations it was found in, outermost first.
    pub path: PathId,
}

/// What a packet carries.
#[derive(Clone, Copy, Debug)]
pub enum Payload<'a> {
    /// UDP payload.
    Datagram(&'a [u8]),
    /// TCP segment.
    Segment(Segment<'a>),
    /// All of an SCTP packet after its common header: its chunks.
    Sctp(&'a [u8]),
    /// An ICMP error and the packet it quotes.
    IcmpError(IcmpError<'a>),
}

/// One TCP segment.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// Sequence number of the first octet.
    pub seq: u32,
    /// Acknowledgment number, meaningful when `flags.ack`.
    pub ack: u32,
    /// SYN, FIN, RST, ACK.
    pub flags: TcpFlags,
    /// The payload.
    pub bytes: &'a [u8],
}

/// The flags of a TCP header that matter for reassembly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)]
pub struct TcpFlags {
    /// Opens a connection.
    pub syn: bool,
    /// Ends this direction.
    pub fin: bool,
    /// Aborts the connection.
    pub rst: bool,
    /// `ack` is meaningful.
    pub ack: bool,
}

/// An ICMP or `ICMPv6` error; `Packet::from` is the router that sent it, ports are 0.
#[derive(Clone, Copy, Debug)]
pub struct IcmpError<'a> {
    /// What went wrong.
    pub kind: IcmpKind,
    /// Sender of the quoted packet.
    pub from: Endpoint,
    /// Receiver of the quoted packet.
    pub to: Endpoint,
    /// Transport protocol of the quoted packet (17 UDP, 6 TCP, 132 SCTP).
    pub protocol: u8,
    /// What is quoted of its payload, maybe nothing.
    pub quoted: &'a [u8],
}

/// The ICMP errors that explain a missing answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IcmpKind {
    /// Nobody listens on the port.
    PortUnreachable,
    /// No such host, or it does not answer ARP.
    HostUnreachable,
    /// No route.
    NetUnreachable,
    /// A filter forbids it.
    Prohibited,
    /// The packet is too large and may not be fragmented; IPv6 packet too big.
    FragmentationNeeded,
    /// TTL or hop limit ran out, or reassembly took too long.
    TimeExceeded,
    /// Any other error.
    Other,
}

/// A list of encapsulations, by number; 0 is none. [`Decoder::path`](decode::Decoder::path) names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathId(pub u16);
