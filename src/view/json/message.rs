//! One SIP message as JSON or CSV, by hand into a reused buffer: a capture may hold millions.

use std::borrow::Cow;

use super::octets::{append, append_text};
use crate::net::Endpoint;
use crate::octets::octets;
use crate::sip::Message;
use crate::view::clock::Rfc3339;
use crate::view::csv;
use crate::view::digits::{append_address as address, append_number as number};
use crate::view::frames::Files;
use crate::view::subject::MessageRow;

/// All keys in order. `method` and `request_uri` are those of requests, `status` and `reason`
/// those of responses; `note`, `of_frame` and `path` are absent on ordinary messages.
pub const KEYS: &[&str] = &[
    "frame",
    "file",
    "time",
    "src",
    "sport",
    "dst",
    "dport",
    "transport",
    "method",
    "status",
    "reason",
    "request_uri",
    "call_id",
    "cseq",
    "cseq_method",
    "from_tag",
    "to_tag",
    "note",
    "of_frame",
    "findings",
    "path",
];

/// Appends messages to a buffer; keeps what is the same from one to the next.
#[derive(Debug, Default)]
pub struct MessageWriter {
    clock: Rfc3339,
}

impl MessageWriter {
    /// Appends one JSON object, without line end.
    pub fn json(&mut self, row: &MessageRow<'_>, files: Files<'_>, out: &mut Vec<u8>) {
        let message = row.message;
        let envelope = &message.envelope;
        out.extend_from_slice(b"{\"frame\":");
        number(envelope.frame.number(), out);
        out.extend_from_slice(b",\"file\":");
        append_text(files.file(envelope.frame), out);
        out.extend_from_slice(b",\"time\":\"");
        self.clock.append(envelope.time, out);
        out.push(b'"');
        end_json("src", "sport", envelope.from, out);
        end_json("dst", "dport", envelope.to, out);
        text("transport", Some(envelope.transport.word().as_bytes()), out);
        first_line(message, out);
        text("call_id", message.call_id(), out);
        let cseq = message.cseq();
        key("cseq", out);
        match &cseq {
            Some(cseq) => number(u64::from(cseq.number), out),
            None => out.extend_from_slice(b"null"),
        }
        text("cseq_method", cseq.map(|cseq| cseq.method), out);
        text("from_tag", message.from_tag(), out);
        text("to_tag", message.to_tag(), out);
        if let Some(note) = row.note() {
            text("note", Some(note.as_bytes()), out);
        }
        if let Some(relation) = row.relation {
            key("of_frame", out);
            number(relation.frame().number(), out);
        }
        key("findings", out);
        out.push(b'[');
        for (index, code) in row.findings.iter().enumerate() {
            if index != 0 {
                out.push(b',');
            }
            append_text(code, out);
        }
        out.push(b']');
        if !row.path.is_empty() {
            word("path", row.path, out);
        }
        if !row.interface.is_empty() {
            text("interface", Some(row.interface.as_bytes()), out);
        }
        out.push(b'}');
    }

    /// Appends one CSV row with its line end.
    pub fn csv(&mut self, row: &MessageRow<'_>, files: Files<'_>, out: &mut Vec<u8>) {
        let message = row.message;
        let envelope = &message.envelope;
        number(envelope.frame.number(), out);
        out.push(b',');
        csv::append(files.file(envelope.frame).as_bytes(), out);
        out.push(b',');
        self.clock.append(envelope.time, out);
        for end in [envelope.from, envelope.to] {
            out.push(b',');
            if let Some(end) = end.known() {
                address(end.ip, out);
                out.push(b',');
                number(u64::from(end.port), out);
            } else {
                out.push(b',');
            }
        }
        let cseq = message.cseq();
        let status = message.status().map(|status| status.0.to_string());
        let cseq_number = cseq.map(|cseq| cseq.number.to_string());
        let of_frame = row.relation.map(|relation| relation.frame().number().to_string());
        let findings = row.findings.join(" ");
        for cell in [
            Some(envelope.transport.word().into()),
            message.method().map(|method| method.as_str().into()),
            status.map(Cow::Owned),
            message.reason().map(octets),
            message.request_uri().map(octets),
            message.call_id().map(octets),
            cseq_number.map(Cow::Owned),
            cseq.map(|cseq| octets(cseq.method)),
            message.from_tag().map(octets),
            message.to_tag().map(octets),
            row.note().map(Cow::Borrowed),
            of_frame.map(Cow::Owned),
            Some(findings.into()),
            Some(row.path.into()),
        ] {
            out.push(b',');
            csv::append(cell.unwrap_or_default().as_bytes(), out);
        }
        out.extend_from_slice(b"\r\n");
    }
}

fn first_line(message: &Message, out: &mut Vec<u8>) {
    if let Some(method) = message.method() {
        word("method", method.as_str(), out);
        text("request_uri", message.request_uri(), out);
    }
    if let Some(status) = message.status() {
        key("status", out);
        number(u64::from(status.0), out);
        text("reason", message.reason(), out);
    }
}

fn end_json(address_key: &str, port_key: &str, end: Endpoint, out: &mut Vec<u8>) {
    let Some(end) = end.known() else {
        text(address_key, None, out);
        return text(port_key, None, out);
    };
    key(address_key, out);
    out.push(b'"');
    address(end.ip, out);
    out.push(b'"');
    key(port_key, out);
    number(u64::from(end.port), out);
}

fn key(name: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

fn word(name: &str, value: &str, out: &mut Vec<u8>) {
    key(name, out);
    append_text(value, out);
}

fn text(name: &str, value: Option<&[u8]>, out: &mut Vec<u8>) {
    key(name, out);
    match value {
        Some(value) => append(value, out),
        None => out.extend_from_slice(b"null"),
    }
}
