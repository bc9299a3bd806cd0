//! Which calls are wanted, and what the rules say of them.

use std::collections::BTreeSet;
use std::mem::ManuallyDrop;
use std::sync::{Arc, Mutex, PoisonError};

use super::facts::Judged;
use super::filter::{Field, Filter};
use crate::engine::{Analysis, shards};
use crate::limits::{Limits, Tally};
use crate::model::audit::{Audit, Terms};
use crate::model::{CallFlow, Crossings, FlowId, Model, Vantage};
use crate::rules::{
    Context, FlowReport, Gathered, Report, Selection, Settings, check_flow, check_flows,
};
use crate::view::Subject;

/// What calls are chosen and judged by.
pub(super) struct Judging<'s> {
    filter: Option<Filter>,
    /// Whether the filter asks what the rules say.
    asks_rules: bool,
    selection: &'s Selection,
    settings: Settings,
    /// What is known of the capture while a flow is let go: nothing, unless somebody says.
    known: Mutex<Arc<Vantage>>,
    /// What is known of other flows then: nothing.
    alone: Crossings,
}

impl<'s> Judging<'s> {
    /// Chooses by `filter` and judges by `selection`.
    pub(super) fn new(filter: Option<Filter>, selection: &'s Selection) -> Self {
        let asks = |filter: &Filter| filter.asks(&|field| field == Field::Rule).is_some();
        Self {
            asks_rules: filter.as_ref().is_some_and(asks),
            filter,
            selection,
            settings: Settings::default(),
            known: Mutex::default(),
            alone: Crossings::default(),
        }
    }

    /// What a flow is judged by that was seen as `vantage` says, before the others are known.
    pub(super) fn context<'a>(&'a self, vantage: &'a Vantage) -> Context<'a> {
        let Self { selection, settings, alone, .. } = self;
        Context { vantage, crossings: alone, selection, settings }
    }

    /// Whether a flow is one of those that were asked for.
    pub(super) fn wants(&self, flow: &CallFlow, context: &Context<'_>) -> bool {
        match &self.filter {
            None => true,
            Some(filter) if self.asks_rules => {
                filter.holds(&Judged { flow, report: &check_flow(flow, context) })
            }
            Some(filter) => filter.holds(flow),
        }
    }

    /// What the capture point could see so far: what is certain by that is said of flows that are
    /// let go from now on.
    #[cfg_attr(not(feature = "live"), allow(dead_code))]
    pub(super) fn know(&self, vantage: &Vantage) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(vantage.clone());
    }

    /// What must be let go early is judged by what is certain by then.
    pub(super) fn early(&self, flow: &CallFlow) -> Option<FlowReport> {
        // Several threads let flows go; none waits while another judges.
        let known = Arc::clone(&self.known.lock().unwrap_or_else(PoisonError::into_inner));
        let context = self.context(&known);
        self.wants(flow, &context).then(|| check_flow(flow, &context).without_places())
    }

    /// Judges the chosen flows of an analysis on `jobs` threads.
    pub(super) fn found(&self, analysis: Analysis<Option<FlowReport>>, jobs: usize) -> Found {
        self.found_after(Gathered::default(), analysis, jobs)
    }

    /// The same of one in which what was `gathered` was said before.
    pub(super) fn found_after(
        &self,
        mut gathered: Gathered,
        analysis: Analysis<Option<FlowReport>>,
        jobs: usize,
    ) -> Found {
        let model = analysis.model;
        let crossings = model.crossings();
        let context = Context { crossings, ..self.context(&model.vantage) };
        // Flows are numbered by their places, and looked at only to choose.
        let flows = model.flows.iter().zip((0..).map(FlowId));
        let wanted = flows.filter(|(flow, _)| self.wants(flow, &context));
        let chosen: Vec<FlowId> = wanted.map(|(_, id)| id).collect();
        let judge = |ids: &[FlowId]| check_flows(ids.iter().map(|id| model.flow(*id)), &context);
        let held = shards::map(&chosen, jobs, judge);
        for report in analysis.let_go.into_iter().flatten().chain(held) {
            gathered.add(report, usize::MAX);
        }
        Found { report: gathered.report(), model: ManuallyDrop::new(model), chosen }
    }
}

/// What an analysis found of the chosen calls.
pub(super) struct Found {
    /// Never dropped: it lives until the process ends, and to free its million pieces one by one
    /// takes longer than to end.
    model: ManuallyDrop<Model>,
    report: Report,
    chosen: Vec<FlowId>,
}

impl Found {
    /// What views are asked to show.
    pub(super) fn subject<'a>(&'a self, files: &'a [String]) -> Subject<'a> {
        Subject::new(&self.model, &self.report, files).choose(self.chosen.clone())
    }

    /// Audits the registrations of the chosen calls, and nothing of the others.
    pub(super) fn audit(&mut self, limits: &Limits, terms: &Terms<'_>) -> Audit {
        let chosen: BTreeSet<FlowId> = self.chosen.iter().copied().collect();
        let flows = |flow: &CallFlow| chosen.contains(&flow.id) && (terms.flows)(flow);
        let audit = Audit::of(&self.model, limits, &Terms { flows: &flows, ..*terms });
        self.model.tally.add(&audit.let_go);
        audit
    }

    /// What the rules say.
    pub(super) fn report(&self) -> &Report {
        &self.report
    }

    /// What was read and lost.
    pub(super) fn tally(&self) -> Tally {
        self.model.tally.clone()
    }

    /// What the capture point could see.
    pub(super) fn vantage(&self) -> &Vantage {
        &self.model.vantage
    }
}
