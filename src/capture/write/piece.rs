//! One file under construction: whole blocks on disk, whatever the disk says.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

/// Octets that wait in memory before they are written unasked.
pub(super) const BUFFER: usize = 64 << 10;

/// Where blocks go; a file, or what plays one in a test.
pub(super) trait Store: Write {
    /// Lets go of all octets behind the first `length` and goes on there.
    fn cut_back(&mut self, length: u64) -> io::Result<()>;
}

impl Store for File {
    fn cut_back(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)?;
        self.seek(SeekFrom::Start(length)).map(drop)
    }
}

/// Makes the file, which must not be there. Only its owner may read it: it holds what people say to
/// each other.
pub(super) fn make(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Empties a file that is there; its owner and who may read it stay as they are.
pub(super) fn empty(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).truncate(true).open(path)
}

/// A file that grows by whole blocks.
pub(super) struct Piece<S> {
    store: S,
    /// Octets of the file that are whole blocks.
    whole: u64,
    /// Part of a block may lie behind `whole`: what the last attempt left.
    ragged: bool,
    buffer: Vec<u8>,
    /// The blocks in the buffer.
    blocks: Vec<Block>,
}

/// A block in the buffer.
struct Block {
    /// Where it ends.
    end: usize,
    kind: Kind,
}

/// What becomes of a block that cannot be written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Blocks behind it need it: it waits.
    Header,
    /// A packet; it is lost.
    Packet,
    /// Nobody needs it.
    Trailer,
}

/// What came of writing.
#[derive(Debug, Default)]
pub(super) struct Flushed {
    /// Packets written.
    pub(super) written: u64,
    /// Packets lost.
    pub(super) lost: u64,
    /// Why they were.
    pub(super) trouble: Option<io::Error>,
}

impl<S: Store> Piece<S> {
    /// An empty file.
    pub(super) fn new(store: S) -> Self {
        let (buffer, blocks) = (Vec::with_capacity(BUFFER), Vec::new());
        Self { store, whole: 0, ragged: false, buffer, blocks }
    }

    /// The file.
    pub(super) fn store(&self) -> &S {
        &self.store
    }

    /// Octets the file has, with those that wait.
    pub(super) fn size(&self) -> u64 {
        self.whole + self.buffer.len() as u64
    }

    /// True when so much waits that it should be written.
    pub(super) fn is_full(&self) -> bool {
        BUFFER <= self.buffer.len()
    }

    /// Adds the one block that `put` writes.
    pub(super) fn add(&mut self, kind: Kind, put: impl FnOnce(&mut Vec<u8>)) {
        put(&mut self.buffer);
        self.blocks.push(Block { end: self.buffer.len(), kind });
    }

    /// Writes what waits. Of what cannot be written packets are given up and headers wait on.
    pub(super) fn flush(&mut self) -> Flushed {
        let (reached, trouble) = match self.mend().and_then(|()| self.write()) {
            Ok(()) => (self.buffer.len(), None),
            Err(Stopped { after, error }) => (after, Some(error)),
        };
        let mut flushed = Flushed { trouble, ..Flushed::default() };
        let mut headers = Vec::new();
        let (mut start, mut whole) = (0, 0);
        for Block { end, kind } in std::mem::take(&mut self.blocks) {
            let bytes = self.buffer.get(start..end).unwrap_or_default();
            start = end;
            match kind {
                _ if end <= reached => {
                    whole = end;
                    flushed.written += u64::from(kind == Kind::Packet);
                }
                Kind::Header => {
                    headers.extend_from_slice(bytes);
                    self.blocks.push(Block { end: headers.len(), kind });
                }
                Kind::Packet => flushed.lost += 1,
                Kind::Trailer => {}
            }
        }
        self.whole += whole as u64;
        if whole < reached {
            self.ragged = true;
            // When it fails it is tried again before anything is written.
            let _ = self.mend();
        }
        self.buffer.clear();
        // One large packet does not make the buffer large for ever.
        self.buffer.shrink_to(2 * BUFFER);
        self.buffer.extend_from_slice(&headers);
        flushed
    }

    /// Takes away what the last attempt left of a block.
    fn mend(&mut self) -> Result<(), Stopped> {
        if self.ragged {
            self.store.cut_back(self.whole).map_err(|error| Stopped { after: 0, error })?;
            self.ragged = false;
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), Stopped> {
        let mut after = 0;
        while let Some(rest) = self.buffer.get(after..)
            && !rest.is_empty()
        {
            match self.store.write(rest) {
                Ok(0) => return Err(Stopped { after, error: io::ErrorKind::WriteZero.into() }),
                Ok(count) => after += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Stopped { after, error }),
            }
        }
        Ok(())
    }
}

/// Writing ended early.
struct Stopped {
    /// Octets of the buffer that were written before.
    after: usize,
    error: io::Error,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// A disk with so much room, that takes a few octets at a time.
    struct Disk {
        bytes: Vec<u8>,
        room: usize,
        at_once: usize,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.at_once).min(self.room - self.bytes.len());
            if count == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.bytes.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Store for Disk {
        fn cut_back(&mut self, length: u64) -> io::Result<()> {
            self.bytes.truncate(length as usize);
            Ok(())
        }
    }

    fn piece(room: usize, at_once: usize) -> Piece<Disk> {
        let mut piece = Piece::new(Disk { bytes: Vec::new(), room, at_once });
        piece.add(Kind::Header, |out| out.extend(b"HHHH"));
        for _ in 0..3 {
            piece.add(Kind::Packet, |out| out.extend(b"packet"));
        }
        piece.add(Kind::Trailer, |out| out.extend(b"TT"));
        piece
    }

    #[test]
    fn a_disk_of_any_size_holds_whole_blocks_and_every_packet_is_counted() {
        for room in 0..=24 {
            for at_once in [1, 5, 100] {
                let mut piece = piece(room, at_once);
                let first = piece.flush();
                let whole = match room {
                    0..4 => 0,
                    24.. => 24,
                    _ => 4 + (room - 4) / 6 * 6,
                };
                assert_eq!(piece.store().bytes.len(), whole, "{room} {at_once}");
                assert_eq!(first.written + first.lost, 3);
                assert_eq!(first.trouble.is_some(), room < 24);

                piece.store.room = 100;
                piece.add(Kind::Packet, |out| out.extend(b"PACKET"));
                let second = piece.flush();
                assert!(second.trouble.is_none());
                assert_eq!((second.written, second.lost), (1, 0));
                let bytes = &piece.store().bytes;
                assert!(bytes.starts_with(b"HHHH"), "the header waits until it can be written");
                assert!(bytes.ends_with(b"PACKET"));
                assert_eq!(piece.size(), bytes.len() as u64);
            }
        }
    }
}
