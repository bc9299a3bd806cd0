//! EDGE: packets kept as pcapng, in one file or a ring of files.
//!
//! A file that is being written can be read at any time: it ends with a whole block, and stands
//! alone. Trouble with the disk ends nothing: what could not be kept is counted and told.

mod blocks;
mod piece;
mod ring;

pub use ring::Ring;

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustc_hash::FxHashMap;

use self::blocks::{Description, Statistics};
use self::piece::{Flushed, Kind, Piece};
use crate::capture::printable;
use crate::frame::{FileId, Frame, LinkType};
use crate::time::Timestamp;

/// Interfaces of one file, as many as are read back.
const INTERFACES_MAX: usize = 65_536;
/// Flushes without trouble after which a disk is taken to work again: a nearly full one takes
/// some packets and refuses others.
const RECOVERED: u32 = 4;

/// Names of a ring that may be taken in a row.
const TAKEN_MAX: u32 = 1_000;

/// Packets on their way to a pcapng file or a ring of them.
///
/// Nothing here reads a clock: who writes calls [`flush`](Self::flush) a few times a second.
pub struct Savefile {
    path: PathBuf,
    ring: Option<Ring>,
    os: String,
    /// Files of the ring that are there, oldest first, with the one being written.
    files: VecDeque<PathBuf>,
    /// Files begun so far, and numbers passed over that were taken.
    begun: u64,
    piece: Option<Begun>,
    /// No file could be begun since the last flush.
    barred: bool,
    interfaces: Vec<Interface>,
    numbers: FxHashMap<(Origin, LinkType), usize>,
    about: FxHashMap<Origin, About>,
    written: u64,
    lost: u64,
    trouble: Option<Trouble>,
    notes: Vec<String>,
}

/// An interface of an input.
type Origin = (FileId, u32);

/// A file and the packets in it.
struct Begun {
    piece: Piece<File>,
    path: PathBuf,
    /// Whether it was made for this run.
    is_new: bool,
    /// Times of its first and its latest packet.
    first: Timestamp,
    last: Timestamp,
    packets: u64,
    /// Interfaces described in it.
    described: u32,
}

/// An interface and a link type as files describe them.
struct Interface {
    origin: Origin,
    link: LinkType,
    /// Its number in the file at hand.
    number: Option<u32>,
}

/// What is known of an interface of an input.
#[derive(Default)]
struct About {
    name: String,
    snap: u32,
    counts: Option<Counts>,
    /// The counts that files before account for.
    told: Counts,
}

/// Packets of an interface since the capture began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// That came in, kept or not.
    pub received: u64,
    /// That the kernel or the interface dropped.
    pub dropped: u64,
}

/// The disk takes nothing, or did not until lately.
struct Trouble {
    /// Packets lost before.
    lost_before: u64,
    /// Flushes since that went well.
    well: u32,
}

/// A file that cannot be written at all.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {name}: {what}")]
pub struct CannotWrite {
    name: String,
    what: String,
}

impl CannotWrite {
    fn new(path: &Path, error: &io::Error) -> Self {
        let what = match error.kind() {
            io::ErrorKind::NotFound => "no such directory; make it first".to_owned(),
            io::ErrorKind::PermissionDenied => {
                "permission denied; name a place where you may write".to_owned()
            }
            _ => words(error),
        };
        Self { name: printable(path), what }
    }
}

impl Savefile {
    /// Makes the file `path`, or empties it, or finds that files of a ring can be made beside it.
    ///
    /// The file of a ring is made by its first packet, whose time is in its name.
    pub fn create(path: &Path, ring: Option<Ring>) -> Result<Self, CannotWrite> {
        let mut savefile = Self {
            path: path.to_owned(),
            ring,
            os: operating_system(),
            files: VecDeque::new(),
            begun: 0,
            piece: None,
            barred: false,
            interfaces: Vec::new(),
            numbers: FxHashMap::default(),
            about: FxHashMap::default(),
            written: 0,
            lost: 0,
            trouble: None,
            notes: Vec::new(),
        };
        let made = match ring {
            Some(_) => savefile.probe(),
            None => savefile.begin(Timestamp::default()),
        };
        made.map_err(|error| CannotWrite::new(path, &error))?;
        Ok(savefile)
    }

