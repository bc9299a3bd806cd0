//! JSON: frozen types of its own, by version; every key is in docs/json.md.

pub mod audit;
pub mod call;
pub mod finding;
pub mod message;
pub mod octets;

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;

use super::Format;
use super::csv;
use crate::limits::Tally;

pub use octets::Octets;

/// The version of the format, in every JSON document.
pub const VERSION: &str = "siplens/1";

/// A row of machine output. Keys are never renamed within a version; new ones are added at the end.
pub trait Record: Serialize {
    /// The name of the list in a JSON document.
    const LIST: &'static str;
    /// What a line of its own says it is.
    const TYPE: &'static str;
    /// All keys in order: the columns of CSV.
    const KEYS: &'static [&'static str];
}

/// What was read, and what was not.
#[derive(Serialize)]
pub struct Completeness<'a> {
    /// Packets read.
    pub packets: u64,
    /// SIP messages found.
    pub messages: u64,
    /// What is missing, was not understood, let go or retimed: counts by reason.
    pub lost: &'a std::collections::BTreeMap<&'static str, u64>,
    /// Sentences about single events.
    pub notices: &'a [String],
}

impl<'a> Completeness<'a> {
    /// Of a whole run.
    pub fn of(tally: &'a Tally) -> Self {
        Self {
            packets: tally.frames,
            messages: tally.messages,
            lost: &tally.lost,
            notices: &tally.notices,
        }
    }
}

/// Writes `records` in a format for machines; [`Format::Text`] is written as JSON lines.
pub fn write<T: Record>(
    records: impl Iterator<Item = T>,
    format: Format,
    tally: &Tally,
    out: &mut dyn Write,
) -> io::Result<()> {
    match format {
        Format::Json => document(records, tally, out),
        Format::Csv => table(records, out),
        Format::Ndjson | Format::Text => {
            let mut records = records;
            records.try_for_each(|record| line(&record, T::TYPE, out))
        }
    }
}

/// Writes `value` as JSON that is safe to look at: treacherous characters are escaped.
pub fn value(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(out, octets::Careful);
    value.serialize(&mut serializer).map_err(io::Error::from)
}

/// Writes the object `value` as a line that says what `kind` of line it is.
pub fn line(value: &impl Serialize, kind: &str, out: &mut dyn Write) -> io::Result<()> {
    let mut line = Vec::with_capacity(1024);
    self::value(value, &mut line)?;
    end(kind, &mut line);
    out.write_all(&line)
}

/// Ends a line that holds an object and says what it is.
pub(super) fn end(kind: &str, line: &mut Vec<u8>) {
    // The brace moves behind the last key.
    line.pop();
    line.extend_from_slice(b",\"type\":\"");
    line.extend_from_slice(kind.as_bytes());
    line.extend_from_slice(b"\"}\n");
}

fn document<T: Record>(
    records: impl Iterator<Item = T>,
    tally: &Tally,
    out: &mut dyn Write,
) -> io::Result<()> {
    open(T::LIST, out)?;
    for (index, record) in records.enumerate() {
        out.write_all(if index == 0 { b"\n" } else { b",\n" })?;
        value(&record, out)?;
    }
    close(tally, out)
}

/// Writes the beginning of a document, up to the bracket of its list.
pub(super) fn open(list: &str, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "{{\"format\":\"{VERSION}\",\"{list}\":[")
}

/// Writes the end of a document, from the bracket of its list.
pub(super) fn close(tally: &Tally, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(b"\n],\"completeness\":")?;
    value(&Completeness::of(tally), out)?;
    out.write_all(b"}\n")
}

fn table<T: Record>(records: impl Iterator<Item = T>, out: &mut dyn Write) -> io::Result<()> {
    csv::row(T::KEYS.iter().map(|key| key.as_bytes()), out)?;
    for record in records {
        let value = serde_json::to_value(&record).map_err(io::Error::from)?;
        let cells: Vec<String> = T::KEYS.iter().map(|key| cell(value.get(*key))).collect();
        csv::row(cells.iter().map(String::as_bytes), out)?;
    }
    Ok(())
}

/// A value as one cell: lists with spaces between, nothing for null and absent.
fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) if !items.iter().any(Value::is_object) => {
            items.iter().map(|item| cell(Some(item))).collect::<Vec<_>>().join(" ")
        }
        Some(other) => other.to_string(),
    }
}
