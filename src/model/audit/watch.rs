//! Takes in what happens in the order of the capture, and keeps a ledger for each device.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::arena::Arena;
use super::beats::Beats;
use super::ledger::Ledger;
use super::options::Asked;
use super::registrars::Registrars;
use super::report::{Report, Told};
use super::shapes::{Shapes, Stores};
use super::step::{Beat, Event, Orphan, Step};
use super::window::Window;
use super::{Applicant, Audit, Fleet, Terms, identity, probers, series};
use crate::frame::Sightings;
use crate::limits::{Limits, Tally};
use crate::model::Seed;
use crate::model::vantage::{ConnectionEnd, Vantage};
use crate::net::Endpoint;
use crate::sip::Message;
use crate::time::{SECOND, Timestamp};
use crate::transport::Completeness;

/// 2xx without request that are remembered for a device that was not seen registering.
const ORPHANS: usize = 16;
/// Addresses of one prober that are told apart.
const PROBED: usize = 1 << 16;
/// Registrars of one device that are looked through; beyond, an index finds them.
const FEW: usize = 8;

/// An audit in the making.
pub struct Watch<'t> {
    terms: Terms<'t>,
    limits: Limits,
    /// Stretches known to be missing.
    gaps: Vec<series::Stretch>,
    subjects: Vec<Subject>,
    registrars: Registrars,
    rows: Vec<Ledger>,
    /// Rows of devices with more than [`FEW`], by device and registrar.
    more_rows: FxHashMap<(u32, u32), u32>,
    stores: Stores,
    seed: Seed,
    /// Places of devices by the hash of the name, of rows by that of device and registrar.
    places: FxHashMap<u64, u32>,
    /// Rows that registered over a connection.
    connections: FxHashMap<u32, SmallVec<[u32; 2]>>,
    /// Hosts that sign as scanners, with the names they tried.
    scanners: BTreeMap<IpAddr, BTreeSet<u64>>,
    options: Asked,
    responses_seen: bool,
    /// The coarsest unit in which all times of messages can be told, nanoseconds.
    resolution: i64,
    truncated: Sightings,
    held: usize,
    tally: Tally,
}

/// A device, whatever it registers with.
#[derive(Debug)]
pub(super) struct Subject {
    /// GB identifier, or user@host.
    pub(super) name: Box<str>,
    pub(super) beats: Option<Box<Beats>>,
    /// What it told of itself.
    pub(super) told: Option<Box<Told>>,
    /// Few have any.
    #[allow(clippy::box_collection)]
    orphans: Option<Box<Vec<Orphan>>>,
    /// Where its last REGISTER came from.
    home: Option<Endpoint>,
    pub(super) rows: SmallVec<[u32; 1]>,
}

impl Event {
    /// When it happened: for a transaction, when its request was first sent.
    pub(super) fn time(&self) -> Timestamp {
        match self {
            Self::Register(step) => step.time,
            Self::Keepalive(beat) | Self::Options(beat) => beat.time,
            Self::Report(report) => report.time,
            Self::Orphan(orphan) => orphan.time,
            Self::End(end) => end.time,
        }
    }
}

impl<'t> Watch<'t> {
    /// Nothing was seen so far.
    pub fn new(terms: Terms<'t>, limits: &Limits, seed: Seed) -> Self {
        Self {
            terms,
            limits: limits.clone(),
            gaps: Vec::new(),
            subjects: Vec::new(),
            registrars: Registrars::new(seed),
            rows: Vec::new(),
            more_rows: FxHashMap::default(),
            stores: Stores { shapes: Shapes::new(seed), arena: Arena::default() },
            seed,
            places: FxHashMap::default(),
            connections: FxHashMap::default(),
            scanners: BTreeMap::new(),
            options: Asked::new(seed),
            responses_seen: false,
            resolution: SECOND,
            truncated: Sightings::default(),
            held: 0,
            tally: Tally::default(),
        }
    }

    /// The input begins at `first`.
    pub fn begin(&mut self, first: Timestamp) {
        self.gaps = (self.terms.gaps)(first);
    }

    /// Notes a message of the input, whatever it is: whether there are responses, in which unit
    /// times are, and what was cut.
    pub fn see(&mut self, message: &Message) {
        let envelope = &message.envelope;
        self.responses_seen |= !message.is_request();
        if envelope.completeness == Completeness::Truncated {
            self.truncated.see(envelope.time, envelope.frame);
        }
        while 1 < self.resolution && envelope.time.0 % self.resolution != 0 {
            self.resolution /= 1000;
        }
    }

    /// Takes in what happened next.
    pub fn push(&mut self, event: Event) {
        match event {
            Event::Register(step) => self.register(step),
            Event::Keepalive(beat) => self.beat(&beat),
            Event::Options(beat) => self.options(&beat),
            Event::Report(report) => self.report(&report),
            Event::Orphan(orphan) => self.orphan(*orphan),
            Event::End(end) => self.end(end),
        }
    }

