//! What people made: call flows joined across REFER, Replaces, redirects and B2BUAs.

use super::{FlowId, MessageId};

/// One or more call flows that belong together.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its flows (legs) in order of first message.
    pub flows: Vec<FlowId>,
    /// Why they are together.
    pub links: Vec<Link>,
}

/// Why two flows belong to one call.
#[derive(Clone, Debug)]
pub struct Link {
    /// The earlier flow.
    pub from: FlowId,
    /// The later flow.
    pub to: FlowId,
    /// What says so.
    pub kind: LinkKind,
    /// The message of `to` (or `from`) that proves it.
    pub evidence: Option<(FlowId, MessageId)>,
}

/// Kinds of [`Link`], strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkKind {
    /// Replaces names the other dialog (RFC 3891).
    Replaces,
    /// A REFER asked for it (RFC 3515).
    Refer,
    /// A 3xx Contact was followed under a new Call-ID.
    Redirect,
    /// The same Session-ID (RFC 7989) or X-CID style header names the other Call-ID.
    SessionId,
    /// Same SDP session or numbers within a moment through one host: a B2BUA.
    Inferred,
}
