//! The HTTP exchange that turns a TCP connection into a WebSocket (RFC 6455 section 4).

use crate::transport::peek::{HeaderLines, head_end, split_header};

/// Octets an HTTP head may take before it is none of ours.
const LONGEST_HEAD: usize = 32 << 10;

/// What stands at the beginning of a stream of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Http {
    /// A request or response that opens a WebSocket, of so many octets.
    Upgrade(usize),
    /// Too few octets to tell.
    Unsure,
    /// Something else.
    NotForUs,
}

impl Http {
    /// Judges octets by content.
    pub(super) fn of(bytes: &[u8]) -> Self {
        const STARTS: [&[u8]; 2] = [b"GET ", b"HTTP/1."];
        if STARTS.iter().any(|start| start.starts_with(bytes)) {
            return Self::Unsure;
        }
        if !STARTS.iter().any(|start| bytes.starts_with(start)) {
            return Self::NotForUs;
        }
        let Some(end) = head_end(bytes, 0) else {
            return if bytes.len() < LONGEST_HEAD { Self::Unsure } else { Self::NotForUs };
        };
        let upgrades = HeaderLines::after_start_line(bytes.get(..end).unwrap_or_default())
            .filter_map(split_header)
            .any(|(name, value)| {
                name.eq_ignore_ascii_case(b"upgrade") && value.eq_ignore_ascii_case(b"websocket")
            });
        if upgrades { Self::Upgrade(end) } else { Self::NotForUs }
    }
}
