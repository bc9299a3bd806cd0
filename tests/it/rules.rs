//! The page of a rule is its test: every flow of every page runs under the whole catalogue.

use std::path::Path;

use siplens::engine::reader::Reader;
use siplens::engine::{self, Feed, Plan};
use siplens::frame::{FileId, Frame, FrameId, LinkType};
use siplens::limits::{Limits, Tally};
use siplens::model::{Model, Vantage};
use siplens::rules::{
    Check, Context, Gathered, RULES, Report, Rule, Selection, Settings, Severity, check_flow,
    check_flows, merge,
};
use siplens::time::Timestamp;
use siplens::transport::Observation;

use crate::support::flow::Flow;
use crate::support::flow::wire::Capture;

/// Sections every page has, in this order.
const SECTIONS: [&str; 5] =
    ["## Why it matters", "## Reported", "## Not reported", "## Known exceptions", "## See"];

/// What the flows of `model` are judged by.
fn context<'a>(model: &'a Model, selection: &'a Selection, settings: &'a Settings) -> Context<'a> {
    let crossings = model.crossings();
    Context { vantage: &model.vantage, crossings, selection, settings }
}

#[test]
fn findings_there_is_no_room_for_still_say_how_bad_it_is() {
    let model = crate::audit::analyzed(&[crate::program::sample("rejects.pcap")]);
    let (selection, settings) = (Selection::all(), Settings::default());
    let context = context(&model, &selection, &settings);
    let mut gathered = Gathered::default();
    let has_room = model.flows.iter().map(|flow| gathered.add(check_flow(flow, &context), 0));
    assert!(has_room.filter(|has_room| !has_room).count() != 0);
    let report = gathered.report();
    assert!(report.findings.is_empty());
    assert_eq!(report.worst(), Some(Severity::Error));
}

#[test]
fn flows_judged_together_are_judged_as_each_by_itself() {
    let whole = crate::program::samples().into_iter().filter(|name| !name.starts_with("truncated"));
    let files = whole.map(|name| crate::program::sample(&name));
    let model = crate::audit::analyzed(&files.collect::<Vec<_>>());
    let (selection, settings) = (Selection::all(), Settings::default());
    let context = context(&model, &selection, &settings);
    let flows = || model.flows.iter().map(|flow| &**flow);
    let alone = merge(flows().map(|flow| check_flow(flow, &context)).collect());
    let together = merge(vec![check_flows(flows(), &context)]);
    assert!(20 < alone.findings.len());
    assert_eq!(format!("{together:?}"), format!("{alone:?}"));
}

