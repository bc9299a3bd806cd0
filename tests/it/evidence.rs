//! Failures outside SIP are told where the call is: TLS alerts, refused connections, ICMP errors.

use crate::program::{Run, run};
use crate::support::packet::{ACK, Ip, RST, SYN, Tcp, ethernet, ip, join, tcp, udp};
use crate::support::pcap::Pcap;
use crate::tls;

const ALICE: &str = "192.0.2.1:5060";
const PROXY: &str = "192.0.2.9:5060";
const DIAL: &str = "192.0.2.9:40000";
const BOB: &str = "192.0.2.2:5061";

fn invite(id: &str) -> String {
    let sdp = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
               m=audio 4000 RTP/AVP 0\r\n";
    format!(
        "INVITE sip:bob@example.org SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK-{id}\r\n\
         From: <sip:alice@example.org>;tag=a\r\nTo: <sip:bob@example.org>\r\nCall-ID: {id}\r\n\
         CSeq: 1 INVITE\r\nMax-Forwards: 70\r\nContact: <sip:192.0.2.1>\r\n\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
        sdp.len()
    )
}

fn answer(id: &str, status: &str) -> String {
    format!(
        "SIP/2.0 {status}\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK-{id}\r\n\
         From: <sip:alice@example.org>;tag=a\r\nTo: <sip:bob@example.org>;tag=b\r\n\
         Call-ID: {id}\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
    )
}

fn segment(from: &str, to: &str, seq: usize, flags: u8, payload: &[u8]) -> Ip {
    tcp(from, to, Tcp { seq: seq as u32, ack: 0, flags, payload })
}

/// Runs a command on a capture of `packets`, a tenth of a second apart.
fn shown(command: &str, packets: &[Ip]) -> Run {
    let mut file = Pcap::new();
    for (n, packet) in packets.iter().enumerate() {
        let micros = n as u32 % 10 * 100_000;
        file = file.frame(1_700_000_000 + n as u32 / 10, micros, &ethernet(&packet.whole()));
    }
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("capture.pcap");
    std::fs::write(&path, &file.bytes).unwrap();
    let mut arguments = vec![command, path.to_str().unwrap()];
    let page = home.path().join("report.html");
    if command == "report" {
        arguments.extend(["-o", page.to_str().unwrap()]);
    }
    let mut run = run(&arguments);
    if command == "report" {
        run.out = std::fs::read_to_string(page).unwrap();
    }
    run
}

/// A proxy is asked for Bob, who does not get past its certificate.
fn refused_by_tls() -> Vec<Ip> {
    let (mut sent, mut packets) = ([1000, 1000], vec![udp(ALICE, PROXY, invite("one").as_bytes())]);
    packets.push(segment(DIAL, BOB, 999, SYN, &[]));
    packets.push(segment(BOB, DIAL, 999, SYN | ACK, &[]));
    for (_, from_server, bytes) in tls::segments("alert_tls12") {
        let (from, to) = if from_server { (BOB, DIAL) } else { (DIAL, BOB) };
        packets.push(segment(from, to, sent[usize::from(from_server)], ACK, &bytes));
        sent[usize::from(from_server)] += bytes.len();
    }
    packets.push(udp(PROXY, ALICE, answer("one", "500 Server Internal Error").as_bytes()));
    packets
}

#[test]
fn a_tls_alert_that_kills_a_call_stands_in_its_ladder_and_in_the_report() {
    let packets = refused_by_tls();
    let ladder = shown("ladder", &packets).out;
    let place = |word: &str| ladder.find(word).unwrap_or_else(|| panic!("{word}: {ladder}"));
    assert!(place("INVITE") < place("TLS alert 48 unknown_ca"), "{ladder}");
    assert!(place("TLS alert 48 unknown_ca") < place("500 Server"), "{ladder}");
    let told = "1 TLS connection to 192.0.2.2:5061 (sip.example.test) failed: alert 48 unknown_ca \
                from the client";
    let report = shown("report", &packets);
    assert!(report.out.contains(told) && report.out.contains("TLS alert 48 unknown_ca"));
    let list = shown("list", &packets);
    assert!(list.err.contains(told), "{}", list.err);
}

#[test]
fn a_refused_connection_stands_in_the_ladder_of_the_one_call_that_waited() {
    let dial = [segment(DIAL, BOB, 999, SYN, &[]), segment(BOB, DIAL, 0, RST | ACK, &[])];
    let call = |id: &str| udp(ALICE, PROXY, invite(id).as_bytes());
    let last = |id: &str| udp(PROXY, ALICE, answer(id, "503 Service Unavailable").as_bytes());
    let one = [&[call("one")][..], &dial, &[last("one")]].concat();
    let ladder = shown("ladder", &one).out;
    assert_eq!(ladder.matches("connection refused").count(), 1, "{ladder}");
    // Which of two it was for cannot be told.
    let two = [&[call("one"), call("two")][..], &dial, &[last("one"), last("two")]].concat();
    let ladder = shown("ladder", &two).out;
    assert_eq!(ladder.matches("connection refused").count(), 0, "{ladder}");
    // A call that was answered before did not wait.
    let after = [&[call("one"), last("one")][..], &dial].concat();
    let ladder = shown("ladder", &after).out;
    assert_eq!(ladder.matches("connection refused").count(), 0, "{ladder}");
}

