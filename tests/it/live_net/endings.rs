//! How a run ends: Ctrl-C, SIGTERM, a pipe that nobody reads any more.

use std::io::BufRead as _;

use nix::sys::signal::Signal;

use super::stage::{Family, Stage};
use super::talk::{Carrier, Talk};
use super::watcher::{eventually, live, live_unheard, metric};

/// Each way to show a run, and what is there of a call at the end.
const MODES: [(&[&str], &str); 5] = [
    (&[], "BYE"),
    (&["-v"], "CSeq: 2 BYE"),
    (&["--list"], "completed"),
    (&["--check"], "no findings"),
    (&["--ladder"], "INVITE"),
];

#[test]
fn ctrl_c_and_sigterm_show_what_there_is_and_end_with_130() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        for (mode, shown) in MODES {
            let Some(stage) = Stage::new() else { return };
            let live = live(&stage.near, &[mode, &["--metrics", "9464"]].concat());
            Talk::new(&stage, Carrier::Udp, Family::V4, 5060).make_call("one");
            eventually("the call", || {
                (metric(&stage.near, "siplens_messages_total") == 7).then_some(())
            });
            live.signal(signal);
            let over = live.over();
            assert_eq!(over.code(), 130, "{mode:?} {}", over.err());
            assert!(over.out().contains(shown), "{mode:?} {}", over.out());
            assert!(over.err().contains("7 SIP messages"), "{mode:?} {}", over.err());
        }
    }
}

#[test]
fn a_pipe_that_nobody_reads_any_more_ends_it_quietly_with_0() {
    let modes: [&[&str]; 4] =
        [&[], &["-v"], &["--format", "ndjson"], &["--ladder", "--color", "always"]];
    for mode in modes {
        let Some(stage) = Stage::new() else { return };
        let (mut live, out) = live_unheard(&stage.near, mode);
        let mut talk = Talk::new(&stage, Carrier::Udp, Family::V4, 5060);
        talk.make_call("first");
        let mut lines = std::io::BufReader::new(out).lines();
        assert!(!lines.next().unwrap().unwrap().is_empty(), "{mode:?}");
        drop(lines);
        let mut calls = 0;
        eventually("the end", || {
            calls += 1;
            talk.make_call(&format!("more-{calls}"));
            live.is_over().then_some(())
        });
        let over = live.over();
        assert_eq!(over.code(), 0, "{mode:?} {}", over.err());
        assert!(!over.err().to_lowercase().contains("pipe"), "{mode:?} {}", over.err());
    }
}

#[test]
fn a_second_ctrl_c_ends_it_though_its_output_is_stuck() {
    let Some(stage) = Stage::new() else { return };
    let (mut live, out) = live_unheard(&stage.near, &["-v"]);
    let mut talk = Talk::new(&stage, Carrier::Udp, Family::V4, 5060);
    let place = format!("/proc/{0}/task/{0}/wchan", live.id());
    let mut calls = 0;
    eventually("a full pipe", || {
        calls += 1;
        talk.make_call(&format!("more-{calls}"));
        std::fs::read_to_string(&place).unwrap().contains("pipe_write").then_some(())
    });
    live.signal(Signal::SIGINT);
    let caught = format!("/proc/{0}/task/{0}/status", live.id());
    eventually("the first to be taken", || {
        let status = std::fs::read_to_string(&caught).unwrap();
        let none = |set: &str| status.contains(&format!("{set}:\t0000000000000000"));
        (none("SigPnd") && none("ShdPnd")).then_some(())
    });
    assert!(!live.is_over(), "the first waits for the output");
    eventually("the end", || {
        // So soon after the first it is taken for the same.
        live.signal(Signal::SIGINT);
        live.is_over().then_some(())
    });
    assert_eq!(live.over().code(), 130);
    drop(out);
}

#[test]
fn the_end_of_the_first_chosen_call_ends_it_and_that_of_another_does_not() {
    let Some(stage) = Stage::new() else { return };
    let args = ["--exit-after-call", "--call-id", "chosen", "--format", "ndjson"];
    let live = live(&stage.near, &args);
    let mut talk = Talk::new(&stage, Carrier::Udp, Family::V4, 5060);
    talk.make_call("other");
    talk.make_call("chosen");
    let over = live.over();
    assert_eq!(over.code(), 0, "{}", over.err());
    assert_eq!(over.rows().len(), 7);
}
