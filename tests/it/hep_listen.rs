//! What capture agents send to us is read as it is from captures, however noisy some of them are.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

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

/// Words of the completeness line that these tests prove: beyond the rate, beyond the connections.
pub(crate) const LOSSES: [&str; 2] = ["hep-rate", "hep-connections"];

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
        Self::with(HepListener::bind(address.parse().unwrap(), rate).unwrap())
    }

    fn with(listener: HepListener) -> Self {
        let address = listener.address();
        let captors = Vec::from(listener.captors(0));
        let live = Live::start(captors, vec!["hep".to_owned()], SHARES).unwrap();
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
            assert!(Instant::now() < until, "{:?} {:?} {:?}", self.calls, self.lost, self.notes);
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

#[cfg(target_os = "linux")]
#[test]
fn what_the_kernel_has_no_room_for_is_counted() {
    let listener = HepListener::bind("127.0.0.1:0".parse().unwrap(), HEP_RATE).unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let large = [&b"HEP3"[..], &[0xea, 0x60], &vec![0; 60_000 - 6]].concat();
    for _ in 0..2_000 {
        socket.send_to(&large, listener.address()).unwrap();
    }
    let mut listening = Listening::with(listener);
    listening.until(|it| !it.frames.is_empty());
    // The count comes with the next packet that there is room for.
    socket.send_to(&reported(1), listening.address).unwrap();
    listening.until(|it| it.calls.len() == 1);
    assert_eq!(listening.live.dropped() + listening.frames.len() as u64, 2_001);
    assert!(0 < listening.live.dropped());
}

#[test]
fn a_port_that_is_taken_is_told() {
    let listening = Listening::on("127.0.0.1:0", HEP_RATE);
    let again = HepListener::bind(listening.address.to_string().parse().unwrap(), HEP_RATE);
    let told = again.err().unwrap().to_string();
    assert!(told.contains("another program listens there already"), "{told}");
}
