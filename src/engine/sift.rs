//! The registration audit of a feed of any length: transactions that are over go to the audit in
//! the order in which they began, and nothing of them is kept. Live, a lookout sees them while they
//! go on.

mod keys;
mod slot;

use std::borrow::Cow;
use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use self::keys::Keys;
use self::slot::{Answered, OPEN, Open, Over, SLOT, Slot, events_of, look_out};
use super::parsed::Parsed;
use super::timers::SETTLED;
use super::{Feed, Plan};
use crate::limits::{Limits, Tally};
use crate::model::audit::lookout::{Change, Counts, Lookout};
use crate::model::audit::series::Stretch;
use crate::model::audit::{Audit, Beat, Event, Past, Terms, Watch};
use crate::model::vantage::ConnectionEnd;
use crate::model::{CallFlow, Seed, Vantage};
use crate::sip::{Message, Method, Status};
use crate::time::{TIMEOUT, Timestamp};
use crate::transport::{ConnectionChange, Observation, Signal};

/// Messages of a transaction that are each shown to a lookout; of more, the answers.
const LOOKED_AT: usize = 16;

/// Eighths of the memory of a live run that the audit at its end, and as many that what is told before,
/// may take; transactions that go on take the rest.
const LASTING_EIGHTHS: usize = 3;

/// Entries of slots that are gone that queues hold, beyond as many as there are slots.
const STALE: usize = 1 << 12;

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
    let mut sift = Sift::new(plan, *terms);
    let mut begun = false;
    while feed.advance(&mut |observation| sift.observe(Parsed::of(&observation))) {
        if !begun {
            begun = true;
            sift.begin(feed.vantage().first);
        }
    }
    let vantage = feed.vantage();
    let (audit, tally) = sift.finish(&vantage, feed.tally());
    Audited { audit, vantage, tally }
}

/// The registration audit, fed step by step: transactions that are not over, and those that wait
/// for one that began before them.
///
/// One made by [`Sift::live`] tells what changes: after each [`Sift::observe`] and
/// [`Sift::advance`], [`Sift::poll`] is called until it says `None`.
pub struct Sift<'t> {
    watch: Watch<'t>,
    /// Where changes are told.
    lookout: Option<Box<Lookout>>,
    terms: Terms<'t>,
    limits: Limits,
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

impl<'t> Sift<'t> {
    /// Nothing was seen so far, and nothing is told before the end.
    pub fn new(plan: &Plan, terms: Terms<'t>) -> Self {
        Self {
            watch: Watch::new(terms, &plan.limits, plan.seed),
            lookout: None,
            terms,
            limits: plan.limits.clone(),
            seed: plan.seed,
            slots: VecDeque::new(),
            first: 0,
            held: 0,
            places: FxHashMap::default(),
            due: [VecDeque::new(), VecDeque::new()],
            now: Timestamp(i64::MIN),
            tally: Tally::default(),
        }
    }

    /// One that tells what changes, and in the end of each device no more than `past`.
    pub fn live(plan: &Plan, terms: Terms<'t>, past: Past) -> Self {
        let memory = plan.limits.memory / 8 * LASTING_EIGHTHS;
        let limits = Limits { memory, ..plan.limits.clone() };
        let lookout = Lookout::new(&limits, plan.seed);
        Self {
            watch: Watch::new(terms, &limits, plan.seed).keeping(past),
            lookout: Some(Box::new(lookout)),
            ..Self::new(plan, terms)
        }
    }

    /// The input begins at `first`.
    pub fn begin(&mut self, first: Timestamp) {
        self.watch.begin(first);
    }

    /// Takes in what was seen next.
    pub fn observe(&mut self, seen: Parsed<'_>) {
        match seen {
            Parsed::Message(message) => self.message(message),
            Parsed::Unreadable => self.tally.lose("undecodable"),
            Parsed::Beside(observation) => self.beside(observation),
        }
    }

    fn beside(&mut self, observation: &Observation<'_>) {
        match observation {
            Observation::Connection { signal, change } => self.connection(signal, *change),
            Observation::Gap { signal } => {
                if let Some(lookout) = &mut self.lookout {
                    lookout.lost_on(signal.connection, signal.time);
                }
            }
            Observation::Message { .. }
            | Observation::Ping { .. }
            | Observation::Unreachable { .. } => {}
        }
    }

    /// Lets time pass to `now` without a packet: timers fire, transactions settle. `now` is a time
    /// of the capture, and one that is over is passed.
    pub fn advance(&mut self, now: Timestamp) {
        if self.lookout.is_none() {
            return;
        }
        // Each transaction settles in its turn among the timers.
        let over = |queue: &VecDeque<(Timestamp, u64)>, wait| {
            queue.front().map(|(last, _): &(Timestamp, u64)| last.plus(wait + 1))
        };
        while let [Some(next), _] | [None, Some(next)] = {
            let mut next = [over(&self.due[0], TIMEOUT), over(&self.due[1], SETTLED)];
            next.sort_by_key(|time| time.unwrap_or(Timestamp(i64::MAX)));
            next
        } && next <= now
            && self.now < next
        {
            self.pass(next);
        }
        self.pass(now);
    }

    fn pass(&mut self, now: Timestamp) {
        if let Some(lookout) = &mut self.lookout {
            lookout.advance(now);
        }
        self.now = self.now.max(now);
        self.settle();
        self.hand_on();
    }

