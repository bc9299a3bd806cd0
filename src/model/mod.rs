//! What messages mean: the nouns of RFC 3261, each with its state machine. No text for people,
//! no severities, no verdicts.

pub mod call;
pub mod dialog;
pub mod flow;
pub mod offer;
pub mod registration;
pub mod summary;
pub mod transaction;
pub mod vantage;

pub use call::{Call, Link, LinkKind};
pub use dialog::{Dialog, DialogState, Usage};
pub use flow::{CallFlow, Entry, Evidence, EvidenceKind, Note};
pub use offer::{Exchange, SdpPlace};
pub use registration::Registration;
pub use summary::{FlowKind, FlowState, Summary};
pub use transaction::{Hop, Transaction};
pub use vantage::Vantage;

use crate::limits::Tally;

/// A call flow, by its place in [`Model::flows`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId(pub u32);

/// A message, by its place in [`CallFlow::messages`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub u32);

/// A transaction, by its place in [`CallFlow::transactions`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId(pub u32);

/// A dialog, by its place in [`CallFlow::dialogs`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DialogId(pub u32);

/// Everything that was understood of the input; the root that rules and views read.
#[derive(Default)]
pub struct Model {
    /// All call flows in the order of their first message.
    pub flows: Vec<CallFlow>,
    /// What people made: flows joined by REFER, Replaces, B2BUA evidence; in the order of their
    /// first flow. Every INVITE flow is in exactly one call.
    pub calls: Vec<Call>,
    /// Registrations by address-of-record, in order of first appearance.
    pub registrations: Vec<Registration>,
    /// What the capture point could see.
    pub vantage: Vantage,
    /// Counters of the whole run.
    pub tally: Tally,
}

impl Model {
    /// The flow `id`.
    pub fn flow(&self, id: FlowId) -> &CallFlow {
        &self.flows[id.0 as usize]
    }
}
