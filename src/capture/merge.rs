//! All inputs of a run as one source, merged by time.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet, VecDeque};
use std::io::Read;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::capture::directory;
use crate::capture::file::CaptureFile;
use crate::capture::octets::Octets;
use crate::capture::{Error, Filter, Input, Secrets, Source, Zone, printable};
use crate::frame::{FileId, Frame, Sightings};
use crate::time::Timestamp;

/// Files of one run: as many as a [`FileId`] tells apart.
const FILES_MAX: usize = 1 << 16;
/// Files kept open while they wait for their turn.
const OPEN_MAX: usize = 64;

/// How inputs are read.
#[derive(Default)]
pub struct Options {
    /// Which packets are handed out; the others are counted only.
    pub filter: Option<Filter>,
    /// The zone of times in text logs that name none; UTC without.
    pub log_zone: Option<Zone>,
}

/// All inputs of a run, merged by time.
///
/// Files keep their own order: a file whose clock steps back is not sorted. Frames of the same time
/// come in the order of the inputs.
pub struct Capture {
    files: Vec<CaptureFile>,
    names: Vec<String>,
    /// The time of each file's next frame.
    queue: BinaryHeap<Reverse<(Timestamp, usize)>>,
    /// Files that move on at the next call: the one whose frame is lent.
    waiting: Vec<usize>,
    /// Files that were opened.
    opened: usize,
    errors: VecDeque<Error>,
    notes: Vec<String>,
    secrets: Vec<Secrets>,
    host_names: Vec<(IpAddr, String)>,
    log_zone: Option<Zone>,
    filter: Option<Filter>,
    filtered: u64,
}

impl Capture {
    /// Opens the inputs. What is wrong with some of them comes out of [`Source::next`].
    pub fn open(inputs: &[Input], options: Options) -> Self {
        let mut capture =
            Self { filter: options.filter, log_zone: options.log_zone, ..Self::empty() };
        let mut seen = HashSet::new();
        for input in inputs {
            match input {
                Input::Path(path) if path.is_dir() => capture.add_directory(path, &mut seen),
                Input::Path(path) => {
                    capture.add(Input::Path(path.clone()), printable(path), &mut seen);
                }
                Input::Stdin => capture.add(Input::Stdin, "-".to_owned(), &mut seen),
            }
        }
        capture
    }

