//! What one direction of a TCP connection carries, found out by content; layers stack.

use crate::net::stream::After;
use crate::transport::framing::Framer;
use crate::transport::layer::{Context, Input, Sink};
use crate::transport::start::{self, Probe, Search};
use crate::transport::{Transport, tls};

/// Octets in which SIP is looked for when the start of a stream was not captured.
const PATIENCE: u64 = 64 << 10;

/// What one direction of a stream carries.
#[derive(Debug)]
pub enum Carrier {
    /// Nobody knows so far.
    Probing(Probing),
    /// SIP.
    Sip(Framer),
    /// TLS that nothing here opens.
    Encrypted,
    /// Something that is no SIP.
    NotForUs,
}

/// A stream whose content is not known so far.
#[derive(Clone, Copy, Debug)]
pub struct Probing {
    transport: Transport,
    /// Whether the octets begin where the stream does.
    origin: Origin,
    /// Octets that were looked through in vain.
    searched: u64,
}

/// Whether the first octets of a stream are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Its SYN was captured.
    Start,
    /// The capture, or a gap, begins in its middle.
    Middle,
}

impl Carrier {
    /// A stream of unknown content.
    pub const fn new(transport: Transport) -> Self {
        Self::Probing(Probing { transport, origin: Origin::Middle, searched: 0 })
    }

    /// Hears that the octets to come are the first of the stream.
    pub fn open(&mut self) {
        if let Self::Probing(probing) = self {
            probing.origin = Origin::Start;
        }
    }

    /// True when nothing of the stream needs to be held.
    pub const fn is_deaf(&self) -> bool {
        matches!(self, Self::NotForUs | Self::Encrypted)
    }

    /// Hands out what is whole in `input` and returns how many octets are done with.
    ///
    /// `patient` says that SIP is to be expected: the other direction or the ports say so.
    pub fn advance(
        &mut self,
        input: Input<'_>,
        patient: bool,
        context: &mut Context<'_>,
        sink: &mut Sink<'_>,
    ) -> usize {
        if let Self::Probing(probing) = self {
            match probing.settle(input, patient) {
                Settled::Carrier(carrier) => *self = carrier,
                Settled::Skip(_) if input.after != After::More => return input.bytes.len(),
                Settled::Skip(octets) => return octets,
            }
        }
        match self {
            Self::Sip(framer) => framer.advance(input, context, sink),
            Self::Probing(_) | Self::Encrypted | Self::NotForUs => input.bytes.len(),
        }
    }
}

/// What probing came to.
enum Settled {
    Carrier(Carrier),
    /// Nothing yet; so many octets are of no use.
    Skip(usize),
}

impl Probing {
    fn settle(&mut self, input: Input<'_>, patient: bool) -> Settled {
        let bytes = input.bytes;
        if tls::is_hello(bytes) {
            return Settled::Carrier(Carrier::Encrypted);
        }
        if self.origin == Origin::Start {
            let content = bytes.get(start::blanks(bytes)..).unwrap_or_default();
            match start::probe(content) {
                Probe::Certain => {
                    return Settled::Carrier(Carrier::Sip(Framer::new(self.transport)));
                }
                Probe::Unsure if input.after == After::More => return Settled::Skip(0),
                Probe::Unsure => {}
                Probe::NotForUs if !patient => return Settled::Carrier(Carrier::NotForUs),
                Probe::NotForUs => {}
            }
            self.origin = Origin::Middle;
        }
        match start::search(bytes, input.after) {
            Search::Found(_) => Settled::Carrier(Carrier::Sip(Framer::lost(self.transport))),
            Search::Pending(octets) => {
                self.searched += octets as u64;
                if PATIENCE < self.searched && !patient {
                    return Settled::Carrier(Carrier::NotForUs);
                }
                Settled::Skip(octets)
            }
        }
    }
}