#[test]
fn every_page_says_what_its_rule_reports() {
    let mut wrong = String::new();
    for rule in flow_rules() {
        if std::env::var_os("BLESS").is_some() {
            bless(rule);
            continue;
        }
        let page = Page::of(rule);
        for case in &page.cases {
            let expected = case.findings.trim();
            let actual = findings_of(case.flow);
            if expected != actual.trim() {
                wrong += &format!(
                    "\n{} line {}, flow:\n{}\nthe page says:\n{expected}\nbut it is:\n{actual}",
                    rule.name, case.line, case.flow
                );
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_page_has_its_sections_and_both_kinds_of_flow() {
    for rule in flow_rules() {
        let page = Page::of(rule);
        let title = format!("# {} ({})", rule.name, rule.code);
        assert!(rule.page.starts_with(&title), "{}: begins with {title}", rule.name);
        assert!(rule.page.contains(rule.statement), "{}: has the statement", rule.name);
        let places: Vec<_> = SECTIONS.iter().map(|section| rule.page.find(section)).collect();
        assert!(places.iter().all(Option::is_some), "{}: has {SECTIONS:?}", rule.name);
        assert!(places.is_sorted(), "{}: has its sections in order", rule.name);
        let reported = page.cases.iter().filter(|case| case.findings.contains(rule.code)).count();
        let kept_silent = rule.page[..rule.page.find(SECTIONS[2]).unwrap()].lines().count();
        for case in page.cases.iter().filter(|case| kept_silent < case.line) {
            assert_eq!(case.findings.trim(), "", "{} line {}", rule.name, case.line);
        }
        let clean = page.cases.iter().filter(|case| case.findings.trim().is_empty()).count();
        assert!(0 < reported && 0 < clean, "{}: {reported} reported, {clean} clean", rule.name);
    }
}

#[test]
fn every_kind_is_in_its_page() {
    for rule in RULES {
        for (kind, _) in rule.kinds {
            let named = rule.page.contains(&format!("`{kind}`"));
            assert!(named, "{}: the page says what `{kind}` is", rule.name);
        }
    }
}

#[test]
fn codes_and_names_are_unique_and_in_order() {
    let codes: Vec<_> = RULES.iter().map(|rule| rule.code).collect();
    let mut names: Vec<_> = RULES.iter().map(|rule| rule.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), RULES.len());
    for scope in ["M", "T", "D", "S", "X"] {
        assert!(codes.iter().filter(|code| code.starts_with(scope)).is_sorted(), "{codes:?}");
    }
    for rule in RULES {
        let worst = rule.kinds.iter().map(|(_, severity)| *severity).max();
        assert_eq!(worst.unwrap_or(rule.severity), rule.severity, "{}", rule.name);
        assert!(!rule.refs.is_empty(), "{}", rule.name);
    }
}

/// The rules that judge call flows; those of the registration audit have tests of their own.
fn flow_rules() -> impl Iterator<Item = &'static Rule> {
    let audits = |rule: &&&Rule| {
        rule.checks.iter().any(|check| matches!(check, Check::Registration(_) | Check::Fleet(_)))
    };
    RULES.iter().filter(move |rule| !audits(rule)).copied()
}

/// Writes what the rules say into the page; then read the difference.
fn bless(rule: &Rule) {
    let mut page = rule.page.to_owned();
    for case in Page::of(rule).cases {
        let old = format!("```flow\n{}```\n\n```findings\n{}```", case.flow, case.findings);
        let new =
            format!("```flow\n{}```\n\n```findings\n{}```", case.flow, findings_of(case.flow));
        page = page.replace(&old, &new);
    }
    let scope = rule.scope();
    let file = format!("src/rules/{scope}/{}.md", rule.name.replace('-', "_"));
    std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join(file), page).unwrap();
}

/// What the rules say of `script`: a line for each finding, in order of message.
fn findings_of(script: &str) -> String {
    let capture = Flow::play(script).capture();
    let (model, report) = judge(&capture);
    let mut lines: Vec<(usize, String)> = report
        .findings
        .iter()
        .map(|finding| {
            let place = &finding.evidence[0];
            let frame = model.flow(place.flow).message(place.message).envelope.frame.number();
            let number = capture.records[frame as usize - 1].number;
            let times =
                if finding.count == 1 { String::new() } else { format!(" x{}", finding.count) };
            let (severity, title) = (finding.severity.word(), &finding.title);
            let line = format!(
                "{number} {severity} {} {title}{times}\n",
                finding.rule.label(finding.kind)
            );
            (number, line)
        })
        .collect();
    lines.sort();
    lines.into_iter().map(|(_, line)| line).collect()
}

/// The model of `capture`, and what all rules say of it.
pub(crate) fn judge(capture: &Capture) -> (Model, Report) {
    let model = analyze(capture);
    let selection = Selection::all();
    let settings = Settings::default();
    let context = Context {
        vantage: &model.vantage,
        crossings: model.crossings(),
        selection: &selection,
        settings: &settings,
    };
    let report = merge(model.flows.iter().map(|flow| check_flow(flow, &context)).collect());
    (model, report)
}

/// The model of `capture`.
pub(crate) fn analyze(capture: &Capture) -> Model {
    let limits = Limits::default();
    let mut feed = Records { capture, next: 0, reader: Reader::new(&limits) };
    let plan = Plan::new(limits, 1);
    engine::analyze(&mut feed, &plan, &|_| ()).model
}

/// The frames of a capture as a feed.
struct Records<'a> {
    capture: &'a Capture,
    next: usize,
    reader: Reader,
}

