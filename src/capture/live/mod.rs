//! Frames as they happen: captured by threads of their own, handed to the reader through a bounded
//! queue.

mod clock;
#[cfg(libpcap)]
mod device;
#[cfg(not(libpcap))]
#[path = "device/absent.rs"]
mod device;
#[cfg(unix)]
mod hep;
mod order;
pub mod queue;

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

pub use clock::Found;
use clock::Said;
pub use device::{Device, interfaces};
#[cfg(unix)]
pub use hep::{HEP_RATE, HepAddress, HepListener};
pub use order::HOLD;
use order::Order;
use queue::{Batch, Head, Item, Missed, News, Receiver, Sender, Taken};

use crate::capture::{Error, Secrets, Source};
use crate::frame::{FileId, Frame, FrameId, LinkType, Sightings};
use crate::time::Timestamp;

/// How long [`Live::next`] waits for a frame before it says that none came.
const PATIENCE: Duration = Duration::from_millis(100);
/// How long to wait for what was captured before the end was wanted.
const LAST: Duration = Duration::from_millis(500);

/// Link type of `any`, whose header numbers the interface, and where it does
/// (`LINKTYPE_LINUX_SLL2`).
const LINUX_SLL2: LinkType = LinkType(276);
const SLL2_INDEX: std::ops::Range<usize> = 4..8;
/// Stretches of time not watched that are remembered; of more, the latest.
const GAPS: usize = 64;

/// An interface packets may be captured from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name: `eth0`.
    pub name: String,
    /// What the system says of it.
    pub description: Option<String>,
    /// Its addresses.
    pub addresses: Vec<std::net::IpAddr>,
    /// Whether it is up.
    pub up: bool,
}

/// How an interface is opened.
#[derive(Clone, Debug, Default)]
pub struct Tuning {
    /// Packets handed out, in the language of tcpdump.
    pub filter: Option<String>,
    /// Octets kept of a packet.
    pub snap_length: u32,
    /// Octets of the kernel's buffer.
    pub buffer: u32,
    /// Each packet at once, not in blocks.
    pub immediate: bool,
    /// Packets for others too.
    pub promiscuous: bool,
}

/// Octets of frames that may be held on their way.
#[derive(Clone, Copy, Debug)]
pub struct Shares {
    /// What waits for the reader; as much is being read.
    pub queue: usize,
    /// What waits to be put in order, where several capture.
    pub order: usize,
}

/// Something that captures until nobody listens any more or nothing is left.
pub type Captor = Box<dyn FnOnce(Sender) + Send>;

/// Frames of all that captures, in the order in which they were captured.
pub struct Live {
    receiver: Receiver,
    /// How many threads capture, each with an order of its own.
    captors: usize,
    batch: Batch,
    /// The next item of the batch.
    at: usize,
    /// Where the octets of the next frame begin.
    start: usize,
    /// Puts the frames of several threads in order.
    order: Order,
    lent: Option<Lent>,
    interfaces: Vec<String>,
    /// What the system calls its interfaces, by its numbers for them.
    devices: BTreeMap<u32, String>,
    number: u64,
    dropped: BTreeMap<u32, (u64, u64)>,
    left_out: u64,
    losses: Vec<(&'static str, u64)>,
    misstated: Sightings,
    secrets: Vec<Secrets>,
    notes: Vec<String>,
    /// What was said of the clocks of this machine.
    said: Said,
    /// Stretches in which not all was seen, that were not fetched yet.
    gaps: Vec<(Timestamp, Timestamp)>,
    /// Those in which nothing was seen, joined.
    unwatched: Vec<(Timestamp, Timestamp)>,
    /// A gap is to be told before what comes after it.
    has_gap: bool,
    over: bool,
    /// Since when no more is wanted.
    stopped: Option<Instant>,
}

/// The frame that was handed out last.
enum Lent {
    /// Octets of the batch.
    Batch(Head, usize, usize),
    /// Octets that had to wait for others.
    Own(Head, Vec<u8>),
}

impl Live {
    /// Starts a thread for each of `captors`; `interfaces` are the names their frames go by.
    ///
    /// # Errors
    /// When the system allows no more threads.
    pub fn start(
        captors: Vec<Captor>,
        interfaces: Vec<String>,
        shares: Shares,
    ) -> std::io::Result<Self> {
        let (sender, receiver) = queue::queue(shares.queue);
        let count = captors.len();
        let dropped = (0..interfaces.len() as u32).map(|number| (number, (0, 0))).collect();
        for captor in captors {
            let sender = sender.clone();
            // Nobody waits for it: it ends when nobody listens any more.
            thread::Builder::new().name("capture".to_owned()).spawn(move || captor(sender))?;
        }
        Ok(Self {
            receiver,
            captors: count,
            batch: Batch::of(shares.queue),
            at: 0,
            start: 0,
            order: Order::new(shares.order),
            lent: None,
            interfaces,
            devices: BTreeMap::new(),
            number: 0,
            dropped,
            left_out: 0,
            losses: Vec::new(),
            misstated: Sightings::default(),
            secrets: Vec::new(),
            notes: Vec::new(),
            said: Said::default(),
            gaps: Vec::new(),
            unwatched: Vec::new(),
            has_gap: false,
            over: false,
            stopped: None,
        })
    }

