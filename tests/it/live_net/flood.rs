//! Packets of whoever one likes to be, put on the wire as they are.

use pcap::{Active, Capture};

use super::stage::Place;
use crate::support::packet::{SYN, Tcp, ethernet, tcp, udp};

/// Puts frames on the wire from one of its ends.
pub struct Flood {
    capture: Capture<Active>,
}

impl Flood {
    pub fn new(place: &Place) -> Self {
        let open = || Capture::from_device(place.interface.as_str())?.snaplen(64).open();
        let mut capture = place.within(open).unwrap();
        // It only sends.
        capture.filter("less 1", true).unwrap();
        Self { capture }
    }

    /// Sends a packet, as soon as there is room for it.
    pub fn send(&mut self, packet: &[u8]) {
        let frame = ethernet(packet);
        while let Err(error) = self.capture.sendpacket(frame.as_slice()) {
            assert!(error.to_string().contains("buffer space"), "{error}");
            std::thread::yield_now();
        }
    }
}

/// A request that nobody answers; each has a Call-ID, a branch and a sender of its own.
pub fn options(number: u64) -> Vec<u8> {
    let from = stranger(number);
    request("OPTIONS", &from, &format!("flood-{number}"), number)
}

/// A request to the far end.
pub fn request(method: &str, from: &str, call_id: &str, branch: u64) -> Vec<u8> {
    let text = format!(
        "{method} sip:b@10.99.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK{branch}\r\n\
         From: <sip:x@{from}>;tag=x\r\nTo: <sip:b@10.99.0.2>\r\nCall-ID: {call_id}\r\n\
         CSeq: 1 {method}\r\nMax-Forwards: 70\r\nContact: <sip:x@{from}>\r\n\
         Content-Length: 0\r\n\r\n"
    );
    udp(from, "10.99.0.2:5060", text.as_bytes()).id(branch as u32).whole()
}

/// An endpoint that is on no wire (RFC 2544 gives 198.18.0.0/15 to benchmarks).
pub fn stranger(number: u64) -> String {
    let [.., a, b, c] = (number as u32 / 50_000).to_be_bytes();
    format!("198.{}.{b}.{c}:{}", 18 + (a & 1), 10_000 + number % 50_000)
}

/// The first segment of a connection that goes no further.
pub fn syn(from: &str) -> Vec<u8> {
    tcp(from, "10.99.0.2:5060", Tcp { seq: 1, ack: 0, flags: SYN, payload: &[] }).whole()
}

/// The first fragment of a datagram of which no other comes.
pub fn first_fragment(number: u64) -> Vec<u8> {
    let from = stranger(number / 50_000 * 50_000);
    let datagram = udp(&from, "10.99.0.2:5060", &[b'x'; 1_400]).id(number as u32);
    datagram.fragment(0, true, &datagram.payload[..1_280])
}
