//! One look at each device of a fleet: sums for the charts, a line for the script, an order.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::chart::HeatRow;
use super::data::Store;
use super::device::Row;
use super::{Axis, Part, name};
use crate::model::audit::series::{Stretch, seconds};
use crate::model::audit::{Audit, Device, Outcome};
use crate::rules::{DeviceFinding, Severity, check_device, check_fleet};

/// Rows of the heatmap while none is opened, at most.
const GROUPS: usize = 60;

/// What is gathered of all devices.
pub(super) struct Overview {
    /// Places of devices, worst first.
    pub(super) order: Vec<usize>,
    /// Devices that were never seen registered.
    pub(super) blind: usize,
    /// Attempts by what became of them, in each bin.
    pub(super) attempts: Vec<[u32; 4]>,
    pub(super) ratio: Counts,
    pub(super) intervals: Counts,
    pub(super) keepalives: Counts,
    pub(super) delays: Counts,
    pub(super) heat: Vec<HeatRow>,
    /// Rules with findings: label and how many devices.
    pub(super) rules: Vec<(String, usize)>,
    /// A line for each device, for the script.
    pub(super) data: String,
    /// Errors and warnings of the fleet and of all devices.
    pub(super) faults: Faults,
}

/// How many findings there are that ask for something to be done.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::view::html) struct Faults {
    pub(in crate::view::html) errors: usize,
    pub(in crate::view::html) warnings: usize,
}

impl Faults {
    fn count(&mut self, findings: &[DeviceFinding]) {
        for one in findings {
            match one.finding.severity {
                Severity::Error => self.errors += 1,
                Severity::Warning => self.warnings += 1,
                Severity::Info => {}
            }
        }
    }
}

/// How often values came, to three digits.
#[derive(Default)]
pub(super) struct Counts(BTreeMap<i64, u32>);

impl Counts {
    fn add(&mut self, value: i64, times: u32) {
        let mut unit = 1;
        while 1000 <= value.abs() / unit {
            unit *= 10;
        }
        *self.0.entry(value / unit * unit).or_default() += times;
    }

    /// Values, each times `scale`, with how often they came.
    pub(super) fn scaled(&self, scale: f64) -> Vec<(f64, u32)> {
        self.0.iter().map(|(value, times)| (*value as f64 * scale, *times)).collect()
    }
}

/// Devices whose names begin alike.
struct Group {
    devices: usize,
    /// The beginning is the whole name.
    is_whole: bool,
    live: Vec<i64>,
    lapsed: Vec<i64>,
}

impl Overview {
    /// Looks at every device of `part`; the first `pages` of the order have pages of their own.
    pub(super) fn of(part: &Part<'_>, axis: &Axis<'_>, pages: usize) -> std::io::Result<Self> {
        let mut gathering = Gathering::new(part.audit, axis);
        gathering.overview.faults.count(&check_fleet(part.audit, part.selection));
        let mut weights = Vec::with_capacity(part.audit.len());
        for (place, device) in part.audit.devices().enumerate() {
            let findings = check_device(part.audit, place, &device, part.selection);
            gathering.add(&device, &findings, axis);
            gathering.overview.faults.count(&findings);
            let worst = findings.iter().map(|one| one.finding.severity).max();
            let errors = findings.iter().filter(|f| f.finding.severity == Severity::Error).count();
            weights.push((Reverse((worst, errors, device.lapsed)), place));
        }
        weights.sort_unstable();
        let order: Vec<usize> = weights.into_iter().map(|(_, place)| place).collect();
        gathering.finish(part, axis, order, pages)
    }
}

struct Gathering {
    overview: Overview,
    /// How many characters of a name make its group.
    prefix: usize,
    groups: BTreeMap<String, Group>,
    /// Labels of rules, in the order of their first finding.
    labels: BTreeMap<String, (usize, usize)>,
}

