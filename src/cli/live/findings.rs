//! `siplens live --check`: violations as they become certain, and all of them at the end.

use std::collections::BTreeSet;
use std::io::{self, Write};

use super::super::judging::Judging;
use super::show::{Ended, Moment, PAST, Show, first};
use crate::engine::Feed;
use crate::engine::live::{Due, FlowPlace, Flows};
use crate::engine::parsed::Parsed;
use crate::limits::Tally;
use crate::model::Crossings;
use crate::rules::{Context, Finding, FlowReport, Gathered, Report, Told, check_flow};
use crate::view::check::{self, CheckFormat};
use crate::view::live::finding;
use crate::view::{Style, Subject};

/// Flows that changed and are judged at one pulse; the others are when they settle.
const AT_ONCE: usize = 2_000;

/// Reports of flows let go that wait to be looked through.
const WAITING: usize = 256;
/// Different findings of flows let go that are kept for the end.
const GATHERED: usize = 1 << 14;

/// Violations as they become certain.
pub(super) struct Findings<'a> {
    flows: Flows<'a, Option<FlowReport>>,
    judging: &'a Judging<'a>,
    told: Told,
    /// What was found in flows that were let go, and of it what is to be told.
    gathered: Gathered,
    news: Vec<Finding>,
    lost: Tally,
    format: CheckFormat,
    style: Style,
    names: &'a [String],
}

impl<'a> Findings<'a> {
    pub(super) fn new(
        flows: Flows<'a, Option<FlowReport>>,
        judging: &'a Judging<'a>,
        told: Told,
        (format, style): (CheckFormat, Style),
        names: &'a [String],
    ) -> Self {
        let (gathered, news, lost) = (Gathered::default(), Vec::new(), Tally::default());
        let flows = flows.watched();
        Self { flows, judging, told, gathered, news, lost, format, style, names }
    }
}

impl Findings<'_> {
    /// Takes in what was found in flows that were let go, before there is no room for more.
    fn gather(&mut self) {
        for (first, report) in self.flows.take_let_go() {
            let Some(report) = report else { continue };
            self.news.extend(self.told.news(first, &report).into_iter().cloned());
            if !self.gathered.add(report, GATHERED) {
                self.lost.lose("let-go-unreported");
            }
        }
    }

    /// Judges the flows at `places` and tells what is new.
    fn tell(
        &mut self,
        places: Option<&[FlowPlace]>,
        moment: &Moment<'_>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        self.gather();
        let Self { flows, judging, told, format, style, names, news, .. } = self;
        let mut news = std::mem::take(news);
        flows.look(places, moment.seen(), |model, _| {
            // What crosses between flows is known once all of them are looked at.
            let alone = Crossings::default();
            let crossings = if places.is_some() { &alone } else { model.crossings() };
            let context = Context { crossings, ..judging.context(&model.vantage) };
            for flow in model.flows.iter().filter(|flow| judging.wants(flow, &context)) {
                let report = check_flow(flow, &context);
                news.extend(told.news(first(flow), &report).into_iter().cloned());
            }
            news.sort_by_key(|finding| finding.last);
            let report = Report { findings: news, ..Report::default() };
            let subject = Subject::new(model, &report, names);
            match format {
                CheckFormat::Text => finding::lines(&subject, style, out),
                format => check::write(&subject, *format, style, out),
            }
        })
    }
}

impl Show for Findings<'_> {
    fn observe(&mut self, seen: Parsed<'_>) {
        self.flows.observe_parsed(seen);
        if WAITING <= self.flows.reported() {
            self.gather();
        }
    }

    fn pulse(&mut self, moment: &Moment<'_>, out: &mut dyn Write) -> io::Result<()> {
        self.judging.know(&moment.vantage);
        self.flows.advance(moment.now);
        let (mut places, mut changed, mut past) = (BTreeSet::new(), 0, Vec::new());
        while let Some((place, due)) = self.flows.poll() {
            if due == Due::Changed {
                changed += 1;
                if AT_ONCE < changed {
                    continue;
                }
            } else if PAST < self.flows.flow(place).map_or(0, |flow| flow.messages.len()) {
                past.push(place);
            }
            places.insert(place);
        }
        if !(places.is_empty() && self.news.is_empty() && self.flows.reported() == 0) {
            let places: Vec<FlowPlace> = places.into_iter().collect();
            self.tell(Some(&places), moment, out)?;
        }
        for place in past {
            if self.flows.flow(place).is_some_and(|flow| !flow.is_open()) {
                self.flows.shed(place);
            }
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>, feed: &mut dyn Feed, out: &mut dyn Write) -> io::Result<Ended> {
        let last = feed.vantage().last;
        self.flows.advance(last);
        self.tell(None, &Moment::new(last, feed), out)?;
        let mut analysis = self.flows.finish(feed);
        analysis.model.tally.add(&self.lost);
        let found = self.judging.found_after(self.gathered, analysis, 1);
        let subject = found.subject(self.names);
        if self.format == CheckFormat::Text {
            check::write(&subject, self.format, &self.style, out)?;
        }
        let shown = subject.flows.len();
        drop(subject);
        Ok(Ended { tally: found.tally(), shown, worst: found.report().worst() })
    }

    fn held(&self) -> (usize, usize) {
        self.flows.held()
    }

    fn lost(&self) -> Tally {
        let mut lost = self.flows.tally().clone();
        lost.add(&self.lost);
        lost
    }
}
