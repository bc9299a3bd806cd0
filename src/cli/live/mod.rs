//! `siplens live`: the pipeline of every command, fed as things happen.

pub mod args;
mod drops;
mod events;
mod findings;
mod gauges;
mod keeper;
mod ladders;
mod leaving;
mod lines;
pub mod metrics;
#[cfg(unix)]
pub mod privileges;
mod pulse;
mod show;
mod source;
mod table;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::audit::{self, Judge};
use super::choosing::Choosing;
use super::feed::{Frames, Tap, Wanted, on_interrupt};
use super::filter::{Field, Filter};
use super::judging::Judging;
use super::output::{Paging, Sink};
use super::run::{add_key_logs, selection};
use super::window::Window;
use super::{Outcome, choice, closing};
use crate::capture::live::Live;
use crate::capture::write::Savefile;
use crate::engine::live::Flows;
use crate::engine::sift::Sift;
use crate::engine::{Feed as _, LetGo, Plan, Reader};
use crate::frame::FileId;
use crate::limits::Limits;
use crate::model::CallFlow;
use crate::model::audit::{Applicant, Past, Terms};
use crate::rules::{FlowReport, Selection, Told, is_scanner};
use crate::transport::Observation;
use crate::view::Format;
use crate::view::check::CheckFormat;
use crate::view::message::Detail;
use crate::view::messages::Messages;
use args::{LiveArgs, LiveFormat};
use drops::Drops;
use events::Events;
use findings::Findings;
use gauges::Gauges;
use keeper::Keeper;
use ladders::Ladders;
use leaving::Leaving;
use lines::Lines;
use pulse::Pulse;
use show::{Moment, Show};
use source::Opened;
use table::Table;

/// Frames between two looks at the clock.
const STRIDE: u32 = 64;
/// Messages of one flow that are held: what lasts longer begins anew.
const FLOW_MESSAGES: usize = 10_000;
/// Rows of a terminal that are no rows of the table: its head, and the line below it.
const FRAME_ROWS: usize = 4;

/// `siplens live`.
pub(super) fn live(args: &LiveArgs) -> anyhow::Result<Outcome> {
    if args.source.interfaces {
        io::stdout().write_all(source::list()?.as_bytes())?;
        return Ok(Outcome::Fine);
    }
    let filter = choice::filter(&args.choice)?;
    let judge = Judge::of(&args.policy)?;
    let selection = if args.show.registrations {
        audit::selection(&args.rules, &judge)?
    } else {
        selection(&args.rules)?
    };
    let limits = Limits { memory: args.memory, flow_messages: FLOW_MESSAGES, ..Limits::default() };
    let plan = Plan::new(limits, 1);
    let mut reader = Reader::new(&plan.limits);
    add_key_logs(&mut reader, &args.source.keylog)?;
    let mut sink = Sink::open(&args.output, Paging::Never)?;
    let interrupted = on_interrupt();
    let opened = Opened::of(&args.source, &interrupted)?;
    let quiet = args.output.quiet;
    say(&opened.notes, quiet);
    let names = opened.names.clone();
    // Frames are counted over all interfaces: to views they are one input.
    let input = [names.join(",")];
    let listener = args.metrics.as_deref().map(metrics::Listener::bind).transpose()?;
    let savefile = args.keep.write.as_deref().map(|path| Savefile::create(path, args.keep.ring));
    let mut savefile = savefile.transpose()?;
    give_up_rights(args, &sink, savefile.as_ref())?;
    let mut gauges = listener.map(metrics::Listener::serve).transpose()?.map(Gauges::new);
    let wanted = Wanted {
        window: Window::default(),
        count: args.end.count,
        filter: filter.clone().map(|filter| Choosing::new(Some(filter), plan.seed)),
        total: None,
        quiet: true,
        interrupted,
    };
    let judging = Judging::new(filter.clone(), &selection);
    let let_go = |flow: &CallFlow| judging.early(flow);
    let policy = |applicant: &Applicant<'_>| judge.policy(applicant);
    let terms = Terms {
        policy: &policy,
        gaps: &|_| Vec::new(),
        flows: &|_| true,
        hostile: &is_scanner,
        pages: &|_| false,
    };
    let setting = Setting {
        terms: &terms,
        judge: &judge,
        args,
        plan: &plan,
        names: &input,
        judging: &judging,
        let_go: &let_go,
    };
    if let Some(savefile) = &mut savefile {
        for (number, name) in names.iter().enumerate() {
            savefile.describe(FileId(0), number as u32, name, args.source.snaplen);
        }
    }
    let keeper = savefile.map(|savefile| {
        let choosing = Choosing::new(filter.clone(), plan.seed);
        Box::new(Keeper::new(savefile, args.keep.keep, choosing, &plan)) as Box<dyn Tap>
    });
    let mut show = setting.show(filter, &selection, &sink)?;
    let mut feed = Frames::new(opened.start()?, reader, wanted).tapped(keeper);
    if args.source.input.is_none() {
        say(&[format!("watching {}; Ctrl-C ends it", names.join(", "))], quiet);
    }
    let leaving = args.end.exit_after_call.then(|| Leaving::new(&plan, &judging));
    let beside = Beside { gauges: gauges.as_mut(), leaving };
    watch(&mut feed, (&mut *show, beside), &mut sink, args)?;
    let ended = show.finish(&feed, &mut sink)?;
    sink.close()?;
    if let Some((tap, reader, live)) = feed.tap() {
        say(&tap.finish(reader, &|interface| live.lost_by(interface)), quiet);
    }
    let mut tally = ended.tally;
    for note in feed.close() {
        tally.notice(note);
    }
    if !quiet {
        closing::close(&tally);
    }
    let threshold = args.show.fail_on.threshold();
    let fails = threshold.is_some_and(|limit| ended.worst.is_some_and(|worst| limit <= worst));
    Ok(match () {
        () if feed.is_interrupted() => Outcome::Interrupted,
        () if feed.is_troubled() => Outcome::Unreadable,
        () if ended.shown == 0 && !args.output.allow_empty => {
            say(&["nothing of what was asked for was seen".to_owned()], quiet);
            Outcome::Empty
        }
        () if fails => Outcome::Findings,
        () => Outcome::Fine,
    })
}

