//! HEP over TCP: connections, and the packets in them.

use std::collections::HashMap;
use std::io::{self, Read as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::super::queue::Closed;
use super::envelope::{self, Garbage};
use super::intake::Intake;

/// Connections at once.
const CONNECTIONS: usize = 256;
/// Connections of one host at once.
const OF_ONE_HOST: usize = 32;
/// Connections that are taken before those there are have their turn.
const AT_ONCE: usize = 32;
/// How long a connection may be silent before its first whole packet, and after.
const SILENCE: [Duration; 2] = [Duration::from_secs(10), Duration::from_mins(10)];
/// Octets read of one connection before the next has its turn.
const TURN: usize = 256 << 10;
/// Octets read at once.
const ROOM: usize = 64 << 10;
/// Octets that say how long a packet is.
const PREFIX: usize = 6;
/// How long to wait for something to read, milliseconds.
const WAIT: u16 = 250;

/// Octets by which room for a packet grows.
const STEP: usize = 4 << 10;

/// All connections, the oldest first.
pub(super) struct Connections {
    listener: TcpListener,
    open: Vec<Connection>,
    /// Octets that may be held of packets that are not whole, of all of them.
    unfinished: usize,
    room: Vec<u8>,
}

struct Connection {
    stream: TcpStream,
    from: SocketAddr,
    to: SocketAddr,
    /// A packet that is not whole, and when it began.
    held: Vec<u8>,
    begun: Instant,
    /// When the last whole packet came, or the connection.
    heard: Instant,
    /// Whether a whole packet came.
    proven: bool,
    fate: Fate,
}

/// Whether a connection goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Open,
    Ended,
}

/// Where a connection has room.
enum Place {
    Free,
    /// In place of this one.
    Of(usize),
    None,
}

/// Why nothing more is taken from a connection.
enum Stop {
    Garbage,
    Closed,
}

impl From<Garbage> for Stop {
    fn from(Garbage: Garbage) -> Self {
        Self::Garbage
    }
}

impl From<Closed> for Stop {
    fn from(Closed: Closed) -> Self {
        Self::Closed
    }
}

impl Connections {
    pub(super) fn new(listener: TcpListener, unfinished: usize) -> Self {
        Self { listener, open: Vec::new(), unfinished, room: vec![0; ROOM] }
    }

    pub(super) fn run(mut self, intake: &mut Intake) -> Result<(), Closed> {
        loop {
            // What came before the end was wanted is read once more.
            let is_over = intake.is_over();
            let ready = self.wait();
            intake.look(0)?;
            let (listener, open) = ready.split_first().unwrap_or((&false, &[]));
            self.read(open, intake)?;
            if is_over {
                return intake.tell();
            }
            if *listener {
                self.accept(intake);
            }
        }
    }

    /// Waits until something can be read: whether the listener can, and each connection.
    fn wait(&self) -> Vec<bool> {
        let streams = self.open.iter().map(|connection| connection.stream.as_fd());
        let all = std::iter::once(self.listener.as_fd()).chain(streams);
        let mut all: Vec<PollFd<'_>> = all.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        // Interrupted, nothing is ready.
        if poll(&mut all, PollTimeout::from(WAIT)).is_err() {
            return Vec::new();
        }
        all.iter().map(|fd| fd.any().unwrap_or(true)).collect()
    }

    /// Reads the connections that are `ready`, and ends those that have nothing to say.
    fn read(&mut self, ready: &[bool], intake: &mut Intake) -> Result<(), Closed> {
        let mut held: usize = self.open.iter().map(|connection| connection.held.capacity()).sum();
        for (at, is_ready) in ready.iter().enumerate() {
            let Some(connection) = self.open.get_mut(at).filter(|_| *is_ready) else { continue };
            if connection.fate == Fate::Ended {
                continue;
            }
            held -= connection.held.capacity();
            connection.fate = connection.read(&mut self.room, intake)?;
            if connection.fate == Fate::Ended {
                connection.held = Vec::new();
            }
            held += connection.held.capacity();
            while self.unfinished < held {
                let Some(least) = self.least_finished() else { break };
                held -= std::mem::take(&mut least.held).capacity();
                least.fate = Fate::Ended;
                intake.refused();
            }
        }
        self.open.retain(|connection| connection.fate == Fate::Open && !connection.is_idle());
        Ok(())
    }

    /// The connection whose packet has not become whole for longest.
    fn least_finished(&mut self) -> Option<&mut Connection> {
        let unfinished = self.open.iter_mut().filter(|open| 0 < open.held.capacity());
        unfinished.min_by_key(|open| open.begun)
    }

