//! The header lines of a text, each with its folds.

use memchr::memchr;

use super::peek::leading_crlfs;
use super::scan;

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
        let start = leading_crlfs(text);
        let rest = &text[start..];
        let (at, is_plain) = match plain_end(rest) {
            Some(end) => (start + end + 2, start == 0),
            None => (memchr(b'\n', rest).map_or(text.len(), |end| start + end + 1), false),
        };
        Self { text, at, end: HeadEnd::Missing, is_plain }
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

    /// True when all octets so far that are less than a space were the CRLFs at the ends of lines
    /// without folds.
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
        match plain_end(rest) {
            Some(0) => self.end = HeadEnd::Empty(self.at + 2),
            Some(end) if !matches!(rest.get(end + 2), Some(b' ' | b'\t')) => {
                self.at += end + 2;
                return Some(&rest[..end]);
            }
            _ => {
                self.is_plain = false;
                return self.other_line(rest);
            }
        }
        None
    }
}

impl<'a> HeaderLines<'a> {
    /// The line that `rest` begins with when it is folded, holds a control octet or ends otherwise
    /// than by CRLF.
    #[cold]
    fn other_line(&mut self, rest: &'a [u8]) -> Option<&'a [u8]> {
        if rest.first() == Some(&b'\n') {
            self.end = HeadEnd::Empty(self.at + 1);
            return None;
        }
        let (line, taken) = logical_line(rest);
        self.at += taken;
        Some(line)
    }
}

/// Where the CRLF of the first line stands, when it is the first control octet of `rest`.
#[inline]
fn plain_end(rest: &[u8]) -> Option<usize> {
    let end = scan::find_below(rest, b' ')?;
    matches!(rest[end..], [b'\r', b'\n', ..]).then_some(end)
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
