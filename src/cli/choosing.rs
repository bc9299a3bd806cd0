//! Which messages of a stream are wanted, and how old their call is.

use rustc_hash::FxHashMap;

use super::filter::{Field, Filter};
use crate::model::Seed;
use crate::sip::Message;
use crate::time::Timestamp;

/// Calls remembered in one generation; two are kept.
const CALLS: usize = 1 << 16;

/// Chooses messages one by one.
///
/// A condition that asks only who takes part chooses calls: what comes later in a call is wanted,
/// too, though its From and To have changed sides. Any other chooses single messages.
pub(crate) struct Choosing {
    filter: Option<Filter>,
    /// Whether all of a call is wanted once a message of it was.
    follows: bool,
    seed: Seed,
    young: FxHashMap<u64, Known>,
    old: FxHashMap<u64, Known>,
}

/// What is remembered of a call.
#[derive(Clone, Copy)]
struct Known {
    began: Timestamp,
    is_wanted: bool,
}

impl Choosing {
    /// Chooses by `filter`, all without; what is remembered of calls is keyed with `seed`.
    pub(super) fn new(filter: Option<Filter>, seed: Seed) -> Self {
        let (young, old) = (FxHashMap::default(), FxHashMap::default());
        let asks = |filter: &Filter| filter.asks(&|field| !names_party(field)).is_some();
        let follows = filter.as_ref().is_some_and(|filter| !asks(filter));
        Self { filter, follows, seed, young, old }
    }

    /// Whether the next message of the stream is wanted: then how long after the first of its call
    /// it came, in nanoseconds.
    pub(super) fn choose(&mut self, message: &Message) -> Option<i64> {
        let holds = self.filter.as_ref().is_none_or(|filter| filter.holds(message));
        let time = message.envelope.time;
        let Some(call) = message.call_id() else { return holds.then_some(0) };
        let key = self.seed.hash(call);
        let before = self.young.get(&key).or_else(|| self.old.get(&key)).copied();
        let mut known = before.unwrap_or(Known { began: time, is_wanted: false });
        known.is_wanted |= holds;
        if CALLS <= self.young.len() && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, known);
        let is_wanted = holds || (self.follows && known.is_wanted);
        is_wanted.then(|| time.since(known.began))
    }
}

/// True for fields that say who takes part in a call, or which it is.
const fn names_party(field: Field) -> bool {
    matches!(
        field,
        Field::CallId | Field::From | Field::FromUser | Field::To | Field::ToUser | Field::User
    )
}
