//! Which messages of a stream are wanted, and how old their call is.

use rustc_hash::FxHashMap;

use super::filter::{Field, Filter};
use crate::model::Seed;
use crate::sip::Message;
use crate::time::Timestamp;

/// Chooses messages one by one.
///
/// A condition that asks only who takes part chooses calls: what comes later in a call is wanted,
/// too, though its From and To have changed sides. Any other chooses single messages.
pub(crate) struct Choosing {
    filter: Option<Filter>,
    /// Whether all of a call is wanted once a message of it was.
    follows: bool,
    seed: Seed,
    /// Calls remembered in one generation; two are kept.
    calls: usize,
    young: FxHashMap<u64, Known>,
    old: FxHashMap<u64, Known>,
    /// Calls that were wanted and are followed no longer.
    let_go: u64,
}

/// What is remembered of a call.
#[derive(Clone, Copy)]
struct Known {
    began: Timestamp,
    is_wanted: bool,
}

impl Choosing {
    /// Chooses by `filter`, all without; what is remembered of the latest `calls`, up to twice as
    /// many, is keyed with `seed`.
    pub(super) fn new(filter: Option<Filter>, seed: Seed, calls: usize) -> Self {
        let (young, old) = (FxHashMap::default(), FxHashMap::default());
        let asks = |filter: &Filter| filter.asks(&|field| !names_party(field)).is_some();
        let follows = filter.as_ref().is_some_and(|filter| !asks(filter));
        Self { filter, follows, seed, calls: calls.max(2), young, old, let_go: 0 }
    }

    /// Calls of which what came later was not recognized, for want of room.
    #[cfg_attr(not(feature = "live"), allow(dead_code))]
    pub(super) const fn let_go(&self) -> u64 {
        self.let_go
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
        if self.calls <= self.young.len() && !self.young.contains_key(&key) {
            self.forget();
        }
        self.young.insert(key, known);
        let is_wanted = holds || (self.follows && known.is_wanted);
        is_wanted.then(|| time.since(known.began))
    }
}

impl Choosing {
    /// Forgets the older half of the calls. Those that are followed stay while they are few, so that
    /// a flood of others does not cost what comes later in them.
    fn forget(&mut self) {
        let gone = std::mem::replace(&mut self.old, std::mem::take(&mut self.young));
        if !self.follows {
            return;
        }
        #[allow(clippy::iter_over_hash_type)] // All of them, or those there is room for.
        for (key, known) in gone {
            if !known.is_wanted || self.old.contains_key(&key) {
                continue;
            }
            if self.young.len() < self.calls / 2 {
                self.young.insert(key, known);
            } else {
                self.let_go += 1;
            }
        }
    }
}

/// True for fields that say who takes part in a call, or which it is.
const fn names_party(field: Field) -> bool {
    matches!(
        field,
        Field::CallId | Field::From | Field::FromUser | Field::To | Field::ToUser | Field::User
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::transport::{Completeness, Envelope, Text, Transport};

    /// A message of the call `id`, from `user`.
    fn message(id: &str, user: &str) -> Message {
        let end = crate::net::Endpoint::UNKNOWN;
        let envelope = Envelope {
            seq: 0,
            frame: crate::frame::FrameId::default(),
            time: Timestamp(0),
            from: end,
            to: end,
            connection: 0,
            ip_id: None,
            path: crate::net::PathId::default(),
            fragments: 1,
            transport: Transport::Udp,
            completeness: Completeness::Whole,
        };
        let text = format!("BYE sip:b SIP/2.0\r\nFrom: <sip:{user}@a>\r\nCall-ID: {id}\r\n\r\n");
        Message::parse(envelope, Text::of(text.as_bytes(), None)).unwrap()
    }

    #[test]
    fn a_flood_of_others_does_not_end_what_is_followed() {
        let filter = Filter::parse("from contains 'alice'").unwrap();
        let mut choosing = Choosing::new(Some(filter), Seed(1), 100);
        assert!(choosing.choose(&message("one", "alice")).is_some());
        for number in 0..1_000 {
            assert!(choosing.choose(&message(&number.to_string(), "mallory")).is_none());
        }
        assert!(choosing.choose(&message("one", "bob")).is_some(), "it goes on");
        assert_eq!(choosing.let_go(), 0);
        for number in 0..1_000 {
            choosing.choose(&message(&format!("a{number}"), "alice"));
        }
        assert!(800 < choosing.let_go() && choosing.let_go() < 1_000);
        assert!(choosing.young.len() <= 100 && choosing.old.len() <= 100);
    }
}
