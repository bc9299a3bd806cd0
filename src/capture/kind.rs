//! What an input is, by its first octets and never by its name.

use crate::capture::order::Order;
use crate::capture::text::looks_like_text;

/// Kinds of input that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// pcap in any of its variants.
    Pcap,
    /// pcapng.
    PcapNg,
    /// Microsoft Network Monitor 2 or 3.
    NetMon,
    /// snoop (RFC 1761).
    Snoop,
    /// Compressed with gzip.
    Gzip,
    /// Compressed with zstd.
    Zstd,
    /// An lz4 frame.
    Lz4,
    /// Readable text: perhaps a log with SIP messages in it.
    Text,
    /// Nothing that is known here.
    Unknown,
}

impl Kind {
    /// Octets that tell all kinds apart but text.
    pub const MAGIC: usize = 12;
    /// Octets that tell text from other data too.
    pub const ENOUGH: usize = 4096;

    /// The kind of an input that starts with `head`.
    pub fn of(head: &[u8]) -> Self {
        match head {
            [0xa1, 0xb2, 0xc3, 0xd4, ..]
            | [0xd4, 0xc3, 0xb2, 0xa1, ..]
            | [0xa1, 0xb2, 0x3c, 0x4d, ..]
            | [0x4d, 0x3c, 0xb2, 0xa1, ..]
            | [0xa1, 0xb2, 0xcd, 0x34, ..]
            | [0x34, 0xcd, 0xb2, 0xa1, ..] => Self::Pcap,
            [0x0a, 0x0d, 0x0d, 0x0a, _, _, _, _, 0x1a, 0x2b, 0x3c, 0x4d, ..]
            | [0x0a, 0x0d, 0x0d, 0x0a, _, _, _, _, 0x4d, 0x3c, 0x2b, 0x1a, ..] => Self::PcapNg,
            [b'G', b'M', b'B', b'U', ..] => Self::NetMon,
            [b's', b'n', b'o', b'o', b'p', 0, 0, 0, ..] => Self::Snoop,
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x04, 0x22, 0x4d, 0x18, ..] => Self::Lz4,
            // Or a frame to be skipped: some zstd tools put one first, no lz4 tool does.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            [] => Self::Unknown,
            _ if looks_like_text(head) => Self::Text,
            _ => Self::Unknown,
        }
    }

    /// The kind in words, for messages.
    pub fn words(self) -> &'static str {
        match self {
            Self::Pcap => "pcap",
            Self::PcapNg => "pcapng",
            Self::NetMon => "Network Monitor",
            Self::Snoop => "snoop",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
            Self::Text => "text",
            Self::Unknown => "unknown data",
        }
    }
}

/// Byte order of a pcapng section by the magic at octet 8 of its header block.
pub(super) fn section_order(magic: &[u8]) -> Option<Order> {
    match magic {
        [0x1a, 0x2b, 0x3c, 0x4d] => Some(Order::Big),
        [0x4d, 0x3c, 0x2b, 0x1a] => Some(Order::Little),
        _ => None,
    }
}
