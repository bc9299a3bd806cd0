//! A file that grows: what is not written yet is waited for, and a file that takes its place is
//! read instead.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::thread;
use std::time::Duration;

use crate::capture::file::last_written;
use crate::capture::octets::Octets;
use crate::capture::{Capture, Error, Options, Secrets, Source, printable};
use crate::frame::Frame;
use crate::time::Timestamp;

/// How often a file is looked at that does not grow.
const POLL: Duration = Duration::from_millis(100);

/// A growing file as a source: a pcap or pcapng file that is being written, or a text log.
///
/// `next` waits for as long as nothing comes: give it a thread of its own
/// (`live::of_source`). It says `None` once, and is not over, when it starts over. When another file takes the name, or the file is truncated, it starts over
/// with what is there then, as `tail -F` does, and says so.
pub struct Following {
    path: PathBuf,
    name: String,
    stop: Arc<AtomicBool>,
    end: Arc<End>,
    /// How each file is read.
    options: Box<dyn FnMut() -> Options + Send>,
    capture: Capture,
    /// Packets lost according to the files before.
    dropped_before: u64,
    notes: Vec<String>,
    /// Why what took its place is not read.
    trouble: Option<Error>,
    over: bool,
}

impl Following {
    /// Follows the file at `path` from its beginning, until `stop` is set; `options` say how each
    /// file that bears the name is read.
    ///
    /// # Errors
    /// When there is no such file, or it may not be read.
    pub fn open(
        path: &Path,
        stop: Arc<AtomicBool>,
        mut options: impl FnMut() -> Options + Send + 'static,
    ) -> Result<Self, Error> {
        let name = printable(path);
        let file = File::open(path).map_err(|error| Error::of_open(&name, error))?;
        let end = Arc::new(End::default());
        let octets = growing(path, file, &stop, &end);
        let octets = octets.map_err(|error| Error::of_open(&name, error))?;
        let capture = Capture::of_growing(name.clone(), octets, options());
        Ok(Self {
            path: path.to_owned(),
            name,
            stop,
            end,
            options: Box::new(options),
            capture,
            dropped_before: 0,
            notes: Vec::new(),
            trouble: None,
            over: false,
        })
    }

    /// Goes on with what is under the name now; false when nothing is to be read any more.
    fn start_over(&mut self) -> bool {
        let what = match self.end.why() {
            Why::Stopped => return false,
            Why::Replaced => "replaced by another file",
            Why::Truncated => "truncated",
        };
        let opened = loop {
            if self.stop.load(Ordering::Relaxed) {
                return false;
            }
            match File::open(&self.path) {
                Ok(file) => break file,
                // Between the moves of who replaces it there may be none.
                Err(error) if error.kind() == io::ErrorKind::NotFound => thread::sleep(POLL),
                Err(error) => return self.give_up(error),
            }
        };
        let octets = match growing(&self.path, opened, &self.stop, &self.end) {
            Ok(octets) => octets,
            Err(error) => return self.give_up(error),
        };
        self.notes.extend(self.capture.take_notes());
        self.dropped_before += self.capture.dropped();
        self.capture = Capture::of_growing(self.name.clone(), octets, (self.options)());
        self.notes.push(format!("{}: {what}; read from its beginning", self.name));
        true
    }

    fn give_up(&mut self, error: io::Error) -> bool {
        self.trouble = Some(Error::of_open(&self.name, error));
        false
    }

