//! Where packets of HEP become frames, and what is left out is counted.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::super::clock::{Clock, Steady};
use super::super::queue::{Closed, Head, Missed, News, Offer, Sender};
use super::envelope;
use super::senders::{Origin, Senders, Standing};
use crate::time::Timestamp;

/// How often is told what was left out.
const TELL: i64 = 250_000_000;
/// How long to wait for room in the queue, all in all, until what came over UDP has been read: who
/// waits longer lets the kernel drop packets of those who sent little.
const PATIENCE: Duration = Duration::from_millis(50);
/// Senders that are named when they send too much.
const NAMED: usize = 16;

/// Where packets come in.
pub(super) struct Intake {
    sender: Sender,
    interface: u32,
    origin: Origin,
    senders: Senders,
    /// How long it may still wait for room before what came was read.
    patience: Duration,
    /// Times go on when the clock is set: they are those of `steady` since `began`.
    steady: Steady,
    began: Timestamp,
    clock: Clock,
    /// When was looked at it last.
    looked: Timestamp,
    left_out: LeftOut,
    /// When somebody was told last.
    told: Timestamp,
    frame: Vec<u8>,
    named: usize,
}

/// What was left out and nobody was told of.
#[derive(Default)]
struct LeftOut {
    /// Since when what is missing may be missed: packets of somebody who had been heard before.
    since: Option<Timestamp>,
    /// Datagrams the kernel had no room for.
    by_kernel: u64,
    too_fast: u64,
    too_many: u64,
    malformed: u64,
    too_long: u64,
    refused: u64,
}

/// Why a packet is left out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Excess {
    /// There is no room, and its sender has more there than is left.
    Room,
    /// Its sender sends more than one may.
    Rate,
}

impl Intake {
    pub(super) fn of_datagrams(sender: Sender, interface: u32, rate: u32) -> Self {
        Self::new(sender, interface, rate, Origin::Claimed)
    }

    pub(super) fn of_connections(sender: Sender, interface: u32, rate: u32) -> Self {
        Self::new(sender, interface, rate, Origin::Proven)
    }