/// What the ways to show a run are made from.
struct Setting<'a> {
    args: &'a LiveArgs,
    plan: &'a Plan,
    names: &'a [String],
    judging: &'a Judging<'a>,
    let_go: &'a LetGo<'a, Option<FlowReport>>,
    terms: &'a Terms<'a>,
    judge: &'a Judge,
}

impl<'a> Setting<'a> {
    /// The one that was asked for.
    fn show(
        &self,
        filter: Option<Filter>,
        selection: &'a Selection,
        sink: &Sink,
    ) -> anyhow::Result<Box<dyn Show + 'a>> {
        let Self { args, plan, names, judging, let_go, terms, judge } = *self;
        let flows = || Flows::new(plan, let_go);
        let (style, row_style) = (sink.style(&args.output), sink.row_style(&args.output));
        let format = match args.show.format {
            LiveFormat::Text => Format::Text,
            LiveFormat::Ndjson => Format::Ndjson,
        };
        let is_text = format == Format::Text;
        if args.show.list {
            let rows = is_text.then(|| sink.height()).flatten();
            let rows = rows.map(|rows| rows.saturating_sub(FRAME_ROWS).max(1));
            return Ok(Box::new(Table::new(flows(), judging, (format, row_style), names, rows)));
        }
        if args.show.check {
            let format = if is_text { CheckFormat::Text } else { CheckFormat::Ndjson };
            let told = Told::new(plan.seed);
            return Ok(Box::new(Findings::new(flows(), judging, told, (format, style), names)));
        }
        if args.show.ladder {
            return Ok(Box::new(Ladders::new(flows(), judging, style, names)));
        }
        if args.show.registrations {
            let sift = Sift::live(plan, *terms, Past::default());
            let by = (judge, selection);
            return Ok(Box::new(Events::new(sift, by, (format, style), names)));
        }
        of_calls(filter.as_ref())?;
        let choosing = Choosing::new(filter, plan.seed);
        let detail = match args.output.verbose {
            0 => Detail::Line,
            1 => Detail::Whole,
            _ => Detail::Explained,
        };
        let view = Messages::new(format, detail, row_style, names);
        Ok(Box::new(Lines::new(plan.seed, choosing, selection, view)))
    }
}

