//! Floods neither grow memory, nor end the run, nor cost the calls of others.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use super::flood::{Flood, first_fragment, options, request, stranger, syn};
use super::stage::{Family, Stage};
use super::talk::{Carrier, Talk, Who};
use super::watcher::{Over, Running, eventually, live, metric};
use crate::support::packet::udp;

/// What the whole program may hold, and the same in octets.
pub const MEMORY: &str = "32M";
pub const ALLOWED: u64 = 32 << 20;
/// The buffer of the kernel: a build for tests is slow, and what the flood loses is not the point.
const BUFFER: &str = "1G";
/// The way to show that needs no word: a line for each message.
const LINES: &str = "lines";
/// Which calls are shown.
pub const GOOD: &str = "call_id contains 'good-'";
/// Good calls beside the flood.
pub const CALLS: u64 = 50;

/// Packets of a flood.
pub fn many() -> u64 {
    if std::env::var_os("SIPLENS_FULL").is_some() { 1_000_000 } else { 30_000 }
}

/// Watches the private memory of a program until it is dropped.
pub struct Gauge {
    peak: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
}

impl Gauge {
    pub fn new(running: &Running) -> Self {
        let path = format!("/proc/{}/status", running.id());
        let gauge = Self { peak: Arc::default(), over: Arc::default() };
        let (peak, over) = (Arc::clone(&gauge.peak), Arc::clone(&gauge.over));
        thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let Ok(status) = fs::read_to_string(&path) else { break };
                let anonymous = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
                let Some(kilo) = anonymous.and_then(|rest| rest.split_whitespace().next()) else {
                    break;
                };
                peak.fetch_max(kilo.parse::<u64>().unwrap() << 10, Ordering::Relaxed);
                thread::sleep(Duration::from_millis(10));
            }
        });
        gauge
    }

    /// Octets at most, so far.
    pub fn peak(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }
}

impl Drop for Gauge {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// Good calls that begin one after the other while a flood goes on.
struct Calls {
    talk: Talk,
    steps: Vec<(u64, Who, String)>,
}

impl Calls {
    /// Calls that are spread over the slices of a flood: each rings after one slice, is answered
    /// after five and lasts for a hundred.
    fn new(stage: &Stage) -> Self {
        let talk = Talk::new(stage, Carrier::Udp, Family::V4, 5070);
        let mut steps = Vec::new();
        for number in 0..CALLS {
            let call = talk.call(&format!("good-{number}"));
            for ((who, text), after) in call.into_iter().zip([0, 0, 1, 5, 5, 100, 100]) {
                steps.push((8 * number + after, who, text));
            }
        }
        steps.sort_by_key(|(slice, ..)| *slice);
        Self { talk, steps }
    }

    /// How many slices they take.
    const SLICES: u64 = 8 * CALLS + 110;

