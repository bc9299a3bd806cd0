//! What an interface loses and does is said as it happens, and counted right.

use super::flood::Flood;
use super::stage::{Family, Stage};
use super::talk::{Carrier, Talk};
use super::watcher::{eventually, live, metric};

/// Datagrams of a flood that a small buffer cannot hold.
const MANY: u64 = 100_000;

#[test]
fn packets_the_kernel_drops_are_counted_to_the_last_and_said_meanwhile() {
    let Some(stage) = Stage::new() else { return };
    let args = ["--buffer", "64K", "--metrics", "9464"];
    let live = live(&stage.near, &args);
    let before = stage.near.sent();
    let mut flood = Flood::new(&stage.near);
    for number in 0..MANY {
        flood.send(&super::flood::options(number));
    }
    let sent = stage.near.sent() - before;
    assert!(MANY <= sent, "{sent}");
    live.until_err("dropped by the kernel");
    let (read, dropped) = eventually("all packets to be read or counted", || {
        let count = |name| metric(&stage.near, name);
        let (read, dropped) =
            (count("siplens_packets_total"), count("siplens_capture_drops_total"));
        (MANY <= read + dropped).then_some((read, dropped))
    });
    assert_ne!(dropped, 0);
    let over = live.interrupt();
    // Others speak on the wire too: the kernel itself, of neighbors.
    let strangers = stage.near.sent() - before - MANY + stage.near.received();
    assert!(read + dropped <= MANY + strangers, "{read} + {dropped}, {strangers} of others");
    assert!(over.err().contains(&format!("{dropped} dropped")), "{}", over.err());
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
}
