//! Who does not register but tries addresses or passwords: told from devices, and from one another
//! by the host they write from.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::arena::Arena;
use super::ledger::Ledger;
use super::log::{Entry, Log};
use super::shapes::Stores;
use super::step::Step;
use super::watch::Subject;
use crate::limits::Tally;
use crate::model::Seed;
use crate::net::Endpoint;

/// Addresses of one host that are told apart.
const PROBED: usize = 1 << 16;
/// Addresses one socket must have tried in vain to be a prober.
const ADDRESSES: usize = 20;

/// Hosts that sign as scanners, with the addresses they tried.
#[derive(Debug)]
pub(super) struct Scanners {
    tried: BTreeMap<IpAddr, BTreeSet<u64>>,
    seed: Seed,
}

impl Scanners {
    pub(super) const fn new(seed: Seed) -> Self {
        Self { tried: BTreeMap::new(), seed }
    }

    /// Notes what a scanner tries; how many octets more are held, `None` when it is no scanner. No
    /// more than `most` hosts are remembered.
    pub(super) fn note(&mut self, step: &Step, most: usize, tally: &mut Tally) -> Option<usize> {
        let (ip, known) = (step.source.ip, self.tried.len());
        if step.hostile && known < most {
            self.tried.entry(ip).or_default();
        }
        let tried = self.tried.len();
        let Some(names) = self.tried.get_mut(&ip) else {
            if step.hostile {
                tally.lose("let-go-probed");
            }
            return None;
        };
        let mut more = (tried - known) * size_of::<(IpAddr, BTreeSet<u64>)>();
        let name = self.seed.hash(&step.device);
        if names.len() < PROBED {
            more += if names.insert(name) { 2 * size_of::<u64>() } else { 0 };
        } else if !names.contains(&name) {
            tally.lose("let-go-probed");
        }
        Some(more)
    }

    /// How many addresses each of them tried.
    pub(super) fn counts(&self) -> BTreeMap<IpAddr, usize> {
        self.tried.iter().map(|(ip, names)| (*ip, names.len())).collect()
    }
}

/// The names of the row of a prober at `ip` that writes to `target`.
pub(super) fn names(ip: IpAddr, target: IpAddr) -> (String, String) {
    (format!("prober {ip}"), target.to_string())
}

/// Hosts of which one socket tried many addresses and was refused each time, with how many.
/// Phones behind one address have sockets of their own; a registrar that is down refuses nobody.
pub(super) fn find(rows: &[Ledger], subjects: &[Subject], stores: &Stores) -> Vec<(IpAddr, usize)> {
    let shapes = stores.shapes.all();
    let mut tried: BTreeMap<Endpoint, Tried> = BTreeMap::new();
    for row in rows {
        let mut last = None;
        for entry in row.log.entries(&stores.arena) {
            let tried = tried.entry(entry.source).or_default();
            let status = shapes.get(entry.shape as usize).and_then(|shape| shape.status);
            tried.accepted |= status.is_some_and(|status| (200..300).contains(&status));
            tried.refused |= status.is_some();
            if last != Some(entry.source) {
                tried.devices.push(row.device);
            }
            last = Some(entry.source);
        }
    }
    let mut found = Vec::new();
    for (socket, tried) in tried {
        let names = tried.devices.iter().filter_map(|at| subjects.get(*at as usize));
        let names: BTreeSet<&str> = names.map(|subject| &*subject.name).collect();
        if ADDRESSES <= names.len() && tried.refused && !tried.accepted {
            found.push((socket.ip, names.len()));
        }
    }
    found
}

/// Takes out of `row` what probers did: a part for each host and each registrar it wrote to.
pub(super) fn split(
    row: &mut Ledger,
    stores: &mut Stores,
    probers: &BTreeMap<IpAddr, usize>,
) -> Vec<(IpAddr, IpAddr, Ledger)> {
    let Stores { shapes, arena, .. } = stores;
    if !row.log.entries(arena).any(|entry| probers.contains_key(&entry.source.ip)) {
        return Vec::new();
    }
    let mut own = Log::default();
    let mut parts: BTreeMap<(IpAddr, IpAddr), Log> = BTreeMap::new();
    for entry in row.log.entries(arena) {
        let ip = entry.source.ip;
        let target = shapes.all().get(entry.shape as usize).map_or(ip, |shape| shape.target.ip);
        if probers.contains_key(&ip) {
            parts.entry((ip, target)).or_default().push(&entry, arena);
        } else {
            own.push(&entry, arena);
        }
    }
    row.log = own;
    let part = |((ip, target), log)| (ip, target, row.part(log));
    parts.into_iter().map(part).collect()
}

/// What one socket tried.
#[derive(Default)]
struct Tried {
    devices: Vec<u32>,
    accepted: bool,
    refused: bool,
}

impl Log {
    /// Puts attempts in order of time.
    pub(super) fn sort(&mut self, arena: &mut Arena) {
        let mut entries: Vec<Entry> = self.entries(arena).collect();
        entries.sort_by_key(|entry| (entry.start, entry.frame));
        *self = Self::default();
        for entry in &entries {
            self.push(entry, arena);
        }
    }
}
