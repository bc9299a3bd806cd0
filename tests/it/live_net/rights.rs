//! Root is really gone while a capture runs: as /proc tells it, of every thread.

use std::collections::BTreeMap;
use std::fs;

use super::stage::{Family, Stage};
use super::talk::{Carrier, Talk};
use super::watcher::{Running, live_as};
use crate::program::skip;

/// What /proc tells of a thread.
type Status = BTreeMap<String, String>;

/// Of all threads of a program.
fn threads(running: &Running) -> Vec<Status> {
    let tasks = format!("/proc/{}/task", running.id());
    let status = |entry: std::io::Result<fs::DirEntry>| {
        let text = fs::read_to_string(entry.unwrap().path().join("status")).unwrap();
        let fields = text.lines().filter_map(|line| line.split_once(':'));
        fields.map(|(key, value)| (key.to_owned(), value.trim().replace('\t', " "))).collect()
    };
    fs::read_dir(tasks).unwrap().map(status).collect()
}

/// Watches a call, and looks at the rights meanwhile.
fn watched(args: &[&str], environment: &[(&str, &str)]) -> Option<(Vec<Status>, String)> {
    let stage = Stage::new()?;
    let args = [&["--metrics", "9464"], args].concat();
    let live = live_as(&stage.near, &args, environment);
    let mut talk = Talk::new(&stage, Carrier::Udp, Family::V4, 5060);
    talk.make_call("watched");
    // All threads have been started, and it goes on capturing without its rights.
    live.until_out("BYE");
    let threads = threads(&live);
    assert!(3 <= threads.len(), "one captures, one reads, some serve: {}", threads.len());
    Some((threads, live.interrupt().err()))
}

fn assert_powerless(thread: &Status, user: &str, groups: &str) {
    let four = |id: &str| [id; 4].join(" ");
    let is = |key: &str, value: &str| assert_eq!(thread[key], value, "{key} of {}", thread["Name"]);
    is("Uid", &four(user));
    is("Gid", &four(groups));
    is("Groups", groups);
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        is(set, "0000000000000000");
    }
    is("NoNewPrivs", "1");
    if thread["Seccomp"] == "0" {
        return skip("what system calls may do: this kernel does not restrict them");
    }
    is("Seccomp", "2");
}

#[test]
fn who_called_sudo_is_who_it_runs_as() {
    let sudo = [("SUDO_UID", "12345"), ("SUDO_GID", "23456")];
    let Some((threads, _)) = watched(&[], &sudo) else { return };
    for thread in &threads {
        assert_powerless(thread, "12345", "23456");
    }
}

#[test]
fn the_user_that_is_named_is_who_it_runs_as() {
    let sudo = [("SUDO_UID", "12345"), ("SUDO_GID", "23456")];
    let Some((threads, _)) = watched(&["--user", "54321"], &sudo) else { return };
    for thread in &threads {
        assert_powerless(thread, "54321", "54321");
    }
}

#[test]
fn root_whom_nobody_called_is_nobody() {
    let Some((threads, err)) = watched(&[], &[]) else { return };
    assert!(err.contains("nobody"), "it is said: {err}");
    for thread in &threads {
        let id = |key: &str| thread[key].split(' ').next().unwrap().to_owned();
        assert_ne!(id("Uid"), "0");
        assert_ne!(id("Gid"), "0");
        assert_powerless(thread, &id("Uid"), &id("Gid"));
    }
}
