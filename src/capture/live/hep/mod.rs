//! A listener for HEP: what capture agents of Homer report, as frames.
//!
//! Whoever can send to the port chooses what comes. So octets, connections, senders and packets a
//! second are bounded, and all that is left out is counted.

mod address;
mod envelope;
mod rate;
mod stream;

pub use address::HepAddress;

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt,
};

use self::rate::{Rates, Share};
use super::Captor;
use super::clock::{Steady, slept_for};
use super::queue::{Closed, Head, Missed, News, Sender};
use crate::capture::Error;
use crate::time::Timestamp;

/// Packets a second of one sender, unless the user says otherwise.
pub const HEP_RATE: u32 = 20_000;

/// Octets the kernel holds for us, as far as it allows.
const BUFFER: usize = 16 << 20;
/// How often what was left out is told when nothing comes.
const WAKE: Duration = Duration::from_millis(250);
/// How often it is told while packets come.
const TELL: Duration = Duration::from_secs(1);
/// Senders that are named when they send too much.
const NAMED: usize = 16;

/// Sockets that are open for HEP, over UDP and over TCP.
pub struct HepListener {
    datagrams: UdpSocket,
    connections: TcpListener,
    address: SocketAddr,
    rate: u32,
}

impl HepListener {
    /// Opens both sockets; nothing is read before its [captors](Self::captors) run. `rate` is how
    /// many packets a second are taken of one sender.
    ///
    /// # Errors
    /// When the address is not ours, or the port is taken.
    pub fn bind(HepAddress(address): HepAddress, rate: u32) -> Result<Self, Error> {
        let trouble = |error: io::Error| {
            let what = match error.kind() {
                io::ErrorKind::AddrInUse => "another program listens there already".to_owned(),
                io::ErrorKind::AddrNotAvailable => {
                    "this machine does not have that address".to_owned()
                }
                io::ErrorKind::PermissionDenied => "ports below 1024 need root".to_owned(),
                _ => error.to_string(),
            };
            Error::Device { name: format!("--hep-listen {address}"), what }
        };
        let connections = TcpListener::bind(address).map_err(trouble)?;
        // Port 0 is any; both have the same.
        let address = connections.local_addr().map_err(trouble)?;
        let datagrams = UdpSocket::bind(address).map_err(trouble)?;
        connections.set_nonblocking(true).map_err(trouble)?;
        datagrams.set_read_timeout(Some(WAKE)).map_err(trouble)?;
        // Who may not have so large a buffer has what the system gives.
        if setsockopt(&datagrams, sockopt::RcvBufForce, &BUFFER).is_err() {
            let _ = setsockopt(&datagrams, sockopt::RcvBuf, &BUFFER);
        }
        #[cfg(target_os = "linux")]
        let _ = setsockopt(&datagrams, sockopt::RxqOvfl, &1);
        Ok(Self { datagrams, connections, address, rate })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What reads the datagrams and what reads the connections, under the number `interface`.
    pub fn captors(self, interface: u32) -> [Captor; 2] {
        let Self { datagrams, connections, address, rate } = self;
        [
            Box::new(move |sender| {
                let _ = Datagrams { socket: datagrams, address, lost: 0 }
                    .run(&mut Intake::new(sender, interface, rate));
            }),
            Box::new(move |sender| {
                let mut intake = Intake::new(sender, interface, rate);
                let _ = stream::Connections::new(connections).run(&mut intake);
            }),
        ]
    }
}

/// The socket of datagrams.
struct Datagrams {
    socket: UdpSocket,
    address: SocketAddr,
    /// Datagrams the kernel had no room for, as it counts them.
    lost: u32,
}

impl Datagrams {
    fn run(mut self, intake: &mut Intake) -> Result<(), Closed> {
        // One octet more than is taken tells what is too long.
        let mut room = vec![0; envelope::MOST + 1];
        let mut control = nix::cmsg_space!(u32);
        loop {
            match self.receive(&mut room, &mut control) {
                Ok((count, from, lost)) => {
                    let dropped = lost.wrapping_sub(self.lost);
                    self.lost = lost;
                    intake.look(dropped)?;
                    if let (Some(from), Some(packet)) = (from, room.get(..count)) {
                        intake.take(from, self.address, packet)?;
                    }
                }
                // Nothing came; or an ICMP error about something that was never sent from here.
                Err(Errno::EAGAIN | Errno::EINTR | Errno::ECONNREFUSED) => intake.look(0)?,
                Err(error) => {
                    let name = format!("HEP on {}", self.address);
                    let what = error.desc().to_owned();
                    return intake.sender.tell(News::Trouble(Error::Device { name, what }));
                }
            }
            intake.tell()?;
        }
    }

    /// The next datagram: its length, its sender, and how many were lost before.
    fn receive(
        &self,
        room: &mut [u8],
        control: &mut [u8],
    ) -> Result<(usize, Option<SocketAddr>, u32), Errno> {
        let mut parts = [IoSliceMut::new(room)];
        let socket = self.socket.as_raw_fd();
        let message =
            recvmsg::<SockaddrStorage>(socket, &mut parts, Some(control), MsgFlags::empty())?;
        let mut lost = self.lost;
        for note in message.cmsgs().into_iter().flatten() {
            #[cfg(target_os = "linux")]
            if let ControlMessageOwned::RxqOvfl(count) = note {
                lost = count;
            }
            #[cfg(not(target_os = "linux"))]
            let _: ControlMessageOwned = note;
        }
        Ok((message.bytes, message.address.as_ref().and_then(socket_address), lost))
    }
}

fn socket_address(address: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(SocketAddr::from(std::net::SocketAddrV4::from(*v4)));
    }
    address.as_sockaddr_in6().map(|v6| SocketAddr::from(std::net::SocketAddrV6::from(*v6)))
}

