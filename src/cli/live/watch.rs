//! The loop of a live run: frames, and between them what time brings.

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use super::super::feed::Frames;
use super::super::harmless;
use super::super::output::Sink;
use super::args::LiveArgs;
use super::drops::Drops;
use super::gauges::Gauges;
use super::leaving::Leaving;
use super::pulse::Pulse;
use super::show::{Moment, Show};
use crate::capture::live::Live;
use crate::engine::Feed as _;
use crate::engine::parsed::Parsed;

/// How late a pipe, a file that grows or an agent may be.
const LATE: Duration = Duration::from_secs(5);
/// Frames between two looks at the clock.
const STRIDE: u32 = 64;

/// Who listens beside what is shown.
pub(super) struct Beside<'g, 'a> {
    pub(super) gauges: Option<&'g mut Gauges<'a>>,
    pub(super) leaving: Option<Leaving<'a>>,
}

impl Beside<'_, '_> {
    fn observe(&mut self, seen: &Parsed<'_>) {
        if let Some(gauges) = &mut self.gauges {
            gauges.observe(seen);
        }
        if let Some(leaving) = &mut self.leaving {
            leaving.observe(seen.lend());
        }
    }
}

/// Runs until the end.
#[allow(clippy::disallowed_methods)] // How long it runs, is of the user's time.
pub(super) fn watch(
    feed: &mut Frames<Live>,
    (show, mut beside): (&mut dyn Show, Beside<'_, '_>),
    sink: &mut Sink,
    args: &LiveArgs,
) -> io::Result<()> {
    let until = args.end.duration.map(|duration| Instant::now() + duration);
    let (mut pulse, mut drops, mut frames) = (Pulse::new(margin(args)), Drops::default(), 0_u32);
    while feed.advance(&mut |observation| {
        let seen = Parsed::of(&observation);
        beside.observe(&seen);
        show.observe(seen);
    }) {
        show.frame(feed, sink)?;
        for (from, until) in feed.source_mut().take_gaps() {
            show.gap((from.0, until.0));
            if let Some(gauges) = &mut beside.gauges {
                gauges.gap((from.0, until.0));
            }
        }
        frames = frames.wrapping_add(1);
        let is_idle = feed.source().is_drained();
        if is_idle {
            sink.flush()?;
        } else if !frames.is_multiple_of(STRIDE) {
            continue;
        }
        if pulse.is_due() {
            if let Some((_, latest)) = feed.span() {
                feed.pass(pulse.now(latest));
                let moment = Moment::new(pulse.now(latest), feed);
                show.pulse(&moment, sink)?;
                sink.flush()?;
                if beside.leaving.as_mut().is_some_and(|leaving| leaving.is_due(&moment)) {
                    feed.stop();
                }
            }
            feed.forget_ends();
            let notes = news(feed, &mut drops);
            if !args.output.quiet {
                say(&show.hear(notes), false);
            }
            if let Some(gauges) = &mut beside.gauges {
                let now = feed.span().map(|(_, latest)| pulse.now(latest));
                gauges.publish(now.unwrap_or_default(), feed, show);
            }
        }
        if until.is_some_and(|until| until <= Instant::now()) {
            feed.stop();
        }
    }
    Ok(())
}

/// What there is to say beside the output.
fn news(feed: &mut Frames<Live>, drops: &mut Drops) -> Vec<String> {
    let mut news = match feed.tap() {
        Some((tap, _, live)) => tap.pulse(&|interface| live.lost_by(interface)),
        None => Vec::new(),
    };
    news.extend(feed.take_notes());
    news.extend(drops.news(feed.source()));
    news
}

/// How late packets may be: those of this machine are not.
fn margin(args: &LiveArgs) -> Duration {
    if args.source.is_local() { Duration::ZERO } else { LATE }
}

/// Says something beside the output, at once.
pub(super) fn say(notes: &[String], quiet: bool) {
    if quiet {
        return;
    }
    for note in notes {
        // When nobody can read it, it is counted all the same.
        let _ = writeln!(io::stderr(), "siplens: {}", harmless(note));
    }
}
