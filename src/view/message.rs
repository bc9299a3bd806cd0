//! One message in full: the text as it came, or its headers explained.

use std::borrow::Cow;
use std::io::{self, Write};
use std::ops::Range;

use anstyle::Style as Paint;

use super::explain::explain;
use super::secret::{self, MASK, Part};
use super::style;
use super::text::in_charset;
use super::visible::{shown, visible};
use super::{MessageRow, Style};
use crate::sip::{HeaderName, Message};

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

/// Prints the text of `row`, explained where `detail` asks for it.
pub fn write_whole(
    row: &MessageRow<'_>,
    detail: Detail,
    style: &Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    if detail == Detail::Explained && !row.path.is_empty() {
        writeln!(
            out,
            "    {}",
            style.paint(style::DIM, &format!("in {}", visible(row.path.as_bytes())))
        )?;
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

/// A line of a message.
#[derive(Clone)]
pub(super) struct TextLine {
    /// Its place in the text of the message, without line end.
    pub(super) range: Range<usize>,
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
    let mut fields = message.name_spans().enumerate().peekable();
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
            None => masked(message, &secrets, range.clone()).into_owned(),
        };
        // Fields stand in order, so one pass finds the one that begins in each line.
        while fields.next_if(|(_, name)| (name.start as usize) < at).is_some() {}
        let here = fields.peek().filter(|(_, name)| name.start as usize == at);
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
pub(super) fn masked<'a>(
    message: &'a Message,
    secrets: &[Range<usize>],
    range: Range<usize>,
) -> Cow<'a, str> {
    if secrets.is_empty() {
        return shown(message.text().get(range).unwrap_or_default());
    }
    let parts = secret::parts(secrets, range).into_iter().map(|(range, part)| match part {
        Part::Open => shown(message.text().get(range).unwrap_or_default()),
        Part::Secret => MASK.into(),
    });
    Cow::Owned(parts.collect())
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
