//! The header lines of a text, each with its folds.

use memchr::memchr;

use super::scan;

/// How many octets of line ends stand before the first line.
pub fn leading_crlfs(bytes: &[u8]) -> usize {
    bytes.iter().position(|octet| !matches!(octet, b'\r' | b'\n')).unwrap_or(bytes.len())
}

/// How many octets the head takes, start line to empty line inclusive; `None` while there is no
/// empty line, and there is none within the first `scanned` octets. Line ends may be CRLF, LF or
/// both; line ends before the start line belong to it.
pub fn head_end(bytes: &[u8], scanned: usize) -> Option<usize> {
    // The line end before the empty line may have been seen without what follows it.
    let mut at = leading_crlfs(bytes).max(scanned.saturating_sub(2));
    loop {
        at += memchr(b'\n', bytes.get(at..)?)? + 1;
        match bytes.get(at..)? {
            [b'\n', ..] => return Some(at + 1),
            [b'\r', b'\n', ..] => return Some(at + 2),
            _ => {}
        }
    }
}

/// Name and value of a header line, white space at their ends taken off; `None` without a colon.
#[inline]
pub fn split_header(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = scan::find(line, b':')?;
    let value = &line[colon + 1..];
    let value = value.strip_prefix(b" ").unwrap_or(value);
    Some((scan::trim(&line[..colon]), scan::trim(value)))
}

/// The header lines of a text, each with its folds and without its last line end, up to the empty
/// line.
#[derive(Clone, Debug)]
pub struct HeaderLines<'a> {
    text: &'a [u8],
    at: usize,
    end: HeadEnd,
    is_plain: bool,
}

/// How the header lines ended, as far as they were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadEnd {
    /// Not reached yet, or the text ended before the empty line.
    Missing,
    /// With an empty line; the body begins at this offset of the text.
    Empty(usize),
}

impl<'a> HeaderLines<'a> {
    /// The lines that follow the first one.
    pub fn after_start_line(text: &'a [u8]) -> Self {
        let end = scan::find_control(text).filter(|end| 0 < *end);
        if let Some(end) = end.filter(|&end| text[end..].starts_with(b"\r\n")) {
            return Self { text, at: end + 2, end: HeadEnd::Missing, is_plain: true };
        }
        let start = leading_crlfs(text);
        let at = memchr(b'\n', &text[start..]).map_or(text.len(), |end| start + end + 1);
        Self { text, at, end: HeadEnd::Missing, is_plain: false }
    }

    /// All lines of `text`, which has no first line of another kind: the head of a body part.
    pub const fn of(text: &'a [u8]) -> Self {
        Self { text, at: 0, end: HeadEnd::Missing, is_plain: true }
    }

    /// How the lines ended; known once the iterator is exhausted.
    pub const fn end(&self) -> HeadEnd {
        self.end
    }

    /// Offset in the text of the line that comes next.
    pub const fn offset(&self) -> usize {
        self.at
    }

    /// True when all lines so far ended with CRLF, none was folded, and none has a control octet.
    pub(crate) const fn is_plain(&self) -> bool {
        self.is_plain
    }
}

impl<'a> Iterator for HeaderLines<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        if self.end != HeadEnd::Missing {
            return None;
        }
        let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
        let end = scan::find_control(rest).unwrap_or(rest.len());
        match &rest[end..] {
            [b'\r', b'\n', ..] if end == 0 => {
                self.end = HeadEnd::Empty(self.at + 2);
                None
            }
            [b'\r', b'\n', behind @ ..] if !matches!(behind.first(), Some(b' ' | b'\t')) => {
                self.at += end + 2;
                Some(&rest[..end])
            }
            _ => self.other_line(rest),
        }
    }
}

impl<'a> HeaderLines<'a> {
    /// The line that `rest` begins with when it is folded, ends otherwise than by CRLF, or has a
    /// control octet.
    #[cold]
    fn other_line(&mut self, rest: &'a [u8]) -> Option<&'a [u8]> {
        self.is_plain = false;
        if rest.first() == Some(&b'\n') {
            self.end = HeadEnd::Empty(self.at + 1);
            return None;
        }
        let (line, taken) = logical_line(rest);
        self.at += taken;
        Some(line)
    }
}

/// The first line of `rest` with the lines folded into it, and what it takes with its line end.
fn logical_line(rest: &[u8]) -> (&[u8], usize) {
    let mut from = 0;
    while let Some(end) = memchr(b'\n', &rest[from..]) {
        let after = from + end + 1;
        if !matches!(rest.get(after), Some(b' ' | b'\t')) {
            let line = &rest[..after - 1];
            return (line.strip_suffix(b"\r").unwrap_or(line), after);
        }
        from = after;
    }
    (rest, rest.len())
}
