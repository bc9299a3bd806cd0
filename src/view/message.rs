//! One message in full: the text as it came, or its headers explained.

use std::io::{self, Write};

use anstyle::Style as Paint;

use super::explain::explain;
use super::frames::Files;
use super::secret::{self, MASK, Part};
use super::style::{self, Coloring};
use super::text::in_charset;
use super::visible::{columns, elide, pad, visible};
use super::{MessageRow, Relation, Style};
use crate::sip::{HeaderName, Message};
use crate::time::SECOND;

/// How much of a message is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// One line.
    #[default]
    Line,
    /// The line, then the whole message (`-v`).
    Whole,
    /// The same with the headers that matter explained (`-vv`).
    Explained,
}

/// Prints `row` with the detail asked for.
pub fn write(
    row: &MessageRow<'_>,
    detail: Detail,
    files: Files<'_>,
    style: &Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    line(row, files, style, out)?;
    if detail == Detail::Line {
        return Ok(());
    }
    if detail == Detail::Explained && !row.path.is_empty() {
        writeln!(out, "    {}", style.paint(style::DIM, &format!("in {}", row.path)))?;
    }
    for line in lines(row.message) {
        let text = in_charset(&line.text, style.charset);
        let text = format!("    {}", style.paint(line.paint(), &text));
        writeln!(out, "{}", text.trim_end())?;
        if detail == Detail::Explained
            && let Some(text) = line.field.and_then(|field| explain(row.message, field))
        {
            let text = in_charset(&text, style.charset);
            writeln!(out, "      {} {}", style.glyph("└", "`"), style.paint(style::DIM, &text))?;
        }
    }
    writeln!(out)
}

/// Frame, time, hop, transport, first line, Call-ID, notes.
fn line(
    row: &MessageRow<'_>,
    files: Files<'_>,
    style: &Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let message = row.message;
    let call_id = visible(message.call_id().unwrap_or_default());
    let safe = |text: &str| in_charset(text, style.charset);
    let line = Line {
        lead: lead(row, files, style),
        first: first(message).map(|part| safe(&part)),
        call_id: safe(&call_id),
        notes: notes(row, files),
    };
    let text = if style.is_unbounded() {
        line.whole()
    } else {
        line.fitting(style.width, style.glyph("…", "~"), || short_notes(row, files))
    };
    let paint = if style.coloring == Coloring::None { Paint::new() } else { class_paint(message) };
    writeln!(out, "{}", style.paint(paint, &text))
}

/// Columns of the name of an interface, where it is shown; a longer one takes more.
const INTERFACE: usize = 6;

/// Frame, time, interface, hop, transport; a narrow terminal gets less of them.
fn lead(row: &MessageRow<'_>, files: Files<'_>, style: &Style) -> String {
    let envelope = &row.message.envelope;
    let frame = files.frame(envelope.frame);
    let hop = format!("{} > {}", envelope.from, envelope.to);
    let (digits, transport) = match style.width {
        ..72 => (3, ""),
        72..100 => (3, envelope.transport.word()),
        100.. => (6, envelope.transport.word()),
    };
    let time = style.time.time_of_day(envelope.time, digits);
    let elapsed = row.elapsed.map(|nanos| {
        let seconds = format!("+{:.digits$}", nanos as f64 / SECOND as f64);
        format!(" {seconds:>0$}", digits + 4)
    });
    let interface = match row.interface {
        "" => String::new(),
        name => format!(" {}", pad(&visible(name.as_bytes()), INTERFACE)),
    };
    let elapsed = elapsed.unwrap_or_default();
    let lead = format!("{frame:>5} {time}{elapsed}{interface} {}", pad(&hop, 31));
    if transport.is_empty() { lead } else { format!("{lead} {transport:<4}") }
}

/// The parts of a row of a message.
struct Line {
    lead: String,
    /// See [`first`].
    first: [String; 3],
    call_id: String,
    notes: Vec<String>,
}

/// Columns that Request-URI and Call-ID keep before notes are shortened.
const TELLING: usize = 16;

