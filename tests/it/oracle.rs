//! The product against recorded truth: messages and findings of captures whose content is known.
//!
//! The samples are in the tree. Larger collections are looked for beside it, in
//! `../shared/captures`; a test that does not find them says so and passes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use siplens::rules::{RULES, Severity};

use crate::program::{root, run, samples, skip};
use crate::rules::judge;
use crate::support::flow::wire::{Capture, Record};
use crate::support::packet;
use crate::torture;

/// The folder `name` of the collections, when it is there.
pub(crate) fn collection(name: &str) -> Option<PathBuf> {
    let folder = root().join("../shared/captures").join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    skip(&format!("no {}", folder.display()));
    None
}

/// Every finding that the samples must give, as codes with kinds; those not named give none.
const FINDINGS_OF_SAMPLES: &[(&str, &[&str])] = &[
    ("camera-95s.pcap", &["T001:no-response"]),
    ("failures.pcap", &["T001:reset-by-icmp", "T012:request"]),
    ("fragments.pcap", &["M021:fragmented"]),
    ("register-digest.pcap", &["T019:wrong-credentials"]),
    ("rejects.pcap", &["T005:branch-changed-non2xx", "T012:response"]),
    // The callee is never heard: whether it was silent or not captured cannot be told.
    ("unanswered.pcap", &["T012:request"]),
    ("unreachable.pcap", &["T001:reset-by-icmp", "T012:request"]),
];

/// The same of the lab's captures.
const FINDINGS_OF_LAB: &[(&str, &[&str])] = &[
    ("big_frag4.pcap", &["M021:fragmented"]),
    ("failures.pcap", &["T001:reset-by-icmp", "T012:request"]),
    ("icmp_unreachable.pcap", &["T001:reset-by-icmp", "T012:request"]),
    ("link_sll2.pcap", &["X001"]),
    ("nat_oneway.pcap", &["T012:request"]),
    ("register_digest.pcap", &["T019:wrong-credentials"]),
    ("rejects.pcap", &["T005:branch-changed-non2xx", "T012:response"]),
    ("scanner_sipvicious.pcap", &["T001:reset-by-icmp", "T019:wrong-credentials", "X001"]),
    ("sipp_200_loss.pcap", &["T012:request"]),
    ("sipp_proxy_tcp.pcap", &["T001:reset-by-icmp"]),
];

#[test]
fn every_sample_gives_its_findings_and_no_other() {
    for name in samples() {
        assert_findings(&root().join("samples").join(&name), &name, FINDINGS_OF_SAMPLES);
    }
}

#[test]
fn every_capture_of_the_lab_gives_its_findings_and_no_other() {
    let Some(lab) = collection("lab") else { return };
    for (_, name) in captures_below(&lab) {
        assert_findings(&lab.join(&name), &name, FINDINGS_OF_LAB);
    }
}

#[track_caller]
fn assert_findings(capture: &Path, name: &str, table: &[(&str, &[&str])]) {
    let expected = table.iter().find(|row| row.0 == name).map_or(&[][..], |row| row.1);
    let expected: BTreeSet<String> = expected.iter().map(|&label| label.to_owned()).collect();
    assert_eq!(labels(capture), expected, "{name}");
}

/// The rules and kinds that `check` reports of a capture.
fn labels(capture: &Path) -> BTreeSet<String> {
    let lines = ndjson("check", capture);
    lines.iter().filter_map(|line| line.get("code").map(|code| (line, code))).map(label).collect()
}

fn label((line, code): (&Value, &Value)) -> String {
    let code = code.as_str().unwrap();
    line["kind"].as_str().map_or_else(|| code.to_owned(), |kind| format!("{code}:{kind}"))
}

fn ndjson(command: &str, capture: &Path) -> Vec<Value> {
    let path = capture.to_str().unwrap();
    let run = run(&[command, "--format", "ndjson", "--allow-empty", path]);
    assert!(matches!(run.code, 0 | 1 | 3), "{command} {path}: {} {}", run.code, run.err);
    run.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The captures in and below `folder` with a truth of their own: truth file, path from `folder`.
fn captures_below(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(current) = folders.pop() {
        for entry in fs::read_dir(&current).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
            let stem = path.file_name().unwrap().to_str().unwrap().split('.').next().unwrap();
            let flat = name.trim_start_matches("files/").replace('/', "__");
            let truths = [stem, &flat].map(|name| folder.join(format!("truth/{name}.tsv")));
            let is_capture = ![".tsv", ".hepraw", ".keylog"].iter().any(|end| name.ends_with(end));
            let truth = truths.into_iter().find(|truth| is_capture && truth.exists());
            found.extend(truth.map(|truth| (truth, name)));
        }
    }
    found.sort();
    found
}

