//! What one message breaks by itself (M).

pub(super) mod start_line_malformed;
pub(super) mod header_line_malformed;
pub(super) mod missing_mandatory_header;
pub(super) mod header_value_malformed;
pub(super) mod via_branch_invalid;
pub(super) mod content_length_mismatch;
pub(super) mod content_length_missing_stream;
pub(super) mod cseq_method_mismatch;
pub(super) mod from_tag_missing;
pub(super) mod response_to_tag_missing;
pub(super) mod dialog_contact_missing;
pub(super) mod challenge_missing;
pub(super) mod response_required_header_missing;
pub(super) mod udp_message_too_large;

use crate::sip::{DefectKind, Message};

/// True for a sender of RFC 2543: its topmost Via has no branch with the magic cookie.
fn speaks_rfc2543(message: &Message) -> bool {
    message.top_via().is_some_and(|via| !via.has_cookie())
}

/// True when the header section ends before its empty line, so that headers may be missing.
fn is_open_ended(message: &Message) -> bool {
    message.defects().iter().any(|defect| defect.kind == DefectKind::NotTerminated)
}
