//! A line of a message with the place of the octets a finding points at.

use std::ops::Range;

use super::Style;
use super::message::masked;
use super::secret;
use super::text::in_charset;
use super::visible::{columns, elide};
use crate::sip::{Message, Span};

/// A line, and where on it the octets stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// The line, safe to show, secrets masked.
    pub line: String,
    /// Columns before the octets.
    pub column: usize,
    /// Columns of the octets, at least 1.
    pub columns: usize,
}

impl Quote {
    /// The line of `message` in which `span` begins, in at most `room` columns.
    pub fn of(message: &Message, span: Span, room: usize, style: &Style) -> Self {
        let line = line_around(message.text(), span.range().start);
        let secrets = secret::places(message);
        let text =
            |range: Range<usize>| in_charset(&masked(message, &secrets, range), style.charset);
        let place = span.range().start.clamp(line.start, line.end);
        let end = span.range().end.clamp(place, line.end);
        let (before, inside, after) =
            (text(line.start..place), text(place..end), text(end..line.end));
        let mark = style.glyph("…", "~");
        let (mut shown, mut column) = (before.clone(), columns(&before));
        // A place far to the right: the beginning of the line gives way.
        let keep = room * 2 / 3;
        if keep < column {
            let tail: String =
                before.chars().skip(before.chars().count().saturating_sub(keep / 2)).collect();
            shown = format!("{mark}{tail}");
            column = columns(&shown);
        }
        shown.push_str(&inside);
        shown.push_str(&after);
        Self {
            line: elide(&shown, room, mark),
            column: column.min(room.saturating_sub(1)),
            columns: columns(&inside).clamp(1, room.saturating_sub(column).max(1)),
        }
    }
}

/// The line around octet `at`, without its end.
fn line_around(text: &[u8], at: usize) -> Range<usize> {
    let at = at.min(text.len());
    let before = text.get(..at).unwrap_or_default();
    let after = text.get(at..).unwrap_or_default();
    let start = memchr::memrchr(b'\n', before).map_or(0, |end| end + 1);
    let mut end = memchr::memchr(b'\n', after).map_or(text.len(), |len| at + len);
    if at < end && text.get(end - 1) == Some(&b'\r') {
        end -= 1;
    }
    start..end
}
