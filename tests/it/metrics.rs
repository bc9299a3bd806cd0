//! The numbers of a live run: valid text whatever strangers send, served within bounds.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use siplens::cli::live::metrics::{Listener, Page};
use siplens::model::audit::lookout::Counts;
use siplens::model::audit::lookout::counts::Alarms;
use siplens::time::Timestamp;
use siplens::view::live::metrics::{
    Attempts, CONTENT_TYPE, Drops, Exposition, Registrar, Registrations, Snapshot,
};

use crate::program::run_on;
use crate::support::packet::{ethernet, udp};
use crate::support::pcap::Pcap;

/// One line with a number.
#[derive(Debug, PartialEq)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

/// Reads a page as the specification of the text format has it, and takes nothing else.
fn read(page: &str) -> Vec<Sample> {
    assert!(page.ends_with("# EOF\n"), "{page}");
    let mut samples: Vec<Sample> = Vec::new();
    let mut family: Option<(String, String)> = None;
    let mut seen = BTreeSet::new();
    let mut series = BTreeSet::new();
    let mut helped = None;
    for line in page.strip_suffix("# EOF\n").unwrap().split_inclusive('\n') {
        let line = line.strip_suffix('\n').unwrap();
        assert!(line.chars().all(|c| c.is_ascii_graphic() || c == ' '), "{line:?}");
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, text) = help.split_once(' ').unwrap();
            assert!(seen.insert(name.to_owned()), "twice: {name}");
            assert!(!text.is_empty() && !text.contains('\\'));
            helped = Some(name.to_owned());
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert_eq!(helped.as_deref(), Some(name), "type without help");
            family = Some((name.to_owned(), kind.to_owned()));
        } else {
            let sample = sample(line);
            let (name, kind) = family.as_ref().expect("a sample outside a family");
            let suffix = sample.name.strip_prefix(name.as_str()).expect("of another family");
            let allowed: &[&str] = match kind.as_str() {
                "counter" => &["_total"],
                "gauge" => &[""],
                "histogram" => &["_sum", "_count", "_bucket"],
                other => panic!("{other}"),
            };
            assert!(allowed.contains(&suffix), "{line}");
            assert!(series.insert((sample.name.clone(), sample.labels.clone())), "twice: {line}");
            samples.push(sample);
        }
    }
    samples
}

fn sample(line: &str) -> Sample {
    let end = line.find(['{', ' ']).unwrap();
    let (name, mut rest) = line.split_at(end);
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    assert!(name.starts_with("siplens_") && name.chars().all(is_name), "{name}");
    let mut labels = BTreeMap::new();
    if let Some(mut list) = rest.strip_prefix('{') {
        loop {
            let (label, value) = list.split_once("=\"").unwrap();
            assert!(label.chars().all(is_name), "{line}");
            let (value, after) = unquoted(value);
            assert!(labels.insert(label.to_owned(), value).is_none(), "{line}");
            match after.split_at(1) {
                (",", more) => list = more,
                ("}", end) => break rest = end,
                _ => panic!("{line}"),
            }
        }
    }
    let value = rest.strip_prefix(' ').unwrap().parse().unwrap();
    Sample { name: name.to_owned(), labels, value }
}

/// A label value, and what follows its closing quote.
fn unquoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut places = text.char_indices();
    while let Some((at, c)) = places.next() {
        match c {
            '"' => return (value, &text[at + 1..]),
            '\\' => match places.next().unwrap().1 {
                'n' => value.push('\n'),
                c @ ('\\' | '"') => value.push(c),
                c => panic!("\\{c}"),
            },
            c => value.push(c),
        }
    }
    panic!("no end: {text}")
}

fn value(samples: &[Sample], name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    samples.iter().find(|own| own.name == name && own.labels == labels).map(|own| own.value)
}

fn total(samples: &[Sample], name: &str) -> u64 {
    samples.iter().filter(|sample| sample.name == name).map(|sample| sample.value as u64).sum()
}

/// Name, labels and value of a sample.
type Expected<'a> = (&'a str, &'a [(&'a str, &'a str)], f64);

