//! What a lookout takes in: what a transaction shows so far, what is settled, keepalives.

use std::net::IpAddr;
use std::sync::Arc;

use super::super::identity;
use super::super::ledger::Ledger;
use super::super::step::{Beat, Event, Orphan, Step};
use super::heart::Heart;
use super::lane::{Lane, Marks, State, sooner};
use super::timers::Owner;
use super::{ACQUAINTED, Alarm, Applicant, Change, Lookout, Moved, STRANGER, Terms, Turn};
use crate::model::vantage::ConnectionEnd;
use crate::time::{SECOND, Timestamp};
use smallvec::SmallVec;

/// Connections of a device at a registrar whose ends are heard of.
const CONNECTIONS: usize = 4;
/// 2xx without request that are remembered for a device that was not seen registering.
const ORPHANS: usize = 16;
/// Registrars of one device that are looked at.
const REGISTRARS: usize = 16;
/// A host that signed as a scanner is taken for one for so long, nanoseconds: addresses change hands.
const SCANNER: i64 = 24 * 3600 * SECOND;
/// Octets of a name that are held.
const NAME: usize = 256;

impl Lookout {
    /// Responses can be seen.
    pub fn see_answer(&mut self) {
        self.answers = true;
    }

    /// The transaction in `slot` shows `events` so far; later slots began later.
    pub fn note(&mut self, slot: u64, events: Vec<(u64, Event)>, terms: &Terms<'_>) {
        let mut touched: SmallVec<[u32; 2]> = self.withdraw(slot);
        for (_, event) in events {
            let at = match &event {
                Event::Register(step) => self.place_step(slot, step, terms),
                Event::Orphan(orphan) => self.place(&orphan.device),
                _ => continue,
            };
            let Some(at) = at else { continue };
            self.pend(slot, at, event);
            if !touched.contains(&at) {
                touched.push(at);
            }
        }
        for at in touched {
            self.look_at(at);
        }
    }

    /// What `slot` was [noted](Self::note) to show, where that is one event and still held.
    pub fn shown(&self, slot: u64) -> Option<Event> {
        let [at] = self.slots.get(&slot)?.as_slice() else { return None };
        let pending = &self.people.get(*at)?.pending;
        let pending = pending.iter().find(|pending| pending.slot == slot)?;
        match pending.events.as_slice() {
            [Event::Register(step)] => Some(Event::Register(Arc::clone(step))),
            _ => None,
        }
    }

    /// A connection ended; it is told in its turn as `slot`.
    pub fn end(&mut self, slot: u64, end: ConnectionEnd) {
        let Some(users) = self.connections.get(&end.connection) else { return };
        let lanes = users.iter().filter_map(|lane| self.lanes.get(*lane));
        let people: SmallVec<[u32; 2]> = lanes.map(|lane| lane.person).collect();
        for at in people {
            self.pend(slot, at, Event::End(end));
            self.look_at(at);
        }
    }

    /// What is in `slot` is settled: all before it is, and `events` are what it comes to.
    pub fn settle(&mut self, slot: u64, events: &[(u64, Event)]) {
        let people = self.slots.get(&slot).cloned().unwrap_or_default();
        for (_, event) in events {
            match event {
                Event::Register(step) => self.settle_step(step),
                Event::Orphan(orphan) => self.settle_orphan(slot, orphan),
                Event::End(end) => self.settle_end(*end, &people),
                Event::Report(report) => {
                    if let Some(person) = self.people.find(&report.device)
                        && let Some(person) = self.people.get_mut(person)
                    {
                        person.told.get_or_insert_default().push(report);
                    }
                }
                Event::Keepalive(beat) => self.settle_beat(beat),
                Event::Options(_) => {}
            }
        }
        for at in self.withdraw(slot) {
            self.look_at(at);
        }
    }

    /// A keepalive comes.
    pub fn beat(&mut self, beat: &Beat, terms: &Terms<'_>) {
        if NAME < beat.device.len() {
            return;
        }
        let Some(at) = self.place(&beat.device) else {
            return self.stores.tally.lose("let-go-devices");
        };
        let Some(person) = self.people.get_mut(at) else { return };
        let Some(heart) = &mut person.heart else {
            let lane = person.lanes.first().and_then(|lane| self.lanes.get(*lane));
            let policy = lane.map(|lane| Arc::clone(&lane.base.policy));
            let policy = policy.unwrap_or_else(|| {
                (terms.policy)(&Applicant {
                    device: &beat.device,
                    registrar: "",
                    source: beat.source.ip,
                    user_agent: "",
                })
            });
            person.heart = Some(Box::new(Heart::new(policy, beat.time, beat.source)));
            return self.listen(at);
        };
        let (last, source, lanes) = (heart.last, heart.source, person.lanes.clone());
        let is_whole = !self.has_lost((last, beat.time.0), &lanes);
        let Some(person) = self.people.get_mut(at) else { return };
        let Some(heart) = &mut person.heart else { return };
        heart.beat(beat.time, beat.source, is_whole);
        let back = std::mem::take(&mut heart.is_offline);
        if back {
            let moved = Moved::between((source, 0), (beat.source, 0));
            let after = beat.time.since(last);
            let (time, device) = (Timestamp(self.now), Some(Arc::clone(&person.name)));
            let turn = Turn::Back { from: Alarm::Offline, after, moved };
            self.tell(Change { time, device, registrar: None, turn });
        }
        self.listen(at);
    }

