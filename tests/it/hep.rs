//! SIP in the reports of HEP agents.

use std::io::Write;
use std::net::SocketAddrV4;
use std::sync::Arc;

use siplens::engine::parsed::Parsed;
use siplens::engine::sift::Sift;
use siplens::engine::{Plan, Reader};
use siplens::limits::Limits;
use siplens::model::Seed;
use siplens::model::audit::lookout::Turn;
use siplens::model::audit::{Applicant, Past, Policy};
use siplens::time::Timestamp;
use siplens::transport::{Observation, Transport};

use crate::fleet::{Ask, REGISTRAR, Wire, host, register, terms};
use crate::reader::{A, message, run, stream};
use crate::support::packet::{ethernet, frame, udp};

/// A chunk of HEP version 3.
pub(crate) fn chunk(kind: u16, value: &[u8]) -> Vec<u8> {
    let len = value.len() as u16 + 6;
    [&[0, 0][..], &kind.to_be_bytes(), &len.to_be_bytes(), value].concat()
}

/// What an agent that saw `payload` on its way from 198.51.100.1 to 198.51.100.2 reports.
pub(crate) fn report(payload: &[u8]) -> Vec<u8> {
    let ends = ["198.51.100.1:5060", "198.51.100.2:5061"].map(|end| end.parse().unwrap());
    report_of(ends, 6, 1_700_000_000_250_000, payload)
}

/// The same of something that went from one of `ends` to the other, in what has the number `carrier`,
/// at `time`, microseconds since the epoch.
pub(crate) fn report_of(
    ends: [SocketAddrV4; 2],
    carrier: u8,
    time: u64,
    payload: &[u8],
) -> Vec<u8> {
    let [from, to] = ends;
    let (seconds, micros) = ((time / 1_000_000) as u32, (time % 1_000_000) as u32);
    let chunks = [
        chunk(1, &[2]),
        chunk(2, &[carrier]),
        chunk(3, &from.ip().octets()),
        chunk(4, &to.ip().octets()),
        chunk(7, &from.port().to_be_bytes()),
        chunk(8, &to.port().to_be_bytes()),
        chunk(9, &seconds.to_be_bytes()),
        chunk(10, &micros.to_be_bytes()),
        chunk(12, &[0, 0, 0, 7]),
        payload.to_vec(),
    ]
    .concat();
    let len = chunks.len() as u16 + 6;
    [b"HEP3", &len.to_be_bytes()[..], &chunks].concat()
}

/// Time, ends and transport of what came out.
fn envelopes(frames: &[Vec<u8>]) -> Vec<(i64, String, Transport)> {
    let mut reader = Reader::new(&Limits::default());
    let mut envelopes = Vec::new();
    for (at, bytes) in frames.iter().enumerate() {
        reader.read(&frame(at as u64 + 1, 1_700_000_001_000, 1, bytes), &mut |observation| {
            if let Observation::Message { envelope, .. } = observation {
                let ends = format!("{} > {}", envelope.from, envelope.to);
                envelopes.push((envelope.time.0 / 1_000_000, ends, envelope.transport));
            }
        });
    }
    envelopes
}

