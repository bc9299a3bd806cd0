//! Damage: samples and messages with octets changed, cut, doubled and moved, through everything.
//!
//! The same damage in every run. `SIPLENS_MUTATIONS` raises the number of rounds, see `make mutate`.

use std::fs;
use std::time::{Duration, Instant};

use siplens::fuzz;

use crate::program::{root, run_on, sample, samples};

/// Rounds of each test unless the environment asks for more.
const ROUNDS: u64 = 300;
/// Octets of a sample that are damaged and read; the rest of a long one says nothing new.
const LONGEST: usize = 48 << 10;
/// No round may take longer, on the slowest machine and without optimization.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn damaged_captures_are_read_without_panic_or_hang() {
    let captures: Vec<Vec<u8>> =
        samples().iter().map(|name| fs::read(sample(name)).unwrap()).collect();
    let mut found = 0;
    damage(&captures, 7, |octets| found += fuzz::whole_capture(octets));
    assert!(0 < found, "no message survived: the damage is too great to test anything");
}

#[test]
fn damaged_messages_are_judged_and_drawn_without_panic_or_hang() {
    let flows: Vec<Vec<u8>> = samples().iter().map(|name| messages_of(name)).collect();
    let mut found = 0;
    damage(&flows, 11, |octets| found += fuzz::messages(octets));
    assert!(0 < found);
}

#[test]
fn seeds_of_the_fuzz_targets_are_read() {
    let run = |target: &str, body: &dyn Fn(&[u8])| {
        for entry in fs::read_dir(root().join("fuzz/seeds").join(target)).unwrap() {
            body(&fs::read(entry.unwrap().path()).unwrap());
        }
    };
    run("filter", &fuzz::filter);
    run("messages", &|octets| assert!(0 < fuzz::messages(octets)));
    run("whole_capture", &|octets| assert!(0 < fuzz::whole_capture(octets)));
}

#[test]
fn a_capture_cut_anywhere_loses_nothing_before_the_cut() {
    for name in ["call.pcap", "hold.pcapng.zst", "call-tcp.pcap.gz", "camera-95s.pcap"] {
        let whole = fs::read(sample(name)).unwrap();
        let mut before = 0;
        for at in (0..whole.len()).step_by(997) {
            let found = fuzz::whole_capture(&whole[..at]);
            assert!(before <= found, "{name} cut at {at}: {found} messages, {before} before");
            before = found;
        }
    }
}

#[test]
fn a_capture_cut_anywhere_shows_what_was_before_the_cut() {
    for name in samples() {
        let octets = fs::read(sample(&name)).unwrap();
        let whole = messages_in(&octets);
        let mut before = 0;
        for at in (1..8).map(|part| octets.len() * part / 8) {
            let mut shown = messages_in(&octets[..at]);
            // The message that the cut goes through is shown as far as it is there.
            if shown.last() != whole.get(shown.len().saturating_sub(1)) {
                shown.pop();
            }
            assert!(whole.starts_with(&shown), "{name} cut at {at}");
            assert!(before <= shown.len(), "{name} cut at {at}");
            before = shown.len();
        }
    }
}

/// Frame, what it is and Call-ID of the messages in a capture file.
fn messages_in(capture: &[u8]) -> Vec<String> {
    let run = run_on(capture, &["messages", "--format", "csv", "--allow-empty", "-q", "-"]);
    assert!(matches!(run.code, 0 | 3), "{} {}", run.code, run.err);
    run.out.lines().map(str::to_owned).collect()
}

/// The SIP of a sample as the octets between start lines and the end of the packet, roughly.
fn messages_of(name: &str) -> Vec<u8> {
    let octets = fs::read(sample(name)).unwrap();
    let mut all = Vec::new();
    for (at, _) in octets.windows(8).enumerate().filter(|(_, window)| *window == b"SIP/2.0\r") {
        let start =
            octets[..at].iter().rposition(|b| !(b' '..=b'~').contains(b)).map_or(0, |p| p + 1);
        let end = octets.len().min(at + 900);
        all.extend_from_slice(&octets[start..end]);
        all.extend_from_slice(fuzz::SEPARATOR);
        if LONGEST < all.len() {
            break;
        }
    }
    all
}

fn damage(originals: &[Vec<u8>], seed: u64, mut body: impl FnMut(&[u8])) {
    let rounds = std::env::var("SIPLENS_MUTATIONS").ok().and_then(|n| n.parse().ok());
    let mut dice = Dice(seed);
    for round in 0..rounds.unwrap_or(ROUNDS) {
        let original = &originals[dice.below(originals.len())];
        let mut octets = original[..original.len().min(LONGEST)].to_vec();
        for _ in 0..=dice.below(8) {
            dice.spoil(&mut octets, originals);
        }
        #[allow(clippy::disallowed_methods)] // The patience of whoever waits.
        let started = Instant::now();
        body(&octets);
        assert!(started.elapsed() < PATIENCE, "round {round} took {:?}", started.elapsed());
    }
}

/// Numbers that are the same in every run (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        if limit == 0 { 0 } else { (self.next() % limit as u64) as usize }
    }

    /// Damages `octets` in one of several ways.
    fn spoil(&mut self, octets: &mut Vec<u8>, others: &[Vec<u8>]) {
        const WORDS: &[&[u8]] = &[
            b"\xff\xff\xff\xff",
            b"\0\0\0\0",
            b"\x7f\xff\xff\xff",
            b"\r\n",
            b"\r\n\r\n",
            b"\n",
            b"SIP/2.0 200 OK\r\n",
            b"INVITE sip:a SIP/2.0\r\n",
            b"Content-Length: 99999999999999999999\r\n",
            b"l: -1\r\n",
            b"Via: ;;;,,,<<<>>>\"\r\n",
            b"CSeq: 4294967296 \r\n",
            b"Contact: *, <sip:\xc3\x28@[::::]:99999;;;=>;q=9\r\n",
            b"m=audio 99999999 RTP/AVP 0 0 0\r\n",
            b"\"",
            b"<",
            b"%",
            b"\\",
        ];
        let at = self.below(octets.len());
        let span = self.below(64.min(octets.len() - at) + 1);
        match self.below(8) {
            0 => octets.iter_mut().skip(at).take(1).for_each(|b| *b ^= 1 << self.below(8)),
            1 => octets.iter_mut().skip(at).take(1).for_each(|b| *b = self.next() as u8),
            2 => octets.truncate(at),
            3 => drop(octets.drain(at..at + span)),
            4 => {
                let piece = octets[at..at + span].to_vec();
                octets.splice(at..at, piece);
            }
            5 => {
                let word = WORDS[self.below(WORDS.len())];
                octets.splice(at..at, word.iter().copied());
            }
            6 => {
                let word = WORDS[self.below(WORDS.len())];
                let end = octets.len().min(at + word.len());
                octets.splice(at..end, word.iter().copied());
            }
            _ => {
                let other = &others[self.below(others.len())];
                let from = self.below(other.len());
                let piece = &other[from..other.len().min(from + 400)];
                octets.splice(at..at, piece.iter().copied());
            }
        }
    }
}
