//! The snoop format of Solaris and of devices that copied it (RFC 1761).

use crate::capture::RECORD_MAX;
use crate::capture::octets::Octets;
use crate::capture::order::Order;
use crate::capture::record::{Fault, Record};
use crate::frame::LinkType;
use crate::time::Timestamp;

/// Octets of the file header, and of the header of a record.
const HEADER: usize = 16;
const RECORD: usize = 24;
/// Stands for link types nobody reads; they are counted as such.
const UNREAD: LinkType = LinkType(u16::MAX);

/// Reads the records of one snoop file.
pub(super) struct Snoop {
    link: LinkType,
    dropped: u64,
}

impl Snoop {
    /// Reads the file header.
    pub(super) fn open(octets: &mut Octets) -> Result<Self, Fault> {
        let header = octets.peek(HEADER)?;
        if header.len() < HEADER {
            return Err(Fault::Cut { missing: (HEADER - header.len()) as u64 });
        }
        let link = match Order::Big.u32(header, 12) {
            // IEEE 802.3 and Ethernet.
            0 | 4 => LinkType(1),
            2 => LinkType(6),
            8 => LinkType(10),
            _ => UNREAD,
        };
        octets.claim(HEADER)?;
        Ok(Self { link, dropped: 0 })
    }

    /// Packets lost so far, as the file says.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Reads one record; `None` at the end of the file.
    pub(super) fn next(&mut self, octets: &mut Octets) -> Result<Option<Record>, Fault> {
        let head = octets.peek(RECORD)?;
        if head.len() < RECORD {
            return match head.len() {
                0 => Ok(None),
                some => Err(Fault::Cut { missing: (RECORD - some) as u64 }),
            };
        }
        let field = |at| Order::Big.u32(head, at);
        let (wire_len, length, whole) = (field(0), field(4), field(8));
        let time = Timestamp::new(field(16).into(), i64::from(field(20)) * 1_000);
        let dropped = field(12).into();
        // What is behind the packet fills the record up.
        if RECORD_MAX < whole || (whole as usize) < RECORD + length as usize {
            return Err(Fault::Corrupt(format!(
                "a record of {whole} octets claims to hold a packet of {length}"
            )));
        }
        let Some(start) = octets.claim(whole as usize)? else {
            return Err(Fault::cut(octets, whole as usize)?);
        };
        self.dropped = dropped;
        Ok(Some(Record {
            time,
            link: self.link,
            interface: 0,
            wire_len,
            start: start + RECORD,
            length: length as usize,
        }))
    }
}