impl Line {
    /// All of it.
    fn whole(&self) -> String {
        let [before, middle, after] = &self.first;
        let mut text = format!("{} {before}{middle}{after}", self.lead);
        let call_id = Some(&self.call_id).filter(|call_id| !call_id.is_empty());
        for part in call_id.into_iter().chain(&self.notes) {
            text.push_str("  ");
            text.push_str(part);
        }
        text
    }

    /// The row in `width` columns. Request-URI, reason phrase and Call-ID give way to what is
    /// special about the message; `short` notes take the place of the full ones where it is tight.
    fn fitting(mut self, width: usize, mark: &str, short: impl Fn() -> Vec<String>) -> String {
        let [before, middle, after] = &self.first;
        let fixed = columns(&self.lead) + 1 + columns(before) + columns(after);
        let room = |notes: &[String]| {
            let notes: usize = notes.iter().map(|note| columns(note) + 2).sum();
            width.saturating_sub(fixed + notes)
        };
        if room(&self.notes) < TELLING {
            self.notes = short();
        }
        let mut spare = room(&self.notes);
        let (uri, id) = (columns(middle), columns(&self.call_id) + 2);
        let telling = if self.call_id.is_empty() {
            format!("{}{after}", elide(middle, spare, mark))
        } else if uri + id <= spare {
            format!("{middle}{after}  {}", self.call_id)
        } else if spare < 2 * TELLING {
            // Half a Call-ID finds nothing.
            format!("{}{after}", elide(middle, spare, mark))
        } else {
            let half = spare / 2;
            let uri = uri.min(half.max(spare.saturating_sub(id)));
            spare -= uri;
            let id = elide(&self.call_id, spare.saturating_sub(2), mark);
            format!("{}{after}  {id}", elide(middle, uri, mark))
        };
        let mut text = format!("{} {before}{telling}", self.lead);
        for note in &self.notes {
            text.push_str("  ");
            text.push_str(note);
        }
        elide(&text, width, mark)
    }
}

/// The first line in three parts with secrets masked; only the middle one may be cut: method,
/// Request-URI, nothing; status, reason phrase, the method it answers.
fn first(message: &Message) -> [String; 3] {
    if message.is_request() {
        let secrets = secret::places(message);
        let line = masked(message, &secrets, 0..message.start_line().len());
        let line = line.trim_end_matches("SIP/2.0").trim_end();
        let (method, uri) = line.split_at(line.find(' ').map_or(line.len(), |space| space + 1));
        return [method.to_owned(), uri.to_owned(), String::new()];
    }
    let status = message.status().map_or(0, |status| status.0);
    let mut reason = visible(message.reason().unwrap_or_default());
    let method = message.cseq().map(|cseq| visible(cseq.method)).unwrap_or_default();
    if !reason.is_empty() {
        reason.insert(0, ' ');
    }
    let method = if method.is_empty() { method } else { format!(" ({method})") };
    [status.to_string(), reason, method]
}

/// The first line with secrets masked; a response names the method it answers.
pub(super) fn first_line(message: &Message) -> String {
    first(message).concat()
}

/// Words on what is special about a message: relation, completeness, findings.
pub(super) fn notes(row: &MessageRow<'_>, files: Files<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(relation) = row.relation {
        let frame = files.frame(relation.frame());
        notes.push(match relation {
            Relation::Retransmission(_) => format!("[retransmission of {frame}]"),
            Relation::Duplicate(_) => format!("[duplicate of {frame}]"),
            Relation::Forwarded(_) => format!("[forwarded from {frame}]"),
        });
    } else if let Some(note) = row.note() {
        notes.push(format!("[{note}]"));
    }
    if !row.findings.is_empty() {
        notes.push(format!("[{}]", row.findings.join(" ")));
    }
    notes
}

