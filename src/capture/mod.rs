//! EDGE: where frames come from.

mod directory;
mod error;
mod file;
mod filter;
mod follow;
mod inflate;
mod kind;
#[cfg(feature = "live")]
pub mod live;
mod mapping;
mod merge;
mod netmon;
mod octets;
mod order;
mod pcap;
mod pcapng;
mod reading;
mod record;
mod snoop;
pub mod text;
pub mod write;

pub use error::Error;
pub use filter::{Filter, FilterError};
pub use follow::Following;
pub use kind::Kind;
pub use merge::{Capture, Options};

use std::ffi::OsStr;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::frame::{Frame, FrameId, Sightings};
use crate::time::Timestamp;

/// Octets a record may claim to hold; a longer claim is a corrupt length, not a packet.
pub const RECORD_MAX: u32 = 256 << 20;

/// Where frames come from: a lending iterator, so that nothing is copied before the core has looked.
pub trait Source {
    /// The next frame, borrowed until the next call; `None` at the end, or when nothing came for a
    /// while: [`is_over`](Self::is_over) tells which.
    ///
    /// An error ends what it is about (one file, one record), never the rest: call again until
    /// `None`. Every error is to be shown to the user, see [`Error::reason`].
    fn next(&mut self) -> Result<Option<Frame<'_>>, Error>;

    /// Whether a `None` of [`next`](Self::next) was the end.
    fn is_over(&self) -> bool {
        true
    }

    /// Takes nothing more in. True when what was taken in before is still to come, up to an end
    /// of its own.
    fn stop(&mut self) -> bool {
        false
    }

    /// Key material met since the last call, to be used for all of the capture.
    fn take_secrets(&mut self) -> Vec<Secrets> {
        Vec::new()
    }

    /// Names of hosts met since the last call.
    fn take_names(&mut self) -> Vec<(IpAddr, String)> {
        Vec::new()
    }

    /// Sentences for the user since the last call, about what is worth knowing and no error.
    fn take_notes(&mut self) -> Vec<String> {
        Vec::new()
    }

    /// The interface on which the frame that was handed out last was captured; empty when that is
    /// not `frame`, when there is one interface only, or it is not known.
    #[allow(clippy::unnecessary_literal_bound)]
    fn interface(&self, _frame: FrameId) -> &str {
        ""
    }

    /// Packets the capture itself says it lost (kernel and interface), so far.
    fn dropped(&self) -> u64 {
        0
    }

    /// Packets that came and were not taken, for want of room, so far.
    fn left_out(&self) -> u64 {
        0
    }

    /// Packets left out since the last call, by reason ([`crate::limits::Tally::lost`]).
    fn take_losses(&mut self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }

    /// By how much the clock of this machine was set so far, nanoseconds, while the times of frames went
    /// on as before.
    fn clock_set_by(&self) -> i64 {
        0
    }

    /// Stretches of time in which nothing was captured, so far: the machine slept, an interface was
    /// down.
    fn unwatched(&self) -> &[(Timestamp, Timestamp)] {
        &[]
    }

    /// Records of text logs that name another length than the message in them has, so far.
    fn misstated(&self) -> Sightings {
        Sightings::default()
    }
}

/// TLS secrets out of a capture: the text of a key log (the SSLKEYLOGFILE format).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secrets(pub Vec<u8>);

/// A place's clocks: how many seconds east of UTC they are at a time.
pub type Zone = Arc<dyn Fn(Timestamp) -> i64 + Send + Sync>;

/// One input as the user named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Standard input, read as it comes.
    Stdin,
    /// A file, a directory of files, or a pipe.
    Path(PathBuf),
}

impl Input {
    /// The input an argument names: `-` is standard input.
    pub fn of(argument: &OsStr) -> Self {
        if argument == "-" { Self::Stdin } else { Self::Path(argument.into()) }
    }
}

/// A path as text that a terminal may show: control characters and what is no UTF-8 are escaped.
fn printable(path: &Path) -> String {
    let escape = |octet: u8| format!("\\x{octet:02x}");
    let mut out = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                c if c.is_ascii_control() => out.push_str(&escape(c as u8)),
                c if c.is_control() => out.extend(c.escape_unicode()),
                c => out.push(c),
            }
        }
        chunk.invalid().iter().for_each(|octet| out.push_str(&escape(*octet)));
    }
    out
}

/// Reads any octets as a capture to its end, mapped and as a stream: the body of the fuzz target.
///
/// Returns what both ways must agree on: frames, octets in them, and errors.
pub fn fuzz(bytes: &[u8]) -> (u64, u64, u64) {
    let mapped = merge::count(Capture::of_bytes(bytes));
    let streamed = merge::count(Capture::of_reader(std::io::Cursor::new(bytes.to_vec())));
    debug_assert_eq!(mapped, streamed, "a capture reads the same mapped and streamed");
    mapped
}
