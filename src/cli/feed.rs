//! Frames of the inputs become what the core takes: filters of packets and time, progress.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::choosing::Choosing;
use super::closing::Progress;
use super::harmless;
use super::window::Window;
use crate::capture::{self, Source};
use crate::engine::Feed;
use crate::engine::reader::{Fate, Reader};
use crate::frame::{Frame, FrameId};
use crate::limits::Tally;
use crate::model::Vantage;
use crate::net::PathId;
use crate::sip::Message;
use crate::time::Timestamp;
use crate::transport::{Observation, Text};

/// All inputs of a run as one feed of the engine.
pub(crate) struct Frames<S> {
    source: S,
    reader: Reader,
    window: Window,
    /// The window as moments, once the first frame is known.
    bounds: Option<(Timestamp, Timestamp)>,
    /// Messages after which it ends, of those that `filter` lets through.
    wanted: u64,
    filter: Option<Choosing>,
    /// Messages let through, of `messages`.
    chosen: u64,
    messages: u64,
    /// Packets read, inside the window or not, and when they were captured.
    read: u64,
    span: Option<(Timestamp, Timestamp)>,
    octets: u64,
    /// Octets that these packets had on the wire.
    on_wire: u64,
    total: Option<u64>,
    progress: Progress,
    interrupted: Arc<AtomicBool>,
    ended: bool,
    stopped: bool,
    /// To when time went on without a packet.
    passed: Timestamp,
    troubles: Tally,
    /// What the source left out.
    left_out: Tally,
    tap: Option<Box<dyn Tap>>,
}

