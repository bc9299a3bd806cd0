//! lz4 frames, any number of them, told apart from frames that are cut.

use std::io::{self, Read};

use lz4_flex::frame::FrameDecoder;

use crate::capture::octets::Octets;

/// The plain octets of lz4 frames one behind the other.
pub(super) struct Frames(FrameDecoder<Watched>);

/// Packed octets that remember whether their end was read.
///
/// The decoder takes the end of its input between two blocks for the end of the frame.
struct Watched {
    packed: Octets,
    ended: bool,
}

impl Frames {
    pub(super) fn new(packed: Octets) -> Self {
        Self(FrameDecoder::new(Watched { packed, ended: false }))
    }

    /// Behind a frame: passes frames to be skipped; false at the end of the input.
    fn has_more(&mut self) -> io::Result<bool> {
        let packed = &mut self.0.get_mut().packed;
        loop {
            match *packed.peek(8)? {
                [] => return Ok(false),
                [0x50..=0x5f, 0x2a, 0x4d, 0x18, a, b, c, d] => {
                    if !packed.skip(8 + u64::from(u32::from_le_bytes([a, b, c, d])))? {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                _ => return Ok(true),
            }
        }
    }
}

impl Read for Frames {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.0.read(room)?;
            if 0 < count || room.is_empty() {
                return Ok(count);
            }
            if self.0.get_ref().ended {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if !self.has_more()? {
                return Ok(0);
            }
        }
    }
}

impl Read for Watched {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let count = self.packed.read(room)?;
        self.ended |= count == 0 && !room.is_empty();
        Ok(count)
    }
}