    /// What had to be let go.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Ends the audit of an input that was seen as `vantage` says.
    pub fn finish(mut self, vantage: &Vantage) -> Audit {
        let gaps = series::joined([vantage.gaps(), std::mem::take(&mut self.gaps)].concat());
        let window = Window {
            from: vantage.first,
            until: vantage.last,
            gaps,
            one_sided: !self.responses_seen,
            resolution: self.resolution,
            dropped: vantage.dropped,
            truncated: self.truncated,
            misstated: vantage.misstated,
        };
        for row in &mut self.rows {
            row.close(&mut self.stores);
        }
        self.fold_probers();
        let Self { subjects, registrars, rows, stores, options, places, connections, .. } = self;
        // What only finds them is let go before the fleet is looked at.
        drop((places, connections));
        let mut audit = Audit {
            window,
            rows,
            subjects,
            registrars: registrars.into_names(),
            shapes: stores.shapes.into_all(),
            arena: stores.arena,
            pings: Arc::clone(&vantage.pings),
            options,
            ..Audit::default()
        };
        audit.fleet = Fleet::of(&audit);
        audit
    }

    fn register(&mut self, step: Box<Step>) {
        if step.hostile {
            self.scanners.entry(step.source.ip).or_default();
        }
        let row = match self.scanners.get_mut(&step.source.ip) {
            Some(names) => {
                if names.len() < PROBED {
                    names.insert(self.seed.hash(&step.device));
                }
                let (device, registrar) = probers::names(step.source.ip, step.target.ip);
                self.row(&device, &registrar, &step)
            }
            None => self.row(&step.device, &step.registrar, &step),
        };
        let Some(at) = row else { return self.tally.lose("let-go-devices") };
        let Some(row) = self.rows.get_mut(at as usize) else { return };
        if step.connection != 0 {
            let users = self.connections.entry(step.connection).or_default();
            if !users.contains(&at) {
                users.push(at);
                self.held += 2 * size_of::<(u32, SmallVec<[u32; 2]>)>();
            }
        }
        if let Some(subject) = self.subjects.get_mut(row.device as usize) {
            subject.home = Some(step.source);
        }
        let before = row.heap_size() + self.stores.shapes.heap_size();
        if self.limits.memory < self.held {
            return self.tally.lose("let-go-attempts");
        }
        row.register(step, &mut self.stores);
        self.held += (row.heap_size() + self.stores.shapes.heap_size()).saturating_sub(before);
    }

    fn beat(&mut self, beat: &Beat) {
        let Some(at) = self.subject(&beat.device) else {
            return self.tally.lose("let-go-devices");
        };
        if self.limits.memory < self.held {
            return self.tally.lose("let-go-keepalives");
        }
        let Some(subject) = self.subjects.get_mut(at as usize) else { return };
        let mut rows = subject.rows.iter().filter_map(|row| self.rows.get(*row as usize));
        let bound = rows.any(|row| row.bindings.is_live(beat.time.0));
        let beats = subject.beats.get_or_insert_default();
        let before = beats.heap_size();
        let taken = beats.push(beat, subject.home, bound, &self.gaps);
        self.held += beats.heap_size() - before;
        if !taken {
            self.tally.lose("let-go-keepalives");
        }
    }

    fn options(&mut self, beat: &Beat) {
        if self.limits.memory < self.held {
            return self.tally.lose("let-go-keepalives");
        }
        match self.options.push(beat, self.limits.devices, &self.gaps) {
            Some(more) => self.held += more,
            None => self.tally.lose("let-go-keepalives"),
        }
    }

    fn report(&mut self, report: &Report) {
        let Some(at) = self.subject(&report.device) else {
            return self.tally.lose("let-go-devices");
        };
        let Some(subject) = self.subjects.get_mut(at as usize) else { return };
        let size = |told: &Told| size_of::<Told>() + told.heap_size();
        let before = subject.told.as_deref().map_or(0, size);
        let told = subject.told.get_or_insert_default();
        told.push(report);
        self.held += size(told) - before;
    }

    fn orphan(&mut self, orphan: Orphan) {
        let Some(at) = self.subject(&orphan.device) else { return };
        let Some(subject) = self.subjects.get_mut(at as usize) else { return };
        let known = subject.orphans.get_or_insert_default();
        if subject.rows.is_empty() && known.len() < ORPHANS {
            known.push(orphan);
        }
    }

    fn end(&mut self, end: ConnectionEnd) {
        let Some(users) = self.connections.get(&end.connection) else { return };
        for at in users {
            if let Some(row) = self.rows.get_mut(*at as usize) {
                row.end(end);
                self.held += size_of::<ConnectionEnd>();
            }
        }
    }

