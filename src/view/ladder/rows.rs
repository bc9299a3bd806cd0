//! The rows of a ladder: messages, evidence and remarks, in order of time.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::IpAddr;

use super::lanes::Lanes;
use super::payload::payload;
use super::{
    Arrow, Class, Duplicates, Event, FindingMark, Ladder, LadderOptions, Mark, Row, SdpSummary,
};
use crate::model::{CallFlow, Evidence, EvidenceKind, FlowId, LinkKind, MessageId, Note, Usage};
use crate::net::IcmpKind;
use crate::rules::Finding;
use crate::sip::{Contact, HeaderName, Message, Method, Status};
use crate::time::Timestamp;
use crate::transport::tls::alert_word;
use crate::transport::{Completeness, ConnectionChange};
use crate::view::clock::span;
use crate::view::subject::{Relation, Subject};
use crate::view::visible::visible;

/// See [`Ladder::of`].
pub(super) fn build(subject: &Subject<'_>, flows: &[FlowId], options: &LadderOptions) -> Ladder {
    let mut moments = Vec::new();
    for (leg, id) in flows.iter().enumerate() {
        let flow = subject.flow(*id);
        moments.extend(flow.entries().map(|(message, entry)| Moment {
            seq: entry.message.envelope.seq,
            leg,
            what: What::Message(*id, message),
        }));
        moments.extend(flow.evidence.iter().map(|evidence| Moment {
            seq: evidence.signal.seq,
            leg,
            what: What::Evidence(evidence),
        }));
        moments.extend(outcomes(leg, flow));
    }
    moments.extend(joins(subject, flows));
    // The sort is stable: a remark comes after the message it is about.
    moments.sort_by_key(|moment| (moment.seq, matches!(moment.what, What::Remark(..))));

    let mut builder =
        Builder { subject, options, lanes: Lanes::default(), hidden: 0, told: BTreeSet::new() };
    let mut rows: Vec<Row> = moments.iter().filter_map(|moment| builder.row(moment)).collect();
    let (lanes, places) = builder.lanes.arrange();
    finish(&mut rows, &places);
    Ladder {
        title: title(subject, flows),
        legs: flows.iter().map(|id| call_id(subject.flow(*id))).collect(),
        lanes,
        rows,
        hidden_duplicates: builder.hidden,
    }
}

/// The Call-ID of a flow; short captures cut it off.
fn call_id(flow: &CallFlow) -> String {
    let text = visible(flow.call_id());
    if text.is_empty() { "(not captured)".to_owned() } else { text }
}

/// Something that may become a row.
struct Moment<'a> {
    seq: u64,
    leg: usize,
    what: What<'a>,
}

enum What<'a> {
    Message(FlowId, MessageId),
    Evidence(&'a Evidence),
    Remark(Timestamp, String),
}

struct Builder<'a> {
    subject: &'a Subject<'a>,
    options: &'a LadderOptions,
    lanes: Lanes,
    hidden: u32,
    /// Findings told at a message above.
    told: BTreeSet<(FlowId, &'static str, String)>,
}

