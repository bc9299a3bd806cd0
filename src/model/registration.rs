//! Registrations: who registered where, with what result (section 10).

use super::{FlowId, TransactionId};
use crate::net::Endpoint;
use crate::sip::Status;
use crate::time::Timestamp;

/// All REGISTERs of one address-of-record at one registrar.
#[derive(Clone, Debug)]
pub struct Registration {
    /// Address-of-record: To URI without parameters, as text.
    pub aor: String,
    /// Request-URI of the first REGISTER.
    pub registrar: String,
    /// The attempts in order; a challenge and its answer are one attempt.
    pub attempts: Vec<Attempt>,
}

/// One try to change bindings.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Its transactions on the hop nearest the client, in order.
    pub transactions: Vec<(FlowId, TransactionId)>,
    /// First transmission.
    pub time: Timestamp,
    /// Who sent it.
    pub source: Endpoint,
    /// Whom it was sent to.
    pub target: Endpoint,
    /// Final status of the last transaction, when seen.
    pub status: Option<Status>,
    /// Requested expiry in seconds (Contact parameter, else Expires).
    pub requested: Option<u32>,
    /// Granted expiry in seconds.
    pub granted: Option<u32>,
    /// Contact as written, first value.
    pub contact: Option<String>,
    /// True when all contacts are removed.
    pub removes: bool,
    /// Retransmissions within it.
    pub retransmissions: u32,
}