#[test]
fn a_refused_connection_is_not_about_what_came_over_udp_between_the_same_endpoints() {
    let call = [
        udp(ALICE, PROXY, invite("one").as_bytes()),
        udp(PROXY, ALICE, answer("one", "486 Busy Here").as_bytes()),
    ];
    let dial = [segment(ALICE, PROXY, 999, SYN, &[]), segment(PROXY, ALICE, 0, RST | ACK, &[])];
    let ladder = shown("ladder", &[&call[..], &dial].concat()).out;
    assert!(ladder.contains("486 Busy Here") && !ladder.contains("connection"), "{ladder}");
    // Of an error without a Call-ID only the endpoints tell what it is about.
    let quote = call[0].whole();
    let error =
        |quoted: &[u8]| ip("192.0.2.9", "192.0.2.1", 1, join(&[&[3, 3, 0, 0, 0, 0, 0, 0], quoted]));
    let ladder = shown("ladder", &[&call[..], &[error(&quote[..28])]].concat()).out;
    assert_eq!(ladder.matches("ICMP port unreachable").count(), 1, "{ladder}");
}

#[test]
fn what_was_cut_is_not_missed() {
    // The second file goes on until every timer of the first has run out.
    let cut = "samples/snaplen-200.pcap";
    let judged = run(&["check", cut, "samples/tcp-framing.pcapng"]).out;
    assert!(judged.contains("no findings"), "{judged}");
    assert!(judged.contains("cut in their head (19)"), "{judged}");
    // Between other hosts what is whole is missed as before.
    let judged = run(&["check", cut, "samples/camera-95s.pcap"]).out;
    assert!(judged.contains("T001"), "{judged}");
    // None of them is known well enough to be another one sent on.
    let messages = run(&["messages", cut]).out;
    assert_eq!(messages.matches("[truncated]").count(), 79, "{messages}");
}

#[test]
fn an_icmp_error_about_media_stands_in_the_ladder_of_the_call_that_described_it() {
    let rtp = udp("192.0.2.2:4002", "192.0.2.1:4000", &[0x80; 172]).whole();
    let lost = join(&[&[3, 3, 0, 0, 0, 0, 0, 0], &rtp[..28]]);
    let stranger = udp("192.0.2.2:4002", "192.0.2.1:4444", &[0x80; 172]).whole();
    let other = join(&[&[3, 3, 0, 0, 0, 0, 0, 0], &stranger[..28]]);
    let packets = [
        udp(ALICE, PROXY, invite("one").as_bytes()),
        udp(PROXY, ALICE, answer("one", "180 Ringing").as_bytes()),
        ip("192.0.2.1", "192.0.2.2", 1, lost.clone()),
        // Every packet of the stream has its error.
        ip("192.0.2.1", "192.0.2.2", 1, lost),
        ip("192.0.2.1", "192.0.2.2", 1, other),
        udp(PROXY, ALICE, answer("one", "486 Busy Here").as_bytes()),
    ];
    let ladder = shown("ladder", &packets).out;
    assert_eq!(ladder.matches("ICMP port unreachable for media").count(), 1, "{ladder}");
}

#[test]
fn errors_about_the_media_of_others_leave_room_for_a_refused_connection_and_are_counted() {
    let stranger = |port: usize| {
        let rtp = udp("192.0.2.7:4002", &format!("192.0.2.8:{port}"), &[0x80; 172]).whole();
        let error = join(&[&[3, 3, 0, 0, 0, 0, 0, 0], &rtp[..28]]);
        ip("192.0.2.8", "192.0.2.7", 1, error)
    };
    let dial = [segment(DIAL, BOB, 999, SYN, &[]), segment(BOB, DIAL, 0, RST | ACK, &[])];
    let mut packets = vec![udp(ALICE, PROXY, invite("one").as_bytes())];
    packets.extend((6000..6070).map(stranger));
    packets.extend(dial);
    packets.push(udp(PROXY, ALICE, answer("one", "503 Service Unavailable").as_bytes()));
    let ladder = shown("ladder", &packets);
    assert_eq!(ladder.out.matches("connection refused").count(), 1, "{}", ladder.out);
    assert!(ladder.err.contains("6 let-go-evidence"), "{}", ladder.err);
}

#[test]
fn every_kind_of_icmp_error_about_a_request_stands_in_its_ladder() {
    let lost = udp(ALICE, PROXY, invite("one").as_bytes()).whole();
    for (kind, code, words) in [
        (3, 3, "ICMP port unreachable"),
        (3, 1, "ICMP host unreachable"),
        (3, 4, "ICMP packet too big"),
        (11, 0, "ICMP time exceeded"),
    ] {
        let error = join(&[&[kind, code, 0, 0, 0, 0, 0, 0], &lost[..28]]);
        let packets =
            [udp(ALICE, PROXY, invite("one").as_bytes()), ip("192.0.2.254", "192.0.2.1", 1, error)];
        let ladder = shown("ladder", &packets).out;
        assert!(ladder.contains(words), "{words}: {ladder}");
    }
    let (alice, proxy) = ("[2001:db8::1]:5060", "[2001:db8::9]:5060");
    let lost = udp(alice, proxy, invite("one").as_bytes()).whole();
    for (kind, code, words) in [
        (1, 4, "ICMP port unreachable"),
        (2, 0, "ICMP packet too big"),
        (3, 0, "ICMP time exceeded"),
    ] {
        let error = join(&[&[kind, code, 0, 0, 0, 0, 0, 0], &lost[..48]]);
        let packets = [
            udp(alice, proxy, invite("one").as_bytes()),
            ip("2001:db8::fe", "2001:db8::1", 58, error),
        ];
        let ladder = shown("ladder", &packets).out;
        assert!(ladder.contains(words), "{words}: {ladder}");
    }
}
