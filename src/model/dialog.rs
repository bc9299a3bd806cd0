//! A peer-to-peer relation: Call-ID and two tags (section 12).

use super::{MessageId, TransactionId};
use crate::time::Timestamp;

/// A dialog. Tags are read from its messages: the caller's is the From tag of `creator`,
/// the callee's the To tag of `answer`.
#[derive(Clone, Debug)]
pub struct Dialog {
    /// What the dialog is for.
    pub usage: Usage,
    /// Where it got to.
    pub state: DialogState,
    /// The tag of the side that sent the creating request.
    pub caller_tag: Box<[u8]>,
    /// The tag of the other side.
    pub callee_tag: Box<[u8]>,
    /// The creating transaction on the hop nearest the caller; `None` when it was not captured.
    pub creator: Option<TransactionId>,
    /// First message that carried both tags.
    pub first: MessageId,
    /// First response 101 to 199 with this To tag.
    pub early: Option<MessageId>,
    /// First 2xx (or NOTIFY, for a subscription) that confirmed it.
    pub confirmed: Option<MessageId>,
    /// First ACK of the confirming 2xx.
    pub acknowledged: Option<MessageId>,
    /// What ended it: BYE, final refusal, NOTIFY terminated.
    pub ended: Option<MessageId>,
    /// When it began and, if it did, ended.
    pub from: Timestamp,
    /// See `from`.
    pub until: Option<Timestamp>,
}

/// What a dialog is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// A session (INVITE).
    Invite,
    /// A subscription (SUBSCRIBE).
    Subscribe,
    /// The implicit subscription of a REFER outside a dialog.
    Refer,
    /// Seen in the middle; unknown.
    Unknown,
}

/// States of a dialog (section 12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DialogState {
    /// A provisional response with a To tag.
    Early,
    /// A 2xx.
    Confirmed,
    /// Over.
    Terminated,
}

impl Dialog {
    /// Octets of private memory it holds beside itself.
    pub(super) fn heap_size(&self) -> usize {
        self.caller_tag.len() + self.callee_tag.len()
    }
}
