//! `siplens live`: the pipeline of every command, fed as things happen.

pub mod args;
mod budget;
mod drops;
mod events;
mod findings;
mod gauges;
mod keeper;
mod ladders;
mod leaving;
mod lines;
pub mod metrics;
mod prepare;
#[cfg(unix)]
pub mod privileges;
mod pulse;
mod secrets;
mod show;
mod source;
mod table;
mod terminal;
mod watch;

use std::io::{self, Write as _};

use anyhow::{Context as _, anyhow};

use super::audit::{self, Judge};
use super::choosing::Choosing;
use super::feed::{Frames, Tap, Wanted};
use super::filter::{Field, Filter};
use super::interrupts::Interrupts;
use super::judging::Judging;
use super::output::Sink;
use super::run::selection;
use super::window::Window;
use super::{Outcome, choice, closing};
use crate::capture::Filter as PacketFilter;
use crate::capture::live::{HOLD, Live};
use crate::capture::write::Savefile;
use crate::engine::keeping::Keep;
use crate::engine::live::Flows;
use crate::engine::sift::Sift;
use crate::engine::{LetGo, Plan, Stream};
use crate::frame::FileId;
use crate::model::CallFlow;
use crate::model::audit::{Applicant, Past, Policy, Terms};
use crate::rules::{FlowReport, Selection, Told, is_scanner};
use crate::time::MILLISECOND;
use crate::view::Format;
use crate::view::check::CheckFormat;
use crate::view::message::Detail;
use crate::view::messages::Messages;
use args::{LiveArgs, LiveFormat};
use budget::Budget;
use events::Events;
use findings::Findings;
use gauges::Gauges;
use keeper::Keeper;
use ladders::Ladders;
use leaving::Leaving;
use lines::Lines;
use prepare::Prepared;
use show::{Ended, Show};
use table::Table;
use terminal::{SIGNALS, SecondScreen};
use watch::{Beside, say, watch};

/// How long a binding may be overdue before it is told, nanoseconds: within a second of its expiry,
/// with the time that the kernel holds packets and a timer may take.
const LAPSE_GRACE: i64 = 500 * MILLISECOND;

/// The same of what agents report: it is on its way for a while, by clocks of which a second is not
/// put right.
const AGENTS_GRACE: i64 = LAPSE_GRACE + 2_000 * MILLISECOND;

/// What is to be looked for.
struct Asked {
    filter: Option<Filter>,
    judge: Judge,
    selection: Selection,
}

impl Asked {
    /// What `args` ask for, once it is certain that it can be had.
    fn of(args: &LiveArgs) -> anyhow::Result<Self> {
        let filter =
            choice::filter(&args.choice).map_err(|error| meant_for_packets(error, args))?;
        let is_of_messages = args.show.is_of_messages()
            || args.end.count.is_some()
            || (args.keep.write.is_some() && args.keep.keep == Keep::Calls);
        is_of_one_view(args, filter.is_some())?;
        if is_of_messages {
            of_calls(filter.as_ref())?;
        }
        let usual = Policy { lapse_grace: lapse_grace(args), ..Policy::default() };
        let judge = Judge::of(&args.policy)?.based_on(usual);
        let selection = if args.show.registrations {
            audit::selection(&args.rules, &judge)?
        } else {
            selection(&args.rules)?
        };
        Ok(Self { filter, judge, selection })
    }
}

/// `siplens live`.
pub(super) fn live(args: &LiveArgs) -> anyhow::Result<Outcome> {
    if args.source.interfaces {
        io::stdout().write_all(source::list()?.as_bytes())?;
        return Ok(Outcome::Fine);
    }
    let Asked { filter, judge, selection } = Asked::of(args)?;
    let is_chosen = filter.is_some() && !args.show.registrations;
    let budget = Budget::of(args);
    let plan = Plan::new(budget.shown.clone(), 1);
    let second_screen =
        args.is_drawn().then(|| SecondScreen::new(args.output.width.map(usize::from)));
    let beside = if second_screen.is_some() { SIGNALS } else { &[] };
    let interrupts = Interrupts::new(beside)?;
    let Prepared { reader, mut sink, opened, page, savefile } =
        Prepared::of(args, &budget, &interrupts.flag)?;
    // Only now: a thread keeps the rights there are when it starts.
    let interrupted = match &second_screen {
        Some(screen) => interrupts.listen(screen.last()),
        None => interrupts.listen(|end| end()),
    }?;
    let (names, watched) = (opened.names.clone(), opened.watched.clone());
    // Frames are counted over all interfaces: to views they are one input.
    let input = [names.join(",")];
    let wanted = Wanted {
        window: Window::default(),
        count: args.end.count,
        filter: filter
            .clone()
            .map(|filter| Choosing::new(Some(filter), plan.seed, plan.limits.names)),
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
        budget: &budget,
        names: &input,
        judging: &judging,
        let_go: &let_go,
    };
    let keeper =
        savefile.map(|savefile| keeper(savefile, &names, filter.clone(), (args, &plan, &budget)));
    let mut show = setting.show(filter, &selection, (&sink, second_screen));
    let live = opened.start(budget.frames).context("cannot start to capture")?;
    let mut feed = Frames::new(live, reader, wanted).tapped(keeper);
    say(&[format!("watching {}; Ctrl-C ends it", watched.join(", "))], args.output.quiet);
    let mut gauges = page.map(|page| {
        let of_numbers = Plan { limits: budget.numbers.clone(), ..plan.clone() };
        let sift = || Sift::live(&of_numbers, terms, Past::default());
        Gauges::new(page, (!args.show.registrations).then(sift))
    });
    let of_awaited = Plan { limits: budget.awaited.clone(), ..plan.clone() };
    let leaving = args.end.exit_after_call.then(|| Leaving::new(&of_awaited, &judging));
    let beside = Beside { gauges: gauges.as_mut(), leaving };
    let run = watch(&mut feed, (&mut *show, beside), &mut sink, args);
    let ended = run.and_then(|()| show.finish(&mut feed, &mut sink));
    // What was to be kept is kept, though nobody may read the output any more.
    if let Some((tap, reader, live)) = feed.tap() {
        say(&tap.finish(reader, &|interface| live.lost_by(interface)), args.output.quiet);
    }
    let ended = ended?;
    sink.close()?;
    let mut tally = ended.tally.clone();
    if let Some(gauges) = &gauges {
        tally.add(&gauges.lost());
    }
    for note in feed.close() {
        tally.notice(note);
    }
    if !args.output.quiet {
        let what = if args.show.is_of_messages() { "message" } else { "flow" };
        closing::close(&tally, is_chosen.then_some((ended.shown, what)));
    }
    Ok(outcome(&feed, &ended, args))
}