    /// The place of a device by its name; `None` when there is no room for another.
    fn subject(&mut self, name: &str) -> Option<u32> {
        let mut key = self.seed.hash(name);
        while let Some(at) = self.places.get(&key) {
            if self.subjects.get(*at as usize).is_some_and(|known| *known.name == *name) {
                return Some(*at);
            }
            key = key.wrapping_add(1);
        }
        if self.limits.devices <= self.subjects.len() {
            return None;
        }
        let at = self.subjects.len() as u32;
        self.places.insert(key, at);
        self.held += size_of::<Subject>() + name.len() + 64;
        grow(&mut self.subjects);
        self.subjects.push(Subject {
            name: name.into(),
            beats: None,
            told: None,
            orphans: None,
            home: None,
            rows: SmallVec::new(),
        });
        Some(at)
    }

    /// The place of the row of a device at a registrar, a new one when there is none.
    fn row(&mut self, device: &str, registrar: &str, step: &Step) -> Option<u32> {
        let at = self.subject(device)?;
        let known = self.registrars.len();
        let place = self.registrars.place(registrar);
        if known < self.registrars.len() {
            self.held += Registrars::cost(registrar);
        }
        let subject = self.subjects.get(at as usize)?;
        let mut few = subject.rows.iter().take(FEW).copied();
        let known = few
            .find(|row| self.rows.get(*row as usize).is_some_and(|row| row.registrar == place))
            .or_else(|| self.more_rows.get(&(at, place)).copied());
        if known.is_some() {
            return known;
        }
        if self.limits.devices <= self.rows.len() || self.limits.memory < self.held {
            return None;
        }
        let policy = (self.terms.policy)(&Applicant {
            device,
            registrar,
            source: step.source.ip,
            user_agent: step.user_agent.as_deref().unwrap_or_default(),
        });
        let is_gb = policy.profile.is_gb().unwrap_or(identity::is_gb_id(device));
        let whole = (self.terms.pages)(device);
        let mut row = Ledger::new(policy, (at, place), is_gb, whole);
        let subject = self.subjects.get_mut(at as usize)?;
        let earlier = subject
            .orphans
            .iter()
            .flat_map(|all| all.iter())
            .filter(|orphan| orphan.time <= step.time);
        earlier.for_each(|orphan| row.orphan(orphan));
        let number = self.rows.len() as u32;
        if FEW <= subject.rows.len() {
            self.more_rows.insert((at, place), number);
        }
        subject.rows.push(number);
        self.held += size_of::<Ledger>();
        grow(&mut self.rows);
        self.rows.push(row);
        Some(number)
    }

    /// Makes one row of all that one prober tried.
    fn fold_probers(&mut self) {
        let found = probers::find(&self.rows, &self.subjects, &self.stores);
        let mut all: BTreeMap<IpAddr, usize> =
            self.scanners.iter().map(|(ip, names)| (*ip, names.len())).collect();
        for (ip, names) in found {
            *all.entry(ip).or_default() += names;
        }
        if all.is_empty() {
            return;
        }
        let rows = std::mem::take(&mut self.rows);
        let mut kept: Vec<Ledger> = Vec::with_capacity(rows.len());
        let mut folded: BTreeMap<(String, String), usize> = BTreeMap::new();
        for mut row in rows {
            for (ip, target, part) in probers::split(&mut row, &mut self.stores, &all) {
                let names = probers::names(ip, target);
                match folded.get(&names).and_then(|at| kept.get_mut(*at)) {
                    Some(known) => known.absorb(part, &mut self.stores.arena),
                    None => {
                        let Some(mut part) = self.renamed(part, &names) else { continue };
                        part.probed = all.get(&ip).map(|n| *n as u32);
                        folded.insert(names, kept.len());
                        kept.push(part);
                    }
                }
            }
            if 0 < row.log.len() {
                kept.push(row);
            }
        }
        for at in folded.values() {
            if let Some(row) = kept.get_mut(*at) {
                row.log.sort(&mut self.stores.arena);
            }
        }
        self.rows = kept;
    }

    /// `row` as that of another device.
    fn renamed(
        &mut self,
        mut row: Ledger,
        (device, registrar): &(String, String),
    ) -> Option<Ledger> {
        self.limits.devices = usize::MAX;
        let device = self.subject(device)?;
        (row.device, row.registrar) = (device, self.registrars.place(registrar));
        Some(row)
    }
}

/// Makes room for another, and for few more: there may be many, and doubling wastes half of it.
fn grow<T>(list: &mut Vec<T>) {
    if list.len() == list.capacity() {
        list.reserve_exact(64 + list.len() / 16);
    }
}
