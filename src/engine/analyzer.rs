//! Analyzer: what belongs to its share of the Call-IDs becomes call flows, within bounds.

mod asking;
mod eviction;
mod resting;

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::vec;

use rustc_hash::FxHashMap;

use self::eviction::Flood;
use self::resting::Waking;
use super::router::{Item, What};
use super::timers::{Due, Timers};
use super::{BATCH, LetGo, Plan};
use crate::limits::{Limits, Tally};
use crate::model::{CallFlow, Clues, Entry, Evidence, EvidenceKind, FlowId, Seed};
use crate::near;
use crate::net::Endpoint;
use crate::sip::Message;
use crate::time::Timestamp;
use crate::transport::{Envelope, Signal, Text};

/// What a message adds to transactions, dialogs and indexes of its flow, in octets, until the flow is
/// measured.
const SHARE: usize = 480;
/// Messages after which a flow is measured again at the earliest: to measure takes a look at all of it.
const EARLY: u32 = 8;
/// What an allocator takes for the pieces of a message beside their octets.
const PIECES: usize = 64;
/// What the queues, maps and timers of the analyzer take for a flow, with room to grow, and what a look
/// at all flows takes for each.
const PLACES: usize = 640;
/// Entries of flows that are gone or succeeded, beyond as many as there are flows, that are kept.
const DOUBTFUL: usize = 1 << 12;
/// Messages that stand between one and the next whose text is asked for.
const SOON: usize = 6;
/// Reports of flows let go that are kept, at least and at most; beyond, they are only counted.
const REPORTS: (usize, usize) = (1 << 10, 1 << 16);
/// Octets of memory allowed for which one report is kept; it takes an eighth of that.
const PER_REPORT: usize = 4 << 10;

/// The number of a flow that was let go: none in the model.
const GONE: FlowId = FlowId(u32::MAX);

/// The place of a flow that is not held.
const NOWHERE: u32 = u32::MAX;

/// Builds the call flows of its share.
pub(super) struct Analyzer<'a, R> {
    limits: Limits,
    seed: Seed,
    let_go: &'a LetGo<'a, R>,
    flows: Vec<Slot>,
    free: Vec<u32>,
    places: FxHashMap<u64, u32>,
    /// Flows whose timers may run, each once, in the order in which they are looked at.
    awake: VecDeque<Waking>,
    /// Flows of which nothing had succeeded when they began, oldest first.
    doubtful: VecDeque<(u32, u64)>,
    flood: Flood,
    /// Flows that rest, each with the turn in which it went to rest, oldest first.
    resting: VecDeque<(u32, NonZeroU32)>,
    held: usize,
    turn: NonZeroU32,
    reports: Vec<(u64, R)>,
    tally: Tally,
    /// Kept for their room.
    read: Vec<(u64, Read)>,
    clues: Vec<Option<Clues>>,
    near: Vec<u32>,
    /// When flows are to be looked at, while somebody looks.
    timers: Option<Timers>,
}

/// An item that was read and not yet judged.
enum Read {
    Message(Message),
    Unreadable,
    Evidence { signal: Signal, kind: EvidenceKind, ends: (Endpoint, Endpoint) },
}

impl Read {
    fn of(envelope: Envelope, text: Text) -> Self {
        Message::parse(envelope, text).map_or(Self::Unreadable, Self::Message)
    }
}

/// What an analyzer hands back.
pub(super) struct Harvest<R> {
    /// Each with the number of its first message. Boxed, since they are sorted and a flow is large.
    pub(super) flows: Vec<(u64, Box<CallFlow>)>,
    /// What was said of flows let go, with the place of their first message.
    pub(super) let_go: Vec<(u64, R)>,
    pub(super) tally: Tally,
}

/// A place for a flow; empty once the flow was let go.
struct Slot {
    flow: Option<Box<CallFlow>>,
    key: u64,
    /// The number of its first message in the order of the input.
    first: u64,
    last: Timestamp,
    /// Octets counted for it.
    held: usize,
    /// Messages with which it is measured next: each time it has grown by half and [`EARLY`].
    measured_at: u32,
    state: State,
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Slot>() <= 48, "there is one of every flow");

