//! Says to which call flow an observation belongs, without reading more of it than the Call-ID.

use memchr::{memmem, memrchr};

use super::latest::Latest;
use super::strays::Strays;
use crate::model::{EvidenceKind, Seed};
use crate::net::Endpoint;
use crate::sip::Message;
use crate::transport::peek::peek_call_id;
use crate::transport::{ConnectionChange, Envelope, Observation, Signal, Text};

/// An observation on its way to the analyzer that has its flow.
pub(super) struct Item {
    /// The flow; equal for all that belongs to one Call-ID.
    pub(super) flow: u64,
    pub(super) what: What,
}

pub(super) enum What {
    Message { envelope: Envelope, text: Text },
    Evidence { signal: Signal, kind: EvidenceKind, ends: (Endpoint, Endpoint) },
}

/// Knows which flow was last seen between two endpoints, for errors that name no Call-ID.
pub(super) struct Router {
    seed: Seed,
    latest: Latest,
    /// Errors between endpoints of which no message is known.
    strays: Strays,
}

impl Router {
    /// A router that remembers `names` pairs of endpoints; its hashes are keyed with `seed`.
    pub(super) fn new(seed: Seed, names: usize) -> Self {
        Self { seed, latest: Latest::new(seed, names), strays: Strays::default() }
    }

    /// The item for what was seen beside messages; `None` when it belongs to no flow.
    pub(super) fn route_beside(&mut self, observation: &Observation<'_>) -> Option<Item> {
        match *observation {
            // Flows of messages are found some at a time, and nobody asks for the others.
            Observation::Message { .. } | Observation::Ping { .. } | Observation::Gap { .. } => {
                None
            }
            Observation::Connection { change, .. } if is_orderly(change) => None,
            Observation::Connection { signal, change } => {
                let ends = (signal.from, signal.to);
                let kind = EvidenceKind::Connection(change);
                let Some(flow) = self.latest.recall(signal.transport, ends) else {
                    self.strays.add(signal, kind, ends);
                    return None;
                };
                Some(Item { flow, what: What::Evidence { signal, kind, ends } })
            }
            Observation::Unreachable { signal, kind, quoted_from, quoted_to, quoted } => {
                let ends = (quoted_from, quoted_to);
                // A quote may end in the middle of its Call-ID.
                let lines = memrchr(b'\n', quoted).map_or(0, |end| end + 1);
                let named = call_id(&quoted[..lines]).map(|id| self.seed.hash(id));
                let kind = EvidenceKind::Icmp(kind);
                let Some(flow) = named.or_else(|| self.latest.recall(signal.transport, ends))
                else {
                    self.strays.add(signal, kind, ends);
                    return None;
                };
                Some(Item { flow, what: What::Evidence { signal, kind, ends } })
            }
        }
    }

    /// The flow of a message that is read already, the same that [`flow_of`](Self::flow_of) finds; to be
    /// [remembered](Self::remember_all) with others.
    pub(super) fn route_read(&self, message: &Message) -> u64 {
        let envelope = &message.envelope;
        // What is no plain field may still name the flow.
        let plain = Some(message).filter(|message| message.defects().is_empty());
        match plain.and_then(Message::call_id).filter(|id| !id.is_empty()) {
            Some(id) => self.seed.hash(id),
            None => self.flow_of(message.text(), envelope),
        }
    }

    /// Remembers between whom flows were seen, in the order of their messages.
    pub(super) fn remember_all<'e>(&mut self, seen: impl Iterator<Item = (u64, &'e Envelope)>) {
        self.latest.add_all(seen);
    }

    /// Errors that belong to no flow by their endpoints.
    pub(super) fn strays(self) -> Strays {
        self.strays
    }

    /// The flow of a message; to be [remembered](Self::remember_all) with others.
    ///
    /// Messages without Call-ID are kept together by their hosts and the branch of their top Via,
    /// as far as it was captured: a transaction, no more.
    pub(super) fn flow_of(&self, text: &[u8], envelope: &Envelope) -> u64 {
        let (one, other) = (envelope.from.ip, envelope.to.ip);
        match call_id(text) {
            Some(id) => self.seed.hash(id),
            None => self.seed.hash((one.min(other), one.max(other), branch(text))),
        }
    }
}

/// True for an observation that hits no message and is none.
pub(super) fn is_idle(observation: &Observation<'_>) -> bool {
    match observation {
        Observation::Message { .. } | Observation::Unreachable { .. } => false,
        Observation::Ping { .. } | Observation::Gap { .. } => true,
        Observation::Connection { change, .. } => is_orderly(*change),
    }
}

const fn is_orderly(change: ConnectionChange) -> bool {
    matches!(change, ConnectionChange::Opened | ConnectionChange::Closed)
}

/// The first branch in a message, which is that of its top Via.
fn branch(text: &[u8]) -> Option<&[u8]> {
    let value = text.get(memmem::find(text, b"branch=")? + 7..)?;
    let end = value.iter().position(|b| matches!(b, b';' | b',' | b'\r' | b'\n' | b' '));
    value.get(..end?)
}

fn call_id(text: &[u8]) -> Option<&[u8]> {
    peek_call_id(text).filter(|id| !id.is_empty())
}