    /// Looks at the keepalives of the device number `at`: tells that they are missing, and sets
    /// when they will be.
    pub(super) fn listen(&mut self, at: u32) {
        let now = self.now;
        let Some(person) = self.people.get(at) else { return };
        let patience = person.patience();
        let is_blind = person.heart.as_ref().zip(patience).is_some_and(|(heart, patience)| {
            self.has_lost((heart.last, heart.due(patience)), &person.lanes)
        });
        let Some(person) = self.people.get_mut(at) else { return };
        let proved = person.proved;
        let Some(heart) = &mut person.heart else {
            person.orphans.clear();
            return self.forget_person(at);
        };
        let limit = if proved { ACQUAINTED } else { STRANGER };
        let leave = heart.last.plus(limit).0;
        if leave <= now {
            self.counts.hush(heart.is_offline);
            person.heart = None;
            self.timers.set(Owner::Person(at), &mut person.due, None);
            return self.forget_person(at);
        }
        let mut due = leave;
        let mut turn = None;
        if let Some(patience) = patience.filter(|_| heart.counts(proved) && !heart.is_offline) {
            let missed = heart.due(patience);
            if now < missed {
                due = due.min(missed);
            } else if !is_blind
                && !person.lanes.iter().any(|lane| {
                    self.lanes.get(*lane).is_some_and(|lane| lane.marks.state == State::Offline)
                })
            {
                heart.is_offline = true;
                turn = Some(heart.offline(patience));
            }
        }
        self.timers.set(Owner::Person(at), &mut person.due, Some(due));
        if let Some(turn) = turn {
            let device = Some(Arc::clone(&person.name));
            self.tell(Change { time: Timestamp(now), device, registrar: None, turn });
        }
    }

    /// Takes back what `slot` showed so far; of whom.
    fn withdraw(&mut self, slot: u64) -> SmallVec<[u32; 2]> {
        let people = self.slots.remove(&slot).unwrap_or_default();
        for at in &people {
            if let Some(person) = self.people.get_mut(*at) {
                person.pending.retain(|pending| pending.slot != slot);
            }
            self.weigh(None, *at);
        }
        people.into_iter().collect()
    }

    fn pend(&mut self, slot: u64, at: u32, event: Event) {
        let Some(person) = self.people.get_mut(at) else { return };
        person.set(slot, event);
        self.weigh(None, at);
        let people = self.slots.entry(slot).or_default();
        if !people.contains(&at) {
            people.push(at);
        }
    }

    /// Looks at a device at all of its registrars.
    fn look_at(&mut self, at: u32) {
        let Some(person) = self.people.get(at) else { return };
        for lane in person.lanes.clone() {
            if let Some(lane) = self.lanes.get_mut(lane) {
                lane.marks.active = self.now;
            }
            self.look(lane);
        }
        self.forget_person(at);
    }

    /// The device of `step`, with a lane for its registrar; `None` for a scanner, and where there is
    /// no room.
    fn place_step(&mut self, slot: u64, step: &Step, terms: &Terms<'_>) -> Option<u32> {
        if step.hostile {
            self.note_scanner(step.source.ip);
        }
        if step.hostile || self.is_scanner(step.source.ip) {
            return None;
        }
        let is_long = NAME < step.device.len() || NAME < step.registrar.len();
        let place = if is_long { None } else { self.place(&step.device) };
        let Some(at) = place else {
            self.stores.tally.lose("let-go-devices");
            return None;
        };
        let person = self.people.get(at)?;
        let known = person.lanes.iter().find(|lane| {
            self.lanes.get(**lane).is_some_and(|lane| *lane.registrar == *step.registrar)
        });
        let lane = match known {
            Some(lane) => *lane,
            None => self.open(at, slot, step, terms)?,
        };
        if step.connection != 0 {
            self.join(lane, step.connection);
        }
        Some(at)
    }

    /// The number of a device, a new one when it is not known; `None` when there is no room for it.
    fn place(&mut self, name: &str) -> Option<u32> {
        if let Some(known) = self.people.find(name) {
            return Some(known);
        }
        self.make_room();
        if self.limits.memory < self.heap_size() {
            return None;
        }
        let at = self.people.place(name, self.limits.devices)?;
        self.strangers.extend(self.people.get(at).map(|person| (at, Arc::clone(&person.name))));
        self.weigh(None, at);
        Some(at)
    }