/// Octets that a flow takes, as the allocator gives them.
fn octets_of(flow: &CallFlow) -> usize {
    size_of::<CallFlow>() + PLACES + flow.heap_size() + flow.messages.len() * PIECES
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Awake,
    /// Since this turn; none is 0, so that it takes one word of four octets.
    Resting(NonZeroU32),
}

impl<'a, R> Analyzer<'a, R> {
    /// An analyzer with its share of what `plan` allows.
    pub(super) fn new(plan: &Plan, let_go: &'a LetGo<'a, R>) -> Self {
        let mut limits = plan.limits.clone();
        limits.memory /= plan.jobs.max(1);
        limits.flows = limits.flows.div_ceil(plan.jobs.max(1)).max(1);
        limits.flow_messages = limits.flow_messages.max(1);
        Self {
            limits,
            seed: plan.seed,
            let_go,
            flows: Vec::new(),
            free: Vec::new(),
            places: FxHashMap::default(),
            awake: VecDeque::new(),
            doubtful: VecDeque::new(),
            flood: Flood::default(),
            resting: VecDeque::new(),
            held: 0,
            turn: NonZeroU32::MIN,
            reports: Vec::new(),
            tally: Tally::default(),
            read: Vec::new(),
            clues: Vec::new(),
            near: Vec::new(),
            timers: None,
        }
    }

    /// From now on says of each flow when it is to be looked at.
    pub(super) fn watch(&mut self) {
        self.timers = Some(Timers::default());
    }

    /// Lets time pass to `now`; see [`poll`](Self::poll).
    pub(super) fn advance(&mut self, now: Timestamp) {
        let Some(timers) = &mut self.timers else { return };
        let flows = &self.flows;
        timers.advance(now, |place, key| {
            flows
                .get(place as usize)
                .filter(|slot| slot.key == key && slot.flow.is_some())
                .map(|slot| slot.last)
        });
    }

    /// The next flow that is to be looked at, and why.
    pub(super) fn poll(&mut self) -> Option<(u32, Due)> {
        loop {
            let (place, key, due) = self.timers.as_mut()?.poll()?;
            let slot = self.flows.get(place as usize);
            if slot.is_some_and(|slot| slot.key == key && slot.flow.is_some()) {
                return Some((place, due));
            }
        }
    }

    /// The flow at `place`.
    pub(super) fn flow(&self, place: u32) -> Option<&CallFlow> {
        self.flows.get(place as usize)?.flow.as_deref()
    }

    /// How many places there are.
    pub(super) fn places(&self) -> u32 {
        self.flows.len() as u32
    }

    /// The flows at `places`, each named once, in the order of their first message, taken out.
    #[allow(clippy::vec_box)] // They come so.
    pub(super) fn take_out(
        &mut self,
        places: impl Iterator<Item = u32>,
    ) -> (Vec<Box<CallFlow>>, Vec<u32>) {
        let mut out: Vec<(u64, u32, Box<CallFlow>)> = places
            .filter_map(|place| {
                let slot = self.flows.get_mut(place as usize)?;
                Some((slot.first, place, slot.flow.take()?))
            })
            .collect();
        out.sort_unstable_by_key(|(seq, place, _)| (*seq, *place));
        out.into_iter().map(|(_, place, flow)| (flow, place)).unzip()
    }

    /// Puts back what [`take_out`](Self::take_out) gave.
    #[allow(clippy::vec_box)] // They come so.
    pub(super) fn put_back(&mut self, flows: Vec<Box<CallFlow>>, places: &[u32]) {
        for (flow, place) in flows.into_iter().zip(places) {
            if let Some(slot) = self.flows.get_mut(*place as usize) {
                slot.flow = Some(flow);
            }
        }
    }

    /// Lets a flow go of which all has been said.
    pub(super) fn dismiss(&mut self, place: u32) {
        let Some(slot) = self.flows.get_mut(place as usize) else { return };
        if slot.flow.take().is_some() {
            self.held = self.held.saturating_sub(slot.held);
            let key = slot.key;
            self.forget(key);
            self.vacate(place);
        }
    }

