//! One captured record as a source hands it out, borrowed until the next read.

use std::fmt;
use std::sync::Arc;

use memmap2::Mmap;

use crate::time::Timestamp;

/// Octets of a capture that stay where they are as long as anyone holds this, so that what lies in
/// them need not be copied. Its kinds are named here and no secret of the edge, since every header
/// value is read through it.
///
/// Aligned, so that it shares no line of a cache with the count of its holders, which one thread
/// changes for each message while others read.
#[repr(align(128))]
pub enum Home {
    /// Those of a file.
    File(Mmap),
    /// Those in memory.
    Memory(Box<[u8]>),
}

impl Home {
    /// All of them.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::File(map) => map,
            Self::Memory(octets) => octets,
        }
    }
}

/// Which of the inputs of a run; index into the list of inputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u16);

/// A frame by name: its file and its number there, counted from 1 as Wireshark does; in order of the
/// number. One word, since every message has one.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameId(u64);

impl FrameId {
    /// Frame `number`, less than 2^48, of `file`.
    pub const fn new(file: FileId, number: u64) -> Self {
        Self(number << u16::BITS | file.0 as u64)
    }

    /// Number of the frame within its file, from 1.
    pub const fn number(self) -> u64 {
        self.0 >> u16::BITS
    }

    /// The file.
    pub const fn file(self) -> FileId {
        FileId(self.0 as u16)
    }
}

impl fmt::Debug for FrameId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "FrameId({} of {:?})", self.number(), self.file())
    }
}

/// How often something was seen, and the first time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sightings {
    /// How often.
    pub count: u64,
    /// When and where first.
    pub first: Option<(Timestamp, FrameId)>,
}

impl Sightings {
    /// Takes in one more.
    pub fn see(&mut self, time: Timestamp, frame: FrameId) {
        self.add(Self { count: 1, first: Some((time, frame)) });
    }

    /// Takes in those of another input.
    pub fn add(&mut self, other: Self) {
        self.count += other.count;
        self.first = match (self.first, other.first) {
            (Some(own), Some(other)) => Some(own.min(other)),
            (own, other) => own.or(other),
        };
    }
}

/// The link-layer type of an interface: the LINKTYPE_ number of the pcap registry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LinkType(pub u16);

/// One captured record.
#[derive(Clone, Copy)]
pub struct Frame<'a> {
    /// File and number.
    pub id: FrameId,
    /// When it was captured.
    pub time: Timestamp,
    /// Link layer of the interface it came from.
    pub link: LinkType,
    /// Interface within the file (pcapng), 0 otherwise.
    pub interface: u32,
    /// Octets the packet had on the wire; more than `bytes.len()` when the snap length cut it.
    pub wire_len: u32,
    /// The captured octets.
    pub bytes: &'a [u8],
    /// What `bytes` lie in, when they stay there.
    pub home: Option<&'a Arc<Home>>,
}

impl Frame<'_> {
    /// Octets the snap length cut off.
    pub fn cut(&self) -> u32 {
        self.wire_len.saturating_sub(self.bytes.len() as u32)
    }
}
