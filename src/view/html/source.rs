//! The text of messages in HTML: escaped, secrets masked, evidence marked.

use std::ops::Range;

use crate::sip::{Message, Span};
use crate::view::markup::escape;
use crate::view::message::{TextLine, lines, masked};
use crate::view::secret;

/// Octets of evidence and of context that a quotation shows at most.
const LONGEST: usize = 400;

/// The whole text of `message`, with `marks` marked.
pub(super) fn text(message: &Message, marks: &[Span]) -> String {
    let secrets = secret::places(message);
    let mut out = String::with_capacity(message.text().len() * 5 / 4);
    for line in lines(message) {
        out.push_str(&marked(message, &secrets, &line, marks));
        out.push('\n');
    }
    out
}

/// The line in which `span` begins, with it marked.
pub(super) fn quoted(message: &Message, span: Span) -> String {
    let secrets = secret::places(message);
    let at = span.start as usize;
    let all = lines(message);
    let line = all.iter().rfind(|line| line.range.start <= at);
    line.map(|line| {
        let near = Range {
            start: line.range.start.max(at.saturating_sub(LONGEST / 2)),
            end: line.range.end.min(at + LONGEST),
        };
        let whole = near == line.range;
        let part = TextLine { range: near, ..line.clone() };
        let text = marked(message, &secrets, &part, &[span]);
        if whole { text } else { format!("…{text}…") }
    })
    .unwrap_or_default()
}

/// A line with the parts of `marks` in it marked. A line in another charset has no octets to point
/// at after decoding: all of it is marked.
fn marked(message: &Message, secrets: &[Range<usize>], line: &TextLine, marks: &[Span]) -> String {
    let mut places: Vec<Range<usize>> = marks
        .iter()
        .map(|span| {
            // An empty place between two octets is shown at the octet behind it.
            let range = span.range();
            let end = range.end.max(range.start + 1);
            range.start.max(line.range.start)..end.min(line.range.end)
        })
        .filter(|place| place.start < place.end)
        .collect();
    if line.is_decoded {
        let text = escape(&line.text);
        return if places.is_empty() { text } else { format!("<mark>{text}</mark>") };
    }
    places.sort_by_key(|place| (place.start, place.end));
    let text = |range: Range<usize>| escape(&masked(message, secrets, range));
    let mut out = String::new();
    let mut at = line.range.start;
    for place in places {
        let start = place.start.max(at);
        if place.end <= start {
            continue;
        }
        out.push_str(&text(at..start));
        out.push_str("<mark>");
        out.push_str(&text(start..place.end));
        out.push_str("</mark>");
        at = place.end;
    }
    out.push_str(&text(at..line.range.end));
    out
}