    /// The flow `key` is held no more.
    fn forget(&mut self, key: u64) {
        self.places.remove(&key);
        if let Some(timers) = &mut self.timers {
            timers.forget(key);
        }
    }

    /// Frees the place of a flow that was let go: at once when it rested, else when the queue of
    /// those awake comes to it.
    fn vacate(&mut self, place: u32) {
        let slot = &mut self.flows[place as usize];
        if let State::Resting(_) = slot.state {
            slot.state = State::Awake;
            self.free.push(place);
        }
    }

    /// How many flows are held, and in how many octets.
    pub(super) fn held(&self) -> (usize, usize) {
        (self.places.len(), self.held)
    }

    /// What was said of flows let go, each with the place of its first message: taken, so that there
    /// is room for more.
    pub(super) fn take_let_go(&mut self) -> Vec<(u64, R)> {
        std::mem::take(&mut self.reports)
    }

    /// How many such reports wait.
    pub(super) fn reported(&self) -> usize {
        self.reports.len()
    }

    /// What was lost so far.
    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Takes in the next items of its share.
    pub(super) fn observe(&mut self, items: Vec<Item>) {
        let mut items = items.into_iter();
        while !items.as_slice().is_empty() {
            self.observe_some(&mut items);
        }
    }

    /// Takes in the next [`BATCH`] of `items`.
    ///
    /// All are read before the first is judged: the code of both together does not fit into the
    /// nearest cache of a processor, and to load it again for each message takes longer than many
    /// a step.
    fn observe_some(&mut self, items: &mut vec::IntoIter<Item>) {
        let mut read = std::mem::take(&mut self.read);
        while read.len() < BATCH
            && let Some(Item { flow, what }) = items.next()
        {
            if let Some(Item { what: What::Message { text, .. }, .. }) = items.as_slice().get(SOON)
            {
                near::ask_for(&**text);
            }
            let read_now = match what {
                What::Message { envelope, text } => Read::of(envelope, text),
                What::Evidence { signal, kind, ends } => Read::Evidence { signal, kind, ends },
            };
            read.push((flow, read_now));
        }
        self.ask_for_slots(read.iter().map(|(flow, _)| *flow));
        let mut clues = std::mem::take(&mut self.clues);
        self.ask_beside(|at| {
            clues.push(match &read[at].1 {
                Read::Message(message) => Some(Clues::of(message, self.seed)),
                Read::Unreadable | Read::Evidence { .. } => None,
            });
        });
        for (at, (flow, item)) in read.drain(..).enumerate() {
            match (item, &clues[at]) {
                (Read::Message(message), Some(clues)) => {
                    self.place_message(at, flow, message, clues);
                }
                (Read::Message(_) | Read::Unreadable, _) => self.lose_unreadable(),
                (Read::Evidence { signal, kind, ends }, _) => {
                    self.observe_evidence(flow, signal, kind, ends);
                }
            }
        }
        clues.clear();
        (self.read, self.clues) = (read, clues);
    }

    /// Counts a message that cannot be read.
    pub(super) fn lose_unreadable(&mut self) {
        self.tally.lose("undecodable");
    }

    /// Ends the share: all flows that are held, and what was said of the others.
    pub(super) fn finish(self) -> Harvest<R> {
        // In the room of the slots.
        let flows = self.flows.into_iter().filter_map(|Slot { flow, first, state, .. }| {
            let mut flow = flow?;
            // One that rests was seen to, and is in no cache.
            if state == State::Awake {
                flow.name_dialog_of_copies();
            }
            Some((first, flow))
        });
        Harvest { flows: flows.collect(), let_go: self.reports, tally: self.tally }
    }

