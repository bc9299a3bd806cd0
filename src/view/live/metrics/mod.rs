//! The numbers of a live run for Prometheus: what is counted, and how it becomes text.

mod families;
mod labels;
mod registrations;
mod text;

use std::collections::BTreeMap;

use labels::Admitted;

/// Media type of what [`Exposition::render`] makes.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub use crate::model::audit::lookout::counts::{DELAY_BOUNDS, RATIO_BOUNDS};

/// All numbers at one moment. Counters count from the start of the run and never go back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// Packets read.
    pub packets: u64,
    /// Octets they had on the wire.
    pub octets: u64,
    /// Time of the latest packet, in seconds since the epoch.
    pub latest: Option<f64>,
    /// SIP messages by transport (`udp`, `tcp` …).
    pub messages: BTreeMap<&'static str, u64>,
    /// Requests by method, as strangers spell it.
    pub requests: BTreeMap<String, u64>,
    /// Responses by the first digit of the status.
    pub responses: BTreeMap<u8, u64>,
    /// What each interface lost.
    pub drops: BTreeMap<String, Drops>,
    /// What was not understood or let go, by reason: [`Tally::lost`](crate::limits::Tally::lost).
    pub losses: BTreeMap<&'static str, u64>,
    /// Call flows held now.
    pub flows: u64,
    /// Octets held now, of the memory allowed.
    pub held: u64,
    /// Packets that should have been kept and could not be written.
    pub unwritten: u64,
    /// Octets that wait in the queue between capture and reader.
    pub queue: u64,
    /// Numbers of the registration audit, when it runs.
    pub registrations: Option<Registrations>,
}

/// Packets that never reached us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drops {
    /// Dropped by the kernel, whose buffer was full.
    pub by_kernel: u64,
    /// Dropped by the interface or its driver.
    pub by_interface: u64,
}

/// Numbers of the registration audit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Registrations {
    /// By registrar, as the devices name it.
    pub registrars: BTreeMap<String, Registrar>,
    /// Devices that went silent for as long as makes them offline.
    pub keepalive_timeouts: u64,
    /// Changes of a device's address, by what changed: `ip`, `port`, `connection`.
    pub flow_changes: BTreeMap<&'static str, u64>,
    /// Whether many devices register at once at this moment.
    pub storm: bool,
    /// Findings that hold now, by code and severity of the rule.
    pub findings: BTreeMap<(&'static str, &'static str), u64>,
}

/// Numbers of one registrar.
#[derive(Clone, Debug, PartialEq)]
pub struct Registrar {
    /// Devices now, by state: `live`, `lapsed`, `unknown`, `offline`.
    pub devices: BTreeMap<&'static str, u64>,
    /// Attempts that ended.
    pub attempts: BTreeMap<Attempts, u64>,
    /// Seconds from a REGISTER to its 2xx, challenge included.
    pub request_delay: Histogram,
    /// Share of the time granted that had passed at the refresh.
    pub refresh_ratio: Histogram,
    /// Lapses by cause: `no-refresh`, `refresh-failed:rejected-403` …
    pub lapses: BTreeMap<String, u64>,
    /// Seconds without a binding, of all devices together.
    pub lapsed_seconds: f64,
    /// Challenges that said `stale=true`.
    pub stale_challenges: u64,
    /// All other challenges.
    pub challenges: u64,
    /// Keepalives by result: `answered`, `rejected`, `unanswered`.
    pub keepalives: BTreeMap<&'static str, u64>,
}

/// Attempts that went alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attempts {
    /// What was asked: `initial`, `refresh` …
    pub kind: &'static str,
    /// What came of it: `ok`, `rejected`, `timeout` …
    pub outcome: &'static str,
    /// Status of the final answer.
    pub code: Option<u16>,
}

impl Default for Registrar {
    fn default() -> Self {
        Self {
            devices: BTreeMap::new(),
            attempts: BTreeMap::new(),
            request_delay: Histogram::new(DELAY_BOUNDS),
            refresh_ratio: Histogram::new(RATIO_BOUNDS),
            lapses: BTreeMap::new(),
            lapsed_seconds: 0.0,
            stale_challenges: 0,
            challenges: 0,
            keepalives: BTreeMap::new(),
        }
    }
}

impl Registrar {
    /// Adds the numbers of another one.
    pub fn add(&mut self, other: &Self) {
        sum(&mut self.devices, &other.devices);
        sum(&mut self.attempts, &other.attempts);
        sum(&mut self.lapses, &other.lapses);
        sum(&mut self.keepalives, &other.keepalives);
        self.request_delay.add(&other.request_delay);
        self.refresh_ratio.add(&other.refresh_ratio);
        self.lapsed_seconds += other.lapsed_seconds;
        self.stale_challenges += other.stale_challenges;
        self.challenges += other.challenges;
    }
}

fn sum<K: Ord + Clone>(own: &mut BTreeMap<K, u64>, other: &BTreeMap<K, u64>) {
    for (key, count) in other {
        *own.entry(key.clone()).or_default() += count;
    }
}

/// How often a value fell between bounds.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    bounds: &'static [f64],
    /// One for each bound, and one for what is beyond the last.
    counts: Vec<u64>,
    sum: f64,
}

impl Histogram {
    /// An empty one; `bounds` rise, and each is part of what it bounds.
    pub fn new(bounds: &'static [f64]) -> Self {
        Self { bounds, counts: vec![0; bounds.len() + 1], sum: 0.0 }
    }

    /// Takes in one value; what is no number is left out.
    pub fn observe(&mut self, value: f64) {
        if !value.is_finite() {
            return;
        }
        let place = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get_mut(place) {
            *count += 1;
            self.sum += value;
        }
    }

    /// Adds one with the same bounds.
    pub fn add(&mut self, other: &Self) {
        for (own, other) in self.counts.iter_mut().zip(&other.counts) {
            *own += other;
        }
        self.sum += other.sum;
    }

    /// How many values were taken in.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// Turns snapshots into text, and remembers which names of strangers have a series of their own.
///
/// Common ones and the first to come are told apart; later ones share the label `other`. So a flood
/// of names makes no flood of series, and no counter goes back because others became more frequent.
#[derive(Debug)]
pub struct Exposition {
    registrars: Admitted,
    methods: Admitted,
    causes: Admitted,
    codes: Admitted,
}

/// Methods with a series of their own whoever came first.
const METHODS: &[&str] = &[
    "INVITE",
    "ACK",
    "BYE",
    "CANCEL",
    "REGISTER",
    "OPTIONS",
    "PRACK",
    "SUBSCRIBE",
    "NOTIFY",
    "PUBLISH",
    "INFO",
    "REFER",
    "MESSAGE",
    "UPDATE",
];
/// Causes of lapses that have, too.
const CAUSES: &[&str] = &["no-refresh", "connection-lost"];
/// Final answers to REGISTER that have, too.
const CODES: &[&str] =
    &["200", "301", "302", "400", "401", "403", "404", "407", "408", "423", "480", "500", "503"];

impl Default for Exposition {
    fn default() -> Self {
        Self {
            registrars: Admitted::new(&[], 64),
            methods: Admitted::new(METHODS, 16),
            causes: Admitted::new(CAUSES, 64),
            codes: Admitted::new(CODES, 32),
        }
    }
}

impl Exposition {
    /// The whole page, of media type [`CONTENT_TYPE`].
    pub fn render(&mut self, snapshot: &Snapshot) -> String {
        text::write(families::of(snapshot, self))
    }
}
