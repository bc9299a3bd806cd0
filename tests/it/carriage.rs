//! SIP over TLS, and over WebSocket in TLS, through the whole reader, however its segments are cut, moved, doubled and lost.

use proptest::collection::vec;
use proptest::prelude::*;
use siplens::engine::Reader;
use siplens::limits::Limits;
use siplens::transport::{Completeness, ConnectionChange, Observation, Transport};

use crate::support::packet::{ACK, SYN, Tcp, ethernet, frame, tcp};
use crate::tls;

const SERVER: &str = "192.0.2.2:5061";
/// One of each kind of protection, and what is special about TLS 1.3.
const CAPTURES: [&str; 11] = [
    "tls12_cbc_sha1_mte",
    "tls12_cbc_sha256_etm",
    "tls12_chacha",
    "tls12_gcm128",
    "tls13_aes128",
    "tls13_key_update",
    "tls13_hello_retry",
    "tls13_chacha",
    "wss_tls12",
    "wss_tls13",
    "wss_tls13_deflate",
];

/// A piece of one direction: from the server or not, first octet, octets.
pub(crate) type Piece = (bool, usize, Vec<u8>);

/// The segments of a capture with one connection.
pub(crate) fn pieces(name: &str) -> Vec<Piece> {
    let mut sent = [0, 0];
    let place = |(_, from_server, bytes): (u16, bool, Vec<u8>)| {
        let at = sent[usize::from(from_server)];
        sent[usize::from(from_server)] += bytes.len();
        (from_server, at, bytes)
    };
    tls::segments(name).into_iter().map(place).collect()
}

/// The same octets in pieces of `size`, in the same order.
fn cut(pieces: &[Piece], size: usize) -> Vec<Piece> {
    let cut_one = |(from_server, at, bytes): &Piece| -> Vec<Piece> {
        let parts = bytes.chunks(size).enumerate();
        parts.map(|(n, part)| (*from_server, at + n * size, part.to_vec())).collect()
    };
    pieces.iter().flat_map(cut_one).collect()
}

/// Frames of a connection from `client`: both SYN, then the pieces.
pub(crate) fn frames(client: &str, pieces: &[Piece]) -> Vec<Vec<u8>> {
    let one = |from_server: bool, seq: usize, flags: u8, payload: &[u8]| {
        let (from, to) = if from_server { (SERVER, client) } else { (client, SERVER) };
        let segment = Tcp { seq: seq as u32, ack: 0, flags, payload };
        ethernet(&tcp(from, to, segment).whole())
    };
    let opening = [one(false, 999, SYN, &[]), one(true, 999, SYN | ACK, &[])];
    let rest = pieces.iter().map(|(side, at, bytes)| one(*side, 1000 + at, ACK, bytes));
    opening.into_iter().chain(rest).collect()
}

/// What came out: whole messages, then parts, each sorted; and the counters of losses.
#[derive(Debug, Default, PartialEq)]
struct Got {
    whole: Vec<String>,
    parts: Vec<String>,
    lost: Vec<(&'static str, u64)>,
    notices: Vec<String>,
    is_wss: bool,
}

fn run(frames: &[Vec<u8>], key_log: &[u8], limits: &Limits) -> Got {
    let mut reader = Reader::new(limits);
    reader.add_secrets(key_log);
    let mut got = Got::default();
    let mut note = |observation: Observation<'_>| {
        let Observation::Message { envelope, text, .. } = observation else { return };
        assert!(matches!(envelope.transport, Transport::Tls | Transport::Wss));
        got.is_wss |= envelope.transport == Transport::Wss;
        let text = String::from_utf8_lossy(text).into_owned();
        match envelope.completeness {
            Completeness::Whole => got.whole.push(text),
            _ => got.parts.push(text),
        }
    };
    for (at, bytes) in frames.iter().enumerate() {
        reader.read(&frame(at as u64 + 1, at as i64, 1, bytes), &mut note);
    }
    reader.finish(&mut note);
    got.whole.sort();
    got.parts.sort();
    let tally = reader.tally();
    got.lost = tally.lost.iter().map(|(reason, count)| (*reason, *count)).collect();
    got.notices.clone_from(&tally.notices);
    got
}

pub(crate) const CLIENT: &str = "192.0.2.1:40000";

