//! The registration audit of a feed of any length: transactions that are over go to the audit in
//! the order in which they began, and nothing of them is kept.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use super::{Feed, Plan};
use crate::limits::{Limits, Tally};
use crate::model::audit::{Audit, Beat, Event, Terms, Watch};
use crate::model::vantage::ConnectionEnd;
use crate::model::{CallFlow, Seed, Vantage};
use crate::sip::{Message, Method, Status};
use crate::time::{SECOND, TIMEOUT, Timestamp};
use crate::transport::{ConnectionChange, Observation, Signal, Text};

/// After an answer, no copy stays in the network longer than this: T4 (RFC 3261 section 17.1.2.2).
const SETTLED: i64 = 5 * SECOND;

/// Octets of a slot beside its messages: what finds it, ends it, and is left of it.
const SLOT: usize = size_of::<Slot>() + size_of::<Answered>() + 4 * size_of::<(u64, u64)>();

/// What came of a run.
pub struct Audited {
    /// The audit.
    pub audit: Audit,
    /// What the capture point could see.
    pub vantage: Vantage,
    /// What was read and lost.
    pub tally: Tally,
}

/// Audits the registrations of `feed`, all of them.
///
/// It differs from the audit of the whole model of the same feed in what comes later than any timer
/// allows, and in nothing else.
pub fn audit(feed: &mut dyn Feed, plan: &Plan, terms: &Terms<'_>) -> Audited {
    let mut sieve = Sieve {
        watch: Watch::new(*terms, &plan.limits, plan.seed),
        terms,
        limits: &plan.limits,
        seed: plan.seed,
        slots: VecDeque::new(),
        first: 0,
        held: 0,
        places: FxHashMap::default(),
        due: [VecDeque::new(), VecDeque::new()],
        now: Timestamp(i64::MIN),
        tally: Tally::default(),
    };
    let mut begun = false;
    while feed.advance(&mut |observation| match observation {
        Observation::Message { envelope, text, home } => {
            match Message::parse(envelope, Text::of(text, home)) {
                Some(message) => sieve.message(message),
                None => sieve.tally.lose("undecodable"),
            }
        }
        Observation::Connection { signal, change } => sieve.connection(&signal, change),
        Observation::Ping { .. } | Observation::Unreachable { .. } => {}
    }) {
        if !begun {
            begun = true;
            sieve.watch.begin(feed.vantage().first);
        }
    }
    sieve.finish(feed)
}

/// Transactions that are not over, and those that wait for one that began before them.
struct Sieve<'t> {
    watch: Watch<'t>,
    terms: &'t Terms<'t>,
    limits: &'t Limits,
    seed: Seed,
    /// In the order in which they began.
    slots: VecDeque<Slot>,
    /// The number of the first slot.
    first: u64,
    held: usize,
    /// Numbers of open slots, each by both of its keys.
    places: FxHashMap<u64, u64>,
    /// When which slot may be over: those without and those with an answer.
    due: [VecDeque<(Timestamp, u64)>; 2],
    /// The latest time there was. Silence is measured by it alone: clocks of several agents
    /// differ, and one that is behind must not look as if it had waited.
    now: Timestamp,
    tally: Tally,
}

enum Slot {
    Open(Box<Open>),
    /// A keepalive that was answered at once, as most are: only copies may still come.
    Answered(Box<Answered>),
    Over(Over),
}

/// What came of a slot.
type Over = smallvec::SmallVec<[(u64, Event); 1]>;

/// A keepalive and its answer, reduced to what counts.
struct Answered {
    beat: Beat,
    seq: u64,
    keys: Keys,
    /// The [`Sieve::now`] of its last message.
    last: Timestamp,
}

/// One Call-ID and CSeq: a transaction on all its hops.
struct Open {
    flow: CallFlow,
    keys: Keys,
    /// The [`Sieve::now`] of its last message.
    last: Timestamp,
    is_answered: bool,
    held: usize,
}