    /// The capture lost packets in `stretch`, nanoseconds since the epoch: what is missing there
    /// proves nothing.
    pub fn lost(&mut self, stretch: Stretch) {
        self.watch.lost(stretch);
        if let Some(lookout) = &mut self.lookout {
            lookout.lost(stretch);
        }
    }

    /// Numbers so far, of a live run.
    pub fn counts(&self) -> Option<&Counts> {
        self.lookout.as_ref().map(|lookout| lookout.counts())
    }

    /// The latest time there was.
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// What was let go so far.
    pub fn tally(&self) -> Tally {
        let mut tally = self.tally.clone();
        tally.add(self.watch.tally());
        if let Some(lookout) = &self.lookout {
            tally.add(lookout.tally());
        }
        tally
    }

    /// What changed next; `None` when all is told.
    pub fn poll(&mut self) -> Option<Change> {
        self.lookout.as_mut()?.poll()
    }

    fn message(&mut self, message: Cow<'_, Message>) {
        self.watch.see(&message);
        // All timers before this message come before it.
        self.advance(message.envelope.time);
        if let Some(lookout) = self.lookout.as_mut().filter(|_| message.status().is_some()) {
            lookout.see_answer();
        }
        self.now = self.now.max(message.envelope.time);
        if let Some(at) = self.slot_of(&message) {
            self.take(at, message);
        }
        self.settle();
        self.hand_on();
        while self.limits.flows < self.slots.len() || self.limits.memory < self.all_held() {
            if self.slots.is_empty() {
                break;
            }
            self.let_go();
            self.hand_on();
        }
    }

    /// Octets that all of it holds: what goes on, and, live, what lasts.
    fn all_held(&self) -> usize {
        let Some(lookout) = &self.lookout else { return self.held };
        self.held + self.watch.held() + lookout.heap_size()
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
        self.advance(signal.time);
        if let Some(lookout) = &mut self.lookout {
            lookout.end(self.first + self.slots.len() as u64, end);
        }
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
            None => exact.or_else(|| {
                // An answer to another CSeq than that of the slot belongs elsewhere.
                self.places.get(&keys.loose).filter(|at| !self.names_cseq(**at))
            }),
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
        let open = Open { flow, keys, last: self.now, is_answered: false, held: OPEN, shown: None };
        self.slots.push_back(Slot::Open(Box::new(open)));
        self.held += SLOT + OPEN;
        self.places.insert(keys.strict, at);
        self.places.insert(keys.loose, at);
        Some(at)
    }

    /// Whether the messages of a slot say their CSeq.
    fn names_cseq(&self, at: u64) -> bool {
        let place = at.checked_sub(self.first);
        match place.and_then(|place| self.slots.get(place as usize)) {
            Some(Slot::Open(open)) => open.keys.names_cseq(),
            Some(Slot::Answered(answered)) => answered.keys.names_cseq(),
            Some(Slot::Over(_)) | None => false,
        }
    }

    fn take(&mut self, at: u64, message: Cow<'_, Message>) {
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
        let message = message.into_owned();
        let octets = message.heap_size() + size_of::<crate::model::Entry>();
        open.held += octets;
        self.held += octets;
        open.last = self.now;
        open.is_answered |= message.status().is_some_and(Status::is_final);
        self.due[usize::from(open.is_answered)].push_back((open.last, at));
        let is_news = open.flow.messages.len() < LOOKED_AT || message.status().is_some();
        open.flow.observe(message);
        if let Some(lookout) = self.lookout.as_mut().filter(|_| is_news) {
            open.shown = look_out(lookout, at, &open.flow, &self.terms);
        }
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
                self.held -= open.held;
                let shown =
                    open.shown.filter(|(messages, _)| *messages == open.flow.messages.len());
                let lookout = self.lookout.as_ref().zip(shown);
                let known = lookout.and_then(|(lookout, (_, seq))| {
                    Some((seq, lookout.shown(self.first + place as u64)?))
                });
                *slot = Slot::Over(match known {
                    Some(event) => smallvec::smallvec![event],
                    None => events_of(&open.flow, &self.terms).into(),
                });
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
        let most = 2 * self.slots.len() + STALE;
        for queue in &mut self.due {
            if most < queue.len() {
                queue.retain(|(_, at)| self.first < *at);
            }
        }
    }

    /// Hands on what nothing that is open began before.
    fn hand_on(&mut self) {
        while let Some(Slot::Over(_)) = self.slots.front() {
            let Some(Slot::Over(events)) = self.slots.pop_front() else { return };
            self.first += 1;
            self.held -= SLOT;
            if let Some(lookout) = &mut self.lookout {
                lookout.settle(self.first - 1, &events);
            }
            for (_, event) in events {
                self.watch.push(event);
            }
        }
    }

    /// Ends the audit of an input that was seen as `vantage` says, and of which `tally` was counted.
    pub fn finish(mut self, vantage: &Vantage, mut tally: Tally) -> (Audit, Tally) {
        for place in 0..self.slots.len() {
            self.end(place);
        }
        self.hand_on();
        tally.add(&self.tally);
        let Self { watch, lookout, slots, places, due, .. } = self;
        if let Some(lookout) = &lookout {
            tally.add(lookout.tally());
        }
        drop((lookout, slots, places, due));
        let audit = watch.finish(vantage);
        tally.add(&audit.let_go);
        (audit, tally)
    }
}