/// Who listens beside what is shown.
struct Beside<'a> {
    gauges: Option<&'a mut Gauges>,
    leaving: Option<Leaving<'a>>,
}

impl Beside<'_> {
    fn observe(&mut self, observation: &Observation<'_>) {
        if let Some(gauges) = &mut self.gauges {
            gauges.observe(observation);
        }
        if let Some(leaving) = &mut self.leaving {
            leaving.observe(observation);
        }
    }
}

/// Runs until the end.
#[allow(clippy::disallowed_methods)] // How long it runs, is of the user's time.
fn watch(
    feed: &mut Frames<Live>,
    (show, mut beside): (&mut dyn Show, Beside<'_>),
    sink: &mut Sink,
    args: &LiveArgs,
) -> io::Result<()> {
    let until = args.end.duration.map(|duration| Instant::now() + duration);
    let (mut pulse, mut drops, mut frames) = (Pulse::new(), Drops::default(), 0_u32);
    while feed.advance(&mut |observation| {
        show.observe(&observation);
        beside.observe(&observation);
    }) {
        show.frame(feed, sink)?;
        frames = frames.wrapping_add(1);
        let is_idle = feed.source().is_drained();
        if is_idle {
            sink.flush()?;
        } else if !frames.is_multiple_of(STRIDE) {
            continue;
        }
        if let Some(now) = pulse.beat(feed.span().map(|(_, last)| last)) {
            let moment = Moment::new(now, feed);
            show.pulse(&moment, sink)?;
            let is_done = beside.leaving.as_mut().is_some_and(|leaving| leaving.is_due(&moment));
            sink.flush()?;
            feed.forget_ends();
            if let Some((tap, _, live)) = feed.tap() {
                say(&tap.pulse(&|interface| live.lost_by(interface)), args.output.quiet);
            }
            say(&feed.take_notes(), args.output.quiet);
            say(&drops.news(feed.source()), args.output.quiet);
            if let Some(gauges) = &mut beside.gauges {
                gauges.publish(feed, show);
            }
            if is_done {
                feed.stop();
            }
        }
        if until.is_some_and(|until| until <= Instant::now()) {
            feed.stop();
        }
    }
    Ok(())
}

/// From here on nothing is opened any more but what was named.
#[cfg(unix)]
fn give_up_rights(args: &LiveArgs, sink: &Sink, savefile: Option<&Savefile>) -> anyhow::Result<()> {
    let quiet = args.output.quiet;
    let directory = savefile.and_then(Savefile::directory);
    let kept = savefile.and_then(Savefile::file);
    let wanted = privileges::Wanted {
        user: args.source.successor.as_deref(),
        readable: args.source.follow.iter().map(|path| directory_of(path)).collect(),
        writable: directory.into_iter().map(Path::to_owned).collect(),
        outputs: sink.file().into_iter().chain(kept).collect(),
    };
    let told = privileges::give_up(&wanted)?;
    say(&told.notes, quiet);
    if 0 < args.output.verbose {
        say(&Vec::from_iter(told.lacking), quiet);
    }
    Ok(())
}

/// Where another file may take the place of `path`.
#[cfg(unix)]
fn directory_of(path: &Path) -> PathBuf {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new(".")).to_owned()
}

#[cfg(not(unix))]
fn give_up_rights(_: &LiveArgs, _: &Sink, _: Option<&Savefile>) -> anyhow::Result<()> {
    Ok(())
}

/// Says something beside the output, at once.
fn say(notes: &[String], quiet: bool) {
    if quiet {
        return;
    }
    for note in notes {
        // When nobody can read it, it is counted all the same.
        let _ = writeln!(io::stderr(), "siplens: {note}");
    }
}

/// Single messages have no duration, state, findings …
fn of_calls(filter: Option<&Filter>) -> anyhow::Result<()> {
    if let Some(field) = filter.and_then(|filter| filter.asks(&|field: Field| field.is_of_calls()))
    {
        anyhow::bail!(
            "--filter: {} is of calls, a single message has none: see --list",
            field.name()
        );
    }
    Ok(())
}
