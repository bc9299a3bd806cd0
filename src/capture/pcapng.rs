//! The pcapng format: sections, interfaces, packets, names, secrets and drop counters.
//!
//! draft-ietf-opsawg-pcapng. Section numbers below are those of its revision 03.

use std::net::IpAddr;

use crate::capture::kind::section_order;
use crate::capture::octets::Octets;
use crate::capture::order::Order;
use crate::capture::record::{Fault, Record};
use crate::capture::{RECORD_MAX, Secrets};
use crate::frame::LinkType;
use crate::time::Timestamp;

mod interface;
mod names;

use interface::Interface;

/// Block types (section 11.1).
mod block {
    pub(super) const INTERFACE: u32 = 1;
    pub(super) const PACKET_OBSOLETE: u32 = 2;
    pub(super) const PACKET_SIMPLE: u32 = 3;
    pub(super) const NAMES: u32 = 4;
    pub(super) const STATISTICS: u32 = 5;
    pub(super) const PACKET: u32 = 6;
    pub(super) const SECRETS: u32 = 10;
    pub(super) const SECTION: u32 = 0x0a0d_0d0a;
}

/// Octets around the body of a block: type, length, and the length again behind it.
const FRAMING: usize = 12;
/// Octets of secrets kept of one file.
const SECRETS_MAX: usize = 64 << 20;
/// Interfaces of one section; more can only be meant to exhaust memory.
const INTERFACES_MAX: usize = 65_536;
/// `TLSK`: the secrets are a TLS key log (section 4.7).
const TLS_KEY_LOG: u32 = 0x544c_534b;

/// Reads the blocks of one pcapng file.
pub(super) struct PcapNg {
    order: Order,
    interfaces: Vec<Interface>,
    /// Interfaces of the sections before this one: their numbers go on.
    interfaces_before: u32,
    /// Packets lost according to the sections before this one.
    dropped_before: u64,
    /// Time of the packet before, which a packet without a time takes.
    time: Timestamp,
    /// Octets of the file before the block at hand.
    offset: u64,
    secrets: SecretsKept,
    /// What was read beside packets and not taken yet.
    pub(super) news: News,
}

/// Secrets and names met between packets.
#[derive(Default)]
pub(super) struct News {
    pub(super) secrets: Vec<Secrets>,
    pub(super) names: Vec<(IpAddr, String)>,
}

impl News {
    /// True when there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.secrets.is_empty() && self.names.is_empty()
    }
}

/// What becomes of secrets blocks as the reader passes them.
enum SecretsKept {
    /// They become news; `room` octets more are kept.
    Here { room: usize },
    /// They were all read ahead of the packets.
    Before,
}

/// The packet fields that the three kinds of packet blocks share.
struct Packet {
    interface: u32,
    ticks: Option<u64>,
    length: u32,
    wire_len: u32,
    /// Place of the packet in the block's body.
    at: usize,
}

impl PcapNg {
    /// A reader at the start of a file.
    pub(super) fn open() -> Self {
        Self {
            order: Order::Little,
            interfaces: Vec::new(),
            interfaces_before: 0,
            dropped_before: 0,
            time: Timestamp::default(),
            offset: 0,
            secrets: SecretsKept::Here { room: SECRETS_MAX },
            news: News::default(),
        }
    }

    /// Octets of the file before the block that was read last.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Packets lost so far, as the file says.
    pub(super) fn dropped(&self) -> u64 {
        self.interfaces
            .iter()
            .map(Interface::dropped)
            .fold(self.dropped_before, u64::saturating_add)
    }

    /// Reads the secrets of the whole file at once, so that those behind a packet serve it too.
    pub(super) fn read_secrets_ahead(&mut self, octets: &mut Octets) -> Vec<Secrets> {
        let mut scout = Self::open();
        // Whatever stops the scout stops the reader at the same place, which reports it.
        while let Ok(Some(head)) = scout.head(octets) {
            let passed = match head.kind {
                block::SECRETS | block::SECTION => scout.block(octets, &head).is_ok(),
                _ => octets.skip(head.padded as u64).is_ok_and(|whole| whole),
            };
            if !passed {
                break;
            }
        }
        self.secrets = SecretsKept::Before;
        scout.news.secrets
    }

    /// Reads on to the next packet; `None` at the end of the file.
    #[inline]
    pub(super) fn next(&mut self, octets: &mut Octets) -> Result<Option<Record>, Fault> {
        loop {
            let Some(head) = self.head(octets)? else { return Ok(None) };
            if let Some(record) = self.block(octets, &head)? {
                return Ok(Some(record));
            }
        }
    }

