//! HEP over TCP: connections, and the packets in them.

use std::io::{self, Read as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::super::queue::Closed;
use super::Intake;
use super::envelope::{self, Garbage};

/// Connections at once.
const CONNECTIONS: usize = 256;
/// Connections of one host at once.
const OF_ONE_HOST: usize = 32;
/// How long a connection may be silent before its first whole packet, and after.
const SILENCE: [Duration; 2] = [Duration::from_secs(10), Duration::from_mins(10)];
/// Octets read of one connection before the next has its turn.
const TURN: usize = 256 << 10;
/// How long to wait for something to read, milliseconds.
const WAIT: u16 = 250;

/// All connections.
pub(super) struct Connections {
    listener: TcpListener,
    open: Vec<Connection>,
    room: Vec<u8>,
}

struct Connection {
    stream: TcpStream,
    from: SocketAddr,
    to: SocketAddr,
    /// A packet that is not whole: 64 KiB at most, and what was read with it.
    held: Vec<u8>,
    /// When the last whole packet came, or the connection.
    heard: Instant,
    /// Whether a whole packet came.
    proven: bool,
}

/// Whether a connection goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Open,
    Ended,
}

impl Connections {
    pub(super) fn new(listener: TcpListener) -> Self {
        Self { listener, open: Vec::new(), room: vec![0; 64 << 10] }
    }

    pub(super) fn run(mut self, intake: &mut Intake) -> Result<(), Closed> {
        loop {
            let ready = self.wait();
            intake.look(0)?;
            let Self { open, room, .. } = &mut self;
            let mut ready = ready.into_iter();
            let listener = ready.next().unwrap_or_default();
            let mut kept = Vec::with_capacity(open.len());
            for mut connection in open.drain(..) {
                let fate = match ready.next() {
                    Some(true) => connection.read(room, intake)?,
                    _ => Fate::Open,
                };
                if fate == Fate::Open && !connection.is_idle() {
                    kept.push(connection);
                }
            }
            self.open = kept;
            if listener {
                self.accept(intake);
            }
            intake.tell()?;
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

    #[allow(clippy::disallowed_methods)] // Silence is of the user's time.
    fn accept(&mut self, intake: &mut Intake) {
        while let Ok((stream, from)) = self.listener.accept() {
            let (Ok(to), Ok(())) = (stream.local_addr(), stream.set_nonblocking(true)) else {
                continue;
            };
            if !self.has_room(from.ip()) {
                intake.refused += 1;
                continue;
            }
            let heard = Instant::now();
            let held = Vec::new();
            self.open.push(Connection { stream, from, to, held, heard, proven: false });
        }
    }

    /// Whether another connection of `host` is taken; one that has shown nothing makes room.
    fn has_room(&mut self, host: IpAddr) -> bool {
        let of_host = self.open.iter().filter(|open| open.from.ip() == host).count();
        if OF_ONE_HOST <= of_host {
            return false;
        }
        if self.open.len() < CONNECTIONS {
            return true;
        }
        // The first is the oldest.
        let idle = self.open.iter().position(|open| !open.proven);
        idle.map(|at| self.open.remove(at)).is_some()
    }
}

impl Connection {
    /// Reads what there is, a turn's worth.
    fn read(&mut self, room: &mut [u8], intake: &mut Intake) -> Result<Fate, Closed> {
        let mut turn = 0;
        while turn < TURN {
            match self.stream.read(room) {
                Ok(0) => {
                    // The end of a packet is missing.
                    intake.malformed += u64::from(!self.held.is_empty());
                    return Ok(Fate::Ended);
                }
                Ok(count) => {
                    turn += count;
                    self.held.extend_from_slice(room.get(..count).unwrap_or_default());
                    if self.take_packets(intake)? == Fate::Ended {
                        return Ok(Fate::Ended);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => return Ok(Fate::Ended),
            }
        }
        Ok(Fate::Open)
    }

    /// Hands over the packets that are whole.
    #[allow(clippy::disallowed_methods)] // Silence is of the user's time.
    fn take_packets(&mut self, intake: &mut Intake) -> Result<Fate, Closed> {
        let mut at = 0;
        loop {
            let rest = self.held.get(at..).unwrap_or_default();
            match envelope::length(rest) {
                Err(Garbage) => {
                    intake.malformed += 1;
                    return Ok(Fate::Ended);
                }
                Ok(Some(length)) if length <= rest.len() => {
                    let packet = rest.get(..length).unwrap_or_default();
                    intake.take(self.from, self.to, packet)?;
                    at += length;
                    (self.heard, self.proven) = (Instant::now(), true);
                }
                Ok(_) => break,
            }
        }
        self.held.drain(..at);
        Ok(Fate::Open)
    }

    fn is_idle(&self) -> bool {
        let [before, after] = SILENCE;
        let allowed = if self.proven { after } else { before };
        allowed < self.heard.elapsed()
    }
}
