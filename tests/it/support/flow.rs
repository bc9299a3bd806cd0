//! Flow scripts: a line names a message, and only what differs from a correct flow is written;
//! everything else is filled in as a correct user agent or proxy would.
//!
//! ```text
//! # a comment
//! alice > bob    INVITE            from alice to bob
//!     - Max-Forwards               takes a header away
//!     Expires: 60                  sets a header
//!     + Supported: timer           adds one more
//!     line X-Note hello            adds a raw header line
//!     start INVITE  sip:b SIP/2.0  replaces the first line
//!     sdp - c=                     takes SDP lines away; `sdp + a=x` adds, `sdp m=…` replaces
//!     body <text>                  replaces the body
//!     ~ this => that               replaces octets on the wire only
//! alice < bob    180               the method of a response is that of the last request
//! proxy > bob    INVITE            participants called proxy… forward what they received
//! alice > bob    INVITE again      the same octets once more
//! alice > bob    INVITE copy       the same packet, captured twice
//! alice > bob    BYE lost          sent, but not captured
//! alice > bob    INVITE bare       without SDP; `sdp` asks for it
//! alice < bob    183 reliable      with RSeq and Require: 100rel
//! alice > bob    INVITE cut 100    captured up to 100 octets of it
//! alice > bob    raw \r\n\r\n      these octets
//! +3.2s                            waits
//! tcp                              from here on over TCP; `udp` goes back
//! call two                         from here on another Call-ID; `call` goes back
//! host bob 10.0.0.1:5062           an address of one's own choice
//! END +33s                         the capture goes on so long, with other traffic
//! ```

mod agents;
mod draft;
mod script;
pub(crate) mod wire;

use std::net::SocketAddrV4;

pub(crate) use draft::Draft;

/// A message as it goes over the wire.
pub(crate) struct Sent {
    /// Nanoseconds since the epoch.
    pub(crate) time: i64,
    pub(crate) from: SocketAddrV4,
    pub(crate) to: SocketAddrV4,
    pub(crate) carriage: Carriage,
    pub(crate) bytes: Vec<u8>,
    /// Its number among the messages of the script, from 1.
    pub(crate) number: usize,
    pub(crate) seen: Seen,
    /// IPv4 identification; equal for a packet captured twice.
    pub(crate) ip_id: u16,
}

/// What carries a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carriage {
    Udp,
    Tcp,
}

/// How much of a message was captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Whole,
    Cut(usize),
    Lost,
}

/// A script, played.
pub(crate) struct Flow {
    pub(crate) sent: Vec<Sent>,
    /// When the last, unrelated packet was seen.
    pub(crate) end: Option<i64>,
}

impl Flow {
    /// Plays `script`. A line that cannot be read is a panic that quotes it: scripts are tests.
    pub(crate) fn play(script: &str) -> Self {
        agents::play(&script::read(script))
    }

    /// The capture of it, and the number of the message each frame ends.
    pub(crate) fn capture(&self) -> wire::Capture {
        wire::write(self)
    }
}
