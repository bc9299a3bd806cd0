//! A call flow as a row of machine output.

use serde::Serialize;

use super::{Octets, Record};
use crate::model::{CallFlow, FlowKind, Summary};
use crate::sip::NameAddr;
use crate::time::MILLISECOND;
use crate::view::clock::Rfc3339;
use crate::view::subject::Subject;

/// One call flow: a row of `siplens list`.
#[derive(Serialize)]
#[allow(missing_docs)]
pub struct CallRecord<'a> {
    pub call_id: Octets<'a>,
    pub kind: &'static str,
    pub method: &'a str,
    pub state: &'static str,
    pub status: Option<u16>,
    pub start: String,
    pub end: String,
    pub from: Option<Octets<'a>>,
    pub to: Option<Octets<'a>>,
    pub src: Option<String>,
    pub sport: Option<u16>,
    pub dst: Option<String>,
    pub dport: Option<u16>,
    pub transport: &'static str,
    pub messages: u32,
    pub retransmissions: u32,
    pub duplicates: u32,
    pub pdd_ms: Option<f64>,
    pub ring_ms: Option<f64>,
    pub setup_ms: Option<f64>,
    pub duration_ms: Option<f64>,
    pub ended_by: Option<&'static str>,
    pub call: Option<usize>,
    pub frame: u64,
    pub file: &'a str,
    pub findings: Vec<&'static str>,
}

impl Record for CallRecord<'_> {
    const LIST: &'static str = "calls";
    const TYPE: &'static str = "call";
    const KEYS: &'static [&'static str] = &[
        "call_id",
        "kind",
        "method",
        "state",
        "status",
        "start",
        "end",
        "from",
        "to",
        "src",
        "sport",
        "dst",
        "dport",
        "transport",
        "messages",
        "retransmissions",
        "duplicates",
        "pdd_ms",
        "ring_ms",
        "setup_ms",
        "duration_ms",
        "ended_by",
        "call",
        "frame",
        "file",
        "findings",
    ];
}

impl<'a> CallRecord<'a> {
    /// Of `flow` and its `summary`; `call` counts the calls of the model from 1.
    pub fn of(
        subject: &Subject<'a>,
        flow: &'a CallFlow,
        summary: &'a Summary,
        call: Option<usize>,
    ) -> Self {
        let first = flow.message(summary.first);
        let envelope = &first.envelope;
        let (from, to) = (envelope.from.known(), envelope.to.known());
        let uri = |address: Option<NameAddr<'a>>| address.map(|address| Octets(address.uri));
        let breaches = subject.breaches_of(flow.id);
        let findings = breaches.iter().map(|(_, rule)| rule.code).collect();
        Self {
            call_id: Octets(flow.call_id()),
            kind: kind_word(summary.kind),
            method: summary.method.as_str(),
            state: summary.state.word(),
            status: summary.status.map(|status| status.0),
            start: Rfc3339::text(summary.start),
            end: Rfc3339::text(summary.end),
            from: uri(first.from()),
            to: uri(first.to()),
            src: from.map(|end| end.ip.to_string()),
            sport: from.map(|end| end.port),
            dst: to.map(|end| end.ip.to_string()),
            dport: to.map(|end| end.port),
            transport: envelope.transport.word(),
            messages: summary.messages,
            retransmissions: summary.retransmissions,
            duplicates: summary.duplicates,
            pdd_ms: millis(summary.pdd),
            ring_ms: millis(summary.ring),
            setup_ms: millis(summary.setup),
            duration_ms: millis(summary.duration),
            ended_by: summary.ended_by_caller.map(|by| if by { "caller" } else { "callee" }),
            call,
            frame: envelope.frame.number(),
            file: subject.files.file(envelope.frame),
            findings,
        }
    }
}

/// The stable word of a kind of flow.
pub const fn kind_word(kind: FlowKind) -> &'static str {
    match kind {
        FlowKind::Call => "call",
        FlowKind::Registration => "registration",
        FlowKind::Subscription => "subscription",
        FlowKind::Other => "other",
    }
}

/// Milliseconds, to the microsecond; exact for 285 years.
#[allow(clippy::cast_precision_loss)]
pub(super) fn millis(nanos: Option<i64>) -> Option<f64> {
    nanos.map(|nanos| (nanos / 1000) as f64 / (MILLISECOND / 1000) as f64)
}
