//! One device at one registrar under judgment, and the findings of the registration audit.

use super::run::EVIDENCE;
use super::{Check, Finding, Rule, RuleIndex, Selection, Severity, numbered, quote};
use crate::frame::FrameId;
use crate::model::audit::{Audit, Device, Pulse, Record};
use crate::net::Endpoint;
use crate::time::Timestamp;
use crate::transport::Transport;

/// A device and all that is known beside it.
#[derive(Clone, Copy)]
pub struct Registrant<'a> {
    /// The device.
    pub device: &'a Device,
    /// Its place in [`Audit::devices`].
    pub place: usize,
    /// The whole audit.
    pub audit: &'a Audit,
}

/// Where a message is to be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    /// The frame on which it was complete.
    pub frame: FrameId,
    /// When.
    pub time: Timestamp,
    /// Who sent it to whom, by what, where that is known.
    pub hop: Option<(Endpoint, Endpoint, Transport)>,
}

impl Spot {
    /// Where `pulse` is to be seen, when that is remembered.
    pub fn of(pulse: &Pulse) -> Option<Self> {
        Some(Self { frame: pulse.frame?, time: pulse.time, hop: None })
    }
}

impl<'a> Registrant<'a> {
    /// The first request of an attempt.
    pub fn request(&self, record: &Record) -> Spot {
        let hop = (record.source, record.shape.target, record.shape.transport);
        Spot { frame: record.frame, time: record.start, hop: Some(hop) }
    }

    /// The final response of an attempt.
    pub fn response(&self, record: &Record) -> Option<Spot> {
        let hop = (record.shape.target, record.source, record.shape.transport);
        Some(Spot { frame: record.response_frame?, time: record.end?, hop: Some(hop) })
    }

    /// Attempts that register and succeeded.
    pub fn successes(&self) -> impl Iterator<Item = &'a Record> {
        use crate::model::audit::Outcome;
        self.device.attempts().filter(|record| record.outcome == Outcome::Ok)
    }
}

/// What a check of the registration audit has to say.
#[derive(Clone, Debug)]
pub struct Remark {
    /// What happened, in one line, with values.
    pub title: String,
    /// The same in a few words, for a column of a table.
    pub brief: String,
    /// Further lines: how it is known, what it means.
    pub details: Vec<String>,
    /// How often.
    pub count: u64,
    /// Where it is to be seen, and what.
    pub places: Vec<(Spot, String)>,
    /// The first and the last time.
    pub span: Option<(Timestamp, Timestamp)>,
    /// The highest severity that applies.
    pub at_most: Option<Severity>,
}

impl Remark {
    /// Something that happened once.
    pub fn new(title: impl Into<String>, brief: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            brief: brief.into(),
            details: Vec::new(),
            count: 1,
            places: Vec::new(),
            span: None,
            at_most: None,
        }
    }

    /// It happened so often.
    #[must_use]
    pub fn times(mut self, count: usize) -> Self {
        self.count = count as u64;
        self
    }

    /// A further line.
    #[must_use]
    pub fn detail(mut self, line: impl Into<String>) -> Self {
        self.details.push(line.into());
        self
    }

    /// It is to be seen at `spot`.
    #[must_use]
    pub fn at(mut self, spot: Option<Spot>, note: impl Into<String>) -> Self {
        self.places.extend(spot.map(|spot| (spot, note.into())));
        self
    }

    /// It is to be seen in the first request of each of `records`.
    #[must_use]
    pub fn requests<'r>(
        mut self,
        case: &Registrant<'_>,
        records: impl IntoIterator<Item = &'r Record>,
    ) -> Self {
        for record in records {
            self = self.at(Some(case.request(record)), record.outcome.word());
        }
        self
    }

    /// From when to when.
    #[must_use]
    pub fn span(mut self, first: Timestamp, last: Timestamp) -> Self {
        self.span = Some((first, last));
        self
    }

    /// Lowers its severity to `severity`, should it be higher, where `applies`.
    #[must_use]
    pub fn at_most_if(mut self, applies: bool, severity: Severity) -> Self {
        if applies {
            self.at_most = Some(severity);
        }
        self
    }
}

/// A finding of the registration audit.
#[derive(Clone, Debug)]
pub struct DeviceFinding {
    /// The device, as its place in [`Audit::devices`]; `None` for the fleet and the input.
    pub device: Option<usize>,
    /// The finding, as all others; its evidence is here, since an audit holds no flows.
    pub finding: Finding,
    /// The frames that prove it, and what is to be seen there.
    pub evidence: Vec<(FrameId, String)>,
    /// It in a few words.
    pub brief: String,
    /// How it is known, what it means.
    pub details: Vec<String>,
}