    /// Says what belongs to `slice`.
    fn say(&mut self, slice: u64) {
        while self.steps.first().is_some_and(|(at, ..)| *at <= slice) {
            let (_, who, text) = self.steps.remove(0);
            self.talk.say(who, text.as_bytes());
        }
    }
}

/// Runs `packet` as a flood beside good calls, past a run of each of `modes`.
fn flood(
    what: &str,
    modes: &[&str],
    counted: impl Fn(&str) -> Option<&'static str>,
    packet: impl Fn(u64) -> Vec<u8>,
) {
    for &mode in modes {
        let Some(stage) = Stage::new() else { return };
        let mut args = vec!["--memory", MEMORY, "--buffer", BUFFER, "--metrics", "9464"];
        match mode {
            LINES => args.extend(["--filter", GOOD]),
            "--registrations" => args.push(mode),
            "--ladder" => args.extend([mode, "--filter", GOOD]),
            mode => args.extend([mode, "--format", "ndjson", "--filter", GOOD]),
        }
        args.push("--allow-empty");
        let live = live(&stage.near, &args);
        let gauge = Gauge::new(&live);
        let mut calls = Calls::new(&stage);
        let mut flood = Flood::new(&stage.near);
        let slices = Calls::SLICES;
        for slice in 0..slices {
            calls.say(slice);
            for number in slice * many() / slices..(slice + 1) * many() / slices {
                flood.send(&packet(number));
            }
        }
        calls.say(u64::MAX);
        let sent = many() + 7 * CALLS;
        eventually("the flood to be read", || {
            let (read, dropped) = (
                metric(&stage.near, "siplens_packets_total"),
                metric(&stage.near, "siplens_capture_drops_total"),
            );
            (sent <= read + dropped).then_some(())
        });
        let over = live.interrupt();
        assert_eq!(over.code(), 130, "{what}: {}", over.err());
        let counted = counted(mode);
        let megabytes = gauge.peak() >> 20;
        println!("{what} {mode}: {megabytes} MB of private memory at most; {}", over.err());
        assert!(!over.err().contains("dropped"), "{what}: {}", over.err());
        assert!(counted.is_none_or(|word| over.err().contains(word)), "{what}: {}", over.err());
        assert_good(what, mode, &over);
        assert!(gauge.peak() <= ALLOWED, "{what}: {megabytes} MB of private memory");
    }
}

/// All good calls are complete, or nothing is said of them.
fn assert_good(what: &str, mode: &str, over: &Over) {
    match mode {
        "--check" => return assert_eq!(over.out(), "", "{what}: no violation"),
        LINES => return assert_eq!(over.out().lines().count() as u64, 7 * CALLS, "{what}"),
        "--ladder" => {
            let ladders = over.out().matches("INVITE sip:").count() as u64;
            return assert!(CALLS <= ladders, "{what}: {ladders}");
        }
        "--registrations" => return,
        _ => {}
    }
    let rows = over.rows();
    let whole = |row: &&serde_json::Value| row["state"] == "completed" && row["messages"] == 7;
    let count = rows.iter().filter(whole).count() as u64;
    assert_eq!((count, rows.len() as u64), (CALLS, CALLS), "{what}: {}", over.out());
}

#[test]
fn a_flood_of_call_ids_costs_no_call() {
    let modes = ["--list", "--check", "--ladder", "--registrations", LINES];
    flood(
        "Call-IDs",
        &modes,
        |mode| matches!(mode, "--list" | "--check").then_some("let-go"),
        options,
    );
}

#[test]
fn a_flood_of_branches_in_one_call_id_costs_no_call() {
    flood(
        "branches",
        &["--list", "--check"],
        |_| Some("let-go"),
        |number| request("OPTIONS", "198.18.0.1:5060", "one-call-id", number),
    );
}

#[test]
fn a_flood_of_half_open_connections_costs_no_call() {
    flood(
        "SYNs",
        &["--list", "--check"],
        |_| Some("let-go-connections"),
        |number| syn(&stranger(number)),
    );
}

#[test]
fn a_flood_of_first_fragments_costs_no_call() {
    flood("first fragments", &["--list", "--check"], |_| Some("fragment-lost"), first_fragment);
}

#[test]
fn a_flood_of_invented_addresses_of_record_costs_no_call() {
    let modes = ["--list", "--registrations", LINES];
    flood(
        "REGISTERs",
        &modes,
        |_| None,
        |number| {
            let from = stranger(number);
            let text = format!(
                "REGISTER sip:10.99.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK{number}\r\n\
             From: <sip:{number}@10.99.0.2>;tag=x\r\nTo: <sip:{number}@10.99.0.2>\r\n\
             Call-ID: flood-{number}\r\nCSeq: 1 REGISTER\r\nContact: <sip:{number}@{from}>\r\n\
             Max-Forwards: 70\r\nExpires: 3600\r\nContent-Length: 0\r\n\r\n"
            );
            udp(&from, "10.99.0.2:5060", text.as_bytes()).id(number as u32).whole()
        },
    );
}
