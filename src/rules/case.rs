//! What a check reads, and how it answers.

use super::lists::Lists;
use super::schedule::Subject;
use super::{RuleIndex, Selection, Severity};
use crate::model::{
    CallFlow, Crossings, Entry, FlowId, Hop, MessageId, Transaction, TransactionId, Vantage,
};
use crate::net::Endpoint;
use crate::sip::{HeaderName, Message, Span};
use crate::time::Timestamp;

/// What all flows of a run are judged by.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// What the capture point could see.
    pub vantage: &'a Vantage,
    /// What crosses between the flows; nothing for a flow that is judged before the others are
    /// known.
    pub crossings: &'a Crossings,
    /// The rules that are on, and how much each weighs.
    pub selection: &'a Selection,
    /// The thresholds.
    pub settings: &'a Settings,
}

/// Thresholds of the rules (catalogue section 12); times in nanoseconds.
#[derive(Clone, Debug)]
pub struct Settings {
    /// CR, LF and NUL octets after a body that are passed over.
    pub trailing_ignored: usize,
    /// The largest request in octets that is fit for UDP (section 18.1.1).
    pub udp_request: usize,
    /// 64*T1: how long a transaction may wait.
    pub timeout: i64,
    /// Timer C: how long an INVITE may ring.
    pub timer_c: i64,
    /// Copies of one message on one hop that are too many.
    pub retransmissions: usize,
    /// Challenges in a row to requests with credentials that are too many.
    pub auth_rejects: usize,
    /// User agents of scanners beside the known ones, in lower case.
    pub scanners: Vec<String>,
    /// Hosts whose tests are no attacks.
    pub trusted: Vec<std::net::IpAddr>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            trailing_ignored: 4,
            udp_request: 1300,
            timeout: crate::time::TIMEOUT,
            timer_c: 180 * crate::time::SECOND,
            retransmissions: 3,
            auth_rejects: 2,
            scanners: Vec::new(),
            trusted: Vec::new(),
        }
    }
}

/// One flow under judgment: everything a check may read.
pub struct Case<'a> {
    /// The flow.
    pub flow: &'a CallFlow,
    /// What the capture point could see.
    pub vantage: &'a Vantage,
    /// What crosses between the flows.
    pub crossings: &'a Crossings,
    /// The thresholds.
    pub settings: &'a Settings,
    lists: Lists,
}

impl<'a> Case<'a> {
    /// `flow`, to be judged by what `context` holds.
    pub(super) fn of(flow: &'a CallFlow, context: &Context<'a>) -> Self {
        let Context { vantage, crossings, settings, .. } = *context;
        Self { flow, vantage, crossings, settings, lists: Lists::default() }
    }

    /// INVITE transactions whose request was seen, and that request, in their order.
    pub(super) fn invites(
        &self,
    ) -> impl DoubleEndedIterator<Item = (&'a Transaction, MessageId)> + Clone {
        self.lists.invites(self.flow)
    }

    /// Transactions of which only responses were seen.
    pub(super) fn unasked(&self) -> impl Iterator<Item = &'a Transaction> {
        self.lists.unasked(self.flow)
    }

    /// Sightings of ACKs.
    pub(super) fn acks(&self) -> impl Iterator<Item = &'a Message> {
        self.lists.acks(self.flow).map(|(_, entry)| &entry.message)
    }

    /// Sightings of requests within a dialog but CANCEL.
    pub(super) fn within_dialog(&self) -> impl Iterator<Item = (MessageId, &'a Entry)> {
        self.lists.within(self.flow)
    }

    /// The message `id`.
    pub fn message(&self, id: MessageId) -> &'a Message {
        self.flow.message(id)
    }

    /// The transaction `id`.
    pub fn transaction(&self, id: TransactionId) -> &'a Transaction {
        self.flow.transaction(id)
    }

    /// When `id` was seen.
    pub fn time(&self, id: MessageId) -> Timestamp {
        self.message(id).envelope.time
    }

    /// Guard END: the capture goes on for `nanos` after message `id`.
    pub fn covers(&self, id: MessageId, nanos: i64) -> bool {
        self.vantage.covers(self.time(id), nanos)
    }

    /// Guard BOTH: packets from the server of `hop` to its client could be seen.
    pub fn hears_server(&self, hop: &Hop) -> bool {
        self.vantage.saw(hop.server().ip, hop.client().ip)
    }

    /// Guard BOTH, the other way: packets from the client of `hop` to its server could be seen.
    pub fn hears_client(&self, hop: &Hop) -> bool {
        self.vantage.saw(hop.client().ip, hop.server().ip)
    }

    /// Guard WHOLE of what did not come: a message from one host to the other that was cut in its head
    /// may be the one that is missed.
    pub fn may_hide(&self, from: Endpoint, to: Endpoint) -> bool {
        self.vantage.may_hide(from.ip, to.ip)
    }

    /// Guard CLEAN: `severity`, one step lower when the capture itself lost packets.
    pub fn from_silence(&self, severity: Severity) -> Severity {
        if self.vantage.dropped == 0 { severity } else { severity.lower() }
    }
}

