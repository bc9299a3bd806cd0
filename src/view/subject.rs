//! What views are asked to show: the model, its findings, the names of the files, a choice of flows.

use rustc_hash::FxHashMap;

use super::frames::Files;
use crate::frame::FrameId;
use crate::model::{CallFlow, FlowId, MessageId, Model, Note, Sighted};
use crate::rules::{Coverage, Finding, Mark, Report, Rule, Severity};
use crate::sip::Message;
use crate::time::Timestamp;
use crate::transport::Completeness;

/// What is to be shown.
pub struct Subject<'a> {
    /// What was understood.
    pub model: &'a Model,
    /// What is wrong, worst first.
    pub findings: &'a [Finding],
    /// What the rules could judge and what not.
    pub coverage: &'a [Coverage],
    /// The inputs.
    pub files: Files<'a>,
    /// The chosen flows, in order.
    pub flows: Vec<FlowId>,
    /// What time it is, where calls still go on.
    pub now: Option<Timestamp>,
    /// Findings by the message they point at, as places in `findings`.
    at: FxHashMap<(FlowId, MessageId), Vec<usize>>,
    report: &'a Report,
    /// Findings by flow.
    of: FxHashMap<FlowId, Vec<usize>>,
}

impl<'a> Subject<'a> {
    /// All of `model`.
    pub fn new(model: &'a Model, report: &'a Report, files: &'a [String]) -> Self {
        let findings = report.findings.as_slice();
        let mut at: FxHashMap<_, Vec<usize>> = FxHashMap::default();
        let mut of: FxHashMap<_, Vec<usize>> = FxHashMap::default();
        for (index, finding) in findings.iter().enumerate() {
            for place in &finding.evidence {
                note(at.entry((place.flow, place.message)).or_default(), index);
                note(of.entry(place.flow).or_default(), index);
            }
        }
        let flows = (0..model.flows.len() as u32).map(FlowId).collect();
        Self {
            model,
            findings,
            coverage: &report.coverage,
            files: Files(files),
            flows,
            now: None,
            at,
            report,
            of,
        }
    }

    /// The same, with these flows only.
    #[must_use]
    pub fn choose(mut self, flows: Vec<FlowId>) -> Self {
        self.flows = flows;
        self
    }

    /// The same as of `now`: calls that go on have lasted until then.
    #[must_use]
    pub fn as_of(mut self, now: Timestamp) -> Self {
        self.now = Some(now);
        self
    }

    /// The flow `id`.
    pub fn flow(&self, id: FlowId) -> &'a CallFlow {
        self.model.flow(id)
    }

    /// The findings that point at a message.
    pub fn findings_at(
        &self,
        flow: FlowId,
        message: MessageId,
    ) -> impl Iterator<Item = &'a Finding> {
        let findings = self.findings;
        self.at.get(&(flow, message)).into_iter().flatten().filter_map(|i| findings.get(*i))
    }

    /// The findings that point at any message of a flow, each once, in the order of the report.
    pub fn findings_of(&self, flow: FlowId) -> impl Iterator<Item = &'a Finding> {
        let findings = self.findings;
        self.of.get(&flow).into_iter().flatten().filter_map(|i| findings.get(*i))
    }

    /// The breaches at the messages of a flow, in order of message; also those that only count in
    /// a finding whose evidence lies elsewhere.
    pub fn marks_of(&self, flow: FlowId) -> &'a [Mark] {
        self.report.marks_of(flow)
    }

    /// The breaches at one message.
    pub fn marks_at(&self, flow: FlowId, message: MessageId) -> &'a [Mark] {
        let marks = self.marks_of(flow);
        let start = marks.partition_point(|mark| mark.message < message);
        let end = marks.partition_point(|mark| mark.message <= message);
        marks.get(start..end).unwrap_or_default()
    }

    /// The rules that messages of a flow break, each once with its worst severity, worst first.
    pub fn breaches_of(&self, flow: FlowId) -> Vec<(Severity, &'static Rule)> {
        let marks = self.marks_of(flow).iter().map(|mark| (mark.severity, mark.rule.rule()));
        let findings = self.findings_of(flow).map(|finding| (finding.severity, finding.rule));
        let mut breaches: Vec<_> = marks.chain(findings).collect();
        breaches.sort_by_key(|(severity, rule)| (rule.code, std::cmp::Reverse(*severity)));
        breaches.dedup_by_key(|(_, rule)| rule.code);
        breaches.sort_by_key(|(severity, rule)| (std::cmp::Reverse(*severity), rule.code));
        breaches
    }

    /// Codes of the rules a message breaks, each once, in order.
    pub fn codes_at(&self, flow: FlowId, message: MessageId) -> Vec<&'static str> {
        let marks = self.marks_at(flow, message).iter().map(|mark| mark.rule.rule().code);
        let mut codes: Vec<_> = marks.collect();
        codes.sort_unstable();
        codes.dedup();
        codes
    }

    /// The row of a message of the model, for [`messages`](super::messages).
    pub fn row(&self, flow: FlowId, message: MessageId) -> MessageRow<'a> {
        let flow_of = self.flow(flow);
        let entry = flow_of.entry(message);
        MessageRow {
            message: &entry.message,
            relation: Relation::of(flow_of, entry.note),
            findings: self.codes_at(flow, message),
            path: "",
            interface: "",
            elapsed: None,
        }
    }
}