/// Where a check of the registration audit reports.
pub struct Noted<'a> {
    rule: &'static Rule,
    index: RuleIndex,
    selection: &'a Selection,
    /// The device it is about.
    device: Option<usize>,
    sender: String,
    window: (Timestamp, Timestamp),
    out: &'a mut Vec<DeviceFinding>,
}

impl Noted<'_> {
    /// Reports a breach of a rule that has no kinds.
    pub fn add(&mut self, remark: impl FnOnce() -> Remark) {
        self.push(None, remark);
    }

    /// Reports a breach of the kind `kind`, one of the rule's.
    pub fn add_kind(&mut self, kind: &'static str, remark: impl FnOnce() -> Remark) {
        debug_assert!(self.rule.kinds.iter().any(|(name, _)| *name == kind), "{kind} is declared");
        self.push(Some(kind), remark);
    }

    fn push(&mut self, kind: Option<&'static str>, remark: impl FnOnce() -> Remark) {
        let Some(level) = self.selection.level(self.index, kind) else { return };
        let remark = remark();
        let severity = match remark.at_most {
            Some(most) if !level.fixed => level.severity.min(most),
            _ => level.severity,
        };
        let times = remark.places.iter().map(|(spot, _)| spot.time);
        let span = remark.span.or_else(|| times.clone().min().zip(times.max()));
        let (first, last) = span.unwrap_or(self.window);
        let hop = remark.places.first().and_then(|(spot, _)| spot.hop);
        let hop = hop.map(|(from, to, transport)| quote::way(from, to, transport));
        // The first places, and the last.
        let mut places = remark.places;
        if let Some(end) = places.pop() {
            places.truncate(EVIDENCE - 1);
            places.push(end);
        }
        let evidence = places.into_iter().map(|(spot, note)| (spot.frame, note)).collect();
        let finding = Finding {
            rule: self.rule,
            kind,
            severity,
            title: remark.title,
            sender: self.sender.clone(),
            hop: hop.unwrap_or_default(),
            evidence: Vec::new(),
            count: remark.count,
            first,
            last,
        };
        let (device, brief, details) = (self.device, remark.brief, remark.details);
        self.out.push(DeviceFinding { device, finding, evidence, brief, details });
    }
}

/// What the rules that are on say of `audit`: of the fleet, then of each device, worst first.
pub fn check_registrations(audit: &Audit, selection: &Selection) -> Vec<DeviceFinding> {
    let mut all = check_fleet(audit, selection);
    for (place, device) in audit.devices().enumerate() {
        all.extend(check_device(audit, place, &device, selection));
    }
    all
}

/// What the rules that are on say of all devices together, and of those that are absent.
pub fn check_fleet(audit: &Audit, selection: &Selection) -> Vec<DeviceFinding> {
    let mut all = Vec::new();
    let window = (audit.window.from, audit.window.until);
    for (index, rule) in numbered().filter(|(index, _)| selection.is_on(*index)) {
        for check in rule.checks {
            let Check::Fleet(judge) = check else { continue };
            let (sender, device, out) = (String::new(), None, &mut all);
            judge(audit, &mut Noted { rule, index, selection, device, sender, window, out });
        }
    }
    all
}

/// What the rules that are on say of `device`, which is at `place`, worst first.
pub fn check_device(
    audit: &Audit,
    place: usize,
    device: &Device,
    selection: &Selection,
) -> Vec<DeviceFinding> {
    let mut all = Vec::new();
    let window = (audit.window.from, audit.window.until);
    let case = Registrant { device, place, audit };
    let sender = match device.user_agents.first() {
        Some(agent) => format!("{} ({})", device.device, quote::text(agent.as_bytes())),
        None => device.device.clone(),
    };
    for (index, rule) in numbered().filter(|(index, _)| selection.is_on(*index)) {
        // Of a prober it means nothing that it does not refresh.
        if device.probed.is_some() != (rule.name == super::registration::PROBED) {
            continue;
        }
        for check in rule.checks {
            let Check::Registration(judge) = check else { continue };
            let (device, sender, out) = (Some(place), sender.clone(), &mut all);
            judge(&case, &mut Noted { rule, index, selection, device, sender, window, out });
        }
    }
    let weight = |one: &DeviceFinding| {
        let rule = one.finding.rule;
        let order = super::registration::ORDER.iter().position(|name| *name == rule.name);
        (std::cmp::Reverse(one.finding.severity), order.unwrap_or(usize::MAX))
    };
    all.sort_by_key(weight);
    all
}
