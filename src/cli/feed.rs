//! Frames of the inputs become what the core takes: filters of packets and time, progress, Ctrl-C.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::closing::Progress;
use super::window::Window;
use crate::capture::{self, Source};
use crate::engine::Feed;
use crate::engine::reader::Reader;
use crate::limits::Tally;
use crate::model::Vantage;
use crate::net::PathId;
use crate::time::Timestamp;
use crate::transport::Observation;

/// All inputs of a run as one feed of the engine.
pub(crate) struct Frames<S> {
    source: S,
    reader: Reader,
    window: Window,
    /// The window as moments, once the first frame is known.
    bounds: Option<(Timestamp, Timestamp)>,
    /// SIP messages still wanted.
    wanted: u64,
    messages: u64,
    read: u64,
    octets: u64,
    total: Option<u64>,
    progress: Progress,
    interrupted: Arc<AtomicBool>,
    ended: bool,
    troubles: Tally,
}

/// What a run asks of its frames.
pub(crate) struct Wanted {
    /// Frames outside are left out.
    pub(crate) window: Window,
    /// SIP messages after which it ends.
    pub(crate) count: Option<u64>,
    /// Octets of all inputs, where known.
    pub(crate) total: Option<u64>,
    /// Whether to show progress.
    pub(crate) quiet: bool,
    /// Set to end the run early.
    pub(crate) interrupted: Arc<AtomicBool>,
}

/// Frames between two looks at the clock of the progress line.
const STRIDE: u64 = 4096;
/// Octets of a record's header in a pcap file, for the share that is done.
const RECORD: u64 = 16;

impl<S: Source> Frames<S> {
    /// The frames of `source`.
    pub(crate) fn new(source: S, reader: Reader, wanted: &Wanted) -> Self {
        Self {
            source,
            reader,
            window: wanted.window,
            bounds: None,
            wanted: wanted.count.unwrap_or(u64::MAX),
            messages: 0,
            read: 0,
            octets: 0,
            total: wanted.total,
            progress: Progress::new(wanted.quiet),
            interrupted: Arc::clone(&wanted.interrupted),
            ended: false,
            troubles: Tally::default(),
        }
    }

    /// Reads all messages, however many were wanted; returns how many that were.
    pub(crate) fn take_count(&mut self) -> u64 {
        std::mem::replace(&mut self.wanted, u64::MAX)
    }

    /// True when an input could not be read, or not to its end.
    pub(crate) fn is_troubled(&self) -> bool {
        !self.troubles.lost.is_empty()
    }

    /// True after Ctrl-C.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// Ends the reading: takes the progress line away, hands out what the source has to say.
    pub(crate) fn close(&mut self) -> Vec<String> {
        self.progress.clear();
        self.source.take_notes()
    }

    fn note(&mut self, error: &capture::Error) {
        self.progress.clear();
        self.troubles.lose(error.reason());
        // When nobody can read it, the exit code still tells.
        let _ = writeln!(io::stderr(), "siplens: cannot read {error}");
    }
}

impl<S: Source> Feed for Frames<S> {
    fn advance(&mut self, each: &mut dyn FnMut(Observation<'_>)) -> bool {
        if self.ended {
            return false;
        }
        for secrets in self.source.take_secrets() {
            self.reader.add_secrets(&secrets.0);
        }
        let (wanted, messages) = (self.wanted, &mut self.messages);
        let enough = *messages == wanted || self.interrupted.load(Ordering::Relaxed);
        let mut counted = |observation: Observation<'_>| {
            if matches!(observation, Observation::Message { .. }) {
                if *messages == wanted {
                    return;
                }
                *messages += 1;
            }
            each(observation);
        };
        match if enough { Ok(None) } else { self.source.next() } {
            Ok(Some(frame)) => {
                let (since, until) = *self.bounds.get_or_insert(self.window.from(frame.time));
                if since <= frame.time && frame.time <= until {
                    self.reader.read(&frame, &mut counted);
                }
                self.read += 1;
                self.octets += frame.bytes.len() as u64 + RECORD;
            }
            Ok(None) => {
                self.reader.finish(&mut counted);
                self.ended = true;
            }
            Err(error) => self.note(&error),
        }
        if self.read.is_multiple_of(STRIDE) {
            self.progress.at(self.octets, self.total, self.messages);
        }
        true
    }

    fn vantage(&self) -> Vantage {
        let mut vantage = self.reader.vantage();
        vantage.dropped += self.source.dropped();
        vantage
    }

    fn path(&self, id: PathId) -> &str {
        self.reader.path(id)
    }

    fn tally(&self) -> Tally {
        let mut tally = self.reader.tally().clone();
        tally.add(&self.troubles);
        tally.messages = self.messages;
        if 0 < self.source.dropped() {
            tally.lost.insert("dropped", self.source.dropped());
        }
        tally
    }
}

/// A flag that Ctrl-C sets; a second Ctrl-C ends the process at once.
pub(crate) fn on_interrupt() -> Arc<AtomicBool> {
    use signal_hook::consts::SIGINT;
    use signal_hook::flag;

    let interrupted = Arc::new(AtomicBool::new(false));
    // Without a handler Ctrl-C ends the process, as for any program.
    let _ = flag::register_conditional_shutdown(SIGINT, 130, Arc::clone(&interrupted));
    let _ = flag::register(SIGINT, Arc::clone(&interrupted));
    interrupted
}