impl Gathering {
    fn new(audit: &Audit, axis: &Axis<'_>) -> Self {
        let overview = Overview {
            order: Vec::new(),
            blind: 0,
            attempts: vec![[0; 4]; axis.bins],
            ratio: Counts::default(),
            intervals: Counts::default(),
            keepalives: Counts::default(),
            delays: Counts::default(),
            heat: Vec::new(),
            rules: Vec::new(),
            data: String::new(),
            faults: Faults::default(),
        };
        let (groups, labels) = (BTreeMap::new(), BTreeMap::new());
        Self { overview, prefix: prefix(audit), groups, labels }
    }

    fn add(&mut self, device: &Device, findings: &[DeviceFinding], axis: &Axis<'_>) {
        let Overview { attempts, ratio, intervals, keepalives, delays, blind, .. } =
            &mut self.overview;
        *blind += usize::from(device.evidence.is_none());
        for record in device.attempts() {
            let class = match record.outcome {
                Outcome::Ok => 0,
                Outcome::Redirected | Outcome::AuthFailed | Outcome::ChallengeUnanswered => 1,
                Outcome::Rejected(_) | Outcome::Timeout => 2,
                Outcome::Pending | Outcome::Unseen => 3,
            };
            if let Some(counts) = attempts.get_mut(axis.bin(record.start.0)) {
                counts[class] += 1;
            }
        }
        for share in &device.series.ratio {
            ratio.add((share * 1e3) as i64, 1);
        }
        for interval in &device.series.attempt {
            intervals.add(*interval, 1);
        }
        for (interval, times) in device.keepalives.iter().flat_map(|all| &all.intervals) {
            keepalives.add(*interval, *times);
        }
        for delay in &device.series.delay {
            delays.add((delay * 1e6) as i64, 1);
        }
        let group: String = device.device.chars().take(self.prefix).collect();
        let is_whole = device.device.chars().count() <= self.prefix;
        let none = || vec![0; axis.bins];
        let group = self.groups.entry(group).or_insert_with(|| Group {
            devices: 0,
            is_whole,
            live: none(),
            lapsed: none(),
        });
        group.devices += 1;
        group.is_whole &= is_whole;
        cover(device, axis, &mut group.live, &mut group.lapsed);
        for label in labels(findings) {
            let number = self.labels.len();
            self.labels.entry(label).or_insert((number, 0)).1 += 1;
        }
    }

    fn finish(
        mut self,
        part: &Part<'_>,
        axis: &Axis<'_>,
        order: Vec<usize>,
        pages: usize,
    ) -> std::io::Result<Overview> {
        let mut store = Store::new();
        for (at, place) in order.iter().enumerate() {
            let Some(device) = part.audit.device(*place) else { continue };
            let findings = check_device(part.audit, *place, &device, part.selection);
            let page = (at < pages).then_some(at);
            store.write(&self.line(&device, &findings, page, axis))?;
        }
        self.overview.data = store.finish()?;
        self.overview.heat = self
            .groups
            .iter()
            .take(GROUPS)
            .map(|(group, sums)| {
                let more =
                    if sums.is_whole { String::new() } else { format!("… ({})", sums.devices) };
                let mut text = name(group);
                if text.chars().count() > 24 {
                    text = text.chars().take(23).chain(['…']).collect();
                }
                HeatRow {
                    name: text + &more,
                    group: name(group),
                    is_whole: sums.is_whole,
                    cells: classes(&sums.live, &sums.lapsed, axis),
                }
            })
            .collect();
        let mut rules: Vec<(String, (usize, usize))> = self.labels.into_iter().collect();
        rules.sort_by_key(|(_, (number, _))| *number);
        self.overview.rules = rules.into_iter().map(|(label, (_, n))| (label, n)).collect();
        self.overview.order = order;
        Ok(self.overview)
    }

