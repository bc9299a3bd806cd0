//! What capture agents send to us is read as it is from captures, however noisy some of them are.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::time::{Duration, Instant};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, socket};

use siplens::capture::Source as _;
use siplens::capture::live::{HEP_RATE, HepListener, Live, Shares};
use siplens::engine::Reader;
use siplens::frame::LinkType;
use siplens::limits::Limits;
use siplens::transport::Observation;
use siplens::transport::peek::peek_call_id;

use crate::hep::{chunk, report};
use crate::reader::message;

/// Longer than anything here takes; only a failing test waits so long.
const LONG: Duration = Duration::from_mins(1);

/// What frames may take on their way.
const SHARES: Shares = Shares { queue: 32 << 20, order: 32 << 20 };

/// Octets of datagrams that the kernel holds, if it may.
const BUFFER: usize = 16 << 20;

/// Octets of packets that are not whole.
const UNFINISHED: usize = 256 << 10;

/// Words of the completeness line that these tests prove: beyond the rate, beyond the connections,
/// beyond what is read in time.
pub(crate) const LOSSES: [&str; 3] = ["hep-rate", "hep-connections", "hep-overload"];

/// A listener at work, and what came of it.
struct Listening {
    live: Live,
    address: SocketAddr,
    reader: Reader,
    calls: Vec<String>,
    frames: Vec<(LinkType, Vec<u8>)>,
    lost: Vec<(&'static str, u64)>,
    notes: Vec<String>,
}

impl Listening {
    fn on(address: &str, rate: u32) -> Self {
        Self::with(HepListener::bind(address.parse().unwrap(), rate, BUFFER).unwrap())
    }

    fn with(listener: HepListener) -> Self {
        Self::within(listener, SHARES)
    }