/// Who takes the frames as they were read, to keep them.
#[cfg_attr(not(feature = "live"), allow(dead_code))] // Files are kept already.
pub(crate) trait Tap {
    /// Takes note of what the reader finds in the frame that is [taken](Self::take) next.
    fn hear(&mut self, observation: &Observation<'_>);

    /// Takes a frame that `reader` read to this `fate`.
    fn take(&mut self, frame: &Frame<'_>, fate: Fate, reader: &Reader);

    /// Brings to the disk what waits; says what there is to say. `dropped` knows of each interface
    /// what it lost so far.
    fn pulse(&mut self, dropped: &dyn Fn(u32) -> u64) -> Vec<String>;

    /// The same at the end.
    fn finish(&mut self, reader: &Reader, dropped: &dyn Fn(u32) -> u64) -> Vec<String>;

    /// Packets that could not be written.
    fn unwritten(&self) -> u64;
}

/// What a run asks of its frames.
pub(crate) struct Wanted {
    /// Frames outside are left out.
    pub(crate) window: Window,
    /// Messages after which it ends, of those that `filter` lets through.
    pub(crate) count: Option<u64>,
    /// Which messages count.
    pub(crate) filter: Option<Choosing>,
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
    pub(crate) fn new(source: S, reader: Reader, wanted: Wanted) -> Self {
        Self {
            source,
            reader,
            window: wanted.window,
            bounds: None,
            wanted: wanted.count.unwrap_or(u64::MAX),
            // Without a number to reach nobody asks.
            filter: wanted.filter.filter(|_| wanted.count.is_some()),
            chosen: 0,
            messages: 0,
            read: 0,
            span: None,
            octets: 0,
            on_wire: 0,
            total: wanted.total,
            progress: Progress::new(wanted.quiet),
            interrupted: wanted.interrupted,
            ended: false,
            stopped: false,
            passed: Timestamp(i64::MIN),
            troubles: Tally::default(),
            left_out: Tally::default(),
            tap: None,
        }
    }

    /// First and last time of all packets of the inputs, inside the window or not.
    pub(crate) const fn span(&self) -> Option<(Timestamp, Timestamp)> {
        self.span
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
        let _ = writeln!(io::stderr(), "siplens: cannot read {}", harmless(&error.to_string()));
    }
}

/// What a live run asks beside.
#[cfg(feature = "live")]
impl<S: Source> Frames<S> {
    /// Where the frames come from.
    pub(crate) const fn source(&self) -> &S {
        &self.source
    }

    /// The same, to ask it for what it has to say.
    pub(crate) const fn source_mut(&mut self) -> &mut S {
        &mut self.source
    }

    /// What the source and the reader have to say since the last time.
    pub(crate) fn take_notes(&mut self) -> Vec<String> {
        let mut notes = self.source.take_notes();
        notes.append(&mut self.reader.take_notices());
        notes
    }

    /// Packets that should have been kept and could not be written.
    pub(crate) fn unwritten(&self) -> u64 {
        self.tap.as_ref().map_or(0, |tap| tap.unwritten())
    }

    /// Octets that the packets read had on the wire.
    pub(crate) const fn on_wire(&self) -> u64 {
        self.on_wire
    }

    /// Time went on to `now`, and no packet came: what was watched in silence was watched.
    pub(crate) fn pass(&mut self, now: Timestamp) {
        self.passed = self.passed.max(now);
    }

    /// Ends the reading before its end.
    pub(crate) fn stop(&mut self) {
        self.stopped = true;
    }

    /// Lets go what a run that lasts for weeks has taken in by now: the ends of connections, which
    /// were told when they happened.
    pub(crate) fn forget_ends(&mut self) {
        self.reader.forget_ends();
    }

    /// The same with somebody who keeps the frames.
    pub(crate) fn tapped(mut self, tap: Option<Box<dyn Tap>>) -> Self {
        self.tap = tap;
        self
    }

    /// Who keeps the frames, and who reads them.
    pub(crate) fn tap(&mut self) -> Option<(&mut dyn Tap, &Reader, &S)> {
        let tap = self.tap.as_deref_mut()?;
        Some((tap, &self.reader, &self.source))
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
        self.reader.set_clock(self.source.clock_set_by());
        for (reason, count) in self.source.take_losses() {
            self.left_out.lose_many(reason, count);
        }
        let (wanted, messages, chosen) = (self.wanted, &mut self.messages, &mut self.chosen);
        let filter = &mut self.filter;
        let is_stopped = self.stopped || self.interrupted.load(Ordering::Relaxed);
        let enough = *chosen == wanted || (is_stopped && !self.source.stop());
        let tap = &mut self.tap;
        let mut counted = |observation: Observation<'_>| {
            if let Some(tap) = tap {
                tap.hear(&observation);
            }
            if matches!(observation, Observation::Message { .. }) {
                if *chosen == wanted {
                    return;
                }
                *messages += 1;
                let counts = filter.as_mut().is_none_or(|f| lets_through(f, &observation));
                *chosen += u64::from(counts);
            }
            each(observation);
        };
        match &if enough { Ok(None) } else { self.source.next() } {
            Ok(Some(frame)) => {
                let (since, until) =
                    *self.bounds.get_or_insert_with(|| self.window.from(frame.time));
                let (first, last) = self.span.unwrap_or((frame.time, frame.time));
                self.span = Some((first.min(frame.time), last.max(frame.time)));
                if since <= frame.time && frame.time <= until {
                    let fate = self.reader.read(frame, &mut counted);
                    if let Some(tap) = &mut self.tap {
                        tap.take(frame, fate, &self.reader);
                    }
                }
                self.read += 1;
                self.octets += frame.bytes.len() as u64 + RECORD;
                self.on_wire += u64::from(frame.wire_len);
            }
            Ok(None) => {
                if enough || self.source.is_over() {
                    self.reader.finish(&mut counted);
                    let notes = self.source.take_notes().into_iter();
                    notes.for_each(|note| self.troubles.notice(note));
                    self.ended = true;
                }
            }
            Err(error) => self.note(error),
        }
        if self.read.is_multiple_of(STRIDE) {
            self.progress.at(self.octets, self.total, self.messages);
        }
        true
    }

    fn vantage(&mut self) -> Vantage {
        let mut vantage = self.reader.vantage();
        vantage.last = vantage.last.max(self.passed);
        vantage.dropped += self.source.dropped() + self.source.left_out();
        vantage.misstated = self.source.misstated();
        vantage.unwatched = self.source.unwatched().to_vec();
        vantage
    }

    fn path(&self, id: PathId) -> &str {
        self.reader.path(id)
    }

    fn interface(&self, frame: FrameId) -> &str {
        self.source.interface(frame)
    }

    fn tally(&self) -> Tally {
        let mut tally = self.reader.tally().clone();
        tally.add(&self.troubles);
        tally.add(&self.left_out);
        tally.messages = self.messages;
        if 0 < self.source.dropped() {
            tally.lost.insert("dropped", self.source.dropped());
        }
        tally
    }
}

/// Whether `filter` holds for a message on its own, as it does for `siplens messages`.
fn lets_through(filter: &mut Choosing, observation: &Observation<'_>) -> bool {
    let Observation::Message { envelope, text, home } = observation else { return false };
    Message::parse(*envelope, Text::of(text, *home))
        .is_some_and(|message| filter.choose(&message).is_some())
}
