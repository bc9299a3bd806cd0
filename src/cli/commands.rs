//! The commands that read captures, each from its options to its view.

use std::io::{self, Write as _};
use std::ops::ControlFlow;
use std::sync::Arc;

use anyhow::bail;

use super::Outcome;
use super::args::{
    CheckArgs, FindingFormat, LadderArgs, LadderFormat, LaneKind, ListArgs, MessagesArgs,
    ReportArgs, RowFormat,
};
use super::output::Paging;
use super::run::{Run, selection};
use crate::model::FlowId;
use crate::model::audit::{Policy, Terms};
use crate::rules::{self, Selection};
use crate::view::check::CheckFormat;
use crate::view::html::ReportOptions;
use crate::view::ladder::{LadderOptions, LaneKey};
use crate::view::message::Detail;
use crate::view::messages::Messages;
use crate::view::{
    Format, Ladder, MessageRow, Relation, Subject, check as check_view, html, list as list_view,
    mermaid, svg, text,
};

/// `siplens list`.
pub(super) fn list(args: &ListArgs) -> anyhow::Result<Outcome> {
    let mut run = Run::open(&args.common)?;
    let found = run.analyze(&Selection::default());
    let mut sink = run.sink(paging(args.format))?;
    let style = run.row_style(&sink);
    let subject = found.subject(&run.files);
    list_view::write(&subject, format(args.format), &style, &mut sink)?;
    let shown = subject.flows.len();
    drop(subject);
    run.close(sink, found.tally(), (shown, "flow"))
}

