//! How many datagrams the kernel had no room for, as it counts them for a socket.
//!
//! It tells with each datagram how many were lost before it; of those lost after the last one only
//! its table of sockets knows.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Seek as _};
use std::net::UdpSocket;

use nix::sys::stat::fstat;

/// The kernel's table of sockets, which is open while others may still be opened.
pub(super) struct Table {
    file: File,
    inode: String,
}

/// Words of a line: the number of the socket's inode, and what was dropped (proc(5)).
const INODE: usize = 9;
const DROPS: usize = 12;

impl Table {
    /// That in which `socket` stands; `None` where the system has none.
    pub(super) fn of(socket: &UdpSocket) -> Option<Self> {
        let is_v4 = socket.local_addr().ok()?.is_ipv4();
        // Of this thread: it may be in another namespace than others.
        let path = if is_v4 { "/proc/thread-self/net/udp" } else { "/proc/thread-self/net/udp6" };
        let inode = fstat(socket).ok()?.st_ino.to_string();
        Some(Self { file: File::open(path).ok()?, inode })
    }

    /// Datagrams dropped so far; the count wraps at 32 bits.
    pub(super) fn dropped(&mut self) -> Option<u32> {
        self.file.rewind().ok()?;
        BufReader::new(&self.file).lines().map_while(Result::ok).find_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let is_ours = words.get(INODE).is_some_and(|inode| *inode == self.inode);
            words.get(DROPS).filter(|_| is_ours)?.parse().ok()
        })
    }
}
