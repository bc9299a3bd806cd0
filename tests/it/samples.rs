//! Goldens: what the commands print for every sample.

use crate::program::{root, run, samples};
use crate::support::flow::Flow;

/// Width of the terminal that goldens are made for.
const LOOK: &[&str] = &["--utc", "--width", "100", "--color", "never", "--allow-empty"];

#[track_caller]
fn golden(command: &[&str], suffix: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_snapshot_path("snapshots");
    for sample in samples() {
        let path = format!("samples/{sample}");
        let run = run(&[command, LOOK, &[&path]].concat());
        let text = format!("{}\n{}exit {}\n", run.out.trim_end(), run.err, run.code);
        let stem = sample.split('.').next().unwrap_or_default();
        settings.set_description(format!("siplens {} {path}", command.join(" ")));
        settings.bind(|| insta::assert_snapshot!(format!("{stem}.{suffix}"), text));
    }
}

#[test]
fn list_of_every_sample() {
    golden(&["list"], "list");
}

#[test]
fn ladder_of_every_sample() {
    golden(&["ladder"], "ladder");
}

#[test]
fn check_of_every_sample() {
    golden(&["check"], "check");
}

#[test]
fn messages_of_every_sample() {
    golden(&["messages", "--format", "ndjson"], "messages");
}

#[test]
fn captures_made_from_flows_are_what_the_scripts_say() {
    for entry in std::fs::read_dir(root().join("samples")).unwrap() {
        let script = entry.unwrap().path();
        if script.extension().is_none_or(|ext| ext != "flow") {
            continue;
        }
        let octets = Flow::play(&std::fs::read_to_string(&script).unwrap()).capture().pcap();
        let capture = script.with_extension("pcap");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&capture, &octets).unwrap();
        }
        let stored = std::fs::read(&capture).unwrap_or_default();
        assert!(stored == octets, "{}: run `make bless`", capture.display());
    }
}
