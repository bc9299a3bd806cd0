//! The octets of one input in order: a mapped file, or a stream with a bounded buffer.

use std::fs::File;
use std::io::{self, BufRead, Read};
use std::sync::Arc;

use crate::capture::mapping;
use crate::frame::Home;

/// Octets a stream's buffer starts with and reads at a time.
const CHUNK: usize = 256 << 10;
/// Octets of a mapped file between two looks at its length.
const CHECK_EVERY: usize = 4 << 20;

/// A cursor over the octets of one input.
pub(super) struct Octets {
    store: Store,
    /// Index in the store of the next octet.
    at: usize,
}

enum Store {
    Mapped(Mapped),
    Stream(Stream),
}

struct Mapped {
    map: Arc<Home>,
    /// Kept only to ask for its length.
    file: Option<File>,
    /// Octets that may be read: less than the map has when the file shrank.
    end: usize,
    /// Place where the length is asked for again.
    check_at: usize,
}

struct Stream {
    reader: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    /// Filled part of the buffer.
    end: usize,
    /// Octets of the stream before the buffer.
    before: u64,
    /// More may come at any time: nothing is waited for that need not be.
    grows: bool,
}

impl Octets {
    /// Maps a regular file; streams anything that cannot be mapped (pipes, devices).
    pub(super) fn of_file(file: File) -> io::Result<Self> {
        let about = file.metadata()?;
        let length = usize::try_from(about.len()).unwrap_or(usize::MAX);
        if !about.is_file() || length == 0 {
            return Ok(Self::of_reader(file));
        }
        let Ok(map) = mapping::map(&file, length) else { return Ok(Self::of_reader(file)) };
        Ok(Self::of_map(Arc::new(map), Some(file)))
    }

    /// Octets that come when they come.
    pub(super) fn of_reader(reader: impl Read + Send + 'static) -> Self {
        Self::of_stream(Box::new(reader), false)
    }

    /// Octets of a file that is being written.
    pub(super) fn of_growing(reader: impl Read + Send + 'static) -> Self {
        Self::of_stream(Box::new(reader), true)
    }

    fn of_stream(reader: Box<dyn Read + Send>, grows: bool) -> Self {
        let stream = Stream { reader, buffer: Vec::new(), end: 0, before: 0, grows };
        Self { store: Store::Stream(stream), at: 0 }
    }

    /// True for a file that is being written.
    pub(super) fn grows(&self) -> bool {
        matches!(&self.store, Store::Stream(Stream { grows: true, .. }))
    }

    /// Octets in memory, read as a mapped file is.
    pub(super) fn of_bytes(bytes: &[u8]) -> Self {
        Self::of_map(Arc::new(Home::Memory(bytes.into())), None)
    }

    /// A second cursor at the start of a mapped file; `None` for a stream, which has one only.
    pub(super) fn fork(&self) -> Option<Self> {
        match &self.store {
            Store::Mapped(mapped) => Some(Self::of_map(Arc::clone(&mapped.map), None)),
            Store::Stream(_) => None,
        }
    }

    fn of_map(map: Arc<Home>, file: Option<File>) -> Self {
        let end = map.bytes().len();
        Self { store: Store::Mapped(Mapped { map, file, end, check_at: 0 }), at: 0 }
    }

    /// All of the input at hand, to be read in any order: a stream is gathered, `most` octets of
    /// it.
    pub(super) fn gathered(mut self, most: u64) -> io::Result<Self> {
        if let Store::Mapped(_) = self.store {
            return Ok(self);
        }
        let mut all = Vec::new();
        self.by_ref().take(most).read_to_end(&mut all)?;
        Ok(Self::of_map(Arc::new(Home::Memory(all.into())), None))
    }

    /// Moves the cursor of a mapped or gathered input.
    pub(super) fn seek(&mut self, at: usize) {
        if let Store::Mapped(_) = self.store {
            self.at = at;
        }
    }

    /// Octets before the cursor.
    pub(super) fn offset(&self) -> u64 {
        match &self.store {
            Store::Mapped(_) => self.at as u64,
            Store::Stream(stream) => stream.before + self.at as u64,
        }
    }

    /// What the octets lie in, when they stay there.
    #[inline]
    pub(super) fn home(&self) -> Option<&Arc<Home>> {
        match &self.store {
            Store::Mapped(mapped) => Some(&mapped.map),
            Store::Stream(_) => None,
        }
    }

