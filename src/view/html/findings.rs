//! Findings in the report: grouped by rule, worst first, with quotations and links.

use askama::Template;

use super::Page;
use super::source::quoted;
use crate::rules::{Coverage, Finding, Place, Severity};
use crate::view::line::first_line;
use crate::view::page;
use crate::view::visible::visible;

/// Findings shown of one rule.
const MOST: usize = 100;

#[derive(Template)]
#[template(path = "report_findings.html")]
pub(super) struct Findings {
    /// True where there was nothing to judge.
    nothing: bool,
    groups: Vec<Group>,
    undecided: Vec<Undecided>,
}

/// The findings of one rule.
struct Group {
    severity: &'static str,
    open: bool,
    code: &'static str,
    name: &'static str,
    statement: &'static str,
    times: String,
    advice: Vec<(&'static str, String)>,
    findings: Vec<Item>,
    more: usize,
}

struct Item {
    title: String,
    times: String,
    who: String,
    evidence: Vec<Evidence>,
}

struct Evidence {
    href: Option<String>,
    frame: String,
    time: String,
    line: String,
    note: String,
    /// HTML, escaped.
    quote: Option<String>,
}

/// A rule that could not judge all it met.
struct Undecided {
    code: &'static str,
    name: &'static str,
    judged: u64,
    open: u64,
    why: String,
}

pub(super) fn findings(page: &Page<'_>) -> Findings {
    let groups = page
        .subject
        .findings
        .chunk_by(|a, b| std::ptr::eq(a.rule, b.rule) && a.severity == b.severity)
        .filter_map(|findings| group(page, findings));
    Findings {
        nothing: page.subject.flows.is_empty(),
        groups: groups.collect(),
        undecided: page.subject.coverage.iter().filter_map(undecided).collect(),
    }
}

fn group(page: &Page<'_>, findings: &[Finding]) -> Option<Group> {
    let first = findings.first()?;
    let rule = first.rule;
    let advice = [
        ("Why", page::why(rule)),
        ("Fix", page::remedy(rule)),
        ("See", Some(rule.refs.join(", "))),
    ];
    let times = match findings.len() {
        1 => String::new(),
        several => format!("{several} findings"),
    };
    Some(Group {
        severity: first.severity.word(),
        open: first.severity != Severity::Info,
        code: rule.code,
        name: rule.name,
        statement: rule.statement,
        times,
        advice: advice.into_iter().filter_map(|(label, text)| Some((label, text?))).collect(),
        findings: findings.iter().take(MOST).map(|finding| item(page, finding)).collect(),
        more: findings.len().saturating_sub(MOST),
    })
}

fn item(page: &Page<'_>, finding: &Finding) -> Item {
    Item {
        title: visible(finding.title.as_bytes()),
        times: match finding.count {
            0 | 1 => String::new(),
            count => format!("{count} times"),
        },
        who: visible(format!("{} · {}", finding.sender, finding.hop).as_bytes()),
        evidence: finding.evidence.iter().map(|place| evidence(page, place)).collect(),
    }
}

fn evidence(page: &Page<'_>, place: &Place) -> Evidence {
    let message = page.subject.flow(place.flow).message(place.message);
    let envelope = &message.envelope;
    Evidence {
        href: page.choice.message_href(place.flow, place.message),
        frame: page.subject.files.frame(envelope.frame),
        time: page.options.time.time_of_day(envelope.time, 6),
        line: first_line(message),
        note: visible(place.note.as_bytes()),
        quote: place.span.map(|span| quoted(message, span)),
    }
}

fn undecided(coverage: &Coverage) -> Option<Undecided> {
    let undecided = coverage.undecidable();
    let why: Vec<String> =
        coverage.undecided.iter().map(|(reason, count)| format!("{count} × {reason}")).collect();
    (undecided != 0).then(|| Undecided {
        code: coverage.rule.code,
        name: coverage.rule.name,
        judged: coverage.judged,
        open: undecided,
        why: why.join(", "),
    })
}
