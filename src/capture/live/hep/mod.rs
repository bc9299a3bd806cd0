//! A listener for HEP: what capture agents of Homer report, as frames.
//!
//! Whoever can send to the port chooses what comes. So octets, connections, senders and packets a
//! second are bounded, and all that is left out is counted.

mod address;
mod datagrams;
mod drops;
mod envelope;
mod intake;
mod senders;
mod stream;

pub use address::HepAddress;

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};

use nix::sys::socket::{setsockopt, sockopt};

use self::datagrams::Datagrams;
use self::intake::Intake;
use self::stream::Connections;
use super::Captor;
use crate::capture::Error;

/// Packets a second of one sender, unless the user says otherwise.
pub const HEP_RATE: u32 = 20_000;

/// Sockets that are open for HEP, over UDP and over TCP.
pub struct HepListener {
    datagrams: UdpSocket,
    connections: TcpListener,
    address: SocketAddr,
    rate: u32,
}

impl HepListener {
    /// Opens both sockets; nothing is read before its [captors](Self::captors) run. `rate` is how
    /// many packets a second are taken of one sender, `buffer` how many octets of datagrams the kernel
    /// holds for us, as far as it allows.
    ///
    /// # Errors
    /// When the address is not ours, or the port is taken.
    pub fn bind(HepAddress(address): HepAddress, rate: u32, buffer: usize) -> Result<Self, Error> {
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
        datagrams.set_read_timeout(Some(datagrams::WAKE)).map_err(trouble)?;
        // Who may not have so large a buffer has what the system gives.
        if setsockopt(&datagrams, sockopt::RcvBufForce, &buffer).is_err() {
            let _ = setsockopt(&datagrams, sockopt::RcvBuf, &buffer);
        }
        #[cfg(target_os = "linux")]
        let _ = setsockopt(&datagrams, sockopt::RxqOvfl, &1);
        Ok(Self { datagrams, connections, address, rate })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What reads the datagrams and what reads the connections, under the number `interface`. Up to
    /// `unfinished` octets of packets that are not whole are held of all connections.
    pub fn captors(self, interface: u32, unfinished: usize) -> [Captor; 2] {
        let Self { datagrams, connections, address, rate } = self;
        let datagrams = Datagrams::new(datagrams, address);
        [
            Box::new(move |sender| {
                let _ = datagrams.run(&mut Intake::of_datagrams(sender, interface, rate));
            }),
            Box::new(move |sender| {
                let mut intake = Intake::of_connections(sender, interface, rate);
                let _ = Connections::new(connections, unfinished).run(&mut intake);
            }),
        ]
    }
}
