//! Analyzer: what belongs to its share of the Call-IDs becomes call flows, within bounds.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use super::router::{Item, What};
use super::{LetGo, Plan, first_seq};
use crate::limits::{Limits, Tally};
use crate::model::{CallFlow, Entry, Evidence, EvidenceKind, FlowId, Seed};
use crate::net::Endpoint;
use crate::sip::Message;
use crate::time::{TIMEOUT, Timestamp};
use crate::transport::{Envelope, Signal, Text};

/// A flow that was silent this long has no timer running and may rest.
const IDLE: i64 = 2 * TIMEOUT;
/// What transactions, dialogs and indexes add to a message, roughly, in octets.
const SHARE: usize = 160;
/// Reports of flows let go that are kept; beyond, they are only counted.
const REPORTS: usize = 1 << 16;

/// The number of a flow that was let go: none in the model.
const GONE: FlowId = FlowId(u32::MAX);

/// Builds the call flows of its share.
pub(super) struct Analyzer<'a, R> {
    limits: Limits,
    seed: Seed,
    let_go: &'a LetGo<'a, R>,
    flows: Vec<Slot>,
    free: Vec<u32>,
    places: FxHashMap<u64, u32>,
    /// Flows whose timers may run, each once, in the order in which they are looked at.
    awake: VecDeque<u32>,
    /// Flows that rest, each with the turn in which it went to rest, oldest first.
    resting: VecDeque<(u32, u32)>,
    held: usize,
    turn: u32,
    reports: Vec<(u64, R)>,
    tally: Tally,
    /// Kept for its room.
    read: Vec<(u64, Read)>,
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
    ///
    /// Boxed, since they are sorted and a flow is large.
    #[allow(clippy::vec_box)]
    pub(super) flows: Vec<Box<CallFlow>>,
    /// What was said of flows let go, with the place of their first message.
    pub(super) let_go: Vec<(u64, R)>,
    pub(super) tally: Tally,
}

/// A place for a flow; empty once the flow was let go.
struct Slot {
    flow: Option<Box<CallFlow>>,
    key: u64,
    last: Timestamp,
    /// Octets counted for it.
    held: usize,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Awake,
    /// Since this turn.
    Resting(u32),
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
            resting: VecDeque::new(),
            held: 0,
            turn: 0,
            reports: Vec::new(),
            tally: Tally::default(),
            read: Vec::new(),
        }
    }

    /// Takes in the next items of its share, and leaves `batch` empty.
    ///
    /// All are read before the first is judged: the code of both together does not fit into the
    /// nearest cache of a processor, and to load it again for each message takes longer than many
    /// a step.
    pub(super) fn observe(&mut self, batch: &mut Vec<Item>) {
        let mut read = std::mem::take(&mut self.read);
        read.extend(batch.drain(..).map(|Item { flow, what }| match what {
            What::Message { envelope, text } => (flow, Read::of(envelope, text)),
            What::Evidence { signal, kind, ends } => (flow, Read::Evidence { signal, kind, ends }),
        }));
        for (flow, item) in read.drain(..) {
            match item {
                Read::Message(message) => self.observe_message(flow, message),
                Read::Unreadable => self.tally.lose("undecodable"),
                Read::Evidence { signal, kind, ends } => {
                    self.observe_evidence(flow, signal, kind, ends);
                }
            }
        }
        self.read = read;
    }

    /// Ends the share: all flows that are held, and what was said of the others.
    pub(super) fn finish(mut self) -> Harvest<R> {
        let flows = self.flows.drain(..).filter_map(|slot| slot.flow).map(|mut flow| {
            flow.rest();
            flow
        });
        Harvest { flows: flows.collect(), let_go: self.reports, tally: self.tally }
    }

    fn observe_message(&mut self, key: u64, message: Message) {
        let now = message.envelope.time;
        let place = self.place(key);
        let octets = message.heap_size() + size_of::<Entry>() + SHARE;
        let slot = &mut self.flows[place as usize];
        slot.last = slot.last.max(now);
        slot.held += octets;
        self.held += octets;
        if let Some(flow) = &mut slot.flow {
            flow.observe(message);
        }
        if slot.state != State::Awake {
            slot.state = State::Awake;
            self.awake.push_back(place);
        }
        self.turn = self.turn.wrapping_add(1);
        if self.turn.is_multiple_of(2) {
            self.rest_one(now);
        }
        while self.limits.memory < self.held {
            if !self.let_oldest_go(place) {
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
    fn place(&mut self, key: u64) -> u32 {
        if let Some(place) = self.places.get(&key).copied() {
            let flow = self.flows[place as usize].flow.as_ref();
            if flow.is_some_and(|flow| flow.messages.len() < self.limits.flow_messages) {
                return place;
            }
            self.let_go(place);
        }
        if self.limits.flows <= self.places.len() {
            self.let_oldest_go(u32::MAX);
        }
        let slot = Slot {
            flow: Some(Box::new(CallFlow::new(self.seed))),
            key,
            last: Timestamp(i64::MIN),
            held: size_of::<CallFlow>(),
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
        self.awake.push_back(place);
        place
    }

    /// Lets the next flow in turn rest, when it has been silent for long enough.
    fn rest_one(&mut self, now: Timestamp) {
        let Some(place) = self.awake.pop_front() else { return };
        let slot = &mut self.flows[place as usize];
        let Some(flow) = &mut slot.flow else {
            self.free.push(place);
            return;
        };
        if now.since(slot.last) <= IDLE {
            self.awake.push_back(place);
            return;
        }
        flow.rest();
        slot.state = State::Resting(self.turn);
        self.resting.push_back((place, self.turn));
        // Flows that woke up leave their old entry behind.
        if 2 * self.flows.len() < self.resting.len() {
            let flows = &self.flows;
            self.resting.retain(|(at, since)| flows[*at as usize].state == State::Resting(*since));
        }
    }

    /// Lets go the flow that has rested longest, or else one that is awake; never `spared`.
    fn let_oldest_go(&mut self, spared: u32) -> bool {
        while let Some((place, since)) = self.resting.pop_front() {
            let slot = &self.flows[place as usize];
            if slot.state != State::Resting(since) {
                continue;
            }
            let held = slot.flow.is_some();
            self.let_go(place);
            self.free.push(place);
            if held {
                return true;
            }
        }
        for _ in 0..self.awake.len().min(2) {
            let Some(place) = self.awake.pop_front() else { break };
            if self.flows[place as usize].flow.is_none() {
                self.free.push(place);
            } else if place == spared {
                self.awake.push_back(place);
            } else {
                self.let_go(place);
                self.free.push(place);
                return true;
            }
        }
        false
    }

    /// Lets a flow go after all was said of it that can be said. Its place is free once no queue
    /// names it.
    fn let_go(&mut self, place: u32) {
        let slot = &mut self.flows[place as usize];
        let Some(mut flow) = slot.flow.take() else { return };
        flow.rest();
        flow.id = GONE;
        self.held = self.held.saturating_sub(slot.held);
        self.places.remove(&slot.key);
        self.tally.lose("let-go");
        if self.reports.len() < REPORTS {
            self.reports.push((first_seq(&flow), (self.let_go)(&flow)));
        } else {
            self.tally.lose("let-go-unreported");
        }
    }
}
