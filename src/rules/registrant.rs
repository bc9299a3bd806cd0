//! One device at one registrar under judgment, and the findings of the registration audit.

use super::run::EVIDENCE;
use super::{Check, Finding, Place, Rule, RuleIndex, Selection, Severity, numbered, quote};
use crate::model::audit::{Audit, Device, Record};
use crate::model::{FlowId, MessageId, Model, TransactionId};
use crate::sip::Message;
use crate::time::Timestamp;

/// A device and all that is known beside it.
#[derive(Clone, Copy)]
pub struct Registrant<'a> {
    /// The device.
    pub device: &'a Device,
    /// The whole audit.
    pub audit: &'a Audit,
    /// The messages it was made from.
    pub model: &'a Model,
}

/// A message by its place.
pub type Spot = (FlowId, MessageId);

impl<'a> Registrant<'a> {
    /// The first request of an attempt.
    pub fn request(&self, record: &Record) -> Option<(Spot, &'a Message)> {
        self.request_of(*record.transactions.first()?)
    }

    /// The last request of an attempt: the one that was answered, with its credentials.
    pub fn last_request(&self, record: &Record) -> Option<(Spot, &'a Message)> {
        self.request_of(*record.transactions.last()?)
    }

    /// The final response of an attempt.
    pub fn response(&self, record: &Record) -> Option<(Spot, &'a Message)> {
        self.responses(*record.transactions.last()?)
            .find(|(_, message)| message.status().is_some_and(crate::sip::Status::is_final))
    }

    /// All responses of an attempt, challenges among them.
    pub fn all_responses(&self, record: &Record) -> impl Iterator<Item = (Spot, &'a Message)> {
        let this = *self;
        record.transactions.clone().into_iter().flat_map(move |id| this.responses(id))
    }

    /// The request of a transaction.
    pub fn request_of(&self, (flow, id): (FlowId, TransactionId)) -> Option<(Spot, &'a Message)> {
        let flow = self.model.flow(flow);
        let request = flow.transaction(id).request?;
        Some(((flow.id, request), flow.message(request)))
    }

    fn responses(
        &self,
        (flow, id): (FlowId, TransactionId),
    ) -> impl Iterator<Item = (Spot, &'a Message)> + use<'a> {
        let flow = self.model.flow(flow);
        let responses = flow.transaction(id).responses.iter();
        responses.map(|id| ((flow.id, *id), flow.message(*id)))
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
            let spot = case.request(record).map(|(spot, _)| spot);
            self = self.at(spot, record.outcome.word());
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
    /// The finding, as all others.
    pub finding: Finding,
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
    model: &'a Model,
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
        let message = |(flow, id): Spot| self.model.flow(flow).message(id);
        let times = remark.places.iter().map(|(spot, _)| message(*spot).envelope.time);
        let span = remark.span.or_else(|| times.clone().min().zip(times.max()));
        let (first, last) = span.unwrap_or(self.window);
        let hop = remark.places.first().map(|(spot, _)| quote::hop(message(*spot)));
        // The first places, and the last.
        let mut places = remark.places;
        if let Some(end) = places.pop() {
            places.truncate(EVIDENCE - 1);
            places.push(end);
        }
        let place = |((flow, message), note)| Place { flow, message, span: None, note };
        let finding = Finding {
            rule: self.rule,
            kind,
            severity,
            title: remark.title,
            sender: self.sender.clone(),
            hop: hop.unwrap_or_default(),
            evidence: places.into_iter().map(place).collect(),
            count: remark.count,
            first,
            last,
        };
        let (device, brief, details) = (self.device, remark.brief, remark.details);
        self.out.push(DeviceFinding { device, finding, brief, details });
    }
}

/// What the rules that are on say of `audit`: of the fleet, then of each device, worst first.
pub fn check_registrations(
    audit: &Audit,
    model: &Model,
    selection: &Selection,
) -> Vec<DeviceFinding> {
    let mut all = Vec::new();
    let window = (audit.window.from, audit.window.until);
    for (index, rule) in numbered().filter(|(index, _)| selection.is_on(*index)) {
        for check in rule.checks {
            let Check::Fleet(judge) = check else { continue };
            let (sender, device) = (String::new(), None);
            let out = &mut all;
            let mut noted = Noted { rule, index, selection, device, sender, model, window, out };
            judge(audit, &mut noted);
        }
    }
    for (at, device) in audit.devices.iter().enumerate() {
        let case = Registrant { device, audit, model };
        let sender = match device.user_agents.first() {
            Some(agent) => format!("{} ({})", device.device, quote::text(agent.as_bytes())),
            None => device.device.clone(),
        };
        let begin = all.len();
        for (index, rule) in numbered().filter(|(index, _)| selection.is_on(*index)) {
            // Of a prober it means nothing that it does not refresh.
            if device.probed.is_some() != (rule.name == super::registration::PROBED) {
                continue;
            }
            for check in rule.checks {
                let Check::Registration(judge) = check else { continue };
                let (device, sender, out) = (Some(at), sender.clone(), &mut all);
                let mut noted =
                    Noted { rule, index, selection, device, sender, model, window, out };
                judge(&case, &mut noted);
            }
        }
        let weight = |one: &DeviceFinding| {
            let rule = one.finding.rule;
            let order = super::registration::ORDER.iter().position(|name| *name == rule.name);
            (std::cmp::Reverse(one.finding.severity), order.unwrap_or(usize::MAX))
        };
        if let Some(own) = all.get_mut(begin..) {
            own.sort_by_key(weight);
        }
    }
    all
}
