//! Offer/answer within a dialog (RFC 3264, RFC 6337).

use super::{DialogId, Few, MessageId};
use crate::model::Hop;

/// A session description: the message that carries it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SdpPlace {
    /// The message.
    pub message: MessageId,
}

/// An offer and what became of it, both seen on one hop.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The hop on which offer and answer are compared, in the direction of the transaction.
    pub hop: Hop,
    /// The dialog; `None` while no To tag is known.
    pub dialog: Option<DialogId>,
    /// The offer.
    pub offer: SdpPlace,
    /// The binding answer, when one was seen.
    pub answer: Option<SdpPlace>,
    /// SDP of unreliable 18x responses that came before the binding answer.
    pub previews: Few<SdpPlace>,
    /// The message that should have carried the answer and did not (2xx, ACK, PRACK).
    pub unanswered_by: Option<MessageId>,
}