    /// Brings the capture to its next frame.
    fn advance(&mut self) -> Result<Option<usize>, Error> {
        while !self.over {
            match self.capture.advance() {
                Ok(Some(index)) => return Ok(Some(index)),
                Ok(None) => {
                    self.over = !self.start_over();
                    if let Some(trouble) = self.trouble.take() {
                        return Err(trouble);
                    }
                    // What there is to say does not wait for a frame.
                    return Ok(None);
                }
                // A log may have ended without a message, a file before its first octet.
                Err(Error::NotCapture { .. } | Error::Empty { .. }) if self.end.is_known() => {}
                // What is not written yet is not missing.
                Err(Error::Cut { .. }) if self.end.why() == Why::Stopped => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}

impl Source for Following {
    fn next(&mut self) -> Result<Option<Frame<'_>>, Error> {
        let index = self.advance()?;
        Ok(index.and_then(|index| self.capture.frame(index)))
    }

    fn is_over(&self) -> bool {
        self.over
    }

    fn take_secrets(&mut self) -> Vec<Secrets> {
        self.capture.take_secrets()
    }

    fn take_notes(&mut self) -> Vec<String> {
        self.notes.extend(self.capture.take_notes());
        std::mem::take(&mut self.notes)
    }

    fn dropped(&self) -> u64 {
        self.dropped_before + self.capture.dropped()
    }
}

/// Why a growing file came to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    Stopped,
    Replaced,
    Truncated,
}

/// The end of a growing file, told by who reads it to who opened it.
#[derive(Default)]
struct End(AtomicU8);

impl End {
    fn tell(&self, why: Option<Why>) {
        let number = match why {
            None => 0,
            Some(Why::Stopped) => 1,
            Some(Why::Replaced) => 2,
            Some(Why::Truncated) => 3,
        };
        self.0.store(number, Ordering::Relaxed);
    }

    fn is_known(&self) -> bool {
        self.0.load(Ordering::Relaxed) != 0
    }

    fn why(&self) -> Why {
        match self.0.load(Ordering::Relaxed) {
            2 => Why::Replaced,
            3 => Why::Truncated,
            _ => Why::Stopped,
        }
    }
}

/// The octets of a file, and when it was last written.
fn growing(
    path: &Path,
    file: File,
    stop: &Arc<AtomicBool>,
    end: &Arc<End>,
) -> io::Result<(Octets, Timestamp)> {
    end.tell(None);
    let identity = identity(&file.metadata()?);
    let written = last_written(&file);
    let (path, stop, end) = (path.to_owned(), Arc::clone(stop), Arc::clone(end));
    let follow = Follow { path, file, identity, at: 0, stop, end };
    Ok((Octets::of_growing(follow), written))
}

/// The octets of a growing file; they end when the file is another, or reading is stopped.
struct Follow {
    path: PathBuf,
    file: File,
    identity: Identity,
    /// Octets read so far.
    at: u64,
    stop: Arc<AtomicBool>,
    end: Arc<End>,
}

impl Follow {
    /// Whether there is nothing to wait for in this file.
    fn is_past(&self) -> Option<Why> {
        if self.file.metadata().is_ok_and(|about| about.len() < self.at) {
            return Some(Why::Truncated);
        }
        // While there is none of the name, this one may go on.
        let now = fs::metadata(&self.path).ok()?;
        (identity(&now) != self.identity).then_some(Why::Replaced)
    }
}

impl Read for Follow {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if room.is_empty() || self.end.is_known() {
            return Ok(0);
        }
        loop {
            let past = self.is_past();
            // What was written last is read even so.
            let count = if past == Some(Why::Truncated) { 0 } else { self.file.read(room)? };
            if 0 < count {
                self.at += count as u64;
                return Ok(count);
            }
            let stopped = self.stop.load(Ordering::Relaxed).then_some(Why::Stopped);
            if let Some(why) = stopped.or(past) {
                self.end.tell(Some(why));
                return Ok(0);
            }
            thread::sleep(POLL);
        }
    }
}

/// What tells a file from another of the same name.
#[cfg(unix)]
type Identity = (u64, u64);
#[cfg(not(unix))]
type Identity = Option<std::time::SystemTime>;

#[cfg(unix)]
fn identity(about: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt as _;
    (about.dev(), about.ino())
}

#[cfg(not(unix))]
fn identity(about: &Metadata) -> Identity {
    about.created().ok()
}
