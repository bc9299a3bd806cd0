//! TLS captures of every kind of cipher suite open with their key log, and only with it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use siplens::net::connections::Side;
use siplens::transport::tls::{Connection, Event, Secrets, Verdict};

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls")
}

/// A TCP payload: client port, from the server?, octets.
type Segment = (u16, bool, Vec<u8>);

/// Those of a capture of loopback without loss.
pub(crate) fn segments(name: &str) -> Vec<Segment> {
    let file = std::fs::read(data().join(name).with_extension("pcap")).unwrap();
    let mut rest = &file[24..];
    let mut out = Vec::new();
    while let Some((head, tail)) = rest.split_at_checked(16) {
        let len = u32::from_le_bytes(head[8..12].try_into().unwrap()) as usize;
        let (frame, tail) = tail.split_at(len);
        rest = tail;
        let ip = &frame[14..];
        let total = u16::from_be_bytes([ip[2], ip[3]]) as usize;
        let tcp = &ip[20..total];
        let port = |at: usize| u16::from_be_bytes([tcp[at], tcp[at + 1]]);
        let payload = &tcp[(tcp[12] >> 4) as usize * 4..];
        let from_server = port(0) == 5061;
        let client = if from_server { port(2) } else { port(0) };
        if !payload.is_empty() {
            out.push((client, from_server, payload.to_vec()));
        }
    }
    out
}

#[derive(Default)]
struct Seen {
    text: [String; 2],
    gaps: usize,
    alerts: Vec<u8>,
    verdicts: Vec<Verdict>,
}

impl Seen {
    fn take(&mut self, event: &Event<'_>) {
        match *event {
            Event::Plain { side, bytes } => {
                self.text[side as usize].push_str(std::str::from_utf8(bytes).unwrap());
            }
            Event::Gap { .. } => self.gaps += 1,
            Event::Alert { description, .. } => self.alerts.push(description),
        }
    }
}

/// Feeds a capture, each segment in pieces of `piece` octets; `keep` says which segments arrive.
fn open(name: &str, log: &[u8], piece: usize, keep: impl Fn(usize) -> bool) -> Seen {
    let mut secrets = Secrets::default();
    secrets.log.add(log);
    open_with(name, &mut secrets, piece, |n| keep(n).then_some(()))
}

/// The same with `secrets`.
fn open_with(
    name: &str,
    secrets: &mut Secrets,
    piece: usize,
    keep: impl Fn(usize) -> Option<()>,
) -> Seen {
    let mut connections: Vec<(u16, Connection)> = Vec::new();
    let mut seen = Seen::default();
    for (n, (client, from_server, payload)) in segments(name).into_iter().enumerate() {
        if connections.iter().all(|(port, _)| *port != client) {
            connections.push((client, Connection::default()));
        }
        let connection = connections.iter_mut().find(|(port, _)| *port == client).unwrap();
        let connection = &mut connection.1;
        let side = if from_server { Side::Higher } else { Side::Lower };
        if keep(n).is_none() {
            connection.gap(side);
            continue;
        }
        for bytes in payload.chunks(piece) {
            connection.feed(secrets, side, bytes, &mut |event| seen.take(&event));
        }
    }
    for (_, connection) in &mut connections {
        connection.give_up(secrets, Side::Lower, &mut |event| seen.take(&event));
    }
    seen.verdicts = connections.iter().map(|(_, c)| c.verdict()).collect();
    seen
}

pub(crate) fn key_log(name: &str) -> Vec<u8> {
    std::fs::read(data().join(name).with_extension("keylog")).unwrap()
}

