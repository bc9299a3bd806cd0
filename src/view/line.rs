//! One message in one line: frame, time, hop, transport, first line, Call-ID, notes. Written by hand
//! into a reused buffer: of a busy server there are 100,000 a second.

use std::borrow::Cow;
use std::io::{self, Write};
use std::ops::Range;

use anstyle::Style as Paint;

use super::clock::{TimesOfDay, append_elapsed};
use super::digits::{append_endpoint, append_number, pad_left_to, pad_to};
use super::frames::Files;
use super::message::masked;
use super::secret;
use super::style::{self, Charset, Coloring};
use super::visible::{columns, elide, shown, visible_ascii};
use super::{MessageRow, Relation, Style};
use crate::sip::Message;

/// Columns of the number of a frame, of a hop, of the name of an interface, of a transport; what is
/// longer takes more.
const FRAME: usize = 5;
const HOP: usize = 31;
const INTERFACE: usize = 6;
const TRANSPORT: usize = 4;

/// Columns that Request-URI and Call-ID keep before notes are shortened.
const TELLING: usize = 16;

/// Writes lines of messages; keeps what is the same from one to the next.
#[derive(Debug, Default)]
pub(super) struct LineWriter {
    times: TimesOfDay,
    line: Line,
}

/// A line, and where its parts begin. The first line of the message has three, of which only the
/// middle one may be cut: method, Request-URI, nothing; status, reason phrase, the method it answers.
#[derive(Debug, Default)]
struct Line {
    text: Vec<u8>,
    middle: usize,
    after: usize,
    call_id: usize,
    notes: usize,
}

/// How notes are worded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wording {
    Full,
    /// As ladders have it, for narrow terminals.
    Short,
}

impl LineWriter {
    /// Writes the line of `row`.
    pub(super) fn write(
        &mut self,
        row: &MessageRow<'_>,
        files: Files<'_>,
        style: &Style,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        self.fill(row, files, style);
        if !style.is_unbounded() {
            self.line.fit(style, |text| append_notes(row, files, Wording::Short, text));
        }
        let Line { text, .. } = &mut self.line;
        if style.coloring == Coloring::None {
            text.push(b'\n');
            return out.write_all(text);
        }
        let paint = class_paint(row.message);
        write!(out, "{}", paint.render())?;
        out.write_all(text)?;
        writeln!(out, "{}", paint.render_reset())
    }

    /// Puts the whole line into the buffer.
    fn fill(&mut self, row: &MessageRow<'_>, files: Files<'_>, style: &Style) {
        self.line.text.clear();
        self.lead(row, files, style);
        let Line { text, middle, after, call_id, notes } = &mut self.line;
        text.push(b' ');
        let first = append_first(row.message, style.charset, text);
        (*middle, *after, *call_id) = (first.start, first.end, text.len());
        if let Some(id) = row.message.call_id().filter(|id| !id.is_empty()) {
            text.extend_from_slice(b"  ");
            text.extend_from_slice(safe(id, style.charset).as_bytes());
        }
        *notes = text.len();
        append_notes(row, files, Wording::Full, text);
    }

    /// Frame, time, interface, hop, transport; a narrow terminal gets less of them.
    fn lead(&mut self, row: &MessageRow<'_>, files: Files<'_>, style: &Style) {
        let envelope = &row.message.envelope;
        let (digits, transport) = match style.width {
            ..72 => (3, ""),
            72..100 => (3, envelope.transport.word()),
            100.. => (6, envelope.transport.word()),
        };
        let text = &mut self.line.text;
        files.append_frame(envelope.frame, text);
        pad_left_to(0, FRAME, text);
        text.push(b' ');
        self.times.append(envelope.time, &style.time, digits, text);
        if let Some(nanos) = row.elapsed {
            text.push(b' ');
            let start = text.len();
            append_elapsed(nanos, digits, text);
            pad_left_to(start, digits + 4, text);
        }
        if !row.interface.is_empty() {
            text.push(b' ');
            let name = shown(row.interface.as_bytes());
            let start = text.len() + name.len() - columns(&name);
            text.extend_from_slice(name.as_bytes());
            pad_to(start, INTERFACE, text);
        }
        text.push(b' ');
        let start = text.len();
        append_endpoint(envelope.from, text);
        text.extend_from_slice(b" > ");
        append_endpoint(envelope.to, text);
        pad_to(start, HOP, text);
        if !transport.is_empty() {
            text.push(b' ');
            let start = text.len();
            text.extend_from_slice(transport.as_bytes());
            pad_to(start, TRANSPORT, text);
        }
    }
}

