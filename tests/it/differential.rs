//! Agrees with tshark on the samples, message by message, but for differences with a reason.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use crate::program::{root, run, samples, skip};

/// Samples that tshark reads otherwise, and why.
const DIFFERENT: &[(&str, &str)] = &[
    ("tcp-framing.pcapng", "tshark loses the message behind a CRLF keep-alive in one segment"),
    ("snaplen-200.pcap", "tshark waits for the rest of messages that the capture cut on TCP"),
];

/// Frame, method or status, Call-ID, number and method of CSeq.
type Seen = (u64, String, String, String);

#[test]
fn the_messages_of_every_sample_are_those_of_tshark() {
    if Command::new("tshark").arg("--version").output().is_err() {
        skip("no tshark to compare the messages of the samples with");
        return;
    }
    for sample in samples() {
        let path = format!("samples/{sample}");
        let (ours, theirs) = (ours(&path), theirs(&path));
        let missing: Vec<_> = theirs.difference(&ours).collect();
        let more: Vec<_> = ours.difference(&theirs).collect();
        let explained = DIFFERENT.iter().any(|(name, _)| *name == sample);
        let same = missing.is_empty() && more.is_empty();
        assert!(same || explained, "{sample}: only tshark: {missing:#?}\nonly siplens: {more:#?}");
        assert!(!same || !explained, "{sample}: no difference left, take it from the table");
    }
}

fn ours(path: &str) -> BTreeSet<Seen> {
    let run = run(&["messages", "--format", "ndjson", "--allow-empty", path]);
    run.out
        .lines()
        .map(|line| {
            let row: Value = serde_json::from_str(line).unwrap();
            let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
            let what = row["status"].as_u64().map_or_else(|| text("method"), |s| s.to_string());
            let cseq = format!("{} {}", row["cseq"], text("cseq_method"));
            (row["frame"].as_u64().unwrap(), what, text("call_id"), cseq)
        })
        .collect()
}

fn theirs(path: &str) -> BTreeSet<Seen> {
    let output = Command::new("tshark")
        .current_dir(root())
        .args(["-n", "-r", path, "-Y", "sip && !icmp", "-T", "fields", "-E", "occurrence=a"])
        .args(["-E", "aggregator=\u{1f}", "-o", "tcp.reassemble_out_of_order:TRUE"])
        .args(["-e", "frame.number", "-e", "sip.Method", "-e", "sip.Status-Code"])
        .args(["-e", "sip.Call-ID", "-e", "sip.CSeq", "-e", "_ws.col.Info"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let mut seen = BTreeSet::new();
    for line in text.lines() {
        let columns: Vec<&str> = line.split('\t').collect();
        let [frame, methods, codes, call_ids, cseqs, ..] = columns[..] else { continue };
        let all = |column: &str| -> Vec<String> {
            column.split('\u{1f}').filter(|v| !v.is_empty()).map(str::to_owned).collect()
        };
        // Several messages in one frame: requests and responses come in columns of their own, so
        // their order among each other is that of CSeq's methods only where all are of one sort.
        let (methods, codes) = (all(methods), all(codes));
        let whats: Vec<String> = methods.into_iter().chain(codes).collect();
        for ((what, call_id), cseq) in whats.iter().zip(all(call_ids)).zip(all(cseqs)) {
            seen.insert((frame.parse().unwrap(), what.clone(), call_id, cseq));
        }
    }
    seen
}