impl Builder<'_> {
    fn row(&mut self, moment: &Moment<'_>) -> Option<Row> {
        let (time, frame, event) = match &moment.what {
            What::Message(flow, message) => {
                let envelope = self.subject.flow(*flow).message(*message).envelope;
                (envelope.time, Some(envelope.frame), Event::Message(self.arrow(*flow, *message)?))
            }
            What::Evidence(evidence) => {
                let from = self.lanes.lane(evidence.signal.from, self.options);
                let to = self.lanes.lane(evidence.signal.to, self.options);
                let label = evidence_words(evidence.kind);
                let event = Event::Evidence { from, to, label };
                (evidence.signal.time, Some(evidence.signal.frame), event)
            }
            What::Remark(time, text) => (*time, None, Event::Remark(text.clone())),
        };
        let frame_name = frame.map(|frame| self.subject.files.frame(frame)).unwrap_or_default();
        Some(Row { time, delta: None, frame, frame_name, leg: moment.leg, event })
    }

    /// `None` for a duplicate that is to be hidden.
    fn arrow(&mut self, flow_id: FlowId, id: MessageId) -> Option<Arrow> {
        let flow = self.subject.flow(flow_id);
        let entry = flow.entry(id);
        let message = &entry.message;
        let from = self.lanes.lane(message.envelope.from, self.options);
        let to = self.lanes.lane(message.envelope.to, self.options);
        let is_duplicate = matches!(entry.note, Note::Duplicate(_));
        if is_duplicate && self.options.duplicates == Duplicates::Hidden {
            self.hidden += 1;
            return None;
        }
        if let Some(method) = message.method() {
            let opens = message.to_tag().is_none() && *method != Method::Ack;
            self.lanes.request(from, to, if opens { 16 } else { 1 });
        }
        if let Some(product) = product(message) {
            self.lanes.product(from, product);
        }
        Some(Arrow {
            from,
            to,
            place: (flow_id, id),
            head: head(message),
            tail: tail(message),
            class: class(message),
            sdp: sdp(flow, id),
            payload: payload(message),
            marks: self.marks(flow_id, id),
        })
    }

    fn marks(&mut self, flow_id: FlowId, id: MessageId) -> Vec<Mark> {
        let flow = self.subject.flow(flow_id);
        let entry = flow.entry(id);
        let mut marks = Vec::new();
        if let Some(relation) = Relation::of(flow, entry.note) {
            marks.push(Mark::Relation(relation, self.subject.files.frame(relation.frame())));
        }
        match entry.message.envelope.completeness {
            Completeness::Whole => {}
            Completeness::Truncated => marks.push(Mark::Incomplete("truncated")),
            Completeness::Gap => marks.push(Mark::Incomplete("gap")),
            Completeness::Desync => marks.push(Mark::Incomplete("desync")),
        }
        // A message that is sent again does not tell again what its first sending told.
        let again = matches!(entry.note, Note::Retransmission(_));
        for finding in self.findings(flow_id, id) {
            let fresh = self.told.insert((flow_id, finding.code, finding.title.clone()));
            if fresh || !again {
                marks.push(Mark::Finding(finding));
            }
        }
        marks
    }

    /// The breaches at a message, each rule once: in the words of its finding where that points
    /// here, else with what the rule says.
    fn findings(&self, flow: FlowId, id: MessageId) -> Vec<FindingMark> {
        let mut found: Vec<FindingMark> = Vec::new();
        let here = |finding: &&Finding| {
            finding.evidence.first().is_none_or(|place| (place.flow, place.message) == (flow, id))
        };
        for finding in self.subject.findings_at(flow, id).filter(here) {
            found.push(FindingMark {
                severity: finding.severity,
                code: finding.rule.code,
                name: finding.rule.name,
                title: visible(finding.title.as_bytes()),
            });
        }
        for mark in self.subject.marks_at(flow, id) {
            let rule = mark.rule.rule();
            if found.iter().all(|known| known.code != rule.code) {
                found.push(FindingMark {
                    severity: mark.severity,
                    code: rule.code,
                    name: rule.name,
                    title: rule.statement.to_owned(),
                });
            }
        }
        found.sort_by_key(|mark| std::cmp::Reverse(mark.severity));
        found
    }
}

/// Lanes by their place from left to right, and the distance of each row from the one before.
fn finish(rows: &mut [Row], places: &[usize]) {
    let place = |lane: usize| places.get(lane).copied().unwrap_or(lane);
    let mut before = None;
    for row in rows {
        match &mut row.event {
            Event::Message(arrow) => {
                arrow.from = place(arrow.from);
                arrow.to = place(arrow.to);
            }
            Event::Evidence { from, to, .. } => {
                *from = place(*from);
                *to = place(*to);
            }
            Event::Remark(_) => continue,
        }
        row.delta = before.map(|before| row.time.since(before));
        before = Some(row.time);
    }
}