#[test]
fn a_connection_opens_with_secrets_that_are_written_after_what_they_open() {
    for name in names() {
        let wanted = open(&name, &key_log(&name), usize::MAX, |_| true);
        let count = segments(&name).len();
        for late in 0..=count {
            // The log grows when the segment number `late` has come.
            let now = Arc::new(AtomicUsize::new(0));
            let (clock, mut log) = (Arc::clone(&now), key_log(&name));
            let mut secrets = Secrets::default();
            secrets.grow(Box::new(move || {
                if clock.load(Ordering::Relaxed) < late {
                    Vec::new()
                } else {
                    std::mem::take(&mut log)
                }
            }));
            let seen = open_with(&name, &mut secrets, usize::MAX, |n| {
                now.store(n, Ordering::Relaxed);
                Some(())
            });
            let is_in_time = late < count;
            let lengths = |seen: &Seen| seen.text.each_ref().map(String::len);
            // What one connection waits for does not hold another up.
            let is_same = match wanted.verdicts.len() {
                1 => seen.text == wanted.text,
                _ => lengths(&seen) == lengths(&wanted),
            };
            assert_eq!(is_same, is_in_time, "{name} {late}");
            let shut = seen.verdicts.iter().all(|verdict| *verdict == Verdict::NoKeys);
            assert_eq!(shut, !is_in_time, "{name} {late}: {:?}", seen.verdicts);
        }
    }
}

#[test]
fn secrets_that_come_after_they_were_waited_for_are_neither_asked_for_nor_called_wrong() {
    let feed = |connection: &mut Connection, secrets: &mut Secrets, segments: &[&Segment]| {
        for (_, from_server, octets) in segments {
            let side = if *from_server { Side::Higher } else { Side::Lower };
            connection.feed(secrets, side, octets, &mut |_| ());
        }
    };
    let mut late = 0;
    for name in names() {
        let all = segments(&name);
        let of_one: Vec<_> = all.iter().filter(|(client, ..)| *client == all[0].0).collect();
        for given_up in 1..of_one.len() {
            let asked = Arc::new(AtomicUsize::new(0));
            let counter = Arc::clone(&asked);
            let asks = || asked.load(Ordering::Relaxed);
            let mut secrets = Secrets::default();
            secrets.grow(Box::new(move || {
                counter.fetch_add(1, Ordering::Relaxed);
                Vec::new()
            }));
            let mut connection = Connection::default();
            let (before, after) = of_one.split_at(given_up);
            feed(&mut connection, &mut secrets, before);
            // Once for each segment, and when the server answers.
            assert!(asks() <= given_up + 1, "{name} {given_up}");
            connection.give_up(&mut secrets, Side::Lower, &mut |_| ());
            // Another connection has asked.
            secrets.log.add(&key_log(&name));
            let (is_late, had_asked) = (connection.version().is_some(), asks());
            feed(&mut connection, &mut secrets, after);
            let wanted = if is_late { (0, Verdict::NoKeys) } else { (1, Verdict::Open) };
            assert_eq!((asks() - had_asked, connection.verdict()), wanted, "{name} {given_up}");
            late += usize::from(is_late);
        }
    }
    assert!(100 < late, "{late}");
}

fn names() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(data())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "pcap"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        // Those of WebSockets and of failures have tests of their own.
        .filter(|name| name.starts_with("tls"))
        .collect();
    names.sort();
    assert_eq!(names.len(), 24);
    names
}

#[test]
fn every_suite_opens_with_its_key_log_however_it_is_cut() {
    for name in names() {
        // A second connection resumes the first; early data is a request more.
        let requests = match name.as_str() {
            "tls13_early_data" => 7,
            name if name.contains("resumed") => 6,
            _ => 3,
        };
        let answers = requests / 3 * 3;
        for piece in [usize::MAX, 1, 7] {
            let seen = open(&name, &key_log(&name), piece, |_| true);
            assert_eq!(seen.text[0].matches("OPTIONS sip:").count(), requests, "{name}");
            assert_eq!(seen.text[1].matches("SIP/2.0 200 OK").count(), answers, "{name}");
            assert_eq!(seen.gaps, 0, "{name}");
            assert!(seen.verdicts.iter().all(|v| *v == Verdict::Open), "{name}");
        }
    }
}

