//! Lists of flows, and each drawn call with its ladder and its messages.

use std::fmt::Write as _;

use askama::Template;

use super::choice::call_id;
use super::numbers::tone;
use super::source;
use super::{Badge, Page, badges};
use crate::model::{CallFlow, FlowId, FlowKind, MessageId, Summary};
use crate::view::Ladder;
use crate::view::clock::span;
use crate::view::ladder::Event;
use crate::view::line::{first_line, note};
use crate::view::list::party;
use crate::view::svg::{self, Links, anchor};
use crate::view::visible::visible;

/// Flows of one kind.
pub(super) struct List {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) total: usize,
    /// Whether any of its flows has times of a session.
    with_times: bool,
    rows: Vec<Row>,
    more: usize,
}

#[derive(Template)]
#[template(path = "report_list.html")]
pub(super) struct ListPart<'a> {
    pub(super) list: &'a List,
}

struct Row {
    href: Option<String>,
    number: u32,
    start: String,
    from: String,
    to: String,
    source: String,
    target: String,
    method: String,
    state: &'static str,
    tone: &'static str,
    status: String,
    messages: u32,
    setup: String,
    talk: String,
    findings: Vec<Badge>,
}

/// The lists that have rows.
pub(super) fn lists(page: &Page<'_>) -> Vec<List> {
    let mut lists = [
        (FlowKind::Call, "calls", "Calls"),
        (FlowKind::Registration, "registrations", "Registrations"),
        (FlowKind::Subscription, "subscriptions", "Subscriptions"),
        (FlowKind::Other, "others", "Other flows"),
    ]
    .map(|(kind, id, title)| {
        (
            kind,
            List {
                id,
                title,
                total: 0,
                with_times: kind == FlowKind::Call,
                rows: Vec::new(),
                more: 0,
            },
        )
    });
    for flow in page.subject.flows.iter().map(|id| page.subject.flow(*id)) {
        let summary = flow.summary();
        let Some((_, list)) = lists.iter_mut().find(|(kind, _)| *kind == summary.kind) else {
            continue;
        };
        list.total += 1;
        if list.rows.len() < page.options.rows {
            list.rows.push(row(page, flow, &summary));
        } else {
            list.more += 1;
        }
    }
    lists.into_iter().map(|(_, list)| list).filter(|list| list.total != 0).collect()
}

fn row(page: &Page<'_>, flow: &CallFlow, summary: &Summary) -> Row {
    let first = flow.message(summary.first);
    let zone = &page.options.time;
    let same_day = zone.date(summary.start) == zone.date(page.subject.model.vantage.first);
    Row {
        href: page.choice.call_href(flow.id),
        number: flow.id.0 + 1,
        start: if same_day {
            zone.time_of_day(summary.start, 3)
        } else {
            format!("{} {}", zone.date(summary.start), zone.time_of_day(summary.start, 3))
        },
        from: party(first.from()),
        to: party(first.to()),
        source: first.envelope.from.to_string(),
        target: first.envelope.to.to_string(),
        method: visible(summary.method.as_str().as_bytes()),
        state: summary.state.word(),
        tone: tone(summary.state),
        status: summary.status.map(|status| status.0.to_string()).unwrap_or_default(),
        messages: summary.messages,
        setup: summary.setup.map(span).unwrap_or_default(),
        talk: summary.duration.map(span).unwrap_or_default(),
        findings: flow_badges(page, &[flow.id]),
    }
}

fn flow_badges(page: &Page<'_>, flows: &[FlowId]) -> Vec<Badge> {
    let found = flows.iter().flat_map(|flow| page.subject.breaches_of(*flow));
    badges(found.map(|(severity, rule)| (severity, rule.code, rule.name)))
}