    /// The same with the names that the system has for its interfaces, which `any` only numbers.
    /// Without them no frame says where it was captured: those of a pipe number their own.
    #[must_use]
    pub fn knowing(self, devices: BTreeMap<u32, String>) -> Self {
        Self { devices, ..self }
    }

    /// Packets lost so far by each interface: by the kernel, and by the interface itself.
    pub fn drops(&self) -> impl Iterator<Item = (&str, (u64, u64))> {
        self.dropped.iter().map(|(at, counts)| (self.name(*at), *counts))
    }

    /// Packets that interface `number` lost so far.
    pub fn lost_by(&self, number: u32) -> u64 {
        self.dropped.get(&number).map_or(0, |(kernel, interface)| kernel + interface)
    }

    /// Octets that wait to be read.
    pub fn waiting(&self) -> usize {
        self.receiver.waiting()
    }

    /// True when all that was handed over so far has been read.
    pub fn is_drained(&self) -> bool {
        self.at == self.batch.items.len()
    }

    /// The name of an interface of the run.
    pub fn name(&self, interface: u32) -> &str {
        self.interfaces.get(interface as usize).map_or("", String::as_str)
    }

    /// What the frame handed out last was captured on, where there is a choice.
    fn origin(&self) -> Option<&str> {
        if self.devices.is_empty() {
            return None;
        }
        let (head, octets) = match self.lent.as_ref()? {
            Lent::Batch(head, start, end) => (head, self.batch.octets.get(*start..*end)?),
            Lent::Own(head, octets) => (head, octets.as_slice()),
        };
        if head.link == LINUX_SLL2 {
            let index = octets.get(SLL2_INDEX).and_then(|octets| octets.try_into().ok());
            return self.devices.get(&index.map(u32::from_be_bytes)?).map(String::as_str);
        }
        (1 < self.interfaces.len()).then(|| self.name(head.interface))
    }

