//! What breaks a dialog (D).

pub(super) mod request_outside_dialog;
pub(super) mod cseq_not_increasing;