    #[allow(clippy::disallowed_methods)] // Silence is of the user's time.
    fn accept(&mut self, intake: &mut Intake) {
        // Who comes among many must be heard before it may have to go.
        let mut heard = self.open.len();
        for _ in 0..AT_ONCE {
            let Ok((stream, from)) = self.listener.accept() else { return };
            let (Ok(to), Ok(())) = (stream.local_addr(), stream.set_nonblocking(true)) else {
                continue;
            };
            match self.place_for(from.ip(), heard) {
                Place::Free => {}
                Place::Of(at) => {
                    self.open.remove(at);
                    heard -= 1;
                    intake.refused();
                }
                Place::None => {
                    intake.refused();
                    continue;
                }
            }
            self.open.push(Connection::new(stream, (from, to), Instant::now()));
        }
    }

    /// The place of another connection of `host`. Room is made by those who would have the most, `host`
    /// itself maybe; where all have one, by one that has shown nothing; and by none but the first
    /// `heard`, which had their turn.
    fn place_for(&self, host: IpAddr, heard: usize) -> Place {
        let mut counts = HashMap::from([(host, 1)]);
        for open in &self.open {
            *counts.entry(open.from.ip()).or_default() += 1;
        }
        if counts.get(&host).is_some_and(|count| OF_ONE_HOST < *count) {
            return Place::None;
        }
        if self.open.len() < CONNECTIONS {
            return Place::Free;
        }
        let most = counts.values().copied().max().unwrap_or_default();
        let may_go = |open: &Connection| {
            counts.get(&open.from.ip()) == Some(&most) && (1 < most || !open.proven)
        };
        let candidates = self.open.iter().enumerate().take(heard).filter(|(_, open)| may_go(open));
        let goes = candidates.min_by_key(|(_, open)| (open.proven, open.heard));
        goes.map_or(Place::None, |(at, _)| Place::Of(at))
    }
}

impl Connection {
    fn new(stream: TcpStream, (from, to): (SocketAddr, SocketAddr), heard: Instant) -> Self {
        let (held, begun) = (Vec::new(), heard);
        Self { stream, from, to, held, begun, heard, proven: false, fate: Fate::Open }
    }

    /// Reads what there is, a turn's worth.
    fn read(&mut self, room: &mut [u8], intake: &mut Intake) -> Result<Fate, Closed> {
        let mut turn = 0;
        while turn < TURN {
            let most = self.missing().unwrap_or(room.len()).min(room.len());
            match self.stream.read(room.get_mut(..most).unwrap_or_default()) {
                Ok(0) => {
                    if !self.held.is_empty() {
                        // The end of a packet is missing.
                        intake.malformed();
                    }
                    return Ok(Fate::Ended);
                }
                Ok(count) => {
                    turn += count;
                    match self.take(room.get(..count).unwrap_or_default(), intake) {
                        Ok(()) => {}
                        Err(Stop::Closed) => return Err(Closed),
                        Err(Stop::Garbage) => {
                            intake.malformed();
                            return Ok(Fate::Ended);
                        }
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => return Ok(Fate::Ended),
            }
        }
        Ok(Fate::Open)
    }

    /// Octets that the packet that is held lacks, or what says how long it is; `None` between two.
    fn missing(&self) -> Option<usize> {
        let whole = envelope::length(&self.held).ok().flatten().unwrap_or(PREFIX);
        (!self.held.is_empty()).then(|| whole.saturating_sub(self.held.len()))
    }

    /// Takes in `octets`, no more of them than are missing from a packet that is held.
    #[allow(clippy::disallowed_methods)] // Silence is of the user's time.
    fn take(&mut self, octets: &[u8], intake: &mut Intake) -> Result<(), Stop> {
        let Some(missing) = self.missing() else {
            let taken = self.take_packets(octets, intake)?;
            let rest = octets.get(taken..).unwrap_or_default();
            if !rest.is_empty() {
                (self.held, self.begun) = (rest.to_vec(), Instant::now());
            }
            return Ok(());
        };
        if self.held.capacity() - self.held.len() < octets.len() {
            self.held.reserve_exact(octets.len().max(missing.min(STEP)));
        }
        self.held.extend_from_slice(octets);
        let held = std::mem::take(&mut self.held);
        if self.take_packets(&held, intake)? == 0 {
            self.held = held;
        }
        Ok(())
    }

    /// Hands over the packets of `octets` that are whole; how many octets they are.
    #[allow(clippy::disallowed_methods)] // Silence is of the user's time.
    fn take_packets(&mut self, octets: &[u8], intake: &mut Intake) -> Result<usize, Stop> {
        let mut rest = octets;
        while let Some((packet, behind)) =
            envelope::length(rest)?.and_then(|length| rest.split_at_checked(length))
        {
            intake.take(self.from, self.to, packet)?;
            (self.heard, self.proven) = (Instant::now(), true);
            rest = behind;
        }
        Ok(octets.len() - rest.len())
    }

    fn is_idle(&self) -> bool {
        let [before, after] = SILENCE;
        let allowed = if self.proven { after } else { before };
        allowed < self.heard.elapsed()
    }
}
