//! The head of the report: what was read, what came of it, what was lost.

use std::collections::BTreeMap;

use askama::Template;

use super::calls::List;
use super::{Page, VERSION};
use crate::model::{FlowKind, FlowState};
use crate::rules::Severity;
use crate::view::clock::span;
use crate::view::completeness;
use crate::view::frames::base;
use crate::view::visible::visible;

#[derive(Template)]
#[template(path = "report_head.html")]
pub(super) struct Head<'a> {
    version: &'static str,
    title: String,
    style: String,
    window: String,
    findings: usize,
    drawn: usize,
    lists: &'a [List],
    cards: Vec<Card>,
    outcomes: Vec<Outcome>,
    files: Vec<String>,
    read: String,
    losses: Vec<(&'static str, Vec<String>)>,
    notices: Vec<String>,
    /// Digest of the one script the page may run, when it has one.
    script: Option<String>,
    /// There is nothing but the audit.
    is_bare: bool,
}

/// One number.
struct Card {
    number: usize,
    label: &'static str,
    tone: &'static str,
}

/// One part of the bar of outcomes.
struct Outcome {
    word: &'static str,
    count: usize,
    tone: &'static str,
    percent: String,
}

/// The top of the page; `more` are errors and warnings beside those of the calls.
pub(super) fn head<'a>(
    page: &Page<'_>,
    lists: &'a [List],
    script: Option<String>,
    more: (usize, usize),
) -> Head<'a> {
    let subject = page.subject;
    let tally = &subject.model.tally;
    Head {
        version: VERSION,
        title: visible(page.options.title.as_bytes()),
        style: super::style(),
        window: window(page),
        findings: subject.findings.len(),
        drawn: page.choice.drawn.len(),
        lists,
        cards: cards(page, more),
        outcomes: outcomes(page),
        // Where a file lies is nobody's business who gets the report.
        files: subject.files.0.iter().map(|file| visible(base(file))).collect(),
        read: format!("{} packets, {} SIP messages", tally.frames, tally.messages),
        losses: completeness::losses(tally),
        notices: tally.notices.iter().map(|text| visible(text.as_bytes())).collect(),
        is_bare: subject.flows.is_empty() && script.is_some(),
        script,
    }
}

/// From when to when, and in which zone.
fn window(page: &Page<'_>) -> String {
    let vantage = &page.subject.model.vantage;
    let times = || page.subject.model.flows.iter().flat_map(|flow| &flow.messages);
    let seen = || times().map(|entry| entry.message.envelope.time);
    let (first, last) = if vantage.first.0 == 0 {
        (seen().min().unwrap_or_default(), seen().max().unwrap_or_default())
    } else {
        (vantage.first, vantage.last)
    };
    let zone = &page.options.time;
    let last_text = if zone.date(first) == zone.date(last) {
        zone.time_of_day(last, 3)
    } else {
        format!("{} {}", zone.date(last), zone.time_of_day(last, 3))
    };
    format!(
        "{} {} to {last_text} {} · {}",
        zone.date(first),
        zone.time_of_day(first, 3),
        zone.zone(first),
        span(last.since(first))
    )
}

fn cards(page: &Page<'_>, more: (usize, usize)) -> Vec<Card> {
    let subject = page.subject;
    let kinds = subject.flows.iter().map(|flow| subject.flow(*flow).summary().kind);
    let mut by_kind: BTreeMap<FlowKind, usize> = BTreeMap::new();
    for kind in kinds {
        *by_kind.entry(kind).or_default() += 1;
    }
    let of_kind = |kind| by_kind.get(&kind).copied().unwrap_or(0);
    let of_severity = |severity| subject.findings.iter().filter(|f| f.severity == severity).count();
    let toned = |number, tone| if number == 0 { "" } else { tone };
    let errors = of_severity(Severity::Error) + more.0;
    let warnings = of_severity(Severity::Warning) + more.1;
    let card = |number, label, tone| Card { number, label, tone };
    let mut cards = vec![
        card(errors, "errors", toned(errors, "bad")),
        card(warnings, "warnings", toned(warnings, "doubt")),
        card(of_kind(FlowKind::Call), "call flows", ""),
        card(of_kind(FlowKind::Registration), "registration flows", ""),
        card(of_kind(FlowKind::Subscription), "subscriptions", ""),
        card(of_kind(FlowKind::Other), "other flows", ""),
    ];
    cards.retain(|card| card.number != 0 || matches!(card.label, "errors" | "warnings"));
    let messages = if subject.flows.len() == subject.model.flows.len() {
        subject.model.tally.messages as usize
    } else {
        subject.flows.iter().map(|flow| subject.flow(*flow).messages.len()).sum()
    };
    cards.push(card(messages, "SIP messages", ""));
    cards
}

fn outcomes(page: &Page<'_>) -> Vec<Outcome> {
    let subject = page.subject;
    let mut counts: BTreeMap<FlowState, usize> = BTreeMap::new();
    for flow in &subject.flows {
        let summary = subject.flow(*flow).summary();
        if summary.kind == FlowKind::Call {
            *counts.entry(summary.state).or_default() += 1;
        }
    }
    let all: usize = counts.values().sum();
    let mut outcomes: Vec<Outcome> = counts
        .into_iter()
        .map(|(state, count)| Outcome {
            word: state.word(),
            count,
            tone: tone(state),
            percent: hundredths(count * 10_000 / all.max(1)),
        })
        .collect();
    outcomes.sort_by_key(|outcome| {
        ["good", "plain", "doubt", "bad"].iter().position(|tone| *tone == outcome.tone)
    });
    outcomes
}

fn hundredths(value: usize) -> String {
    format!("{}.{:02}", value / 100, value % 100)
}

/// The class of a state in style sheets.
pub(super) const fn tone(state: FlowState) -> &'static str {
    match state {
        FlowState::Completed | FlowState::InCall => "good",
        FlowState::Trying | FlowState::Ringing | FlowState::Partial | FlowState::Redirected => {
            "plain"
        }
        FlowState::Cancelled | FlowState::Busy => "doubt",
        FlowState::Rejected
        | FlowState::AuthFailed
        | FlowState::TimedOut
        | FlowState::Unanswered => "bad",
    }
}
