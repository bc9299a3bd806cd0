//! Text logs of many programs yield the messages they were made from.

use std::path::Path;

use siplens::capture::text::{Calendar, Logged, Sides, TextLog};

/// The day and the zone the sample logs were written in.
const CALENDAR: Calendar = Calendar { offset: 8 * 3600, year: 2025, day: 20_148 };

fn read(name: &str) -> (Vec<Logged>, TextLog<std::io::BufReader<std::fs::File>>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/logs").join(name);
    let mut log =
        TextLog::new(std::io::BufReader::new(std::fs::File::open(path).unwrap()), CALENDAR);
    let mut all = Vec::new();
    while let Some(message) = log.next_message().unwrap() {
        all.push(message);
    }
    (all, log)
}

/// Message times in milliseconds after 2025-03-01 08:00:00 +08:00.
fn times(messages: &[Logged]) -> Vec<i64> {
    messages.iter().map(|m| (m.time.0 - 1_740_787_200_000_000_000) / 1_000_000).collect()
}

#[test]
fn each_format_gives_all_messages_with_the_times_it_has() {
    // Five registrations of four messages each, 30 s apart.
    let exact: Vec<i64> = (0..5).flat_map(|n| [0, 4, 20, 26].map(|ms| n * 30_000 + ms)).collect();
    let seconds: Vec<i64> = exact.iter().map(|ms| ms / 1000 * 1000).collect();
    for (name, times_wanted) in [
        ("asterisk-full.txt", &seconds),
        ("freeswitch-siptrace-new.txt", &exact),
        ("freeswitch-siptrace-old.txt", &exact),
        ("go-log-seed-style.txt", &seconds),
        ("kamailio-sipdump.data", &exact),
        ("logrus-gosip.log", &seconds),
        ("ngrep-byline.txt", &exact),
        ("pjsua.log", &exact),
        ("sipgrep.txt", &exact),
        ("sngrep-save.txt", &exact),
        ("tcpdump-A.txt", &exact),
        ("wvp-gb28181-pro.log", &exact),
    ] {
        let (messages, _) = read(name);
        assert_eq!(&times(&messages), times_wanted, "{name}");
        assert!(messages.iter().all(|m| !m.cut), "{name}");
    }
}

#[test]
fn a_log_of_one_side_is_known_as_such() {
    let (messages, log) = read("srs-sip-one-sided.log");
    assert_eq!(messages.len(), 10);
    assert_eq!((log.tally().received, log.tally().sides()), (10, Sides::Received));
    assert_eq!(log.tally().timeless, 0);
}

#[test]
fn a_dissection_tree_holds_no_messages() {
    assert_eq!(read("tshark-V.txt").0, []);
}

#[test]
fn the_camera_log_gives_three_registers_95_seconds_apart() {
    let (messages, _) = read("02-seed-log.txt");
    let gaps: Vec<i64> =
        messages.windows(2).map(|two| two[1].time.since(two[0].time) / 1_000_000_000).collect();
    assert_eq!(gaps, [95, 95]);
}

#[test]
fn the_command_reads_a_log_and_says_what_it_took_it_for() {
    let path = "tests/data/logs/srs-sip-one-sided.log";
    let run = crate::program::run(&["messages", "--utc", "--tz", "+08:00", path]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert_eq!(run.out.lines().count(), 10);
    assert!(run.out.contains("00:00:00.000000 192.0.2.21:5060 > unknown "), "{}", run.out);
    let note = "taken for a text log with 10 SIP messages in";
    assert!(run.err.contains(note), "{}", run.err);
    assert!(run.err.contains("one-sided, it holds only what was received"), "{}", run.err);
    assert!(run.err.contains("times with fractions of a second, in zone +08:00"), "{}", run.err);

    let run = crate::program::run(&["messages", "--format", "ndjson", path]);
    let row = r#""src":"192.0.2.21","sport":5060,"dst":null,"dport":null,"transport":"udp""#;
    assert!(run.out.lines().all(|line| line.contains(row)), "{}", run.out);
    for view in [&["list"][..], &["ladder"], &["ladder", "--lanes", "host:port"], &["check"]] {
        let run = crate::program::run(&[view, &[path]].concat());
        assert!(!run.out.contains("0.0.0.0"), "{view:?}\n{}", run.out);
    }
}

#[test]
fn a_dissection_tree_is_refused_with_a_hint_at_the_capture() {
    let run = crate::program::run(&["messages", "tests/data/logs/tshark-V.txt"]);
    assert_eq!(run.code, 3);
    assert!(run.err.contains("name the capture it was made from"), "{}", run.err);
}

#[test]
fn a_log_without_dates_says_what_stands_for_them() {
    let log = "10:00:00.000 received 300 bytes from UDP 192.0.2.21:5060\n\
               OPTIONS sip:b@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.21;branch=z9hG4bK1\r\n\
               From: <sip:a@192.0.2.21>;tag=1\r\nTo: <sip:b@192.0.2.1>\r\nCall-ID: one\r\n\
               CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";
    // Through a pipe there is no file whose age would tell.
    let run = crate::program::run_on(log.as_bytes(), &["messages", "--format", "json", "-"]);
    assert!(run.out.contains("\"time\":\"1970-01-01T10:00:00"), "{}", run.out);
    let note = "the date of its times is not in it and not known: 1970 stands for it";
    assert!(run.err.contains(note) && run.out.contains(note), "{} {}", run.err, run.out);

    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("a.log");
    std::fs::write(&path, log).unwrap();
    let run = crate::program::run(&["messages", path.to_str().unwrap()]);
    let note = "the date of its times is not in it and taken from the file's own";
    assert!(run.err.contains(note), "{}", run.err);
}
