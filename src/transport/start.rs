//! Where in a stream a message begins, when nobody says so: by its start line and its head.

use memchr::{memchr, memmem, memrchr};

use crate::net::stream::After;
use crate::transport::head;
use crate::transport::peek::{
    HeaderLines, is_start_line, is_token, may_become_start_line, split_header,
};

/// Octets of a head that is looked for without knowing where messages begin.
const LONGEST_HEAD: usize = 64 << 10;
/// Octets of a line that may still become a start line.
const LONGEST_LINE: usize = 16 << 10;
/// Octets of a word that may still become a method.
const LONGEST_WORD: usize = 32;

/// What octets at a place where a message may begin are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// A start line.
    Certain,
    /// Too few octets to tell.
    Unsure,
    /// Something else.
    NotForUs,
}

/// Judges octets by content.
pub(super) fn probe(bytes: &[u8]) -> Probe {
    if is_start_line(bytes) {
        return Probe::Certain;
    }
    if may_become_start_line(bytes) || may_become_method(bytes) || lacks_evidence(bytes) {
        return Probe::Unsure;
    }
    Probe::NotForUs
}

fn may_become_method(bytes: &[u8]) -> bool {
    bytes.len() <= LONGEST_WORD && bytes.iter().all(|&octet| is_token(octet))
}

/// True for one odd line without all of the line behind it, which would tell.
fn lacks_evidence(bytes: &[u8]) -> bool {
    let window = bytes.get(..LONGEST_LINE).unwrap_or(bytes);
    let Some(end) = memchr(b'\n', window) else { return false };
    let (line, rest) = window.split_at(end + 1);
    memchr(b'\n', rest).is_none()
        && line.first().is_some_and(|&octet| is_token(octet))
        && memmem::find(line, b"SIP/").is_some()
}

/// Octets at the front that are no part of a message: line ends, and the zeros with which some
/// cameras keep a connection alive or end a body.
pub(super) fn blanks(bytes: &[u8]) -> usize {
    bytes.iter().position(|octet| !matches!(octet, b'\r' | b'\n' | 0)).unwrap_or(bytes.len())
}

/// The first start line at the beginning of a line, at `from` or behind.
pub(super) fn find_line(bytes: &[u8], from: usize) -> Option<usize> {
    candidates(bytes, from).find(|&at| is_start_line(bytes.get(at..).unwrap_or_default()))
}

/// The first start line, at `from` or behind, that a head of a message follows.
pub(super) fn find_message(bytes: &[u8], from: usize) -> Option<usize> {
    candidates(bytes, from).find(|&at| {
        let rest = bytes.get(at..).unwrap_or_default();
        is_start_line(rest) && has_head(rest, head::end(rest, 0)) == Some(true)
    })
}

/// Where a search came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Search {
    /// A message begins here.
    Found(usize),
    /// Nothing begins before here.
    Pending(usize),
}

/// Looks for a message in the middle of anything.
///
/// A start line alone is not enough: a body may be one (message/sipfrag).
pub(super) fn search(bytes: &[u8], after: After) -> Search {
    let first = (!bytes.is_empty()).then_some(0);
    let mut last = None;
    for at in first.into_iter().chain(candidates(bytes, 1)) {
        if last == Some(at) {
            continue;
        }
        last = Some(at);
        let rest = bytes.get(at..).unwrap_or_default();
        if !is_start_line(rest) {
            continue;
        }
        match has_head(rest, head::end(rest, 0)) {
            Some(true) => return Search::Found(at),
            Some(false) => {}
            None if after == After::More && rest.len() < LONGEST_HEAD => {
                return Search::Pending(at);
            }
            None if begins_like_head(rest) => return Search::Found(at),
            None => {}
        }
    }
    if after != After::More {
        return Search::Pending(bytes.len());
    }
    let line = memrchr(b'\n', bytes).map_or(0, |at| at + 1);
    let tail = bytes.get(line..).unwrap_or_default();
    let keeps = tail.len() < LONGEST_LINE && probe(tail) != Probe::NotForUs;
    // A start line of odd form is known by the line behind it.
    let above = bytes.get(..line.saturating_sub(1)).unwrap_or_default();
    let line_above = memrchr(b'\n', above).map_or(0, |at| at + 1);
    if lacks_evidence(bytes.get(line_above..).unwrap_or_default()) {
        return Search::Pending(line_above);
    }
    Search::Pending(if keeps { line } else { bytes.len() })
}

/// Beginnings of lines that hold the word `SIP/`, as every start line does.
fn candidates(bytes: &[u8], from: usize) -> impl Iterator<Item = usize> {
    let searched = bytes.get(from..).unwrap_or_default();
    memmem::find_iter(searched, b"SIP/").filter_map(move |hit| {
        let before = bytes.get(..from + hit).unwrap_or_default();
        let line = memrchr(b'\n', before).map_or(0, |at| at + 1);
        (from <= line).then_some(line)
    })
}

/// Whether the head behind a start line is that of a message; `None` while it is not all there.
fn has_head(bytes: &[u8], end: Option<usize>) -> Option<bool> {
    let head = bytes.get(..end?).unwrap_or_default();
    let (mut via, mut call_id) = (false, false);
    for line in HeaderLines::after_start_line(head) {
        let Some((name, _)) = split_header(line) else { continue };
        via |= name.eq_ignore_ascii_case(b"via") || name.eq_ignore_ascii_case(b"v");
        call_id |= name.eq_ignore_ascii_case(b"call-id") || name.eq_ignore_ascii_case(b"i");
    }
    Some(via && call_id)
}

/// True when a header that stands at the top of messages follows the start line.
fn begins_like_head(bytes: &[u8]) -> bool {
    const TOP: [&[u8]; 12] = [
        b"via",
        b"v",
        b"max-forwards",
        b"route",
        b"record-route",
        b"from",
        b"f",
        b"to",
        b"t",
        b"call-id",
        b"i",
        b"cseq",
    ];
    let line = HeaderLines::after_start_line(bytes).next();
    let Some((name, _)) = line.and_then(split_header) else { return false };
    TOP.iter().any(|top| name.eq_ignore_ascii_case(top))
}
