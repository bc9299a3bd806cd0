//! An interface of this machine, through libpcap.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pcap::{Active, Capture, Linktype, Precision, Stat};

use super::clock::{Clock, Steady};
use super::queue::{Closed, Head, Missed, News, Sender};
use super::{Captor, Interface, Tuning};
use crate::capture::{Error, Filter};
use crate::frame::LinkType;
use crate::time::Timestamp;

/// How long the kernel waits before it hands over a block that is not full, milliseconds.
const BLOCK: i32 = 100;
/// How long a block may take that holds what came before the end.
const LAST_BLOCK: Duration = Duration::from_millis(250);
/// Packets read before counters and clocks are looked at again: a wire that is faster than we are
/// would never let us.
const AT_ONCE: usize = 1_024;
/// How often the counters of lost packets are read: what is lost must be known before somebody is
/// told to be silent.
const COUNT: Duration = Duration::from_millis(250);
/// How long to wait for packets before looking at the interface again, milliseconds.
#[cfg(target_os = "linux")]
const LOOK: u16 = 250;
/// How long to wait for an interface that is down.
const DOWN: Duration = Duration::from_millis(250);
/// How long an interface that is down stays so at least, nanoseconds: it is looked at again before,
/// and nobody is to be missed meanwhile.
const STILL_DOWN: i64 = 1_000_000_000;
/// How long to wait between two looks for what the kernel still holds of an interface that is gone.
const PAUSE: Duration = Duration::from_millis(10);
/// Linux cooked v2, whose header names the interface: what `any` is asked for.
const LINUX_SLL2: Linktype = Linktype(276);

/// An interface that is open.
pub struct Device {
    capture: Capture<Active>,
    name: String,
    link: LinkType,
    notes: Vec<String>,
}

impl Device {
    /// Opens the interface `name`; nothing is read before its [captor](Self::captor) runs.
    ///
    /// # Errors
    /// When there is none of that name, when this user may not, when the filter is none.
    pub fn open(name: &str, tuning: &Tuning) -> Result<Self, Error> {
        let error = |error: pcap::Error| trouble(name, &error);
        let wanted = Capture::from_device(name).map_err(error)?;
        let wanted = wanted
            .promisc(tuning.promiscuous)
            .snaplen(i32::try_from(tuning.snap_length).unwrap_or(i32::MAX))
            .buffer_size(i32::try_from(tuning.buffer).unwrap_or(i32::MAX))
            .immediate_mode(tuning.immediate)
            .precision(Precision::Nano)
            .timeout(BLOCK);
        let mut capture = wanted.open().map_err(error)?;
        if name == "any" {
            // An old libpcap has the first version only, which serves as well.
            let _ = capture.set_datalink(LINUX_SLL2);
        }
        // On Linux libpcap waits for a packet for as long as it takes, whatever the timeout.
        #[cfg(target_os = "linux")]
        let mut capture = capture.setnonblock().map_err(error)?;
        let link = LinkType(u16::try_from(capture.get_datalink().0).unwrap_or_default());
        let mut notes = Vec::new();
        if let Some(expression) = &tuning.filter {
            set_filter(&mut capture, link, expression, &mut notes)?;
        }
        Ok(Self { capture, name: name.to_owned(), link: registered(link), notes })
    }

    /// Sentences for the user about how it was opened.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What captures from it, under the number `interface`.
    pub fn captor(self, interface: u32) -> Captor {
        Box::new(move |sender| Watch::new(self, interface).run(&sender))
    }
}

/// All interfaces of this machine.
///
/// # Errors
/// When the system does not tell.
pub fn interfaces() -> Result<Vec<Interface>, Error> {
    let devices = pcap::Device::list().map_err(|error| trouble("interfaces", &error))?;
    let interface = |device: pcap::Device| Interface {
        up: device.flags.is_up(),
        addresses: device.addresses.iter().map(|address| address.addr).collect(),
        name: device.name,
        description: device.desc,
    };
    Ok(devices.into_iter().map(interface).collect())
}

fn set_filter(
    capture: &mut Capture<Active>,
    link: LinkType,
    expression: &str,
    notes: &mut Vec<String>,
) -> Result<(), Error> {
    let filter = Filter::new(expression)?;
    for (program, note) in filter.programs(link) {
        if capture.filter(&program, true).is_ok() {
            notes.extend(note);
            return Ok(());
        }
    }
    // The words of the error are about what the user wrote.
    capture.filter(expression, true).map_err(|error| Filter::refused(expression, error).into())
}

