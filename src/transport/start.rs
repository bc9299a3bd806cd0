//! Where in a stream a message begins, when nobody says so: by its start line and its head.

use memchr::{memchr, memmem, memrchr};

use crate::net::stream::After;
use crate::transport::peek::{
    HeaderLines, cut_first_line, head_end, is_start_line, is_token, may_become_start_line,
    split_header,
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
    let searched = bytes.get(from..).unwrap_or_default();
    let mut lines = memmem::find_iter(searched, b"SIP/").map(|hit| {
        memrchr(b'\n', bytes.get(..from + hit).unwrap_or_default()).map_or(0, |at| at + 1)
    });
    lines.find(|&at| from <= at && 0 < at && is_start_line(bytes.get(at..).unwrap_or_default()))
}

/// True when the first line of `bytes`, which ends at `end`, is a start line in the middle of others.
pub(super) fn is_line(bytes: &[u8], end: usize) -> bool {
    let line = bytes.get(..end).unwrap_or_default();
    memmem::find(line, b"SIP/").is_some() && is_start_line(bytes)
}

/// The first start line, at `from` or behind, that a head of a message follows.
pub(super) fn find_message(bytes: &[u8], from: usize) -> Option<usize> {
    candidates(bytes, from).find(|it| it.judge(bytes) == Verdict::Message).map(|it| it.at)
}

/// The next message behind a body without declared end, or how far there is none.
pub(super) fn find_next(bytes: &[u8], from: usize) -> Search {
    for candidate in candidates(bytes, from) {
        let rest = bytes.get(candidate.at..).unwrap_or_default();
        match candidate.judge(bytes) {
            Verdict::Message => return Search::Found(candidate.at),
            _ if candidate.place == Place::Line && is_start_line(rest) => {
                return Search::Found(candidate.at);
            }
            Verdict::Unsure => return Search::Pending(candidate.line),
            Verdict::Nothing => {}
        }
    }
    Search::Pending(memrchr(b'\n', bytes).map_or(0, |at| at + 1).max(from))
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
    let first = Candidate { at: 0, line: 0, place: Place::Anywhere };
    for candidate in std::iter::once(first).chain(candidates(bytes, 0)) {
        let rest = bytes.get(candidate.at..).unwrap_or_default();
        match candidate.judge(bytes) {
            Verdict::Message => return Search::Found(candidate.at),
            Verdict::Unsure if after == After::More && rest.len() < LONGEST_HEAD => {
                return Search::Pending(candidate.at);
            }
            Verdict::Unsure if begins_like_head(rest) => return Search::Found(candidate.at),
            Verdict::Unsure | Verdict::Nothing => {}
        }
    }
    if after != After::More {
        return Search::Pending(bytes.len());
    }
    // The last line may go on to be a start line; one of odd form is known by the line behind it.
    let line = memrchr(b'\n', bytes).map_or(0, |at| at + 1);
    let above = bytes.get(..line.saturating_sub(1)).unwrap_or_default();
    let line_above = memrchr(b'\n', above).map_or(0, |at| at + 1);
    if lacks_evidence(bytes.get(line_above..).unwrap_or_default()) {
        return Search::Pending(line_above);
    }
    let keeps = bytes.len() - line < LONGEST_LINE;
    Search::Pending(if keeps { line } else { bytes.len() })
}

/// A place where a start line may begin.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    at: usize,
    /// Where its line begins.
    line: usize,
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// At the beginning of a line.
    Line,
    /// Behind something else: a body without line end, or the first octets there are.
    Anywhere,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Message,
    /// The head is not all there.
    Unsure,
    Nothing,
}

impl Candidate {
    /// Judges by start line and head.
    fn judge(self, bytes: &[u8]) -> Verdict {
        let rest = bytes.get(self.at..).unwrap_or_default();
        // In the middle of a line the end of a longer word would pass for a method of its own.
        if !is_start_line(rest) || (self.place == Place::Anywhere && !is_well_known(rest)) {
            return Verdict::Nothing;
        }
        let Some(end) = head_end(rest, 0) else { return Verdict::Unsure };
        let head = rest.get(..end).unwrap_or_default();
        // A head with a start line in it is that of the next message.
        let is_message = has_head(head) && find_line(head, 1).is_none();
        if is_message { Verdict::Message } else { Verdict::Nothing }
    }
}

/// Places where start lines may begin: every one holds the word `SIP/`.
fn candidates(bytes: &[u8], from: usize) -> impl Iterator<Item = Candidate> {
    let searched = bytes.get(from..).unwrap_or_default();
    memmem::find_iter(searched, b"SIP/")
        .flat_map(move |hit| {
            let hit = from + hit;
            let before = bytes.get(..hit).unwrap_or_default();
            let line = memrchr(b'\n', before).map_or(0, |at| at + 1);
            let whole = Candidate { at: line, line, place: Place::Line };
            let part = behind_something(bytes.get(line..hit).unwrap_or_default());
            let part = part.map(|at| Candidate { at: line + at, line, place: Place::Anywhere });
            [part.filter(|part| from <= part.at), Some(whole).filter(|_| from <= line && 0 < line)]
        })
        .flatten()
}

/// Where in `line`, which the word `SIP/` follows, a start line may begin that is not all of it.
fn behind_something(line: &[u8]) -> Option<usize> {
    let Some(uri) = memmem::rfind(line, b" sip") else {
        return (!line.is_empty()).then_some(line.len());
    };
    let method = line.get(..uri)?;
    let at = method.iter().rposition(|octet| !octet.is_ascii_uppercase())? + 1;
    (at < uri).then_some(at)
}

/// True when a start line is that of a response or of a request with a well-known method.
fn is_well_known(bytes: &[u8]) -> bool {
    let line = memchr(b'\n', bytes).map_or(bytes, |end| bytes.get(..end).unwrap_or_default());
    bytes.starts_with(b"SIP/") || cut_first_line(line).is_some()
}

/// Whether the head behind a start line is that of a message.
fn has_head(head: &[u8]) -> bool {
    if head.iter().any(|&octet| octet < b' ' && !matches!(octet, b'\r' | b'\n' | b'\t')) {
        return false;
    }
    let (mut via, mut call_id) = (false, false);
    for line in HeaderLines::after_start_line(head) {
        let Some((name, _)) = split_header(line) else { continue };
        via |= name.eq_ignore_ascii_case(b"via") || name.eq_ignore_ascii_case(b"v");
        call_id |= name.eq_ignore_ascii_case(b"call-id") || name.eq_ignore_ascii_case(b"i");
    }
    via && call_id
}

/// True when a header that stands at the top of messages, and hardly ever in a body that quotes
/// one, follows the start line.
fn begins_like_head(bytes: &[u8]) -> bool {
    const TOP: [&[u8]; 5] = [b"via", b"v", b"record-route", b"route", b"max-forwards"];
    let line = HeaderLines::after_start_line(bytes).next();
    let Some((name, _)) = line.and_then(split_header) else { return false };
    TOP.iter().any(|top| name.eq_ignore_ascii_case(top))
}