/// Where packets become frames, and what is left out is counted.
struct Intake {
    sender: Sender,
    interface: u32,
    rates: Rates,
    /// Times go on when the clock is set: they are those of `steady` since `began`.
    steady: Steady,
    began: Timestamp,
    /// When was looked at it last.
    looked: Timestamp,
    /// Datagrams the kernel had no room for and nobody was told of, and since when.
    untold: Option<(u32, Timestamp)>,
    /// When somebody was told last.
    told_dropped: Timestamp,
    frame: Vec<u8>,
    malformed: u64,
    too_long: u64,
    too_much: u64,
    refused: u64,
    named: usize,
    told: Instant,
}

impl Intake {
    #[allow(clippy::disallowed_methods)] // Packets come in the user's time.
    fn new(sender: Sender, interface: u32, rate: u32) -> Self {
        let now = Instant::now();
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            sender,
            interface,
            rates: Rates::new(rate, now),
            steady: Steady::new(),
            began: Timestamp(since_epoch.as_nanos() as i64),
            looked: Timestamp(since_epoch.as_nanos() as i64),
            untold: None,
            told_dropped: Timestamp(i64::MIN),
            frame: Vec::new(),
            malformed: 0,
            too_long: 0,
            too_much: 0,
            refused: 0,
            named: 0,
            told: now,
        }
    }

    /// Takes a packet in.
    #[allow(clippy::disallowed_methods)] // Rates are of the user's time.
    fn take(&mut self, from: SocketAddr, to: SocketAddr, packet: &[u8]) -> Result<(), Closed> {
        let now = Instant::now();
        match self.rates.take(from.ip().to_canonical(), now) {
            Share::Taken => {}
            Share::TooMuch => {
                self.too_much += 1;
                return Ok(());
            }
            Share::TooMuchNow => {
                self.too_much += 1;
                return self.name(from.ip());
            }
        }
        if envelope::MOST < packet.len() {
            self.too_long += 1;
            return Ok(());
        }
        if !envelope::is_hep(packet) {
            self.malformed += 1;
            return Ok(());
        }
        envelope::write(&mut self.frame, from, to, packet);
        let time = self.now();
        let wire_len = self.frame.len() as u32;
        let head = Head { time, link: envelope::LINK, interface: self.interface, wire_len };
        let told = self.sender.push(head, &self.frame);
        self.sender.flush();
        told
    }

    /// Names a sender of too much.
    fn name(&mut self, ip: IpAddr) -> Result<(), Closed> {
        self.named += 1;
        if NAMED < self.named {
            return Ok(());
        }
        self.sender.tell(News::Note(format!(
            "HEP from {}: more packets a second than --hep-rate allows; what is beyond is left out \
             and counted",
            ip.to_canonical()
        )))
    }

    /// The time, as times go on.
    fn now(&self) -> Timestamp {
        self.began.plus(self.steady.now())
    }

    /// Looks at the clock before what came next: whether the machine slept, and when that was. Of
    /// what the kernel had no room for it counted `dropped` since the last time.
    fn look(&mut self, dropped: u32) -> Result<(), Closed> {
        let until = self.now();
        let from = std::mem::replace(&mut self.looked, until);
        if let Some(slept) = self.steady.take_sleep() {
            self.sender.tell(News::Gap { from, until, missed: Missed::All })?;
            self.sender.tell(News::Note(slept_for(slept)))?;
        }
        if 0 < dropped {
            let (count, since) = self.untold.unwrap_or((0, from));
            self.untold = Some((count.saturating_add(dropped), since));
        }
        // Once too many come, some are dropped before each that is taken, and whoever hears of it
        // has much to look at.
        let Some((count, from)) = self.untold else { return Ok(()) };
        if until.since(self.told_dropped) < WAKE.as_nanos() as i64 {
            return Ok(());
        }
        (self.untold, self.told_dropped) = (None, until);
        self.sender.tell(News::Gap { from, until, missed: Missed::Some })?;
        self.dropped(count)
    }

    /// Datagrams the kernel had no room for.
    fn dropped(&mut self, count: u32) -> Result<(), Closed> {
        let by_kernel = count.into();
        let interface = self.interface;
        self.sender.tell(News::Dropped { interface, by_kernel, by_interface: 0 })
    }

    /// Tells what was left out, from time to time.
    #[allow(clippy::disallowed_methods)] // It is told in the user's time.
    fn tell(&mut self) -> Result<(), Closed> {
        if self.told.elapsed() < TELL {
            return Ok(());
        }
        self.told = Instant::now();
        for (reason, count) in [
            ("hep-malformed", &mut self.malformed),
            ("too-long", &mut self.too_long),
            ("hep-rate", &mut self.too_much),
            ("hep-connections", &mut self.refused),
        ] {
            let count = std::mem::take(count);
            if 0 < count {
                self.sender.tell(News::Lost(reason, count))?;
            }
        }
        Ok(())
    }
}
