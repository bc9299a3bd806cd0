//! One interface of a pcapng section: its link type, its clock, and what it lost.

use super::{link_type, options};
use crate::capture::order::Order;
use crate::frame::LinkType;
use crate::time::{SECOND, Timestamp};

const IF_TSRESOL: u16 = 9;
const IF_TSOFFSET: u16 = 14;
const ISB_IFDROP: u16 = 5;
const ISB_OSDROP: u16 = 7;
const EPB_DROPCOUNT: u16 = 4;

/// An interface description block (section 4.2) and what was said about it since.
pub(super) struct Interface {
    pub(super) link: LinkType,
    /// Octets captured of a packet at most; 0 for no limit.
    pub(super) snap: u32,
    clock: Clock,
    /// Nanoseconds to add to every time.
    offset: i64,
    /// Packets lost as the statistics say; they count from the start.
    reported: u64,
    /// Packets lost as the packets say, each since the one before.
    counted: u64,
}

/// How nanoseconds are made from the ticks of an interface.
#[derive(Clone, Copy)]
enum Clock {
    /// A tick is so many nanoseconds.
    Coarse(i64),
    /// A nanosecond is so many ticks.
    Fine(u64),
    /// A second is 2 to this power ticks.
    Binary(u32),
}

impl Interface {
    /// Reads the body of the block; `None` when it is too short to be one.
    pub(super) fn parse(order: Order, body: &[u8]) -> Option<Self> {
        let described = body.get(8..)?;
        let mut interface = Self {
            link: link_type(order, body),
            snap: order.u32(body, 4),
            clock: Clock::Coarse(1_000),
            offset: 0,
            reported: 0,
            counted: 0,
        };
        for (code, value) in options(order, described) {
            match (code, value) {
                (IF_TSRESOL, &[exponent, ..]) => interface.clock = Clock::of(exponent),
                (IF_TSOFFSET, value) if value.len() == 8 => {
                    let seconds = order.u64(value, 0).cast_signed();
                    interface.offset = seconds.saturating_mul(SECOND);
                }
                _ => {}
            }
        }
        Some(interface)
    }

    /// The moment a packet of this interface names.
    #[inline]
    pub(super) fn time(&self, ticks: u64) -> Timestamp {
        let nanos = match self.clock {
            Clock::Coarse(nanos) => i64::try_from(ticks).unwrap_or(i64::MAX).saturating_mul(nanos),
            Clock::Fine(ticks_each) => i64::try_from(ticks / ticks_each).unwrap_or(i64::MAX),
            Clock::Binary(power) => {
                let nanos = (u128::from(ticks) * u128::from(SECOND.unsigned_abs())) >> power;
                i64::try_from(nanos).unwrap_or(i64::MAX)
            }
        };
        Timestamp(nanos).plus(self.offset)
    }

    /// Takes the drop counters of an interface statistics block (section 4.6).
    pub(super) fn observe_statistics(&mut self, order: Order, body: &[u8]) {
        let counters = options(order, body.get(12..).unwrap_or_default())
            .filter(|(code, value)| matches!(*code, ISB_IFDROP | ISB_OSDROP) && value.len() == 8)
            .map(|(_, value)| order.u64(value, 0));
        self.reported = self.reported.max(counters.fold(0, u64::saturating_add));
    }

    /// Takes the drop counter out of an enhanced packet block's options.
    pub(super) fn observe_packet_options(&mut self, order: Order, bytes: &[u8]) {
        for (code, value) in options(order, bytes) {
            if code == EPB_DROPCOUNT && value.len() == 8 {
                self.lose(order.u64(value, 0));
            }
        }
    }

    /// Counts packets lost before one packet.
    pub(super) fn lose(&mut self, count: u64) {
        self.counted = self.counted.saturating_add(count);
    }

    /// Packets lost; both ways of telling are about the same packets.
    pub(super) fn dropped(&self) -> u64 {
        self.reported.max(self.counted)
    }
}

impl Clock {
    /// The clock an `if_tsresol` octet describes.
    fn of(resolution: u8) -> Self {
        let exponent = u32::from(resolution & 0x7f);
        if resolution & 0x80 != 0 {
            return Self::Binary(exponent);
        }
        match exponent {
            0..=9 => Self::Coarse(10_i64.pow(9 - exponent)),
            // Beyond 10^19 ticks in a nanosecond a 64-bit counter never leaves the epoch.
            _ => Self::Fine(10_u64.checked_pow(exponent - 9).unwrap_or(u64::MAX)),
        }
    }
}
