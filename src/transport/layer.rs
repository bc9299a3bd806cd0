//! What the layers over a byte stream share: octets in, finds out, the rest left for later.

use crate::limits::{Limits, Tally};
use crate::net::stream::After;
use crate::transport::hep::{Flaw, Mirrored};
use crate::transport::{Completeness, Transport};

/// What a layer finds in a stream.
#[derive(Debug)]
pub enum Found<'a> {
    /// The text of one SIP message.
    Message {
        /// Start line to end of body.
        text: &'a [u8],
        /// What carried it.
        transport: Transport,
        /// Whether it is all there.
        completeness: Completeness,
    },
    /// A packet that was seen elsewhere, reported in HEP.
    Mirrored(Result<Mirrored<'a>, Flaw>),
    /// A keep-alive.
    Ping(Transport),
    /// A TLS alert, with its description code (RFC 8446 section 6).
    Alert(u8),
}

/// Takes what a layer finds, with the number of readable octets up to its end.
pub type Sink<'s> = dyn FnMut(usize, Found<'_>) + 's;

/// What a layer works with beside the octets.
pub struct Context<'c> {
    /// The bounds.
    pub limits: &'c Limits,
    /// The counters.
    pub tally: &'c mut Tally,
    /// How a message is called whose end the stream does not have: `Truncated` when the snap
    /// length cut it, else `Gap`.
    pub missing: Completeness,
}

/// The octets of a stream that can be read, and what comes behind them.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The octets in order, those the layer left over the last time first.
    pub bytes: &'a [u8],
    /// What comes behind them. When it is a gap or the end, the layer has to make of `bytes`
    /// whatever it can: it will not see them again, and after a gap the next octets are those
    /// behind it.
    pub after: After,
}
