//! What can go wrong while reading inputs: what happened, where, and what to do next.

use std::io;

use super::FilterError;

/// A trouble with one input. Reading goes on with what remains: see [`super::Source::next`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such file.
    #[error("{name}: no such file or directory; check the path")]
    Missing {
        /// The input as the user named it.
        name: String,
    },
    /// The file may not be read by this user.
    #[error("{name}: permission denied; make it readable, or run as a user who may read it")]
    Permission {
        /// The input as the user named it.
        name: String,
    },
    /// The file cannot be opened or listed for another reason.
    #[error("{name}: cannot be opened: {source}")]
    Open {
        /// The input as the user named it.
        name: String,
        /// What the system says.
        source: io::Error,
    },
    /// There are no octets at all.
    #[error("{name}: empty (0 octets); no packet was ever written to it")]
    Empty {
        /// The input.
        name: String,
    },
    /// The content is no capture.
    #[error(
        "{name}: not a capture but {looks}; pcap, pcapng, snoop, Network Monitor files and text logs \
         with SIP messages are read, plain or compressed with gzip, zstd or lz4"
    )]
    NotCapture {
        /// The input.
        name: String,
        /// What it looks like instead.
        looks: &'static str,
    },
    /// A directory in which nothing is a capture.
    #[error("{name}: no captures in this directory ({skipped} other files in it)")]
    NoCaptures {
        /// The directory.
        name: String,
        /// Files in it that are no captures.
        skipped: u64,
    },
    /// More files than can be told apart.
    #[error("{name}: left out, {limit} files at most are read in one run; give fewer at a time")]
    TooMany {
        /// The first file left out.
        name: String,
        /// Files read in one run.
        limit: usize,
    },
    /// The file ends in the middle of a record.
    #[error(
        "{name}: cut in frame {frame} at offset {offset} ({missing} octets missing); all before \
         it is used. Was the capture still being written, or the copy not complete?"
    )]
    Cut {
        /// The file.
        name: String,
        /// Number of the frame that is not whole.
        frame: u64,
        /// Octets of the (uncompressed) file before it.
        offset: u64,
        /// Octets it lacks at least.
        missing: u64,
    },
    /// A record that cannot be what it says; nothing behind it can be trusted.
    #[error(
        "{name}: corrupt at frame {frame}, offset {offset}: {what}; only what is before it is used"
    )]
    Corrupt {
        /// The file.
        name: String,
        /// Number of the frame that would have come next.
        frame: u64,
        /// Octets of the (uncompressed) file before it.
        offset: u64,
        /// What is wrong.
        what: String,
    },
    /// A packet of an interface the file does not describe: its link type is unknown.
    #[error(
        "{name}: frame {frame} at offset {offset} is of interface {interface}, which the file does \
         not describe; it cannot be decoded and is left out"
    )]
    Stranger {
        /// The file.
        name: String,
        /// Number of the frame.
        frame: u64,
        /// Octets of the file behind it.
        offset: u64,
        /// The interface it names.
        interface: u32,
    },
    /// There is no interface of that name.
    #[error("{name}: no such interface; `siplens live --interfaces` lists those there are")]
    NoDevice {
        /// The interface as the user named it.
        name: String,
    },
    /// This user may not capture.
    #[error("{name}: this user may not capture packets")]
    NoRights {
        /// The interface.
        name: String,
    },
    /// An interface that cannot be opened or read.
    #[error("{name}: {what}")]
    Device {
        /// The interface.
        name: String,
        /// What the system says.
        what: String,
    },
    /// Capture from an interface was asked of a build that cannot.
    #[error(
        "capturing from an interface needs libpcap, and this siplens was built without it: install \
         it (Debian: apt-get install libpcap-dev) and build again; a pipe, a growing file and a HEP \
         listener need none of it"
    )]
    NoLibpcap,
    /// The packet filter is none.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// The system failed to read.
    #[error(
        "{name}: reading failed at frame {frame}, offset {offset}: {source}; all before it is used"
    )]
    Read {
        /// The file.
        name: String,
        /// Number of the frame that would have come next.
        frame: u64,
        /// Octets of the (uncompressed) file before it.
        offset: u64,
        /// What the system or the decompressor says.
        source: io::Error,
    },
}

impl Error {
    /// The word under which the loss is counted ([`crate::limits::Tally::lost`]).
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Cut { .. } => "file-cut",
            Self::Corrupt { .. } => "file-corrupt",
            Self::Stranger { .. } => "unknown-interface",
            Self::Device { .. } => "source-gone",
            Self::Missing { .. }
            | Self::Permission { .. }
            | Self::Open { .. }
            | Self::Empty { .. }
            | Self::NotCapture { .. }
            | Self::NoCaptures { .. }
            | Self::TooMany { .. }
            | Self::NoDevice { .. }
            | Self::NoRights { .. }
            | Self::NoLibpcap
            | Self::Filter(_)
            | Self::Read { .. } => "unreadable",
        }
    }

    /// The trouble the system names when `name` is opened.
    pub(super) fn of_open(name: &str, source: io::Error) -> Self {
        let name = name.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound => Self::Missing { name },
            io::ErrorKind::PermissionDenied => Self::Permission { name },
            _ => Self::Open { name, source },
        }
    }
}