/// Captures whose messages differ from the recorded truth, how many more or fewer, and why.
/// `tests/differences.md` tells it at length.
const DIFFERENT: &[(&str, i64)] = &[
    ("6f399e2_register.pcap", 4),
    ("daviddpurjc__ptavi-p4/register.pcap", 4),
    ("ipv4.pcap", 1),
    ("mka-windows-xp-tracert.pcap", -1),
    ("nonipsec_to_ipsec_call.pcapng", 1),
    ("sip-afl.pcap", 2),
    ("sip_reqs.pcap", 2),
    ("user_defined_method.pcap", 1),
];

#[test]
fn the_messages_of_the_lab_are_the_recorded_ones() {
    let Some(lab) = collection("lab") else { return };
    for (truth, name) in captures_below(&lab) {
        assert_eq!(ours(&lab.join(&name)), recorded(&truth), "{name}");
    }
}

#[test]
fn the_messages_of_foreign_captures_are_the_recorded_ones() {
    let Some(public) = collection("public") else { return };
    for (truth, name) in captures_below(&public) {
        let (ours, recorded) = (ours(&public.join(&name)), recorded(&truth));
        match DIFFERENT.iter().find(|row| name.ends_with(row.0)) {
            None => assert_eq!(ours, recorded, "{name}"),
            Some((_, more)) => {
                let count = |all: &Seen| all.values().sum::<i64>();
                assert_eq!(count(&ours) - count(&recorded), *more, "{name}");
                let smaller = if *more < 0 { (&ours, &recorded) } else { (&recorded, &ours) };
                let missing = smaller.0.iter().any(|(k, n)| smaller.1.get(k).unwrap_or(&0) < n);
                assert!(!missing, "{name}: {ours:#?} {recorded:#?}");
            }
        }
    }
}

/// How often each message ends in each frame: frame, method or status, Call-ID, CSeq.
type Seen = BTreeMap<[String; 4], i64>;

fn ours(capture: &Path) -> Seen {
    let path = capture.to_str().unwrap();
    let stem = capture.file_name().unwrap().to_str().unwrap().split('.').next().unwrap();
    let keys = capture.with_file_name(format!("keylog/{stem}.keylog"));
    let keys = keys.exists().then(|| keys.to_str().unwrap().to_owned());
    let mut arguments = vec!["messages", "--format", "ndjson", "--allow-empty", path];
    arguments.extend(keys.iter().flat_map(|keys| ["--keylog", keys]));
    let mut seen = Seen::new();
    for line in run(&arguments).out.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
        let number = |key: &str| row[key].as_u64().map(|n| n.to_string()).unwrap_or_default();
        let what = text("method") + &number("status");
        if !what.is_empty() {
            let cseq = words(&format!("{} {}", number("cseq"), text("cseq_method")));
            *seen.entry([number("frame"), what, words(&text("call_id")), cseq]).or_default() += 1;
        }
    }
    seen
}

/// What the truth file says, without the rows of its maker's doubts.
fn recorded(truth: &Path) -> Seen {
    const DOUBTFUL: [&str; 4] = ["in_icmp", "malformed", "continuation", "no_start_line"];
    let text = String::from_utf8_lossy(&fs::read(truth).unwrap()).into_owned();
    let mut rows = text.split_terminator('\n').map(|row| row.split('\t').collect::<Vec<_>>());
    let head: Vec<String> =
        rows.next().unwrap().iter().map(|name| name.replace("sip.", "").to_lowercase()).collect();
    let mut seen = Seen::new();
    for row in rows {
        let cell = |name: &str| {
            let at = head.iter().position(|column| column == name);
            at.and_then(|at| row.get(at)).copied().unwrap_or_default()
        };
        let what = cell("method").to_owned() + cell("status-code");
        if what.is_empty() || cell("flags").split(',').any(|flag| DOUBTFUL.contains(&flag)) {
            continue;
        }
        let key =
            [cell("frame.number").to_owned(), what, words(cell("call-id")), words(cell("cseq"))];
        *seen.entry(key).or_default() += 1;
    }
    seen
}