    /// Goes on in what was handed over, until there is a frame to hand out or an error to tell.
    fn step(&mut self) -> Result<Option<Lent>, Error> {
        self.has_gap = false;
        loop {
            // Who goes on capturing is not waited for any longer.
            self.over |= self.has_waited();
            if let Some((head, octets)) = self.order.ripe(self.over) {
                return Ok(Some(Lent::Own(head, octets)));
            }
            while let Some(item) = self.batch.items.get_mut(self.at) {
                self.at += 1;
                match item {
                    Item::Frame(head, end) => {
                        let (head, start, end) = (*head, self.start, *end);
                        self.start = end;
                        if self.captors <= 1 {
                            return Ok(Some(Lent::Batch(head, start, end)));
                        }
                        let octets = self.batch.octets.get(start..end).unwrap_or_default();
                        self.order.add(head, octets);
                    }
                    Item::News(news) => {
                        let placeholder = News::Lost("", 0);
                        let news = std::mem::replace(&mut **news, placeholder);
                        self.hear(news)?;
                        // Whoever judges silence has to know before time goes on.
                        if self.has_gap {
                            return Ok(None);
                        }
                    }
                }
            }
            self.batch.clear();
            (self.at, self.start) = (0, 0);
            if self.over {
                // What waits in `order` is ripe by now.
                return Ok(None);
            }
            match self.receiver.take(&mut self.batch, self.order.patience(PATIENCE)) {
                Taken::Some => {}
                Taken::Nothing if self.order.has_ripe() => {}
                Taken::Nothing if !self.has_waited() => return Ok(None),
                // A pipe may never say that it has ended.
                Taken::Nothing | Taken::Over => {
                    self.over = true;
                    if self.order.is_empty() {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Whether an end that is wanted was waited for long enough.
    fn has_waited(&self) -> bool {
        self.stopped.is_some_and(|stopped| LAST <= stopped.elapsed())
    }

    fn hear(&mut self, news: News) -> Result<(), Error> {
        match news {
            News::Dropped { interface, by_kernel, by_interface } => {
                let all = self.dropped.entry(interface).or_default();
                all.0 += by_kernel;
                all.1 += by_interface;
            }
            News::Gap { from, until, missed } => {
                self.has_gap = true;
                self.gaps.push((from, until));
                if missed == Missed::All {
                    self.note_unwatched(from, until);
                }
            }
            News::Machine(found) => self.notes.extend(self.said.hear(found)),
            News::Lost(reason, count) => self.losses.push((reason, count)),
            News::LeftOut(reason, count) => {
                self.left_out += count;
                self.losses.push((reason, count));
            }
            News::Misstated(misstated) => self.misstated = misstated,
            News::Secrets(secrets) => self.secrets.push(secrets),
            News::Note(note) => self.notes.push(note),
            News::Trouble(error) => return Err(error),
        }
        Ok(())
    }
}

impl Live {
    /// Stretches in which not all was seen, since the last call. They are told before the first
    /// frame after them.
    pub fn take_gaps(&mut self) -> Vec<(Timestamp, Timestamp)> {
        std::mem::take(&mut self.gaps)
    }

    /// Stretches that overlap are one: several interfaces may be away at once.
    fn note_unwatched(&mut self, from: Timestamp, until: Timestamp) {
        let mut all = (from, until);
        self.unwatched.retain(|&(begin, end)| {
            let is_apart = until < begin || end < from;
            if !is_apart {
                all = (all.0.min(begin), all.1.max(end));
            }
            is_apart
        });
        self.unwatched.push(all);
        if GAPS < self.unwatched.len() {
            self.unwatched.remove(0);
        }
    }
}

impl Source for Live {
    fn next(&mut self) -> Result<Option<Frame<'_>>, Error> {
        self.lent = self.step()?;
        let Some(lent) = &self.lent else { return Ok(None) };
        self.number += 1;
        let (head, bytes) = match lent {
            Lent::Batch(head, start, end) => {
                (head, self.batch.octets.get(*start..*end).unwrap_or_default())
            }
            Lent::Own(head, octets) => (head, octets.as_slice()),
        };
        Ok(Some(Frame {
            id: FrameId::new(FileId(0), self.number),
            time: head.time,
            link: head.link,
            interface: head.interface,
            wire_len: head.wire_len,
            bytes,
            home: None,
        }))
    }

    fn is_over(&self) -> bool {
        self.over && !self.has_gap
    }

    fn interface(&self, frame: FrameId) -> &str {
        self.origin().filter(|_| frame.number() == self.number).unwrap_or_default()
    }

    #[allow(clippy::disallowed_methods)] // Patience is of the user's time.
    fn stop(&mut self) -> bool {
        if self.stopped.is_none() {
            self.stopped = Some(Instant::now());
            self.receiver.stop();
        }
        !self.over
    }

    fn take_secrets(&mut self) -> Vec<Secrets> {
        std::mem::take(&mut self.secrets)
    }

    fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    fn take_losses(&mut self) -> Vec<(&'static str, u64)> {
        std::mem::take(&mut self.losses)
    }

    fn dropped(&self) -> u64 {
        self.dropped.values().map(|(kernel, interface)| kernel + interface).sum()
    }

    fn clock_set_by(&self) -> i64 {
        self.said.set_by()
    }

    fn left_out(&self) -> u64 {
        self.left_out
    }

    fn misstated(&self) -> Sightings {
        self.misstated
    }

    fn unwatched(&self) -> &[(Timestamp, Timestamp)] {
        &self.unwatched
    }
}

/// Captures what `source` hands out, as it comes: a pipe, a file that grows. Its interfaces are
/// numbered from `first`; as nobody knows how many they are, none may come after them.
pub fn of_source(mut source: impl Source + Send + 'static, first: u32) -> Captor {
    Box::new(move |sender| {
        let mut told = Told { first, dropped: 0, misstated: Sightings::default() };
        loop {
            if sender.stopped().is_some() {
                break;
            }
            let sent = match source.next() {
                Ok(Some(frame)) => {
                    let sent = sender.push(head_of(&frame, first), frame.bytes);
                    sender.flush();
                    sent
                }
                Ok(None) => {
                    if source.is_over() {
                        break;
                    }
                    Ok(())
                }
                Err(error) => sender.tell(News::Trouble(error)),
            };
            if sent.and_then(|()| told.pass_on(&mut source, &sender)).is_err() {
                return;
            }
        }
        // Who does not listen any more misses nothing.
        let _ = told.pass_on(&mut source, &sender);
    })
}

fn head_of(frame: &Frame<'_>, first: u32) -> Head {
    let Frame { time, link, interface, wire_len, .. } = *frame;
    Head { time, link, interface: first.saturating_add(interface), wire_len }
}

/// What a source said so far beside frames.
struct Told {
    /// The number of its first interface.
    first: u32,
    dropped: u64,
    misstated: Sightings,
}

impl Told {
    /// Hands over what `source` has to say beside frames.
    fn pass_on(&mut self, source: &mut impl Source, sender: &Sender) -> Result<(), queue::Closed> {
        let before = std::mem::replace(&mut self.dropped, source.dropped());
        if before < self.dropped {
            let (interface, by_kernel) = (self.first, self.dropped - before);
            sender.tell(News::Dropped { interface, by_kernel, by_interface: 0 })?;
        }
        let misstated = source.misstated();
        if std::mem::replace(&mut self.misstated, misstated) != misstated {
            sender.tell(News::Misstated(misstated))?;
        }
        for (reason, count) in source.take_losses() {
            sender.tell(News::Lost(reason, count))?;
        }
        for secrets in source.take_secrets() {
            sender.tell(News::Secrets(secrets))?;
        }
        for note in source.take_notes() {
            sender.tell(News::Note(note))?;
        }
        Ok(())
    }
}
