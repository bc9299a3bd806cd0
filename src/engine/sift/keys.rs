//! What finds the transaction of a message among those of the audit.

use crate::model::Seed;
use crate::sip::Message;

/// What finds the slot of a message.
#[derive(Clone, Copy)]
pub(super) struct Keys {
    /// Call-ID and CSeq; without CSeq the same as `loose`.
    pub(super) strict: u64,
    /// Call-ID and hosts, for messages that were cut before their CSeq or never had one.
    pub(super) loose: u64,
}

impl Keys {
    pub(super) fn of(message: &Message, seed: Seed) -> Self {
        let (call, envelope) = (message.call_id(), &message.envelope);
        let (one, other) = (envelope.from.ip, envelope.to.ip);
        let loose = seed.hash((call, one.min(other), one.max(other)));
        let strict = message.cseq().map_or(loose, |cseq| seed.hash((call, cseq.number)));
        Self { strict, loose }
    }

    /// True when the message says its CSeq.
    pub(super) const fn names_cseq(self) -> bool {
        self.strict != self.loose
    }
}