/// A condition that is none, and may be a packet filter, as tshark has it behind -f.
fn meant_for_packets(error: anyhow::Error, args: &LiveArgs) -> anyhow::Error {
    match &args.choice.filter {
        Some(text) if text.contains(' ') && PacketFilter::new(text).is_ok() => {
            anyhow!("-f chooses calls; a packet filter needs no option: siplens live {text}")
        }
        _ => error,
    }
}

/// The grace of a run: to wait for other interfaces takes a part of it.
fn lapse_grace(args: &LiveArgs) -> i64 {
    if args.source.hears_agents() {
        return AGENTS_GRACE;
    }
    let is_ordered = 1 < args.source.interface.len();
    LAPSE_GRACE - if is_ordered { HOLD.as_nanos() as i64 } else { 0 }
}

/// What packets are kept by, of the interfaces `names`.
fn keeper(
    mut savefile: Savefile,
    names: &[String],
    filter: Option<Filter>,
    (args, plan, budget): (&LiveArgs, &Plan, &Budget),
) -> Box<dyn Tap> {
    for (number, name) in names.iter().enumerate() {
        savefile.describe(FileId(0), number as u32, name, args.source.snaplen);
    }
    let choosing = Choosing::new(filter, plan.seed, plan.limits.names);
    Box::new(Keeper::new(savefile, args.keep.keep, choosing, (plan.seed, budget.kept)))
}

/// How it ended, for the exit code.
fn outcome(feed: &Frames<Live>, ended: &Ended, args: &LiveArgs) -> Outcome {
    if feed.is_interrupted() {
        return Outcome::Interrupted;
    }
    if feed.is_troubled() || feed.unwritten() != 0 {
        return Outcome::Incomplete;
    }
    if ended.shown == 0 && !args.output.allow_empty {
        say(&["nothing of what was asked for was seen".to_owned()], args.output.quiet);
        return Outcome::Empty;
    }
    let limit = args.show.fail_on.threshold();
    let fails = limit.is_some_and(|limit| ended.worst.is_some_and(|worst| limit <= worst));
    if fails { Outcome::Findings } else { Outcome::Fine }
}

/// What the ways to show a run are made from.
struct Setting<'a> {
    args: &'a LiveArgs,
    plan: &'a Plan,
    budget: &'a Budget,
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
        (sink, screen): (&Sink, Option<SecondScreen>),
    ) -> Box<dyn Show + 'a> {
        let Self { args, plan, budget, names, judging, let_go, terms, judge } = *self;
        let flows = || Flows::new(plan, let_go);
        let (style, row_style) = (sink.style(&args.output), sink.row_style(&args.output));
        let format = match args.show.format {
            LiveFormat::Text => Format::Text,
            LiveFormat::Ndjson => Format::Ndjson,
        };
        let is_text = format == Format::Text;
        if args.show.list {
            return Box::new(Table::new(flows(), judging, (format, row_style), names, screen));
        }
        if args.show.check {
            let format = if is_text { CheckFormat::Text } else { CheckFormat::Ndjson };
            let told = Told::new(plan.seed, budget.told);
            return Box::new(Findings::new(flows(), judging, told, (format, style), names));
        }
        if args.show.ladder {
            return Box::new(Ladders::new(flows(), judging, style, names));
        }
        if args.show.registrations {
            let sift = Sift::live(plan, *terms, Past::default());
            let platform = args.policy.platform.map(|key| key.0);
            let by = (judge, selection, platform);
            return Box::new(Events::new(sift, by, (format, style), names));
        }
        let choosing = Choosing::new(filter, plan.seed, budget.followed);
        let stream = Stream::within(plan.seed, budget.copies);
        let detail = match args.output.verbose.max(args.habits.ascii_text.into()) {
            0 => Detail::Line,
            1 => Detail::Whole,
            _ => Detail::Explained,
        };
        let view = Messages::new(format, detail, row_style, names);
        Box::new(Lines::new(stream, choosing, selection, view))
    }
}

/// Says what options do not go together, rather than to pass one over.
fn is_of_one_view(args: &LiveArgs, is_chosen: bool) -> anyhow::Result<()> {
    anyhow::ensure!(
        !args.policy.learn,
        "--learn is for what has been captured: siplens registrations --learn FILE"
    );
    let is_text = args.show.format == LiveFormat::Text;
    anyhow::ensure!(
        is_text || !args.show.ladder,
        "--ladder is drawn as text; objects for programs: without it, or with --list"
    );
    let is_for_others =
        args.keep.keep == Keep::Calls || args.end.count.is_some() || args.end.exit_after_call;
    anyhow::ensure!(
        !is_chosen || !args.show.registrations || is_for_others,
        "--registrations follows all devices; of some calls: keep packets with -w, then siplens \
         registrations with the same choice"
    );
    Ok(())
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
