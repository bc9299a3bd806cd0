//! `siplens live --list`: a table of calls that refreshes, and the whole of it at the end.

use std::collections::{BTreeSet, VecDeque};
use std::io::{self, IsTerminal as _, Write};
use std::time::{Duration, Instant};

use super::super::judging::Judging;
use super::show::{Ended, Moment, PAST, SPARE, Show, first, held};
use super::terminal::SecondScreen;
use super::watch::say;
use crate::engine::Feed;
use crate::engine::live::{Due, FlowPlace, Flows};
use crate::engine::parsed::Parsed;
use crate::limits::Tally;
use crate::model::{FlowId, Model};
use crate::rules::{FlowReport, Report, check_flow, merge};
use crate::view::visible::elide;
use crate::view::{Format, Style, Subject};
use crate::view::{completeness, list};

/// How often the table is drawn.
const EVERY: Duration = Duration::from_secs(1);

/// How often rows are written for programs.
const ROWS_EVERY: Duration = Duration::from_millis(500);
/// Rows of a screen that are no calls: the head and the line below.
const FRAME: usize = 2;
/// Sentences that stand below the table, and that are remembered for its end.
const NOTES_SHOWN: usize = 2;
const NOTES: usize = 100;

/// Calls as they happen.
pub(super) struct Table<'a> {
    flows: Flows<'a, Option<FlowReport>>,
    judging: &'a Judging<'a>,
    format: Format,
    style: Style,
    names: &'a [String],
    /// Where calls are drawn while they last.
    screen: Option<SecondScreen>,
    shown: Option<Instant>,
    /// Flows that came to their end and were not written, where there is no screen.
    ended: BTreeSet<FlowPlace>,
    /// Flows whose row was written, by their first message.
    written: BTreeSet<u64>,
    /// What was said while the screen was taken.
    notes: VecDeque<String>,
}

impl<'a> Table<'a> {
    /// A table on a screen; without one rows are written once they are final.
    pub(super) fn new(
        flows: Flows<'a, Option<FlowReport>>,
        judging: &'a Judging<'a>,
        (format, style): (Format, Style),
        names: &'a [String],
        screen: Option<SecondScreen>,
    ) -> Self {
        Self {
            flows: flows.watched(),
            judging,
            format,
            style,
            names,
            screen,
            shown: None,
            ended: BTreeSet::new(),
            written: BTreeSet::new(),
            notes: VecDeque::new(),
        }
    }

    /// Draws the newest calls, and says how many older ones there is no room for.
    fn draw(&mut self, moment: &Moment<'_>, out: &mut dyn Write) -> io::Result<()> {
        let Self { flows, judging, style, names, screen, notes, .. } = self;
        let Some(screen) = screen else { return Ok(()) };
        let (width, height) = screen.size();
        let style = Style { width, ..style.clone() };
        let notes = notes.iter().skip(notes.len().saturating_sub(NOTES_SHOWN));
        let notes: Vec<&String> = notes.collect();
        let room = height.saturating_sub(FRAME + notes.len()).max(1);
        flows.look(None, moment.seen(), |model, _| {
            let chosen = wanted(model, judging);
            // What does not fit costs a row to say so.
            let rows = if room < chosen.len() { room.saturating_sub(1).max(1) } else { room };
            let older = chosen.len().saturating_sub(rows);
            let newest = chosen.get(older..).unwrap_or_default();
            let report = report(model, judging, newest);
            let subject = Subject::new(model, &report, names);
            let subject = subject.choose(newest.to_vec()).as_of(moment.now);
            let mut table = Vec::new();
            list::write(&subject, Format::Text, &style, &mut table)?;
            let mut text = String::from_utf8_lossy(&table).into_owned();
            let older = format!("{} and {older} older", style.glyph("…", "..."));
            let older = (newest.len() < chosen.len()).then_some(older);
            let below = completeness::line(&model.tally);
            for line in older.iter().chain(notes).chain([&below]) {
                text.push_str(&elide(line, width, style.glyph("…", "~")));
                text.push('\n');
            }
            screen.draw(&text, out)
        })
    }

