//! One row per call flow: what a list shows.

use std::io::{self, Write};

use rustc_hash::FxHashMap;

use super::json::{self, call::CallRecord};
use super::table::{self, Cell, Column, Fit, Tone};
use super::visible::visible;
use super::{Format, Style, Subject};
use crate::model::{CallFlow, FlowId, FlowState, Summary};
use crate::rules::Severity;
use crate::sip::NameAddr;
use crate::time::{SECOND, Timestamp};
use crate::view::clock::span;

/// Writes the chosen flows of `subject`.
pub fn write(
    subject: &Subject<'_>,
    format: Format,
    style: &Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let flows: Vec<&CallFlow> = subject.flows.iter().map(|id| subject.flow(*id)).collect();
    if format != Format::Text {
        let calls = calls(subject);
        // Rows borrow their summaries; one at a time keeps a long list out of memory.
        let summaries: Vec<Summary> = flows.iter().map(|flow| flow.summary()).collect();
        let records = flows.iter().zip(&summaries).map(|(flow, summary)| {
            CallRecord::of(subject, flow, summary, calls.get(&flow.id).copied())
        });
        return json::write(records, format, &subject.model.tally, out);
    }
    let with_date = spans_days(&flows);
    let rows: Vec<Vec<Cell>> =
        flows.iter().map(|flow| row(subject, flow, &flow.summary(), style, with_date)).collect();
    table::write(&head(style.width), &rows, style, out)
}

/// The columns in so much room. What tells calls apart and what went wrong with them stays longest;
/// the wider the terminal, the more of a name is worth another column.
const fn head(width: usize) -> [Column; 14] {
    let name = match width {
        ..80 => 9,
        80..100 => 12,
        100.. => 16,
    };
    [
        column("#", 1, 7, 5, Fit::Number),
        column("Start", 19, 19, 1, Fit::Text),
        column("From", name, 40, 0, Fit::Text),
        column("To", name, 40, 0, Fit::Text),
        column("Source", 14, 47, 10, Fit::Whole),
        column("Destination", 14, 47, 11, Fit::Whole),
        column("Method", 8, 10, 7, Fit::Text),
        column("State", 11, 11, 2, Fit::Text),
        column("Status", 6, 6, 0, Fit::Number),
        column("Msgs", 4, 6, 8, Fit::Number),
        column("Setup", 7, 10, 9, Fit::Number),
        column("Talk", 7, 10, 6, Fit::Number),
        column("Findings", 8, 24, 3, Fit::Text),
        column("Call-ID", 8, 120, 4, Fit::Text),
    ]
}

const fn column(title: &'static str, least: usize, most: usize, rank: u8, fit: Fit) -> Column {
    Column { title, least, most, rank, fit }
}

fn row(
    subject: &Subject<'_>,
    flow: &CallFlow,
    summary: &Summary,
    style: &Style,
    with_date: WithDate,
) -> Vec<Cell> {
    let first = flow.message(summary.first);
    let envelope = &first.envelope;
    let span_of = |nanos: Option<i64>| Cell::from(nanos.map(span).unwrap_or_default());
    vec![
        (flow.id.0 + 1).to_string().into(),
        start(summary.start, style, with_date).into(),
        party(first.from()).into(),
        party(first.to()).into(),
        envelope.from.to_string().into(),
        envelope.to.to_string().into(),
        visible(summary.method.as_str().as_bytes()).into(),
        Cell { text: summary.state.word().to_owned(), tone: tone(summary.state) },
        summary.status.map(|status| status.0.to_string()).unwrap_or_default().into(),
        summary.messages.to_string().into(),
        span_of(summary.setup),
        span_of(talk(summary, subject.now)),
        findings(subject, flow),
        visible(flow.call_id()).into(),
    ]
}

/// How long the two have talked: of a call that goes on until `now`, where that is known.
fn talk(summary: &Summary, now: Option<Timestamp>) -> Option<i64> {
    let since = now.filter(|_| summary.state == FlowState::InCall);
    let more = since.map_or(0, |now| now.since(summary.end).max(0));
    summary.duration.map(|talked| talked + more)
}

/// Whether the times of a list need their date.
#[derive(Clone, Copy, PartialEq, Eq)]
enum WithDate {
    Yes,
    No,
}

fn spans_days(flows: &[&CallFlow]) -> WithDate {
    let times = || flows.iter().filter_map(|flow| flow.messages.first());
    let first = times().map(|entry| entry.message.envelope.time).min();
    let last = times().map(|entry| entry.message.envelope.time).max();
    match (first, last) {
        (Some(first), Some(last)) if last.since(first) < 86_400 * SECOND => WithDate::No,
        _ => WithDate::Yes,
    }
}

fn start(time: Timestamp, style: &Style, with_date: WithDate) -> String {
    match with_date {
        WithDate::Yes => format!("{} {}", style.time.date(time), style.time.time_of_day(time, 0)),
        WithDate::No => style.time.time_of_day(time, 3),
    }
}

/// The address as people know it: without scheme, or the number alone.
pub(super) fn party(address: Option<NameAddr<'_>>) -> String {
    let Some(address) = address else { return "?".to_owned() };
    let uri = address.parsed_uri();
    match uri.map(|uri| (uri.user, uri.host)) {
        Some((Some(user), b"")) => visible(user),
        Some((Some(user), host)) => format!("{}@{}", visible(user), visible(host)),
        Some((None, host)) if !host.is_empty() => visible(host),
        _ => visible(address.uri),
    }
}

fn tone(state: FlowState) -> Tone {
    match state {
        FlowState::Completed | FlowState::InCall => Tone::Good,
        FlowState::Trying | FlowState::Ringing | FlowState::Partial | FlowState::Redirected => {
            Tone::Plain
        }
        FlowState::Cancelled | FlowState::Busy => Tone::Doubtful,
        FlowState::Rejected
        | FlowState::AuthFailed
        | FlowState::TimedOut
        | FlowState::Unanswered => Tone::Bad,
    }
}

/// Codes of the rules a flow breaks, worst first.
fn findings(subject: &Subject<'_>, flow: &CallFlow) -> Cell {
    let breaches = subject.breaches_of(flow.id);
    let tone = match breaches.first() {
        Some((Severity::Error, _)) => Tone::Bad,
        Some((Severity::Warning, _)) => Tone::Doubtful,
        _ => Tone::Plain,
    };
    let codes: Vec<&str> = breaches.iter().map(|(_, rule)| rule.code).collect();
    Cell { text: codes.join(" "), tone }
}

/// For each flow that is part of a call of several, the number of the call, from 1.
fn calls(subject: &Subject<'_>) -> FxHashMap<FlowId, usize> {
    let mut calls = FxHashMap::default();
    for (index, call) in subject.model.calls().iter().enumerate() {
        calls.extend(call.flows.iter().map(|flow| (*flow, index + 1)));
    }
    calls
}