/// Numbers of every kind.
fn snapshot() -> Snapshot {
    let mut registrar = Registrar {
        devices: [("live", 7), ("offline", 1)].into(),
        lapses: [("no-refresh".to_owned(), 2)].into(),
        lapsed_seconds: 61.5,
        stale_challenges: 3,
        challenges: 40,
        keepalives: [("answered", 90), ("unanswered", 2)].into(),
        ..Registrar::default()
    };
    let ok = Attempts { kind: "refresh", outcome: "ok", code: Some(200) };
    let timeout = Attempts { kind: "initial", outcome: "timeout", code: None };
    registrar.attempts = [(ok, 12), (timeout, 1)].into();
    for delay in [0.004, 0.005, 0.3, 99.0, f64::NAN] {
        registrar.request_delay.observe(delay);
    }
    registrar.refresh_ratio.observe(0.5);
    Snapshot {
        packets: 1_000,
        octets: 500_000,
        latest: Some(1_795_000_000.25),
        messages: [("udp", 400), ("tcp", 20)].into(),
        requests: [("INVITE".to_owned(), 10), ("REGISTER".to_owned(), 200)].into(),
        responses: [(1, 10), (2, 190), (4, 10)].into(),
        drops: [("eth0".to_owned(), Drops { by_kernel: 5, by_interface: 1 })].into(),
        losses: [("tcp-gap", 3)].into(),
        flows: 12,
        held: 65_536,
        unwritten: 2,
        queue: 100,
        registrations: Some(Registrations {
            registrars: [("lab.example".to_owned(), registrar)].into(),
            keepalive_timeouts: 1,
            flow_changes: [("port", 2)].into(),
            storm: true,
            findings: [(("R006", "error"), 2)].into(),
        }),
    }
}

