//! Registrations as they change: who lapsed, went offline, came back, failed, and the storms of
//! many at once, told as soon as it is certain and once until it recovers.
//!
//! A [`Lookout`] takes in transactions while they go on, and timers fire as time passes. What it
//! tells follows from the packets alone, not from how often it is asked: each message comes after
//! all timers before it. It holds no past: of a device its bindings, its last keepalive and what was
//! told.

mod change;
pub mod counts;
mod feed;
mod heart;
mod lane;
mod people;
mod slab;
mod storm;
mod timers;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::arena::Arena;
use super::attempt::Outcome;
use super::bindings::Room;
use super::closed::Closed;
use super::ledger::Ledger;
use super::series::{self, Stretch};
use super::shapes::{Shapes, Stores};
use super::step::Event;
use super::{Applicant, Terms};
use crate::limits::{Limits, Tally};
use crate::model::Seed;
use crate::time::{SECOND, Timestamp};
pub use change::{Alarm, Beating, Change, Moved, Turn};
pub use counts::Counts;
pub use lane::State;
use lane::{Lane, Light, Look, Told, sooner};
use people::People;
use slab::Slab;
use storm::Storms;
use timers::{Owner, Timers};

/// Octets of a device, and of one at a registrar, beside what it says of itself: its place in lists
/// that grow, maps and timers.
const PERSON: usize = 3 * size_of::<people::Person>() / 2 + 160;
const LANE: usize = 3 * size_of::<Lane>() / 2 + 160;
/// Entries of devices that are gone or proved to be some, beyond as many as are known.
const STALE: usize = 1 << 10;
/// Stretches of lost packets that are remembered.
const GAPS: usize = 64;
/// Changes that wait to be fetched.
const WAITING: usize = 1 << 16;
/// Who never proved to be registered is forgotten after so long without a sign, nanoseconds.
const STRANGER: i64 = 3600 * SECOND;
/// A device that was, after so long.
const ACQUAINTED: i64 = 7 * 24 * 3600 * SECOND;

/// Looks out for what changes.
pub struct Lookout {
    limits: Limits,
    people: People,
    lanes: Slab<Lane>,
    /// The lanes that are counted to be lapsed.
    lapsed: BTreeSet<u32>,
    /// Whose transactions are in which slot.
    slots: FxHashMap<u64, SmallVec<[u32; 1]>>,
    /// Who registered over which connection.
    connections: BTreeMap<u32, SmallVec<[u32; 1]>>,
    /// Hosts that sign as scanners, and when they did last.
    scanners: FxHashMap<IpAddr, i64>,
    timers: Timers,
    storms: Storms,
    storm_due: Option<i64>,
    gaps: Vec<Stretch>,
    stores: Stores,
    /// Responses were seen at all.
    answers: bool,
    now: i64,
    counts: Counts,
    out: VecDeque<Change>,
    /// Devices that had proved nothing when they came to be known, oldest first: the first to go.
    strangers: VecDeque<(u32, Arc<str>)>,
    /// Octets that devices hold, each at each registrar.
    held: usize,
}

impl Lookout {
    /// Nothing was seen so far.
    pub fn new(limits: &Limits, seed: Seed) -> Self {
        Self {
            limits: limits.clone(),
            people: People::new(seed),
            lanes: Slab::default(),
            lapsed: BTreeSet::new(),
            slots: FxHashMap::default(),
            connections: BTreeMap::new(),
            scanners: FxHashMap::default(),
            timers: Timers::default(),
            storms: Storms::new(limits.devices),
            storm_due: None,
            gaps: Vec::new(),
            stores: Stores {
                shapes: Shapes::new(seed),
                arena: Arena::default(),
                room: Room { bindings: limits.bindings, seed },
                tally: Tally::default(),
                closed: Some(Vec::new()),
            },
            answers: false,
            now: i64::MIN,
            counts: Counts::default(),
            out: VecDeque::new(),
            strangers: VecDeque::new(),
            held: 0,
        }
    }

    /// Octets of private memory it holds, roughly.
    pub fn heap_size(&self) -> usize {
        self.held
            + self.storms.heap_size()
            + self.out.capacity() * size_of::<Change>()
            + self.scanners.capacity() * 2 * size_of::<(IpAddr, i64)>()
            + self.stores.shapes.heap_size()
    }

