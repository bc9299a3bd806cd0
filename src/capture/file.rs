//! One capture file: opened, recognised, unpacked, and read record by record.

use std::fs::File;
use std::io;
use std::time::UNIX_EPOCH;

use crate::capture::inflate::unpack;
use crate::capture::kind::Kind;
use crate::capture::netmon::NetMon;
use crate::capture::octets::Octets;
use crate::capture::pcap::Pcap;
use crate::capture::pcapng::{News, PcapNg};
use crate::capture::reading::{Log, Reading};
use crate::capture::record::{Fault, Record};
use crate::capture::snoop::Snoop;
use crate::capture::text::{Calendar, LogTally, TextLog};
use crate::capture::{Error, Input, Secrets, Zone};
use crate::frame::{FileId, Frame, FrameId, Sightings};
use crate::time::Timestamp;

/// Compressions inside each other that are peeled; more can only be meant to exhaust the reader.
const PEEL_MAX: usize = 4;

/// Octets of a stream that are gathered when its format cannot be read from front to back.
const GATHERED_MAX: u64 = 256 << 20;

/// One file of a capture.
pub(super) struct CaptureFile {
    id: FileId,
    name: String,
    input: Input,
    /// The zone of a log that names none.
    zone: Option<Zone>,
    /// What a log does not say of its times.
    calendar: Calendar,
    /// What there is to say of a file that is done.
    note: Option<String>,
    state: State,
    /// Records read so far.
    number: u64,
    /// The record it came to, when there is one.
    current: Record,
    is_at_record: bool,
    /// What a file that is done had left to tell.
    last_news: News,
    /// Packets lost according to a file that is done.
    dropped: u64,
    /// Records that name a wrong length according to a log that is done.
    misstated: Sightings,
}

enum State {
    /// Not opened yet, or closed until its turn comes.
    Closed,
    /// It grows, and is recognised when something of it is there.
    Growing(Octets),
    Open(Reading),
    /// Read to its end, or as far as it can be.
    Done,
}

impl CaptureFile {
    /// A file to be opened by the first `advance`.
    pub(super) fn new(id: FileId, name: String, input: Input, zone: Option<Zone>) -> Self {
        Self {
            id,
            name,
            input,
            calendar: calendar(Timestamp::default(), zone.as_ref()),
            zone,
            note: None,
            state: State::Closed,
            number: 0,
            current: Record::default(),
            is_at_record: false,
            last_news: News::default(),
            dropped: 0,
            misstated: Sightings::default(),
        }
    }

    /// A file whose octets are already at hand.
    pub(super) fn of_octets(id: FileId, name: String, octets: Octets) -> (Self, Result<(), Error>) {
        let mut file = Self::new(id, name, Input::Stdin, None);
        let opened = file.open(octets);
        (file, opened)
    }

    /// A file that grows, last written at `written`, and is waited for by the first `advance`.
    pub(super) fn of_growing(
        id: FileId,
        name: String,
        (octets, written): (Octets, Timestamp),
        zone: Option<Zone>,
    ) -> Self {
        let mut file = Self::new(id, name, Input::Stdin, zone);
        file.calendar = calendar(written, file.zone.as_ref());
        file.state = State::Growing(octets);
        file
    }

    /// The name as the user knows it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// True when the file was read to its end without holding a record.
    pub(super) fn is_barren(&self) -> bool {
        self.number == 0 && matches!(self.state, State::Done)
    }

    /// Reads on to the next record: its time, `None` at the end.
    ///
    /// After an error the next call goes on where that is possible, and ends otherwise.
    #[inline(always)]
    pub(super) fn advance(&mut self) -> Result<Option<Timestamp>, Error> {
        if matches!(self.state, State::Closed | State::Growing(_)) {
            self.open_input()?;
        }
        let State::Open(reading) = &mut self.state else { return Ok(None) };
        match reading.next(&mut self.current) {
            Ok(true) => {
                self.number = reading.number(self.number);
                self.is_at_record = true;
                Ok(Some(self.current.time))
            }
            Ok(false) => {
                let log = reading.log();
                self.finish();
                match log {
                    Some(log) if log.messages == 0 => Err(self.without_messages(log)),
                    Some(log) => {
                        self.note = Some(log.sentence(&self.name, &self.calendar));
                        Ok(None)
                    }
                    None => Ok(None),
                }
            }
            Err(fault) => Err(self.dress(fault)),
        }
    }