#[test]
fn every_number_is_shown_under_its_name_and_labels() {
    let samples = read(&Exposition::default().render(&snapshot()));
    let lab = ("registrar", "lab.example");
    let expected: &[Expected] = &[
        ("siplens_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1.0),
        ("siplens_packets_total", &[], 1_000.0),
        ("siplens_packet_bytes_total", &[], 500_000.0),
        ("siplens_latest_packet_timestamp_seconds", &[], 1_795_000_000.25),
        ("siplens_messages_total", &[("transport", "udp")], 400.0),
        ("siplens_requests_total", &[("method", "REGISTER")], 200.0),
        ("siplens_responses_total", &[("class", "2xx")], 190.0),
        ("siplens_capture_drops_total", &[("interface", "eth0"), ("by", "kernel")], 5.0),
        ("siplens_capture_drops_total", &[("interface", "eth0"), ("by", "interface")], 1.0),
        ("siplens_losses_total", &[("reason", "tcp-gap")], 3.0),
        ("siplens_flows", &[], 12.0),
        ("siplens_held_bytes", &[], 65_536.0),
        ("siplens_unwritten_packets_total", &[], 2.0),
        ("siplens_queue_bytes", &[], 100.0),
        ("siplens_reg_devices", &[lab, ("state", "live")], 7.0),
        (
            "siplens_reg_attempts_total",
            &[lab, ("kind", "refresh"), ("outcome", "ok"), ("code", "200")],
            12.0,
        ),
        (
            "siplens_reg_attempts_total",
            &[lab, ("kind", "initial"), ("outcome", "timeout"), ("code", "")],
            1.0,
        ),
        ("siplens_reg_request_delay_seconds_count", &[lab], 4.0),
        ("siplens_reg_request_delay_seconds_sum", &[lab], 99.309),
        ("siplens_reg_request_delay_seconds_bucket", &[lab, ("le", "0.005")], 2.0),
        ("siplens_reg_request_delay_seconds_bucket", &[lab, ("le", "32.0")], 3.0),
        ("siplens_reg_request_delay_seconds_bucket", &[lab, ("le", "+Inf")], 4.0),
        ("siplens_reg_refresh_ratio_bucket", &[lab, ("le", "0.5")], 1.0),
        ("siplens_reg_lapses_total", &[lab, ("cause", "no-refresh")], 2.0),
        ("siplens_reg_lapsed_seconds_total", &[lab], 61.5),
        ("siplens_reg_challenges_total", &[lab, ("stale", "true")], 3.0),
        ("siplens_reg_challenges_total", &[lab, ("stale", "false")], 40.0),
        ("siplens_reg_keepalives_total", &[lab, ("result", "unanswered")], 2.0),
        ("siplens_reg_keepalive_timeouts_total", &[], 1.0),
        ("siplens_reg_flow_changes_total", &[("kind", "port")], 2.0),
        ("siplens_reg_storm", &[], 1.0),
        ("siplens_reg_findings", &[("rule", "R006"), ("severity", "error")], 2.0),
    ];
    for (name, labels, wanted) in expected {
        let found = value(&samples, name, labels).unwrap_or_else(|| panic!("{name} {labels:?}"));
        assert!((found - wanted).abs() < 1e-9, "{name} {labels:?}: {found}");
    }
}

#[test]
fn a_run_without_audit_shows_no_numbers_of_registrations() {
    let samples = read(&Exposition::default().render(&Snapshot::default()));
    assert_eq!(value(&samples, "siplens_packets_total", &[]), Some(0.0));
    assert!(samples.iter().all(|sample| !sample.name.starts_with("siplens_reg_")));
}

#[test]
fn findings_that_hold_are_shown_by_rule_before_there_are_any_too() {
    let shown = |counts: &Counts| {
        let registrations = Some(Registrations::of(counts, Timestamp::default()));
        let snapshot = Snapshot { registrations, ..Snapshot::default() };
        let samples = read(&Exposition::default().render(&snapshot));
        let own = samples.into_iter().filter(|sample| sample.name == "siplens_reg_findings");
        own.map(|mut sample| {
            assert_eq!(sample.labels.remove("severity").as_deref(), Some("error"));
            (sample.labels["rule"].clone(), sample.value as u64)
        })
        .collect::<Vec<_>>()
    };
    let named = |counts: [u64; 5]| {
        let rules = ["G005", "R006", "R007", "R013", "R018"].map(str::to_owned);
        rules.into_iter().zip(counts).collect::<Vec<_>>()
    };
    assert_eq!(shown(&Counts::default()), named([0; 5]));
    let alarms = Alarms { lapsed: 2, overdue: 3, failing: 4, offline: 5 };
    let counts = Counts { alarms, storm: true, ..Counts::default() };
    assert_eq!(shown(&counts), named([5, 2, 4, 3, 1]));
}

#[test]
fn what_an_alert_may_ask_for_is_there_before_it_happens() {
    let quiet = Snapshot {
        drops: [("eth0".to_owned(), Drops::default())].into(),
        registrations: Some(Registrations {
            registrars: [("lab.example".to_owned(), Registrar::default())].into(),
            ..Registrations::default()
        }),
        ..Snapshot::default()
    };
    let samples = read(&Exposition::default().render(&quiet));
    let lab = ("registrar", "lab.example");
    let known: &[(&str, &[(&str, &str)])] = &[
        ("siplens_capture_drops_total", &[("interface", "eth0"), ("by", "kernel")]),
        ("siplens_losses_total", &[("reason", "dropped")]),
        ("siplens_losses_total", &[("reason", "let-go")]),
        ("siplens_messages_total", &[("transport", "tls")]),
        ("siplens_requests_total", &[("method", "REGISTER")]),
        ("siplens_responses_total", &[("class", "5xx")]),
        ("siplens_unwritten_packets_total", &[]),
        ("siplens_reg_devices", &[lab, ("state", "offline")]),
        ("siplens_reg_lapses_total", &[lab, ("cause", "no-refresh")]),
        ("siplens_reg_storm", &[]),
    ];
    for (name, labels) in known {
        assert_eq!(value(&samples, name, labels), Some(0.0), "{name} {labels:?}");
    }
}

#[test]
fn names_of_strangers_neither_break_the_page_nor_add_to_it_without_bound() {
    let hostile = |number: u32| {
        let tail = ["\"} 1\nsiplens_evil 1\n", "\0\u{1b}[2J", "\\", "\u{202e}é", "\r\n# EOF\n"];
        format!("{number}{}{}", tail[number as usize % tail.len()], "x".repeat(10_000))
    };
    let mut snapshot = snapshot();
    for number in 0..2_000 {
        let registrations = snapshot.registrations.as_mut().unwrap();
        let mut registrar = registrations.registrars["lab.example"].clone();
        registrar.lapses = [(hostile(number), 1)].into();
        let code = u16::try_from(100 + number % 600).unwrap();
        let attempts = Attempts { kind: "refresh", outcome: "rejected", code: Some(code) };
        registrar.attempts.insert(attempts, 1);
        registrations.registrars.insert(hostile(number), registrar);
        snapshot.requests.insert(hostile(number), 1);
    }
    let page = Exposition::default().render(&snapshot);
    let samples = read(&page);
    assert!(page.len() < 2_000_000, "{}", page.len());
    assert!(samples.iter().all(|sample| sample.name != "siplens_evil"));
    let longest = samples.iter().flat_map(|sample| sample.labels.values()).map(String::len).max();
    assert!(longest.unwrap() <= 120, "{longest:?}");
    // What has no series of its own is still counted.
    assert_eq!(total(&samples, "siplens_requests_total"), 2_210);
    assert_eq!(total(&samples, "siplens_reg_lapses_total"), 2_002);
    assert_eq!(total(&samples, "siplens_reg_challenges_total"), 43 * 2_001);
    assert!(1.0 < value(&samples, "siplens_requests_total", &[("method", "other")]).unwrap());
    assert_eq!(value(&samples, "siplens_requests_total", &[("method", "INVITE")]), Some(10.0));
}

#[test]
fn names_that_came_first_keep_their_series_when_others_come() {
    let mut exposition = Exposition::default();
    let mut snapshot = Snapshot::default();
    snapshot.requests.insert("ZZZ".to_owned(), 1);
    read(&exposition.render(&snapshot));
    for number in 0..100 {
        snapshot.requests.insert(format!("AAA{number}"), 1_000);
    }
    let samples = read(&exposition.render(&snapshot));
    assert_eq!(value(&samples, "siplens_requests_total", &[("method", "ZZZ")]), Some(1.0));
    assert_eq!(total(&samples, "siplens_requests_total"), 100_001);
}

#[test]
fn what_the_numbers_are_short_of_stands_in_the_closing_line() {
    let mut file = Pcap::new();
    for number in 0..5_000 {
        let text = format!(
            "REGISTER sip:pbx.example SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK{number}\r\n\
             From: <sip:{number}@pbx.example>;tag=1\r\nTo: <sip:{number}@pbx.example>\r\n\
             Call-ID: {number}\r\nCSeq: 1 REGISTER\r\nContact: <sip:{number}@192.0.2.1>\r\n\
             Content-Length: 0\r\n\r\n"
        );
        let frame = ethernet(&udp("192.0.2.1:5060", "192.0.2.2:5060", text.as_bytes()).whole());
        file = file.frame(1 + number / 1_000, number % 1_000, &frame);
    }
    let closing = |args: &[&str]| {
        let args = [&["live", "--memory", "16M"], args, &["-"]].concat();
        let run = run_on(&file.bytes, &args);
        assert_eq!((run.code, run.out.lines().count()), (0, 5_000), "{}", run.err);
        run.err.lines().last().unwrap_or_default().to_owned()
    };
    assert!(!closing(&[]).contains("let-go-devices"), "lines need to know none");
    assert!(closing(&["--metrics", "0"]).contains("let-go-devices"));
}

fn serve(patience: Duration) -> (SocketAddr, Page) {
    let listener = Listener::bind("127.0.0.1:0").unwrap().with_patience(patience);
    (listener.address().unwrap(), listener.serve().unwrap())
}

/// What is sent back for `request`, to the end of the connection.
pub(crate) fn ask(server: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(server).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The head and the body of the answer.
fn parts(answer: &str) -> (&str, &str) {
    answer.split_once("\r\n\r\n").unwrap()
}

const ASKING: &str = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n";

#[test]
fn the_page_is_served_with_its_type_and_replaced_at_any_time() {
    let (server, page) = serve(Duration::from_secs(20));
    let answer = ask(server, ASKING);
    assert_eq!(parts(&answer).1, "# EOF\n", "valid before there is anything to say");
    let text = Exposition::default().render(&snapshot());
    page.put(text.clone());
    let answer = ask(server, ASKING);
    let (head, body) = parts(&answer);
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains(&format!("\r\nContent-Type: {CONTENT_TYPE}\r\n")), "{head}");
    assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", text.len())), "{head}");
    assert_eq!(body, text);
    assert!(!read(body).is_empty());
}

#[test]
fn other_paths_and_methods_are_told_where_to_go() {
    let (server, page) = serve(Duration::from_secs(20));
    page.put("siplens_x 1\n# EOF\n".to_owned());
    let status = |request: &str| ask(server, request).split(' ').nth(1).unwrap().to_owned();
    assert_eq!(status("GET / HTTP/1.0\r\n\r\n"), "200");
    assert_eq!(status("GET /metrics?x=1 HTTP/1.1\r\n\r\n"), "200");
    assert_eq!(status("GET /../etc/passwd HTTP/1.1\r\n\r\n"), "404");
    assert_eq!(status("POST /metrics HTTP/1.1\r\n\r\n"), "405");
    assert_eq!(status("\u{1}\r\n\r\n"), "400");
    assert_eq!(status(&format!("GET /{} HTTP/1.1\r\n", "x".repeat(10_000))), "431");
    assert_eq!(status(&format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(100))), "431");
    let answer = ask(server, "HEAD /metrics HTTP/1.1\r\n\r\n");
    assert!(answer.contains("Content-Length: 18\r\n") && parts(&answer).1.is_empty());
}

#[test]
fn clients_that_say_nothing_or_take_nothing_do_not_keep_others_out() {
    let (server, page) = serve(Duration::from_millis(50));
    page.put("x".repeat(8 << 20));
    let silent: Vec<_> = (0..12).map(|_| TcpStream::connect(server).unwrap()).collect();
    let deaf: Vec<_> = (0..12)
        .map(|_| {
            let mut stream = TcpStream::connect(server).unwrap();
            stream.write_all(ASKING.as_bytes()).unwrap();
            stream
        })
        .collect();
    // Never waits for a client.
    page.put("# EOF\n".to_owned());
    assert_eq!(parts(&ask(server, ASKING)).1, "# EOF\n");
    drop((silent, deaf));
}
