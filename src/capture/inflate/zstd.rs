//! zstd frames, any number of them, read to the last whole block even when the file is cut.

use std::io::{self, BufRead, Read};

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use crate::capture::octets::Octets;

/// Octets of history a frame may ask for; the format's own tool stops there without `--long`.
const WINDOW_MAX: u64 = 128 << 20;
/// Octets of a frame header at most (RFC 8878 section 3.1.1.1) and its magic number.
const HEADER_MAX: usize = 18;
/// Octets of a block's header.
const BLOCK_HEADER: usize = 3;
/// Octets of the checksum behind the last block.
const CHECKSUM: usize = 4;
/// An empty last block, and room for the checksum behind it.
const LAST_BLOCK: [u8; 7] = [1, 0, 0, 0, 0, 0, 0];

/// The plain octets of zstd frames one behind the other.
pub(super) struct Frames {
    packed: Octets,
    decoder: FrameDecoder,
    state: State,
}

enum State {
    /// The next octets are the header of a frame, or the end.
    Between,
    /// The next octets are a block.
    Inside,
    /// The packed octets ended in the middle; what was decoded is still given.
    Cut,
    /// A block contradicts itself; what was decoded before is still given.
    Broken(String),
    Done,
}

impl Frames {
    pub(super) fn new(packed: Octets) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(WINDOW_MAX);
        Self { packed, decoder, state: State::Between }
    }

    /// Begins the next frame, or passes one that is to be skipped.
    fn begin(&mut self) -> io::Result<()> {
        let header = self.packed.peek(HEADER_MAX)?;
        if header.is_empty() {
            self.state = State::Done;
            return Ok(());
        }
        let mut rest = header;
        match self.decoder.reset(&mut rest) {
            Ok(()) => {
                let used = header.len() - rest.len();
                self.packed.consume(used);
                self.state = State::Inside;
                Ok(())
            }
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length,
                ..
            })) => {
                let passed = self.packed.skip(8 + u64::from(length))?;
                passed.then_some(()).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
            }
            Err(_) if header.len() < HEADER_MAX => Err(io::ErrorKind::UnexpectedEof.into()),
            Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error.to_string())),
        }
    }

    /// Decodes one block. The decoder gives up its history only behind a last block, so it gets
    /// whole blocks, and an empty last one where the file is cut.
    fn decode(&mut self) -> io::Result<()> {
        let length = match *self.packed.peek(BLOCK_HEADER)? {
            [low, middle, high] => block_length(u32::from_le_bytes([low, middle, high, 0])),
            _ => BLOCK_HEADER,
        };
        // A checksum may follow; the decoder reads it with the last block.
        let bytes = self.packed.peek(length + CHECKSUM)?;
        let cut = bytes.len() < length;
        let mut rest = if cut { LAST_BLOCK.as_slice() } else { bytes };
        let before = rest.len();
        let result = self.decoder.decode_blocks(&mut rest, BlockDecodingStrategy::UptoBlocks(1));
        let used = before - rest.len();
        // Without its checksum a frame is cut too, but all octets are there.
        if cut || result.is_err() && self.decoder.is_finished() {
            self.state = State::Cut;
            return Ok(());
        }
        if let Err(error) = result {
            self.state = State::Broken(error.to_string());
            // The history behind which the damage stands.
            let _ = self
                .decoder
                .decode_blocks(&mut LAST_BLOCK.as_slice(), BlockDecodingStrategy::UptoBlocks(1));
            return Ok(());
        }
        self.packed.consume(used);
        if self.decoder.is_finished() {
            self.state = State::Between;
        }
        Ok(())
    }
}

impl Read for Frames {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.decoder.read(room)?;
            if 0 < count || room.is_empty() {
                return Ok(count);
            }
            match &self.state {
                State::Between => self.begin()?,
                State::Inside => self.decode()?,
                State::Cut => return Err(io::ErrorKind::UnexpectedEof.into()),
                State::Broken(why) => {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, why.clone()));
                }
                State::Done => return Ok(0),
            }
        }
    }
}

/// Octets of a block with its header (RFC 8878 section 3.1.1.2).
fn block_length(header: u32) -> usize {
    match header >> 1 & 3 {
        // One octet, to be repeated.
        1 => BLOCK_HEADER + 1,
        _ => BLOCK_HEADER + (header >> 3) as usize,
    }
}