#[test]
fn without_secrets_or_with_wrong_ones_nothing_comes_out() {
    for name in names() {
        let nothing = open(&name, b"", usize::MAX, |_| true);
        assert_eq!(nothing.text, ["", ""], "{name}");
        assert!(nothing.verdicts.iter().all(|v| *v == Verdict::NoKeys), "{name}");

        // The right connection, each secret with its last digit turned.
        let wrong: Vec<u8> = key_log(&name)
            .split(|&b| b == b'\n')
            .flat_map(|line| {
                let mut line = line.to_vec();
                if let Some(last) = line.last_mut() {
                    *last = if *last == b'0' { b'1' } else { b'0' };
                }
                line.push(b'\n');
                line
            })
            .collect();
        let wrong = open(&name, &wrong, usize::MAX, |_| true);
        assert_eq!(wrong.text, ["", ""], "{name}");
        assert!(wrong.verdicts.iter().all(|v| *v != Verdict::Open), "{name}");
        assert!(wrong.verdicts.contains(&Verdict::WrongKeys), "{name}");
    }
}

/// The lines of a key log of which `keep` says so.
fn part_of(log: &[u8], keep: impl Fn(&str) -> bool) -> Vec<u8> {
    let log = String::from_utf8(log.to_vec()).unwrap();
    log.lines().filter(|line| keep(line)).flat_map(|line| [line, "\n"]).collect::<String>().into()
}

#[test]
fn a_partial_key_log_opens_what_it_can_and_says_that_it_is_partial() {
    for name in ["tls13_aes128", "tls13_aes256", "tls13_chacha"] {
        let log = key_log(name);
        let open = |keep: &dyn Fn(&str) -> bool| open(name, &part_of(&log, keep), 500, |_| true);
        let count = |seen: &Seen| {
            let [forth, back] = &seen.text;
            (forth.matches("OPTIONS sip:").count(), back.matches("SIP/2.0 200 OK").count())
        };
        let client = open(&|line| line.starts_with("CLIENT"));
        assert_eq!((count(&client), client.verdicts), ((3, 0), vec![Verdict::Partly]), "{name}");
        let server = open(&|line| line.starts_with("SERVER"));
        assert_eq!((count(&server), server.verdicts), ((0, 3), vec![Verdict::Partly]), "{name}");
        let handshake = open(&|line| line.contains("HANDSHAKE"));
        assert_eq!(handshake.text, ["", ""], "{name}");
        assert_eq!(handshake.verdicts, [Verdict::Partly], "{name}");
        let traffic = open(&|line| line.contains("TRAFFIC_SECRET_0"));
        assert_eq!((count(&traffic), traffic.verdicts), ((3, 3), vec![Verdict::Open]), "{name}");
    }
}

#[test]
fn a_lost_segment_costs_its_own_records_only() {
    for name in ["tls13_aes128", "tls12_gcm128", "tls12_cbc_sha256_mte", "tls12_chacha"] {
        let all = segments(name);
        // The second request of the client.
        let requests: Vec<usize> = all
            .iter()
            .enumerate()
            .filter(|(_, (_, from_server, bytes))| {
                !from_server && bytes[0] == 23 && bytes.len() > 200
            })
            .map(|(n, _)| n)
            .collect();
        assert_eq!(requests.len(), 3, "{name}");
        let lost = requests[1];
        let seen = open(name, &key_log(name), usize::MAX, |n| n != lost);
        assert_eq!(seen.text[0].matches("OPTIONS sip:").count(), 2, "{name}");
        assert_eq!(seen.gaps, 1, "{name}");
        assert_eq!(seen.text[1].matches("SIP/2.0 200 OK").count(), 3, "{name}");
    }
}

#[test]
fn a_capture_that_begins_after_the_handshake_stays_shut() {
    let name = "tls12_gcm128";
    let seen = open(name, &key_log(name), usize::MAX, |n| n > 4);
    assert_eq!(seen.text, ["", ""]);
    assert_eq!(seen.verdicts, [Verdict::NoHandshake]);
}
