//! Every word of the completeness line is made once, and every word is documented.

use std::collections::BTreeSet;

use siplens::engine::parsed::Parsed;
use siplens::engine::{Feed, Plan, Reader, Stream, analyze};
use siplens::frame::Frame;
use siplens::limits::{Limits, REASONS, Tally};
use siplens::model::{CallFlow, Seed, Vantage};
use siplens::net::IcmpKind;
use siplens::transport::{Envelope, Observation, Signal, Transport};

use crate::carriage::{CLIENT, frames as tls_frames, pieces};
use crate::hep::{chunk, report};
use crate::program::run_on;
use crate::reader::{message, stream};
use crate::sctp::sctp;
use crate::support::packet::{SYN, Tcp, ethernet, ethernet_of, frame, ip, tcp, udp};
use crate::support::pcap::{Order, Pcap, PcapNg};
use crate::tls;
use crate::websocket::{UPGRADE, compressed, websocket};
use crate::wire::Wire;
use crate::{fleet, live_registrations};

const A: &str = "192.0.2.1:5060";
const B: &str = "192.0.2.2:5060";

/// What is counted as lost of `frames`, which are of this link type.
fn lost_of(link: u16, frames: &[Vec<u8>], key_log: &[u8]) -> Tally {
    let mut reader = Reader::new(&Limits::default());
    reader.add_secrets(key_log);
    for (at, bytes) in frames.iter().enumerate() {
        reader.read(&frame(at as u64 + 1, at as i64, link, bytes), &mut |_| {});
    }
    reader.finish(&mut |_| {});
    reader.tally().clone()
}

/// The octets of `parts`, one after the other, as a stream.
fn flowing(parts: &[&[u8]]) -> Vec<Vec<u8>> {
    stream(&parts.concat(), &[1_000])
}

fn with_another_suite() -> Vec<Vec<u8>> {
    let mut all = pieces("tls12_gcm128");
    let hello = &mut all[1].2;
    let at = hello.windows(2).position(|pair| pair == [0xc0, 0x2f]).unwrap();
    // AES-CCM.
    hello[at + 1] = 0xac;
    tls_frames(CLIENT, &all)
}

/// Losses that the reader of frames finds, each with frames that make it.
fn made_by_frames() -> Vec<(&'static str, Tally)> {
    let one = message(1, b"hello");
    let two = message(2, b"");
    let ether = |frames: &[Vec<u8>]| lost_of(1, frames, b"");
    let sent = |payload: &[u8]| ethernet(&udp(A, B, payload).whole());
    let cut_off = {
        let bytes = sent(&one);
        let cut = Frame { wire_len: bytes.len() as u32, ..frame(1, 0, 1, &bytes[..200]) };
        let mut reader = Reader::new(&Limits::default());
        reader.read(&cut, &mut |_| {});
        reader.tally().clone()
    };
    let mut holed = flowing(&[&message(1, &[b'x'; 4_000]), &two]);
    holed.remove(2);
    let nested = (0..20).fold(udp(A, B, &one).whole(), |bytes, _| {
        ip("198.51.100.1", "198.51.100.2", 4, bytes).whole()
    });
    let log = String::from_utf8(tls::key_log("tls13_aes128")).unwrap();
    let partial: Vec<&str> = log.lines().filter(|line| line.starts_with("CLIENT")).collect();
    let all = tls_frames(CLIENT, &pieces("tls13_aes128"));
    let turned = |line: &str| {
        let (line, end) = line.split_at(line.len() - 1);
        format!("{line}{}\n", if end == "0" { "1" } else { "0" })
    };
    let wrong: String = log.lines().map(turned).collect();
    let late = tls_frames(CLIENT, &pieces("tls12_gcm128")[4..]);
    let broken =
        [&compressed(std::slice::from_ref(&one), true)[..], &websocket(0xc1, &[0xff; 40], None)];
    vec![
        ("truncated", cut_off),
        ("tcp-gap", ether(&holed)),
        ("fragment-lost", ether(&[ethernet(&udp(A, B, &one).fragments(64)[0])])),
        ("encrypted", lost_of(1, &all, b"")),
        (
            "encrypted",
            ether(&[ethernet(&ip("192.0.2.1", "192.0.2.2", 50, vec![0x5a; 200]).whole())]),
        ),
        ("encrypted-partly", lost_of(1, &all, partial.join("\n").as_bytes())),
        ("encrypted-wrong-keys", lost_of(1, &all, wrong.as_bytes())),
        ("encrypted-no-handshake", ether(&late)),
        ("encrypted-unknown-cipher", ether(&with_another_suite())),
        ("ws-deflate", ether(&flowing(&[UPGRADE, broken[0], broken[1]]))),
        ("ws-desync", ether(&flowing(&[UPGRADE, &websocket(0x81, &one, None), &[0xff; 40]]))),
        ("hep-malformed", ether(&[sent(b"HEP3\0\x20\0\0\0\x01\0\x03abc")])),
        ("hep-inflate", ether(&[sent(&report(&chunk(16, b"no zlib")))])),
        ("hep-not-sip", ether(&[sent(&report(&chunk(15, b"{\"rtcp\":1}")))])),
        ("hep-clock", lost_of(1, &[sent(&report(&chunk(15, &one)))], b"")),
        ("sctp-gap", ether(&[sctp(2, 10, &one[..100])])),
        ("undecodable", ether(&[ethernet_of(0x0800, &[0x41; 40])])),
        ("unknown-link", lost_of(147, &[vec![0; 60]], b"")),
        ("too-deep", lost_of(101, &[nested], b"")),
        ("too-long", ether(&flowing(&[&message(1, &vec![b'x'; 300 << 10])]))),
        ("desync", ether(&flowing(&[&one, b"what is this?\r\n\r\n", &two]))),
        ("skipped-octets", ether(&flowing(&[&one, b"what is this?\r\n\r\n", &two]))),
    ]
}