    fn within(listener: HepListener, shares: Shares) -> Self {
        let address = listener.address();
        let captors = Vec::from(listener.captors(0, UNFINISHED));
        let live = Live::start(captors, vec!["hep".to_owned()], shares).unwrap();
        Self {
            live,
            address,
            reader: Reader::new(&Limits::default()),
            calls: Vec::new(),
            frames: Vec::new(),
            lost: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Reads until `done` holds.
    #[track_caller]
    #[allow(clippy::disallowed_methods)] // The deadline of a failing test.
    fn until(&mut self, done: impl Fn(&Self) -> bool) {
        let until = Instant::now() + LONG;
        while !done(self) {
            let Self { calls, lost, notes, .. } = &self;
            assert!(Instant::now() < until, "{} {lost:?} {notes:?}", calls.len());
            let Self { live, reader, calls, frames, .. } = self;
            if let Some(frame) = live.next().unwrap() {
                frames.push((frame.link, frame.bytes.to_vec()));
                reader.read(&frame, &mut |observation| {
                    if let Observation::Message { text, .. } = observation {
                        let id = peek_call_id(text).unwrap();
                        calls.push(String::from_utf8_lossy(id).into_owned());
                    }
                });
            }
            self.lost.extend(self.live.take_losses());
            self.notes.extend(self.live.take_notes());
        }
    }

    fn lost(&self, reason: &str) -> u64 {
        let of_reason = self.lost.iter().filter(|(word, _)| *word == reason);
        of_reason.map(|(_, count)| count).sum()
    }

    fn udp(&self) -> UdpSocket {
        let socket = UdpSocket::bind(SocketAddr::new(self.address.ip(), 0)).unwrap();
        socket.connect(self.address).unwrap();
        socket
    }

    fn tcp(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream
    }
}

/// A report of message `number`.
fn reported(number: usize) -> Vec<u8> {
    report(&chunk(15, &message(number, b"hello")))
}

/// True once the other side closed the connection.
fn is_closed(mut stream: TcpStream) -> bool {
    matches!(stream.read(&mut [0]), Ok(0) | Err(_))
}

#[test]
fn reports_over_udp_and_tcp_are_the_messages_they_are_about() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let mut listening = Listening::on(address, HEP_RATE);
        let (udp, mut tcp) = (listening.udp(), listening.tcp());
        udp.send(&reported(1)).unwrap();
        listening.until(|it| it.calls.len() == 1);
        // In pieces that end anywhere, several packets at once.
        let all: Vec<u8> = (2..20).flat_map(reported).collect();
        for piece in all.chunks(777) {
            tcp.write_all(piece).unwrap();
        }
        listening.until(|it| it.calls.len() == 19);
        let expected: Vec<_> = (1..20).map(|number| format!("{number}@192.0.2.1")).collect();
        assert_eq!(listening.calls, expected);
        assert!(listening.frames.iter().all(|(link, _)| *link == LinkType(101)));
        assert_eq!(listening.lost, []);
        let (_, bytes) = &listening.frames[0];
        // From who sent it, to us.
        let ports = if address.starts_with('[') { &bytes[40..44] } else { &bytes[20..24] };
        let port = |socket: SocketAddr| socket.port().to_be_bytes();
        assert_eq!(ports[..2], port(udp.local_addr().unwrap()));
        assert_eq!(ports[2..], port(listening.address));
    }
}

#[test]
fn what_is_no_hep_is_counted_and_its_connection_closed() {
    let mut listening = Listening::on("127.0.0.1:0", HEP_RATE);
    let udp = listening.udp();
    udp.send(b"OPTIONS sip:a SIP/2.0\r\n\r\n").unwrap();
    let mut tcp = listening.tcp();
    tcp.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    listening.until(|it| it.lost("hep-malformed") == 2);
    assert!(is_closed(tcp));
    let mut lying = listening.tcp();
    lying.write_all(b"HEP3\0\x05").unwrap();
    assert!(is_closed(lying));
    let mut good = listening.tcp();
    good.write_all(&reported(1)).unwrap();
    listening.until(|it| it.calls.len() == 1 && it.lost("hep-malformed") == 3);
}

#[test]
fn a_sender_of_too_much_is_held_to_its_share_and_named() {
    let mut listening = Listening::on("127.0.0.1:0", 10);
    let udp = listening.udp();
    for number in 0..100 {
        udp.send(&reported(number)).unwrap();
    }
    let seen = |it: &Listening| it.calls.len() as u64 + it.lost(LOSSES[0]);
    listening.until(|it| seen(it) == 100);
    assert!((10..60).contains(&listening.calls.len()), "{}", listening.calls.len());
    assert_eq!(listening.notes.len(), 1);
    assert!(listening.notes[0].starts_with("HEP from 127.0.0.1: more packets a second"));
    // Another one has a share of its own.
    let other = UdpSocket::bind("127.0.0.2:0").unwrap();
    other.send_to(&reported(500), listening.address).unwrap();
    listening.until(|it| it.calls.iter().any(|call| call.starts_with("500@")));
}

#[test]
fn connections_of_one_host_are_held_in_bounds() {
    let mut listening = Listening::on("127.0.0.1:0", HEP_RATE);
    // More than one host may have.
    let open: Vec<_> = (0..40).map(|_| listening.tcp()).collect();
    listening.until(|it| it.lost(LOSSES[1]) == 8);
    let mut kept = &open[0];
    kept.write_all(&reported(1)).unwrap();
    listening.until(|it| it.calls.len() == 1);
}

#[test]
fn connections_of_one_host_cost_no_other_host_its_own() {
    let mut listening = Listening::on("127.0.0.1:0", HEP_RATE);
    let mut agent = tcp_from(9, listening.address);
    agent.write_all(&reported(0)).unwrap();
    listening.until(|it| it.calls.len() == 1);
    // Each of these hosts showed that it is one; there are no places left.
    let mut others = Vec::new();
    for host in 10..18 {
        for number in 0..32 {
            let mut stream = tcp_from(host, listening.address);
            stream.write_all(&reported(usize::from(host) * 100 + number)).unwrap();
            others.push(stream);
        }
        listening.until(|it| it.calls.len() == 1 + others.len());
    }
    agent.write_all(&reported(1)).unwrap();
    listening.until(|it| it.calls.len() == 258 && it.lost(LOSSES[1]) == 1);
    let mut late = tcp_from(9, listening.address);
    late.write_all(&reported(2)).unwrap();
    listening.until(|it| it.calls.iter().any(|call| call.starts_with("2@")));
    // So is one that comes now.
    let mut newcomer = tcp_from(8, listening.address);
    newcomer.write_all(&reported(3)).unwrap();
    listening.until(|it| it.calls.iter().any(|call| call.starts_with("3@")));
}

#[test]
fn packets_that_never_become_whole_are_held_in_bounds_and_cost_no_other() {
    let mut listening = Listening::on("127.0.0.1:0", HEP_RATE);
    let mut agent = tcp_from(9, listening.address);
    // Who shows no packet is closed for that after a while.
    agent.write_all(&reported(0)).unwrap();
    let long = report(&chunk(15, &message(1, &vec![b'x'; 50_000])));
    let (first, rest) = long.split_at(10_000);
    // Each holds all but the last octet of as much as a packet may be.
    let unfinished = [&b"HEP3"[..], &[0xff; 2], &vec![0; 65_535 - 7]].concat();
    let mut others = Vec::new();
    // Four of them fit.
    let most = (UNFINISHED / unfinished.len()) as u64;
    for number in 0..60_u8 {
        let mut stream = tcp_from(10 + number, listening.address);
        stream.write_all(&reported(1_000 + usize::from(number))).unwrap();
        stream.write_all(&unfinished).unwrap();
        others.push(stream);
        if number == 56 {
            listening.until(|it| 57 - most == it.lost(LOSSES[1]));
            agent.write_all(first).unwrap();
        }
    }
    listening.until(|it| 60 - most < it.lost(LOSSES[1]));
    agent.write_all(rest).unwrap();
    listening.until(|it| it.calls.iter().any(|call| call == "1@192.0.2.1"));
    let open = others.into_iter().filter(|stream| {
        stream.set_nonblocking(true).unwrap();
        let mut stream = stream;
        stream.read(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    });
    assert_eq!(open.count() as u64, most - 1);
}

/// Senders of one packet each, and what the honest one says among them, while nobody reads: the queue
/// is as full as it may be.
#[cfg(target_os = "linux")]
#[test]
#[allow(clippy::disallowed_methods)] // A sender is known once it was heard for a second.
fn a_flood_of_senders_costs_no_agent_its_packets() {
    let listener = HepListener::bind("127.0.0.1:0".parse().unwrap(), HEP_RATE, BUFFER).unwrap();
    let (queue, order) = (256 << 10, 32 << 20);
    let mut listening = Listening::within(listener, Shares { queue, order });
    let to = listening.address;
    let agent = UdpSocket::bind("127.0.0.9:0").unwrap();
    let (mut said, since) = (0, Instant::now());
    while since.elapsed() < Duration::from_millis(1_500) {
        agent.send_to(&reported(said), to).unwrap();
        said += 1;
        listening.until(|it| it.calls.len() == said);
    }
    let flood = 3_000;
    let stranger = report(&chunk(15, &message(1 << 20, &[b'x'; 700])));
    for number in 0..flood {
        let [.., high, low] = (number as u32).to_be_bytes();
        let from = UdpSocket::bind((Ipv4Addr::new(127, 1, high, low), 0)).unwrap();
        from.send_to(&stranger, to).unwrap();
        if number % 100 == 0 {
            agent.send_to(&reported(said), to).unwrap();
            said += 1;
            until_taken(to);
        }
    }
    until_taken(to);
    let of_agent =
        |it: &Listening| it.calls.iter().filter(|call| !call.starts_with("1048576@")).count();
    listening.until(|it| of_agent(it) == said);
    let taken = |it: &Listening| (it.calls.len() - said) as u64;
    listening.until(|it| taken(it) + it.lost(LOSSES[2]) == flood);
    assert!(0 < taken(&listening) && taken(&listening) < 400, "{}", taken(&listening));
    assert_eq!(listening.live.left_out(), listening.lost(LOSSES[2]));
    assert_eq!(listening.live.dropped(), 0);
    assert!(listening.notes[0].contains("senders not heard before"), "{:?}", listening.notes);
    assert!(listening.live.take_gaps().is_empty(), "nobody is missed");
}

/// Waits until no datagram waits in the kernel for whoever listens at `address`.
#[cfg(target_os = "linux")]
#[allow(clippy::disallowed_methods)] // The deadline of a failing test.
pub(crate) fn until_taken(address: SocketAddr) {
    let local = format!(":{:04X}", address.port());
    let until = Instant::now() + LONG;
    while Instant::now() < until {
        let table = fs::read_to_string("/proc/thread-self/net/udp").unwrap();
        let mut lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let line = lines.find(|words| words[1].ends_with(&local)).unwrap();
        if line[4].ends_with(":00000000") {
            return;
        }
        std::thread::yield_now();
    }
    panic!("nobody takes what comes to {address}");
}

#[cfg(target_os = "linux")]
#[test]
fn what_the_kernel_has_no_room_for_is_counted() {
    let listener = HepListener::bind("127.0.0.1:0".parse().unwrap(), HEP_RATE, BUFFER).unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let large = [&b"HEP3"[..], &[0xea, 0x60], &vec![0; 60_000 - 6]].concat();
    for _ in 0..2_000 {
        socket.send_to(&large, listener.address()).unwrap();
    }
    let mut listening = Listening::with(listener);
    // The last of them were dropped; no other comes that would bring the count with it.
    let read = |it: &Listening| it.frames.len() as u64 + it.lost(LOSSES[2]);
    listening.until(|it| it.live.dropped() + read(it) == 2_000);
    assert!(0 < listening.live.dropped());
}

/// A connection from 127.0.0.`host`.
pub(crate) fn tcp_from(host: u8, to: SocketAddr) -> TcpStream {
    let SocketAddr::V4(to) = to else { panic!("{to}") };
    let socket = socket(AddressFamily::Inet, SockType::Stream, SockFlag::empty(), None).unwrap();
    bind(socket.as_raw_fd(), &SockaddrIn::new(127, 0, 0, host, 0)).unwrap();
    connect(socket.as_raw_fd(), &SockaddrIn::from(to)).unwrap();
    TcpStream::from(socket)
}

#[test]
fn a_port_that_is_taken_is_told() {
    let listening = Listening::on("127.0.0.1:0", HEP_RATE);
    let again = HepListener::bind(listening.address.to_string().parse().unwrap(), HEP_RATE, BUFFER);
    let told = again.err().unwrap().to_string();
    assert!(told.contains("another program listens there already"), "{told}");
}