#[test]
fn connections_that_stay_shut_are_told_with_their_server_and_why() {
    let all = frames(CLIENT, &pieces("tls13_key_update"));
    let shut = run(&all, b"", &Limits::default());
    assert_eq!((shut.whole.len(), shut.lost), (0, vec![("encrypted", 1)]));
    let head = "1 TLS connection to 192.0.2.2:5061 (sip.example.test) stayed shut: ";
    assert_eq!(
        shut.notices,
        [format!("{head}no secrets for them; a key log (--keylog) opens them")]
    );

    let log = String::from_utf8(tls::key_log("tls13_key_update")).unwrap();
    let flip = |line: &str| match line.strip_suffix('0') {
        Some(rest) => format!("{rest}1"),
        None => format!("{}0", &line[..line.len() - 1]),
    };
    let wrong: Vec<String> = log.lines().filter(|line| !line.starts_with('#')).map(flip).collect();
    let wrong = run(&all, wrong.join("\n").as_bytes(), &Limits::default());
    assert_eq!((wrong.whole.len(), wrong.lost), (0, vec![("encrypted-wrong-keys", 1)]));
    let why = "the key log has secrets for them but they do not fit";
    assert_eq!(wrong.notices, [format!("{head}{why}")]);
}

#[test]
fn connections_that_fail_in_more_ways_than_are_told_one_by_one_are_counted() {
    let failed = |code: u8| {
        let mut all = pieces("tls13_aes128");
        all.truncate(1);
        all.push((true, 0, vec![21, 3, 3, 0, 2, 2, code]));
        frames(&format!("192.0.2.1:{}", 40_000 + usize::from(code)), &all)
    };
    let all: Vec<_> = (1..=35).flat_map(failed).collect();
    let mut notices = run(&all, b"", &Limits::default()).notices;
    assert_eq!(notices.len(), 33);
    assert_eq!(
        notices.pop().unwrap(),
        "3 more TLS connections failed or stayed shut; they are not told one by one"
    );
}

#[test]
fn a_handshake_that_fails_is_told_with_its_alert() {
    // The hello of the client, then the server does not know the name.
    let mut all = pieces("tls13_aes128");
    all.truncate(1);
    all.push((true, 0, vec![21, 3, 3, 0, 2, 2, 112]));
    let got = run(&frames(CLIENT, &all), b"", &Limits::default());
    assert_eq!(got.notices.len(), 1, "{:?}", got.notices);
    assert!(got.notices[0].ends_with(" failed: alert 112 unrecognized_name from the server"));
}

#[test]
fn an_alert_that_kills_a_connection_is_told_with_and_without_keys() {
    // The client takes the server for a stranger, before any data.
    let all = frames(CLIENT, &pieces("alert_tls12"));
    let got = run(&all, b"", &Limits::default());
    let head = "1 TLS connection to 192.0.2.2:5061 (sip.example.test) failed";
    assert_eq!(got.notices, [format!("{head}: alert 48 unknown_ca from the client")]);

    // The server wants a certificate and says so when the client already talks.
    let all = frames(CLIENT, &pieces("alert_tls13"));
    let mut reader = Reader::new(&Limits::default());
    reader.add_secrets(&tls::key_log("alert_tls13"));
    let (mut messages, mut alerts) = (0, Vec::new());
    for (at, bytes) in all.iter().enumerate() {
        reader.read(&frame(at as u64 + 1, 0, 1, bytes), &mut |observation| match observation {
            Observation::Message { .. } => messages += 1,
            Observation::Connection { signal, change: ConnectionChange::TlsAlert(code) } => {
                alerts.push((signal.from.to_string(), code));
            }
            _ => {}
        });
    }
    assert_eq!((messages, alerts), (1, vec![(SERVER.to_owned(), 116)]));
}

#[test]
fn an_encrypted_alert_before_any_data_is_told_as_such() {
    let mut all = pieces("tls12_gcm128");
    // Both hellos, the keys of the client; then the server ends it.
    all.truncate(3);
    let place = all.iter().filter(|(from_server, ..)| *from_server).map(|p| p.2.len()).sum();
    let alert = [&[20, 3, 3, 0, 1, 1, 21, 3, 3, 0, 26][..], &[0x5a; 26]].concat();
    all.push((true, place, alert));
    let got = run(&frames(CLIENT, &all), b"", &Limits::default());
    let told = "failed before any data: an encrypted alert from the server";
    assert_eq!(got.notices.len(), 1, "{:?}", got.notices);
    assert!(got.notices[0].ends_with(told), "{:?}", got.notices);
}

#[test]
fn a_key_log_of_other_connections_opens_those_and_counts_the_rest() {
    let names = ["tls12_gcm128", "tls13_aes128", "tls13_chacha"];
    let each: Vec<Vec<Vec<u8>>> = names
        .iter()
        .enumerate()
        .map(|(n, name)| frames(&format!("192.0.2.1:{}", 40_000 + n), &pieces(name)))
        .collect();
    let wrong = String::from_utf8(tls::key_log("tls13_chacha")).unwrap();
    let wrong: Vec<String> = wrong
        .lines()
        .map(|line| line.split_at(line.len() - 2))
        .map(|(line, end)| format!("{line}{}\n", if end == "00" { "01" } else { "00" }))
        .collect();
    let log = [tls::key_log("tls12_gcm128"), wrong.concat().into_bytes()].concat();
    let got = run(&each.concat(), &log, &Limits::default());
    assert_eq!((got.whole.len(), got.parts.len()), (6, 0));
    assert_eq!(got.lost, [("encrypted", 1), ("encrypted-wrong-keys", 1)]);
    assert_eq!(got.notices.len(), 2, "{:?}", got.notices);
}