    /// Writes the rows of flows that came to their end.
    fn write(&mut self, moment: &Moment<'_>, out: &mut dyn Write) -> io::Result<()> {
        let Self { flows, judging, format, style, names, written, ended, .. } = self;
        flows.look(None, moment.seen(), |model, places| {
            if 2 * model.flows.len() + SPARE < written.len() {
                let held = held(model);
                written.retain(|first| held.contains(first));
            }
            let over = model.flows.iter().zip(places).filter(|(_, place)| ended.contains(place));
            let over: Vec<FlowId> = over
                // Another flow may have taken the place.
                .filter(|(flow, _)| !flow.is_open())
                .filter(|(flow, _)| judging.wants(flow, &judging.context(&model.vantage)))
                .filter(|(flow, _)| written.insert(first(flow)))
                .map(|(flow, _)| flow.id)
                .collect();
            let report = report(model, judging, &over);
            let subject = Subject::new(model, &report, names).choose(over);
            list::write(&subject, *format, style, out)
        })
    }

    /// Lets go what flows that last have come to, once it was written.
    fn shed(&mut self, places: impl IntoIterator<Item = FlowPlace>) {
        for place in places {
            let flow = self.flows.flow(place);
            if flow.is_some_and(|flow| PAST < flow.messages.len() && !flow.is_open()) {
                self.flows.shed(place);
            }
        }
    }
}

impl Show for Table<'_> {
    fn observe(&mut self, seen: Parsed<'_>) {
        self.flows.observe_parsed(seen);
    }

    #[allow(clippy::disallowed_methods)] // How often, is of the user's time.
    fn pulse(&mut self, moment: &Moment<'_>, out: &mut dyn Write) -> io::Result<()> {
        self.flows.advance(moment.now);
        while let Some((place, due)) = self.flows.poll() {
            let flow = self.flows.flow(place).filter(|_| due != Due::Changed);
            if flow.is_some_and(|flow| !flow.is_open()) {
                self.ended.insert(place);
            }
        }
        let is_for_programs = self.format != Format::Text;
        let every = if is_for_programs { ROWS_EVERY } else { EVERY };
        if self.shown.is_some_and(|shown| shown.elapsed() < every) {
            return Ok(());
        }
        if self.screen.is_some() {
            self.draw(moment, out)?;
        } else if is_for_programs && !self.ended.is_empty() {
            self.write(moment, out)?;
        } else if self.ended.is_empty() {
            return Ok(());
        }
        self.shown = Some(Instant::now());
        let ended = std::mem::take(&mut self.ended);
        self.shed(ended);
        Ok(())
    }

    fn hear(&mut self, notes: Vec<String>) -> Vec<String> {
        if self.screen.is_none() || !io::stderr().is_terminal() {
            return notes;
        }
        self.notes.extend(notes);
        self.notes.drain(..self.notes.len().saturating_sub(NOTES));
        Vec::new()
    }

    fn finish(mut self: Box<Self>, feed: &mut dyn Feed, out: &mut dyn Write) -> io::Result<Ended> {
        if let Some(screen) = &self.screen {
            screen.close(out)?;
            self.style.width = screen.size().0;
        }
        say(self.notes.make_contiguous(), false);
        let found = self.judging.found(self.flows.finish(feed), 1);
        let mut subject = found.subject(self.names);
        let model = subject.model;
        let shown = subject.flows.len();
        subject.flows.retain(|id| !self.written.contains(&first(model.flow(*id))));
        list::write(&subject, self.format, &self.style, out)?;
        Ok(Ended { tally: found.tally(), shown, worst: None })
    }

    fn held(&self) -> (usize, usize) {
        self.flows.held()
    }

    fn lost(&self) -> Tally {
        self.flows.tally().clone()
    }
}

/// The flows that were asked for.
fn wanted(model: &Model, judging: &Judging<'_>) -> Vec<FlowId> {
    let context = judging.context(&model.vantage);
    let flows = model.flows.iter().filter(|flow| judging.wants(flow, &context));
    flows.map(|flow| flow.id).collect()
}

/// What the rules say of the flows `shown`.
fn report(model: &Model, judging: &Judging<'_>, shown: &[FlowId]) -> Report {
    let context = judging.context(&model.vantage);
    merge(shown.iter().map(|id| check_flow(model.flow(*id), &context)).collect())
}
