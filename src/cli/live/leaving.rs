//! `--exit-after-call`: when the first chosen call has ended.

use super::super::judging::Judging;
use super::show::Moment;
use crate::engine::live::{Due, Flows};
use crate::engine::parsed::Parsed;
use crate::engine::{LetGo, Plan};
use crate::model::{CallFlow, FlowKind};

/// Waits for the end of a call.
pub(super) struct Leaving<'a> {
    flows: Flows<'a, ()>,
    judging: &'a Judging<'a>,
}

impl<'a> Leaving<'a> {
    pub(super) fn new(plan: &Plan, judging: &'a Judging<'a>) -> Self {
        const NOTHING: &LetGo<'static, ()> = &|_| ();
        Self { flows: Flows::new(plan, NOTHING).watched(), judging }
    }

    /// Takes in what was seen next.
    pub(super) fn observe(&mut self, seen: Parsed<'_>) {
        self.flows.observe_parsed(seen);
    }

    /// Whether a chosen call has ended by now, and nothing more of it is on its way.
    pub(super) fn is_due(&mut self, moment: &Moment<'_>) -> bool {
        self.flows.advance(moment.now);
        let mut settled = Vec::new();
        while let Some((place, due)) = self.flows.poll() {
            if due != Due::Changed {
                settled.push(place);
            }
        }
        let context = self.judging.context(&moment.vantage);
        let has_ended = |flow: &CallFlow| {
            flow.summary().kind == FlowKind::Call
                && !flow.is_open()
                && self.judging.wants(flow, &context)
        };
        settled.iter().filter_map(|place| self.flows.flow(*place)).any(has_ended)
    }
}