    /// Octets in memory as a capture of one file.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self::of_octets(Octets::of_bytes(bytes))
    }

    /// A stream as a capture of one file.
    pub fn of_reader(reader: impl Read + Send + 'static) -> Self {
        Self::of_octets(Octets::of_reader(reader))
    }

    /// The names of the files, by [`FileId`].
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Frames that the packet filter kept back so far.
    pub fn filtered(&self) -> u64 {
        self.filtered
    }

    /// A file that grows, and when it was last written; it is recognised when the first frame is
    /// asked for.
    pub(super) fn of_growing(name: String, octets: (Octets, Timestamp), options: Options) -> Self {
        let mut capture =
            Self { filter: options.filter, log_zone: options.log_zone, ..Self::empty() };
        let file =
            CaptureFile::of_growing(FileId(0), name.clone(), octets, capture.log_zone.clone());
        capture.names.push(name);
        capture.files.push(file);
        capture
    }

    fn of_octets(octets: Octets) -> Self {
        let mut capture = Self::empty();
        let (file, opened) = CaptureFile::of_octets(FileId(0), "-".to_owned(), octets);
        capture.names.push("-".to_owned());
        capture.files.push(file);
        capture.errors.extend(opened.err());
        capture
    }

    fn empty() -> Self {
        Self {
            files: Vec::new(),
            names: Vec::new(),
            queue: BinaryHeap::new(),
            waiting: Vec::new(),
            opened: 0,
            errors: VecDeque::new(),
            notes: Vec::new(),
            secrets: Vec::new(),
            host_names: Vec::new(),
            log_zone: None,
            filter: None,
            filtered: 0,
        }
    }

    fn add_directory(&mut self, path: &Path, seen: &mut HashSet<PathBuf>) {
        let listing = directory::list(path);
        self.errors.extend(listing.errors);
        let name = printable(path);
        if listing.captures.is_empty() {
            self.errors.push_back(Error::NoCaptures { name, skipped: listing.others });
            return;
        }
        if 0 < listing.others {
            self.notes.push(format!("{name}: {} files are no captures, skipped", listing.others));
        }
        for capture in listing.captures {
            let name = printable(&capture);
            self.add(Input::Path(capture), name, seen);
        }
    }

    fn add(&mut self, input: Input, name: String, seen: &mut HashSet<PathBuf>) {
        let identity = match &input {
            Input::Path(path) => path.canonicalize().unwrap_or_else(|_| path.clone()),
            Input::Stdin => PathBuf::from("-"),
        };
        if !seen.insert(identity) {
            self.notes.push(format!("{name}: given more than once, read once"));
            return;
        }
        let Ok(id) = u16::try_from(self.files.len()) else {
            if self.files.len() == FILES_MAX {
                self.errors.push_back(Error::TooMany { name, limit: FILES_MAX });
            }
            return;
        };
        self.names.push(name.clone());
        self.files.push(CaptureFile::new(FileId(id), name, input, self.log_zone.clone()));
    }

    /// Opens a file and queues its first frame.
    fn first(&mut self, index: usize) -> Result<(), Error> {
        let time = self.move_on(index)?;
        self.queue.extend(time.map(|time| Reverse((time, index))));
        let Some(file) = self.files.get_mut(index) else { return Ok(()) };
        self.secrets.extend(file.read_secrets_ahead());
        if file.is_barren() {
            self.notes.push(format!("{}: holds no packets", file.name()));
        }
        if OPEN_MAX < self.names.len() {
            file.rest();
        }
        Ok(())
    }

    /// Brings a file to its next frame: its time.
    #[inline(always)]
    fn move_on(&mut self, index: usize) -> Result<Option<Timestamp>, Error> {
        let Some(file) = self.files.get_mut(index) else { return Ok(None) };
        let result = file.advance();
        if let Some(news) = file.take_news() {
            self.secrets.extend(news.secrets);
            self.host_names.extend(news.names);
        }
        if let Ok(None) = result {
            self.notes.extend(file.take_note());
        }
        if result.is_err() {
            // A stranger does not end its file: it moves on at the next call.
            self.waiting.push(index);
        }
        result
    }

    /// The file whose frame comes next.
    #[inline(always)]
    fn step(&mut self) -> Result<Option<usize>, Error> {
        if let Some(error) = self.errors.pop_front() {
            return Err(error);
        }
        while let Some(index) = self.waiting.pop() {
            let Some(time) = self.move_on(index)? else { continue };
            let next = Reverse((time, index));
            // Mostly a file goes on where it was; then nothing is queued.
            if self.opened == self.files.len()
                && self.waiting.is_empty()
                && self.queue.peek().is_none_or(|first| *first < next)
            {
                self.waiting.push(index);
                return Ok(Some(index));
            }
            self.queue.push(next);
        }
        while self.opened < self.files.len() {
            self.opened += 1;
            self.first(self.opened - 1)?;
        }
        while let Some(Reverse((_, index))) = self.queue.pop() {
            let Some(file) = self.files.get_mut(index) else { continue };
            if file.is_resting() {
                // It was closed at its first frame and begins again there.
                let time = self.move_on(index)?;
                self.queue.extend(time.map(|time| Reverse((time, index))));
                continue;
            }
            self.waiting.push(index);
            return Ok(Some(index));
        }
        Ok(None)
    }

    /// The file whose frame is handed out next.
    #[inline(always)]
    pub(super) fn advance(&mut self) -> Result<Option<usize>, Error> {
        let mut index = self.step()?;
        if self.filter.is_some() {
            while index.is_some_and(|index| !self.passes(index)) {
                self.filtered += 1;
                index = self.step()?;
            }
        }
        Ok(index)
    }

    /// The frame that `advance` came to in a file.
    #[inline(always)]
    pub(super) fn frame(&self, index: usize) -> Option<Frame<'_>> {
        self.files.get(index).and_then(CaptureFile::frame)
    }

    fn passes(&mut self, index: usize) -> bool {
        let frame = self.files.get(index).and_then(CaptureFile::frame);
        match (&mut self.filter, frame) {
            (Some(filter), Some(frame)) => filter.passes(&frame),
            _ => true,
        }
    }
}

impl Source for Capture {
    #[inline(always)]
    fn next(&mut self) -> Result<Option<Frame<'_>>, Error> {
        match self.advance()? {
            Some(index) => Ok(self.frame(index)),
            None => Ok(None),
        }
    }

    fn take_secrets(&mut self) -> Vec<Secrets> {
        std::mem::take(&mut self.secrets)
    }

    fn take_names(&mut self) -> Vec<(IpAddr, String)> {
        std::mem::take(&mut self.host_names)
    }

    fn take_notes(&mut self) -> Vec<String> {
        self.notes.extend(self.filter.iter_mut().flat_map(Filter::take_notes));
        std::mem::take(&mut self.notes)
    }

    fn dropped(&self) -> u64 {
        self.files.iter().map(CaptureFile::dropped).fold(0, u64::saturating_add)
    }

    fn misstated(&self) -> Sightings {
        let mut all = Sightings::default();
        self.files.iter().for_each(|file| all.add(file.misstated()));
        all
    }
}

/// Frames, their octets and the errors of a capture read to its end.
pub(super) fn count(mut capture: Capture) -> (u64, u64, u64) {
    let (mut frames, mut octets, mut errors) = (0, 0, 0);
    loop {
        match capture.next() {
            Ok(Some(frame)) => {
                frames += 1;
                octets += frame.bytes.len() as u64;
            }
            Ok(None) => return (frames, octets, errors),
            Err(_) => errors += 1,
        }
    }
}
