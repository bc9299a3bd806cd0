//! The blocks of a pcapng file as octets: section, interface, packet, statistics.
//!
//! draft-ietf-opsawg-pcapng, revision 03, in little-endian order.

use crate::frame::{Frame, LinkType};
use crate::time::Timestamp;

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const STATISTICS: u32 = 5;
const PACKET: u32 = 6;

const MAGIC: u32 = 0x1a2b_3c4d;
/// The section's length is not known while it is written.
const UNKNOWN_LENGTH: u64 = u64::MAX;
/// Ticks of a nanosecond, as `if_tsresol` writes it: a power of ten.
const NANOSECONDS: u8 = 9;
/// Octets of an option's value: more do not fit its length field, and names are shorter.
const VALUE_MAX: usize = 255;

/// Octets of an enhanced packet block beside the packet.
pub(super) const PACKET_FRAMING: usize = 32;
/// Octets of a statistics block as it is written here.
pub(super) const STATISTICS_SIZE: usize = 24 + 4 * 12 + 4;

/// Codes of options (sections 4.1, 4.2 and 4.6).
mod option {
    pub(super) const HARDWARE: u16 = 2;
    pub(super) const OS: u16 = 3;
    pub(super) const APPLICATION: u16 = 4;
    pub(super) const NAME: u16 = 2;
    pub(super) const RESOLUTION: u16 = 9;
    pub(super) const START: u16 = 2;
    pub(super) const END: u16 = 3;
    pub(super) const RECEIVED: u16 = 4;
    pub(super) const DROPPED_BY_SYSTEM: u16 = 7;
}

/// What an interface says of itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Description<'a> {
    pub(super) link: LinkType,
    /// Octets kept of a packet at most; 0 for no limit.
    pub(super) snap: u32,
    pub(super) name: &'a str,
}

/// What came through an interface during a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Statistics {
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    pub(super) received: u64,
    pub(super) dropped: u64,
}

/// Section header block: who writes, on what.
pub(super) fn section(out: &mut Vec<u8>, hardware: &str, os: &str, application: &str) {
    block(out, SECTION, |out| {
        out.extend(MAGIC.to_le_bytes());
        out.extend(1_u16.to_le_bytes());
        out.extend(0_u16.to_le_bytes());
        out.extend(UNKNOWN_LENGTH.to_le_bytes());
        put_option(out, option::HARDWARE, hardware.as_bytes());
        put_option(out, option::OS, os.as_bytes());
        put_option(out, option::APPLICATION, application.as_bytes());
        end_options(out);
    });
}

/// Interface description block.
pub(super) fn interface(out: &mut Vec<u8>, description: Description<'_>) {
    block(out, INTERFACE, |out| {
        out.extend(description.link.0.to_le_bytes());
        out.extend([0; 2]);
        out.extend(description.snap.to_le_bytes());
        if !description.name.is_empty() {
            put_option(out, option::NAME, description.name.as_bytes());
        }
        put_option(out, option::RESOLUTION, &[NANOSECONDS]);
        end_options(out);
    });
}

/// Enhanced packet block of interface `number` of the section.
pub(super) fn packet(out: &mut Vec<u8>, number: u32, frame: &Frame<'_>) {
    let length = frame.bytes.len() as u32;
    block(out, PACKET, |out| {
        out.extend(number.to_le_bytes());
        put_time(out, frame.time);
        out.extend(length.to_le_bytes());
        out.extend(frame.wire_len.max(length).to_le_bytes());
        out.extend(frame.bytes);
        pad(out, frame.bytes.len());
    });
}

/// Interface statistics block of interface `number` of the section.
pub(super) fn statistics(out: &mut Vec<u8>, number: u32, about: Statistics) {
    block(out, STATISTICS, |out| {
        out.extend(number.to_le_bytes());
        put_time(out, about.last);
        put_time_option(out, option::START, about.first);
        put_time_option(out, option::END, about.last);
        put_option(out, option::RECEIVED, &about.received.to_le_bytes());
        put_option(out, option::DROPPED_BY_SYSTEM, &about.dropped.to_le_bytes());
        end_options(out);
    });
}

/// Writes a block around `body`, which has to end on a multiple of four octets.
fn block(out: &mut Vec<u8>, kind: u32, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend(kind.to_le_bytes());
    out.extend([0; 4]);
    body(out);
    let length = (out.len() - start + 4) as u32;
    out.extend(length.to_le_bytes());
    if let Some(field) = out.get_mut(start + 4..start + 8) {
        field.copy_from_slice(&length.to_le_bytes());
    }
}

fn put_option(out: &mut Vec<u8>, code: u16, value: &[u8]) {
    let value = value.get(..VALUE_MAX).unwrap_or(value);
    out.extend(code.to_le_bytes());
    out.extend((value.len() as u16).to_le_bytes());
    out.extend(value);
    pad(out, value.len());
}

fn put_time_option(out: &mut Vec<u8>, code: u16, time: Timestamp) {
    out.extend(code.to_le_bytes());
    out.extend(8_u16.to_le_bytes());
    put_time(out, time);
}

fn end_options(out: &mut Vec<u8>) {
    out.extend([0; 4]);
}

/// A time in two halves, the higher first. What is before 1970 cannot be said.
fn put_time(out: &mut Vec<u8>, time: Timestamp) {
    let ticks = u64::try_from(time.0).unwrap_or_default();
    out.extend(((ticks >> 32) as u32).to_le_bytes());
    out.extend((ticks as u32).to_le_bytes());
}

fn pad(out: &mut Vec<u8>, length: usize) {
    out.resize(out.len() + length.next_multiple_of(4) - length, 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sizes_reckoned_with_are_those_written() {
        let mut out = Vec::new();
        let zero = Timestamp(0);
        let about = Statistics { first: zero, last: zero, received: 1, dropped: 2 };
        statistics(&mut out, 0, about);
        assert_eq!(out.len(), STATISTICS_SIZE);
    }
}
