//! The rules of the registration audit: scenarios with the findings worked out for them, the flows
//! of their pages, and the command.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
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
            file.starts_with(name) && !file.ends_with(".json")
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

fn judge(model: &Model, policy: Policy) -> Vec<DeviceFinding> {
    let policy = Arc::new(policy);
    let terms = Terms {
        policy: &|_| Arc::clone(&policy),
        gaps: &[],
        flows: &|_| true,
        hostile: &is_scanner,
    };
    let audit = Audit::of(model, &terms);
    check_registrations(&audit, model, &Selection::all())
}

/// `R006`, `R007:timeout` with their counts, of all devices together.
fn labels(findings: &[DeviceFinding]) -> BTreeMap<String, u64> {
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

/// Kinds that need a policy or a fleet; tests of their own have them.
const ELSEWHERE: [&str; 7] = [
    "R004:short",
    "R018:mass-loss",
    "R018:herd",
    "R020:slow",
    "G002:version-missing",
    "G014:missing",
    "R011:source-changed",
];