fn note(known: &mut Vec<usize>, index: usize) {
    if known.last() != Some(&index) {
        known.push(index);
    }
}

/// One message as a row: all that `siplens messages` shows.
pub struct MessageRow<'a> {
    /// The message.
    pub message: &'a Message,
    /// How it relates to an earlier one.
    pub relation: Option<Relation>,
    /// Codes of the findings that point at it.
    pub findings: Vec<&'static str>,
    /// The encapsulations it came in, outermost first; empty without any, or where nobody asks.
    pub path: &'a str,
    /// The interface it was captured on; empty where there is one only, or it is not known.
    pub interface: &'a str,
    /// Nanoseconds since the first message of its call, where that is shown.
    pub elapsed: Option<i64>,
}

impl<'a> MessageRow<'a> {
    /// A message without relation and findings.
    pub fn new(message: &'a Message) -> Self {
        Self {
            message,
            relation: None,
            findings: Vec::new(),
            path: "",
            interface: "",
            elapsed: None,
        }
    }

    /// The stable word of the note, absent for an ordinary message.
    pub fn note(&self) -> Option<&'static str> {
        match (&self.relation, self.message.envelope.completeness) {
            (Some(relation), _) => Some(relation.word()),
            (None, Completeness::Truncated) => Some("truncated"),
            (None, Completeness::Gap) => Some("gap"),
            (None, Completeness::Desync) => Some("desync"),
            (None, Completeness::Whole) => None,
        }
    }
}

/// How a message relates to the frame of an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// Sent again.
    Retransmission(FrameId),
    /// The same packet captured twice.
    Duplicate(FrameId),
    /// The next hop of that message.
    Forwarded(FrameId),
}

impl Relation {
    /// The relation that `note` states within `flow`.
    pub fn of(flow: &CallFlow, note: Note) -> Option<Self> {
        let frame = |id| flow.message(id).envelope.frame;
        match note {
            Note::New => None,
            Note::Retransmission(id) => Some(Self::Retransmission(frame(id))),
            Note::Duplicate(id) => Some(Self::Duplicate(frame(id))),
            Note::Forwarded(id) => Some(Self::Forwarded(frame(id))),
        }
    }

    /// The relation to the frame of an earlier message.
    pub const fn of_sighting(sighted: Sighted<FrameId>) -> Option<Self> {
        match sighted {
            Sighted::New => None,
            Sighted::Retransmission(frame) => Some(Self::Retransmission(frame)),
            Sighted::Duplicate(frame) => Some(Self::Duplicate(frame)),
            Sighted::Forwarded(frame) => Some(Self::Forwarded(frame)),
        }
    }

    /// `retransmission`, `duplicate`, `forwarded`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Retransmission(_) => "retransmission",
            Self::Duplicate(_) => "duplicate",
            Self::Forwarded(_) => "forwarded",
        }
    }

    /// The frame of the earlier message.
    pub const fn frame(self) -> FrameId {
        match self {
            Self::Retransmission(frame) | Self::Duplicate(frame) | Self::Forwarded(frame) => frame,
        }
    }
}