/// The number files have for a link type that libpcap numbers otherwise inside.
fn registered(link: LinkType) -> LinkType {
    match link.0 {
        // DLT_RAW; the number differs by system (bpf.h).
        12 | 14 => LinkType(101),
        _ => link,
    }
}

fn trouble(name: &str, error: &pcap::Error) -> Error {
    let name = name.to_owned();
    let what = match error {
        pcap::Error::PcapError(what) => what.clone(),
        other => other.to_string(),
    };
    let has = |word: &str| what.to_ascii_lowercase().contains(word);
    if has("permission") || has("operation not permitted") {
        Error::NoRights { name }
    } else if has("no such device") {
        Error::NoDevice { name }
    } else {
        Error::Device { name, what }
    }
}

/// Whether an interface takes part in the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Up,
    Down,
}

/// Waits for packets, and for no longer than it may take to look at the interface again.
#[cfg(target_os = "linux")]
fn wait(capture: &Capture<Active>) {
    use std::os::fd::AsFd as _;

    use nix::poll::{PollFd, PollFlags, poll};

    let mut sockets = [PollFd::new(capture.as_fd(), PollFlags::POLLIN)];
    // What went wrong with it, reading from it will tell.
    let _ = poll(&mut sockets, LOOK);
}

/// Elsewhere reading waits, as long as a block does.
#[cfg(not(target_os = "linux"))]
fn wait(_: &Capture<Active>) {}

/// What the system tells of the interface `name`; `None` when it does not: `any` is no interface,
/// and not all systems are Linux.
fn state(name: &str) -> Option<State> {
    let flags = std::fs::read_to_string(format!("/sys/class/net/{name}/flags")).ok()?;
    let flags = u32::from_str_radix(flags.trim().strip_prefix("0x")?, 16).ok()?;
    // IFF_UP (netdevice(7)).
    Some(if flags & 1 == 1 { State::Up } else { State::Down })
}

/// A device while it captures.
struct Watch {
    device: Device,
    interface: u32,
    clock: Clock,
    steady: Steady,
    /// When the clocks were looked at last, as times go on.
    looked: Timestamp,
    counted: Instant,
    /// The time then, as times go on.
    counted_at: Timestamp,
    stat: Stat,
    state: State,
    /// When it was up last, as far as is known.
    up_at: Timestamp,
    /// When the last packet was captured, by the clock of the day.
    latest: i64,
}

impl Watch {
    #[allow(clippy::disallowed_methods)] // The clock is what is watched.
    fn new(device: Device, interface: u32) -> Self {
        let now = Instant::now();
        let stat = Stat { received: 0, dropped: 0, if_dropped: 0 };
        Self {
            device,
            interface,
            clock: Clock::default(),
            steady: Steady::new(),
            looked: Timestamp(i64::MAX),
            counted: now,
            counted_at: Timestamp(i64::MAX),
            stat,
            state: State::Up,
            up_at: Timestamp(i64::MAX),
            latest: 0,
        }
    }

    /// Captures until nobody listens any more, or the interface is gone.
    fn run(mut self, sender: &Sender) {
        while self.step(sender).is_ok() {}
        let _ = self.count(sender);
    }

    fn step(&mut self, sender: &Sender) -> Result<(), Closed> {
        wait(&self.device.capture);
        let steady = self.look_at_clock(sender)?;
        let read = self.read(steady, sender)?;
        if sender.stopped().is_some_and(|stopped| self.has_all_until(stopped)) {
            return Err(Closed);
        }
        match read {
            Ok(0) | Err(pcap::Error::TimeoutExpired) => {}
            Ok(_) => self.is_now(State::Up, sender)?,
            Err(error) => self.failed(&error, sender)?,
        }
        if COUNT <= self.counted.elapsed() {
            self.count(sender)?;
            // libpcap 1.10.2 and later wait for an interface that is down, and say nothing.
            if let Some(state) = state(&self.device.name) {
                self.is_now(state, sender)?;
            }
        }
        Ok(())
    }

    /// Hands over what the kernel has by now; how many packets, or why there are none.
    fn read(&mut self, steady: i64, sender: &Sender) -> Result<Result<usize, pcap::Error>, Closed> {
        let Self { device, interface, clock, latest, .. } = self;
        let (interface, link) = (*interface, device.link);
        let mut told = Ok(());
        let read = device.capture.dispatch(Some(AT_ONCE), |packet| {
            let head = packet.header;
            // Asked for nanoseconds, libpcap puts them where microseconds were.
            #[allow(clippy::useless_conversion)] // Not where these are 32 bits wide.
            let stamped = i64::from(head.ts.tv_sec) * 1_000_000_000 + i64::from(head.ts.tv_usec);
            *latest = stamped;
            let time = Timestamp(clock.time(stamped, steady));
            let head = Head { time, link, interface, wire_len: head.len };
            if told.is_ok() {
                told = sender.push(head, packet.data);
            }
        });
        sender.flush();
        told.map(|()| read)
    }

