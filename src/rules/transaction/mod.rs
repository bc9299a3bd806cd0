//! What the messages of one transaction break together (T).

pub(super) mod request_timeout;
pub(super) mod final_response_missing;
pub(super) mod ack_missing_2xx;
pub(super) mod ack_missing_non2xx;
pub(super) mod ack_mismatch;
pub(super) mod cancel_mismatch;
pub(super) mod response_not_echoed;
pub(super) mod retransmission_excessive;
pub(super) mod auth_rejected_repeatedly;

use crate::model::{MessageId, Transaction};
use crate::rules::Case;
use crate::sip::{HeaderName, Status};

/// The capture ends before silence means anything (guard END).
const STILL_OPEN: &str = "still open at the end of the capture";
/// Nothing of the silent side was captured at all (guard BOTH).
const ONE_DIRECTION: &str = "only one direction was captured";
/// The message that is missed may be one of those that were cut (guard WHOLE).
const MAY_BE_CUT: &str = "what is missed may be among messages cut in their head";
/// The message that began it is not in the capture (guard START).
const BEFORE_CAPTURE: &str = "began before the capture";

/// The final responses of a transaction with their statuses.
fn finals<'a>(
    transaction: &'a Transaction,
    case: &'a Case<'_>,
) -> impl Iterator<Item = (MessageId, Status)> + 'a {
    transaction.responses.iter().filter_map(|id| {
        let status = case.message(*id).status().filter(|status| status.is_final())?;
        Some((*id, status))
    })
}

/// True when the last response of the transaction, or any before, ended it.
fn is_over(transaction: &Transaction, case: &Case<'_>) -> bool {
    finals(transaction, case).next().is_some()
}

/// How a 2xx or a copy of it is told from those of other forks.
fn same_answer(case: &Case<'_>, one: MessageId, other: MessageId) -> bool {
    let (one, other) = (case.message(one), case.message(other));
    one.status() == other.status()
        && one.to_tag() == other.to_tag()
        && one.value(HeaderName::RSeq) == other.value(HeaderName::RSeq)
}

/// `+0.500 s` after `from`.
fn after(case: &Case<'_>, from: MessageId, id: MessageId) -> String {
    let nanos = case.time(id).since(case.time(from));
    format!("+{}.{:03} s", nanos / 1_000_000_000, nanos / 1_000_000 % 1000)
}
