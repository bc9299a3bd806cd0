//! `walk LEVEL FILE [mmap|populate|read] [THREADS]`: how little work could an analysis of a pcap file be?
//!
//! LEVEL
//!   records  step over the record headers only
//!   udp      + decode Ethernet/IP/UDP, keep port 5060
//!   callid   + find the Call-ID line and hash its value       (the "physical limit" of one core)
//!   dialogs  + count messages per distinct Call-ID in a hash table
//!   fast     as parse, but with one vectorized pass for the line ends and dispatch on the first letter
//!   parse    + split every header line, pick Via branch, From/To tags, CSeq, Content-Length and
//!            keep a 48-byte summary of every message
//!
//! TCP streams on port 5060 are reassembled and framed by Content-Length, on one thread only.
//! Fragments, VLANs, pcapng ... are ignored: this is a yardstick, not an analyzer.

mod parse;
mod tcp;

use parse::{Summary, fast, parse};
use tcp::{Stream, receive, tcp_payload};

use memchr::memchr;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicUsize, Ordering};

const CHUNK: usize = 8 << 20;
const SLACK: usize = 1 << 19;

#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Level {
    Records,
    Udp,
    CallId,
    Dialogs,
    Parse,
    Fast,
}

#[derive(Default)]
struct Tally {
    packets: u64,
    messages: u64,
    sum: u64,
    table: Table,
    summaries: Vec<Summary>,
    streams: HashMap<u64, Stream>,
}

/// Open addressing, keyed by the 64-bit hash of the Call-ID.
#[derive(Default)]
struct Table {
    slots: Vec<(u64, u64)>,
    used: usize,
}

impl Table {
    fn add(&mut self, hash: u64, n: u64) -> u32 {
        if self.used * 2 >= self.slots.len() {
            let old = std::mem::replace(&mut self.slots, vec![]);
            self.slots = vec![(0, 0); (old.len() * 2).max(1 << 12)];
            self.used = 0;
            for (hash, n) in old {
                if n > 0 {
                    self.place(hash, n);
                }
            }
        }
        self.place(hash, n)
    }

    fn place(&mut self, hash: u64, n: u64) -> u32 {
        let mask = self.slots.len() - 1;
        let mut i = hash as usize & mask;
        loop {
            let slot = &mut self.slots[i];
            if slot.1 == 0 {
                *slot = (hash, n);
                self.used += 1;
                return i as u32;
            }
            if slot.0 == hash {
                slot.1 += n;
                return i as u32;
            }
            i = (i + 1) & mask;
        }
    }
}

#[inline]
fn hash(bytes: &[u8]) -> u64 {
    let mut h = 0x9E37_79B9_7F4A_7C15u64 ^ bytes.len() as u64;
    let mut chunks = bytes.chunks_exact(8);
    for c in &mut chunks {
        h = fold(h ^ u64::from_le_bytes(c.try_into().unwrap()));
    }
    let mut last = [0u8; 8];
    last[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
    fold(h ^ u64::from_le_bytes(last))
}

#[inline]
fn fold(x: u64) -> u64 {
    let m = u128::from(x) * 0xA076_1D64_78BD_642F;
    (m as u64) ^ (m >> 64) as u64
}

#[inline]
fn u32le(b: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(b[at..at + 4].try_into().unwrap())
}

/// The UDP payload of an Ethernet frame, if one of its ports is 5060.
#[inline]
fn sip_payload(frame: &[u8]) -> Option<(&[u8], u32)> {
    let at = match frame.get(12..14)? {
        [0x08, 0x00] if *frame.get(23)? == 17 => {
            if frame[20] & 0x3F != 0 || frame[21] != 0 {
                return None; // a fragment
            }
            14 + usize::from(frame[14] & 15) * 4
        }
        [0x86, 0xDD] if *frame.get(20)? == 17 => 54,
        _ => return None,
    };
    let udp = frame.get(at..at + 8)?;
    let ports = u32::from_be_bytes([udp[0], udp[1], udp[2], udp[3]]);
    let sip = ports >> 16 == 5060 || ports & 0xFFFF == 5060;
    sip.then(|| (&frame[at + 8..], ports))
}

#[inline]
fn call_id(payload: &[u8]) -> Option<&[u8]> {
    let mut rest = payload;
    while let Some(end) = memchr(b'\n', rest) {
        let line = &rest[..end];
        if line.len() > 9 && line[0] | 0x20 == b'c' && line[..8].eq_ignore_ascii_case(b"call-id:") {
            return Some(line[8..].trim_ascii());
        }
        if line.len() < 2 {
            return None;
        }
        rest = &rest[end + 1..];
    }
    None
}

fn after<'a>(line: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let at = memchr::memmem::find(line, key)? + key.len();
    let rest = &line[at..];
    let end =
        rest.iter().position(|b| matches!(b, b';' | b'\r' | b' ' | b',')).unwrap_or(rest.len());
    Some(&rest[..end])
}

fn number(bytes: &[u8]) -> u32 {
    bytes
        .trim_ascii()
        .iter()
        .take_while(|b| b.is_ascii_digit())
        .fold(0u32, |n, b| n.wrapping_mul(10).wrapping_add(u32::from(b - b'0')))
}

