//! Reads the head of a message once: start line, places of the header fields, defects.

use std::ops::Range;

use smallvec::SmallVec;

use super::lex::{is_token, leading_number, scan};
use super::message::DefectList;
use super::{Defect, DefectKind, Field, HeaderName, HeaderSet, Method, Span, StartLine, Status};
use crate::transport::peek::{self, FirstLine, HeadEnd, HeaderLines};

/// Defects kept of one message; a message that has more is no better understood by them.
const MOST_DEFECTS: usize = 16;

/// The one control octet that is no less than a space.
const DELETE: u8 = 0x7f;

/// What the head of a message holds.
pub(super) struct Head {
    pub(super) start: StartLine,
    pub(super) subject: Span,
    pub(super) fields: Box<[Field]>,
    /// The names of the fields.
    pub(super) names: HeaderSet,
    /// What Content-Length declares of what is behind the empty line; all of it without one.
    pub(super) body: Span,
    pub(super) defects: Option<Box<DefectList>>,
}

/// Reads the head of `text`, which begins with `first`.
pub(super) fn head(text: &[u8], first: FirstLine<'_>) -> Head {
    let mut defects = Defects { text, found: SmallVec::new() };
    let (start, subject) = match first {
        FirstLine::Request { method, uri, version } => {
            defects.request_line(method, uri, version);
            (StartLine::Request(Method::of(method)), uri)
        }
        FirstLine::Response { version, code, reason } => {
            defects.status_line(version, code);
            (StartLine::Response(status(code)), reason)
        }
    };
    let subject = span(text, subject);
    let mut fields = SmallVec::<[Field; 32]>::new();
    let mut names = HeaderSet::default();
    let mut lines = HeaderLines::after_start_line(text);
    while let Some(line) = lines.next() {
        let usual = if lines.is_plain() { usual_field(text, line) } else { None };
        let Some(field) = usual.or_else(|| defects.field(line)) else { continue };
        if field.name == HeaderName::Other {
            defects.name(line);
        }
        names.insert(field.name);
        fields.push(field);
    }
    let body = match lines.end() {
        HeadEnd::Empty(body) => body,
        HeadEnd::Missing => {
            defects.add(DefectKind::NotTerminated, &text[text.len()..]);
            text.len()
        }
    };
    // What is not plain is looked for only when there is any.
    if !lines.is_plain() {
        defects.octets(body);
    }
    let declared = content_length(text, &fields).unwrap_or(u64::MAX);
    let end = body.saturating_add(usize::try_from(declared).unwrap_or(usize::MAX)).min(text.len());
    Head {
        start,
        subject,
        fields: Box::from(fields.as_slice()),
        names,
        body: Span { start: body as u32, end: end as u32 },
        defects: (!defects.found.is_empty()).then(|| Box::new(defects.found)),
    }
}

/// What Content-Length declares; `None` when it is missing or no decimal number.
fn content_length(text: &[u8], fields: &[Field]) -> Option<u64> {
    let field = fields.iter().find(|field| field.name == HeaderName::ContentLength)?;
    let value = text.get(field.value().range())?;
    value.iter().all(u8::is_ascii_digit).then(|| leading_number(value))?
}

/// The code as a number; what is larger than it can be saturates.
fn status(code: &[u8]) -> Status {
    Status(leading_number(code).unwrap_or(0).min(u16::MAX.into()) as u16)
}

/// The field of a header line without control octets, when its name is written in one word.
#[inline]
fn usual_field(text: &[u8], line: &[u8]) -> Option<Field> {
    let start = span(text, line).start;
    let (name, len) = HeaderName::leading(text.get(start as usize..)?.first_chunk()?)?;
    let value = peek::header_value(line.get(len + 1..)?);
    Field::new(name, span(text, value))
}

/// The field of a header line, or why there is none.
fn field(text: &[u8], line: &[u8]) -> Result<Field, DefectKind> {
    let (name, value) = peek::split_header(line).ok_or(DefectKind::NoColon)?;
    let known = HeaderName::of(name);
    // Only what is longer than a message may be is told by this.
    Field::new(known, span(text, value)).ok_or(DefectKind::BadName)
}

/// The place of `part` in `text`, which it is borrowed from.
pub(super) fn span(text: &[u8], part: &[u8]) -> Span {
    let start = (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize) as u32;
    Span { start, end: start + part.len() as u32 }
}

/// What is wrong so far.
struct Defects<'a> {
    text: &'a [u8],
    found: DefectList,
}

impl<'a> Defects<'a> {
    /// The field of a header line; it is a defect when there is none.
    #[cold]
    fn field(&mut self, line: &[u8]) -> Option<Field> {
        field(self.text, line).map_err(|kind| self.add(kind, line)).ok()
    }

    fn add(&mut self, kind: DefectKind, part: &[u8]) {
        if self.found.len() < MOST_DEFECTS {
            self.found.push(Defect { kind, span: span(self.text, part) });
        }
    }

    fn request_line(&mut self, method: &[u8], uri: &[u8], version: &[u8]) {
        if version.is_empty() {
            return;
        }
        let [method_at, uri_at, version_at] = [method, uri, version].map(|part| self.place(part));
        let before = &self.text[method_at.end..uri_at.start];
        let between = &self.text[uri_at.end..version_at.start];
        let behind = self.rest_of_line(version_at.end);
        for (gap, right) in [(before, &b" "[..]), (between, b" "), (behind, b"")] {
            if gap != right {
                self.add(DefectKind::StartLineSpacing, gap);
            }
        }
        if uri.first() == Some(&b'<') {
            self.add(DefectKind::StartLineBrackets, uri);
        }
        let space = [scan::find_below(uri, b'!'), scan::find(uri, DELETE)];
        if let Some(at) = space.into_iter().flatten().min() {
            self.add(DefectKind::StartLineUriSpace, &uri[at..=at]);
        }
        self.version(version);
    }

