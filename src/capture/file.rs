//! One capture file: opened, recognised, unpacked, and read record by record.

use std::fs::File;
use std::io;

use crate::capture::inflate::unpack;
use crate::capture::kind::Kind;
use crate::capture::octets::Octets;
use crate::capture::pcap::Pcap;
use crate::capture::pcapng::{News, PcapNg};
use crate::capture::{Error, Input, Secrets};
use crate::frame::{FileId, Frame, FrameId, LinkType};
use crate::time::Timestamp;

/// Compressions inside each other that are peeled; more can only be meant to exhaust the reader.
const PEEL_MAX: usize = 4;

/// Where one record lies and what its header says.
#[derive(Clone, Copy)]
pub(super) struct Record {
    pub(super) time: Timestamp,
    pub(super) link: LinkType,
    pub(super) interface: u32,
    pub(super) wire_len: u32,
    /// Place of the packet in the store of the octets.
    pub(super) start: usize,
    /// Octets of the packet.
    pub(super) length: usize,
}

/// Why a format reader gives no record; the file adds its name and place.
pub(super) enum Fault {
    Cut { missing: u64 },
    Corrupt(String),
    Stranger { interface: u32 },
    Read(io::Error),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

impl Fault {
    /// The fault of an input that ends before `whole` octets.
    #[cold]
    pub(super) fn cut(octets: &mut Octets, whole: usize) -> io::Result<Self> {
        let there = octets.peek(whole)?.len();
        Ok(Self::Cut { missing: whole.saturating_sub(there) as u64 })
    }
}

/// One file of a capture.
pub(super) struct CaptureFile {
    id: FileId,
    name: String,
    input: Input,
    state: State,
    /// Records read so far.
    number: u64,
    current: Option<Record>,
    /// What a file that is done had left to tell.
    last_news: News,
    /// Packets lost according to a file that is done.
    dropped: u64,
}

enum State {
    /// Not opened yet, or closed until its turn comes.
    Closed,
    Open {
        octets: Octets,
        format: Format,
    },
    /// Read to its end, or as far as it can be.
    Done,
}

enum Format {
    Pcap(Pcap),
    PcapNg(Box<PcapNg>),
}

impl CaptureFile {
    /// A file to be opened by the first `advance`.
    pub(super) fn new(id: FileId, name: String, input: Input) -> Self {
        Self {
            id,
            name,
            input,
            state: State::Closed,
            number: 0,
            current: None,
            last_news: News::default(),
            dropped: 0,
        }
    }

    /// A file whose octets are already at hand.
    pub(super) fn of_octets(id: FileId, name: String, octets: Octets) -> (Self, Result<(), Error>) {
        let mut file = Self::new(id, name, Input::Stdin);
        let opened = file.open(octets);
        (file, opened)
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
    #[inline]
    pub(super) fn advance(&mut self) -> Result<Option<Timestamp>, Error> {
        if matches!(self.state, State::Closed) {
            self.open_input()?;
        }
        let State::Open { octets, format } = &mut self.state else { return Ok(None) };
        let result = match format {
            Format::Pcap(pcap) => pcap.next(octets),
            Format::PcapNg(pcapng) => pcapng.next(octets),
        };
        match result {
            Ok(Some(record)) => {
                self.number += 1;
                self.current = Some(record);
                Ok(Some(record.time))
            }
            Ok(None) => {
                self.finish();
                Ok(None)
            }
            Err(fault) => Err(self.dress(fault)),
        }
    }

    /// The record that `advance` came to.
    #[inline]
    pub(super) fn frame(&self) -> Option<Frame<'_>> {
        let (State::Open { octets, .. }, Some(record)) = (&self.state, &self.current) else {
            return None;
        };
        Some(Frame {
            id: FrameId { number: self.number, file: self.id },
            time: record.time,
            link: record.link,
            interface: record.interface,
            wire_len: record.wire_len,
            bytes: octets.claimed(record.start, record.length),
            home: octets.home(),
        })
    }