impl Feed for Records<'_> {
    fn advance(&mut self, each: &mut dyn FnMut(Observation<'_>)) -> bool {
        let Some(record) = self.capture.records.get(self.next) else {
            self.reader.finish(each);
            return false;
        };
        self.next += 1;
        let frame = Frame {
            id: FrameId::new(FileId(0), self.next as u64),
            time: Timestamp(record.time),
            link: LinkType(1),
            interface: 0,
            wire_len: record.wire_len,
            bytes: &record.bytes,
            home: None,
        };
        self.reader.read(&frame, each);
        true
    }

    fn vantage(&mut self) -> Vantage {
        self.reader.vantage()
    }

    fn tally(&self) -> Tally {
        self.reader.tally().clone()
    }
}

/// The flows of a page with the findings that follow each.
struct Page<'a> {
    cases: Vec<Case<'a>>,
}

struct Case<'a> {
    line: usize,
    flow: &'a str,
    findings: &'a str,
}

impl<'a> Page<'a> {
    fn of(rule: &'a Rule) -> Self {
        let mut cases: Vec<Case<'_>> = Vec::new();
        let mut rest = rule.page;
        while let Some((_, after)) = rest.split_once("\n```flow\n") {
            let (flow, after) = after.split_once("```").unwrap();
            let (_, after) = after
                .split_once("```findings\n")
                .unwrap_or_else(|| panic!("{}: a flow without findings", rule.name));
            let (findings, after) = after.split_once("```").unwrap();
            let line = rule.page[..rule.page.len() - rest.len()].lines().count() + 1;
            cases.push(Case { line, flow, findings });
            rest = after;
        }
        Self { cases }
    }
}

#[test]
fn docs_rules_md_lists_the_rules_as_they_are() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rules.md");
    let fresh = overview();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &fresh).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(stored == fresh, "docs/rules.md is stale: run `make bless`");
}

/// The table of all rules, scope by scope.
fn overview() -> String {
    let kinds: usize = RULES.iter().map(|rule| rule.kinds.len().max(1)).sum();
    let mut out = format!(
        "# Rules\n\nGenerated from the rules and their pages; `siplens explain RULE` prints a page.\n\n\
         {} rules, {kinds} kinds. A rule is selected by its name, its code, a prefix of codes (`M`, \
         `T0`),\nits scope or its tier, and one kind of it as `rule:kind`.\n",
        RULES.len()
    );
    let mut scope = "";
    for rule in RULES {
        if rule.scope() != scope {
            scope = rule.scope();
            out += &format!("\n## {scope}\n\n| code | rule | worst | says |\n|---|---|---|---|\n");
        }
        let page = format!("../src/rules/{scope}/{}.md", rule.name.replace('-', "_"));
        let kinds: Vec<String> = rule
            .kinds
            .iter()
            .map(|(kind, severity)| {
                let off = if rule.pedantic.contains(kind) { ", off by default" } else { "" };
                format!("`{kind}` ({}{off})", severity.word())
            })
            .collect();
        let kinds = if kinds.is_empty() { String::new() } else { format!(" {}", kinds.join(", ")) };
        let (code, name, severity) = (rule.code, rule.name, rule.severity.word());
        let says = rule.statement;
        out += &format!("| {code} | [{name}]({page}) | {severity} | {says}{kinds} |\n");
    }
    out
}