    fn status_line(&mut self, version: &[u8], code: &[u8]) {
        let [version_at, code_at] = [version, code].map(|part| self.place(part));
        let before = &self.text[version_at.end..code_at.start];
        if before != b" " {
            self.add(DefectKind::StartLineSpacing, before);
        }
        // The space behind the code stands even without a reason phrase (section 25.1).
        if self.text.get(code_at.end) != Some(&b' ') {
            self.add(DefectKind::StartLineSpacing, self.rest_of_line(code_at.end));
        }
        let digits = code.len() == 3 && code.iter().all(u8::is_ascii_digit);
        if !digits || !matches!(code[0], b'1'..=b'6') {
            self.add(DefectKind::StatusCode, code);
        }
        self.version(version);
    }

    fn version(&mut self, version: &[u8]) {
        if version != b"SIP/2.0" {
            self.add(DefectKind::StartLineVersion, version);
        }
    }

    /// The name of the field in `line`, which is not known: a token, or it is none.
    fn name(&mut self, line: &[u8]) {
        let name = peek::split_header(line).map(|(name, _)| name).unwrap_or_default();
        if !name.iter().all(|&octet| is_token(octet)) {
            self.add(DefectKind::BadName, name);
        }
    }

    /// Line ends and control octets of the head, which ends at `end`.
    #[cold]
    fn octets(&mut self, end: usize) {
        let head = &self.text[..end];
        if let Some(at) = bare_end(head) {
            self.add(DefectKind::BareLf, &self.text[at..=at]);
        }
        if let Some(at) = first_control(head) {
            self.add(DefectKind::ControlByte, &self.text[at..=at]);
        }
    }

    fn place(&self, part: &[u8]) -> Range<usize> {
        span(self.text, part).range()
    }

    /// What stands in the first line behind `at`.
    fn rest_of_line(&self, at: usize) -> &'a [u8] {
        let rest = &self.text[at..];
        let rest = &rest[..scan::find(rest, b'\n').unwrap_or(rest.len())];
        rest.strip_suffix(b"\r").unwrap_or(rest)
    }
}

/// Control octets other than those of white space and line ends.
const fn is_control(octet: u8) -> bool {
    (octet < b' ' && !matches!(octet, b'\t' | b'\r' | b'\n')) || octet == DELETE
}

/// The first line feed without carriage return, or carriage return without line feed.
fn bare_end(head: &[u8]) -> Option<usize> {
    (0..head.len()).find(|&at| match head[at] {
        b'\n' => at == 0 || head[at - 1] != b'\r',
        b'\r' => head.get(at + 1).is_some_and(|&next| next != b'\n'),
        _ => false,
    })
}

/// The first control octet that is no quoted-pair (RFC 4475 section 3.1.1.2 has a NUL in one).
fn first_control(head: &[u8]) -> Option<usize> {
    let mut quoted = false;
    let mut at = 0;
    while at < head.len() {
        match head[at] {
            b'"' => quoted = !quoted,
            b'\\' if quoted => at += 1,
            b'\n' if !matches!(head.get(at + 1), Some(b' ' | b'\t')) => quoted = false,
            octet if is_control(octet) => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    proptest! {
        #[test]
        fn a_field_is_read_the_same_however_it_is_written(
            parts in vec(select(vec![
                "Via", "v", "Call-ID", "content-LENGTH", "WWW-Authenticate", "X-Note", "T\u{e9}", ":", ": ", " ", "\t",
                "a", "<sip:a@b>", "\r\n", "\r\n", "\n", "\r", "\r\n\t", "To: <sip:b@c>;tag=1\r\n",
            ]), 0..16),
        ) {
            let text = format!("BYE sip:a SIP/2.0\r\n{}", parts.concat()).into_bytes();
            let first = peek::first_line(&text).unwrap();
            let mut names = Vec::new();
            let mut lines = HeaderLines::after_start_line(&text);
            let begin = lines.offset();
            let one_by_one: Vec<_> = lines
                .by_ref()
                .filter_map(|line| {
                    let field = field(&text, line).ok()?;
                    names.extend(peek::split_header(line).map(|(name, _)| span(&text, name)));
                    Some(field)
                })
                .collect();
            let fields = head(&text, first).fields;
            prop_assert_eq!(&*fields, one_by_one);
            for (field, name) in fields.iter().zip(names) {
                let found = field.name_span(&text, begin);
                prop_assert_eq!(found, name);
            }
        }

        #[test]
        fn no_octet_is_passed_over_for_the_lines_around_it(
            parts in vec(select(vec![
                "A: b\r\n", "C: d\r\n", "e\r\n", "\r\n", "\n", "\r", " f", "\t", "\0", "\x7f", "\"", "\\",
                "\x0b", ":", "\r\n ", "g",
            ]), 0..10),
            start in select(vec!["", "\r\n", "\n", "\t"]),
        ) {
            let text = format!("{start}BYE sip:a SIP/2.0\r\n{}", parts.concat()).into_bytes();
            if let Some(first) = peek::first_line(&text) {
                let found = head(&text, first);
                let has = |kind| found.defects.iter().flat_map(|list| list.iter()).any(|defect| defect.kind == kind);
                let octets = &text[..found.body.start as usize];
                prop_assert_eq!(has(DefectKind::BareLf), bare_end(octets).is_some());
                prop_assert_eq!(has(DefectKind::ControlByte), first_control(octets).is_some());
            }
        }
    }
}
