//! TLS over a TCP connection: both directions opened together, what they carry found out.

use crate::net::connections::Side;
use crate::net::stream::After;
use crate::transport::Transport;
use crate::transport::carrier::Carrier;
use crate::transport::layer::{Context, Found, Input};
use crate::transport::tls::{Connection, Event, Secrets, Verdict};

/// Octets of plain text one direction may wait with for the rest of a message; beyond the bound
/// of a message a framer has given up long before.
const MAX_PLAIN: usize = 1 << 20;

/// A TLS connection and what is inside.
#[derive(Default)]
pub struct Secure {
    connection: Connection,
    inner: [Inner; 2],
    /// The first fatal alert, and who sent it.
    failure: Option<(Side, u8)>,
}

/// One direction of plain text.
struct Inner {
    carrier: Carrier,
    /// Octets the carrier left for later.
    held: Vec<u8>,
}

impl Default for Inner {
    fn default() -> Self {
        let mut carrier = Carrier::new(Transport::Tls);
        // Records open from the handshake on, so this is where the stream begins.
        carrier.open();
        Self { carrier, held: Vec::new() }
    }
}

impl std::fmt::Debug for Secure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secure").field("verdict", &self.verdict()).finish_non_exhaustive()
    }
}

impl Secure {
    /// Takes in octets of `side`; hands out what is whole, by direction, since a hello of one side
    /// may open what the other sent before.
    pub fn advance(
        &mut self,
        secrets: &mut Secrets,
        side: Side,
        input: Input<'_>,
        context: &mut Context<'_>,
        sink: &mut dyn FnMut(Side, Found<'_>),
    ) {
        let Self { connection, inner, failure } = self;
        let mut each = |event: Event<'_>| match event {
            Event::Plain { side, bytes } => {
                inner[side as usize].take(bytes, After::More, context, &mut |found| {
                    sink(side, found);
                });
            }
            Event::Gap { side } => {
                inner[side as usize].take(&[], After::Gap(1), context, &mut |found| {
                    sink(side, found);
                });
            }
            Event::Alert { side, fatal: true, description } => {
                failure.get_or_insert((side, description));
                sink(side, Found::Alert(description));
            }
            Event::Alert { .. } => {}
        };
        connection.feed(secrets, side, input.bytes, &mut each);
        match input.after {
            After::More => {}
            After::Gap(_) => connection.gap(side),
            After::End => {
                connection.give_up(secrets, side, &mut each);
                inner[side as usize].take(&[], After::End, context, &mut |found| {
                    sink(side, found);
                });
            }
        }
    }

    /// Why it is open or shut.
    pub fn verdict(&self) -> Verdict {
        self.connection.verdict()
    }

    /// The first fatal alert, and who sent it.
    pub const fn failure(&self) -> Option<(Side, u8)> {
        self.failure
    }

    /// Who sent an alert that could not be opened, before any data.
    pub const fn sealed_alert(&self) -> Option<Side> {
        self.connection.sealed_alert()
    }

    /// Octets of private memory it holds.
    pub fn heap_size(&self) -> usize {
        let inner =
            self.inner.iter().map(|inner| inner.held.capacity() + inner.carrier.heap_size());
        size_of::<Self>() + self.connection.heap_size() + inner.sum::<usize>()
    }

    /// Which side is the client.
    pub fn client(&self) -> Option<Side> {
        self.connection.client()
    }

    /// The name the client asked for.
    pub fn server_name(&self) -> Option<&str> {
        self.connection.server_name()
    }

    /// True when nothing that is still to come can be read.
    pub fn is_shut(&self) -> bool {
        matches!(self.verdict(), Verdict::NoKeys | Verdict::NoHandshake | Verdict::Suite(_))
    }
}

impl Inner {
    fn take(
        &mut self,
        bytes: &[u8],
        after: After,
        context: &mut Context<'_>,
        sink: &mut dyn FnMut(Found<'_>),
    ) {
        self.held.extend_from_slice(bytes);
        loop {
            let input = Input { bytes: &self.held, after };
            let used = self.carrier.advance(input, true, context, &mut |_, found| sink(found));
            self.held.drain(..used.min(self.held.len()));
            if used == 0 || self.held.is_empty() || after != After::More {
                break;
            }
        }
        if MAX_PLAIN < self.held.len() {
            self.held.clear();
            context.tally.lose("let-go");
        }
        if after != After::More {
            self.held.clear();
        }
    }
}
