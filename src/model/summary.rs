//! The numbers of one call flow: what a list shows.

use super::MessageId;
use crate::sip::{Method, Status};
use crate::time::Timestamp;

/// What kind of flow it is, by its first request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FlowKind {
    /// INVITE.
    Call,
    /// REGISTER.
    Registration,
    /// SUBSCRIBE, NOTIFY.
    Subscription,
    /// MESSAGE, OPTIONS, PUBLISH, INFO … outside a dialog.
    Other,
}

/// Where a flow got to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FlowState {
    /// Request sent, nothing but 100 back.
    Trying,
    /// 180/183 seen.
    Ringing,
    /// Answered, not ended.
    InCall,
    /// Answered and ended; or a final 2xx to anything but INVITE.
    Completed,
    /// Given up by the caller.
    Cancelled,
    /// 486, 600.
    Busy,
    /// Any other 4xx to 6xx by the callee or a server.
    Rejected,
    /// 3xx.
    Redirected,
    /// Challenged, and the credentials did not come or did not help.
    AuthFailed,
    /// No final answer within 64*T1 (or timer C) inside the capture.
    TimedOut,
    /// No response at all was seen, and the capture cannot tell why.
    Unanswered,
    /// The capture began in the middle.
    Partial,
}

impl FlowState {
    /// The stable word for lists and JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Trying => "trying",
            Self::Ringing => "ringing",
            Self::InCall => "in-call",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::Busy => "busy",
            Self::Rejected => "rejected",
            Self::Redirected => "redirected",
            Self::AuthFailed => "auth-failed",
            Self::TimedOut => "timed-out",
            Self::Unanswered => "unanswered",
            Self::Partial => "partial",
        }
    }
}

/// Numbers and outcome of a flow. Times in nanoseconds.
#[derive(Clone, Debug)]
pub struct Summary {
    /// What kind.
    pub kind: FlowKind,
    /// Method of the first request, or of the first CSeq.
    pub method: Method,
    /// Where it got to.
    pub state: FlowState,
    /// The final status of the initial request nearest the caller, when there is one; challenges
    /// that were answered are passed over.
    pub status: Option<Status>,
    /// First message.
    pub start: Timestamp,
    /// Last message.
    pub end: Timestamp,
    /// The initial request nearest the caller (or the first message).
    pub first: MessageId,
    /// Distinct messages: duplicates left out.
    pub messages: u32,
    /// Retransmissions.
    pub retransmissions: u32,
    /// Copies captured twice.
    pub duplicates: u32,
    /// From the first INVITE to the first 2xx (RFC 6076 names it session request delay up to 18x).
    pub setup: Option<i64>,
    /// From the first 180 or 183 to the answer, refusal or CANCEL.
    pub ring: Option<i64>,
    /// Post-dial delay: from the first INVITE to the first 180, 183 or final response.
    pub pdd: Option<i64>,
    /// From the first 2xx to the BYE, or to the last message while it lasts.
    pub duration: Option<i64>,
    /// Who ended an answered call: true for the caller.
    pub ended_by_caller: Option<bool>,
}
