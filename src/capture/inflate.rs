//! Compressed inputs as streams of plain octets: gzip, zstd and lz4, any number of members.

use crate::capture::kind::Kind;
use crate::capture::octets::Octets;

mod gzip;
mod lz4;
mod zstd;

/// Turns packed octets into plain ones as they are read.
pub(super) type Unpack = fn(Octets) -> Octets;

/// How an input of this kind is unpacked; `None` when it is not compressed.
pub(super) fn unpack(kind: Kind) -> Option<Unpack> {
    match kind {
        Kind::Gzip => Some(|packed| Octets::of_reader(gzip::Members::new(packed))),
        Kind::Zstd => Some(|packed| Octets::of_reader(zstd::Frames::new(packed))),
        Kind::Lz4 => Some(|packed| Octets::of_reader(lz4::Frames::new(packed))),
        _ => None,
    }
}
