//! Text logs of many programs yield the messages they were made from.

use std::path::Path;

use siplens::capture::text::{Calendar, Logged, TextLog};

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
    assert_eq!(log.tally().one_sided, 10);
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
