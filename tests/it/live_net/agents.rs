//! Agents of HEP report calls while others flood the listener: with senders without number, and with
//! connections that never end what they begin.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream, UdpSocket};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::signal::Signal;

use super::floods::{ALLOWED, CALLS, GOOD, Gauge, MEMORY, many};
use super::stage::{Family, Stage};
use super::talk::{Carrier, Talk, Who};
use super::watcher::{eventually, live, metric};
use crate::hep::{chunk, report_of};
use crate::hep_listen::{tcp_from, until_taken};

/// Hosts that make connections, and how many each.
const HOSTS: u8 = 16;
const EACH: usize = 24;
/// Datagrams of a flood between two looks at whether they have been taken: what the kernel loses is
/// not the point.
const STEP: u64 = 500;

fn micros() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as u64
}

/// What an agent of `who`, calling from one of `ends` to the other, reports now.
fn reported(ends: [SocketAddrV4; 2], who: Who, text: &str) -> Vec<u8> {
    let [caller, callee] = ends;
    let ends = if who == Who::Caller { [caller, callee] } else { [callee, caller] };
    report_of(ends, 17, micros(), &chunk(15, text.as_bytes()))
}

/// Agents, and the calls they report.
struct Agents {
    datagrams: UdpSocket,
    connection: TcpStream,
    ends: [SocketAddrV4; 2],
    steps: Vec<(u64, u64, Who, String)>,
}

impl Agents {
    /// Reports what belongs to `slice`: calls in turn over UDP and over TCP.
    fn report(&mut self, slice: u64, to: SocketAddr) {
        while self.steps.first().is_some_and(|(at, ..)| *at <= slice) {
            let (_, number, who, text) = self.steps.remove(0);
            let report = reported(self.ends, who, &text);
            match number % 2 {
                0 => drop(self.datagrams.send_to(&report, to).unwrap()),
                _ => self.connection.write_all(&report).unwrap(),
            }
        }
    }
}