    /// The next `want` octets without passing them; fewer only at the end of the input.
    #[inline]
    pub(super) fn peek(&mut self, want: usize) -> io::Result<&[u8]> {
        let (bytes, end) = match &mut self.store {
            Store::Mapped(mapped) => {
                mapped.follow_length(self.at.saturating_add(want));
                (mapped.map.bytes(), mapped.end)
            }
            Store::Stream(stream) => {
                if stream.end - self.at < want {
                    stream.fill(&mut self.at, want)?;
                }
                (stream.buffer.as_slice(), stream.end)
            }
        };
        let end = end.min(self.at.saturating_add(want));
        Ok(bytes.get(self.at..end).unwrap_or_default())
    }

    /// Passes `length` octets and says where in the store they lie, until the next `peek`;
    /// `None`, and nothing is passed, when the input ends before.
    #[inline]
    pub(super) fn claim(&mut self, length: usize) -> io::Result<Option<usize>> {
        let there = match &mut self.store {
            Store::Mapped(mapped) => {
                mapped.follow_length(self.at.saturating_add(length));
                mapped.end.saturating_sub(self.at)
            }
            Store::Stream(_) => self.peek(length)?.len(),
        };
        if there < length {
            return Ok(None);
        }
        let start = self.at;
        self.at += length;
        Ok(Some(start))
    }

    /// What `claim` passed.
    #[inline]
    pub(super) fn claimed(&self, start: usize, length: usize) -> &[u8] {
        let bytes = match &self.store {
            Store::Mapped(mapped) => mapped.map.bytes(),
            Store::Stream(stream) => &stream.buffer,
        };
        bytes.get(start..start.saturating_add(length)).unwrap_or_default()
    }

    /// Passes `length` octets without holding them; false when the input ends before.
    pub(super) fn skip(&mut self, mut length: u64) -> io::Result<bool> {
        while 0 < length {
            let step = usize::try_from(length).unwrap_or(usize::MAX).min(CHUNK);
            let passed = self.peek(step)?.len();
            if passed == 0 {
                return Ok(false);
            }
            self.at += passed;
            length -= passed as u64;
        }
        Ok(true)
    }
}

impl Mapped {
    /// Stops short of the end of a file that was truncated since it was mapped.
    #[inline]
    fn follow_length(&mut self, reach: usize) {
        if self.check_at < reach {
            self.look_at_length(reach);
        }
    }

    #[cold]
    fn look_at_length(&mut self, reach: usize) {
        self.check_at = reach.saturating_add(CHECK_EVERY);
        let Some(about) = self.file.as_ref().and_then(|file| file.metadata().ok()) else { return };
        self.end = self.end.min(usize::try_from(about.len()).unwrap_or(usize::MAX));
    }
}

impl Stream {
    /// Reads until `want` octets lie behind `at`, which moves to 0, or the input ends.
    #[cold]
    fn fill(&mut self, at: &mut usize, want: usize) -> io::Result<()> {
        self.buffer.copy_within(*at..self.end, 0);
        self.before += *at as u64;
        self.end -= *at;
        *at = 0;
        while self.end < want {
            if self.end == self.buffer.len() {
                // Grown by what came, never by what a length field claims.
                let room = (2 * self.buffer.len()).max(CHUNK);
                self.buffer.resize(room, 0);
            }
            let room = self.buffer.get_mut(self.end..).unwrap_or_default();
            match self.reader.read(room) {
                Ok(0) => break,
                Ok(count) => self.end += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// For the decompressors: what is at hand, without waiting for more than one octet.
impl BufRead for Octets {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.peek(1)?;
        let (bytes, end) = match &self.store {
            Store::Mapped(mapped) => {
                (mapped.map.bytes(), mapped.end.min(self.at.saturating_add(CHUNK)))
            }
            Store::Stream(stream) => (stream.buffer.as_slice(), stream.end),
        };
        Ok(bytes.get(self.at..end).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.at += count;
    }
}

impl Read for Octets {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let ready = self.fill_buf()?;
        let count = ready.len().min(room.len());
        let (Some(room), Some(ready)) = (room.get_mut(..count), ready.get(..count)) else {
            return Ok(0);
        };
        room.copy_from_slice(ready);
        self.consume(count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_stream_is_gathered_up_to_the_bound_and_no_further() {
        let endless = io::repeat(7);
        let mut gathered = Octets::of_reader(endless).gathered(1_000).unwrap();
        assert_eq!(gathered.peek(2_000).unwrap().len(), 1_000);
    }
}
