//! The header lines of a text, each with its folds.

use memchr::memchr;

use super::scan::{self, Marks};

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
    Some((scan::trim(&line[..colon]), header_value(&line[colon + 1..])))
}

/// The value that stands in `rest`, which follows the colon of a header line.
#[inline]
pub(crate) fn header_value(rest: &[u8]) -> &[u8] {
    scan::trim(rest.strip_prefix(b" ").unwrap_or(rest))
}

/// The header lines of a text, each with its folds and without its last line end, up to the empty
/// line.
#[derive(Clone, Debug)]
pub struct HeaderLines<'a> {
    text: &'a [u8],
    controls: Marks<'a>,
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
        let mut lines = Self::of(text);
        let end = lines.controls.next_from(0);
        if 0 < end && text[end..].starts_with(b"\r\n") {
            lines.at = end + 2;
            return lines;
        }
        let start = leading_crlfs(text);
        lines.at = memchr(b'\n', &text[start..]).map_or(text.len(), |end| start + end + 1);
        lines.is_plain = false;
        lines
    }

    /// All lines of `text`, which has no first line of another kind: the head of a body part.
    pub fn of(text: &'a [u8]) -> Self {
        let controls = Marks::of_controls(text);
        Self { text, controls, at: 0, end: HeadEnd::Missing, is_plain: true }
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
        let start = self.at;
        let end = self.controls.next_from(start);
        let is_crlf = self.text.get(end..)?.first_chunk() == Some(b"\r\n");
        if is_crlf && end == start {
            self.end = HeadEnd::Empty(end + 2);
            return None;
        }
        if !is_crlf || matches!(self.text.get(end + 2), Some(b' ' | b'\t')) {
            return self.other_line(&self.text[start..]);
        }
        self.at = end + 2;
        Some(&self.text[start..end])
    }
}

impl<'a> HeaderLines<'a> {
    /// The line that `rest` begins with when it is folded, ends otherwise than by CRLF, or has a
    /// control octet.
    #[cold]
    fn other_line(&mut self, rest: &'a [u8]) -> Option<&'a [u8]> {
        match rest {
            [] => return None,
            [b'\n', ..] => {
                self.end = HeadEnd::Empty(self.at + 1);
                self.is_plain = false;
                return None;
            }
            _ => self.is_plain = false,
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

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    proptest! {
        #[test]
        fn lines_are_those_that_line_feeds_without_folds_end(
            parts in vec(select(vec![
                "Via: x\r\n", "A: b\r\n", "\r\n", "\n", "\r", " f", "\t", "\0", "\x7f", "\u{e9}", "c\r\n d\r\n",
                "Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, SUBSCRIBE, NOTIFY, INFO, PUBLISH\r\n",
            ]), 0..12),
        ) {
            let text = parts.concat();
            let mut lines = HeaderLines::of(text.as_bytes());
            let mut rest = text.as_bytes();
            while !rest.is_empty() && !rest.starts_with(b"\r\n") && !rest.starts_with(b"\n") {
                let (line, taken) = logical_line(rest);
                prop_assert_eq!(lines.next(), Some(line));
                rest = &rest[taken..];
            }
            prop_assert_eq!(lines.next(), None);
            let end = if rest.starts_with(b"\n") { 1 } else { 2 };
            let end = if rest.is_empty() { HeadEnd::Missing } else { HeadEnd::Empty(text.len() - rest.len() + end) };
            prop_assert_eq!(lines.end(), end);
            let read = &text.as_bytes()[..text.len() - rest.len()];
            let is_odd = |octet: &u8| octet.is_ascii_control() && !b"\r\n".contains(octet);
            let is_plain = (read.is_empty() || read.ends_with(b"\r\n"))
                && !read.iter().any(is_odd)
                && !text.replace("\r\n", "").contains(['\r', '\n'])
                && !text.contains("\r\n ");
            prop_assert!(!is_plain || lines.is_plain());
            prop_assert!(!lines.is_plain() || !read.iter().any(is_odd));
        }
    }
}
