//! Takes in what happens in the order of the capture, and keeps a ledger for each device.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use smallvec::SmallVec;

use super::arena::Arena;
use super::beats::Beats;
use super::bindings::Room;
use super::ledger::Ledger;
use super::options::Asked;
use super::past::{CONNECTIONS, GAPS, Past};
use super::places::Places;
use super::probers::Scanners;
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
/// Registrars of one device that are told apart.
const REGISTRARS: usize = 256;

/// An audit in the making.
pub struct Watch<'t> {
    terms: Terms<'t>,
    limits: Limits,
    /// How much of the past of a device is kept; all of it when nobody says.
    past: Option<Past>,
    /// Stretches known to be missing.
    gaps: Vec<series::Stretch>,
    subjects: Vec<Subject>,
    registrars: Registrars,
    rows: Vec<Ledger>,
    stores: Stores,
    /// Where devices are, by name.
    places: Places,
    /// Which rows registered over which connection.
    connections: BTreeSet<(u32, u32)>,
    /// Hosts that sign as scanners.
    scanners: Scanners,
    options: Asked,
    responses_seen: bool,
    /// The coarsest unit in which all times of messages can be told, nanoseconds.
    resolution: i64,
    truncated: Sightings,
    held: usize,
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
    orphans: Option<Box<Vec<Arc<Orphan>>>>,
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
            past: None,
            gaps: Vec::new(),
            subjects: Vec::new(),
            registrars: Registrars::new(seed),
            rows: Vec::new(),
            stores: Stores {
                shapes: Shapes::new(seed),
                arena: Arena::default(),
                room: Room { bindings: limits.bindings, seed },
                tally: Tally::default(),
                closed: None,
            },
            places: Places::new(seed),
            connections: BTreeSet::new(),
            scanners: Scanners::new(seed),
            options: Asked::new(seed),
            responses_seen: false,
            resolution: SECOND,
            truncated: Sightings::default(),
            held: 0,
        }
    }

    /// Keeps no more than `past` of each device: for a run without end.
    #[must_use]
    pub fn keeping(self, past: Past) -> Self {
        Self { past: Some(past), ..self }
    }

    /// The input begins at `first`.
    pub fn begin(&mut self, first: Timestamp) {
        self.gaps = (self.terms.gaps)(first);
    }

    /// The capture lost packets in `stretch`.
    pub fn lost(&mut self, stretch: series::Stretch) {
        self.gaps.push(stretch);
        self.gaps = series::joined(std::mem::take(&mut self.gaps));
        if self.past.is_some() && GAPS < self.gaps.len() {
            self.gaps.remove(0);
            self.lose("let-go-past");
        }
    }

    /// Lets the past of the row `at` go, when it has twice of what is kept.
    fn shed(&mut self, at: u32) {
        let Some(Past { attempts, .. }) = self.past else { return };
        let Some(row) = self.rows.get_mut(at as usize) else { return };
        let is_long = row.log.len().max(row.ends().len()) >= 2 * attempts.max(1);
        if is_long {
            let before = row.heap_size();
            let gone = row.shed(attempts, &mut self.stores.arena);
            self.held = self.held.saturating_sub(before.saturating_sub(row.heap_size()));
            *self.stores.tally.lost.entry("let-go-past").or_default() += gone as u64;
        }
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
            Event::Orphan(orphan) => self.orphan(orphan),
            Event::End(end) => self.end(end),
        }
    }

    /// Octets of private memory it holds, roughly.
    pub const fn held(&self) -> usize {
        self.held
    }

    /// What had to be let go.
    pub fn tally(&self) -> &Tally {
        &self.stores.tally
    }

    fn lose(&mut self, what: &'static str) {
        self.stores.tally.lose(what);
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
        let Stores { shapes, arena, tally, .. } = stores;
        // What only finds them is let go before the fleet is looked at.
        drop((places, connections));
        let options = options.sums(&window);
        let mut audit = Audit {
            window,
            rows,
            subjects,
            registrars: registrars.into_names(),
            shapes: shapes.into_all(),
            arena,
            let_go: tally,
            pings: Arc::clone(&vantage.pings),
            options,
            ..Audit::default()
        };
        audit.fleet = Fleet::of(&audit);
        audit
    }

    fn register(&mut self, step: Arc<Step>) {
        let most = self.limits.devices;
        let row = match self.scanners.note(&step, most, &mut self.stores.tally) {
            Some(more) => {
                self.held += more;
                let (device, registrar) = probers::names(step.source.ip, step.target.ip);
                self.row(&device, &registrar, &step)
            }
            None => self.row(&step.device, &step.registrar, &step),
        };
        let at = match row {
            Ok(at) => at,
            Err(lost) => return self.lose(lost),
        };
        let Some(row) = self.rows.get_mut(at as usize) else { return };
        if step.connection != 0 && self.connections.insert((step.connection, at)) {
            self.held += 2 * size_of::<(u32, u32)>();
        }
        if let Some(subject) = self.subjects.get_mut(row.device as usize) {
            subject.home = Some(step.source);
        }
        if self.limits.memory < self.held {
            return self.lose("let-go-attempts");
        }
        let before = row.heap_size() + self.stores.shapes.heap_size();
        row.register(step, &mut self.stores);
        self.held += (row.heap_size() + self.stores.shapes.heap_size()).saturating_sub(before);
        self.shed(at);
        if self.past.is_some() && CONNECTIONS < self.connections.len() {
            self.connections.pop_first();
        }
    }

    fn beat(&mut self, beat: &Beat) {
        let Some(at) = self.subject(&beat.device) else {
            return self.lose("let-go-devices");
        };
        if self.limits.memory < self.held {
            return self.lose("let-go-keepalives");
        }
        let Some(subject) = self.subjects.get_mut(at as usize) else { return };
        let mut rows = subject.rows.iter().filter_map(|row| self.rows.get(*row as usize));
        let bound = rows.any(|row| row.bindings.is_live(beat.time.0));
        let beats = subject.beats.get_or_insert_default();
        let before = beats.heap_size();
        let taken = beats.push(beat, subject.home, bound, &self.gaps);
        self.held += beats.heap_size() - before;
        if let Some(Past { runs, .. }) = self.past
            && 2 * runs.max(1) <= beats.runs.len()
        {
            let gone = beats.shed(runs.max(1));
            *self.stores.tally.lost.entry("let-go-past").or_default() += u64::from(gone);
        }
        if !taken {
            self.lose("let-go-keepalives");
        }
    }

    fn options(&mut self, beat: &Beat) {
        if self.limits.memory < self.held {
            return self.lose("let-go-keepalives");
        }
        match self.options.push(beat, self.limits.devices, &self.gaps) {
            Some(more) => self.held += more,
            None => self.lose("let-go-keepalives"),
        }
    }

    fn report(&mut self, report: &Report) {
        let Some(at) = self.subject(&report.device) else {
            return self.lose("let-go-devices");
        };
        let Some(subject) = self.subjects.get_mut(at as usize) else { return };
        let size = |told: &Told| size_of::<Told>() + told.heap_size();
        let before = subject.told.as_deref().map_or(0, size);
        let told = subject.told.get_or_insert_default();
        told.push(report);
        self.held += size(told) - before;
    }

    fn orphan(&mut self, orphan: Arc<Orphan>) {
        let Some(at) = self.subject(&orphan.device) else {
            return self.lose("let-go-devices");
        };
        let Some(subject) = self.subjects.get_mut(at as usize) else { return };
        // Which registrar it came from it does not say: it may be any.
        for at in &subject.rows {
            let Some(row) = self.rows.get_mut(*at as usize) else { continue };
            if self.limits.memory < self.held {
                return self.lose("let-go-orphans");
            }
            let before = row.heap_size();
            row.orphan(&orphan, &mut self.stores);
            self.held += row.heap_size().saturating_sub(before);
        }
        if !subject.rows.is_empty() {
            return;
        }
        let known = subject.orphans.get_or_insert_default();
        if known.len() < ORPHANS {
            self.held += orphan.heap_size();
            known.push(orphan);
        } else {
            self.lose("let-go-orphans");
        }
    }

    fn end(&mut self, end: ConnectionEnd) {
        for (_, at) in self.connections.range(users_of(end.connection)) {
            if self.limits.memory < self.held {
                self.stores.tally.lose("let-go-attempts");
            } else if let Some(row) = self.rows.get_mut(*at as usize) {
                let before = row.heap_size();
                row.end(end);
                self.held += row.heap_size().saturating_sub(before);
            }
        }
        if self.past.is_some() {
            let users: Vec<_> = self.connections.range(users_of(end.connection)).copied().collect();
            for user in users {
                self.connections.remove(&user);
            }
        }
    }

    /// The place of a device by its name; `None` when there is no room for another.
    fn subject(&mut self, name: &str) -> Option<u32> {
        let is = |at| self.subjects.get(at as usize).is_some_and(|known| *known.name == *name);
        let vacant = match self.places.find(name, is) {
            Ok(at) => return Some(at),
            Err(vacant) => vacant,
        };
        if self.limits.devices <= self.subjects.len() || self.limits.memory < self.held {
            return None;
        }
        let at = self.subjects.len() as u32;
        self.places.insert(vacant, self.subjects.len());
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
    ///
    /// # Errors
    /// There is no room for it: as what it is counted.
    fn row(&mut self, device: &str, registrar: &str, step: &Step) -> Result<u32, &'static str> {
        let at = self.subject(device).ok_or("let-go-devices")?;
        let (place, more) = self.registrars.place(registrar);
        self.held += more;
        let subject = self.subjects.get(at as usize).ok_or("let-go-devices")?;
        let is = |row: &&u32| self.rows.get(**row as usize).is_some_and(|r| r.registrar == place);
        if let Some(known) = subject.rows.iter().find(is) {
            return Ok(*known);
        }
        if REGISTRARS <= subject.rows.len() {
            return Err("let-go-registrars");
        }
        if self.limits.devices <= self.rows.len() || self.limits.memory < self.held {
            return Err("let-go-devices");
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
        let number = self.rows.len() as u32;
        if let Some(subject) = self.subjects.get_mut(at as usize) {
            let orphans = subject.orphans.iter().flat_map(|all| all.iter());
            for orphan in orphans.filter(|orphan| orphan.time <= step.time) {
                row.orphan(orphan, &mut self.stores);
            }
            subject.rows.push(number);
        }
        self.held += size_of::<Ledger>() + size_of::<u32>();
        grow(&mut self.rows);
        self.rows.push(row);
        Ok(number)
    }

    /// Makes one row of all that one prober tried.
    fn fold_probers(&mut self) {
        let mut all = self.scanners.counts();
        for (ip, names) in probers::find(&self.rows, &self.subjects, &self.stores) {
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
        for subject in &mut self.subjects {
            subject.rows.clear();
        }
        for (at, row) in self.rows.iter().enumerate() {
            if let Some(subject) = self.subjects.get_mut(row.device as usize) {
                subject.rows.push(at as u32);
            }
        }
    }

    /// `row` as that of another device.
    fn renamed(
        &mut self,
        mut row: Ledger,
        (device, registrar): &(String, String),
    ) -> Option<Ledger> {
        (self.limits.devices, self.limits.memory) = (usize::MAX, usize::MAX);
        let device = self.subject(device)?;
        (row.device, row.registrar) = (device, self.registrars.place(registrar).0);
        Some(row)
    }
}

/// The places of those who registered over `connection`.
const fn users_of(connection: u32) -> std::ops::RangeInclusive<(u32, u32)> {
    (connection, 0)..=(connection, u32::MAX)
}

/// Makes room for another, and for few more: there may be many, and doubling wastes half of it.
fn grow<T>(list: &mut Vec<T>) {
    if list.len() == list.capacity() {
        list.reserve_exact(64 + list.len() / 16);
    }
}
