//! The devices a lookout knows, by name.

use std::collections::HashMap;
use std::sync::Arc;

use smallvec::SmallVec;

use super::super::report::Told;
use super::super::step::{Event, Orphan};
use super::Slab;
use super::change::Beating;
use super::heart::Heart;
use crate::model::Seed;

/// Transactions of one device that go on at once and are looked at; the first of more are passed
/// over until they are settled.
const PENDING: usize = 32;

/// A device, whatever it registers with.
#[derive(Debug)]
pub(super) struct Person {
    /// GB identifier, or user@host.
    pub(super) name: Arc<str>,
    pub(super) lanes: SmallVec<[u32; 1]>,
    /// Its transactions that are not settled.
    pub(super) pending: Vec<Pending>,
    /// The slot of its first REGISTER.
    pub(super) first: Option<u64>,
    /// 2xx without request, before any REGISTER.
    pub(super) orphans: Vec<Arc<Orphan>>,
    pub(super) heart: Option<Box<Heart>>,
    pub(super) told: Option<Box<Told>>,
    /// When its keepalives are missed.
    pub(super) due: Option<i64>,
    /// Any of its registrations was proved.
    pub(super) proved: bool,
    /// Octets counted for it.
    pub(super) held: usize,
}

/// What a slot shows so far.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) slot: u64,
    pub(super) events: SmallVec<[Event; 1]>,
}

impl Person {
    fn new(name: Arc<str>) -> Self {
        Self {
            name,
            lanes: SmallVec::new(),
            pending: Vec::new(),
            first: None,
            orphans: Vec::new(),
            heart: None,
            told: None,
            due: None,
            proved: false,
            held: 0,
        }
    }

    /// Octets of private memory it holds, roughly.
    pub(super) fn heap_size(&self) -> usize {
        let event = |event: &Event| match event {
            Event::Register(step) => step.heap_size(),
            Event::Orphan(orphan) => orphan.heap_size(),
            _ => 0,
        };
        let pending = self.pending.iter().flat_map(|pending| &pending.events).map(event);
        let orphans = self.orphans.iter().map(|orphan| orphan.heap_size());
        let told = self.told.as_ref().map_or(0, |told| size_of::<Told>() + told.heap_size());
        let heart = self.heart.as_ref().map_or(0, |heart| heart.heap_size());
        2 * self.name.len()
            + self.pending.capacity() * size_of::<Pending>()
            + pending.sum::<usize>()
            + orphans.sum::<usize>()
            + told
            + heart
    }

    /// True when there is nothing left to be known of it.
    pub(super) fn is_empty(&self) -> bool {
        self.lanes.is_empty()
            && self.pending.is_empty()
            && self.heart.is_none()
            && self.orphans.is_empty()
    }

    /// The interval of its keepalives that is expected, and how many may be missing.
    pub(super) fn patience(&self) -> Option<(i64, u32)> {
        let told = self.told.as_ref().and_then(|told| told.heartbeat());
        self.heart.as_ref()?.patience(told, self.lanes.len())
    }

    /// True when a 2xx without request in `slot` counts for the registrar that came to be known in
    /// slot `opened`: one that came before the first of them may be of any.
    pub(super) fn is_heard(&self, opened: u64, slot: u64) -> bool {
        opened < slot || self.first.is_none_or(|first| slot < first)
    }

    /// How its keepalives go on.
    pub(super) fn beating(&self, now: i64) -> Beating {
        let heart = self.heart.as_ref();
        heart.map_or(Beating::Never, |heart| heart.beating(now, self.patience()))
    }

    /// What `slot` shows by now.
    pub(super) fn set(&mut self, slot: u64, event: Event) {
        if let Some(pending) = self.pending.iter_mut().find(|pending| pending.slot == slot) {
            return pending.events.push(event);
        }
        if PENDING <= self.pending.len() {
            self.pending.remove(0);
        }
        let place = self.pending.partition_point(|pending| pending.slot < slot);
        if self.pending.len() == self.pending.capacity() {
            self.pending.reserve_exact((self.pending.len() / 2).max(1));
        }
        self.pending.insert(place, Pending { slot, events: smallvec::smallvec![event] });
    }
}

/// All of them.
#[derive(Debug)]
pub(super) struct People {
    all: Slab<Person>,
    names: HashMap<Arc<str>, u32, Seed>,
}

impl People {
    pub(super) fn new(seed: Seed) -> Self {
        Self { all: Slab::default(), names: HashMap::with_hasher(seed) }
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn get(&self, at: u32) -> Option<&Person> {
        self.all.get(at)
    }

    pub(super) fn get_mut(&mut self, at: u32) -> Option<&mut Person> {
        self.all.get_mut(at)
    }

    /// The number of the device `name`, a new one when it is not known; `None` when there are
    /// `most`.
    pub(super) fn place(&mut self, name: &str, most: usize) -> Option<u32> {
        if let Some(at) = self.names.get(name) {
            return Some(*at);
        }
        if most <= self.all.len() {
            return None;
        }
        let name: Arc<str> = name.into();
        let at = self.all.insert(Person::new(Arc::clone(&name)));
        self.names.insert(name, at);
        Some(at)
    }

    /// The number of a device that is known.
    pub(super) fn find(&self, name: &str) -> Option<u32> {
        self.names.get(name).copied()
    }

    /// The lane number `lane` of the device number `at` is no more.
    pub(super) fn leave(&mut self, at: u32, lane: u32) {
        if let Some(person) = self.get_mut(at) {
            person.lanes.retain(|own| *own != lane);
        }
    }

    pub(super) fn remove(&mut self, at: u32) {
        if let Some(person) = self.all.remove(at) {
            self.names.remove(&person.name);
        }
    }
}