    /// Finds out whether files of a ring can be made; worth asking again after rights were given up.
    pub fn probe(&self) -> io::Result<()> {
        if self.ring.is_none() {
            return Ok(());
        }
        // What bears that name is not ours; that files can be made is known then, too.
        let probe = ring::name(&self.path, 0, Timestamp::default());
        match piece::make(&probe) {
            Ok(_) => fs::remove_file(&probe),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The directory in which files of a ring come and go; `None` without a ring.
    pub fn directory(&self) -> Option<&Path> {
        self.ring?;
        let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        Some(parent.unwrap_or(Path::new(".")))
    }

    /// The file being written, to give it another owner; `None` when it was there before.
    pub fn file(&self) -> Option<&File> {
        self.piece.as_ref().filter(|begun| begun.is_new).map(|begun| begun.piece.store())
    }

    /// Names interface `interface` of the input `file`; `snap` is what is captured of a packet at
    /// most, 0 for all. Counts for files that meet it later.
    pub fn describe(&mut self, file: FileId, interface: u32, name: &str, snap: u32) {
        let about = self.about.entry((file, interface)).or_default();
        name.clone_into(&mut about.name);
        about.snap = snap;
    }

    /// Takes in what an interface counted so far; it is written at the end of each file.
    pub fn report(&mut self, file: FileId, interface: u32, counts: Counts) {
        self.about.entry((file, interface)).or_default().counts = Some(counts);
    }

    /// Takes a packet in. It reaches the disk with the next [`flush`](Self::flush), or when enough
    /// wait.
    pub fn write(&mut self, frame: &Frame<'_>) {
        if self.is_past(frame) {
            self.close_piece();
        }
        if self.piece.is_none()
            && !self.barred
            && let Err(error) = self.begin(frame.time)
        {
            self.barred = true;
            self.take_in(Flushed { trouble: Some(error), ..Flushed::default() });
        }
        let number = self.number(frame);
        let (Some(begun), Some(number)) = (&mut self.piece, number) else {
            self.lost += 1;
            return;
        };
        if begun.packets == 0 {
            (begun.first, begun.last) = (frame.time, frame.time);
        }
        begun.packets += 1;
        begun.last = begun.last.max(frame.time);
        begun.piece.add(Kind::Packet, |out| blocks::packet(out, number, frame));
        if begun.piece.is_full() {
            self.flush();
        }
    }

    /// Brings what waits to the disk.
    pub fn flush(&mut self) {
        self.barred = false;
        if let Some(begun) = &mut self.piece {
            let flushed = begun.piece.flush();
            self.take_in(flushed);
        }
    }

    /// Ends the file. What is written afterwards begins another one of the ring, and is lost
    /// without one.
    pub fn finish(&mut self) {
        self.close_piece();
        if self.trouble.take().is_some() {
            let name = printable(&self.path);
            self.notes
                .push(format!("{name} lacks {} packets that could not be written", self.lost));
        }
    }

    /// Packets that reached the disk.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Packets that could not be written.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Sentences for the user since the last call.
    pub fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// True when the file at hand has no place for a packet any more.
    fn is_past(&self, frame: &Frame<'_>) -> bool {
        let (Some(ring), Some(begun)) = (self.ring, &self.piece) else { return false };
        if begun.packets == 0 {
            return false;
        }
        let behind = (1 + u64::from(begun.described)) * blocks::STATISTICS_SIZE as u64;
        let framed = (frame.bytes.len() + blocks::PACKET_FRAMING + 3) as u64;
        let size = begun.piece.size() + framed + behind;
        // A clock that steps back does not make a file endless.
        let span = frame.time.since(begun.first).saturating_abs();
        ring.size.is_some_and(|most| most < size) || ring.span.is_some_and(|most| most <= span)
    }

    /// Begins a file with the packet of `first`.
    fn begin(&mut self, first: Timestamp) -> io::Result<()> {
        let (path, file, is_new) = match self.ring {
            Some(ring) => {
                self.make_room(ring);
                let (path, file) = self.make_next(first)?;
                (path, file, true)
            }
            None if self.begun == 0 => match piece::make(&self.path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    (self.path.clone(), piece::empty(&self.path)?, false)
                }
                made => (self.path.clone(), made?, true),
            },
            None => return Err(io::Error::other("it is complete")),
        };
        let mut piece = Piece::new(file);
        self.begun += 1;
        if self.ring.is_some() {
            self.files.push_back(path.clone());
        }
        for interface in &mut self.interfaces {
            interface.number = None;
        }
        let application = concat!("siplens ", env!("CARGO_PKG_VERSION"));
        piece.add(Kind::Header, |out| {
            blocks::section(out, std::env::consts::ARCH, &self.os, application);
        });
        let flushed = piece.flush();
        let (last, packets, described) = (first, 0, 0);
        self.piece = Some(Begun { piece, path, is_new, first, last, packets, described });
        match flushed.trouble {
            Some(error) if self.ring.is_none() => Err(error),
            _ => {
                self.take_in(flushed);
                Ok(())
            }
        }
    }

    /// Makes the next file of a ring. A name that is taken is that of an earlier run, whose file is
    /// not ours to empty.
    fn make_next(&mut self, first: Timestamp) -> io::Result<(PathBuf, File)> {
        for _ in 0..TAKEN_MAX {
            let path = ring::name(&self.path, self.begun + 1, first);
            match piece::make(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.begun += 1,
                made => return made.map(|file| (path, file)),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Removes the oldest files of a ring that is full.
    fn make_room(&mut self, ring: Ring) {
        while ring.files <= self.files.len() {
            let Some(oldest) = self.files.pop_front() else { return };
            match fs::remove_file(&oldest) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => self.notes.push(format!(
                    "cannot remove {}, the oldest of the ring: {}; it stays",
                    printable(&oldest),
                    words(&error)
                )),
                _ => {}
            }
        }
    }

    /// The number of a packet's interface in the file at hand, which describes it if need be.
    fn number(&mut self, frame: &Frame<'_>) -> Option<u32> {
        let begun = self.piece.as_mut()?;
        let origin = (frame.id.file(), frame.interface);
        let at = match self.numbers.get(&(origin, frame.link)) {
            Some(&at) => at,
            None if self.interfaces.len() < INTERFACES_MAX => {
                self.interfaces.push(Interface { origin, link: frame.link, number: None });
                self.numbers.insert((origin, frame.link), self.interfaces.len() - 1);
                self.interfaces.len() - 1
            }
            None => {
                let error = io::Error::other(format!("more than {INTERFACES_MAX} interfaces"));
                self.take_in(Flushed { trouble: Some(error), ..Flushed::default() });
                return None;
            }
        };
        let interface = self.interfaces.get_mut(at)?;
        if interface.number.is_none() {
            let about = self.about.get(&origin);
            let description = Description {
                link: interface.link,
                snap: about.map_or(0, |about| about.snap),
                name: about.map_or("", |about| &about.name),
            };
            begun.piece.add(Kind::Header, |out| blocks::interface(out, description));
            interface.number = Some(begun.described);
            begun.described += 1;
        }
        interface.number
    }

    /// Ends the file at hand with what its interfaces counted.
    fn close_piece(&mut self) {
        let Some(Begun { mut piece, first, last, .. }) = self.piece.take() else {
            return;
        };
        for interface in &self.interfaces {
            let (Some(number), Some(about)) =
                (interface.number, self.about.get_mut(&interface.origin))
            else {
                continue;
            };
            let Some(now) = about.counts else { continue };
            let statistics = Statistics {
                first,
                last,
                received: now.received.saturating_sub(about.told.received),
                dropped: now.dropped.saturating_sub(about.told.dropped),
            };
            about.told = now;
            piece.add(Kind::Trailer, |out| blocks::statistics(out, number, statistics));
        }
        let flushed = piece.flush();
        self.take_in(flushed);
    }

    /// Counts what was written and lost, and tells of a trouble that begins or ends.
    fn take_in(&mut self, flushed: Flushed) {
        let lost_before = self.lost;
        self.written += flushed.written;
        self.lost += flushed.lost;
        let name = || printable(self.piece.as_ref().map_or(&self.path, |begun| &begun.path));
        match (flushed.trouble, &mut self.trouble) {
            (Some(error), None) => {
                let until = match error.kind() {
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "there is room",
                    _ => "it can be written again",
                };
                self.notes.push(format!(
                    "cannot write {}: {}; capture goes on, packets are not kept until {until}",
                    name(),
                    words(&error)
                ));
                self.trouble = Some(Trouble { lost_before, well: 0 });
            }
            (Some(_), Some(trouble)) => trouble.well = 0,
            (None, Some(trouble)) if 0 < flushed.written => {
                trouble.well += 1;
                if RECOVERED <= trouble.well {
                    let lost = self.lost - trouble.lost_before;
                    self.notes
                        .push(format!("{} is written again; {lost} packets were lost", name()));
                    self.trouble = None;
                }
            }
            (None, _) => {}
        }
    }
}

/// What waits is worth a last attempt.
impl Drop for Savefile {
    fn drop(&mut self) {
        self.close_piece();
    }
}

/// What the system says, without the number of the error.
fn words(error: &io::Error) -> String {
    let words = error.to_string();
    words.split(" (os error").next().unwrap_or_default().to_owned()
}

/// The system this runs on, as a section header names it.
fn operating_system() -> String {
    let system = std::env::consts::OS;
    match fs::read_to_string("/proc/sys/kernel/osrelease") {
        Ok(release) => format!("{system} {}", release.trim()),
        Err(_) => system.to_owned(),
    }
}