/// The session description of a message; on a later hop it is mostly the same.
fn sdp(flow: &CallFlow, id: MessageId) -> Option<SdpSummary> {
    let entry = flow.entry(id);
    let mut sdp = SdpSummary::of(&entry.message)?;
    if let Note::Forwarded(before) | Note::Retransmission(before) = entry.note {
        let before = SdpSummary::of(flow.message(before));
        sdp.passed_on = before.is_some_and(|before| before.full == sdp.full);
    }
    Some(sdp)
}

/// Method, or status and reason phrase.
fn head(message: &Message) -> String {
    match (message.method(), message.status()) {
        (Some(method), _) => visible(method.as_str().as_bytes()),
        (None, Some(Status(code))) => {
            let reason = visible(message.reason().unwrap_or_default());
            if reason.is_empty() { code.to_string() } else { format!("{code} {reason}") }
        }
        (None, None) => String::new(),
    }
}

fn tail(message: &Message) -> Option<String> {
    if let Some(uri) = message.request_uri() {
        return Some(visible(uri));
    }
    let method = message.cseq()?.method;
    (method != b"INVITE" && !method.is_empty()).then(|| visible(method))
}

fn class(message: &Message) -> Class {
    match message.status() {
        None => Class::Request,
        Some(status) if status.is_provisional() => Class::Provisional,
        Some(status) if status.is_success() => Class::Success,
        Some(Status(300..=399)) => Class::Redirect,
        Some(_) => Class::Failure,
    }
}

/// What the sender says it is, where it is certain that the sender itself wrote the message:
/// a request with one Via, a response no proxy passes on, or whose Contact is the sender.
fn product(message: &Message) -> Option<&[u8]> {
    let written_here = match message.status() {
        None => message.vias().count() == 1,
        Some(Status(100 | 407)) => true,
        Some(_) => message.contacts().next().is_some_and(|contact| {
            matches!(contact, Contact::Address(address)
                if host_of(address.parsed_uri().map(|uri| uri.host)) == Some(message.envelope.from.ip))
        }),
    };
    let header = if message.is_request() { HeaderName::UserAgent } else { HeaderName::Server };
    let value = message.value(header).or_else(|| message.value(HeaderName::UserAgent));
    value.filter(|_| written_here)
}

fn host_of(host: Option<&[u8]>) -> Option<IpAddr> {
    let host = std::str::from_utf8(host?).ok()?;
    host.trim_matches(['[', ']']).parse().ok()
}

/// Words for evidence from outside SIP.
pub(crate) fn evidence_words(kind: EvidenceKind) -> String {
    match kind {
        EvidenceKind::Icmp(kind) => icmp_words(kind).to_owned(),
        EvidenceKind::Media(kind) => format!("{} for media", icmp_words(kind)),
        EvidenceKind::Connection(ConnectionChange::Opened) => "connection opened".to_owned(),
        EvidenceKind::Connection(ConnectionChange::Closed) => "connection closed (FIN)".to_owned(),
        EvidenceKind::Connection(ConnectionChange::Reset) => "connection reset (RST)".to_owned(),
        EvidenceKind::Connection(ConnectionChange::Refused) => {
            "connection refused (RST)".to_owned()
        }
        EvidenceKind::Connection(ConnectionChange::TlsAlert(code)) => {
            let word = alert_word(code).map(|word| format!(" {word}")).unwrap_or_default();
            format!("TLS alert {code}{word}")
        }
    }
}

const fn icmp_words(kind: IcmpKind) -> &'static str {
    match kind {
        IcmpKind::PortUnreachable => "ICMP port unreachable",
        IcmpKind::HostUnreachable => "ICMP host unreachable",
        IcmpKind::NetUnreachable => "ICMP net unreachable",
        IcmpKind::Prohibited => "ICMP prohibited",
        IcmpKind::FragmentationNeeded => "ICMP packet too big",
        IcmpKind::TimeExceeded => "ICMP time exceeded",
        IcmpKind::Other => "ICMP error",
    }
}