/// A request that nobody answers.
fn options(number: u64) -> String {
    format!(
        "OPTIONS sip:b@10.99.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP 198.18.0.1;branch=z9hG4bK{number}\r\n\
         From: <sip:x@198.18.0.1>;tag=x\r\nTo: <sip:b@10.99.0.2>\r\nCall-ID: flood-{number}\r\n\
         CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
}

#[test]
fn a_flood_of_hep_senders_costs_no_call_of_an_agent() {
    for mode in ["--list", "--check"] {
        let Some(stage) = Stage::new() else { return };
        let args = ["--hep-listen", "9060", "--memory", MEMORY, "--metrics", "9464", mode];
        let more = ["--format", "ndjson", "--filter", GOOD, "--allow-empty"];
        let live = live(&stage.near, &[&args[..], &more].concat());
        let gauge = Gauge::new(&live);
        let sent = stage.near.within(|| beside_flood(&stage));
        eventually("the flood to be read", || {
            let all = [
                "siplens_packets_total",
                "siplens_losses_total{reason=\"hep-overload\"}",
                "siplens_capture_drops_total",
            ];
            let come: u64 = all.iter().map(|name| metric(&stage.near, name)).sum();
            (sent <= come).then_some(())
        });
        let over = live.interrupt();
        let megabytes = gauge.peak() >> 20;
        println!("HEP {mode}: {megabytes} MB of private memory at most; {}", over.err());
        assert_eq!(over.code(), 130, "{}", over.err());
        assert!(!over.err().contains("dropped"), "{}", over.err());
        assert!(over.err().contains("hep-connections"), "{}", over.err());
        assert!(gauge.peak() <= ALLOWED, "{megabytes} MB of private memory");
        if mode == "--check" {
            assert_eq!(over.out(), "", "no violation");
            continue;
        }
        let rows = over.rows();
        let whole = |row: &&serde_json::Value| row["state"] == "completed" && row["messages"] == 7;
        let count = rows.iter().filter(whole).count() as u64;
        assert_eq!((count, rows.len() as u64), (CALLS, CALLS), "{}", over.out());
    }
}

#[test]
fn what_the_kernel_drops_of_hep_is_told_and_counted() {
    let Some(stage) = Stage::new() else { return };
    let args = ["--hep-listen", "9060", "--buffer", "64K", "--metrics", "9464", "--allow-empty"];
    let live = live(&stage.near, &args);
    live.signal(Signal::SIGSTOP);
    let to: SocketAddr = "127.0.0.1:9060".parse().unwrap();
    let ends = ["10.99.0.1:5070", "10.99.0.2:5060"].map(|end| end.parse().unwrap());
    let socket = stage.near.within(|| UdpSocket::bind("127.0.0.1:0").unwrap());
    for number in 0..1_000 {
        socket.send_to(&reported(ends, Who::Caller, &options(number)), to).unwrap();
    }
    live.signal(Signal::SIGCONT);
    let told = live.until_err("dropped by the kernel");
    assert!(told.contains("hep 127.0.0.1:9060: "), "{told}");
    assert!(told.contains("a larger --buffer helps"), "{told}");
    eventually("all to be counted", || {
        let dropped = metric(&stage.near, "siplens_capture_drops_total");
        (dropped + metric(&stage.near, "siplens_messages_total") == 1_000).then_some(())
    });
    let over = live.interrupt();
    assert!(over.err().contains(" dropped"), "{}", over.err());
}

/// Reports good calls beside a flood; how many datagrams came, all in all.
fn beside_flood(stage: &Stage) -> u64 {
    let to: SocketAddr = "127.0.0.1:9060".parse().unwrap();
    let talk = Talk::new(stage, Carrier::Udp, Family::V4, 5070);
    let mut agents = Agents {
        datagrams: UdpSocket::bind("127.0.0.9:0").unwrap(),
        connection: tcp_from(8, to),
        ends: ["10.99.0.1:5070", "10.99.0.2:5060"].map(|end| end.parse().unwrap()),
        steps: Vec::new(),
    };
    for number in 0..CALLS {
        let call = talk.call(&format!("good-{number}"));
        for ((who, text), after) in call.into_iter().zip([0, 0, 1, 5, 5, 100, 100]) {
            agents.steps.push((8 * number + after, number, who, text));
        }
    }
    agents.steps.sort_by_key(|(slice, ..)| *slice);
    // Who says nothing for long is closed.
    let first = reported(agents.ends, Who::Caller, &options(u64::MAX));
    agents.connection.write_all(&first).unwrap();
    // An agent is known once it was heard for a second. It does not send more than is read, as a
    // slow machine reads: what it has too much itself is not the flood's doing.
    let (mut said, since) = (1, Instant::now());
    while since.elapsed() < Duration::from_millis(1_500) {
        let text = options(u64::MAX - said);
        let report = reported(agents.ends, Who::Caller, &text);
        agents.datagrams.send_to(&report, to).unwrap();
        said += 1;
        eventually("the report to be read", || {
            (said <= metric(&stage.near, "siplens_packets_total")).then_some(())
        });
    }
    let unfinished = [&b"HEP3"[..], &[0xff; 2], &vec![0; 30_000]].concat();
    let slow = (0..HOSTS).flat_map(|host| (0..EACH).map(move |_| tcp_from(20 + host, to)));
    let slow: Vec<_> = slow
        .map(|mut stream| {
            // It may have been closed by now.
            let _ = stream.write_all(&unfinished);
            stream
        })
        .collect();
    let slices = 8 * CALLS + 110;
    for slice in 0..slices {
        agents.report(slice, to);
        for number in slice * many() / slices..(slice + 1) * many() / slices {
            let [.., a, b, c] = (number as u32).to_be_bytes();
            let from = UdpSocket::bind((Ipv4Addr::new(127, 64 + a, b, c), 0)).unwrap();
            let report = reported(agents.ends, Who::Caller, &options(number));
            from.send_to(&report, to).unwrap();
            if number % STEP == 0 {
                until_taken(to);
            }
        }
    }
    agents.report(u64::MAX, to);
    until_taken(to);
    drop(slow);
    said + many() + CALLS.div_ceil(2) * 7
}