    /// Looks at the next block's type and length.
    #[inline]
    fn head(&mut self, octets: &mut Octets) -> Result<Option<Head>, Fault> {
        self.offset = octets.offset();
        let bytes = octets.peek(FRAMING)?;
        if bytes.len() < FRAMING {
            return match bytes.len() {
                0 => Ok(None),
                some => Err(Fault::Cut { missing: (FRAMING - some) as u64 }),
            };
        }
        let kind = self.order.u32(bytes, 0);
        if kind == block::SECTION {
            // A section may change the byte order; its own type reads the same in both.
            let magic = bytes.get(8..12).unwrap_or_default();
            let Some(order) = section_order(magic) else {
                return Err(Fault::Corrupt("a section header without byte-order magic".into()));
            };
            self.order = order;
        }
        let length = self.order.u32(bytes, 4);
        if (length as usize) < FRAMING {
            return Err(Fault::Corrupt(format!("a block of {length} octets, the least is 12")));
        }
        // Some writers count the body without its padding.
        Ok(Some(Head { kind, length, padded: (length as usize).next_multiple_of(4) }))
    }

    /// Passes one block; what it means if it is a packet.
    #[inline]
    fn block(&mut self, octets: &mut Octets, head: &Head) -> Result<Option<Record>, Fault> {
        match head.kind {
            block::PACKET
            | block::PACKET_SIMPLE
            | block::PACKET_OBSOLETE
            | block::SECTION
            | block::INTERFACE
            | block::NAMES
            | block::STATISTICS
            | block::SECRETS => {}
            _ => return self.pass(octets, head),
        }
        if RECORD_MAX < head.length {
            return Err(Fault::Corrupt(format!("a block of {} octets", head.length)));
        }
        let Some(start) = octets.claim(head.padded)? else {
            return Err(Fault::cut(octets, head.padded)?);
        };
        let whole = octets.claimed(start, head.padded);
        let again = self.order.u32(whole, head.padded - 4);
        head.confirm(again)?;
        let body = whole.get(8..head.padded - 4).unwrap_or_default();
        let packet = match head.kind {
            block::PACKET => self.enhanced(body)?,
            block::PACKET_SIMPLE => self.simple(body)?,
            block::PACKET_OBSOLETE => self.obsolete(body)?,
            _ => {
                self.other(head.kind, body)?;
                return Ok(None);
            }
        };
        self.record(&packet, body.len(), start + 8).map(Some)
    }

    /// Passes a block of no interest without holding it.
    fn pass(&mut self, octets: &mut Octets, head: &Head) -> Result<Option<Record>, Fault> {
        if !octets.skip(head.padded as u64 - 4)? {
            return Err(Fault::Cut { missing: 4 });
        }
        let bytes = octets.peek(4)?;
        if bytes.len() < 4 {
            return Err(Fault::Cut { missing: 4 - bytes.len() as u64 });
        }
        head.confirm(self.order.u32(bytes, 0))?;
        octets.claim(4)?;
        Ok(None)
    }

    /// Blocks that are no packets.
    fn other(&mut self, kind: u32, body: &[u8]) -> Result<(), Fault> {
        match kind {
            block::SECTION => {
                self.dropped_before = self.dropped();
                self.interfaces_before += self.interfaces.len() as u32;
                self.interfaces.clear();
            }
            block::INTERFACE if self.interfaces.len() < INTERFACES_MAX => {
                let interface = Interface::parse(self.order, body)
                    .ok_or_else(|| Fault::Corrupt("an interface block that is too short".into()))?;
                self.interfaces.push(interface);
            }
            block::INTERFACE => {
                return Err(Fault::Corrupt(format!("more than {INTERFACES_MAX} interfaces")));
            }
            block::STATISTICS => {
                let id = self.order.u32(body, 0) as usize;
                if let Some(interface) = self.interfaces.get_mut(id) {
                    interface.observe_statistics(self.order, body);
                }
            }
            block::NAMES => names::read(self.order, body, &mut self.news.names),
            _ => self.keep_secrets(body),
        }
        Ok(())
    }

    fn keep_secrets(&mut self, body: &[u8]) {
        let SecretsKept::Here { room } = &mut self.secrets else { return };
        let length = self.order.u32(body, 4) as usize;
        let Some(secrets) = body.get(8..8 + length.min(body.len())) else { return };
        if self.order.u32(body, 0) == TLS_KEY_LOG && secrets.len() <= *room {
            *room -= secrets.len();
            self.news.secrets.push(Secrets(secrets.to_vec()));
        }
    }

