//! Which findings were told while things happen, so that each is told once and no more often.

use rustc_hash::FxHashMap;

use super::run::Scope;
use super::{Finding, FlowReport};
use crate::model::Seed;

/// What was told so far. A finding that goes on is told again at ten, a hundred, a thousand …
pub struct Told {
    seed: Seed,
    /// How often by flow, and how often in all.
    own: Counts,
    all: Counts,
}

impl Told {
    /// Nothing was told so far; the latest `names` findings are remembered, up to twice as many.
    pub fn new(seed: Seed, names: usize) -> Self {
        Self { seed, own: Counts::new(names), all: Counts::new(names) }
    }

    /// The findings of the flow named `flow`, as judged by now, that are to be told.
    pub fn news<'r>(&mut self, flow: u64, report: &'r FlowReport) -> Vec<&'r Finding> {
        let groups = report.groups.iter();
        let news = groups.filter_map(|(key, finding)| {
            let scope = match &key.scope {
                Scope::Flow(_) => (Some(flow), None),
                Scope::Target(target) => (None, Some(target.as_slice())),
                Scope::Sender => (None, None),
            };
            let what = (key.rule, key.kind, key.about, key.sender.as_str());
            let more = finding.count.saturating_sub(
                self.own.replace(self.seed.hash((flow, scope, what)), finding.count),
            );
            let name = self.seed.hash((scope, what));
            let before = self.all.get(name);
            self.all.replace(name, before + more);
            (decade(before) < decade(before + more)).then_some(finding)
        });
        news.collect()
    }
}

/// Counts by name, of the latest names.
struct Counts {
    /// Names in one generation; two are kept.
    most: usize,
    young: FxHashMap<u64, u64>,
    old: FxHashMap<u64, u64>,
}

impl Counts {
    fn new(most: usize) -> Self {
        Self { most, young: FxHashMap::default(), old: FxHashMap::default() }
    }

    fn get(&self, name: u64) -> u64 {
        self.young.get(&name).or_else(|| self.old.get(&name)).copied().unwrap_or_default()
    }

    /// Sets a count; what it was before.
    fn replace(&mut self, name: u64, count: u64) -> u64 {
        let before = self.get(name);
        if self.most <= self.young.len() && !self.young.contains_key(&name) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(name, count);
        before
    }
}

/// How many digits a count has; none for 0.
fn decade(count: u64) -> u32 {
    count.checked_ilog10().map_or(0, |digits| digits + 1)
}
