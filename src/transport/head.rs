//! The little that framing reads of a head: where it ends and what it says about the body.

use memchr::{memchr, memmem};

use crate::transport::peek;

/// A declared length above this is a mistake or an attack, and says nothing about the body.
const ABSURD: usize = 16 << 20;

/// What a head says about the length of its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// Content-Length.
    Octets(usize),
    /// Neither Content-Length nor Content-Type: most likely none.
    Zero,
    /// There should be a body and Content-Length is missing or no length.
    Unknown,
}

impl Length {
    /// Reads it from a whole head; of several Content-Length fields the first counts.
    pub(super) fn of(head: &[u8]) -> Self {
        if let Some(value) = peek::header(head, b"content-length", b'l') {
            return octets(value).map_or(Self::Unknown, Self::Octets);
        }
        match peek::header(head, b"content-type", b'c') {
            Some(_) => Self::Unknown,
            None => Self::Zero,
        }
    }
}

fn octets(value: &[u8]) -> Option<usize> {
    if value.first()? == &b'+' {
        return None;
    }
    let octets = std::str::from_utf8(value).ok()?.parse().ok()?;
    (octets <= ABSURD).then_some(octets)
}

/// One past the empty line that ends the head, which is not within the first `scanned` octets.
pub(super) fn end(bytes: &[u8], scanned: usize) -> Option<usize> {
    // The line end before the empty line may have been seen without what follows it.
    let mut at = scanned.saturating_sub(2);
    loop {
        at += memchr(b'\n', bytes.get(at..)?)? + 1;
        match bytes.get(at..)? {
            [b'\n', ..] => return Some(at + 1),
            [b'\r', b'\n', ..] => return Some(at + 2),
            _ => {}
        }
    }
}

/// The head that `bytes` begin with, as far as it is there.
pub(super) fn of(bytes: &[u8]) -> &[u8] {
    end(bytes, 0).and_then(|end| bytes.get(..end)).unwrap_or(bytes)
}

/// True when a body of unknown length, which begins at `head`, looks like all of it: XML whose
/// root is closed, or session description up to a line end.
///
/// Without this a camera that never sends Content-Length would be heard only at its next message.
pub(super) fn looks_finished(bytes: &[u8], head: usize) -> bool {
    let body = bytes.get(head..).unwrap_or_default();
    if body.ends_with(b"\n") && body.trim_ascii_start().starts_with(b"v=") {
        return memmem::find(body, b"\nm=").is_some();
    }
    let body = body.trim_ascii_end();
    let body = body.strip_suffix(b"\0").unwrap_or(body);
    body.ends_with(b">") && closes_root(body)
}

fn closes_root(xml: &[u8]) -> bool {
    let mut rest = xml;
    while let Some(open) = memchr(b'<', rest) {
        rest = rest.get(open + 1..).unwrap_or_default();
        if !matches!(rest.first(), Some(b'?' | b'!')) {
            break;
        }
    }
    let end = rest.iter().position(|octet| matches!(octet, b' ' | b'>' | b'/' | b'\r' | b'\n'));
    let Some(root) = end.and_then(|end| rest.get(..end)).filter(|root| !root.is_empty()) else {
        return false;
    };
    let closed = xml.strip_suffix(b">").map(<[u8]>::trim_ascii_end);
    closed.and_then(|xml| xml.strip_suffix(root)).is_some_and(|xml| xml.ends_with(b"</"))
}
