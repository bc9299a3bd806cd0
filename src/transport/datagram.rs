//! What one datagram carries, found out by content.

use crate::transport::peek::{cut_first_line, is_start_line};

/// What one datagram carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Datagram {
    /// One SIP message; all octets are its text, those behind its declared body too
    /// (RFC 3261 section 18.3).
    Message,
    /// Line ends: a keep-alive (RFC 5626 section 3.5.1).
    Ping,
    /// Nothing or zeros: a keep-alive when one of the ends is known to talk SIP.
    Blank,
    /// No SIP.
    NotForUs,
}

/// True for octets that begin nothing that is read here, as those of RTP and RTCP: text, HEP and
/// keep-alives have no such octet first.
#[inline]
pub fn is_foreign(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|first| 0x80 <= *first)
}

impl Datagram {
    /// Judges `bytes`, behind which `cut` octets were not captured.
    pub fn of(bytes: &[u8], cut: u32) -> Self {
        if is_start_line(bytes) {
            return Self::Message;
        }
        match bytes {
            [] | [0] | [0, 0] | [0, 0, 0, 0] if cut == 0 => Self::Blank,
            [b'\r' | b'\n', ..] if bytes.len() <= 8 && is_blank(bytes) => Self::Ping,
            _ if 0 < cut && cut_first_line(bytes).is_some() => Self::Message,
            _ => Self::NotForUs,
        }
    }
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|octet| matches!(octet, b'\r' | b'\n'))
}