#[test]
fn what_tls_connections_hold_counts_against_the_memory_allowed() {
    // A record that claims 16 KiB and never comes to its end, in many connections.
    let limits = Limits { memory: 8 << 20, ..Limits::default() };
    let mut reader = Reader::new(&limits);
    let hello = pieces("tls13_aes128").swap_remove(0).2;
    let record = [&[23, 3, 3, 0x40, 0][..], &[0; 1400]].concat();
    let mut number = 0;
    for client in 0..5_000 {
        let client = format!("192.0.2.1:{}", 1_024 + client);
        let all = [(false, 0, hello.clone()), (false, hello.len(), record.clone())];
        for bytes in frames(&client, &all) {
            number += 1;
            reader.read(&frame(number, 0, 1, &bytes), &mut |_| {});
        }
    }
    let open = reader.connections();
    // A quarter of the memory is for streams.
    assert!(open * 1_400 < 2 << 20 && 500 < open, "{open}");
}

#[test]
fn more_tls_connections_than_allowed_cost_the_oldest() {
    let name = "tls12_gcm128";
    let all = pieces(name);
    let limits = Limits { tls: 3, ..Limits::default() };
    let each: Vec<Vec<Vec<u8>>> =
        (0..10).map(|n| frames(&format!("192.0.2.1:{}", 40_000 + n), &all)).collect();
    // All of them side by side.
    let mixed: Vec<Vec<u8>> =
        (0..each[0].len()).flat_map(|at| each.iter().map(move |one| one[at].clone())).collect();
    let key_log = tls::key_log(name);
    let alone = run(&each[0], &key_log, &limits).whole.len();
    let got = run(&mixed, &key_log, &limits);
    assert_eq!(got.whole.len(), 3 * alone);
    assert!(got.lost.contains(&("let-go-tls", 7)), "{:?}", got.lost);
    // One after the other none is in the way of another that is still to be read.
    let got = run(&each.concat(), &key_log, &limits);
    assert_eq!(got.whole.len(), 10 * alone);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn any_cut_order_overlap_and_duplication_of_tls_gives_the_same_messages(
        name in prop::sample::select(&CAPTURES[..]),
        size in 20_usize..2000,
        extra in vec((any::<prop::sample::Index>(), 1_usize..300), 0..8),
        swaps in vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..12),
    ) {
        let key_log = tls::key_log(name);
        let whole = pieces(name);
        let wanted = run(&frames(CLIENT, &whole), &key_log, &Limits::default());
        prop_assert_eq!(wanted.whole.len(), 6);
        prop_assert_eq!(wanted.is_wss, name.starts_with("wss"));
        let mut parts = cut(&whole, size);
        for (which, length) in extra {
            // A piece again, longer or shorter than it was.
            let (side, at, _) = &parts[which.index(parts.len())];
            let stream: Vec<u8> =
                whole.iter().filter(|p| p.0 == *side).flat_map(|p| p.2.clone()).collect();
            let end = (at + length).min(stream.len());
            let again = (*side, *at, stream[*at..end].to_vec());
            parts.push(again);
        }
        for (a, b) in swaps {
            let (a, b) = (a.index(parts.len()), b.index(parts.len()));
            parts.swap(a, b);
        }
        let got = run(&frames(CLIENT, &parts), &key_log, &Limits::default());
        prop_assert_eq!(got, wanted);
    }

    #[test]
    fn loss_under_tls_never_yields_a_message_that_was_not_sent(
        name in prop::sample::select(&CAPTURES[..]),
        size in 20_usize..800,
        lost in vec(any::<prop::sample::Index>(), 1..4),
    ) {
        let key_log = tls::key_log(name);
        let whole = pieces(name);
        let sent = run(&frames(CLIENT, &whole), &key_log, &Limits::default()).whole;
        let mut parts = cut(&whole, size);
        for lost in lost {
            parts.remove(lost.index(parts.len()));
        }
        let got = run(&frames(CLIENT, &parts), &key_log, &Limits::default());
        for text in &got.whole {
            prop_assert!(sent.contains(text), "{}", text);
        }
        for text in &got.parts {
            prop_assert!(sent.iter().any(|sent| sent.starts_with(text)), "{}", text);
        }
    }
}
