//! Files mapped into memory, which needs `unsafe`.

use std::fs::File;
use std::io;

use memmap2::{Advice, MmapOptions};

use crate::frame::Home;

/// Maps the first `length` octets of `file`; what is written behind them later is not seen.
#[allow(unsafe_code)]
pub(super) fn map(file: &File, length: usize) -> io::Result<Home> {
    // SAFETY: the mapping is private, read-only and never longer than the file is at this
    // moment. What remains is that another process may change or truncate the file under us.
    // Changed octets are only ever read as untrusted input with checked indexing. A truncation
    // (a ring buffer that overwrites, not one that deletes) makes reading beyond the new end a
    // bus error, which ends the process and corrupts nothing; `Octets` asks for the length again
    // as it goes and stops at the new end, so the window is small. Who reads files that others
    // overwrite can read them through `-`.
    let map = unsafe { MmapOptions::new().len(length).map(file)? };
    // Advice only: a kernel that does not know it reads the file all the same.
    let _ = map.advise(Advice::Sequential);
    Ok(Home::File(map))
}