/// The same in the words of ladders, for narrow terminals.
fn short_notes(row: &MessageRow<'_>, files: Files<'_>) -> Vec<String> {
    let mut notes = notes(row, files);
    if let (Some(relation), Some(first)) = (row.relation, notes.first_mut()) {
        let frame = files.frame(relation.frame());
        *first = match relation {
            Relation::Retransmission(_) => format!("[again of {frame}]"),
            Relation::Duplicate(_) => format!("[copy of {frame}]"),
            Relation::Forwarded(_) => format!("[from {frame}]"),
        };
    }
    notes
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

/// A line of a message.
#[derive(Clone)]
pub(super) struct TextLine {
    /// Its place in the text of the message, without line end.
    pub(super) range: std::ops::Range<usize>,
    /// What is shown.
    pub(super) text: String,
    /// It is text in another charset: places in it are no longer octets of the message.
    pub(super) is_decoded: bool,
    /// The header field that begins in it.
    pub(super) field: Option<usize>,
    /// What it is part of.
    pub(super) part: LinePart,
}

/// What a line of a message is part of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum LinePart {
    Start,
    Head,
    Body,
}

impl TextLine {
    fn paint(&self) -> Paint {
        match self.part {
            LinePart::Start => style::BOLD,
            LinePart::Head | LinePart::Body => Paint::new(),
        }
    }
}

/// The text of `message` line by line, safe to show: control octets escaped, secrets masked, a
/// body in another charset decoded.
pub(super) fn lines(message: &Message) -> Vec<TextLine> {
    let text = message.text();
    let secrets = secret::places(message);
    let body = message.body_span().range();
    let charset = charset(message);
    let mut lines = Vec::new();
    let mut fields = message.fields().iter().enumerate().peekable();
    let mut at = 0;
    while at < text.len() {
        let rest = text.get(at..).unwrap_or_default();
        let len = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
        let whole = rest.get(..len).unwrap_or_default();
        let shown = whole.strip_suffix(b"\n").unwrap_or(whole);
        let shown = shown.strip_suffix(b"\r").unwrap_or(shown);
        let range = at..at + shown.len();
        let in_body = body.start <= at && !body.is_empty();
        let decoded = charset.filter(|_| in_body && !shown.is_ascii());
        let line = match decoded {
            Some(charset) => visible(charset.decode_without_bom_handling(shown).0.as_bytes()),
            None => masked(message, &secrets, range.clone()),
        };
        // Fields stand in order, so one pass finds the one that begins in each line.
        while fields.next_if(|(_, field)| (field.name_span().start as usize) < at).is_some() {}
        let here = fields.peek().filter(|(_, field)| field.name_span().start as usize == at);
        let field = here.map(|(place, _)| *place);
        let part = match (at, in_body) {
            (0, _) => LinePart::Start,
            (_, true) => LinePart::Body,
            (_, false) => LinePart::Head,
        };
        lines.push(TextLine { range, text: line, is_decoded: decoded.is_some(), field, part });
        at += len;
    }
    lines
}

/// Octets of `message` as text for people, with secrets masked.
pub(super) fn masked(
    message: &Message,
    secrets: &[std::ops::Range<usize>],
    range: std::ops::Range<usize>,
) -> String {
    secret::parts(secrets, range)
        .into_iter()
        .map(|(range, part)| match part {
            Part::Open => visible(message.text().get(range).unwrap_or_default()),
            Part::Secret => MASK.to_owned(),
        })
        .collect()
}

/// The charset the body states, when it is not UTF-8: cameras write GB 2312.
fn charset(message: &Message) -> Option<&'static encoding_rs::Encoding> {
    let body = message.body();
    if std::str::from_utf8(body).is_ok() {
        return None;
    }
    let head = body.get(..body.len().min(200)).unwrap_or_default();
    let stated = value_after(head, b"encoding=")
        .or_else(|| value_after(message.value(HeaderName::ContentType)?, b"charset="));
    // A declaration says GB2312 where the text is GB18030; the superset reads both.
    encoding_rs::Encoding::for_label(stated.unwrap_or(b"gb18030"))
        .filter(|charset| stated.is_some() && *charset != encoding_rs::UTF_8)
}

fn value_after<'a>(text: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let at = memchr::memmem::find(text, name)? + name.len();
    let value = text.get(at..)?;
    let value = value.strip_prefix(b"\"").or_else(|| value.strip_prefix(b"'")).unwrap_or(value);
    let len = value.iter().position(|b| b"\"'; ?>".contains(b)).unwrap_or(value.len());
    value.get(..len)
}
