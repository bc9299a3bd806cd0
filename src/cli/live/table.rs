//! `siplens live --list`: a table of calls that refreshes, and the whole of it at the end.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use super::super::judging::Judging;
use super::show::{Ended, Moment, PAST, SPARE, Show, first, held};
use crate::engine::Feed;
use crate::engine::live::{Due, FlowPlace, Flows};
use crate::limits::Tally;
use crate::model::{FlowId, Model};
use crate::rules::{FlowReport, Report, check_flow, merge};
use crate::transport::Observation;
use crate::view::live::screen::Screen;
use crate::view::{Format, Style, Subject};
use crate::view::{completeness, list};

/// How often the table is drawn.
const EVERY: Duration = Duration::from_secs(1);

/// Calls as they happen.
pub(super) struct Table<'a> {
    flows: Flows<'a, Option<FlowReport>>,
    judging: &'a Judging<'a>,
    format: Format,
    style: Style,
    names: &'a [String],
    /// Rows there is room for; `None` where there is no screen.
    rows: Option<usize>,
    screen: Screen,
    drawn: Option<Instant>,
    /// Flows whose row was written, by their first message.
    written: BTreeSet<u64>,
}

impl<'a> Table<'a> {
    /// A table of `rows` on a screen; without a screen rows are written once they are final.
    pub(super) fn new(
        flows: Flows<'a, Option<FlowReport>>,
        judging: &'a Judging<'a>,
        (format, style): (Format, Style),
        names: &'a [String],
        rows: Option<usize>,
    ) -> Self {
        Self {
            flows: flows.watched(),
            judging,
            format,
            style,
            names,
            rows,
            screen: Screen::default(),
            drawn: None,
            written: BTreeSet::new(),
        }
    }

    /// Draws the newest calls.
    #[allow(clippy::disallowed_methods)] // How often, is of the user's time.
    fn draw(&mut self, rows: usize, moment: &Moment<'_>, out: &mut dyn Write) -> io::Result<()> {
        if self.drawn.is_some_and(|drawn| drawn.elapsed() < EVERY) {
            return Ok(());
        }
        self.drawn = Some(Instant::now());
        let Self { flows, judging, style, names, screen, .. } = self;
        flows.look(None, moment.seen(), |model, _| {
            let chosen = wanted(model, judging);
            let shown = chosen.get(chosen.len().saturating_sub(rows)..).unwrap_or_default();
            let report = report(model, judging, shown);
            let subject = Subject::new(model, &report, names).choose(shown.to_vec());
            let mut text = Vec::new();
            list::write(&subject, Format::Text, style, &mut text)?;
            let mut text = String::from_utf8_lossy(&text).into_owned();
            text.push_str(&completeness::line(&model.tally));
            screen.draw(&text, out)
        })
    }

    /// Writes the rows of flows that came to their end.
    fn write(
        &mut self,
        ended: &[FlowPlace],
        moment: &Moment<'_>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let Self { flows, judging, format, style, names, written, .. } = self;
        flows.look(None, moment.seen(), |model, places| {
            if 2 * model.flows.len() + SPARE < written.len() {
                let held = held(model);
                written.retain(|first| held.contains(first));
            }
            let over = model.flows.iter().zip(places).filter(|(_, place)| ended.contains(place));
            let over: Vec<FlowId> = over
                .filter(|(flow, _)| judging.wants(flow, &judging.context(&model.vantage)))
                .filter(|(flow, _)| written.insert(first(flow)))
                .map(|(flow, _)| flow.id)
                .collect();
            let report = report(model, judging, &over);
            let subject = Subject::new(model, &report, names).choose(over);
            list::write(&subject, *format, style, out)
        })
    }
}

impl Show for Table<'_> {
    fn observe(&mut self, observation: &Observation<'_>) {
        self.flows.observe(observation);
    }

    fn pulse(&mut self, moment: &Moment<'_>, out: &mut dyn Write) -> io::Result<()> {
        self.flows.advance(moment.now);
        let (mut ended, mut past) = (Vec::new(), Vec::new());
        while let Some((place, due)) = self.flows.poll() {
            let Some(flow) = self.flows.flow(place).filter(|_| due != Due::Changed) else {
                continue;
            };
            if flow.is_open() {
                continue;
            }
            ended.push(place);
            if PAST < flow.messages.len() {
                past.push(place);
            }
        }
        match self.rows {
            Some(rows) => self.draw(rows, moment, out)?,
            None if ended.is_empty() || self.format == Format::Text => {}
            None => self.write(&ended, moment, out)?,
        }
        for place in past {
            self.flows.shed(place);
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>, feed: &dyn Feed, out: &mut dyn Write) -> io::Result<Ended> {
        self.screen.close(out)?;
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
