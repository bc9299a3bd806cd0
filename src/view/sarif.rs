//! Findings as SARIF 2.1.0 (OASIS), for code scanning services.
//!
//! A capture has no lines: a place is the file, and the frame in its message and properties.

use std::fmt::Write as _;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Value, json};

use super::Subject;
use super::clock::Rfc3339;
use super::json::finding::{evidence_text, help};
use super::json::value;
use crate::octets::octets;
use crate::rules::{Finding, Place, Rule, Severity};

/// Writes the findings of `subject` as one SARIF log.
pub fn write(subject: &Subject<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut rules: Vec<&Rule> = subject.findings.iter().map(|finding| finding.rule).collect();
    rules.sort_by_key(|rule| rule.code);
    rules.dedup_by_key(|rule| rule.code);
    let results: Vec<Value> =
        subject.findings.iter().map(|finding| result(subject, finding, &rules)).collect();
    let log = Log {
        schema: "https://json.schemastore.org/sarif-2.1.0.json",
        version: "2.1.0",
        runs: [json!({
            "tool": { "driver": {
                "name": "siplens",
                "version": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": rules.iter().map(|rule| descriptor(rule)).collect::<Vec<_>>(),
            }},
            "artifacts": subject.files.0.iter()
                .map(|file| json!({ "location": { "uri": uri(file) } }))
                .collect::<Vec<_>>(),
            "columnKind": "unicodeCodePoints",
            "results": results,
        })],
    };
    value(&log, out)?;
    out.write_all(b"\n")
}

#[derive(Serialize)]
struct Log {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Value; 1],
}

fn descriptor(rule: &Rule) -> Value {
    json!({
        "id": rule.code,
        "name": rule.name,
        "shortDescription": { "text": rule.statement },
        "fullDescription": { "text": format!("{} ({})", rule.statement, rule.refs.join(", ")) },
        "help": { "text": help(rule), "markdown": rule.page },
        "defaultConfiguration": { "level": level(rule.severity) },
    })
}

fn result(subject: &Subject<'_>, finding: &Finding, rules: &[&Rule]) -> Value {
    let place = finding.evidence.first();
    let call_id = place.map(|place| octets(subject.flow(place.flow).call_id()).into_owned());
    let mut locations = finding.evidence.iter().map(|place| location(subject, place));
    let first: Vec<Value> = locations.next().into_iter().collect();
    json!({
        "ruleId": finding.rule.code,
        "ruleIndex": rules.iter().position(|rule| rule.code == finding.rule.code),
        "level": level(finding.severity),
        "message": { "text": format!("{} ({})", finding.title, finding.sender) },
        "locations": first,
        "relatedLocations": locations.collect::<Vec<_>>(),
        "occurrenceCount": finding.count.max(1),
        "partialFingerprints": { "siplens/1": fingerprint(finding, call_id.as_deref()) },
        "properties": {
            "rule": finding.rule.name,
            "kind": finding.kind,
            "severity": finding.severity.word(),
            "call_id": call_id,
            "sender": finding.sender,
            "hop": finding.hop,
            "first": Rfc3339::text(finding.first),
            "last": Rfc3339::text(finding.last),
        },
    })
}

fn location(subject: &Subject<'_>, place: &Place) -> Value {
    let message = subject.flow(place.flow).message(place.message);
    let envelope = &message.envelope;
    let note = if place.note.is_empty() { "see this message" } else { &place.note };
    json!({
        "physicalLocation": { "artifactLocation": {
            "uri": uri(subject.files.file(envelope.frame)),
            "index": envelope.frame.file().0,
        }},
        "message": { "text": format!("frame {}: {note}", envelope.frame.number()) },
        "properties": {
            "frame": envelope.frame.number(),
            "time": Rfc3339::text(envelope.time),
            "offset": place.span.map(|span| span.start),
            "text": place.span.map(|span| evidence_text(message, span)),
        },
    })
}

/// What makes two findings the same from one run to the next.
fn fingerprint(finding: &Finding, call_id: Option<&str>) -> String {
    let kind = finding.kind.unwrap_or_default();
    format!("{}:{kind}:{}:{}", finding.rule.code, finding.sender, call_id.unwrap_or_default())
}

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    }
}

/// A path as a URI reference: octets outside RFC 3986's unreserved set and `/` are escaped.
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(byte as char);
            }
            other => {
                let _ = write!(uri, "%{other:02X}");
            }
        }
    }
    uri
}
