//! The format of Microsoft Network Monitor 2 and 3: frames wherever a table at the end says.

use crate::capture::octets::Octets;
use crate::capture::order::Order;
use crate::capture::record::{Fault, Record};
use crate::capture::text::days;
use crate::capture::{RECORD_MAX, Zone};
use crate::frame::LinkType;
use crate::time::{SECOND, Timestamp};

/// Octets of the file header that are used, and of the header of a frame.
const HEADER: usize = 32;
const FRAME: usize = 16;
/// Stands for media types nobody reads, events of the system among them; they are counted.
const UNREAD: LinkType = LinkType(u16::MAX);
/// 1601-01-01, where FILETIME begins, in seconds before the epoch.
const FILETIME: i64 = 11_644_473_600;

/// Reads the frames of one file, in the order of its table.
pub(super) struct NetMon {
    /// Of the version 2.x of the format.
    minor: u8,
    media: u16,
    /// When the capture began.
    began: Timestamp,
    /// Place of the next entry of the table, and its end.
    entry: usize,
    end: usize,
}

impl NetMon {
    /// Reads the file header. Its time names no zone: it is that of `zone`, UTC without.
    pub(super) fn open(octets: &mut Octets, zone: Option<&Zone>) -> Result<Self, Fault> {
        let header = octets.peek(HEADER)?;
        if header.len() < HEADER {
            return Err(Fault::Cut { missing: (HEADER - header.len()) as u64 });
        }
        let field = |at| i64::from(Order::Little.u16(header, at));
        let day = days(field(8), field(10), field(14))
            .ok_or_else(|| Fault::Corrupt("its date is none".to_owned()))?;
        let seconds = day * 86_400 + field(16) * 3600 + field(18) * 60 + field(20);
        let local = Timestamp::new(seconds, field(22) * 1_000_000);
        let (minor, media) = match header {
            [_, _, _, _, minor, 2, ..] => (*minor, Order::Little.u16(header, 6)),
            _ => return Err(Fault::Corrupt("its version is not 2".to_owned())),
        };
        let entry = Order::Little.u32(header, 24) as usize;
        let end = entry.saturating_add(Order::Little.u32(header, 28) as usize / 4 * 4);
        let began = local.plus(-zone.map_or(0, |zone| zone(local)) * SECOND);
        Ok(Self { minor, media, began, entry, end })
    }

    /// Reads one frame; `None` at the end of the table.
    pub(super) fn next(&mut self, octets: &mut Octets) -> Result<Option<Record>, Fault> {
        if self.end <= self.entry {
            return Ok(None);
        }
        octets.seek(self.entry);
        let Some(place) = octets.peek(4)?.first_chunk() else {
            return Err(Fault::cut(octets, 4)?);
        };
        let place = u32::from_le_bytes(*place) as usize;
        self.entry += 4;
        octets.seek(place);
        let head = octets.peek(FRAME)?;
        if head.len() < FRAME {
            return Err(Fault::cut(octets, FRAME)?);
        }
        let (wire_len, length) = (Order::Little.u32(head, 8), Order::Little.u32(head, 12));
        let micros = Order::Little.u64(head, 0).cast_signed();
        if RECORD_MAX < length {
            return Err(Fault::Corrupt(format!("the frame claims {length} octets")));
        }
        let whole = FRAME + length as usize;
        let Some(start) = octets.claim(whole)? else { return Err(Fault::cut(octets, whole)?) };
        let (media, utc) = self.trailer(octets)?;
        Ok(Some(Record {
            time: utc.unwrap_or_else(|| self.began.plus(micros.saturating_mul(1_000))),
            link: link_type(media),
            interface: 0,
            wire_len,
            start: start + FRAME,
            length: length as usize,
        }))
    }

    /// What stands behind a frame: its media type from 2.1 on, its time in UTC from 2.3 on.
    fn trailer(&self, octets: &mut Octets) -> Result<(u16, Option<Timestamp>), Fault> {
        let length = match self.minor {
            0 => return Ok((self.media, None)),
            1 | 2 => 2,
            _ => 14,
        };
        let trailer = octets.peek(length)?;
        if trailer.len() < length {
            return Ok((self.media, None));
        }
        let ticks = Order::Little.u64(trailer, 6);
        let utc = (ticks != 0).then(|| {
            let seconds = (ticks / 10_000_000).cast_signed() - FILETIME;
            Timestamp::new(seconds, (ticks % 10_000_000).cast_signed() * 100)
        });
        Ok((Order::Little.u16(trailer, 0), utc))
    }
}

fn link_type(media: u16) -> LinkType {
    match media {
        1 => LinkType(1),
        2 => LinkType(6),
        // Tunnels, wireless WAN, raw IP.
        7..=9 => LinkType(101),
        // Taken from a pcap file.
        0xe000..=0xefff => LinkType(media & 0xfff),
        _ => UNREAD,
    }
}