    /// Tells when the interface went down or came up, and while it is down that nobody can be heard.
    fn is_now(&mut self, state: State, sender: &Sender) -> Result<(), Closed> {
        let before = std::mem::replace(&mut self.state, state);
        let from = self.up_at.min(self.looked);
        let what = match (before, state) {
            (State::Up, State::Up) => {
                self.up_at = self.looked;
                return Ok(());
            }
            (_, State::Down) => {
                let until = self.looked.plus(STILL_DOWN);
                sender.tell(News::Gap { from, until, missed: Missed::All })?;
                "went down; waiting for it to come up again"
            }
            (State::Down, State::Up) => {
                self.up_at = self.looked;
                sender.tell(News::Gap { from, until: self.looked, missed: Missed::All })?;
                "up again"
            }
        };
        if before == state {
            return Ok(());
        }
        sender.tell(News::Note(format!("{}: {what}", self.device.name)))
    }

    /// Whether what was captured until `stopped` has been handed over.
    fn has_all_until(&self, stopped: SystemTime) -> bool {
        let since_epoch = stopped.duration_since(UNIX_EPOCH).unwrap_or_default();
        let is_late = since_epoch.as_nanos() as i64 <= self.latest;
        is_late || stopped.elapsed().is_ok_and(|passed| LAST_BLOCK <= passed)
    }

    /// The system refused: the interface went down, which may pass, or is gone.
    fn failed(&mut self, error: &pcap::Error, sender: &Sender) -> Result<(), Closed> {
        if error.to_string().contains("went down") {
            self.is_now(State::Down, sender)?;
            std::thread::sleep(DOWN);
            return Ok(());
        }
        self.drain(sender)?;
        sender.tell(News::Note(format!(
            "{}: packets of its last moment may be missing, and are not counted",
            self.device.name
        )))?;
        sender.tell(News::Trouble(trouble(&self.device.name, error)))?;
        Err(Closed)
    }

    /// Reads what the kernel holds of an interface that is gone: it hands over a block that is not
    /// full after a while.
    #[allow(clippy::disallowed_methods)] // The kernel takes of the user's time.
    fn drain(&mut self, sender: &Sender) -> Result<(), Closed> {
        let gone = Instant::now();
        loop {
            let is_last = LAST_BLOCK <= gone.elapsed();
            let steady = self.look_at_clock(sender)?;
            // It was told already that the interface is gone.
            let read = self.read(steady, sender)?.unwrap_or_default();
            if read == 0 && is_last {
                return Ok(());
            }
            if read == 0 {
                std::thread::sleep(PAUSE);
            }
        }
    }

    /// Tells what was lost since the last time.
    #[allow(clippy::disallowed_methods)] // The counters are read in the user's time.
    fn count(&mut self, sender: &Sender) -> Result<(), Closed> {
        self.counted = Instant::now();
        let from = std::mem::replace(&mut self.counted_at, self.looked).min(self.looked);
        let Ok(stat) = self.device.capture.stats() else { return Ok(()) };
        let since = std::mem::replace(&mut self.stat, stat);
        // The counters of libpcap wrap at 32 bits.
        let by_kernel = stat.dropped.wrapping_sub(since.dropped).into();
        let by_interface = stat.if_dropped.wrapping_sub(since.if_dropped).into();
        if (by_kernel, by_interface) == (0, 0) {
            return Ok(());
        }
        sender.tell(News::Gap { from, until: self.looked, missed: Missed::Some })?;
        sender.tell(News::Dropped { interface: self.interface, by_kernel, by_interface })
    }

    /// Looks at the clocks; what the steady one shows now, nanoseconds.
    #[allow(clippy::disallowed_methods)] // The clock is what is watched.
    fn look_at_clock(&mut self, sender: &Sender) -> Result<i64, Closed> {
        let of_day = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let steady = self.steady.now();
        let set = self.clock.look(of_day.as_nanos() as i64, steady);
        let now = Timestamp(self.clock.now(steady));
        let before = std::mem::replace(&mut self.looked, now).min(now);
        if let Some(slept) = self.steady.take_sleep() {
            sender.tell(News::Gap { from: before, until: now, missed: Missed::All })?;
            sender.tell(News::Machine(slept))?;
        }
        if let Some(set) = set {
            sender.tell(News::Machine(set))?;
        }
        Ok(steady)
    }
}