/// Remarks on what became of the sessions of a flow.
fn outcomes(leg: usize, flow: &CallFlow) -> Vec<Moment<'static>> {
    let mut moments = Vec::new();
    for dialog in flow.dialogs().iter().filter(|dialog| dialog.usage == Usage::Invite) {
        let Some(answer) = dialog.confirmed else { continue };
        let answer = flow.message(answer).envelope;
        // A request inside the dialog did not begin it: the begin was not captured.
        let request = dialog
            .creator
            .and_then(|id| flow.transaction(id).request)
            .filter(|id| flow.message(*id).to_tag().is_none());
        let text = match request.map(|id| flow.message(id).envelope.time) {
            Some(time) => format!("answered after {}", span(answer.time.since(time))),
            None => String::new(),
        };
        if !text.is_empty() {
            moments.push(Moment { seq: answer.seq, leg, what: What::Remark(answer.time, text) });
        }
        let Some(end) = dialog.ended.map(|id| flow.message(id)) else { continue };
        if end.method() != Some(&Method::Bye) {
            continue;
        }
        let [caller, callee] = flow.tags(dialog);
        let by = match end.from_tag() {
            Some(tag) if tag == caller => " by caller",
            Some(tag) if tag == callee => " by callee",
            _ => "",
        };
        let end = end.envelope;
        let text = match request {
            Some(_) => format!("ended{by} after {}", span(end.time.since(answer.time))),
            None => format!("ended{by}"),
        };
        moments.push(Moment { seq: end.seq, leg, what: What::Remark(end.time, text) });
    }
    moments
}

/// Remarks on why the flows stand in one ladder, each before the first message of the later one.
fn joins(subject: &Subject<'_>, flows: &[FlowId]) -> Vec<Moment<'static>> {
    let leg_of = |id: FlowId| flows.iter().position(|flow| *flow == id);
    let mut moments = Vec::new();
    for link in subject.model.calls().iter().flat_map(|call| &call.links) {
        let (Some(earlier), Some(later)) = (leg_of(link.from), leg_of(link.to)) else { continue };
        let Some(first) = subject.flow(link.to).messages.first() else { continue };
        let why = match link.kind {
            LinkKind::Replaces => "Replaces names leg",
            LinkKind::Refer => "a REFER asked for it in leg",
            LinkKind::Redirect => "redirected from leg",
            LinkKind::SessionId => "names the session of leg",
            LinkKind::Inferred => "seems to go on for leg",
        };
        let mut text = format!("leg {}: {why} {}", later + 1, earlier + 1);
        if let Some((flow, message)) = link.evidence {
            let frame = subject.flow(flow).message(message).envelope.frame;
            let _ = write!(text, " (frame {})", subject.files.frame(frame));
        }
        let envelope = first.message.envelope;
        let what = What::Remark(envelope.time, text);
        moments.push(Moment { seq: envelope.seq, leg: later, what });
    }
    moments
}

/// Method, From and To of the first flow.
fn title(subject: &Subject<'_>, flows: &[FlowId]) -> String {
    let Some(first) = flows.first().and_then(|id| subject.flow(*id).messages.first()) else {
        return String::new();
    };
    let message = &first.message;
    let uri = |address: Option<crate::sip::NameAddr<'_>>| {
        address.map_or_else(|| "?".to_owned(), |address| visible(address.uri))
    };
    let (from, to) = (uri(message.from()), uri(message.to()));
    let whom = if from == to { from } else { format!("{from} to {to}") };
    let method = message.cseq().map(|cseq| visible(cseq.method)).unwrap_or_default();
    format!("{method} {whom}").trim_start().to_owned()
}
