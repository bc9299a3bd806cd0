//! One row per SIP message, written as it is known: lines, whole messages, JSON, CSV.

use std::io::{self, Write};

use super::frames::Files;
use super::json::{self, message::KEYS, message::MessageWriter};
use super::line::LineWriter;
use super::message::{self, Detail};
use super::{Format, MessageRow, Style, csv, style};
use crate::limits::Tally;
use crate::time::{SECOND, Timestamp};

/// Writes rows of messages in one format; [`Messages::begin`] first, [`Messages::end`] last.
pub struct Messages<'a> {
    format: Format,
    detail: Detail,
    style: Style,
    files: Files<'a>,
    writer: MessageWriter,
    line: Vec<u8>,
    lines: LineWriter,
    rows: u64,
    day: Day,
}

/// The day of the last row.
#[derive(Default)]
struct Day {
    /// The quarter of an hour its time lies in: no clock on land changes its day within one.
    quarter: i64,
    /// Empty before the first row.
    date: String,
}

impl Day {
    /// The date of `time`, when it is another day than that of the row before.
    fn turn(&mut self, time: Timestamp, style: &Style) -> Option<&str> {
        let quarter = time.0.div_euclid(15 * 60 * SECOND);
        if quarter == self.quarter && !self.date.is_empty() {
            return None;
        }
        self.quarter = quarter;
        let before = std::mem::replace(&mut self.date, style.time.date(time));
        (!before.is_empty() && before != self.date).then_some(&self.date)
    }
}

impl<'a> Messages<'a> {
    /// A writer; `detail` counts for text only.
    pub fn new(format: Format, detail: Detail, style: Style, files: &'a [String]) -> Self {
        Self {
            format,
            detail,
            style,
            files: Files(files),
            writer: MessageWriter::default(),
            line: Vec::with_capacity(1024),
            lines: LineWriter::default(),
            rows: 0,
            day: Day::default(),
        }
    }

    /// What stands before the first row.
    pub fn begin(&mut self, out: &mut dyn Write) -> io::Result<()> {
        match self.format {
            Format::Json => json::open("messages", out),
            Format::Csv => csv::row(KEYS.iter().map(|key| key.as_bytes()), out),
            Format::Ndjson | Format::Text => Ok(()),
        }
    }

    /// One message.
    pub fn row(&mut self, row: &MessageRow<'_>, out: &mut dyn Write) -> io::Result<()> {
        self.rows += 1;
        self.line.clear();
        match self.format {
            Format::Text => {
                let time = row.message.envelope.time;
                if let Some(date) = self.day.turn(time, &self.style) {
                    writeln!(out, "{}", self.style.paint(style::DIM, date))?;
                }
                self.lines.write(row, self.files, &self.style, out)?;
                return match self.detail {
                    Detail::Line => Ok(()),
                    detail => message::write_whole(row, detail, &self.style, out),
                };
            }
            Format::Json => {
                self.line.extend_from_slice(if self.rows == 1 { b"\n" } else { b",\n" });
                self.writer.json(row, self.files, &mut self.line);
            }
            Format::Ndjson => {
                self.writer.json(row, self.files, &mut self.line);
                json::end("message", &mut self.line);
            }
            Format::Csv => self.writer.csv(row, self.files, &mut self.line),
        }
        out.write_all(&self.line)
    }

    /// What stands behind the last row.
    pub fn end(&mut self, tally: &Tally, out: &mut dyn Write) -> io::Result<()> {
        match self.format {
            Format::Json => json::close(tally, out),
            Format::Csv | Format::Ndjson | Format::Text => Ok(()),
        }
    }
}
