//! gzip members, any number of them, read to the octet before the damage.

use std::io::{self, BufRead, Read};

use flate2::{Decompress, FlushDecompress, Status};

use crate::capture::octets::Octets;

/// The window that every member may ask for, as a power of two (RFC 1951 section 2).
const WINDOW_BITS: u8 = 15;

/// The plain octets of gzip members one behind the other.
pub(super) struct Members {
    packed: Octets,
    inflate: Decompress,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// The next octets are the header of a member, or the end.
    Between,
    Inside,
    /// What came out before was given; nothing more can be.
    Broken,
}

impl Members {
    pub(super) fn new(packed: Octets) -> Self {
        Self { packed, inflate: Decompress::new_gzip(WINDOW_BITS), state: State::Between }
    }

    /// Inflates into `room`; how much came out, and whether more may come.
    ///
    /// What comes out before an error is found is good, and an error of the octets behind it.
    fn step(&mut self, room: &mut [u8]) -> io::Result<(usize, Status)> {
        let bytes = self.packed.fill_buf()?;
        if bytes.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let (taken, given) = (self.inflate.total_in(), self.inflate.total_out());
        let result = self.inflate.decompress(bytes, room, FlushDecompress::None);
        let count = (self.inflate.total_out() - given) as usize;
        self.packed.consume((self.inflate.total_in() - taken) as usize);
        match result {
            Ok(status) => Ok((count, status)),
            Err(_) if 0 < count => {
                self.state = State::Broken;
                Ok((count, Status::Ok))
            }
            Err(_) => Err(broken()),
        }
    }
}

impl Read for Members {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if room.is_empty() {
            return Ok(0);
        }
        loop {
            match self.state {
                State::Broken => return Err(broken()),
                State::Between if self.packed.peek(1)?.is_empty() => return Ok(0),
                State::Between => {
                    self.inflate = Decompress::new_gzip(WINDOW_BITS);
                    self.state = State::Inside;
                }
                State::Inside => {}
            }
            let (count, status) = self.step(room)?;
            if status == Status::StreamEnd {
                self.state = State::Between;
            }
            if 0 < count {
                return Ok(count);
            }
        }
    }
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "corrupt deflate stream")
}