    /// What changed next; `None` when all is told.
    pub fn poll(&mut self) -> Option<Change> {
        self.out.pop_front()
    }

    /// Numbers so far.
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// What was let go: changes that nobody fetched, devices that gave no sign for long.
    pub const fn tally(&self) -> &Tally {
        &self.stores.tally
    }

    /// How many devices it looks at, each once for each registrar.
    pub fn len(&self) -> usize {
        self.lanes.len()
    }

    /// True when it looks at none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Lets time pass to `now`: fires what comes due, in order of time. One that is over is passed.
    pub fn advance(&mut self, now: Timestamp) {
        if now.0 <= self.now {
            return;
        }
        while let Some((due, owner)) = self.timers.pop(now.0) {
            self.now = self.now.max(due);
            match owner {
                Owner::Lane(at) => {
                    if let Some(lane) = self.lanes.get_mut(at) {
                        lane.due = None;
                        self.look(at);
                    }
                }
                Owner::Person(at) => {
                    if let Some(person) = self.people.get_mut(at) {
                        person.due = None;
                        self.listen(at);
                    }
                }
                Owner::Storm => {
                    self.storm_due = None;
                    if let Some(surge) = self.storms.end(self.now) {
                        self.tell_all(due, Turn::Calm(surge));
                    }
                    self.plan_storm();
                }
            }
        }
        self.now = now.0;
    }

    /// Packets were lost in `stretch`, nanoseconds since the epoch: what is missing there proves
    /// nothing.
    pub fn lost(&mut self, stretch: Stretch) {
        self.gaps.push(stretch);
        self.gaps = series::joined(std::mem::take(&mut self.gaps));
        if GAPS < self.gaps.len() {
            self.gaps.remove(0);
        }
        // Of the others nothing was told that holds no more.
        for at in std::mem::take(&mut self.lapsed) {
            self.blind(at);
        }
    }

    /// Octets of `connection` were lost before `time`: what is missing from those who register over
    /// it proves nothing.
    pub fn lost_on(&mut self, connection: u32, time: Timestamp) {
        for at in self.connections.get(&connection).cloned().unwrap_or_default() {
            if let Some(lane) = self.lanes.get_mut(at) {
                lane.marks.gap = lane.marks.gap.max(Some(time));
            }
            self.blind(at);
        }
    }

    /// What is missing from the lane `at` was maybe not seen.
    fn blind(&mut self, at: u32) {
        let Some(lane) = self.lanes.get_mut(at) else { return };
        lane.marks.blind();
        let registrar = Arc::clone(&lane.registrar);
        self.count(at, &[], &registrar);
    }

    /// Whether packets were lost between `from` and `until`, or octets of a connection of one of
    /// `lanes` after `from`.
    fn has_lost(&self, (from, until): (Timestamp, i64), lanes: &[u32]) -> bool {
        let marks = lanes.iter().filter_map(|lane| Some(&self.lanes.get(*lane)?.marks));
        self.gaps.iter().any(|(begin, end)| from.0 < *end && *begin < until)
            || marks.filter_map(|marks| marks.gap).any(|gap| from < gap)
    }

    fn tell(&mut self, change: Change) {
        match &change.turn {
            Turn::Offline { .. } => {
                self.counts.keepalive_timeouts += 1;
                self.counts.alarms.offline += 1;
            }
            Turn::Back { from: Alarm::Offline, .. } => self.counts.hush(true),
            Turn::Storm(_) => self.counts.storm = true,
            Turn::Calm(_) => self.counts.storm = false,
            _ => {}
        }
        if WAITING <= self.out.len() {
            self.out.pop_front();
            self.stores.tally.lose("let-go-changes");
        }
        self.out.push_back(change);
    }

    fn tell_all(&mut self, time: i64, turn: Turn) {
        let time = Timestamp(time);
        self.tell(Change { time, device: None, registrar: None, turn });
    }