/// `siplens messages`.
pub(super) fn messages(args: &MessagesArgs) -> anyhow::Result<Outcome> {
    let mut run = Run::open(&args.common)?;
    if let Some(field) = run.filter.as_ref().and_then(|f| f.asks(&|field| field.is_of_calls())) {
        bail!(
            "--filter: {} is of calls, a single message has none: see `siplens list`",
            field.name()
        );
    }
    let mut sink = run.sink(Paging::Never)?;
    let detail = match args.common.output.verbose {
        0 => Detail::Line,
        1 => Detail::Whole,
        _ => Detail::Explained,
    };
    let files = run.files.clone();
    let mut choosing = run.choosing();
    let rules = Selection::default();
    let mut view = Messages::new(format(args.format), detail, run.row_style(&sink), &files);
    view.begin(&mut sink)?;
    // What comes through a pipe is shown as it comes.
    let eager = files.iter().any(|file| file == "-");
    let (mut shown, mut result) = (0, Ok(()));
    let tally = run.stream(&mut |message, sighted, path| {
        let Some(elapsed) = choosing.choose(message) else { return ControlFlow::Continue(()) };
        shown += 1;
        let row = MessageRow {
            message,
            relation: Relation::of_sighting(sighted),
            findings: rules::codes(message, &rules),
            path,
            interface: "",
            elapsed: args.elapsed.then_some(elapsed),
        };
        result = view.row(&row, &mut sink);
        if eager && result.is_ok() {
            result = sink.flush();
        }
        if result.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    result?;
    view.end(&tally, &mut sink)?;
    run.close(sink, tally, (shown, "message"))
}

/// `siplens ladder`.
pub(super) fn ladder(args: &LadderArgs) -> anyhow::Result<Outcome> {
    let mut run = Run::open(&args.common)?;
    let found = run.analyze(&Selection::default());
    let mut sink = run.sink(match args.format {
        LadderFormat::Text => Paging::Allowed,
        LadderFormat::Mermaid | LadderFormat::Svg => Paging::Never,
    })?;
    let style = run.style(&sink);
    let subject = found.subject(&run.files);
    let options = LadderOptions { lanes: lanes(args.lanes), ..LadderOptions::default() };
    let calls = calls(&subject);
    let ladders = calls.iter().map(|flows| Ladder::of(&subject, flows, &options));
    match args.format {
        _ if subject.flows.is_empty() => {}
        LadderFormat::Mermaid => {
            mermaid::draw(&ladders.collect::<Vec<_>>(), &style.time, &mut sink)?;
        }
        LadderFormat::Svg => svg::draw(&ladders.collect::<Vec<_>>(), &style.time, &mut sink)?,
        LadderFormat::Text => {
            for (index, ladder) in ladders.enumerate() {
                if index != 0 {
                    io::Write::write_all(&mut sink, b"\n")?;
                }
                text::draw(&ladder, &style, &mut sink)?;
            }
        }
    }
    drop(calls);
    let shown = subject.flows.len();
    drop(subject);
    run.close(sink, found.tally(), (shown, "flow"))
}

/// `siplens check`.
pub(super) fn check(args: &CheckArgs) -> anyhow::Result<Outcome> {
    let selection = selection(&args.rules)?;
    let mut run = Run::open(&args.common)?;
    let found = run.analyze(&selection);
    let format = match args.format {
        FindingFormat::Text => CheckFormat::Text,
        FindingFormat::Json => CheckFormat::Json,
        FindingFormat::Ndjson => CheckFormat::Ndjson,
        FindingFormat::Csv => CheckFormat::Csv,
        FindingFormat::Sarif => CheckFormat::Sarif,
        FindingFormat::Github => CheckFormat::Github,
    };
    let mut sink = run.sink(match format {
        CheckFormat::Text => Paging::Allowed,
        _ => Paging::Never,
    })?;
    let style = run.style(&sink);
    let subject = found.subject(&run.files);
    check_view::write(&subject, format, &style, &mut sink)?;
    let shown = subject.flows.len();
    drop(subject);
    let outcome = run.close(sink, found.tally(), (shown, "flow"))?;
    let worst = found.report().worst();
    let fails = args.fail_on.threshold().is_some_and(|limit| worst.is_some_and(|w| limit <= w));
    Ok(if outcome == Outcome::Fine && fails { Outcome::Findings } else { outcome })
}

/// `siplens report`.
pub(super) fn report(args: &ReportArgs) -> anyhow::Result<Outcome> {
    let output = &args.common.output;
    if output.output.is_none() && io::IsTerminal::is_terminal(&io::stdout()) {
        bail!("a report is an HTML file: name it with -o report.html");
    }
    let selection = selection(&args.rules)?;
    let mut run = Run::open(&args.common)?;
    let mut found = run.analyze(&selection);
    let mut sink = run.sink(Paging::Never)?;
    let policy = Arc::new(Policy::default());
    let terms = Terms {
        policy: &|_| Arc::clone(&policy),
        gaps: &|_| Vec::new(),
        flows: &|_| true,
        hostile: &rules::is_scanner,
        pages: &|_| false,
    };
    let audit = found.audit(run.limits(), &terms);
    let subject = found.subject(&run.files);
    let options = ReportOptions {
        title: title(&run.files),
        time: run.style(&sink).time,
        audit: Some(Arc::new((audit, selection))),
        ..ReportOptions::default()
    };
    html::write(&subject, &options, &mut sink)?;
    let shown = subject.flows.len();
    drop(subject);
    run.close(sink, found.tally(), (shown, "flow"))
}

/// The chosen flows by call: flows that belong together are drawn together.
pub(super) fn calls(subject: &Subject<'_>) -> Vec<Vec<FlowId>> {
    let chosen: std::collections::BTreeSet<FlowId> = subject.flows.iter().copied().collect();
    let mut calls: Vec<Vec<FlowId>> = subject
        .model
        .calls()
        .iter()
        .filter(|call| call.flows.iter().any(|flow| chosen.contains(flow)))
        .map(|call| call.flows.clone())
        .collect();
    let joined: std::collections::BTreeSet<FlowId> = calls.iter().flatten().copied().collect();
    calls.extend(chosen.difference(&joined).map(|flow| vec![*flow]));
    calls.sort();
    calls
}

fn title(files: &[String]) -> String {
    format!("SIP in {}", inputs(files))
}

/// The inputs in a word or two.
pub(super) fn inputs(files: &[String]) -> String {
    match files {
        // Where the file lies is nobody's business who gets the report.
        [file] => file.rsplit('/').next().unwrap_or(file).to_owned(),
        files => format!("{} captures", files.len()),
    }
}

pub(super) const fn format(format: RowFormat) -> Format {
    match format {
        RowFormat::Text => Format::Text,
        RowFormat::Json => Format::Json,
        RowFormat::Ndjson => Format::Ndjson,
        RowFormat::Csv => Format::Csv,
    }
}

pub(super) const fn paging(format: RowFormat) -> Paging {
    match format {
        RowFormat::Text => Paging::Allowed,
        _ => Paging::Never,
    }
}

const fn lanes(lanes: LaneKind) -> LaneKey {
    match lanes {
        LaneKind::Host => LaneKey::Host,
        LaneKind::HostPort => LaneKey::HostPort,
    }
}