#[derive(Template)]
#[template(path = "report_call.html")]
pub(super) struct CallPart {
    id: String,
    heading: String,
    state: &'static str,
    tone: &'static str,
    findings: Vec<Badge>,
    facts: Vec<(&'static str, String)>,
    /// SVG, escaped.
    ladder: String,
    more: usize,
    open: bool,
    messages: Vec<Item>,
}

/// One message below its ladder.
struct Item {
    id: String,
    open: bool,
    frame: String,
    time: String,
    hop: String,
    line: String,
    notes: Vec<String>,
    findings: Vec<Badge>,
    /// HTML, escaped.
    text: String,
}

/// The part on a group of flows.
pub(super) fn call(page: &Page<'_>, group: &[FlowId]) -> CallPart {
    let mut ladder = Ladder::of(page.subject, group, &page.options.ladder);
    let more = cut(&mut ladder, page.options.messages);
    let mut svg = Vec::new();
    // Writing to memory does not fail.
    let _ = svg::inline(&ladder, &page.options.time, Links::Messages, &mut svg);
    let mut places: Vec<_> = group
        .iter()
        .flat_map(|flow| page.subject.flow(*flow).entries().map(|(id, entry)| (*flow, id, entry)))
        .map(|(flow, id, entry)| (entry.message.envelope.seq, flow, id))
        .filter(|(_, _, id)| (id.place() as usize) < page.options.messages)
        .collect();
    places.sort_unstable_by_key(|(seq, ..)| *seq);
    let messages: Vec<Item> =
        places.into_iter().map(|(_, flow, id)| message(page, flow, id)).collect();
    let first = group.first().copied().unwrap_or_default();
    let summary = page.subject.flow(first).summary();
    CallPart {
        id: call_id(group),
        heading: ladder.title,
        state: summary.state.word(),
        tone: tone(summary.state),
        findings: flow_badges(page, group),
        facts: facts(page, group, &summary),
        ladder: String::from_utf8(svg).unwrap_or_default(),
        more,
        open: messages.iter().any(|message| message.open),
        messages,
    }
}

/// Leaves at most `most` messages in a ladder; returns how many it took away.
fn cut(ladder: &mut Ladder, most: usize) -> usize {
    let is_message = |event: &Event| matches!(event, Event::Message(_));
    let all = ladder.rows.iter().filter(|row| is_message(&row.event)).count();
    let mut seen = 0;
    let end = ladder.rows.iter().position(|row| {
        seen += usize::from(is_message(&row.event));
        most < seen
    });
    if let Some(end) = end {
        ladder.rows.truncate(end);
    }
    all.saturating_sub(most)
}

fn facts(page: &Page<'_>, group: &[FlowId], summary: &Summary) -> Vec<(&'static str, String)> {
    let zone = &page.options.time;
    let mut facts = Vec::new();
    for flow in group {
        facts.push(("Call-ID", visible(page.subject.flow(*flow).call_id())));
    }
    let start = format!("{} {}", zone.date_time(summary.start), zone.zone(summary.start));
    facts.push(("Start", start));
    if let Some(status) = summary.status {
        facts.push(("Final status", status.0.to_string()));
    }
    let mut spans = Vec::new();
    for (label, nanos) in [
        ("post-dial delay", summary.pdd),
        ("ringing", summary.ring),
        ("setup", summary.setup),
        ("talk", summary.duration),
    ] {
        spans.extend(nanos.map(|nanos| format!("{label} {}", span(nanos))));
    }
    if !spans.is_empty() {
        facts.push(("Times", spans.join(" · ")));
    }
    let mut counts = format!("{} messages", summary.messages);
    if summary.retransmissions != 0 {
        let _ = write!(counts, " · {} retransmissions", summary.retransmissions);
    }
    if summary.duplicates != 0 {
        let _ = write!(counts, " · {} captured twice", summary.duplicates);
    }
    facts.push(("Counted", counts));
    facts
}

fn message(page: &Page<'_>, flow: FlowId, id: MessageId) -> Item {
    let subject = page.subject;
    let row = subject.row(flow, id);
    let envelope = &row.message.envelope;
    let marks: Vec<_> = subject
        .findings_at(flow, id)
        .flat_map(|finding| &finding.evidence)
        .filter(|place| place.flow == flow && place.message == id)
        .filter_map(|place| place.span)
        .collect();
    let broken = subject.marks_at(flow, id).iter().map(|mark| {
        let rule = mark.rule.rule();
        (mark.severity, rule.code, rule.name)
    });
    let pointed = subject.findings_at(flow, id).map(|f| (f.severity, f.rule.code, f.rule.name));
    Item {
        id: anchor((flow, id)),
        open: !marks.is_empty(),
        frame: subject.files.frame(envelope.frame),
        time: page.options.time.time_of_day(envelope.time, 6),
        hop: format!("{} > {} {}", envelope.from, envelope.to, envelope.transport.word()),
        line: first_line(row.message),
        notes: note(&row, subject.files).into_iter().collect(),
        findings: badges(broken.chain(pointed)),
        text: source::text(row.message, &marks),
    }
}
