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
    /// Nothing, zeros, or a STUN binding request (RFC 5626 section 3.5.2): a keep-alive when one of
    /// the ends is known to talk SIP.
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
            [0, 1, ..] if asks_stun(bytes, cut) => Self::Blank,
            [b'\r' | b'\n', ..] if bytes.len() <= 8 && is_blank(bytes) => Self::Ping,
            _ if 0 < cut && cut_first_line(bytes).is_some() => Self::Message,
            _ => Self::NotForUs,
        }
    }
}

/// True for a STUN binding request (RFC 5389 section 6): its type, its length, its cookie.
fn asks_stun(bytes: &[u8], cut: u32) -> bool {
    let Some(([0, 1, high, low, 0x21, 0x12, 0xA4, 0x42], _)) = bytes.split_first_chunk() else {
        return false;
    };
    let len = u16::from_be_bytes([*high, *low]);
    len % 4 == 0 && (bytes.len() + cut as usize) == 20 + usize::from(len)
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|octet| matches!(octet, b'\r' | b'\n'))
}