/// Losses for want of room, each with a run that has little.
fn made_by_bounds() -> Vec<(&'static str, Tally)> {
    let one = message(1, b"hello");
    let sent = |payload: &[u8]| ethernet(&udp(A, B, payload).whole());
    vec![
        ("let-go", {
            let limits = Limits { fragments: 1, ..Limits::default() };
            let mut reader = Reader::new(&limits);
            for host in 1..4 {
                let packet =
                    [&[0x13, 0xc4, 0x13, 0xc4][..], &[0; 8], &[0, 2, 0, 20], &[0; 12], b"INVI"];
                let from = format!("192.0.2.{host}");
                let bytes = ethernet(&ip(&from, "192.0.2.9", 132, packet.concat()).whole());
                reader.read(&frame(host, 0, 1, &bytes), &mut |_| {});
            }
            reader.tally().clone()
        }),
        ("let-go-connections", {
            let mut reader = Reader::new(&Limits { streams: 2, ..Limits::default() });
            for host in 1..4 {
                let syn = Tcp { seq: 1, ack: 0, flags: SYN, payload: b"" };
                let bytes = ethernet(&tcp(&format!("192.0.2.{host}:5060"), B, syn).whole());
                reader.read(&frame(host, 0, 1, &bytes), &mut |_| {});
            }
            reader.tally().clone()
        }),
        ("let-go-hosts", {
            let mut reader = Reader::new(&Limits { names: 1, ..Limits::default() });
            for host in 1..4 {
                let bytes = ethernet(&udp(&format!("192.0.2.{host}:5060"), B, &one).whole());
                reader.read(&frame(host, 0, 1, &bytes), &mut |_| {});
            }
            reader.finish(&mut |_| {});
            reader.tally().clone()
        }),
        ("let-go-copies", {
            let mut stream = Stream::within(Seed(3), 1);
            for (envelope, text) in Wire::texts(
                "0 a>b OPTIONS id=one via=a1 from=f cseq=1
                 1 a>b OPTIONS id=two via=a2 from=f cseq=1",
            ) {
                let seen = Observation::Message { envelope, text: &text, home: None };
                stream.observe(Parsed::of(&seen));
            }
            stream.tally(Tally::default())
        }),
        ("hep-agents", {
            let mut reader = Reader::new(&Limits::default());
            for number in 0..300_u32 {
                let named = [chunk(19, &number.to_be_bytes()), chunk(15, &one)].concat();
                reader.read(&frame(1, 0, 1, &sent(&report(&named))), &mut |_| {});
            }
            reader.tally().clone()
        }),
        ("let-go-tls", {
            let mut reader = Reader::new(&Limits { tls: 1, ..Limits::default() });
            let both = ["192.0.2.1:40000", "192.0.2.1:40001"];
            let frames = both.map(|client| tls_frames(client, &pieces("tls13_aes128"))).concat();
            for bytes in &frames {
                reader.read(&frame(1, 0, 1, bytes), &mut |_| {});
            }
            reader.tally().clone()
        }),
    ]
}

/// Losses of whole inputs, each with a file that makes it.
fn made_by_files() -> Vec<(&'static str, Vec<u8>)> {
    let plain = Pcap::new().frame(1, 0, b"one").frame(2, 0, b"two").bytes;
    let mut corrupt = plain.clone();
    let second = corrupt.len() - 3 - 16;
    corrupt[second + 8..second + 12].fill(0x6e);
    let ng = || PcapNg::new(Order::Little).interface(1, 0, &[]);
    vec![
        ("file-cut", plain[..plain.len() - 1].to_vec()),
        ("file-corrupt", corrupt),
        ("unknown-interface", ng().packet(7, 0, b"x").bytes),
        ("unreadable", b"no capture, no log".to_vec()),
        ("dropped", ng().packet(0, 0, b"x").statistics(0, 5, 0).bytes),
    ]
}

