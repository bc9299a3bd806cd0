//! One transaction on all its hops, until it is handed on to the audit in its turn.

use super::keys::Keys;
use crate::engine::timers::SETTLED;
use crate::model::CallFlow;
use crate::model::audit::lookout::Lookout;
use crate::model::audit::{Beat, Event, Terms};
use crate::sip::Method;
use crate::time::{TIMEOUT, Timestamp};

/// Octets of a slot beside its messages: what finds it, ends it, and is left of it.
pub(super) const SLOT: usize =
    size_of::<Slot>() + size_of::<Answered>() + 4 * size_of::<(u64, u64)>();

/// Octets of an open slot beside its messages, with what transactions and indexes of its flow take,
/// measured.
pub(super) const OPEN: usize = size_of::<Open>() + 512;

/// A transaction, or what came of it.
pub(super) enum Slot {
    Open(Box<Open>),
    /// A keepalive that was answered at once, as most are: only copies may still come.
    Answered(Box<Answered>),
    Over(Over),
}

/// What came of a slot.
pub(super) type Over = smallvec::SmallVec<[(u64, Event); 1]>;

/// A keepalive and its answer, reduced to what counts.
pub(super) struct Answered {
    pub(super) beat: Beat,
    pub(super) seq: u64,
    pub(super) keys: Keys,
    /// The [`Sift::now`](super::Sift::now) of its last message.
    pub(super) last: Timestamp,
}

/// One Call-ID and CSeq: a transaction on all its hops.
pub(super) struct Open {
    pub(super) flow: CallFlow,
    pub(super) keys: Keys,
    /// The [`Sift::now`](super::Sift::now) of its last message.
    pub(super) last: Timestamp,
    pub(super) is_answered: bool,
    pub(super) held: usize,
    /// Of how many messages what a lookout holds of it is, and its place in the order of the
    /// capture; where all of it is one REGISTER transaction.
    pub(super) shown: Option<(usize, u64)>,
}

impl Open {
    /// How long it may be silent before it is over, nanoseconds.
    pub(super) const fn wait(&self) -> i64 {
        if self.is_answered { SETTLED } else { TIMEOUT }
    }
}

/// What the transactions of `flow` came to, in the order of the capture.
pub(super) fn events_of(flow: &CallFlow, terms: &Terms<'_>) -> Vec<(u64, Event)> {
    let mut events = Vec::new();
    Event::of_flow(flow, terms.hostile, &mut events);
    events.sort_by_key(|(seq, _)| *seq);
    events
}

/// Shows `lookout` what the transactions of `flow`, those of slot number `at`, came to so far; for
/// [`Open::shown`].
pub(super) fn look_out(
    lookout: &mut Lookout,
    at: u64,
    flow: &CallFlow,
    terms: &Terms<'_>,
) -> Option<(usize, u64)> {
    let first = &flow.messages.first()?.message;
    let is_register = match first.method() {
        Some(method) => matches!(method, Method::Register),
        None => first.cseq().is_none_or(|cseq| matches!(cseq.method, b"REGISTER" | b"")),
    };
    if is_register {
        let events = events_of(flow, terms);
        let shown = match events.as_slice() {
            [(seq, Event::Register(_))] => Some((flow.messages.len(), *seq)),
            _ => None,
        };
        lookout.note(at, events, terms);
        return shown;
    }
    if flow.messages.len() == 1
        && let Some((_, beat)) = Beat::of_flow(flow)
    {
        lookout.beat(&beat, terms);
    }
    None
}