    /// What the script knows of a device: cells, numbers of rules, bins, page; tabs between.
    fn line(
        &self,
        device: &Device,
        findings: &[DeviceFinding],
        page: Option<usize>,
        axis: &Axis<'_>,
    ) -> String {
        let row = Row::of(device, page);
        let mut line = String::new();
        let state = format!("{}|{}", row.tone, row.state);
        let cells = row.cells();
        for cell in [row.device.as_str(), &row.registrar, &state].into_iter().chain(cells) {
            line.push_str(cell);
            line.push('\t');
        }
        let labels = labels(findings);
        let numbers = labels.iter().filter_map(|label| self.labels.get(label));
        let numbers: Vec<String> = numbers.map(|(number, _)| number.to_string()).collect();
        line.push_str(&numbers.join(","));
        line.push('\t');
        let (mut live, mut lapsed) = (vec![0; axis.bins], vec![0; axis.bins]);
        cover(device, axis, &mut live, &mut lapsed);
        let classes = classes(&live, &lapsed, axis);
        for run in classes.chunk_by(|a, b| a == b) {
            let letter = match run[0] {
                "h0" => 'a',
                "h1" => 'b',
                "h2" => 'c',
                "h3" => 'd',
                "h4" => 'e',
                "gap" => 'g',
                _ => 'u',
            };
            let _ = write!(line, "{letter}{}", run.len());
        }
        line.push('\t');
        line.push_str(&page.map(|at| at.to_string()).unwrap_or_default());
        line.push('\n');
        line
    }
}

/// `R006`, `R007:timeout`, each once.
fn labels(findings: &[DeviceFinding]) -> BTreeSet<String> {
    findings
        .iter()
        .map(|one| {
            format!("{} {}", one.finding.rule.label(one.finding.kind), one.finding.rule.name)
        })
        .collect()
}

/// Characters of a name beyond which groups are not told apart: identifiers have 20.
const PREFIX: usize = 64;

/// The longest prefix that makes at most [`GROUPS`] groups.
fn prefix(audit: &Audit) -> usize {
    let names = || (0..audit.len()).map(|place| audit.ids(place).0);
    let longest = names().map(|name| name.chars().count()).max().unwrap_or(0);
    let few = |length: &usize| {
        let mut seen = BTreeSet::new();
        names().all(|name| {
            seen.insert(name.char_indices().nth(*length).map_or(name, |(end, _)| &name[..end]));
            seen.len() <= GROUPS
        })
    };
    (1..=longest.min(PREFIX)).rev().find(few).unwrap_or(0)
}

/// Adds the time with and the known time without binding to the bins.
fn cover(device: &Device, axis: &Axis<'_>, live: &mut [i64], lapsed: &mut [i64]) {
    for stretch in &device.live_stretches {
        spread(*stretch, axis, live);
    }
    for lapse in &device.lapses {
        spread((lapse.from.0, lapse.from.0 + lapse.length), axis, lapsed);
    }
}

/// The class of each bin: gap, unknown, or how much of the known time lapsed.
fn classes(live: &[i64], lapsed: &[i64], axis: &Axis<'_>) -> Vec<&'static str> {
    let known = live.iter().zip(lapsed).enumerate();
    known
        .map(|(bin, (live, lapsed))| {
            let (from, until) = axis.stretch(bin);
            let middle = from + (until - from) / 2;
            if axis.gaps.iter().any(|(a, b)| *a <= middle && middle < *b) {
                return "gap";
            }
            if live + lapsed == 0 {
                return "unknown";
            }
            match seconds(*lapsed) / seconds(live + lapsed) {
                0.0 => "h0",
                share if share < 0.05 => "h1",
                share if share < 0.25 => "h2",
                share if share < 0.75 => "h3",
                _ => "h4",
            }
        })
        .collect()
}

/// Adds what `stretch` covers of each bin.
fn spread(stretch: Stretch, axis: &Axis<'_>, bins: &mut [i64]) {
    let (from, until) = (stretch.0.max(axis.from), stretch.1.min(axis.until));
    if until <= from {
        return;
    }
    for bin in axis.bin(from)..=axis.bin(until - 1) {
        let (begin, end) = axis.stretch(bin);
        if let Some(sum) = bins.get_mut(bin) {
            *sum += (until.min(end) - from.max(begin)).max(0);
        }
    }
}
