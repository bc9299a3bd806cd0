//! Messages compressed with permessage-deflate (RFC 7692 section 7.2.2), bounded.

use std::fmt;

use flate2::{Decompress, FlushDecompress, Status};

/// What the sender took off the end of every message.
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// The state of one direction: its window goes on from message to message.
pub(super) struct Inflate(Decompress);

/// Why a message could not be inflated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// No deflate stream, or one that goes on from something lost.
    Broken,
    /// It grows beyond the bound.
    TooLong,
}

impl Failure {
    /// The counter.
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::Broken => "ws-deflate",
            Self::TooLong => "too-long",
        }
    }
}

impl Default for Inflate {
    fn default() -> Self {
        Self(Decompress::new(false))
    }
}

impl fmt::Debug for Inflate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inflate")
    }
}

impl Inflate {
    /// Octets of private memory of one: a window of 32 KiB and the tables of the decoder.
    pub(super) const HEAP: usize = 48 << 10;

    /// Inflates a whole message to at most `bound` octets. After a failure the window is of no
    /// use: begin anew.
    pub(super) fn message(&mut self, deflated: &[u8], bound: usize) -> Result<Vec<u8>, Failure> {
        let mut out = Vec::with_capacity((deflated.len() * 4 + 64).min(bound));
        for part in [deflated, &TAIL] {
            if self.part(part, &mut out, bound)? == Status::StreamEnd {
                // Each message is a stream of its own.
                self.0.reset(false);
                break;
            }
        }
        Ok(out)
    }

    /// Inflates as much as possible of the beginning of a message.
    pub(super) fn beginning(&mut self, deflated: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(2048);
        // Whatever came out before it failed is what there is.
        let _ = self.part(deflated, &mut out, 2048);
        out
    }

    fn part(&mut self, part: &[u8], out: &mut Vec<u8>, bound: usize) -> Result<Status, Failure> {
        let mut at = 0;
        loop {
            if out.len() == out.capacity() {
                if bound <= out.len() {
                    return Err(Failure::TooLong);
                }
                out.reserve_exact(out.len().max(256).min(bound - out.len()));
            }
            let (taken, given) = (self.0.total_in(), out.len());
            let rest = part.get(at..).unwrap_or_default();
            let status = self
                .0
                .decompress_vec(rest, out, FlushDecompress::Sync)
                .map_err(|_| Failure::Broken)?;
            let taken = (self.0.total_in() - taken) as usize;
            at += taken;
            let has_room = out.len() < out.capacity();
            if status == Status::StreamEnd || (at == part.len() && has_room) {
                return Ok(status);
            }
            if taken == 0 && given == out.len() && has_room {
                return Err(Failure::Broken);
            }
        }
    }
}