#[test]
fn each_fault_of_a_message_gives_its_rule_and_no_other() {
    let table = include_str!("../data/message-faults.tsv");
    let capture = Capture::read(include_bytes!("../data/message-faults.pcap"));
    let mut wrong = Vec::new();
    for (line, record) in table.lines().skip(1).zip(&capture.records) {
        let (_, expected) = line.split_once('\t').unwrap();
        let code = expected.split(' ').next().unwrap();
        // One capture a message: all of them have the same Call-ID and branch.
        let alone = Capture { records: vec![record.clone()] };
        let (_, report) = judge(&alone);
        let found: Vec<_> = report.findings.iter().map(|finding| finding.rule.code).collect();
        let is_known = RULES.iter().any(|rule| rule.code == code);
        let expected: Vec<_> = is_known.then_some(code).into_iter().collect();
        if found != expected {
            wrong.push(format!("{line}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_baselines_of_the_catalogue_are_clean() {
    let capture = Capture::read(include_bytes!("../data/baselines.pcap"));
    let (_, report) = judge(&capture);
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
}

/// Calls, registrations and subscriptions as they should be.
const CORRECT: &str = "
alice > registrar  REGISTER
alice < registrar  401
alice > registrar  REGISTER
alice < registrar  200
call two
alice > proxy  INVITE
alice < proxy  407
alice > proxy  ACK
alice > proxy  INVITE
alice < proxy  100
proxy > bob    INVITE
proxy < bob    100
proxy > carol  INVITE
proxy < carol  180
proxy < bob    180
alice < proxy  180
alice < proxy  180
proxy < bob    200
alice < proxy  200 INVITE
proxy > carol  CANCEL
proxy < carol  200 CANCEL
proxy < carol  487 INVITE
proxy > carol  ACK
alice > proxy  ACK
proxy > bob    ACK
+5s
proxy < bob    INVITE
alice < proxy  INVITE
alice > proxy  200
proxy > bob    200
proxy < bob    ACK
alice < proxy  ACK
+5s
alice > proxy  BYE
proxy > bob    BYE
proxy < bob    200
alice < proxy  200
call three
alice > bob  SUBSCRIBE
alice < bob  200
alice < bob  NOTIFY
alice > bob  200
call four
tcp
alice > bob  INVITE bare
alice < bob  183 reliable
alice > bob  PRACK sdp
alice < bob  200 PRACK bare
alice < bob  200 INVITE
alice > bob  ACK bare
alice > bob  REFER
alice < bob  202
alice < bob  NOTIFY
    Event: refer
    Subscription-State: terminated;reason=noresource
    Content-Type: message/sipfrag;version=2.0
    body SIP/2.0 100 Trying\\r\\n
alice > bob  200
alice < bob  BYE
alice > bob  200
call five
udp
alice > bob  PUBLISH
alice < bob  200
alice > bob  MESSAGE
alice < bob  200
alice > bob  OPTIONS
alice < bob  200
END +300s
";

#[test]
fn a_correct_script_is_silent_under_every_rule() {
    assert_eq!(findings_of(CORRECT), "");
}

#[test]
fn tshark_reads_what_scripts_write() {
    let flow = Flow::play(CORRECT);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("correct.pcap");
    std::fs::write(&file, flow.capture().pcap()).unwrap();
    let fields = ["-T", "fields", "-e", "sip.Method", "-e", "sip.Status-Code", "-e", "_ws.expert"];
    let run = std::process::Command::new("tshark")
        .args(["-r", file.to_str().unwrap(), "-Y", "sip"])
        .args(fields)
        .output();
    let Ok(run) = run else {
        return crate::program::skip("no tshark to read what flow scripts write");
    };
    let text = String::from_utf8_lossy(&run.stdout);
    assert_eq!(text.lines().count(), flow.sent.len(), "{text}");
    for (line, sent) in text.lines().zip(&flow.sent) {
        let start = String::from_utf8_lossy(&sent.bytes).lines().next().unwrap().to_owned();
        let said = line.split('\t').find(|word| !word.is_empty()).unwrap();
        assert!(start.contains(said), "{start} is read as {line}");
    }
}