/// The text without its escapes and with single spaces.
fn words(text: &str) -> String {
    let plain = text.replace("\\t", "\t").replace("\\n", "\n").replace("\\r", "\r");
    plain.replace("\\\\", "\\").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_flows_of_rfc_3665_break_no_must() {
    let Some(public) = collection("public") else { return };
    let mut seen = 0;
    for entry in fs::read_dir(public.join("derived")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !name.starts_with("rfc3665") {
            continue;
        }
        seen += 1;
        let wrong: Vec<Value> =
            ndjson("check", &path).into_iter().filter(|line| line["severity"] == "error").collect();
        assert!(wrong.is_empty(), "{name}: {wrong:#?}");
    }
    assert!(0 < seen, "no flow of RFC 3665 there");
}

/// What is to be said of the messages of RFC 4475 and RFC 5118 over UDP, of any severity; all
/// others are silent. Rules that do not exist yet are left out of the comparison.
const TORTURE: &[(&str, &[&str])] = &[
    ("wsinv", &["M009:no-cookie"]),
    ("longreq", &["M009:missing", "M021:over-1300"]),
    ("dblreq", &["M011:trailing-octets"]),
    ("badinv01", &["M006:separators", "M009:missing"]),
    ("clerr", &["M011:too-large"]),
    ("scalarlg", &["M006:warning-code", "M016"]),
    ("quotbal", &["M006:quoted-string"]),
    ("ltgtruri", &["M001:brackets", "M009:missing"]),
    ("lwsruri", &["M001:uri-space"]),
    ("lwsstart", &["M001:spacing"]),
    ("trws", &["M001:spacing"]),
    ("escruri", &["M006:ruri-component"]),
    ("baddate", &["M006:date"]),
    ("badaspec", &["M006:name-addr"]),
    ("baddn", &["M003:not-terminated", "M006:name-addr"]),
    ("badvers", &["M001:version", "M006:via"]),
    ("mismatch01", &["M014"]),
    ("mismatch02", &["M014", "S002:missing"]),
    ("bigcode", &["M001:status-code"]),
    ("badbranch", &["M009:cookie-only"]),
    ("insuf", &["M004:call-id", "M004:from", "M004:max-forwards", "M004:to", "M017:request"]),
    ("multi01", &["M017:request-multiple"]),
    ("inv2543", &["M004:max-forwards", "M009:missing", "M015", "M017:request"]),
    ("ipv6-bad", &["M006:uri"]),
    // The RFC counts 236 octets where its body has 245.
    ("ipv4-mapped-ipv6", &["M011:trailing-octets"]),
];

#[test]
fn the_torture_messages_give_the_findings_the_rfcs_mean() {
    let Some(folder) = torture::torture() else { return };
    let table = fs::read_to_string(folder.join("EXPECT.tsv")).unwrap();
    let mut wrong = Vec::new();
    for row in table.lines().skip(1).map(|row| row.split('\t').collect::<Vec<_>>()) {
        let (name, file) = (row[0], row[4]);
        let found = labels_of_datagram(&fs::read(folder.join(file)).unwrap());
        let expected = TORTURE.iter().find(|case| case.0 == name).map_or(&[][..], |case| case.1);
        if found != expected {
            wrong.push(format!("{name} ({}): {found:?}, expected {expected:?}", row[2]));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for (_, labels) in TORTURE {
        let known = |label: &str| RULES.iter().any(|rule| label.starts_with(rule.code));
        assert!(labels.iter().all(|label| known(label)), "{labels:?}");
    }
}

/// What the rules say of one UDP datagram, but for hints.
fn labels_of_datagram(payload: &[u8]) -> Vec<String> {
    let bytes = packet::ethernet(&packet::udp("192.0.2.1:5060", "192.0.2.2:5060", payload).whole());
    let record = Record { time: 0, wire_len: bytes.len() as u32, bytes, number: 1 };
    let (model, report) = judge(&Capture { records: vec![record] });
    assert_eq!(model.tally.messages, 1, "the datagram is one message");
    let mut labels: Vec<String> = report
        .findings
        .iter()
        .filter(|finding| Severity::Warning <= finding.severity)
        .map(|finding| finding.rule.label(finding.kind))
        .collect();
    labels.sort();
    labels.dedup();
    labels
}
