//! The key logs of a live run: opened once, while there are the rights to, and read on as they grow.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

use anyhow::{anyhow, ensure};

use super::watch::say;
use crate::engine::Reader;

/// Octets read of one key log at once.
const ONCE: u64 = 1 << 20;
/// Octets of a line that is not whole; the longest there are have 200.
const LINE: usize = 4 << 10;

/// A key log that another program is still writing.
struct Growing {
    file: File,
    /// What was read of it so far.
    at: u64,
    /// The line that is not whole yet.
    line: Vec<u8>,
}

/// Opens the key logs `paths`: what they hold is known to `reader`, and so will be what they come to
/// hold.
///
/// # Errors
/// When one cannot be read, or holds something else.
pub(super) fn add(reader: &mut Reader, paths: &[PathBuf], quiet: bool) -> anyhow::Result<()> {
    let mut logs = Vec::new();
    for path in paths {
        let shown = path.display();
        let wrong = |error: &io::Error| match error.kind() {
            io::ErrorKind::NotFound => anyhow!(
                "cannot read the key log {shown}: no such file; make it before (an empty one will \
                 do), for later there are no rights to open it"
            ),
            _ => anyhow!("cannot read the key log {shown}: {error}"),
        };
        let file = File::open(path).map_err(|error| wrong(&error))?;
        let length = file.metadata().map_err(|error| wrong(&error))?.len();
        let mut log = Growing { file, at: 0, line: Vec::new() };
        let before = reader.key_log().len();
        while log.at < length {
            let had = log.at;
            reader.add_secrets(&log.more().map_err(|error| wrong(&error))?);
            if log.at == had {
                break;
            }
        }
        if length == 0 {
            say(&[format!("{shown}: an empty key log; it is read on as it grows")], quiet);
        } else {
            ensure!(
                before < reader.key_log().len(),
                "{shown} holds no TLS secret: expected lines such as CLIENT_RANDOM <64 hex digits> \
                 <96 hex digits>, as programs write to the file named by SSLKEYLOGFILE"
            );
        }
        logs.push(log);
    }
    if !logs.is_empty() {
        // One that can no longer be read has nothing more to say.
        reader.grow_secrets(Box::new(move || {
            logs.iter_mut().flat_map(|log| log.more().unwrap_or_default()).collect()
        }));
    }
    Ok(())
}

impl Growing {
    /// The lines that came to be whole since the last time.
    fn more(&mut self) -> io::Result<Vec<u8>> {
        let length = self.file.metadata()?.len();
        if length < self.at {
            // It was emptied and begins anew.
            self.file.seek(SeekFrom::Start(0))?;
            self.at = 0;
            self.line.clear();
        }
        let mut lines = std::mem::take(&mut self.line);
        if self.at < length {
            self.at += (&self.file).take(ONCE).read_to_end(&mut lines)? as u64;
        }
        let whole = memchr::memrchr(b'\n', &lines).map_or(0, |end| end + 1);
        self.line = lines.split_off(whole);
        if LINE < self.line.len() {
            self.line.clear();
        }
        Ok(lines)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Write as _;

    use super::*;

    #[test]
    fn lines_are_read_once_they_are_whole_and_from_the_begin_when_the_file_is_emptied() {
        let mut file = tempfile::tempfile().unwrap();
        let mut log = Growing { file: file.try_clone().unwrap(), at: 0, line: Vec::new() };
        // Both have one place in the file: each seeks to its own.
        let mut write = |log: &mut Growing, text: &[u8]| {
            file.seek(SeekFrom::End(0)).unwrap();
            file.write_all(text).unwrap();
            log.file.seek(SeekFrom::Start(log.at)).unwrap();
            log.more().unwrap()
        };
        assert_eq!(write(&mut log, b"one\ntw"), b"one\n");
        assert_eq!(write(&mut log, b"o\n"), b"two\n");
        assert_eq!(write(&mut log, b""), b"");
        assert_eq!(write(&mut log, &[b'x'; 2 * LINE]), b"");
        assert!(log.line.is_empty());
        log.file.set_len(0).unwrap();
        assert_eq!(write(&mut log, b"new\n"), b"new\n");
    }
}
