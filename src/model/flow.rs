//! Everything of one Call-ID: the unit of work of the analysis.

use super::{Dialog, DialogId, Exchange, FlowId, MessageId, Transaction, TransactionId};
use crate::net::IcmpKind;
use crate::sip::Message;
use crate::transport::{Completeness, ConnectionChange, Signal};

/// All messages of one Call-ID and what they mean.
#[derive(Default)]
pub struct CallFlow {
    /// Its place in the model; set when the model is complete.
    pub id: FlowId,
    /// Every sighting of every message, in capture order.
    pub messages: Vec<Entry>,
    /// Transactions, each on one hop, in the order of their first message.
    pub transactions: Vec<Transaction>,
    /// Dialogs, in the order of their creation; forks are dialogs of their own.
    pub dialogs: Vec<Dialog>,
    /// Offers and their answers, in order.
    pub exchanges: Vec<Exchange>,
    /// ICMP errors, refused and reset connections that hit messages of this flow.
    pub evidence: Vec<Evidence>,
}

/// One sighting of a message.
pub struct Entry {
    /// The message.
    pub message: Message,
    /// How it relates to what was seen before.
    pub note: Note,
    /// The transaction it belongs to; `None` for a stray.
    pub transaction: Option<TransactionId>,
    /// The dialog it belongs to, once there is one.
    pub dialog: Option<DialogId>,
}

/// How a sighting relates to earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// First sighting on its first hop.
    New,
    /// Sent again on the same hop (section 17).
    Retransmission(MessageId),
    /// The same passage captured twice: two interfaces, a mirror, both sides of a tunnel.
    Duplicate(MessageId),
    /// The next hop of a message seen before (section 16.6).
    Forwarded(MessageId),
}

/// Something outside SIP that explains what happened to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// When and where.
    pub signal: Signal,
    /// The message it is about.
    pub about: Option<MessageId>,
    /// What.
    pub kind: EvidenceKind,
}

/// Kinds of [`Evidence`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvidenceKind {
    /// An ICMP error that quotes the message.
    Icmp(IcmpKind),
    /// The connection that carried it was refused, reset or closed.
    Connection(ConnectionChange),
}

impl CallFlow {
    /// The entry `id`.
    pub fn entry(&self, id: MessageId) -> &Entry {
        &self.messages[id.0 as usize]
    }

    /// The message `id`.
    pub fn message(&self, id: MessageId) -> &Message {
        &self.entry(id).message
    }

    /// The transaction `id`.
    pub fn transaction(&self, id: TransactionId) -> &Transaction {
        &self.transactions[id.0 as usize]
    }

    /// The dialog `id`.
    pub fn dialog(&self, id: DialogId) -> &Dialog {
        &self.dialogs[id.0 as usize]
    }

    /// Ids and entries in capture order.
    pub fn entries(&self) -> impl Iterator<Item = (MessageId, &Entry)> {
        self.messages.iter().enumerate().map(|(i, entry)| (MessageId(i as u32), entry))
    }

    /// Call-ID of the flow, empty when its messages have none.
    pub fn call_id(&self) -> &[u8] {
        self.messages.first().and_then(|entry| entry.message.call_id()).unwrap_or_default()
    }

    /// True when every message of the flow is complete.
    pub fn is_whole(&self) -> bool {
        self.messages.iter().all(|e| e.message.envelope.completeness == Completeness::Whole)
    }

    /// Takes in the next message of this Call-ID.
    pub fn observe(&mut self, message: Message) -> MessageId {
        let _ = message;
        todo!()
    }

    /// The numbers and the outcome of the flow as seen so far.
    pub fn summary(&self) -> super::Summary {
        todo!()
    }

    /// Octets of private memory the flow holds.
    pub fn heap_size(&self) -> usize {
        todo!()
    }
}