fn zlib(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_report_of_an_agent_is_the_message_it_saw() {
    let one = message(1, b"hello");
    let plain = report(&chunk(15, &one));
    let compressed = report(&chunk(16, &zlib(&one)));
    let sent = |payload: &[u8]| ethernet(&udp(A, "192.0.2.2:9060", payload).whole());
    let ends = "198.51.100.1:5060 > 198.51.100.2:5061".to_owned();
    let expected = (1_700_000_000_250, ends, Transport::Tcp);
    for frames in [
        vec![sent(&plain)],
        vec![sent(&compressed)],
        stream(&plain, &[33]),
        stream(&compressed, &[1000]),
    ] {
        assert_eq!(run(&frames).whole(), [&one]);
        assert_eq!(envelopes(&frames), std::slice::from_ref(&expected));
    }
    assert_eq!(run(&[sent(&report(&chunk(15, b"{\"rtcp\":1}")))]).lost, [("hep-not-sip", 1)]);
    let bomb = report(&chunk(16, &zlib(&vec![b' '; 5 << 20])));
    assert_eq!(run(&[sent(&bomb)]).lost, [("hep-inflate", 1)]);
}

#[test]
fn a_report_is_never_of_later_than_it_came_and_a_wrong_clock_is_named() {
    let bytes = ethernet(&udp(A, "192.0.2.2:9060", &report(&chunk(15, &message(1, b"x")))).whole());
    // When it says it was, in milliseconds.
    let own = 1_700_000_000_250;
    let read = |came: i64, limits: &Limits| {
        let (mut reader, mut time) = (Reader::new(limits), 0);
        reader.read(&frame(1, came, 1, &bytes), &mut |observation| {
            if let Observation::Message { envelope, .. } = observation {
                time = envelope.time.0 / 1_000_000;
            }
        });
        let wrong = reader.tally().lost.get("hep-clock").copied();
        (time, wrong.unwrap_or(0), reader.tally().notices.clone())
    };
    let (files, live) =
        (Limits::default(), Limits { report_delay: 30_000_000_000, ..Limits::default() });
    for (came, limits, time, wrong) in [
        (own + 40, &live, own, 0),
        // Its clock is behind, or its connection was: nobody can tell by one report.
        (own + 29_000, &live, own + 29_000, 0),
        (own + 31_000, &live, own + 31_000, 1),
        // A file may hold what another file is reported of.
        (own + 1_000_000_000, &files, own, 0),
        (own - 20, &files, own - 20, 0),
        (own - 4_000, &live, own - 4_000, 0),
        (own - 3_600_000, &files, own - 3_600_000, 1),
    ] {
        let (is, lost, notices) = read(came, limits);
        assert_eq!((is, lost, notices.len() as u64), (time, wrong, wrong), "came {}", came - own);
    }
    let (.., notices) = read(own - 3_600_000, &files);
    assert!(notices[0].contains("192.0.2.1: a clock that is 3600 s ahead of"), "{notices:?}");
}

#[test]
fn agents_are_believed_after_the_clock_here_was_set() {
    let limits = Limits { report_delay: 30_000_000_000, ..Limits::default() };
    let mut reader = Reader::new(&limits);
    let read = |reader: &mut Reader, own: i64, came: i64| {
        let ends = [A, "192.0.2.2:5060"].map(|end| end.parse().unwrap());
        let payload = chunk(15, &message(1, b"x"));
        let report = report_of(ends, 17, own.unsigned_abs() * 1_000, &payload);
        let bytes = ethernet(&udp(A, "192.0.2.2:9060", &report).whole());
        let mut time = 0;
        reader.read(&frame(1, came, 1, &bytes), &mut |observation| {
            if let Observation::Message { envelope, .. } = observation {
                time = envelope.time.0 / 1_000_000;
            }
        });
        time
    };
    let (noon, hour) = (1_700_000_000_000, 3_600_000);
    assert_eq!(read(&mut reader, noon, noon + 20), noon);
    // An hour forward; times go on as before.
    reader.set_clock(3_600_000_000_000);
    for second in 1..10 {
        let now = noon + second * 1_000;
        assert_eq!(read(&mut reader, now + hour, now + 20), now);
    }
    assert_eq!(reader.tally().lost.get("hep-clock"), None);
    assert!(reader.tally().notices.is_empty());
}

/// When lapses are told, seconds, of a camera that registers for a minute every 50 s, three times, and
/// since when; what it does is reported by an agent whose clock is `behind` by so many seconds, beside
/// one whose clock is right.
fn lapses(behind: i64) -> Vec<(i64, i64)> {
    let second = 1_000_000_000;
    let mut wire = Wire::default();
    for number in 0..3_i64 {
        let fields = "Contact: <sip:a@192.0.2.1>;expires=60\r\n";
        let ask = Ask { cseq: number as u32, ..register("a@example.com", "c", fields) };
        wire.ask(number * 50 * second, host(1), host(REGISTRAR), &ask, 200);
    }
    let own = wire.messages.into_iter().map(|(envelope, text)| {
        let ends = [envelope.from, envelope.to].map(|end| end.to_string().parse().unwrap());
        (envelope.time.0, "192.0.2.7:9060", behind, ends, text.into_bytes())
    });
    let ends = [A, "192.0.2.2:5060"].map(|end| end.parse().unwrap());
    let others = (0..300_i64)
        .map(|at| (at * second + 1, "192.0.2.8:9060", 0, ends, message(at as usize, b"x")));
    let mut all: Vec<_> = own.chain(others).collect();
    all.sort_by_key(|(time, ..)| *time);
    let limits = Limits { report_delay: 30 * second, ..Limits::default() };
    let policy = Arc::new(Policy::default());
    let policy = |_: &Applicant<'_>| Arc::clone(&policy);
    let plan = Plan { limits: limits.clone(), jobs: 1, seed: Seed(7) };
    let mut sift = Sift::live(&plan, terms(&policy), Past::default());
    let (mut reader, mut lapses) = (Reader::new(&limits), Vec::new());
    let noon = 1_700_000_000_000;
    for (number, (time, agent, behind, ends, text)) in all.into_iter().enumerate() {
        let came = noon + time / 1_000_000 + 20;
        let says = (noon * 1_000 + time / 1_000 - behind * 1_000_000).unsigned_abs();
        let report = report_of(ends, 17, says, &chunk(15, &text));
        let bytes = ethernet(&udp(agent, "192.0.2.2:9060", &report).whole());
        reader.read(&frame(number as u64 + 1, came, 1, &bytes), &mut |observation| {
            sift.observe(Parsed::of(&observation));
        });
        sift.advance(Timestamp(came * 1_000_000));
        while let Some(change) = sift.poll() {
            if let Turn::Lapse { from, .. } = change.turn {
                let seconds = |time: Timestamp| (time.0 - noon * 1_000_000) / second;
                lapses.push((seconds(change.time), seconds(from)));
            }
        }
    }
    lapses
}

#[test]
fn an_agent_that_is_behind_makes_no_device_lapse_that_registers_in_time() {
    // After the last time, and with the grace there is.
    for behind in [0, 20, -20, 3_600] {
        assert_eq!(lapses(behind), [(161, 160)], "{behind} s");
    }
}

#[test]
fn the_agent_of_a_report_is_its_path_by_number_and_name() {
    let named = [chunk(19, b"proxy-1\n"), chunk(15, &message(1, b"x"))].concat();
    for (payload, name) in [(named, "hep 7 proxy-1"), (chunk(15, &message(1, b"x")), "hep 7")] {
        let bytes = ethernet(&udp(A, "192.0.2.2:9060", &report(&payload)).whole());
        let mut reader = Reader::new(&Limits::default());
        let mut path = None;
        reader.read(&frame(1, 0, 1, &bytes), &mut |observation| {
            if let Observation::Message { envelope, .. } = observation {
                path = Some(envelope.path);
            }
        });
        assert_eq!(reader.path(path.unwrap()), name);
    }
}

#[test]
fn agents_without_number_are_held_in_bounds_and_counted() {
    let mut reader = Reader::new(&Limits::default());
    let mut paths = Vec::new();
    for number in 0..300_u64 {
        let name = format!("{number}-{}", "x".repeat(1_000));
        let named = [chunk(19, name.as_bytes()), chunk(15, &message(1, b"x"))].concat();
        let bytes = ethernet(&udp(A, "192.0.2.2:9060", &report(&named)).whole());
        reader.read(&frame(number + 1, 0, 1, &bytes), &mut |observation| {
            if let Observation::Message { envelope, .. } = observation {
                paths.push(envelope.path);
            }
        });
    }
    assert!(reader.path(paths[255]).starts_with("hep 7 255-xxx"));
    assert_eq!(reader.path(paths[256]), "one of many agents");
    assert_eq!(reader.path(paths[299]), "one of many agents");
    assert_eq!(reader.tally().lost.get("hep-agents"), Some(&44));
}

#[test]
fn reports_of_the_old_versions_are_read() {
    let one = message(1, b"");
    let head = [17, 0x13, 0xc4, 0x13, 0xc5, 198, 51, 100, 1, 198, 51, 100, 2];
    let first = [&[1, 16, 2][..], &head, &one].concat();
    let clock = [&1_700_000_000_u32.to_le_bytes()[..], &250_000_u32.to_le_bytes(), &[7, 0, 0, 0]];
    let second = [&[2, 28, 2][..], &head, &clock.concat(), &one].concat();
    let sent = |payload: &[u8]| ethernet(&udp(A, "192.0.2.2:9060", payload).whole());
    let ends = "198.51.100.1:5060 > 198.51.100.2:5061".to_owned();
    let expected = [
        (1_700_000_001_000, ends.clone(), Transport::Udp),
        (1_700_000_000_250, ends, Transport::Udp),
    ];
    assert_eq!(envelopes(&[sent(&first), sent(&second)]), expected);
}
