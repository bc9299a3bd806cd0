//! What a policy and GB/T 28181 ask of devices: flows that miss it and flows that keep it.

use std::collections::BTreeSet;

use serde_json::Value;
use siplens::model::audit::{Audit, Device, Policy};

use crate::registrations::{judge, labels, siplens};
use crate::rules::analyze;
use crate::support::flow::Flow;

/// A script in which `devices` register at `times` (seconds), device n `stagger` times n later, for
/// `expires` seconds.
fn fleet(devices: u32, times: &[u32], stagger: u32, expires: u32) -> String {
    let mut starts: Vec<(u32, u32)> = Vec::new();
    for time in times {
        starts.extend((0..devices).map(|n| (time + n * stagger, n)));
    }
    starts.sort_unstable();
    let (mut script, mut now) = (String::new(), 0);
    for (time, n) in starts {
        if now < time {
            script += &format!("+{}s\n", time - now);
            now = time;
        }
        let contact = format!("Contact: <sip:d{n}@192.0.2.1:5060>;expires={expires}");
        script += &format!(
            "call d{n}\nalice > bob  REGISTER\n    To: <sip:d{n}@example.com>\n    \
             From: <sip:d{n}@example.com>;tag=f{n}\n    {contact}\nalice < bob  200\n    {contact}\n"
        );
    }
    script + "END +900s\n"
}

fn played_by(script: &str, policy: Policy) -> BTreeSet<String> {
    let model = analyze(&Flow::play(script).capture());
    labels(&judge(&model, policy)).into_keys().collect()
}

#[track_caller]
fn tells(label: &str, policy: &Policy, bad: &str, good: &str) {
    let (found, clean) = (played_by(bad, policy.clone()), played_by(good, policy.clone()));
    assert!(found.contains(label), "{label} is not in {found:?}");
    assert!(!clean.contains(label), "{label} is in {clean:?}");
}

#[test]
fn refreshes_of_a_fleet_in_step_are_a_herd_and_spread_ones_are_none() {
    let in_step = fleet(25, &[0, 1800, 3600], 0, 3600);
    tells("R018:herd", &Policy::default(), &in_step, &fleet(25, &[0, 1800, 3600], 72, 3600));
}

#[test]
fn bindings_of_many_devices_that_end_together_are_a_mass_loss() {
    let together = fleet(25, &[0], 0, 60);
    tells("R018:mass-loss", &Policy::default(), &together, &fleet(5, &[0], 0, 60));
}

#[test]
fn registrations_slower_than_the_policy_allows_are_told() {
    let policy = Policy { max_rrd: Some(siplens::time::SECOND), ..Policy::default() };
    let answered =
        |after: &str| format!("alice > bob  REGISTER\n{after}\nalice < bob  200\nEND +5s\n");
    tells("R020:slow", &policy, &answered("+2s"), &answered("+0.2s"));
}

#[test]
fn a_device_that_moves_to_another_address_is_told_and_one_that_stays_is_not() {
    let moved = |sender: &str| {
        let one = "REGISTER\n    To: <sip:one@example.com>\n    From: <sip:one@example.com>;tag=f\n    \
                   Contact: <sip:one@192.0.2.1:5060>;expires=3600\n";
        format!(
            "alice > bob  {one}alice < bob  200\n+60s\n{sender} > bob  {one}{sender} < bob  200\n\
             END +5s\n"
        )
    };
    tells("R011:source-changed", &Policy::default(), &moved("carol"), &moved("alice"));
}

#[test]
fn options_between_a_device_and_its_registrar_are_counted_either_way() {
    let phone = "REGISTER\n    To: <sip:one@example.com>\n    From: <sip:one@example.com>;tag=f\n    \
                 Contact: <sip:one@192.0.2.1:5060>;expires=3600\n";
    let asked = |n: u32, from: &str, answer: &str| {
        format!("+60s\ncall o{n}\nalice {from} bob  OPTIONS\n{answer}")
    };
    let script = [
        format!("call r\nalice > bob  {phone}alice < bob  200\n"),
        asked(1, "<", "alice > bob  200\n"),
        asked(2, "<", "alice > bob  404\n"),
        asked(3, "<", "alice > bob  200\n"),
        asked(4, "<", ""),
        asked(5, ">", "alice < bob  200\n"),
        // Nobody who registered, and somebody else's.
        "call o6\ncarol > bob  OPTIONS\ncarol < bob  200\n".to_owned(),
        asked(7, "<", "") + "END +20s\n",
    ]
    .concat();
    let audit = Audit::by(&analyze(&Flow::play(&script).capture()), Policy::default());
    let options = audit.device(0).unwrap().options.unwrap();
    assert_eq!((options.n, options.from_registrar), (6, 5));
    assert_eq!((options.answered, options.unanswered, options.pending), (4, 1, 1));
    let interval = options.interval.unwrap();
    assert_eq!(interval.n, 4);
    assert!((interval.p50 - 60.0).abs() < 1.0);
    assert!(audit.device(0).unwrap().keepalives.is_none());
    let quiet = format!("alice > bob  {phone}alice < bob  200\ncarol < bob  OPTIONS\nEND +90s\n");
    let audit = Audit::by(&analyze(&Flow::play(&quiet).capture()), Policy::default());
    assert_eq!(audit.device(0).unwrap().options, None);
}

#[test]
fn what_gb_28181_asks_of_a_registration_is_missed_and_seen() {
    use siplens::model::audit::Profile;
    let camera = |own: &str, answer: &str| {
        format!(
            "alice > bob  REGISTER\n    To: <sip:34020000001320000001@3402000000>\n    \
             From: <sip:34020000001320000001@3402000000>;tag=c\n{own}alice < bob  200\n{answer}END +5s\n"
        )
    };
    let policy = Policy { profile: Profile::Gb2022, ..Policy::default() };
    let version = camera("    X-GB-Ver: 3.0\n", "");
    tells("G002:version-missing", &policy, &camera("", ""), &version);
    let dated = camera("", "    Date: 2025-03-01T08:00:00.000\n");
    tells("G014:missing", &policy, &camera("", "    - Date\n"), &dated);
}

