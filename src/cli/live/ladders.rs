//! `siplens live --ladder`: the ladder of each call when it has ended.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use super::super::commands::calls;
use super::super::judging::Judging;
use super::show::{Ended, Moment, SPARE, Show, first, held};
use crate::engine::Feed;
use crate::engine::live::{Due, FlowPlace, Flows};
use crate::engine::parsed::Parsed;
use crate::limits::Tally;
use crate::model::{FlowId, Model};
use crate::rules::{FlowReport, check_flow, merge};
use crate::view::ladder::LadderOptions;
use crate::view::{Ladder, Style, Subject, text};

/// How often is looked for calls to draw.
const EVERY: Duration = Duration::from_millis(500);

/// Ladders of calls that have ended.
pub(super) struct Ladders<'a> {
    flows: Flows<'a, Option<FlowReport>>,
    judging: &'a Judging<'a>,
    style: Style,
    names: &'a [String],
    /// How many messages of a flow have been drawn, by its first message.
    drawn: BTreeMap<u64, usize>,
    shown: usize,
    /// Some flow has ended since calls were drawn.
    any: bool,
    /// Flows to be let go once they have been drawn.
    silent: Vec<FlowPlace>,
    drawn_at: Option<Instant>,
}

impl<'a> Ladders<'a> {
    pub(super) fn new(
        flows: Flows<'a, Option<FlowReport>>,
        judging: &'a Judging<'a>,
        style: Style,
        names: &'a [String],
    ) -> Self {
        let flows = flows.watched();
        Self {
            flows,
            judging,
            style,
            names,
            drawn: BTreeMap::new(),
            shown: 0,
            any: false,
            silent: Vec::new(),
            drawn_at: None,
        }
    }

    /// Draws the calls of which no flow is open and some have not been drawn as they are.
    fn draw(&mut self, moment: &Moment<'_>, out: &mut dyn Write) -> io::Result<()> {
        let Self { flows, judging, style, names, drawn, shown, .. } = self;
        flows.look(None, moment.seen(), |model, _| {
            if 2 * model.flows.len() + SPARE < drawn.len() {
                let held = held(model);
                drawn.retain(|first, _| held.contains(first));
            }
            let context = judging.context(&model.vantage);
            let wants = |id: &FlowId| judging.wants(model.flow(*id), &context);
            let chosen: Vec<FlowId> =
                model.flows.iter().map(|flow| flow.id).filter(wants).collect();
            let report =
                merge(chosen.iter().map(|id| check_flow(model.flow(*id), &context)).collect());
            let subject = Subject::new(model, &report, names).choose(chosen);
            for call in calls(&subject) {
                let over = call.iter().all(|id| is_over(model, *id, moment));
                if over && news(model, &call, drawn) {
                    one(&subject, &call, (style, shown), out)?;
                }
            }
            Ok(())
        })
    }
}

impl Show for Ladders<'_> {
    fn observe(&mut self, seen: Parsed<'_>) {
        self.flows.observe_parsed(seen);
    }

    #[allow(clippy::disallowed_methods)] // How often, is of the user's time.
    fn pulse(&mut self, moment: &Moment<'_>, out: &mut dyn Write) -> io::Result<()> {
        self.flows.advance(moment.now);
        while let Some((place, due)) = self.flows.poll() {
            let Some(flow) = self.flows.flow(place).filter(|_| due != Due::Changed) else {
                continue;
            };
            if flow.is_open() {
                continue;
            }
            self.any = true;
            if due == Due::Silent {
                self.silent.push(place);
            }
        }
        if self.any && self.drawn_at.is_none_or(|at| EVERY <= at.elapsed()) {
            (self.any, self.drawn_at) = (false, Some(Instant::now()));
            self.draw(moment, out)?;
            for place in std::mem::take(&mut self.silent) {
                self.dismiss(place);
            }
        }
        Ok(())
    }

    fn finish(self: Box<Self>, feed: &mut dyn Feed, out: &mut dyn Write) -> io::Result<Ended> {
        let Self { flows, judging, style, names, mut drawn, mut shown, .. } = *self;
        let found = judging.found(flows.finish(feed), 1);
        let subject = found.subject(names);
        for call in calls(&subject) {
            if news(subject.model, &call, &mut drawn) {
                one(&subject, &call, (&style, &mut shown), out)?;
            }
        }
        drop(subject);
        Ok(Ended { tally: found.tally(), shown, worst: None })
    }

    fn held(&self) -> (usize, usize) {
        self.flows.held()
    }

    fn lost(&self) -> Tally {
        self.flows.tally().clone()
    }
}

impl Ladders<'_> {
    /// Lets a flow go that has been drawn as it is.
    fn dismiss(&mut self, place: FlowPlace) {
        let Some(flow) = self.flows.flow(place) else { return };
        let first = first(flow);
        // One that was not chosen is never drawn.
        if self.drawn.get(&first).is_none_or(|drawn| *drawn == flow.messages.len()) {
            self.drawn.remove(&first);
            self.flows.dismiss(place);
        }
    }
}

/// Whether a flow has come to its end, and nothing of it is on its way any more.
fn is_over(model: &Model, id: FlowId, moment: &Moment<'_>) -> bool {
    let flow = model.flow(id);
    !flow.is_open() && moment.is_settled(flow)
}

/// Whether a flow of `call` has messages that were not drawn; from now on they are.
fn news(model: &Model, call: &[FlowId], drawn: &mut BTreeMap<u64, usize>) -> bool {
    let mut any = false;
    for id in call {
        let flow = model.flow(*id);
        let count = flow.messages.len();
        any |= drawn.insert(first(flow), count) != Some(count);
    }
    any
}

/// Draws one call, an empty line before all but the first.
fn one(
    subject: &Subject<'_>,
    call: &[FlowId],
    (style, shown): (&Style, &mut usize),
    out: &mut dyn Write,
) -> io::Result<()> {
    if *shown != 0 {
        out.write_all(b"\n")?;
    }
    *shown += 1;
    text::draw(&Ladder::of(subject, call, &LadderOptions::default()), style, out)
}