    /// Closes a file that can be opened again, so that many files need few descriptors and windows.
    pub(super) fn rest(&mut self) {
        if matches!((&self.input, &self.state), (Input::Path(_), State::Open { .. })) {
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
        let State::Open { octets, format: Format::PcapNg(pcapng) } = &mut self.state else {
            return Vec::new();
        };
        match octets.fork() {
            Some(mut ahead) => pcapng.read_secrets_ahead(&mut ahead),
            None => Vec::new(),
        }
    }

    /// Secrets and names read since the last call, if any.
    #[inline]
    pub(super) fn take_news(&mut self) -> Option<News> {
        let news = match &mut self.state {
            State::Open { format: Format::PcapNg(pcapng), .. } => &mut pcapng.news,
            State::Open { format: Format::Pcap(_), .. } | State::Closed => return None,
            State::Done => &mut self.last_news,
        };
        (!news.is_empty()).then(|| std::mem::take(news))
    }

    /// Packets lost so far, as the file says.
    pub(super) fn dropped(&self) -> u64 {
        match &self.state {
            State::Open { format: Format::PcapNg(pcapng), .. } => pcapng.dropped(),
            State::Open { .. } | State::Closed | State::Done => self.dropped,
        }
    }

    /// Lets the file go, keeping what it had left to tell.
    fn finish(&mut self) {
        self.dropped = self.dropped();
        self.last_news = self.take_news().unwrap_or_default();
        self.state = State::Done;
        self.current = None;
    }

    fn open_input(&mut self) -> Result<(), Error> {
        // Until it is open there is nothing to go on with.
        self.state = State::Done;
        let octets = match &self.input {
            Input::Stdin => Octets::of_reader(io::stdin()),
            Input::Path(path) => File::open(path)
                .and_then(Octets::of_file)
                .map_err(|error| Error::of_open(&self.name, error))?,
        };
        self.open(octets)
    }

    fn open(&mut self, octets: Octets) -> Result<(), Error> {
        self.state = State::Done;
        let (octets, format) = self.recognise(octets)?;
        self.state = State::Open { octets, format };
        Ok(())
    }

    fn recognise(&self, octets: Octets) -> Result<(Octets, Format), Error> {
        let (mut octets, kind) = peel(octets).map_err(|error| self.place(0, Fault::Read(error)))?;
        let format = match kind {
            Kind::Pcap => {
                Format::Pcap(Pcap::open(&mut octets).map_err(|fault| self.place(0, fault))?)
            }
            Kind::PcapNg => Format::PcapNg(Box::new(PcapNg::open())),
            Kind::Gzip | Kind::Zstd | Kind::Lz4 | Kind::Text | Kind::Unknown => {
                let name = self.name.clone();
                let empty = octets.peek(1).is_ok_and(|head| head.is_empty());
                return Err(match empty {
                    true => Error::Empty { name },
                    false => Error::NotCapture { name, looks: kind.words() },
                });
            }
        };
        Ok((octets, format))
    }

    /// Gives a fault its place; all but a stranger end the file.
    #[cold]
    fn dress(&mut self, fault: Fault) -> Error {
        let offset = match &self.state {
            State::Open { format: Format::PcapNg(pcapng), .. } => pcapng.offset(),
            State::Open { octets, .. } => octets.offset(),
            State::Closed | State::Done => 0,
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

/// Unpacks what is compressed until something else comes to light.
fn peel(mut octets: Octets) -> io::Result<(Octets, Kind)> {
    for _ in 0..PEEL_MAX {
        let kind = Kind::of(octets.peek(Kind::ENOUGH)?);
        match unpack(kind) {
            Some(unpack) => octets = unpack(octets),
            None => return Ok((octets, kind)),
        }
    }
    let kind = Kind::of(octets.peek(Kind::ENOUGH)?);
    Ok((octets, kind))
}