/// A camera whose keepalives come so many seconds apart.
fn beating(gaps: &[u32]) -> String {
    let own = "From: <sip:34020000001320000001@3402000000>;tag=b";
    let beat = |n: usize| {
        format!(
            "call beat{n}\nalice > bob  MESSAGE\n    {own}{n}\n    \
             body <Notify><CmdType>Keepalive</CmdType></Notify>\nalice < bob  200\n"
        )
    };
    let mut script = format!(
        "alice > bob  REGISTER\n    To: <sip:34020000001320000001@3402000000>\n    {own}0\n\
         alice < bob  200\n{}",
        beat(0)
    );
    for (at, gap) in gaps.iter().enumerate() {
        script += &format!("+{gap}s\n{}", beat(at + 1));
    }
    script + "END +5s\n"
}

#[test]
fn keepalives_are_held_against_the_interval_that_is_expected() {
    use siplens::rules::Severity;
    let policy = Policy { keepalive: Some(30_000_000_000), ..Policy::default() };
    tells("G004:off-target", &policy, &beating(&[60, 60]), &beating(&[30, 33]));
    let severity = |policy: Policy| {
        let found = judge(&analyze(&Flow::play(&beating(&[95, 95])).capture()), policy);
        let one = found.iter().find(|one| one.finding.rule.code == "G004").unwrap();
        one.finding.severity
    };
    assert_eq!(severity(policy), Severity::Warning);
    assert_eq!(severity(Policy::default()), Severity::Info, "nobody said what is expected");
}

/// The kinds of R020 that are told of an input as a whole.
fn notes_of_input(path: &str) -> Vec<(String, u64)> {
    let (_, out, err) = siplens(&[path, "--format", "json"]);
    let document: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{path}: {err}"));
    let findings = document["fleet"]["findings"].as_array().unwrap().iter();
    findings
        .filter(|one| one["code"] == "R020")
        .map(|one| {
            assert!(one["evidence"][0]["packet"].is_u64(), "{one}");
            (one["kind"].as_str().unwrap().to_owned(), one["count"].as_u64().unwrap())
        })
        .collect()
}

#[test]
fn records_of_another_length_than_they_name_are_told_and_those_without_fault_are_not() {
    for entry in std::fs::read_dir("tests/data/logs").unwrap() {
        let path = entry.unwrap().path();
        if path.file_stem().unwrap() != "tshark-V" {
            assert_eq!(notes_of_input(path.to_str().unwrap()), [], "{path:?}");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("seed.txt");
    let log = std::fs::read_to_string("tests/data/logs/02-seed-log.txt").unwrap();
    assert_eq!(log.matches("len: 394").count(), 2);
    std::fs::write(&path, log.replace("len: 394", "len: 397")).unwrap();
    assert_eq!(notes_of_input(path.to_str().unwrap()), [("length-mismatch".to_owned(), 2)]);
    let cut = log.replacen("Content-Length: 0\n\n", "2022/03/30 15:02:20 cut off\n", 1);
    assert_ne!(cut, log);
    std::fs::write(&path, cut).unwrap();
    let both = [("truncated".to_owned(), 1), ("length-mismatch".to_owned(), 1)];
    assert_eq!(notes_of_input(path.to_str().unwrap()), both);
}

/// A registered camera that sends `body`, then keepalives every 60 s.
fn reporting(body: &str) -> Device {
    let message = format!(
        "call told\nalice > bob  MESSAGE\n    \
         From: <sip:34020000001320000001@3402000000>;tag=t\n    body {body}\nalice < bob  200\n"
    );
    let script = beating(&[60, 60, 60]) + &message;
    let model = analyze(&Flow::play(&script).capture());
    let audit = Audit::by(&model, Policy::default());
    assert_eq!(audit.len(), 1);
    audit.device(0).unwrap()
}

#[test]
fn what_a_device_tells_of_its_clock_and_its_keepalives_is_taken_from_its_own_reports() {
    let config = |id: &str| {
        format!(
            "<Response><CmdType>ConfigDownload</CmdType><DeviceID>{id}</DeviceID><BasicParam>\
             <HeartBeatInterval>30</HeartBeatInterval><HeartBeatCount>5</HeartBeatCount>\
             </BasicParam></Response>"
        )
    };
    let device = reporting(&config("34020000001320000001"));
    assert_eq!((device.expected_keepalive(), device.keepalive_count()), (30_000_000_000, 5));
    let camera = reporting(&config("34020000001310000009"));
    assert_eq!((camera.heartbeat, camera.keepalive_count()), (None, 3), "of one behind a recorder");
    let status = |kind: &str, time: &str| {
        format!(
            "<{kind}><CmdType>DeviceStatus</CmdType><DeviceID>34020000001320000001</DeviceID>\
             <DeviceTime>{time}</DeviceTime></{kind}>"
        )
    };
    let device = reporting(&status("Response", "2025-03-01T08:00:00"));
    let (n, zone) = device.clock_skew.map(|skew| (skew.n, skew.p50)).unwrap();
    let utc = reporting(&status("Response", "2025-03-01T00:00:00Z"));
    assert_eq!((n, Some(zone)), (1, utc.clock_skew.map(|skew| skew.p50)), "08:00 in China");
    assert_eq!(reporting(&status("Query", "2025-03-01T08:00:00")).clock_skew, None);
}
