//! Datagrams and streams become the text of single SIP messages: framing, WebSocket, TLS, HEP.

pub(crate) mod scan;
mod lines;
pub mod peek;
mod start;
mod head;
pub mod layer;
pub mod framing;
pub mod datagram;
pub mod secure;
pub mod tls;
mod upgrade;
pub mod websocket;
pub mod exported;
pub mod hep;
pub mod sctp;
pub mod carrier;

use std::num::NonZeroU32;
use std::ops::Deref;
use std::sync::Arc;

use crate::frame::{FileId, FrameId, Home};
use crate::net::{Endpoint, IcmpKind, PathId};
use crate::time::Timestamp;

/// What carried a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// UDP datagram.
    Udp,
    /// TCP byte stream.
    Tcp,
    /// TLS over TCP.
    Tls,
    /// WebSocket.
    Ws,
    /// WebSocket over TLS.
    Wss,
    /// SCTP.
    Sctp,
    /// A text log that does not say.
    Unknown,
}

impl Transport {
    /// All that there are.
    pub const ALL: [Self; 7] =
        [Self::Udp, Self::Tcp, Self::Tls, Self::Ws, Self::Wss, Self::Sctp, Self::Unknown];

    /// The word of Via and of machine output in lower case: `udp`, `tcp`, …
    pub const fn word(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Ws => "ws",
            Self::Wss => "wss",
            Self::Sctp => "sctp",
            Self::Unknown => "unknown",
        }
    }

    /// True for byte streams, where Content-Length frames messages (RFC 3261 section 18.3).
    pub const fn is_stream(self) -> bool {
        matches!(self, Self::Tcp | Self::Tls)
    }

    /// True where the transport itself repeats what is lost (RFC 3261 section 17).
    pub const fn is_reliable(self) -> bool {
        !matches!(self, Self::Udp | Self::Unknown)
    }
}

/// Whether all octets of a message were captured; the WHOLE guard of the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Completeness {
    /// All of it is here.
    Whole,
    /// The snap length cut it.
    Truncated,
    /// Octets are missing: a TCP gap, a lost fragment, the end of the capture.
    Gap,
    /// On a stream, the octets after the declared end are no start line: Content-Length lies.
    Desync,
}

/// What happened around a message: when, where, how. Small and `Copy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Place in the order of the whole input, from 0; the order of everything that is shown.
    pub seq: u64,
    /// The frame on which the message was complete.
    pub frame: FrameId,
    /// Capture time of that frame.
    pub time: Timestamp,
    /// Sender.
    pub from: Endpoint,
    /// Receiver.
    pub to: Endpoint,
    /// Which TCP connection of the run, from 1; 0 on datagrams.
    pub connection: u32,
    /// IPv4 identification where known; 0 is what senders write that have none.
    pub ip_id: Option<NonZeroU32>,
    /// Encapsulations.
    pub path: PathId,
    /// IP fragments it came in; 1 otherwise.
    pub fragments: u8,
    /// What carried it.
    pub transport: Transport,
    /// Whether it is all here.
    pub completeness: Completeness,
}

impl Envelope {
    /// That of a whole message in one UDP datagram, the only one of frame `seq` + 1.
    pub fn datagram(seq: u64, time: Timestamp, from: Endpoint, to: Endpoint) -> Self {
        Self {
            seq,
            frame: FrameId::new(FileId(0), seq + 1),
            time,
            from,
            to,
            connection: 0,
            ip_id: None,
            path: PathId::default(),
            fragments: 1,
            transport: Transport::Udp,
            completeness: Completeness::Whole,
        }
    }
}

/// The text of one message: a place in a capture that stays there, or octets of its own.
#[derive(Clone)]
pub enum Text {
    /// Octets `at..at + len` of a capture.
    Mapped {
        /// All of them.
        home: Arc<Home>,
        /// Offset of the first octet.
        at: u64,
        /// Number of octets.
        len: u32,
    },
    /// A copy.
    Owned(Box<[u8]>),
}

impl Text {
    /// The text `bytes`: a place when they lie inside `home`, a copy otherwise.
    pub fn of(bytes: &[u8], home: Option<&Arc<Home>>) -> Self {
        let place = home.and_then(|home| {
            let all = home.bytes().as_ptr_range();
            let own = bytes.as_ptr_range();
            let inside = all.start <= own.start && own.end <= all.end;
            inside.then(|| (home, own.start as usize - all.start as usize))
        });
        match place {
            Some((home, at)) => {
                Self::Mapped { home: Arc::clone(home), at: at as u64, len: bytes.len() as u32 }
            }
            None => Self::Owned(bytes.into()),
        }
    }

    /// Octets of private memory it holds.
    pub fn heap_size(&self) -> usize {
        match self {
            Self::Mapped { .. } => 0,
            Self::Owned(bytes) => bytes.len(),
        }
    }
}

impl Deref for Text {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped { home, at, len } => {
                let at = *at as usize;
                home.bytes().get(at..at + *len as usize).unwrap_or_default()
            }
            Self::Owned(bytes) => bytes,
        }
    }
}

/// What the reader finds, in capture order. Everything the core knows of the wire comes this way.
pub enum Observation<'a> {
    /// One SIP message.
    Message {
        /// When, where, how.
        envelope: Envelope,
        /// Its octets, start line to end of body.
        text: &'a [u8],
        /// What `text` lies in, when it stays there.
        home: Option<&'a Arc<Home>>,
    },
    /// A keep-alive without content: CRLFs, a lone 0, a WebSocket ping (RFC 5626 section 3.5).
    Ping {
        /// When and where.
        signal: Signal,
    },
    /// A TCP connection opened, ended or was refused.
    Connection {
        /// When and where; `from` is who opened, closed or reset it.
        signal: Signal,
        /// What happened.
        change: ConnectionChange,
    },
    /// The capture lost octets that `from` sent on a connection that carried SIP.
    Gap {
        /// When what follows them came.
        signal: Signal,
    },
    /// An ICMP error about a packet sent earlier.
    Unreachable {
        /// When; `from` is the router, `to` whom it told.
        signal: Signal,
        /// What went wrong.
        kind: IcmpKind,
        /// Sender of the quoted packet.
        quoted_from: Endpoint,
        /// Receiver of the quoted packet.
        quoted_to: Endpoint,
        /// What is quoted of its payload.
        quoted: &'a [u8],
    },
}

/// When and where something other than a message happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal {
    /// Place in the order of the whole input, shared with `Envelope::seq`.
    pub seq: u64,
    /// The frame.
    pub frame: FrameId,
    /// Its time.
    pub time: Timestamp,
    /// Sender.
    pub from: Endpoint,
    /// Receiver.
    pub to: Endpoint,
    /// What carried it.
    pub transport: Transport,
    /// Which TCP connection of the run, from 1; 0 on datagrams.
    pub connection: u32,
}

/// What happened to a TCP connection that carried or wanted to carry SIP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionChange {
    /// SYN.
    Opened,
    /// FIN from `from`.
    Closed,
    /// RST from `from`.
    Reset,
    /// RST in answer to a SYN.
    Refused,
    /// A TLS alert from `from`, with its description code (RFC 8446 section 6).
    TlsAlert(u8),
}
