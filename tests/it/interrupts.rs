//! Ctrl-C and SIGTERM: the first shows what there is, one that comes later ends the run at once.

#![allow(clippy::disallowed_methods)] // Deadlines are of the time of whoever runs the tests.

use std::fs;
use std::io::{Read as _, Write as _};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal::{self, SIGCONT, SIGINT, SIGSTOP, SIGTERM};
use nix::sys::signal::kill;
use nix::unistd::Pid;

use crate::program::{program, sample};
use crate::support::pcap::Pcap;

/// What anything may take at most.
const DEADLINE: Duration = Duration::from_mins(1);

/// A run over its standard input, which is held open, that reads `file` and hears signals.
fn reading(args: &[&str], file: &[u8]) -> Child {
    let mut command = program();
    command.args(args).arg("-");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let input = child.stdin.as_mut().unwrap();
    input.write_all(file).unwrap();
    let threads = format!("/proc/{}/task", child.id());
    // A thread that hears signals is there once they are heard.
    until(|| {
        let tasks = fs::read_dir(&threads).unwrap();
        let mut names = tasks.map(|task| fs::read_to_string(task.unwrap().path().join("comm")));
        names.any(|name| name.is_ok_and(|name| name.trim() == "signals"))
    });
    child
}

fn until(mut is: impl FnMut() -> bool) {
    let until = Instant::now() + DEADLINE;
    while !is() {
        assert!(Instant::now() < until, "waited in vain");
        thread::sleep(Duration::from_millis(20));
    }
}

fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id() as i32), signal).unwrap();
}

/// What it said beside its output.
fn said(child: &mut Child) -> String {
    let mut said = String::new();
    child.stderr.as_mut().unwrap().read_to_string(&mut said).unwrap();
    said
}

#[test]
fn a_signal_that_comes_twice_at_once_still_shows_what_there_is() {
    for args in [["live", "--utc"], ["messages", "--utc"]] {
        let mut child = reading(&args, &fs::read(sample("failures.pcap")).unwrap());
        // Both come in the moment in which it goes on.
        for one in [SIGSTOP, SIGINT, SIGTERM, SIGCONT] {
            signal(&child, one);
        }
        drop(child.stdin.take());
        let mut out = String::new();
        child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        let said = said(&mut child);
        assert_eq!(child.wait().unwrap().code(), Some(130), "{args:?} {said}");
        assert!(said.contains("SIP messages in"), "{args:?} {said}");
    }
}

#[test]
fn a_signal_that_comes_again_later_ends_the_run_at_once() {
    // More of a packet than a pipe holds: it waits for the rest of it.
    let file = Pcap::new().frame(1, 0, &vec![0; 250_000]).bytes;
    let mut child = reading(&["list", "--utc"], &file[..200_000]);
    let mut status = None;
    until(|| {
        signal(&child, SIGTERM);
        status = child.try_wait().unwrap();
        status.is_some()
    });
    assert_eq!(status.unwrap().code(), Some(130));
    assert!(!said(&mut child).contains("SIP messages in"));
}