/// One request, and more ICMP errors about it than may be kept.
struct Errors(u32);

impl Feed for Errors {
    fn advance(&mut self, each: &mut dyn FnMut(Observation<'_>)) -> bool {
        let (envelope, text) = Wire::texts("0 a>b OPTIONS id=one via=a1 from=f cseq=1").remove(0);
        if self.0 == 0 {
            each(Observation::Message { envelope, text: &text, home: None });
        } else {
            let signal = Signal {
                seq: u64::from(self.0),
                frame: envelope.frame,
                time: envelope.time,
                from: envelope.to,
                to: envelope.from,
                transport: Transport::Udp,
                connection: 0,
            };
            let (quoted_from, quoted_to) = (envelope.from, envelope.to);
            let kind = IcmpKind::PortUnreachable;
            each(Observation::Unreachable { signal, kind, quoted_from, quoted_to, quoted: &text });
        }
        self.0 += 1;
        self.0 < 20
    }

    fn vantage(&mut self) -> Vantage {
        Vantage::default()
    }

    fn tally(&self) -> Tally {
        Tally::default()
    }
}

/// As many calls as wanted, of each one message.
struct Calls {
    left: u32,
    envelope: Envelope,
    text: Vec<u8>,
}

impl Calls {
    fn new(left: u32) -> Self {
        let (envelope, _) = Wire::texts("0 a>b OPTIONS id=one via=a1 from=f cseq=1").remove(0);
        Self {
            left,
            envelope,
            text: b"OPTIONS sip:b SIP/2.0\r\nCall-ID: 00000000\r\n\r\n".to_vec(),
        }
    }
}

impl Feed for Calls {
    fn advance(&mut self, each: &mut dyn FnMut(Observation<'_>)) -> bool {
        let end = self.text.len() - 4;
        self.text[end - 8..end].copy_from_slice(format!("{:08x}", self.left).as_bytes());
        each(Observation::Message { envelope: self.envelope, text: &self.text, home: None });
        self.left -= 1;
        0 < self.left
    }

    fn vantage(&mut self) -> Vantage {
        Vantage::default()
    }

    fn tally(&self) -> Tally {
        Tally::default()
    }
}

fn analyzed(feed: &mut dyn Feed, limits: Limits) -> Tally {
    let plan = Plan { limits, jobs: 1, seed: Seed(3) };
    analyze(feed, &plan, &|_: &CallFlow| ()).model.tally
}

#[test]
fn the_completeness_line_names_each_loss_by_reason() {
    let mut made = BTreeSet::new();
    let losses = made_by_frames();
    let losses = losses
        .into_iter()
        .chain(made_by_bounds())
        .chain(fleet::losses())
        .chain(live_registrations::losses());
    for (word, tally) in losses {
        assert!(0 < *tally.lost.get(word).unwrap_or(&0), "{word}: {:?}", tally.lost);
        made.insert(word);
    }
    for (word, file) in made_by_files() {
        let run = run_on(&file, &["messages", "--allow-empty", "-"]);
        let line = run.err.lines().last().unwrap_or_default();
        assert!(
            line.contains(&format!("1 {word}")) || line.contains(&format!("5 {word}")),
            "{word}: {}",
            run.err
        );
        made.insert(word);
    }
    let few = Limits { flow_messages: 5, ..Limits::default() };
    let kept = analyzed(&mut Errors(0), few);
    assert_eq!(kept.lost.get("let-go-evidence"), Some(&14));
    let one = Limits { flows: 1, ..Limits::default() };
    let let_go = analyzed(&mut Calls::new((1 << 16) + 10), one);
    assert_eq!(let_go.lost.get("let-go-unreported"), Some(&9));
    let mut tally = Tally::default();
    (0..103).for_each(|n| tally.notice(n.to_string()));
    assert_eq!(tally.lost.get("notices"), Some(&3));
    made.extend(["let-go-evidence", "let-go-unreported", "notices"]);
    // Of calls that are followed no longer, the choosing of calls has a test of its own.
    made.insert("let-go-calls");
    #[cfg(all(feature = "live", unix))]
    made.extend(crate::hep_listen::LOSSES.into_iter().chain([crate::live_sources::LOSS]));

    let page = include_str!("../../docs/limits.md");
    let (_, words) = page.split_once("## Words of the completeness line").unwrap();
    let rows = words.lines().filter_map(|line| line.strip_prefix("| `"));
    let documented: BTreeSet<&str> = rows
        .flat_map(|row| row.split(" | ").next().unwrap().split('`').step_by(2))
        .filter(|word| !word.is_empty())
        .collect();
    assert_eq!(made, documented);
    assert_eq!(REASONS.iter().copied().collect::<BTreeSet<_>>(), documented);
}
