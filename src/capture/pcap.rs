//! The pcap format: microseconds or nanoseconds, either byte order, plain or modified records.
//!
//! draft-ietf-opsawg-pcap sections 4 and 5; the modified records are those of Kuznetzov's libpcap
//! patch, which older Linux distributions shipped.

use crate::capture::RECORD_MAX;
use crate::capture::octets::Octets;
use crate::capture::order::Order;
use crate::capture::record::{Fault, Record};
use crate::frame::LinkType;
use crate::time::Timestamp;

/// Octets of the file header.
const HEADER: usize = 24;
/// The longest snap length tcpdump sets; records up to it are believed whatever the header says.
const SNAP_COMMON: u32 = 262_144;

/// Reads the records of one pcap file.
pub(super) struct Pcap {
    order: Order,
    link: LinkType,
    /// Nanoseconds that one unit of the fraction of a second stands for.
    unit: i64,
    /// Octets of a record's header: 16, or 24 in modified files.
    head: usize,
    /// Octets a record may hold.
    longest: u32,
}

impl Pcap {
    /// Reads the file header.
    pub(super) fn open(octets: &mut Octets) -> Result<Self, Fault> {
        let header = octets.peek(HEADER)?;
        let (order, unit, head) = match header {
            [0xa1, 0xb2, 0xc3, 0xd4, ..] => (Order::Big, 1_000, 16),
            [0xd4, 0xc3, 0xb2, 0xa1, ..] => (Order::Little, 1_000, 16),
            [0xa1, 0xb2, 0x3c, 0x4d, ..] => (Order::Big, 1, 16),
            [0x4d, 0x3c, 0xb2, 0xa1, ..] => (Order::Little, 1, 16),
            [0xa1, 0xb2, 0xcd, 0x34, ..] => (Order::Big, 1_000, 24),
            _ => (Order::Little, 1_000, 24),
        };
        if header.len() < HEADER {
            return Err(Fault::Cut { missing: (HEADER - header.len()) as u64 });
        }
        let snap = order.u32(header, 16);
        // The upper bits say how long the frame check sequence is, which no decoder needs.
        let link = LinkType(order.u32(header, 20) as u16);
        octets.claim(HEADER)?;
        Ok(Self { order, link, unit, head, longest: snap.clamp(SNAP_COMMON, RECORD_MAX) })
    }

    /// Reads one record; `None` at the end of the file.
    #[inline(always)]
    pub(super) fn next(&mut self, octets: &mut Octets) -> Result<Option<Record>, Fault> {
        let head = octets.peek(self.head)?;
        if head.len() < self.head {
            return match head.len() {
                0 => Ok(None),
                some => Err(Fault::Cut { missing: (self.head - some) as u64 }),
            };
        }
        let Some(head) = head.first_chunk::<16>() else { return Ok(None) };
        let seconds = self.order.u32(head, 0);
        let fraction = self.order.u32(head, 4);
        let length = self.order.u32(head, 8);
        let wire_len = self.order.u32(head, 12);
        if self.longest < length {
            return Err(Fault::Corrupt(format!(
                "the record claims {length} octets, more than the {} the file allows",
                self.longest
            )));
        }
        let whole = self.head + length as usize;
        let Some(start) = octets.claim(whole)? else {
            let missing = whole - octets.peek(whole)?.len();
            return Err(Fault::Cut { missing: missing as u64 });
        };
        Ok(Some(Record {
            time: Timestamp::new(seconds.into(), i64::from(fraction) * self.unit),
            link: self.link,
            interface: 0,
            wire_len,
            start: start + self.head,
            length: length as usize,
        }))
    }
}