/// Walks the records that start in `data[from..to]`.
fn walk(data: &[u8], from: usize, to: usize, base: usize, level: Level, tally: &mut Tally) {
    let mut at = from;
    while at < to && at + 16 <= data.len() {
        let length = u32le(data, at + 8) as usize;
        let start = at + 16;
        at = start + length;
        tally.packets += 1;
        if level == Level::Records || at > data.len() {
            continue;
        }
        let time =
            u64::from(u32le(data, start - 16)) * 1_000_000 + u64::from(u32le(data, start - 12));
        if let Some((payload, ports)) = sip_payload(&data[start..at]) {
            message(payload, level, tally, time, ports, base + start);
        } else if let Some((payload, ports, seq, key)) = tcp_payload(&data[start..at]) {
            if level == Level::Udp || payload.is_empty() {
                continue;
            }
            let mut stream = std::mem::take(tally.streams.entry(key).or_default());
            receive(&mut stream, seq, payload, &mut |m| {
                message(m, level, tally, time, ports, base + start)
            });
            tally.streams.insert(key, stream);
        }
    }
}

#[inline]
fn message(payload: &[u8], level: Level, tally: &mut Tally, time: u64, ports: u32, start: usize) {
    match level {
        Level::CallId | Level::Dialogs => {
            let Some(id) = call_id(payload) else { return };
            let h = hash(id);
            tally.messages += 1;
            tally.sum ^= h;
            if level == Level::Dialogs {
                tally.table.add(h, 1);
            }
        }
        Level::Parse => parse(payload, tally, time, ports, start),
        Level::Fast => fast(payload, tally, time, ports, start),
        _ => tally.messages += 1,
    }
}

/// The first record at or after `from`: a place from which eight record headers in a row make sense.
fn resync(data: &[u8], from: usize) -> usize {
    let plausible = |at: usize| {
        let mut at = at;
        let mut last = 0;
        for _ in 0..8 {
            if at + 16 > data.len() {
                return at == data.len();
            }
            let (s, us, incl, orig) =
                (u32le(data, at), u32le(data, at + 4), u32le(data, at + 8), u32le(data, at + 12));
            let near = last == 0 || s.abs_diff(last) < 3600;
            if us >= 1_000_000 || incl > orig || orig > 262_144 || incl < 14 || !near {
                return false;
            }
            last = s;
            at += 16 + incl as usize;
        }
        true
    };
    (from..data.len()).find(|&at| plausible(at)).unwrap_or(data.len())
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let level = match args[1].as_str() {
        "records" => Level::Records,
        "udp" => Level::Udp,
        "callid" => Level::CallId,
        "dialogs" => Level::Dialogs,
        "parse" => Level::Parse,
        "fast" => Level::Fast,
        other => panic!("unknown level {other}"),
    };
    let file = File::open(&args[2]).unwrap();
    let size = file.metadata().unwrap().len() as usize;
    let mode = args.get(3).map_or("mmap", |s| s.as_str());
    let threads: usize = args.get(4).map_or(1, |s| s.parse().unwrap());

    let mapped: &[u8] = if mode == "read" {
        &[]
    } else {
        let flags = libc::MAP_PRIVATE | if mode == "populate" { libc::MAP_POPULATE } else { 0 };
        let p = unsafe {
            libc::mmap(std::ptr::null_mut(), size, libc::PROT_READ, flags, file.as_raw_fd(), 0)
        };
        assert!(p != libc::MAP_FAILED);
        unsafe { libc::madvise(p, size, libc::MADV_SEQUENTIAL) };
        unsafe { std::slice::from_raw_parts(p.cast::<u8>(), size) }
    };

    let next = AtomicUsize::new(0);
    let work = || {
        let mut tally = Tally::default();
        if mode == "read" && threads == 1 {
            sequential(&file, level, &mut tally);
            return tally;
        }
        let mut buffer = Vec::new();
        loop {
            let base = next.fetch_add(1, Ordering::Relaxed) * CHUNK;
            if base >= size {
                return tally;
            }
            let end = (base + CHUNK + SLACK).min(size);
            let data = if mode == "read" {
                buffer.resize(end - base, 0);
                file.read_exact_at(&mut buffer, base as u64).unwrap();
                &buffer[..]
            } else {
                &mapped[base..end]
            };
            let from = if base == 0 { 24 } else { resync(data, 0) };
            walk(data, from, CHUNK, base, level, &mut tally);
        }
    };
    let mut tallies: Vec<Tally> = std::thread::scope(|s| {
        let others: Vec<_> = (1..threads).map(|_| s.spawn(work)).collect();
        let mut all = vec![work()];
        all.extend(others.into_iter().map(|t| t.join().unwrap()));
        all
    });
    let mut total = tallies.remove(0);
    for t in tallies {
        total.packets += t.packets;
        total.messages += t.messages;
        total.sum ^= t.sum;
        for (hash, n) in t.table.slots {
            if n > 0 {
                total.table.add(hash, n);
            }
        }
    }
    println!(
        "packets {} messages {} dialogs {} checksum {:016x}",
        total.packets, total.messages, total.table.used, total.sum
    );
}

/// One thread, one buffer that stays in the cache, read from the start to the end.
fn sequential(file: &File, level: Level, tally: &mut Tally) {
    const SIZE: usize = 1 << 18;
    let mut buffer = vec![0u8; SIZE + SLACK];
    let (mut filled, mut base) = (0, 0u64);
    let mut from = 24;
    loop {
        let n = file.read_at(&mut buffer[filled..], base + filled as u64).unwrap();
        filled += n;
        // The last complete record.
        let mut end = from;
        let mut at = from;
        while at + 16 <= filled {
            at += 16 + u32le(&buffer, at + 8) as usize;
            if at <= filled {
                end = at;
            }
        }
        walk(&buffer[..filled], from, end, base as usize, level, tally);
        if n == 0 {
            return;
        }
        buffer.copy_within(end..filled, 0);
        base += end as u64;
        filled -= end;
        from = 0;
    }
}