    #[allow(clippy::disallowed_methods)] // Packets come in the user's time.
    fn new(sender: Sender, interface: u32, rate: u32, origin: Origin) -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let began = Timestamp(since_epoch.as_nanos() as i64);
        Self {
            sender,
            interface,
            origin,
            senders: Senders::new(origin, rate, Instant::now()),
            patience: PATIENCE,
            steady: Steady::new(),
            began,
            clock: Clock::default(),
            looked: began,
            left_out: LeftOut::default(),
            told: Timestamp(i64::MIN),
            frame: Vec::new(),
            named: 0,
        }
    }

    /// Takes a packet in.
    #[allow(clippy::disallowed_methods)] // Rates are of the user's time.
    pub(super) fn take(
        &mut self,
        from: SocketAddr,
        to: SocketAddr,
        packet: &[u8],
    ) -> Result<(), Closed> {
        if envelope::MOST < packet.len() {
            self.left_out.too_long += 1;
            return Ok(());
        }
        if !envelope::is_hep(packet) {
            self.malformed();
            return Ok(());
        }
        let now = Instant::now();
        let time = self.now();
        let Self { senders, sender, frame, patience, origin, interface, .. } = self;
        let ip = from.ip().to_canonical();
        let mut party = senders.hear(ip, now);
        let mut excess = Some(Excess::Rate);
        if !party.is_too_fast {
            envelope::write(frame, from, to, packet);
            let (interface, wire_len) = (*interface, frame.len() as u32);
            let head = Head { time, link: envelope::LINK, interface, wire_len };
            // Who is connected waits for us.
            let mut endless = Duration::MAX;
            let patience = if *origin == Origin::Proven { &mut endless } else { patience };
            match sender.offer((head, frame), patience, &mut |fill| party.fits(fill))? {
                Offer::Taken(octets) => {
                    party.add(octets);
                    excess = None;
                }
                Offer::Refused => excess = Some(Excess::Room),
            }
        }
        let Some(excess) = excess else { return Ok(()) };
        let (standing, is_news) = (party.standing, party.is_news());
        let is_known = standing == Standing::Known;
        if is_known {
            self.left_out.since.get_or_insert(time);
        }
        let (count, who, what) = match excess {
            Excess::Room => {
                let what = if is_known {
                    "more than can be read in time"
                } else {
                    "more from senders not heard before than can be read in time"
                };
                (&mut self.left_out.too_many, is_known.then_some(ip), what)
            }
            Excess::Rate => {
                let what = "more packets a second than --hep-rate allows";
                (&mut self.left_out.too_fast, (standing != Standing::Stranger).then_some(ip), what)
            }
        };
        *count += 1;
        if is_news { self.name(who, what) } else { Ok(()) }
    }

    /// Something came that is no HEP.
    pub(super) fn malformed(&mut self) {
        self.left_out.malformed += 1;
    }

    /// A connection had to go, or was not taken.
    pub(super) fn refused(&mut self) {
        self.left_out.refused += 1;
    }

    /// All that came has been read: it may wait again.
    pub(super) fn rest(&mut self) {
        self.patience = PATIENCE;
    }

    /// Whether no more is wanted.
    pub(super) fn is_over(&self) -> bool {
        self.sender.stopped().is_some()
    }

    /// Names a sender of too much.
    fn name(&mut self, who: Option<IpAddr>, what: &str) -> Result<(), Closed> {
        self.named += 1;
        if NAMED < self.named || !self.sender.has_room() {
            return Ok(());
        }
        let who = who.map_or_else(|| "HEP".to_owned(), |ip| format!("HEP from {ip}"));
        let note = format!("{who}: {what}; what is beyond is left out and counted");
        self.sender.tell(News::Note(note))
    }

    /// The time, as times go on.
    fn now(&self) -> Timestamp {
        self.began.plus(self.steady.now())
    }

    /// Looks at the clocks before what came next: whether one was set, whether the machine slept, and
    /// when that was. Of what the kernel had no room for it counted `dropped` since the last time.
    #[allow(clippy::disallowed_methods)] // The clock is what is watched.
    pub(super) fn look(&mut self, dropped: u32) -> Result<(), Closed> {
        let steady = self.steady.now();
        let of_day = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        if let Some(set) = self.clock.look(of_day.as_nanos() as i64, steady) {
            self.sender.tell(News::Machine(set))?;
        }
        let until = self.began.plus(steady);
        let from = std::mem::replace(&mut self.looked, until);
        if let Some(slept) = self.steady.take_sleep() {
            self.sender.tell(News::Gap { from, until, missed: Missed::All })?;
            self.sender.tell(News::Machine(slept))?;
        }
        if 0 < dropped {
            self.left_out.by_kernel += u64::from(dropped);
            self.left_out.since.get_or_insert(from);
        }
        // Once too many come, some are dropped before each that is taken, and whoever hears of it
        // has much to look at.
        if until.since(self.told) < TELL || !self.sender.has_room() {
            return Ok(());
        }
        self.tell()
    }

    /// Tells what was left out.
    pub(super) fn tell(&mut self) -> Result<(), Closed> {
        self.told = self.looked;
        let left_out = std::mem::take(&mut self.left_out);
        if let Some(from) = left_out.since {
            let until = self.looked.max(from);
            self.sender.tell(News::Gap { from, until, missed: Missed::Some })?;
        }
        let (interface, by_kernel) = (self.interface, left_out.by_kernel);
        if 0 < by_kernel {
            self.sender.tell(News::Dropped { interface, by_kernel, by_interface: 0 })?;
        }
        for (reason, count) in
            [("hep-rate", left_out.too_fast), ("hep-overload", left_out.too_many)]
        {
            if 0 < count {
                self.sender.tell(News::LeftOut(reason, count))?;
            }
        }
        for (reason, count) in [
            ("hep-malformed", left_out.malformed),
            ("too-long", left_out.too_long),
            ("hep-connections", left_out.refused),
        ] {
            if 0 < count {
                self.sender.tell(News::Lost(reason, count))?;
            }
        }
        Ok(())
    }

    /// Tells what keeps it from going on.
    pub(super) fn trouble(&self, news: News) -> Result<(), Closed> {
        self.sender.tell(news)
    }
}
