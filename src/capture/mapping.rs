//! Files mapped into memory, which needs `unsafe`.

use std::fs::File;
use std::io;

use memmap2::{Advice, Mmap};

use crate::frame::Mapping;

/// A regular file as it was when it was opened.
pub(super) struct MappedFile(Mmap);

impl MappedFile {
    /// Maps the first `length` octets of `file`; what is written behind them later is not seen.
    #[allow(unsafe_code)]
    pub(super) fn new(file: &File, length: usize) -> io::Result<Self> {
        // SAFETY: the mapping is private, read-only and never longer than the file is at this
        // moment. What remains is that another process may change or truncate the file under us.
        // Changed octets are only ever read as untrusted input with checked indexing. A truncation
        // (a ring buffer that overwrites, not one that deletes) makes reading beyond the new end a
        // bus error, which ends the process and corrupts nothing; `Octets` asks for the length again
        // as it goes and stops at the new end, so the window is small. Who reads files that others
        // overwrite can read them through `-`.
        let map = unsafe { memmap2::MmapOptions::new().len(length).map(file)? };
        // Advice only: a kernel that does not know it reads the file all the same.
        let _ = map.advise(Advice::Sequential);
        Ok(Self(map))
    }
}

impl Mapping for MappedFile {
    fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Octets in memory that pass for a mapped file (tests, fuzzing).
pub(super) struct InMemory(pub(super) Box<[u8]>);

impl Mapping for InMemory {
    fn bytes(&self) -> &[u8] {
        &self.0
    }
}
