//! A peer-to-peer relation: Call-ID and two tags (section 12).

use super::blocks::Blocks;
use super::{Entry, MessageId, TransactionId};
use crate::time::Timestamp;

/// A dialog. Its tags are read from its first message.
#[derive(Clone, Debug)]
pub struct Dialog {
    /// What the dialog is for.
    pub usage: Usage,
    /// Where it got to.
    pub state: DialogState,
    /// True when the From tag of `first` is that of the side that sent the creating request; else
    /// the To tag is.
    pub(super) is_from_caller: bool,
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
    /// The tags of the side that sent the creating request and of the other; `messages` are those of
    /// its flow.
    pub(super) fn tags<'m>(&self, messages: &'m Blocks<Entry>) -> [&'m [u8]; 2] {
        let first = &messages[self.first.place() as usize].message;
        let (from, to) = (first.from_tag(), first.to_tag());
        let tags = if self.is_from_caller { [from, to] } else { [to, from] };
        tags.map(Option::unwrap_or_default)
    }
}