/// Whether a check could judge its subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The rule does not speak of this subject.
    Moot,
    /// Judged: what is wrong has been reported, and without a report nothing is.
    Judged,
    /// The capture cannot prove it either way; the reason in a few words.
    Undecided(&'static str),
}

/// One breach as a check reports it.
#[derive(Clone, Debug)]
pub struct Breach {
    /// What happened, in one line, with values.
    pub title: String,
    /// The places that prove it; the first is where it happened.
    pub places: Vec<Spot>,
    /// The highest severity the evidence allows.
    pub at_most: Option<Severity>,
    /// The header it is about, where breaches in other headers are other findings.
    pub about: Option<HeaderName>,
}

/// A place that proves a breach.
#[derive(Clone, Debug)]
pub struct Spot {
    /// The flow, where it is not the one under judgment.
    pub flow: Option<FlowId>,
    /// The message.
    pub message: MessageId,
    /// The part of its text, when not all of it.
    pub span: Option<Span>,
    /// What is to be seen there.
    pub note: String,
}

impl Breach {
    /// A breach called `title`, without a place yet.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), places: Vec::new(), at_most: None, about: None }
    }

    /// Adds a place: the part `span` of message `id`, and what is to be seen there.
    #[must_use]
    pub fn at(mut self, id: MessageId, span: Option<Span>, note: impl Into<String>) -> Self {
        self.places.push(Spot { flow: None, message: id, span, note: note.into() });
        self
    }

    /// Adds a place in another flow, and what is to be seen there.
    #[must_use]
    pub fn elsewhere(mut self, (flow, id): (FlowId, MessageId), note: impl Into<String>) -> Self {
        self.places.push(Spot { flow: Some(flow), message: id, span: None, note: note.into() });
        self
    }

    /// Counts it only with breaches in the same header.
    #[must_use]
    pub fn about(mut self, header: Option<HeaderName>) -> Self {
        self.about = header;
        self
    }

    /// Lowers its severity to `severity`, should it be higher.
    #[must_use]
    pub fn at_most(mut self, severity: Severity) -> Self {
        self.at_most = Some(severity);
        self
    }
}

/// Where a check reports.
pub struct Found<'a> {
    /// The message a message check is looking at.
    pub subject: MessageId,
    /// The thresholds.
    pub settings: &'a Settings,
    pub(super) index: RuleIndex,
    pub(super) selection: &'a Selection,
    /// Whose turn it is.
    pub(super) turn: Turn,
    pub(super) reported: &'a mut Vec<Reported>,
}

/// The place of what is judged among all that is judged together, in the order of what is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn {
    pub(super) flow: u32,
    pub(super) subject: Subject,
    pub(super) item: u32,
}

/// A breach, and the rule it is of.
#[derive(Clone, Debug)]
pub(super) struct Reported {
    pub(super) turn: Turn,
    pub(super) index: RuleIndex,
    pub(super) kind: Option<&'static str>,
    pub(super) severity: Severity,
    pub(super) breach: Breach,
}

impl Found<'_> {
    /// Reports a breach of a rule that has no kinds.
    pub fn add(&mut self, breach: impl FnOnce() -> Breach) {
        self.push(None, breach);
    }

    /// Reports a breach of the kind `kind`, one of the rule's.
    pub fn add_kind(&mut self, kind: &'static str, breach: impl FnOnce() -> Breach) {
        let kinds = self.index.rule().kinds;
        debug_assert!(kinds.iter().any(|(name, _)| *name == kind), "{kind} is declared");
        self.push(Some(kind), breach);
    }

    /// Builds the breach only when its kind is on: words cost more than judging.
    fn push(&mut self, kind: Option<&'static str>, breach: impl FnOnce() -> Breach) {
        let Some(level) = self.selection.level(self.index, kind) else { return };
        let breach = breach();
        let severity = match breach.at_most {
            Some(most) if !level.fixed => level.severity.min(most),
            _ => level.severity,
        };
        let Self { turn, index, .. } = *self;
        self.reported.push(Reported { turn, index, kind, severity, breach });
    }
}