    /// The record that `advance` came to.
    #[inline(always)]
    pub(super) fn frame(&self) -> Option<Frame<'_>> {
        let State::Open(reading) = &self.state else { return None };
        let record = self.is_at_record.then_some(&self.current)?;
        Some(Frame {
            id: FrameId::new(self.id, self.number),
            time: record.time,
            link: record.link,
            interface: record.interface,
            wire_len: record.wire_len,
            bytes: reading.packet(record),
            home: reading.home(),
        })
    }

    /// Closes a file that can be opened again, so that many files need few descriptors and windows.
    pub(super) fn rest(&mut self) {
        if matches!((&self.input, &self.state), (Input::Path(_), State::Open(_))) {
            self.state = State::Closed;
            self.number = 0;
        }
    }

    /// True for a file that was closed and not opened again.
    #[inline]
    pub(super) fn is_resting(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Reads all secrets of a file that lies open before us; a stream's come as they come.
    pub(super) fn read_secrets_ahead(&mut self) -> Vec<Secrets> {
        match &mut self.state {
            State::Open(reading) => reading.read_secrets_ahead(),
            State::Closed | State::Growing(_) | State::Done => Vec::new(),
        }
    }

    /// Secrets and names read since the last call, if any.
    #[inline]
    pub(super) fn take_news(&mut self) -> Option<News> {
        let news = match &mut self.state {
            State::Open(reading) => reading.news()?,
            State::Closed | State::Growing(_) => return None,
            State::Done => &mut self.last_news,
        };
        (!news.is_empty()).then(|| std::mem::take(news))
    }

    /// What there is to say of the file once it is done.
    pub(super) fn take_note(&mut self) -> Option<String> {
        self.note.take()
    }

    /// Packets lost so far, as the file says.
    pub(super) fn dropped(&self) -> u64 {
        match &self.state {
            State::Open(reading) => reading.dropped(),
            State::Closed | State::Growing(_) | State::Done => self.dropped,
        }
    }

    /// Records of a text log that name another length than the message in them has, so far.
    pub(super) fn misstated(&self) -> Sightings {
        let State::Open(reading) = &self.state else { return self.misstated };
        let Some(log) = reading.log() else { return self.misstated };
        let first = log.first_misstated;
        let first = first.map(|(time, number)| (time, FrameId::new(self.id, number)));
        Sightings { count: log.misstated, first }
    }

    /// Lets the file go, keeping what it had left to tell.
    fn finish(&mut self) {
        self.misstated = self.misstated();
        self.dropped = self.dropped();
        self.last_news = self.take_news().unwrap_or_default();
        self.state = State::Done;
        self.is_at_record = false;
    }

    fn open_input(&mut self) -> Result<(), Error> {
        // Until it is open there is nothing to go on with.
        if let State::Growing(octets) = std::mem::replace(&mut self.state, State::Done) {
            return self.open(octets);
        }
        let octets = match &self.input {
            Input::Stdin => Octets::of_reader(io::stdin()),
            Input::Path(path) => {
                let file = File::open(path).map_err(|error| Error::of_open(&self.name, error))?;
                self.calendar = calendar(last_written(&file), self.zone.as_ref());
                Octets::of_file(file).map_err(|error| Error::of_open(&self.name, error))?
            }
        };
        self.open(octets)
    }

    fn open(&mut self, octets: Octets) -> Result<(), Error> {
        self.state = State::Done;
        self.state = State::Open(self.recognise(octets)?);
        Ok(())
    }

    fn recognise(&self, octets: Octets) -> Result<Reading, Error> {
        let (mut octets, kind) = peel(octets).map_err(|error| self.place(0, Fault::Read(error)))?;
        match kind {
            Kind::Pcap => match Pcap::open(&mut octets) {
                Ok(pcap) => Ok(Reading::Pcap(octets, pcap)),
                Err(fault) => Err(self.place(0, fault)),
            },
            Kind::PcapNg => Ok(Reading::PcapNg(octets, Box::new(PcapNg::open()))),
            Kind::Snoop => match Snoop::open(&mut octets) {
                Ok(snoop) => Ok(Reading::Snoop(octets, snoop)),
                Err(fault) => Err(self.place(0, fault)),
            },
            Kind::NetMon => {
                let mut octets = octets
                    .gathered(GATHERED_MAX)
                    .map_err(|error| self.place(0, Fault::Read(error)))?;
                match NetMon::open(&mut octets, self.zone.as_ref()) {
                    Ok(netmon) => Ok(Reading::NetMon(octets, netmon)),
                    Err(fault) => Err(self.place(0, fault)),
                }
            }
            Kind::Text => {
                let log = Log::new(TextLog::new(octets, self.calendar));
                Ok(Reading::Log(Box::new(log)))
            }
            Kind::Gzip | Kind::Zstd | Kind::Lz4 | Kind::Unknown => {
                let name = self.name.clone();
                match octets.peek(1) {
                    Ok([]) => Err(Error::Empty { name }),
                    _ => Err(Error::NotCapture { name, looks: kind.words() }),
                }
            }
        }
    }

    #[cold]
    fn without_messages(&self, log: LogTally) -> Error {
        let looks = match log.dissections {
            0 => "text without a SIP message in it",
            _ => "the dissection tshark -V prints of one; name the capture it was made from",
        };
        Error::NotCapture { name: self.name.clone(), looks }
    }

    /// Gives a fault its place; all but a stranger end the file.
    #[cold]
    fn dress(&mut self, fault: Fault) -> Error {
        let offset = match &self.state {
            State::Open(reading) => reading.offset(),
            State::Closed | State::Growing(_) | State::Done => 0,
        };
        if let Fault::Stranger { interface } = fault {
            self.number += 1;
            return Error::Stranger {
                name: self.name.clone(),
                frame: self.number,
                offset,
                interface,
            };
        }
        self.finish();
        self.place(offset, fault)
    }

    fn place(&self, offset: u64, fault: Fault) -> Error {
        let name = self.name.clone();
        let frame = self.number + 1;
        match fault {
            Fault::Cut { missing } => Error::Cut { name, frame, offset, missing },
            Fault::Corrupt(what) => Error::Corrupt { name, frame, offset, what },
            Fault::Stranger { interface } => Error::Stranger { name, frame, offset, interface },
            Fault::Read(source) if source.kind() == io::ErrorKind::UnexpectedEof => {
                Error::Cut { name, frame, offset, missing: 1 }
            }
            Fault::Read(source) => Error::Read { name, frame, offset, source },
        }
    }
}

