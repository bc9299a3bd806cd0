//! What one direction of a TCP connection carries, found out by content; layers stack.

use memchr::memmem;

use crate::net::stream::After;
use crate::transport::framing::Framer;
use crate::transport::layer::{Context, Found, Input, Sink};
use crate::transport::start::{self, Probe, Search};
use crate::transport::upgrade::Http;
use crate::transport::websocket::{self, WebSocket};
use crate::transport::{Transport, head, hep, tls};

/// Octets in which SIP is looked for when the start of a stream was not captured.
const PATIENCE: u64 = 64 << 10;

/// What one direction of a stream carries.
#[derive(Debug)]
pub enum Carrier {
    /// Nobody knows so far.
    Probing(Probing),
    /// SIP.
    Sip(Framer),
    /// A WebSocket.
    WebSocket(Box<WebSocket>),
    /// Reports of packets seen elsewhere.
    Hep,
    /// TLS: [`Secure`](crate::transport::secure::Secure) looks inside.
    Tls,
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
        matches!(self, Self::NotForUs)
    }

    /// Octets of private memory it holds.
    pub fn heap_size(&self) -> usize {
        match self {
            Self::WebSocket(websocket) => websocket.heap_size(),
            _ => 0,
        }
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
        let mut skipped = 0;
        if let Self::Probing(probing) = self {
            match probing.settle(input, patient) {
                Settled::Carrier(carrier, octets) => (*self, skipped) = (carrier, octets),
                Settled::Skip(_) if input.after != After::More => return input.bytes.len(),
                Settled::Skip(octets) => return octets,
            }
        }
        let input = Input { bytes: input.bytes.get(skipped..).unwrap_or_default(), ..input };
        let mut shifted = |end: usize, found: Found<'_>| sink(skipped + end, found);
        let used = match self {
            Self::Sip(framer) => framer.advance(input, context, &mut shifted),
            Self::WebSocket(websocket) => {
                let used = websocket.advance(input, context, &mut shifted);
                if websocket.is_not_for_us() {
                    *self = Self::NotForUs;
                }
                used
            }
            Self::Hep => advance_hep(input, context, &mut shifted),
            Self::Probing(_) | Self::NotForUs => input.bytes.len(),
            // Records are opened with both directions at hand.
            Self::Tls => 0,
        };
        skipped + used
    }
}

/// Hands out the packets of HEP that are whole in `input`.
fn advance_hep(input: Input<'_>, context: &mut Context<'_>, sink: &mut Sink<'_>) -> usize {
    let mut at = 0;
    loop {
        let rest = input.bytes.get(at..).unwrap_or_default();
        let Some(octets) = hep::length(rest) else {
            if rest.len() < hep::HEADER {
                break;
            }
            context.tally.lose("hep-malformed");
            at += memmem::find(rest, b"HEP3").filter(|&next| 0 < next).unwrap_or(rest.len());
            continue;
        };
        let Some(report) = rest.get(..octets) else { break };
        at += octets;
        if let Some(mirrored) = hep::read(report, None, context.limits) {
            sink(at, Found::Mirrored(mirrored));
        }
    }
    if input.after == After::More { at } else { input.bytes.len() }
}

/// What probing came to.
enum Settled {
    /// This carrier, behind so many octets.
    Carrier(Carrier, usize),
    /// Nothing yet; so many octets are of no use.
    Skip(usize),
}

impl Probing {
    fn settle(&mut self, input: Input<'_>, patient: bool) -> Settled {
        let bytes = input.bytes;
        if tls::is_hello(bytes) || (patient && tls::is_record(bytes)) {
            return Settled::Carrier(Carrier::Tls, 0);
        }
        match self.web(bytes) {
            Some(Settled::Skip(_)) if input.after != After::More => {}
            Some(settled) => return settled,
            None => {}
        }
        if hep::length(bytes).is_some() {
            return Settled::Carrier(Carrier::Hep, 0);
        }
        if self.origin == Origin::Start {
            let content = bytes.get(start::blanks(bytes)..).unwrap_or_default();
            match start::probe(content) {
                Probe::Certain => {
                    return Settled::Carrier(Carrier::Sip(Framer::new(self.transport)), 0);
                }
                Probe::Unsure if input.after == After::More => return Settled::Skip(0),
                Probe::NotForUs if !patient => return Settled::Carrier(Carrier::NotForUs, 0),
                Probe::Unsure | Probe::NotForUs => {}
            }
            self.origin = Origin::Middle;
        }
        match start::search(bytes, input.after) {
            Search::Found(at) => self.found(bytes, at),
            Search::Pending(octets) => {
                self.searched += octets as u64;
                if PATIENCE < self.searched && !patient {
                    return Settled::Carrier(Carrier::NotForUs, 0);
                }
                Settled::Skip(octets)
            }
        }
    }

    /// A message begins at `at`: of a WebSocket when the header of a frame stands before it.
    fn found(&self, bytes: &[u8], at: usize) -> Settled {
        for header in [2, 4, 10] {
            let Some(start) = at.checked_sub(header) else { break };
            let framed = bytes.get(start..).unwrap_or_default();
            if websocket::probe(framed) == Probe::Certain {
                return Settled::Carrier(self.websocket(), start);
            }
        }
        let begins_line = bytes.get(..at).is_some_and(|before| matches!(before, [] | [.., b'\n']));
        // The header may be lost: those of other frames in the head are no text.
        let head = bytes.get(at..).map_or(bytes, head::of);
        if begins_line && std::str::from_utf8(head).is_ok() {
            return Settled::Carrier(Carrier::Sip(Framer::new(self.transport)), at);
        }
        Settled::Skip(at + 1)
    }

    fn websocket(&self) -> Carrier {
        let secure = self.transport == Transport::Tls;
        let transport = if secure { Transport::Wss } else { Transport::Ws };
        Carrier::WebSocket(Box::new(WebSocket::new(transport)))
    }

    /// Whether the octets are a WebSocket, its opening seen or not.
    fn web(&self, bytes: &[u8]) -> Option<Settled> {
        match Http::of(bytes) {
            Http::Upgrade(octets) => return Some(Settled::Carrier(self.websocket(), octets)),
            Http::Unsure => return Some(Settled::Skip(0)),
            Http::NotForUs => {}
        }
        match websocket::probe(bytes) {
            Probe::Certain => Some(Settled::Carrier(self.websocket(), 0)),
            Probe::Unsure => Some(Settled::Skip(0)),
            Probe::NotForUs => None,
        }
    }
}
