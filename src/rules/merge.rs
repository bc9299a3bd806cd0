//! The reports of all flows become one: equal findings counted together, worst first.

use std::collections::BTreeMap;

use super::run::{Key, absorb};
use super::{Finding, FlowReport, RULES, Rule, RuleIndex, Severity, numbered};
use crate::model::{FlowId, MessageId};

/// What the rules say of a whole run.
#[derive(Debug, Default)]
pub struct Report {
    /// Groups of equal breaches, worst first, then by rule and time.
    pub findings: Vec<Finding>,
    /// What each rule that met its subject could judge, in order of code.
    pub coverage: Vec<Coverage>,
    /// Every single breach, by flow and message.
    pub marks: Vec<Mark>,
    /// The worst severity of findings there was no room for.
    pub beyond: Option<Severity>,
}

impl Report {
    /// The breaches at the messages of `flow`, each at its first place, in order of message.
    pub fn marks_of(&self, flow: FlowId) -> &[Mark] {
        let start = self.marks.partition_point(|mark| mark.flow < flow);
        let end = self.marks.partition_point(|mark| mark.flow <= flow);
        self.marks.get(start..end).unwrap_or_default()
    }

    /// The worst severity found, of findings that are not kept too.
    pub fn worst(&self) -> Option<Severity> {
        self.findings.first().map(|finding| finding.severity).max(self.beyond)
    }
}

/// One breach at its message: what rows of a list of messages are marked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The flow.
    pub flow: FlowId,
    /// The message where it happened.
    pub message: MessageId,
    /// The rule.
    pub rule: RuleIndex,
    /// Its kind.
    pub kind: Option<&'static str>,
    /// Its severity.
    pub severity: Severity,
}

/// How often a rule could judge and how often not: "12 judged, 3 not decidable".
#[derive(Clone, Debug)]
pub struct Coverage {
    /// The rule.
    pub rule: &'static Rule,
    /// Subjects judged, with or without a finding.
    pub judged: u64,
    /// Subjects not decidable, by reason.
    pub undecided: Vec<(&'static str, u64)>,
}

impl Coverage {
    /// Subjects not decidable for any reason.
    pub fn undecidable(&self) -> u64 {
        self.undecided.iter().map(|(_, count)| count).sum()
    }
}

/// Joins the reports of flows. The result does not depend on their order.
pub fn merge(reports: Vec<FlowReport>) -> Report {
    Gathered::of(reports).report()
}

/// Reports of flows, joined as they come.
#[derive(Debug, Default)]
pub struct Gathered {
    groups: BTreeMap<Key, Finding>,
    judged: Vec<u64>,
    undecided: BTreeMap<(RuleIndex, &'static str), u64>,
    marks: Vec<Mark>,
    /// The worst severity of findings there was no room for.
    beyond: Option<Severity>,
}

impl Gathered {
    /// Those of `reports`.
    pub fn of(reports: Vec<FlowReport>) -> Self {
        let mut all = Self::default();
        for report in reports {
            all.add(report, usize::MAX);
        }
        all
    }

    /// Joins another; `false` when a finding of it had no room among `most` different ones.
    pub fn add(&mut self, report: FlowReport, most: usize) -> bool {
        self.judged.resize(RULES.len(), 0);
        for (all, own) in self.judged.iter_mut().zip(&report.counts.judged) {
            *all += u64::from(*own);
        }
        for (rule, reason, count) in report.counts.undecided {
            *self.undecided.entry((rule, reason)).or_default() += u64::from(count);
        }
        self.marks.extend(report.marks);
        let mut has_room = true;
        for (key, finding) in report.groups {
            let is_full = most <= self.groups.len();
            match self.groups.get_mut(&key) {
                Some(known) => absorb(known, finding),
                None if is_full => {
                    has_room = false;
                    self.beyond = self.beyond.max(Some(finding.severity));
                }
                None => {
                    self.groups.insert(key, finding);
                }
            }
        }
        has_room
    }

    /// All of them as one.
    pub fn report(self) -> Report {
        let Self { groups, judged, undecided, mut marks, beyond } = self;
        let mut findings: Vec<(Key, Finding)> = groups.into_iter().collect();
        findings.sort_by(|(a, x), (b, y)| {
            (y.severity, a.rule, a.kind, x.first).cmp(&(x.severity, b.rule, b.kind, y.first))
        });
        marks.sort_by_key(|mark: &Mark| (mark.flow, mark.message, mark.rule, mark.kind));
        Report {
            findings: findings.into_iter().map(|(_, finding)| finding).collect(),
            coverage: coverage(&judged, &undecided),
            marks,
            beyond,
        }
    }
}

fn coverage(judged: &[u64], undecided: &BTreeMap<(RuleIndex, &'static str), u64>) -> Vec<Coverage> {
    numbered()
        .zip(judged)
        .map(|((index, rule), judged)| {
            let own = undecided.range((index, "")..).take_while(|((of, _), _)| *of == index);
            let undecided = own.map(|((_, reason), count)| (*reason, *count)).collect();
            Coverage { rule, judged: *judged, undecided }
        })
        .filter(|coverage| coverage.judged != 0 || !coverage.undecided.is_empty())
        .collect()
}
