//! A finding as a row of machine output.

use serde::Serialize;

use super::Record;
use crate::octets::octets;
use crate::rules::{Finding, Place, Rule};
use crate::sip::{Message, Span};
use crate::view::clock::Rfc3339;
use crate::view::page;
use crate::view::secret::{self, MASK, Part};
use crate::view::subject::Subject;

/// One group of equal breaches: a row of `siplens check`.
#[derive(Serialize)]
#[allow(missing_docs)]
pub struct FindingRecord<'a> {
    pub rule: &'static str,
    pub code: &'static str,
    pub kind: Option<&'static str>,
    pub severity: &'static str,
    pub title: &'a str,
    pub call_id: String,
    pub sender: &'a str,
    pub hop: &'a str,
    pub evidence: Vec<EvidenceRecord<'a>>,
    pub frames: Vec<u64>,
    pub refs: &'static [&'static str],
    pub help: String,
    pub count: u64,
    pub first: String,
    pub last: String,
}

/// One place that proves a finding.
#[derive(Serialize)]
#[allow(missing_docs)]
pub struct EvidenceRecord<'a> {
    pub frame: u64,
    pub file: &'a str,
    pub time: String,
    pub call_id: String,
    pub offset: Option<u32>,
    pub len: Option<u32>,
    pub text: Option<String>,
    pub note: &'a str,
}

impl Record for FindingRecord<'_> {
    const LIST: &'static str = "findings";
    const TYPE: &'static str = "finding";
    const KEYS: &'static [&'static str] = &[
        "rule", "code", "kind", "severity", "title", "call_id", "sender", "hop", "evidence",
        "frames", "refs", "help", "count", "first", "last",
    ];
}

/// Keys of one piece of evidence, in order.
pub const EVIDENCE_KEYS: &[&str] =
    &["frame", "file", "time", "call_id", "offset", "len", "text", "note"];

impl<'a> FindingRecord<'a> {
    /// Of `finding`.
    pub fn of(subject: &Subject<'a>, finding: &'a Finding) -> Self {
        let evidence: Vec<_> =
            finding.evidence.iter().map(|place| EvidenceRecord::of(subject, place)).collect();
        Self {
            rule: finding.rule.name,
            code: finding.rule.code,
            kind: finding.kind,
            severity: finding.severity.word(),
            title: &finding.title,
            call_id: evidence.first().map(|first| first.call_id.clone()).unwrap_or_default(),
            sender: &finding.sender,
            hop: &finding.hop,
            frames: evidence.iter().map(|place| place.frame).collect(),
            evidence,
            refs: finding.rule.refs,
            help: help(finding.rule),
            count: finding.count,
            first: Rfc3339::text(finding.first),
            last: Rfc3339::text(finding.last),
        }
    }
}

impl<'a> EvidenceRecord<'a> {
    fn of(subject: &Subject<'a>, place: &'a Place) -> Self {
        let flow = subject.flow(place.flow);
        let message = flow.message(place.message);
        Self {
            frame: message.envelope.frame.number(),
            file: subject.files.file(message.envelope.frame),
            time: Rfc3339::text(message.envelope.time),
            call_id: octets(flow.call_id()).into_owned(),
            offset: place.span.map(|span| span.start),
            len: place.span.map(|span| span.end.saturating_sub(span.start)),
            text: place.span.map(|span| evidence_text(message, span)),
            note: &place.note,
        }
    }
}

/// What a rule means and what to do, for machine output and for people.
pub fn help(rule: &Rule) -> String {
    let parts = [page::why(rule), page::remedy(rule)];
    let text: Vec<String> = parts.into_iter().flatten().collect();
    if text.is_empty() { rule.statement.to_owned() } else { text.join(" ") }
}

/// The octets a finding points at, secrets masked; at most 400 of them.
pub fn evidence_text(message: &Message, span: Span) -> String {
    let secrets = secret::places(message);
    let range = span.range();
    let range = range.start..range.end.min(range.start + 400);
    secret::parts(&secrets, range)
        .into_iter()
        .map(|(range, part)| match part {
            Part::Open => octets(message.text().get(range).unwrap_or_default()).into_owned(),
            Part::Secret => MASK.to_owned(),
        })
        .collect()
}
