//! The rules of the registration audit: scenarios with the findings worked out for them, the flows
//! of their pages, and the command.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use siplens::limits::Limits;
use siplens::model::Model;
use siplens::model::audit::{Audit, Expect, Policy, Terms};
use siplens::rules::registration::translate;
use siplens::rules::{
    Check, DeviceFinding, RULES, Rule, Selection, check_registrations, is_scanner,
};

use crate::audit::analyzed;
use crate::rules::analyze;
use crate::support::flow::Flow;

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/registrations")
}

/// The files of the scenario `name`.
fn files(name: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(data())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let file = path.file_name().unwrap().to_str().unwrap();
            file.starts_with(name) && path.extension().is_none_or(|ext| ext != "json")
        })
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{name}");
    files
}

fn expectation(name: &str) -> Value {
    let path = data().join(format!("{name}.expected.json"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The policy a scenario is judged by.
fn policy(expected: &Value) -> Policy {
    let own = &expected["policy"];
    Policy {
        expect: own["expect"].as_f64().map(|s| Expect::Interval((s * 1e9) as i64)),
        min_expiry: own["min_expiry"].as_u64().map(|s| s as u32),
        close_ends_binding: own["tcp_close_ends_binding"].as_bool(),
        ..Policy::default()
    }
}

/// Everything the audit says of the scenario `name`.
fn findings(name: &str) -> Vec<DeviceFinding> {
    judge(&analyzed(&files(name)), policy(&expectation(name)))
}

pub(crate) fn judge(model: &Model, policy: Policy) -> Vec<DeviceFinding> {
    let policy = Arc::new(policy);
    let terms = Terms {
        policy: &|_| Arc::clone(&policy),
        gaps: &|_| Vec::new(),
        flows: &|_| true,
        hostile: &is_scanner,
        pages: &|_| true,
    };
    let audit = Audit::of(model, &Limits::default(), &terms);
    check_registrations(&audit, &Selection::all())
}

/// `R006`, `R007:timeout` with their counts, of all devices together.
pub(crate) fn labels(findings: &[DeviceFinding]) -> BTreeMap<String, u64> {
    let mut labels = BTreeMap::new();
    for one in findings {
        *labels.entry(one.finding.rule.label(one.finding.kind)).or_default() += one.finding.count;
    }
    labels
}

/// The findings a scenario names that the audit makes no rule of.
const HINTS: [&str; 1] = ["hint"];

#[test]
fn every_scenario_has_the_findings_worked_out_for_it() {
    let mut wrong = String::new();
    for entry in std::fs::read_dir(data()).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let Some(name) = file.strip_suffix(".expected.json") else { continue };
        let expected = expectation(name);
        let Some(wanted) = expected["findings"].as_array() else { continue };
        let found = labels(&findings(name));
        for text in wanted.iter().map(|one| one.as_str().unwrap()) {
            let mut words = text.split([' ', ':']);
            let rule = words.next().unwrap();
            if HINTS.contains(&rule) {
                continue;
            }
            let camera = name.starts_with("03") && rule == "reg/expiry-short";
            let label = if camera { "G003".to_owned() } else { translate(rule) };
            let count = words.find_map(|word| word.strip_prefix('x')?.parse::<u64>().ok());
            // With Retry-After the wait it asks for is what was ignored as well.
            let own = found.get(&label).copied();
            if own.is_none() || count.is_some_and(|count| own != Some(count)) {
                wrong += &format!("{name}: {text} is {label}, found {own:?} in {found:?}\n");
            }
        }
        if wanted.is_empty() && !found.is_empty() {
            wrong += &format!("{name}: no finding expected, found {found:?}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_healthy_camera_has_nothing_but_a_note() {
    let found = findings("01-healthy-udp");
    assert_eq!(labels(&found).into_keys().collect::<Vec<_>>(), ["R002"]);
    assert_eq!(found[0].finding.severity, siplens::rules::Severity::Info);
}

fn is_audit(rule: &Rule) -> bool {
    rule.checks.iter().any(|check| matches!(check, Check::Registration(_) | Check::Fleet(_)))
}

/// What a section of a page names: scenarios in backquotes, and flows.
fn cases(section: &str) -> (Vec<&str>, Vec<&str>) {
    let mut flows = Vec::new();
    let mut rest = section;
    while let Some((_, after)) = rest.split_once("```flow\n") {
        let (flow, after) = after.split_once("```").unwrap();
        flows.push(flow);
        rest = after;
    }
    let scenario = |word: &&str| {
        word.as_bytes().get(..2).is_some_and(|two| two.iter().all(u8::is_ascii_digit))
            && word.as_bytes().get(2) == Some(&b'-')
    };
    (section.split('`').filter(scenario).collect(), flows)
}

/// The findings of a flow script, by label.
fn played(flow: &str) -> BTreeSet<String> {
    let model = analyze(&Flow::play(flow).capture());
    labels(&judge(&model, Policy::default())).into_keys().collect()
}

#[test]
fn every_page_of_the_audit_tells_what_fires_its_rule_and_what_does_not() {
    let mut known: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut of = |name: &'static str| {
        let found = || labels(&findings(name)).into_keys().collect();
        known.entry(name).or_insert_with(found).clone()
    };
    let mut wrong = String::new();
    for rule in RULES.iter().filter(|rule| is_audit(rule)) {
        let page = rule.page;
        assert!(page.starts_with(&format!("# {} ({})", rule.name, rule.code)), "{}", rule.name);
        assert!(page.contains(rule.statement) && page.contains("## Why it matters"));
        let section = |name: &str| {
            let (_, rest) = page.split_once(&format!("\n## {name}\n")).unwrap();
            rest.split_once("\n## ").map_or(rest, |(own, _)| own)
        };
        let fires = |labels: &BTreeSet<String>| labels.iter().any(|l| l.starts_with(rule.code));
        let (scenarios, flows) = cases(section("Reported"));
        let mut fired: BTreeSet<String> = BTreeSet::new();
        for name in scenarios {
            let found = of(name);
            fired.extend(found.iter().cloned());
            if !fires(&found) {
                wrong += &format!("{} is not found in {name}: {found:?}\n", rule.name);
            }
        }
        for flow in flows {
            let found = played(flow);
            fired.extend(found.iter().cloned());
            if !fires(&found) {
                wrong += &format!("{} is not found in\n{flow}{found:?}\n", rule.name);
            }
        }
        let (scenarios, flows) = cases(section("Not reported"));
        assert!(!scenarios.is_empty(), "{}: names a clean scenario", rule.name);
        for name in scenarios {
            if fires(&of(name)) {
                wrong += &format!("{} is found in {name}: {:?}\n", rule.name, of(name));
            }
        }
        for flow in flows {
            if fires(&played(flow)) {
                wrong += &format!("{} is found in\n{flow}\n", rule.name);
            }
        }
        for (kind, _) in rule.kinds {
            assert!(page.contains(&format!("`{kind}`")), "{}: says what {kind} is", rule.name);
            let label = rule.label(Some(kind));
            if !fired.contains(&label) && !ELSEWHERE.contains(&label.as_str()) {
                wrong += &format!("{label}: no scenario or flow of its page has it\n");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Kinds that need a policy, a fleet or a text log: the tests at the end of this file have them.
const ELSEWHERE: [&str; 9] = [
    "R020:truncated",
    "R020:length-mismatch",
    "R004:short",
    "R018:mass-loss",
    "R018:herd",
    "R020:slow",
    "G002:version-missing",
    "G014:missing",
    "R011:source-changed",
];

pub(crate) fn siplens(args: &[&str]) -> (i32, String, String) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_siplens"))
        .arg("registrations")
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("TZ", "UTC")
        .output()
        .unwrap();
    let text = |octets| String::from_utf8(octets).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

const CAMERA: [&str; 3] = ["samples/camera-95s.pcap", "--expect", "60s"];

#[test]
fn an_unanswered_camera_is_explained_from_its_log_and_from_its_packets() {
    for input in ["samples/camera-95s.pcap", "tests/data/logs/02-seed-log.txt"] {
        let (code, out, _) =
            siplens(&[input, "--expect", "60s", "--keepalive", "60s", "--width", "140"]);
        assert_eq!(code, 1, "{input}");
        for fact in [
            "! one-sided input: 3 requests, no responses.",
            "95 s retry?",
            "+58%",
            "(3600)",
            "I R K C",
            "no credentials, CSeq 1 and a new Call-ID each time, at 2.6 % of Expires 3600",
            "95 s = 32 s unanswered (timer F) + 60 s retry wait + 3 s",
            "95 s between REGISTERs (2 of 2), expected 60 s +/- 10 %: +58.3 %",
            "no response to 3 REGISTERs in this input",
            "(3 due at 60 s)",
            "3 attempts on 3 TCP connections (ports 50287, 38531, 51103)",
            "retries exactly 95 s apart",
            "3 Call-IDs in 3 attempts",
            "1 device, 2 errors, 3 warnings, 2 notes",
        ] {
            assert!(out.contains(fact), "{input}: {fact}\n{out}");
        }
    }
}

#[test]
fn a_page_lists_every_attempt_with_its_trigger() {
    let (_, out, _) = siplens(&[CAMERA[0], "--device", "1101*", "--width", "140"]);
    assert!(out.contains("civil aviation, camera, surveillance network, no. 34"), "{out}");
    assert_eq!(out.matches("none seen  retry?").count(), 2, "{out}");
    let (code, out, _) = siplens(&["--explain-id", "11010000121310000034"]);
    assert!(code == 0 && out.contains("civil aviation"), "{out}");
    assert_eq!(siplens(&["--explain-id", "12345"]).0, 2);
}

#[test]
fn machine_output_tells_the_unknown_by_null() {
    let (_, out, _) = siplens(&[CAMERA[0], "--format", "json"]);
    let document: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(document["schema"], "siplens/registrations/1");
    let device = &document["devices"][0];
    assert_eq!(device["coverage"], Value::Null);
    assert_eq!(device["keepalives"], Value::Null);
    assert_eq!(device["interval"]["retry"]["p50"].as_f64(), Some(95.0));
    assert_eq!(device["interval"]["judged"], "retry");
    let packets: Vec<_> = device["findings"][0]["evidence"].as_array().unwrap().clone();
    assert!(packets.iter().all(|place| place["packet"].is_u64()), "{packets:?}");
    let (_, csv, _) = siplens(&[CAMERA[0], "--format", "csv", "--csv-bom"]);
    assert!(csv.starts_with("\u{feff}device,registrar,attempts,ok,failed,judged,"));
    let cells: Vec<usize> = csv.lines().map(|line| line.split(',').count()).collect();
    assert_eq!(cells, [21, 21]);
    let (_, lines, _) = siplens(&[CAMERA[0], "--format", "ndjson"]);
    assert_eq!(lines.lines().count(), 1);
}

#[test]
fn policies_are_read_applied_and_complained_about() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let wrong = write("wrong.toml", "[defaults]\nexpekt = \"60s\"\n");
    let (code, _, err) = siplens(&[CAMERA[0], "--policy", &wrong]);
    assert_eq!(code, 2);
    assert!(err.contains("wrong.toml line 2: unknown field `expekt`"), "{err}");
    write("list.csv", "device,name\n11010000121310000034,Gate 4\n11010000121310000035,Gate 5\n");
    let fleet = write(
        "fleet.toml",
        "[[match]]\ntype = \"131\"\nexpect = \"95s\"\n[[match]]\nname = \"phones\"\ndevice = \"1*@*\"\n\
         [rules]\n\"R014\" = \"off\"\n\"reg/absent\" = \"warning\"\n[expected]\nfile = \"list.csv\"\n",
    );
    let (code, out, err) = siplens(&[CAMERA[0], "--policy", &fleet, "--width", "120"]);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("11010000121310000035 Gate 5 is expected, but was not seen"), "{out}");
    assert!(out.contains("Gate 4"), "{out}");
    assert!(err.contains("fleet.toml line 4: [[match]] \"phones\" fits no device"), "{err}");
    assert_eq!(siplens(&[CAMERA[0], "--policy", &fleet, "--fail-on", "warning"]).0, 1);
}

#[test]
fn what_was_learned_is_a_policy_that_its_input_keeps() {
    let input = "tests/data/registrations/01-healthy-udp.pcap";
    let (code, out, _) = siplens(&[input, "--learn"]);
    assert!(code == 0 && out.contains("expect = \"1800s\""), "{out}");
    assert!(out.contains("device = \"3402000000132*\"") && out.contains("keepalive = \"60s\""));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("learned.toml");
    std::fs::write(&path, out).unwrap();
    assert_eq!(siplens(&[input, "--policy", path.to_str().unwrap(), "--fail-on", "warning"]).0, 0);
}

#[test]
fn an_interval_below_the_expected_one_is_too_short() {
    let model = analyzed(&files("01-healthy-udp"));
    let policy = Policy { expect: Some(Expect::Interval(3_600_000_000_000)), ..Policy::default() };
    assert!(labels(&judge(&model, policy)).contains_key("R004:short"));
}

#[test]
fn a_fleet_has_a_line_for_its_storm_and_rows_by_group() {
    let input = "tests/data/registrations/12-fleet-storm-tcp.pcap";
    let (_, out, _) = siplens(&[input, "--width", "200"]);
    assert!(out.contains("200 devices, 280 attempts, peak 25/s, 80 x 503"), "{out}");
    assert!(out.contains("(after 200 connections ended at 00:10:00)"), "{out}");
    let (_, out, _) = siplens(&[input, "--group", "prefix:10", "--width", "100"]);
    assert_eq!(out.matches("3402000000*").count(), 1, "{out}");
    let (_, out, _) = siplens(&[input, "--only", "reg/rejected", "--format", "csv"]);
    assert_eq!(out.lines().count(), 81, "{out}");
}

#[test]
fn someone_who_tries_addresses_has_one_row_and_fails_no_phone() {
    let mut script = "host eve 192.0.2.66:5060\nhost bob 192.0.2.2:5060\n".to_owned();
    for user in 100..125 {
        script += &format!(
            "call try{user}\neve > bob  REGISTER\n    From: <sip:{user}@example.com>;tag=a\n    \
             To: <sip:{user}@example.com>\neve < bob  404\n"
        );
    }
    script += "END +40s\n";
    let model = analyze(&Flow::play(&script).capture());
    let found = labels(&judge(&model, Policy::default()));
    assert_eq!(found.into_keys().collect::<Vec<_>>(), ["R021:probed"]);
}
