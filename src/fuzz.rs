//! Bodies of the fuzz targets and of the mutation test: any octets in, no panic, no hang.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::capture::Capture;
use crate::cli::feed::{Frames, Wanted};
use crate::cli::filter::Filter;
use crate::cli::window::Window;
use crate::engine::reader::Reader;
use crate::engine::{self, Plan};
use crate::limits::Limits;
use crate::model::audit::{Audit, Policy};
use crate::model::{CallFlow, FlowId, Model, Seed, Vantage};
use crate::net::Endpoint;
use crate::rules::{Context, Report, Selection, Settings, check_flow, merge};
use crate::sip::Message;
use crate::time::{SECOND, Timestamp};
use crate::transport::{Envelope, Text};
use crate::view::check::CheckFormat;
use crate::view::html::ReportOptions;
use crate::view::ladder::LadderOptions;
use crate::view::registrations::{Options, Registrations};
use crate::view::{Format, Ladder, Style, Subject, TimeStyle};
use crate::view::{check, html, list, mermaid, registrations, svg, text};

/// A capture file: reads it, judges it, draws it in every way. Returns the messages found.
pub fn whole_capture(octets: &[u8]) -> u64 {
    let limits = limits();
    let wanted = Wanted {
        window: Window::default(),
        count: None,
        filter: None,
        total: None,
        quiet: true,
        interrupted: Arc::new(AtomicBool::new(false)),
    };
    let mut feed = Frames::new(Capture::of_bytes(octets), Reader::new(&limits), wanted);
    let plan = Plan { limits, jobs: 1, seed: Seed(1) };
    let analysis = engine::analyze(&mut feed, &plan, &|_: &CallFlow| ());
    show(&analysis.model);
    analysis.model.tally.messages
}

/// Messages of one call with [`SEPARATOR`] between: reads them one after another, judges them,
/// draws them. Returns how many were SIP.
pub fn messages(octets: &[u8]) -> usize {
    let mut flow = CallFlow::default();
    let mut rest = octets;
    let mut seq = 0;
    while !rest.is_empty() && seq < 64 {
        let end = rest.windows(SEPARATOR.len()).position(|window| window == SEPARATOR);
        let end = end.unwrap_or(rest.len());
        let text = rest.get(..end).unwrap_or_default();
        rest = rest.get(end + SEPARATOR.len()..).unwrap_or_default();
        if let Some(message) = Message::parse(envelope(seq), Text::of(text, None)) {
            flow.observe(message);
        }
        seq += 1;
    }
    let seen = flow.messages.len();
    if 0 < seen {
        let last = Timestamp::new(100, 0);
        show(&Model::new(vec![Box::new(flow)], last, |_, _| false, Seed(1)));
    }
    seen
}

/// What stands between the messages of [`messages`].
pub const SEPARATOR: &[u8] = b"\0\0\0\0";

/// An expression of `--filter`; whatever is read must be well formed enough to be asked.
pub fn filter(octets: &[u8]) {
    if let Ok(text) = std::str::from_utf8(octets)
        && let Ok(filter) = Filter::parse(text)
    {
        let _ = filter.holds(&CallFlow::default());
    }
}

/// Judges `model` by all rules and draws it in every way.
fn show(model: &Model) {
    let files = ["fuzz".to_owned()];
    let report = judge(model);
    let subject = Subject::new(model, &report, &files);
    let style = Style::default();
    let out = &mut io::sink();
    let audit = Audit::by(model, Policy::default());
    let selection = Selection::all();
    let options = Options { device: Some("*".to_owned()), ..Options::default() };
    let read = (&model.tally, model.vantage.dropped);
    let view = Registrations::new(&audit, &selection, read, &files, options);
    // A sink takes everything.
    for format in [Format::Text, Format::Ndjson, Format::Csv] {
        let _ = list::write(&subject, format, &style, out);
        let _ = registrations::write(&view, format, &style, out);
    }
    for format in [CheckFormat::Text, CheckFormat::Ndjson, CheckFormat::Sarif, CheckFormat::Github]
    {
        let _ = check::write(&subject, format, &style, out);
    }
    let flows: Vec<FlowId> = subject.flows.iter().copied().take(8).collect();
    let ladder = Ladder::of(&subject, &flows, &LadderOptions::default());
    let _ = text::draw(&ladder, &style, out);
    let _ = svg::draw(std::slice::from_ref(&ladder), &TimeStyle::Utc, out);
    let _ = mermaid::draw(std::slice::from_ref(&ladder), &TimeStyle::Utc, out);
    let options = ReportOptions { calls: 8, ..ReportOptions::default() };
    let _ = html::write(&subject, &options, out);
}

fn judge(model: &Model) -> Report {
    let (selection, settings) = (Selection::all(), Settings::default());
    let vantage = Vantage { last: Timestamp::new(1000, 0), ..model.vantage.clone() };
    let crossings = model.crossings();
    let context =
        Context { vantage: &vantage, crossings, selection: &selection, settings: &settings };
    merge(model.flows.iter().map(|flow| check_flow(flow, &context)).collect())
}

/// Bounds small enough to be reached.
fn limits() -> Limits {
    Limits {
        memory: 8 << 20,
        streams: 64,
        fragments: 32,
        fragment_bytes: 1 << 20,
        flows: 128,
        flow_messages: 256,
        ..Limits::default()
    }
}

fn envelope(seq: u64) -> Envelope {
    let endpoint =
        |host| Endpoint { ip: std::net::Ipv4Addr::new(192, 0, 2, host).into(), port: 5060 };
    let hosts = [endpoint(1), endpoint(2), endpoint(3)];
    let at = |index: u64| hosts[index as usize % hosts.len()];
    Envelope::datagram(
        seq,
        Timestamp(seq.cast_signed() * SECOND / 4),
        at(seq / 2),
        at(seq / 2 + 1 + seq % 2),
    )
}
