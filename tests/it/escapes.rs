//! One rule for what a terminal must not see, whoever wrote it: octets are `\xNN`, characters `\u{…}`.

use serde_json::Value;

use crate::hep::{chunk, report};
use crate::program::{run, run_on};
use crate::reader::message;
use crate::support::packet::{ethernet, udp};
use crate::support::pcap::Pcap;

/// What would steer a terminal or turn text around, as arguments may have it.
const NASTY: &str = "\u{1b}[2J\u{9b}\u{202e}\u{7}";
const SHOWN: &str = "\\x1b[2J\\u{9b}\\u{202e}\\x07";

/// A capture of one datagram from `from` to port 5060.
fn datagram(from: &str, payload: &[u8]) -> Vec<u8> {
    let packet = udp(from, "192.0.2.2:5060", payload).whole();
    Pcap::new().frame(1_700_000_001, 0, &ethernet(&packet)).bytes
}

#[test]
fn what_the_user_copied_from_somebody_is_quoted_with_escapes() {
    let value = format!("--format={NASTY}");
    let file = format!("/nowhere/{NASTY}.pcap");
    let wrong: [&[&str]; 5] = [
        &["messages", &format!("--{NASTY}")],
        &["messages", &value],
        &[NASTY],
        &["messages", "-f", &format!("{NASTY} ==")],
        &["messages", &file],
    ];
    for args in wrong {
        let run = run(args);
        assert!(run.err.contains(SHOWN), "{args:?}: {:?}", run.err);
        let is_raw = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(!run.err.contains(is_raw), "{args:?}: {:?}", run.err);
        assert!(!run.err.contains(char::REPLACEMENT_CHARACTER), "{args:?}: {:?}", run.err);
    }
}

#[test]
fn the_name_of_an_agent_is_shown_with_escapes() {
    let node = [NASTY.as_bytes(), b"\x9b"].concat();
    let payload = [chunk(11, &[1]), chunk(19, &node), chunk(15, &message(1, b""))].concat();
    let file = datagram("192.0.2.7:9999", &report(&payload));
    let run = run_on(&file, &["messages", "-vv", "-"]);
    assert!(run.out.contains(&format!("in hep 7 {SHOWN}\\x9b")), "{:?} {}", run.out, run.err);
}

#[test]
fn octets_that_are_no_utf8_are_the_same_escapes_in_text_json_and_csv() {
    let text = "REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
        Max-Forwards: 70\r\nFrom: <sip:phone#@example.com>;tag=1\r\nTo: <sip:phone#@example.com>\r\n\
        Call-ID: 1\r\nCSeq: 1 REGISTER\r\nContact: <sip:phone@192.0.2.1>\r\nExpires: 60\r\n\
        Content-Length: 0\r\n\r\n";
    let octets = text.bytes().map(|octet| if octet == b'#' { 0x9b } else { octet });
    let file = datagram("192.0.2.1:5060", &octets.collect::<Vec<_>>());
    let run = |format: &str| run_on(&file, &["registrations", "--format", format, "-"]).out;
    let shown = "phone\\x9b@example.com";
    let rows: Vec<Value> =
        run("ndjson").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(rows.iter().any(|row| row["device"] == shown), "{rows:#?}");
    assert!(run("csv").contains(&format!("{shown},")), "{}", run("csv"));
    assert!(run("text").contains(shown), "{}", run("text"));
}