impl Line {
    /// Cuts it to the width of `style`. Request-URI, reason phrase and Call-ID give way to what is
    /// special about the message; `short` notes take the place of the full ones where it is tight.
    fn fit(&mut self, style: &Style, short: impl FnOnce(&mut Vec<u8>)) {
        let (width, mark) = (style.width, style.glyph("…", "~"));
        let part = |range: Range<usize>| part(&self.text, range);
        let lead = part(0..self.middle);
        let (middle, after) = (part(self.middle..self.after), part(self.after..self.call_id));
        let call_id = part(self.call_id..self.notes);
        let mut notes = Cow::Borrowed(part(self.notes..self.text.len()));
        let fixed = columns(lead) + columns(after);
        let room = |notes: &str| width.saturating_sub(fixed + columns(notes));
        let (uri, id) = (columns(middle), columns(call_id));
        if TELLING <= room(&notes) && uri + id <= room(&notes) {
            return;
        }
        if room(&notes) < TELLING {
            let mut text = Vec::new();
            short(&mut text);
            notes = Cow::Owned(String::from_utf8(text).unwrap_or_default());
        }
        let spare = room(&notes);
        let telling = if call_id.is_empty() {
            format!("{}{after}", elide(middle, spare, mark))
        } else if uri + id <= spare {
            format!("{middle}{after}{call_id}")
        } else if spare < 2 * TELLING {
            // Half a Call-ID finds nothing.
            format!("{}{after}", elide(middle, spare, mark))
        } else {
            let half = spare / 2;
            let uri = uri.min(half.max(spare.saturating_sub(id)));
            let call_id = call_id.trim_start();
            let id = elide(call_id, (spare - uri).saturating_sub(2), mark);
            format!("{}{after}  {id}", elide(middle, uri, mark))
        };
        let fitting = elide(&format!("{lead}{telling}{notes}"), width, mark);
        self.text = fitting.into_bytes();
    }
}

/// A part of a line; all that is put into one is text.
fn part(text: &[u8], range: Range<usize>) -> &str {
    text.get(range).and_then(|part| std::str::from_utf8(part).ok()).unwrap_or_default()
}

/// The first line with secrets masked; a response names the method it answers.
pub(super) fn first_line(message: &Message) -> String {
    let mut text = Vec::new();
    append_first(message, Charset::Unicode, &mut text);
    String::from_utf8(text).unwrap_or_default()
}

/// The same, appended to `out`; where in it the part is that may be cut, see [`Line`].
fn append_first(message: &Message, charset: Charset, out: &mut Vec<u8>) -> Range<usize> {
    if message.is_request() {
        let secrets = secret::places_in_first_line(message);
        let line = masked(message, &secrets, 0..message.start_line().len());
        let line = line.trim_end_matches("SIP/2.0").trim_end();
        let (method, uri) = line.split_at(line.find(' ').map_or(line.len(), |space| space + 1));
        out.extend_from_slice(safe(method.as_bytes(), charset).as_bytes());
        let middle = out.len();
        out.extend_from_slice(safe(uri.as_bytes(), charset).as_bytes());
        return middle..out.len();
    }
    append_number(message.status().map_or(0, |status| u64::from(status.0)), out);
    let middle = out.len();
    if let Some(reason) = message.reason().filter(|reason| !reason.is_empty()) {
        out.push(b' ');
        out.extend_from_slice(safe(reason, charset).as_bytes());
    }
    let after = out.len();
    if let Some(cseq) = message.cseq().filter(|cseq| !cseq.method.is_empty()) {
        out.extend_from_slice(b" (");
        out.extend_from_slice(safe(cseq.method, charset).as_bytes());
        out.push(b')');
    }
    middle..after
}

/// `octets` safe to show in the characters of `charset`.
fn safe(octets: &[u8], charset: Charset) -> Cow<'_, str> {
    match (shown(octets), charset) {
        (text @ Cow::Owned(_), Charset::Ascii) => visible_ascii(text.as_bytes()).into(),
        (text, _) => text,
    }
}

/// What is special about a message beside its findings, in one word.
pub(super) fn note(row: &MessageRow<'_>, files: Files<'_>) -> Option<String> {
    let mut text = Vec::new();
    append_note(row, files, Wording::Full, &mut text);
    String::from_utf8(text).ok().filter(|text| !text.is_empty())
}

fn append_note(row: &MessageRow<'_>, files: Files<'_>, wording: Wording, out: &mut Vec<u8>) {
    if let Some(relation) = row.relation {
        let words = match (relation, wording) {
            (Relation::Retransmission(_), Wording::Full) => "[retransmission of ",
            (Relation::Duplicate(_), Wording::Full) => "[duplicate of ",
            (Relation::Forwarded(_), Wording::Full) => "[forwarded from ",
            (Relation::Retransmission(_), Wording::Short) => "[again of ",
            (Relation::Duplicate(_), Wording::Short) => "[copy of ",
            (Relation::Forwarded(_), Wording::Short) => "[from ",
        };
        out.extend_from_slice(words.as_bytes());
        files.append_frame(relation.frame(), out);
        out.push(b']');
    } else if let Some(note) = row.note() {
        out.push(b'[');
        out.extend_from_slice(note.as_bytes());
        out.push(b']');
    }
}

/// Relation, completeness, findings, each with two blanks before it.
fn append_notes(row: &MessageRow<'_>, files: Files<'_>, wording: Wording, out: &mut Vec<u8>) {
    if row.relation.is_some() || row.note().is_some() {
        out.extend_from_slice(b"  ");
        append_note(row, files, wording, out);
    }
    for (index, code) in row.findings.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"  [" } else { b" " });
        out.extend_from_slice(code.as_bytes());
    }
    if !row.findings.is_empty() {
        out.push(b']');
    }
}

fn class_paint(message: &Message) -> Paint {
    match message.status().map(|status| status.0 / 100) {
        None => style::REQUEST,
        Some(1) => style::PROVISIONAL,
        Some(2) => style::SUCCESS,
        Some(3) => style::REDIRECT,
        Some(_) => style::FAILURE,
    }
}