/// What a log leaves out of its times, by when it was last written and by the clocks there.
fn calendar(written: Timestamp, zone: Option<&Zone>) -> Calendar {
    Calendar::until(written, zone.map_or(0, |zone| zone(written)))
}

/// When the file was last written; the epoch when the system does not know.
pub(super) fn last_written(file: &File) -> Timestamp {
    let written = file.metadata().and_then(|about| about.modified()).ok();
    let since_epoch = written.and_then(|written| written.duration_since(UNIX_EPOCH).ok());
    Timestamp::new(since_epoch.map_or(0, |since| since.as_secs().cast_signed()), 0)
}

/// Unpacks what is compressed until something else comes to light.
fn peel(mut octets: Octets) -> io::Result<(Octets, Kind)> {
    for _ in 0..PEEL_MAX {
        let kind = kind_of(&mut octets)?;
        match unpack(kind) {
            Some(unpack) => octets = unpack(octets),
            None => return Ok((octets, kind)),
        }
    }
    let kind = kind_of(&mut octets)?;
    Ok((octets, kind))
}

/// The kind of an input; only what may be text is kept waiting for more than a few octets.
fn kind_of(octets: &mut Octets) -> io::Result<Kind> {
    match Kind::of(octets.peek(Kind::MAGIC)?) {
        Kind::Text | Kind::Unknown if octets.grows() => kind_of_growing(octets),
        Kind::Text | Kind::Unknown => Ok(Kind::of(octets.peek(Kind::ENOUGH)?)),
        kind => Ok(kind),
    }
}

/// The kind of a file of which no more may come than its first line.
fn kind_of_growing(octets: &mut Octets) -> io::Result<Kind> {
    for enough in Kind::MAGIC..Kind::ENOUGH {
        let kind = Kind::of(octets.peek(enough)?);
        if kind != Kind::Unknown {
            return Ok(kind);
        }
    }
    Ok(Kind::of(octets.peek(Kind::ENOUGH)?))
}
