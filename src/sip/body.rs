//! Finds the session description in the body: alone, or as a part of a multipart body.

use memchr::memmem;

use super::field::params::Params;
use super::lex::unquoted;
use super::{HeaderName, Message};
use crate::transport::peek::{HeadEnd, HeaderLines, split_header};

/// The media type of a session description (RFC 8866 section 8.1).
const SDP: &[u8] = b"application/sdp";

/// The session description of `message`; see [`Message::sdp`].
pub(super) fn sdp(message: &Message) -> Option<&[u8]> {
    let body = message.body();
    if body.is_empty() || is_encoded(message) {
        return None;
    }
    let Some(content_type) = message.value(HeaderName::ContentType) else {
        return body.starts_with(b"v=0").then_some(body);
    };
    // So nearly everybody writes it.
    if content_type == SDP {
        return Some(body);
    }
    let (kind, params) = split_type(content_type);
    if is_sdp(kind) {
        return Some(body);
    }
    if !kind.get(..10).is_some_and(|start| start.eq_ignore_ascii_case(b"multipart/")) {
        return None;
    }
    let boundary = Some(unquoted(params.value("boundary")?)).filter(|text| !text.is_empty())?;
    Parts::new(body, boundary).find_map(sdp_part)
}

fn is_encoded(message: &Message) -> bool {
    message
        .value(HeaderName::ContentEncoding)
        .is_some_and(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity"))
}

/// Media type and its parameters.
fn split_type(value: &[u8]) -> (&[u8], Params<'_>) {
    let end = memchr::memchr(b';', value).unwrap_or(value.len());
    (value[..end].trim_ascii(), Params(&value[end..]))
}

fn is_sdp(kind: &[u8]) -> bool {
    kind.eq_ignore_ascii_case(SDP)
}

/// The content of `part` when its own Content-Type says SDP.
fn sdp_part(part: &[u8]) -> Option<&[u8]> {
    let mut lines = HeaderLines::of(part);
    let says_sdp = lines.by_ref().filter_map(split_header).any(|(name, value)| {
        HeaderName::of(name) == HeaderName::ContentType && is_sdp(split_type(value).0)
    });
    lines.by_ref().for_each(drop);
    match lines.end() {
        HeadEnd::Empty(content) if says_sdp => part.get(content..),
        _ => None,
    }
}

/// The parts of a multipart body (RFC 2046 section 5.1): head and content, without boundary lines.
struct Parts<'a> {
    rest: &'a [u8],
    boundary: &'a [u8],
}

impl<'a> Parts<'a> {
    fn new(body: &'a [u8], boundary: &'a [u8]) -> Self {
        let mut parts = Self { rest: body, boundary };
        parts.up_to_boundary();
        parts
    }

    /// What stands before the next boundary line, which is taken off too; all of it without one.
    fn up_to_boundary(&mut self) -> &'a [u8] {
        let mut from = 0;
        while let Some(found) = memmem::find(&self.rest[from..], self.boundary) {
            let at = from + found;
            from = at + self.boundary.len();
            let Some(before) = self.rest[..at].strip_suffix(b"--") else { continue };
            if before.last().is_none_or(|&octet| octet == b'\n') {
                let part = before.strip_suffix(b"\n").unwrap_or(before);
                self.rest = &self.rest[from..];
                return part.strip_suffix(b"\r").unwrap_or(part);
            }
        }
        std::mem::take(&mut self.rest)
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let after = self.rest;
        if after.is_empty() || after.starts_with(b"--") {
            return None;
        }
        let end = memchr::memchr(b'\n', after)? + 1;
        self.rest = &after[end..];
        Some(self.up_to_boundary())
    }
}
