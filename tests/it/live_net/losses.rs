//! What an interface loses and does is said as it happens, and counted right.

use std::net::UdpSocket;

use nix::sys::signal::Signal;

use super::flood::{Flood, options};
use super::stage::{Family, Stage};
use super::talk::{Carrier, Talk};
use super::watcher::{eventually, live, live_on, metric};

/// Datagrams sent at once, and how often at most until some are lost.
const MANY: u64 = 5_000;
const OFTEN: u64 = 200;

#[test]
fn packets_the_kernel_drops_are_counted_to_the_last_and_said_meanwhile() {
    let Some(stage) = Stage::new() else { return };
    // With little memory the queue to the reader is short, and what was lost is known soon.
    let live = live(&stage.near, &["--buffer", "64K", "--memory", "16M", "--metrics", "9464"]);
    let lost = || metric(&stage.near, "siplens_capture_drops_total");
    let before = stage.near.sent();
    let mut flood = Flood::new(&stage.near);
    let mut sent = 0;
    while lost() == 0 {
        assert!(sent < MANY * OFTEN, "a buffer of 64K loses nothing");
        (sent..sent + MANY).for_each(|number| flood.send(&options(number)));
        sent += MANY;
    }
    live.until_err("packets dropped by the kernel");
    let (read, dropped) = eventually("all packets to be read or counted", || {
        let (read, dropped) = (metric(&stage.near, "siplens_packets_total"), lost());
        (sent <= read + dropped).then_some((read, dropped))
    });
    // Others speak on the wire too: the kernel itself, of neighbors.
    let others = stage.near.sent() - before - sent + stage.near.received();
    assert!(read + dropped <= sent + others, "{read} + {dropped} of {sent}, {others} of others");
    let over = live.interrupt();
    assert!(over.err().contains(&format!("{dropped} dropped")), "{dropped}: {}", over.err());
}

#[test]
fn an_interface_that_goes_down_is_said_to_and_taken_up_when_it_is_back() {
    let Some(stage) = Stage::new() else { return };
    let live = live(&stage.near, &[]);
    let mut talk = Talk::new(&stage, Carrier::Udp, Family::V4, 5060);
    talk.make_call("before");
    live.until_out_is("the call before", |all| all.lines().count() == 7);
    let link = &stage.near.interface;
    stage.near.ip(&format!("link set {link} down\n")).unwrap();
    live.until_err(&format!("{link}: went down"));
    stage.near.ip(&format!("link set {link} up\n")).unwrap();
    talk.make_call("after");
    live.until_out_is("the call after", |all| all.lines().count() == 14);
    live.until_err(&format!("{link}: up again"));
    assert_eq!(live.interrupt().code(), 130);
}

/// A phone registers for 2 s over the loopback of `stage`, and is granted them.
fn register(stage: &Stage, cseq: u32) {
    let ends = [5070, 5060].map(|port| ("127.0.0.1", port));
    let [phone, registrar] = stage.near.within(|| ends.map(|end| UdpSocket::bind(end).unwrap()));
    let fields = format!(
        "Via: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK{cseq}\r\nMax-Forwards: 70\r\n\
         From: <sip:a@127.0.0.1>;tag=1\r\nTo: <sip:a@127.0.0.1>;tag=2\r\nCall-ID: lo\r\n\
         CSeq: {cseq} REGISTER\r\nContact: <sip:a@127.0.0.1:5070>;expires=2\r\n\
         Content-Length: 0\r\n\r\n"
    );
    let request = format!("REGISTER sip:127.0.0.1 SIP/2.0\r\n{fields}").replace(";tag=2", "");
    phone.send_to(request.as_bytes(), ends[1]).unwrap();
    registrar.recv(&mut [0; 2_048]).unwrap();
    registrar.send_to(format!("SIP/2.0 200 OK\r\n{fields}").as_bytes(), ends[0]).unwrap();
    phone.recv(&mut [0; 2_048]).unwrap();
}

#[test]
fn nobody_lapses_for_as_long_as_an_interface_is_down() {
    let Some(stage) = Stage::new() else { return };
    let link = &stage.near.interface;
    let args = ["--registrations", "--format", "ndjson", "--metrics", "9464"];
    let live = live_on(&stage.near, &format!("{link},lo"), &args);
    let stand = |state: &str| {
        let row = format!("siplens_reg_devices{{registrar=\"127.0.0.1\",state=\"{state}\"}}");
        metric(&stage.near, &row)
    };
    let is_over = || {
        eventually("the end of its binding", || {
            let [lapsed, unknown] = ["lapsed", "unknown"].map(stand);
            (lapsed + unknown == 1).then_some(lapsed == 1)
        })
    };
    stage.near.ip(&format!("link set {link} down\n")).unwrap();
    live.until_err(&format!("{link}: went down"));
    register(&stage, 1);
    eventually("its binding", || (stand("live") == 1).then_some(()));
    assert!(!is_over(), "it may have registered over the other one");
    stage.near.ip(&format!("link set {link} up\n")).unwrap();
    live.until_err(&format!("{link}: up again"));
    let mut cseq = 1;
    eventually("a lapse, now that all is watched", || {
        cseq += 1;
        register(&stage, cseq);
        eventually("its binding", || (stand("live") == 1).then_some(()));
        is_over().then_some(())
    });
    let over = live.interrupt();
    assert_eq!(over.out().matches("\"event\":\"lapse\"").count(), 1, "{}", over.out());
}

#[test]
fn an_interface_that_is_deleted_is_read_to_its_end() {
    let Some(stage) = Stage::new() else { return };
    let live = live(&stage.near, &[]);
    // It gets to know of the packets and of their end at once.
    live.signal(Signal::SIGSTOP);
    Talk::new(&stage, Carrier::Udp, Family::V4, 5060).make_call("last");
    stage.near.ip(&format!("link delete {}\n", stage.near.interface)).unwrap();
    live.signal(Signal::SIGCONT);
    let over = live.over();
    assert_eq!(over.out().lines().count(), 7, "{} {}", over.out(), over.err());
    assert!(over.err().contains("packets of its last moment may be missing"), "{}", over.err());
}

#[test]
fn an_interface_that_is_deleted_ends_the_run_with_3_and_what_was_seen() {
    let Some(stage) = Stage::new() else { return };
    let live = live(&stage.near, &["--list", "--metrics", "9464"]);
    Talk::new(&stage, Carrier::Udp, Family::V4, 5060).make_call("seen");
    eventually("the call", || (metric(&stage.near, "siplens_messages_total") == 7).then_some(()));
    stage.near.ip(&format!("link delete {}\n", stage.near.interface)).unwrap();
    let over = live.over();
    assert_eq!(over.code(), 3, "{}", over.err());
    assert!(over.out().contains("completed"), "{}", over.out());
    assert!(over.err().contains(&stage.near.interface), "{}", over.err());
    assert!(over.err().contains("1 source-gone"), "{}", over.err());
}