    /// Looks at the device at a registrar number `at`: tells what changed, and sets when to look
    /// again.
    fn look(&mut self, at: u32) {
        let Some(lane) = self.lanes.get_mut(at) else { return };
        let Some(person) = self.people.get(lane.person) else { return };
        let light = Light {
            now: self.now,
            gaps: &self.gaps,
            gap: lane.marks.gap,
            answers: self.answers,
            keepalives: person.beating(self.now),
        };
        let name = Arc::clone(&person.name);
        let registrar = Arc::clone(&lane.registrar);
        let all = |ledger: &Ledger, mut closed: Vec<Closed>| {
            closed.extend(ledger.open());
            closed
        };
        let mut marks = std::mem::take(&mut lane.marks);
        let look = if person.pending.is_empty() {
            marks.look(&lane.base, &all(&lane.base, Vec::new()), light)
        } else {
            let mut ledger = lane.base.clone();
            // A 2xx without request is one of any registrar known by then.
            for pending in &person.pending {
                let is_known = person.is_heard(lane.opened, pending.slot);
                let concerns = |event: &&Event| is_known || !matches!(event, Event::Orphan(_));
                for event in pending.events.iter().filter(concerns) {
                    apply(&mut ledger, &lane.registrar, event, &mut self.stores);
                }
            }
            let closed = self.stores.closed.as_mut().map(std::mem::take).unwrap_or_default();
            marks.look(&ledger, &all(&ledger, closed), light)
        };
        let is_idle = person.pending.is_empty();
        if let Some(lane) = self.lanes.get_mut(at) {
            lane.marks = marks;
        }
        self.take_in(at, look, (&name, &registrar), is_idle);
    }

    /// Takes in what a look at a lane brought.
    fn take_in(&mut self, at: u32, look: Look, names: (&Arc<str>, &Arc<str>), is_idle: bool) {
        let Look { turns, begun, decided, mut due } = look;
        let known = self.lanes.len();
        for (time, stormy) in begun {
            if let Some(surge) = self.storms.begin(time.0, at, stormy, known) {
                self.tell_all(self.now, Turn::Storm(surge));
            }
            self.plan_storm();
        }
        for decided in &decided {
            self.counts.decide(names.1, decided);
            if decided.outcome == Outcome::Ok {
                self.prove(at);
            }
            if let Outcome::Rejected(status) = decided.outcome
                && decided.attempt.is_try()
            {
                self.storms.refuse(decided.attempt.start.0, status);
            }
        }
        self.count(at, &turns, names.1);
        for (time, turn) in turns {
            let (device, registrar) = (Arc::clone(names.0), Arc::clone(names.1));
            self.tell(Change { time, device: Some(device), registrar: Some(registrar), turn });
        }
        let now = self.now;
        let Some(lane) = self.lanes.get_mut(at) else { return };
        let person = lane.person;
        // Nothing can go on from an attempt that is decided while no transaction is open.
        let open = lane.base.open();
        if is_idle && open.is_some_and(|open| open.certain().0 <= now) {
            lane.base.close(&mut self.stores);
            self.stores.closed.as_mut().map(Vec::clear);
        }
        if is_idle && !lane.base.bindings.is_live(now) {
            let patience = match lane.marks.told {
                Told::Registered => ACQUAINTED,
                Told::Nothing | Told::Gone => STRANGER,
            };
            let leave = lane.marks.active.saturating_add(patience);
            if leave <= now {
                return self.forget(at);
            }
            sooner(&mut due, leave);
        }
        self.timers.set(Owner::Lane(at), &mut lane.due, due.map(|due| due.max(now + 1)));
        self.weigh(Some(at), person);
    }

    /// The device of the lane `at` is one: from now on its keepalives are missed.
    fn prove(&mut self, at: u32) {
        let Some(at) = self.lanes.get(at).map(|lane| lane.person) else { return };
        let Some(person) = self.people.get_mut(at) else { return };
        let is_new = !std::mem::replace(&mut person.proved, true);
        if is_new && person.heart.is_some() {
            self.listen(at);
        }
    }

    /// Counts how the lane `at` stands by now.
    fn count(&mut self, at: u32, turns: &[(Timestamp, Turn)], registrar: &Arc<str>) {
        let Some(Lane { marks, .. }) = self.lanes.get_mut(at) else { return };
        let alarms = marks.alarms();
        self.counts.ring(std::mem::replace(&mut marks.ringing, alarms), alarms);
        let counts = self.counts.of(registrar);
        counts.stands(marks.counted, Some(marks.state));
        match (marks.counted, marks.state) {
            (_, State::Lapsed) => _ = self.lapsed.insert(at),
            (Some(State::Lapsed), _) => _ = self.lapsed.remove(&at),
            _ => {}
        }
        marks.counted = Some(marks.state);
        for (_, turn) in turns {
            if let Turn::Lapse { from, cause, .. } = turn {
                counts.lapses(*from, *cause);
                marks.lapse = Some(*from);
            }
        }
        if marks.state != State::Lapsed
            && let Some(from) = marks.lapse.take()
        {
            counts.is_back(from, self.now);
        }
    }

