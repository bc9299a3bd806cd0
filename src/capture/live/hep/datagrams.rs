//! HEP over UDP: a socket that is read as fast as can be, for the kernel drops whatever comes next.

use std::io::IoSliceMut;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg};

use super::super::queue::{Closed, News};
use super::drops::Table;
use super::envelope;
use super::intake::Intake;
use crate::capture::Error;

/// How long to wait for a datagram before looking at clocks and counts again.
pub(super) const WAKE: Duration = Duration::from_millis(250);

/// The socket of datagrams.
pub(super) struct Datagrams {
    socket: UdpSocket,
    address: SocketAddr,
    /// Datagrams the kernel had no room for, as it counts them.
    lost: u32,
    table: Option<Table>,
    /// Octets read since all had been read, and whether they were so many that others may have been
    /// dropped behind them.
    burst: usize,
    is_unsure: bool,
}

/// Octets that any buffer holds, and what a datagram takes of it beside its own.
const LEAST_BUFFER: usize = 64 << 10;
const OVERHEAD: usize = 512;

/// A datagram.
struct Datagram {
    length: usize,
    from: Option<SocketAddr>,
    /// What was lost before it, of all.
    lost: u32,
}

impl Datagrams {
    pub(super) fn new(socket: UdpSocket, address: SocketAddr) -> Self {
        let table = Table::of(&socket);
        Self { socket, address, lost: 0, table, burst: 0, is_unsure: false }
    }

    pub(super) fn run(mut self, intake: &mut Intake) -> Result<(), Closed> {
        // One octet more than is taken tells what is too long.
        let mut room = vec![0; envelope::MOST + 1];
        let mut control = nix::cmsg_space!(u32);
        loop {
            match self.receive(&mut room, &mut control, MsgFlags::MSG_DONTWAIT) {
                Err(Errno::EAGAIN) if intake.is_over() => {
                    intake.look(self.dropped_last())?;
                    return intake.tell();
                }
                Err(Errno::EAGAIN) => {
                    // All that came has been read.
                    intake.rest();
                    self.burst = 0;
                    let waited = self.receive(&mut room, &mut control, MsgFlags::empty());
                    self.take(&waited, &room, intake)?;
                }
                received => self.take(&received, &room, intake)?,
            }
        }
    }

    fn take(
        &mut self,
        received: &Result<Datagram, Errno>,
        room: &[u8],
        intake: &mut Intake,
    ) -> Result<(), Closed> {
        match received {
            &Ok(Datagram { length, from, lost }) => {
                self.burst += length + OVERHEAD;
                self.is_unsure |= LEAST_BUFFER < self.burst;
                let dropped = lost.wrapping_sub(std::mem::replace(&mut self.lost, lost));
                intake.look(dropped)?;
                if let (Some(from), Some(packet)) = (from, room.get(..length)) {
                    intake.take(from, self.address, packet)?;
                }
                Ok(())
            }
            // Nothing came; or an ICMP error about something that was never sent from here.
            Err(Errno::EAGAIN | Errno::EINTR | Errno::ECONNREFUSED) => {
                let dropped = self.dropped_last();
                intake.look(dropped)
            }
            Err(error) => {
                let name = format!("HEP on {}", self.address);
                let what = error.desc().to_owned();
                intake.tell()?;
                intake.trouble(News::Trouble(Error::Device { name, what }))?;
                Err(Closed)
            }
        }
    }

    /// What was dropped after the last datagram that came.
    fn dropped_last(&mut self) -> u32 {
        // It is not asked for nothing: the kernel looks at all of its sockets.
        if !std::mem::take(&mut self.is_unsure) {
            return 0;
        }
        let lost = self.table.as_mut().and_then(Table::dropped).unwrap_or(self.lost);
        lost.wrapping_sub(std::mem::replace(&mut self.lost, lost))
    }

    fn receive(
        &self,
        room: &mut [u8],
        control: &mut [u8],
        flags: MsgFlags,
    ) -> Result<Datagram, Errno> {
        let mut parts = [IoSliceMut::new(room)];
        let socket = self.socket.as_raw_fd();
        let message = recvmsg::<SockaddrStorage>(socket, &mut parts, Some(control), flags)?;
        let mut lost = self.lost;
        for note in message.cmsgs().into_iter().flatten() {
            #[cfg(target_os = "linux")]
            if let ControlMessageOwned::RxqOvfl(count) = note {
                lost = count;
            }
            #[cfg(not(target_os = "linux"))]
            let _: ControlMessageOwned = note;
        }
        let from = message.address.as_ref().and_then(socket_address);
        Ok(Datagram { length: message.bytes, from, lost })
    }
}

fn socket_address(address: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(SocketAddr::from(std::net::SocketAddrV4::from(*v4)));
    }
    address.as_sockaddr_in6().map(|v6| SocketAddr::from(std::net::SocketAddrV6::from(*v6)))
}