    /// A host signs as a scanner.
    fn note_scanner(&mut self, ip: IpAddr) {
        let (now, most) = (self.now, self.limits.names);
        if most <= self.scanners.len() && !self.scanners.contains_key(&ip) {
            self.scanners.retain(|_, last| now.saturating_sub(*last) <= SCANNER);
            if most <= self.scanners.len() {
                return self.stores.tally.lose("let-go-probed");
            }
        }
        self.scanners.insert(ip, now);
    }

    /// Whether a host signed as a scanner lately.
    fn is_scanner(&self, ip: IpAddr) -> bool {
        self.scanners.get(&ip).is_some_and(|last| self.now.saturating_sub(*last) <= SCANNER)
    }

    /// A new lane for the registrar of `step`.
    fn open(&mut self, at: u32, slot: u64, step: &Step, terms: &Terms<'_>) -> Option<u32> {
        let person = self.people.get_mut(at)?;
        if REGISTRARS <= person.lanes.len() || self.limits.devices <= self.lanes.len() {
            self.stores.tally.lose("let-go-devices");
            return None;
        }
        let policy = (terms.policy)(&Applicant {
            device: &step.device,
            registrar: &step.registrar,
            source: step.source.ip,
            user_agent: step.user_agent.as_deref().unwrap_or_default(),
        });
        if let Some(heart) = &mut person.heart {
            heart.policy = Arc::clone(&policy);
        }
        let is_gb = policy.profile.is_gb().unwrap_or(identity::is_gb_id(&step.device));
        let mut base = Ledger::new(policy, (at, 0), is_gb, false);
        for orphan in person.orphans.iter().filter(|orphan| orphan.time <= step.time) {
            base.orphan(orphan, &mut self.stores);
        }
        let mut marks = Marks::default();
        marks.proof = base.orphans().iter().max().copied();
        marks.since = step.time.0;
        let lane = Lane {
            person: at,
            registrar: step.registrar.as_str().into(),
            opened: slot,
            base,
            connections: SmallVec::new(),
            due: None,
            marks,
            held: 0,
        };
        let number = self.lanes.insert(lane);
        person.first.get_or_insert(slot);
        person.lanes.push(number);
        self.weigh(Some(number), at);
        Some(number)
    }

    fn join(&mut self, at: u32, connection: u32) {
        let Some(lane) = self.lanes.get_mut(at) else { return };
        if lane.connections.contains(&connection) {
            return;
        }
        lane.connections.push(connection);
        self.connections.entry(connection).or_default().push(at);
        if CONNECTIONS < lane.connections.len() {
            let old = lane.connections.remove(0);
            self.leave(old, at);
        }
    }

    /// Counts a keepalive where its device registers.
    fn settle_beat(&mut self, beat: &Beat) {
        let person = self.people.find(&beat.device).and_then(|at| self.people.get(at));
        let lane = person.and_then(|person| self.lanes.get(*person.lanes.first()?));
        if let Some(lane) = lane
            && (beat.status.is_some() || self.answers)
        {
            self.counts.keepalive(&Arc::clone(&lane.registrar), beat.status);
        }
    }

    fn settle_step(&mut self, step: &Arc<Step>) {
        if step.hostile || self.is_scanner(step.source.ip) {
            return;
        }
        let Some(at) = self.people.find(&step.device) else { return };
        let Some(person) = self.people.get(at) else { return };
        for number in person.lanes.clone() {
            let Some(lane) = self.lanes.get_mut(number) else { continue };
            if *lane.registrar == *step.registrar {
                lane.base.register(Arc::clone(step), &mut self.stores);
                lane.base.trim();
                self.weigh(Some(number), at);
            }
        }
        self.drain();
    }

    fn settle_orphan(&mut self, slot: u64, orphan: &Arc<Orphan>) {
        let Some(at) = self.people.find(&orphan.device) else { return };
        let Some(person) = self.people.get_mut(at) else { return };
        if person.first.is_none_or(|first| slot < first) && person.orphans.len() < ORPHANS {
            person.orphans.push(Arc::clone(orphan));
            let leave = self.now.saturating_add(STRANGER);
            let mut due = person.due;
            sooner(&mut due, leave);
            self.timers.set(Owner::Person(at), &mut person.due, due);
        }
        let first = person.first;
        for number in person.lanes.clone() {
            if let Some(lane) = self.lanes.get_mut(number)
                && (lane.opened < slot || first.is_none_or(|first| slot < first))
            {
                lane.base.orphan(orphan, &mut self.stores);
                lane.base.trim();
                lane.marks.proof = lane.marks.proof.max(Some(orphan.time));
            }
        }
    }

    fn settle_end(&mut self, end: ConnectionEnd, people: &[u32]) {
        for at in people {
            let Some(person) = self.people.get(*at) else { continue };
            for number in person.lanes.clone() {
                let Some(lane) = self.lanes.get_mut(number) else { continue };
                lane.base.end(end);
                lane.base.trim();
                lane.connections.retain(|own| *own != end.connection);
            }
        }
        self.connections.remove(&end.connection);
    }

    /// What closed when it was settled was looked at before.
    fn drain(&mut self) {
        if let Some(closed) = &mut self.stores.closed {
            closed.clear();
        }
    }
}
