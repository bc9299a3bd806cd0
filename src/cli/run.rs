//! Settings → inputs → engine → view: what all commands that read captures have in common.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use jiff::tz::TimeZone;

use super::Outcome;
use super::args::{Common, InputArgs, RuleArgs};
use super::choice;
use super::choosing::Choosing;
use super::closing;
use super::feed::{Frames, Wanted};
use super::filter::Filter;
use super::heap;
use super::interrupts::Interrupts;
use super::judging::{Found, Judging};
use super::output::{Paging, Sink, is_same_file, time_style};
use super::window::Window;
use super::zone;
use crate::capture::{Capture, Filter as PacketFilter, Input, Options};
use crate::engine::reader::Reader;
use crate::engine::sift::{self, Audited};
use crate::engine::{self, EachMessage, Plan};
use crate::limits::{Limits, Tally};
use crate::model::CallFlow;
use crate::model::audit::Terms;
use crate::rules::Selection;
use crate::view::Style;

/// One run over captures: what the options mean, and what came of it so far.
pub(super) struct Run<'a> {
    common: &'a Common,
    /// Which calls, or messages, are wanted; `None` for all.
    pub(super) filter: Option<Filter>,
    window: Window,
    limits: Limits,
    feed: Frames<Capture>,
    /// The inputs by number.
    pub(super) files: Vec<String>,
}

impl<'a> Run<'a> {
    /// Reads the options and opens the inputs.
    ///
    /// # Errors
    /// When the options make no sense; inputs that cannot be read are told of later.
    pub(super) fn open(common: &'a Common) -> anyhow::Result<Self> {
        let filter = choice::filter(&common.choice)?;
        let InputArgs { since, until, .. } = &common.input;
        let window = Window::parse(since.as_deref(), until.as_deref(), &own_zone(common))?;
        let mut limits = Limits::default();
        if let Some(memory) = common.means.memory {
            limits.memory = memory;
        }
        let inputs = inputs(&common.input)?;
        let total = size(&inputs);
        let packets = packet_filter(&common.input)?;
        let log_zone = common.input.tz.clone().unwrap_or_else(TimeZone::system);
        let options = Options { filter: packets, log_zone: Some(zone::clocks(log_zone)) };
        let capture = Capture::open(&inputs, options);
        let files = capture.names().to_vec();
        let interrupted = Interrupts::new(&[])?.listen(|end| end())?;
        let wanted = Wanted {
            window: window.clone(),
            count: common.input.count,
            filter: filter.clone().map(|filter| {
                Choosing::new(Some(filter), Plan::new(limits.clone(), 1).seed, limits.names)
            }),
            total,
            quiet: common.output.quiet,
            interrupted,
        };
        let mut reader = Reader::new(&limits);
        add_key_logs(&mut reader, &common.input.keylog)?;
        let feed = Frames::new(capture, reader, wanted);
        Ok(Self { common, filter, window, limits, feed, files })
    }

    /// Hands each message to `each`, in the order of the capture; holds none.
    pub(super) fn stream(&mut self, each: &mut EachMessage<'_>) -> Tally {
        let seed = Plan::new(self.limits.clone(), 1).seed;
        engine::stream(&mut self.feed, seed, each)
    }

    /// What chooses the messages of a stream.
    pub(super) fn choosing(&self) -> Choosing {
        Choosing::new(
            self.filter.clone(),
            Plan::new(self.limits.clone(), 1).seed,
            self.limits.names,
        )
    }

    /// Analyzes everything and judges the chosen calls by `selection`.
    pub(super) fn analyze(&mut self, selection: &Selection) -> Found {
        let jobs = match self.common.means.jobs {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            jobs => jobs,
        };
        if 1 < jobs {
            heap::grow_by_much();
        }
        let plan = Plan::new(self.limits.clone(), jobs);
        let judging = Judging::new(self.filter.clone(), selection);
        let let_go = |flow: &CallFlow| judging.early(flow);
        let analysis = engine::analyze(&mut self.feed, &plan, &let_go);
        judging.found(analysis, jobs)
    }

    /// Audits the registrations of the chosen calls; holds no messages while nothing was chosen.
    pub(super) fn audit(&mut self, terms: &Terms<'_>) -> Audited {
        if self.filter.is_none() {
            let plan = Plan::new(self.limits.clone(), 1);
            return sift::audit(&mut self.feed, &plan, terms);
        }
        let mut found = self.analyze(&Selection::none());
        let audit = found.audit(&self.limits, terms);
        Audited { audit, vantage: found.vantage().clone(), tally: found.tally() }
    }

    /// What may be held.
    pub(super) const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The zone in which the user writes times.
    pub(super) fn zone(&self) -> TimeZone {
        own_zone(self.common)
    }

    /// How rows are written to `sink`: what goes to a file or a pipe is not cut.
    pub(super) fn row_style(&self, sink: &Sink) -> Style {
        sink.row_style(&self.common.output)
    }

    /// How output to `sink` is drawn.
    pub(super) fn style(&self, sink: &Sink) -> Style {
        sink.style(&self.common.output)
    }

