//! What messages mean: the nouns of RFC 3261, each with its state machine. No text for people,
//! no severities, no verdicts.

mod ids;
pub mod blocks;
mod chains;
pub mod few;
mod growth;
mod reading;
pub mod passage;
pub mod transaction;
mod matching;
pub mod dialog;
mod tracking;
pub mod offer;
mod negotiation;
pub mod flow;
pub mod summary;
mod outcome;
pub mod audit;
pub mod call;
mod joining;
pub mod directions;
pub mod vantage;
pub mod crossings;

pub use blocks::Blocks;
pub use call::{Call, Link, LinkKind};
pub use crossings::{Crossing, Crossings};
pub use dialog::{Dialog, DialogState, Usage};
pub use few::{Few, Rare};
pub use flow::{CallFlow, Entry, Evidence, EvidenceKind, Note};
pub use ids::{DialogId, MessageId, TransactionId};
pub use offer::{Exchange, SdpPlace};
pub use passage::{Passages, Print, Sighted};
pub use reading::{Clues, Seed};
pub use summary::{FlowKind, FlowState, Summary};
pub use transaction::{Hop, Transaction};
pub use vantage::Vantage;

use std::net::IpAddr;
use std::sync::OnceLock;

use crate::limits::Tally;
use crate::near;
use crate::time::Timestamp;

/// Flows that stand between one that is asked for and the one whose turn it is, where all are looked
/// at in turn.
pub(crate) const AHEAD: usize = 8;

/// A call flow, by its place in [`Model::flows`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId(pub u32);

/// Everything that was understood of the input; the root that rules and views read.
#[derive(Default)]
pub struct Model {
    /// All call flows in the order of their first message. Boxed, since they are large and come so.
    #[allow(clippy::vec_box)]
    pub flows: Vec<Box<CallFlow>>,
    /// What the capture point could see.
    pub vantage: Vantage,
    /// Counters of the whole run.
    pub tally: Tally,
    pub(crate) seed: Seed,
    /// Joined when they are first asked for.
    calls: OnceLock<Vec<Call>>,
    /// Found when they are first asked for.
    crossings: OnceLock<Crossings>,
}

impl Model {
    /// The model of complete `flows`, in the order of their first messages, which it numbers.
    ///
    /// The capture goes on until `last`; `deaf` says of a sender and a receiver that nothing from
    /// the receiver could be seen.
    pub fn new(
        #[allow(clippy::vec_box)] mut flows: Vec<Box<CallFlow>>,
        last: Timestamp,
        deaf: impl Fn(IpAddr, IpAddr) -> bool,
        seed: Seed,
    ) -> Self {
        for at in 0..flows.len() {
            // As `asked_for`, for flows that are changed.
            flows.get(at + 2 * AHEAD).inspect(|flow| near::ask_for(&***flow));
            flows.get(at + AHEAD).inspect(|flow| flow.ask_for_first());
            let flow = &mut flows[at];
            flow.id = FlowId(at as u32);
            flow.horizon = Some(last);
            flow.deaf = flow.hears_nothing(&deaf);
        }
        Self { flows, seed, ..Self::default() }
    }

    /// What people made: flows joined by REFER, Replaces, B2BUA evidence; in the order of their
    /// first flow. Every INVITE flow is in exactly one call.
    pub fn calls(&self) -> &[Call] {
        self.calls.get_or_init(|| joining::join(&self.flows, self.seed))
    }

    /// Branches that stand in more than one flow.
    pub fn crossings(&self) -> &Crossings {
        self.crossings.get_or_init(|| Crossings::of(&self.flows))
    }

    /// The flow `id`.
    pub fn flow(&self, id: FlowId) -> &CallFlow {
        &self.flows[id.0 as usize]
    }
}

/// The same `flows`, each asked for before its turn.
pub(crate) fn asked_for<'f>(
    flows: impl Iterator<Item = &'f CallFlow>,
) -> impl Iterator<Item = &'f CallFlow> {
    near::ahead(AHEAD, flows, near::ask_for)
}
