//! One record as every format has it, and why there is none.

use std::io;

use crate::capture::octets::Octets;
use crate::frame::LinkType;
use crate::time::Timestamp;

/// Where one record lies and what its header says.
#[derive(Clone, Copy, Default)]
pub(super) struct Record {
    pub(super) time: Timestamp,
    pub(super) link: LinkType,
    pub(super) interface: u32,
    pub(super) wire_len: u32,
    /// Place of the packet in the store of the octets.
    pub(super) start: usize,
    /// Octets of the packet.
    pub(super) length: usize,
}

impl Record {
    /// Takes the place of the one before; `false` when there is no `next`.
    #[inline(always)]
    pub(super) fn becomes(&mut self, next: Option<Self>) -> bool {
        if let Some(next) = next {
            *self = next;
        }
        next.is_some()
    }
}

/// Why a format reader gives no record; the file adds its name and place.
pub(super) enum Fault {
    Cut { missing: u64 },
    Corrupt(String),
    Stranger { interface: u32 },
    Read(io::Error),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

impl Fault {
    /// The fault of an input that ends before `whole` octets.
    #[cold]
    pub(super) fn cut(octets: &mut Octets, whole: usize) -> io::Result<Self> {
        let there = octets.peek(whole)?.len();
        Ok(Self::Cut { missing: whole.saturating_sub(there) as u64 })
    }
}