    /// Where the output goes.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn sink(&self, paging: Paging) -> anyhow::Result<Sink> {
        if let Some(output) = &self.common.output.output {
            let read = self.files.iter().map(Path::new);
            let key_logs = self.common.input.keylog.iter().map(PathBuf::as_path);
            let same = read.chain(key_logs).find(|path| is_same_file(output, path));
            if let Some(path) = same {
                bail!("-o {}: that is {}, which is read", output.display(), path.display());
            }
        }
        Sink::open(&self.common.output, paging)
    }

    /// Closes the output, says what was read, and how the run ended; so many rows were `shown`, of
    /// messages, calls …
    ///
    /// # Errors
    /// When the output cannot be written.
    pub(super) fn close(
        mut self,
        sink: Sink,
        mut tally: Tally,
        (shown, what): (usize, &str),
    ) -> anyhow::Result<Outcome> {
        sink.close()?;
        for note in self.feed.close() {
            tally.notice(note);
        }
        if !self.common.output.quiet {
            closing::close(&tally, self.filter.is_some().then_some((shown, what)));
        }
        if self.feed.is_interrupted() {
            return Ok(Outcome::Interrupted);
        }
        if self.feed.is_troubled() {
            return Ok(Outcome::Incomplete);
        }
        if shown == 0 && !self.common.output.allow_empty {
            if !self.common.output.quiet {
                let _ = writeln!(io::stderr(), "siplens: {}", self.nothing(&tally));
            }
            return Ok(Outcome::Empty);
        }
        Ok(Outcome::Fine)
    }

    /// Why there is nothing to show, and what may have been meant.
    fn nothing(&self, tally: &Tally) -> String {
        let Some((first, last)) = self.feed.span() else {
            let filtered =
                self.common.input.bpf.is_some() || !self.common.input.bpf_words.is_empty();
            let why = if filtered { " that the packet filter lets through" } else { "" };
            return format!("no packets in the input{why}");
        };
        let time = time_style(&self.common.output);
        let when = match self.window.words(first, &time) {
            words if words.is_empty() => String::new(),
            words => format!(
                " {words}; the input runs from {} to {}",
                time.date_time(first),
                time.date_time(last)
            ),
        };
        match (tally.frames, tally.messages, &self.filter) {
            (0, ..) => format!("no packets{when}"),
            (_, 0, _) if when.is_empty() => "no SIP in the input".to_owned(),
            (_, 0, _) => format!("no SIP{when}"),
            (.., Some(_)) => {
                let hint = choice::hint(&self.common.choice).map(|hint| format!(": {hint}"));
                let hint = hint.unwrap_or_default();
                format!("nothing in the input is what the filter asks for{hint}")
            }
            _ => "nothing of this kind in the input".to_owned(),
        }
    }
}

/// The rules that `args` choose.
///
/// # Errors
/// When a word names no rule.
pub(super) fn selection(args: &RuleArgs) -> anyhow::Result<Selection> {
    let parse = |option: &'static str, words: &[String]| {
        Selection::parse(words, &[]).context(option).map(drop)
    };
    parse("--select", &args.select)?;
    parse("--ignore", &args.ignore)?;
    let selection = Selection::parse(&args.select, &args.ignore)?;
    selection.with_severities(&args.severity).context("--severity")
}

fn inputs(args: &InputArgs) -> anyhow::Result<Vec<Input>> {
    let inputs: Vec<Input> =
        args.inputs.iter().chain(&args.read).map(|path| Input::of(path.as_os_str())).collect();
    if inputs.is_empty() {
        bail!("no input: name a capture file, a directory, or - for standard input");
    }
    Ok(inputs)
}

/// The packet filter of `--bpf`, or of the words behind `--`.
fn packet_filter(args: &InputArgs) -> anyhow::Result<Option<PacketFilter>> {
    let words = args.bpf_words.join(" ");
    let expression = args.bpf.as_deref().or((!words.is_empty()).then_some(words.as_str()));
    Ok(expression.map(PacketFilter::new).transpose()?)
}

/// Octets of all inputs; `None` when one of them does not say.
fn size(inputs: &[Input]) -> Option<u64> {
    let of = |path: &Path| path.metadata().ok().filter(std::fs::Metadata::is_file).map(|m| m.len());
    inputs
        .iter()
        .map(|input| match input {
            Input::Path(path) => of(path),
            Input::Stdin => None,
        })
        .sum()
}

fn own_zone(common: &Common) -> TimeZone {
    if common.output.utc { TimeZone::UTC } else { TimeZone::system() }
}

/// Reads the key logs the user named.
pub(super) fn add_key_logs(reader: &mut Reader, files: &[PathBuf]) -> anyhow::Result<()> {
    for file in files {
        let text = std::fs::read(file).map_err(|error| {
            let why = match error.kind() {
                io::ErrorKind::NotFound => "no such file; check the path".to_owned(),
                _ => error.to_string(),
            };
            anyhow!("cannot read the key log {}: {why}", file.display())
        })?;
        let before = (reader.key_log().len(), reader.key_log().malformed());
        reader.add_secrets(&text);
        let log = reader.key_log();
        anyhow::ensure!(
            before.0 < log.len(),
            "{} holds no TLS secret: expected lines such as CLIENT_RANDOM <64 hex digits> <96 hex \
             digits>, as programs write to the file named by SSLKEYLOGFILE",
            file.display()
        );
        if before.1 < log.malformed() {
            let lines = log.malformed() - before.1;
            let _ = writeln!(
                io::stderr(),
                "siplens: {}: {lines} lines of the key log cannot be read and are passed over",
                file.display()
            );
        }
    }
    Ok(())
}