/// What finds the slot of a message.
#[derive(Clone, Copy)]
struct Keys {
    /// Call-ID and CSeq; without CSeq the same as `loose`.
    strict: u64,
    /// Call-ID and hosts, for messages that were cut before their CSeq or never had one.
    loose: u64,
}

impl Keys {
    fn of(message: &Message, seed: Seed) -> Self {
        let (call, envelope) = (message.call_id(), &message.envelope);
        let (one, other) = (envelope.from.ip, envelope.to.ip);
        let loose = seed.hash((call, one.min(other), one.max(other)));
        let strict = message.cseq().map_or(loose, |cseq| seed.hash((call, cseq.number)));
        Self { strict, loose }
    }
}

impl Open {
    const fn wait(&self) -> i64 {
        if self.is_answered { SETTLED } else { TIMEOUT }
    }
}

impl Sieve<'_> {
    fn message(&mut self, message: Message) {
        self.watch.see(&message);
        self.now = self.now.max(message.envelope.time);
        if let Some(at) = self.slot_of(&message) {
            self.take(at, message);
        }
        self.settle();
        self.hand_on();
        while self.limits.flows < self.slots.len() || self.limits.memory < self.held {
            if self.slots.is_empty() {
                break;
            }
            self.let_go();
            self.hand_on();
        }
    }

    /// A connection that carried SIP ended.
    fn connection(&mut self, signal: &Signal, change: ConnectionChange) {
        let reset = match change {
            ConnectionChange::Closed => false,
            ConnectionChange::Reset => true,
            ConnectionChange::Opened
            | ConnectionChange::Refused
            | ConnectionChange::TlsAlert(_) => return,
        };
        let end = ConnectionEnd {
            time: signal.time,
            connection: signal.connection,
            by: signal.from,
            reset,
        };
        self.slots.push_back(Slot::Over(smallvec::smallvec![(signal.seq, Event::End(end))]));
        self.held += SLOT;
        self.hand_on();
    }

    /// The slot of a message that concerns registrations, a new one when there is none.
    fn slot_of(&mut self, message: &Message) -> Option<u64> {
        let keys = Keys::of(message, self.seed);
        let exact = self.places.get(&keys.strict);
        let known = match message.method() {
            Some(_) => exact,
            None => exact.or_else(|| self.places.get(&keys.loose)),
        };
        let known = known.copied();
        let concerns = match (message.method(), message.cseq()) {
            (Some(method), _) => {
                matches!(method, Method::Register | Method::Message | Method::Options)
            }
            // Some devices leave the method of CSeq out.
            (None, Some(cseq)) if cseq.method.is_empty() => known.is_some(),
            (None, Some(cseq)) => {
                matches!(cseq.method, b"REGISTER" | b"MESSAGE" | b"OPTIONS")
            }
            (None, None) => known.is_some(),
        };
        if !concerns || known.is_some() {
            return known.filter(|_| concerns);
        }
        let at = self.first + self.slots.len() as u64;
        let flow = CallFlow::new(self.seed);
        let open = Open { flow, keys, last: self.now, is_answered: false, held: 0 };
        self.slots.push_back(Slot::Open(Box::new(open)));
        self.held += SLOT;
        self.places.insert(keys.strict, at);
        self.places.insert(keys.loose, at);
        Some(at)
    }

    fn take(&mut self, at: u64, message: Message) {
        let slot = self.slots.get_mut((at - self.first) as usize);
        if let Some(Slot::Answered(answered)) = slot {
            answered.beat.copy(&message);
            if answered.last < self.now {
                answered.last = self.now;
                self.due[1].push_back((self.now, at));
            }
            return;
        }
        let Some(Slot::Open(open)) = slot else { return };
        if self.limits.flow_messages <= open.flow.messages.len() {
            return self.tally.lose("let-go");
        }
        let octets = message.heap_size() + size_of::<crate::model::Entry>();
        open.held += octets;
        self.held += octets;
        open.last = self.now;
        open.is_answered |= message.status().is_some_and(Status::is_final);
        self.due[usize::from(open.is_answered)].push_back((open.last, at));
        open.flow.observe(message);
        if open.is_answered && open.flow.messages.len() == 2 {
            self.reduce((at - self.first) as usize);
        }
    }

    /// Keeps of a keepalive that was answered at once no more than what counts.
    fn reduce(&mut self, place: usize) {
        let Some(slot) = self.slots.get_mut(place) else { return };
        let Slot::Open(open) = slot else { return };
        let Some((seq, beat)) = Beat::of_flow(&open.flow) else { return };
        self.held -= open.held;
        let (keys, last) = (open.keys, open.last);
        *slot = Slot::Answered(Box::new(Answered { beat, seq, keys, last }));
    }

    /// Ends what has been silent for long enough.
    fn settle(&mut self) {
        for (queue, wait) in [(0, TIMEOUT), (1, SETTLED)] {
            while let Some((_, at)) =
                self.due[queue].pop_front_if(|(last, _)| wait < self.now.since(*last))
            {
                let Some(place) = at.checked_sub(self.first) else { continue };
                let is_over = match self.slots.get(place as usize) {
                    Some(Slot::Open(open)) => open.wait() < self.now.since(open.last),
                    Some(Slot::Answered(beat)) => SETTLED < self.now.since(beat.last),
                    Some(Slot::Over(_)) | None => false,
                };
                if is_over {
                    self.end(place as usize);
                }
            }
        }
    }

    /// The transaction in slot number `place` of those held is over.
    fn end(&mut self, place: usize) {
        let Some(slot) = self.slots.get_mut(place) else { return };
        match std::mem::replace(slot, Slot::Over(Over::new())) {
            Slot::Open(open) => {
                let mut events = Vec::new();
                Event::of_flow(&open.flow, self.terms.hostile, &mut events);
                events.sort_by_key(|(seq, _)| *seq);
                self.held -= open.held;
                *slot = Slot::Over(events.into());
                self.forget(open.keys, place);
            }
            Slot::Answered(answered) => {
                let Answered { beat, seq, keys, .. } = *answered;
                *slot = Slot::Over(smallvec::smallvec![(seq, Event::Keepalive(beat))]);
                self.forget(keys, place);
            }
            over @ Slot::Over(_) => *slot = over,
        }
    }

    /// Finds the slot at `place` no more, unless another has its keys by now.
    fn forget(&mut self, keys: Keys, place: usize) {
        let at = self.first + place as u64;
        for key in [keys.strict, keys.loose] {
            if self.places.get(&key) == Some(&at) {
                self.places.remove(&key);
            }
        }
    }

    /// Ends the transaction that began first, before its time.
    fn let_go(&mut self) {
        // Of one that was answered nothing but copies could be missed.
        if let Some(Slot::Open(_)) = self.slots.front() {
            self.tally.lose("let-go");
        }
        self.end(0);
    }

    /// Hands on what nothing that is open began before.
    fn hand_on(&mut self) {
        while let Some(Slot::Over(_)) = self.slots.front() {
            let Some(Slot::Over(events)) = self.slots.pop_front() else { return };
            self.first += 1;
            self.held -= SLOT;
            for (_, event) in events {
                self.watch.push(event);
            }
        }
    }

    fn finish(mut self, feed: &dyn Feed) -> Audited {
        for place in 0..self.slots.len() {
            self.end(place);
        }
        self.hand_on();
        let vantage = feed.vantage();
        let mut tally = feed.tally();
        tally.add(&self.tally);
        let Self { watch, slots, places, due, .. } = self;
        drop((slots, places, due));
        let audit = watch.finish(&vantage);
        tally.add(&audit.let_go);
        Audited { audit, vantage, tally }
    }
}