    /// Enhanced packet block (section 4.3).
    #[inline]
    fn enhanced(&mut self, body: &[u8]) -> Result<Packet, Fault> {
        if body.len() < 20 {
            return Err(Fault::Corrupt("a packet block that is too short".into()));
        }
        let order = self.order;
        let interface = order.u32(body, 0);
        let length = order.u32(body, 12);
        let options = (length as usize).saturating_add(20).next_multiple_of(4);
        if let Some(options) = body.get(options..)
            && 4 < options.len()
            && let Some(interface) = self.interfaces.get_mut(interface as usize)
        {
            interface.observe_packet_options(order, options);
        }
        Ok(Packet {
            interface,
            ticks: Some(u64::from(order.u32(body, 4)) << 32 | u64::from(order.u32(body, 8))),
            length,
            wire_len: order.u32(body, 16),
            at: 20,
        })
    }

    /// Simple packet block (section 4.4): of the first interface, without a time.
    fn simple(&self, body: &[u8]) -> Result<Packet, Fault> {
        if body.len() < 4 {
            return Err(Fault::Corrupt("a packet block that is too short".into()));
        }
        let wire_len = self.order.u32(body, 0);
        let snap = match self.interfaces.first() {
            Some(Interface { snap, .. }) if *snap != 0 => *snap,
            _ => u32::MAX,
        };
        // The length captured is written nowhere: it is what all three bounds allow.
        let length = wire_len.min(snap).min(body.len() as u32 - 4);
        Ok(Packet { interface: 0, ticks: None, length, wire_len, at: 4 })
    }

    /// Obsolete packet block (appendix A).
    fn obsolete(&mut self, body: &[u8]) -> Result<Packet, Fault> {
        if body.len() < 20 {
            return Err(Fault::Corrupt("a packet block that is too short".into()));
        }
        let order = self.order;
        let interface = u32::from(order.u16(body, 0));
        let drops = order.u16(body, 2);
        if drops != u16::MAX
            && let Some(interface) = self.interfaces.get_mut(interface as usize)
        {
            interface.lose(drops.into());
        }
        Ok(Packet {
            interface,
            ticks: Some(u64::from(order.u32(body, 4)) << 32 | u64::from(order.u32(body, 8))),
            length: order.u32(body, 12),
            wire_len: order.u32(body, 16),
            at: 20,
        })
    }

    /// The record of a packet whose block's body lies at `start` and has `body` octets.
    #[inline]
    fn record(&mut self, packet: &Packet, body: usize, start: usize) -> Result<Record, Fault> {
        if body - packet.at < packet.length as usize {
            return Err(Fault::Corrupt(format!(
                "a packet of {} octets in a block with room for {}",
                packet.length,
                body - packet.at
            )));
        }
        let Some(interface) = self.interfaces.get(packet.interface as usize) else {
            return Err(Fault::Stranger { interface: packet.interface });
        };
        if let Some(ticks) = packet.ticks {
            self.time = interface.time(ticks);
        }
        Ok(Record {
            time: self.time,
            link: interface.link,
            interface: self.interfaces_before.saturating_add(packet.interface),
            wire_len: packet.wire_len,
            start: start + packet.at,
            length: packet.length as usize,
        })
    }
}

/// The start of a block.
struct Head {
    kind: u32,
    /// Length as written.
    length: u32,
    /// Octets the block takes in the file.
    padded: usize,
}

impl Head {
    /// Compares the length at the block's end with that at its start.
    #[inline]
    fn confirm(&self, again: u32) -> Result<(), Fault> {
        if again == self.length {
            return Ok(());
        }
        Err(Fault::Corrupt(format!("a block of {} octets that ends as {again}", self.length)))
    }
}

/// The link type of an interface as the block writes it.
fn link_type(order: Order, body: &[u8]) -> LinkType {
    LinkType(order.u16(body, 0))
}

/// The options of a block: code and value, until the end or `opt_endofopt` (section 3.5).
fn options(order: Order, mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let code = order.u16(bytes.get(..2)?, 0);
        let length = usize::from(order.u16(bytes.get(2..4)?, 0));
        let value = bytes.get(4..4 + length)?;
        bytes = bytes.get(4 + length.next_multiple_of(4)..).unwrap_or_default();
        (code != 0).then_some((code, value))
    })
}