    /// Takes in the next message, which is of the flow `key`, the one asked for as number `at`; its
    /// `clues` were read with the seed of the run.
    pub(super) fn place_message(&mut self, at: usize, key: u64, message: Message, clues: &Clues) {
        let now = message.envelope.time;
        let place = self.place(at, key, &message.envelope);
        let mut more = message.heap_size() + size_of::<Entry>() + SHARE;
        let slot = &mut self.flows[place as usize];
        slot.last = slot.last.max(now);
        if let Some(flow) = &mut slot.flow {
            flow.observe_read(message, clues);
            let count = flow.messages.len() as u32;
            if slot.measured_at <= count {
                slot.measured_at = count + count / 2 + EARLY;
                self.held -= slot.held;
                (slot.held, more) = (0, octets_of(flow));
            }
        }
        slot.held += more;
        self.held += more;
        if let Some(timers) = &mut self.timers {
            timers.touch(place, key, now);
        }
        if slot.state != State::Awake {
            slot.state = State::Awake;
            self.awake.push_back(Waking { place, heard: now });
        }
        self.turn = self.turn.checked_add(1).unwrap_or(NonZeroU32::MIN);
        if self.turn.get().is_multiple_of(2) {
            self.rest_one(now);
        }
        while self.limits.memory < self.held {
            if !self.let_one_go(place) {
                break;
            }
        }
    }

    fn observe_evidence(
        &mut self,
        key: u64,
        signal: Signal,
        kind: EvidenceKind,
        ends: (Endpoint, Endpoint),
    ) {
        let Some(place) = self.places.get(&key) else { return };
        let slot = &mut self.flows[*place as usize];
        let Some(flow) = &mut slot.flow else { return };
        if flow.evidence.len() < self.limits.flow_messages {
            flow.witness(signal, kind, ends);
            slot.held += size_of::<Evidence>();
            self.held += size_of::<Evidence>();
        } else {
            self.tally.lose("let-go-evidence");
        }
    }

    /// The place of the flow `key`, a new one when there is none or it is full.
    fn place(&mut self, at: usize, key: u64, envelope: &Envelope) -> u32 {
        let near = self.near.get(at).copied().unwrap_or(NOWHERE);
        // It may have come, or have been let go, since it was asked for.
        let is_there = |slot: &Slot| slot.key == key && slot.flow.is_some();
        let known = match self.flows.get(near as usize) {
            Some(slot) if is_there(slot) => Some(near),
            _ => self.places.get(&key).copied(),
        };
        if let Some(place) = known {
            let flow = self.flows[place as usize].flow.as_ref();
            if flow.is_some_and(|flow| flow.messages.len() < self.limits.flow_messages) {
                return place;
            }
            self.let_go(place);
            self.vacate(place);
        }
        if self.limits.flows <= self.places.len() {
            self.let_one_go(NOWHERE);
        }
        let slot = Slot {
            flow: Some(Box::new(CallFlow::new(self.seed))),
            key,
            first: envelope.seq,
            last: Timestamp(i64::MIN),
            held: size_of::<CallFlow>() + PLACES,
            measured_at: 1,
            state: State::Awake,
        };
        self.held += slot.held;
        let place = match self.free.pop() {
            Some(place) => {
                self.flows[place as usize] = slot;
                place
            }
            None => {
                self.flows.push(slot);
                self.flows.len() as u32 - 1
            }
        };
        self.places.insert(key, place);
        self.awake.push_back(Waking { place, heard: envelope.time });
        self.doubtful.push_back((place, key));
        if 2 * self.places.len() + DOUBTFUL < self.doubtful.len() {
            self.forget_doubts();
        }
        place
    }

    /// Lets a flow go after all was said of it that can be said. Its place is free once the queue of
    /// those awake names it no more.
    fn let_go(&mut self, place: u32) {
        self.let_go_as(place, "let-go");
    }

    /// Lets go what a flow that lasts has come to so far; what follows begins anew.
    pub(super) fn shed(&mut self, place: u32) {
        self.let_go_as(place, "let-go-past");
        self.vacate(place);
    }

    /// Lets a flow go, counted under `reason`.
    fn let_go_as(&mut self, place: u32, reason: &'static str) {
        let slot = &mut self.flows[place as usize];
        let Some(mut flow) = slot.flow.take() else { return };
        flow.rest();
        flow.id = GONE;
        self.held = self.held.saturating_sub(slot.held);
        let (key, first) = (slot.key, slot.first);
        self.forget(key);
        self.tally.lose(reason);
        if self.reports.len() < (self.limits.memory / PER_REPORT).clamp(REPORTS.0, REPORTS.1) {
            self.reports.push((first, (self.let_go)(&flow)));
        } else {
            self.tally.lose("let-go-unreported");
        }
    }
}