    /// Lets devices go that never proved to be registered, oldest first, until there is room for
    /// another, or none of them is left.
    fn make_room(&mut self) {
        while (self.limits.devices <= self.people.len().max(self.lanes.len())
            || self.limits.memory < self.heap_size())
            && let Some((at, name)) = self.strangers.pop_front()
        {
            let is_one =
                |person: &&people::Person| Arc::ptr_eq(&person.name, &name) && !person.proved;
            let Some(person) = self.people.get(at).filter(is_one) else { continue };
            for lane in person.lanes.clone() {
                self.forget(lane);
            }
            self.leave_person(at);
            self.stores.tally.lose("let-go-devices");
        }
        if 2 * self.people.len() + STALE < self.strangers.len() {
            let Self { strangers, people, .. } = self;
            strangers.retain(|(at, name)| {
                people.get(*at).is_some_and(|known| Arc::ptr_eq(&known.name, name) && !known.proved)
            });
        }
    }

    /// Lets all go that is known of a device, but what is counted.
    fn leave_person(&mut self, at: u32) {
        let Some(person) = self.people.get_mut(at) else { return };
        self.timers.set(Owner::Person(at), &mut person.due, None);
        let was_offline = person.heart.as_ref().is_some_and(|heart| heart.is_offline);
        self.counts.hush(was_offline);
        self.held = self.held.saturating_sub(person.held);
        self.people.remove(at);
    }

    /// Counts what a device, and what it is at the registrar number `lane`, hold by now.
    fn weigh(&mut self, lane: Option<u32>, person: u32) {
        if let Some(lane) = lane.and_then(|at| self.lanes.get_mut(at)) {
            let held = LANE + lane.registrar.len() + lane.base.heap_size();
            self.held = (self.held + held).saturating_sub(lane.held);
            lane.held = held;
        }
        if let Some(person) = self.people.get_mut(person) {
            let held = PERSON + person.heap_size();
            self.held = (self.held + held).saturating_sub(person.held);
            person.held = held;
        }
    }

    fn plan_storm(&mut self) {
        self.timers.set(Owner::Storm, &mut self.storm_due, self.storms.due());
    }

    /// Lets a device at a registrar go that gave no sign for long.
    fn forget(&mut self, at: u32) {
        let Some(mut lane) = self.lanes.remove(at) else { return };
        self.held = self.held.saturating_sub(lane.held);
        self.lapsed.remove(&at);
        self.timers.set(Owner::Lane(at), &mut lane.due, None);
        for connection in &lane.connections {
            self.leave(*connection, at);
        }
        if lane.marks.told == Told::Registered {
            self.stores.tally.lose("let-go-idle");
        }
        self.counts.ring(lane.marks.ringing, [false; 3]);
        let counts = self.counts.of(&lane.registrar);
        counts.stands(lane.marks.counted, None);
        if let Some(from) = lane.marks.lapse {
            counts.is_back(from, self.now);
        }
        self.people.leave(lane.person, at);
        self.forget_person(lane.person);
    }

    /// The lane `at` is no longer told of the end of `connection`.
    fn leave(&mut self, connection: u32, at: u32) {
        if let Some(users) = self.connections.get_mut(&connection) {
            users.retain(|user| *user != at);
            if users.is_empty() {
                self.connections.remove(&connection);
            }
        }
    }

    fn forget_person(&mut self, at: u32) {
        let Some(person) = self.people.get_mut(at) else { return };
        if person.is_empty() {
            self.leave_person(at);
        }
    }
}

/// Applies `event` to the ledger of a device at `registrar`, where it concerns that.
fn apply(ledger: &mut Ledger, registrar: &str, event: &Event, stores: &mut Stores) {
    match event {
        Event::Register(step) if *step.registrar == *registrar => {
            ledger.register(Arc::clone(step), stores);
        }
        Event::Orphan(orphan) => ledger.orphan(orphan, stores),
        Event::End(end) => ledger.end(*end),
        _ => {}
    }
}
