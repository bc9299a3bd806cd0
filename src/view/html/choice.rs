//! Which calls a report draws: those with findings first, then calls, then the rest.

use std::collections::BTreeSet;

use super::ReportOptions;
use crate::model::{FlowId, FlowKind, MessageId};
use crate::rules::Severity;
use crate::view::Subject;

/// What is drawn: calls, then the rest, in order of time.
pub(super) struct Choice {
    /// Groups of flows that are one call, or single flows.
    pub(super) drawn: Vec<Vec<FlowId>>,
    /// Flows of the subject that are not drawn.
    pub(super) left_out: usize,
    flows: BTreeSet<FlowId>,
    messages: usize,
}

impl Choice {
    pub(super) fn of(subject: &Subject<'_>, options: &ReportOptions) -> Self {
        let chosen: BTreeSet<FlowId> = subject.flows.iter().copied().collect();
        let mut groups: Vec<Vec<FlowId>> = Vec::new();
        let mut grouped: BTreeSet<FlowId> = BTreeSet::new();
        for call in subject.model.calls() {
            let flows: Vec<FlowId> =
                call.flows.iter().copied().filter(|flow| chosen.contains(flow)).collect();
            grouped.extend(&flows);
            groups.extend(Some(flows).filter(|flows| !flows.is_empty()));
        }
        groups.extend(chosen.difference(&grouped).map(|flow| vec![*flow]));
        groups.sort();
        let mut ranked: Vec<usize> = (0..groups.len()).collect();
        ranked.sort_by_key(|at| groups.get(*at).map(|group| rank(subject, group)));
        ranked.truncate(options.calls);
        // In order of time, calls before the rest.
        ranked.sort_by_key(|at| (groups.get(*at).map(|group| is_no_call(subject, group)), *at));
        let drawn: Vec<Vec<FlowId>> =
            ranked.iter().filter_map(|at| groups.get(*at).cloned()).collect();
        let flows: BTreeSet<FlowId> = drawn.iter().flatten().copied().collect();
        let left_out = chosen.len() - flows.len();
        Self { drawn, left_out, flows, messages: options.messages }
    }

    /// Where the call of `flow` is drawn.
    pub(super) fn call_href(&self, flow: FlowId) -> Option<String> {
        let group = self.drawn.iter().find(|group| group.contains(&flow));
        group.filter(|_| self.flows.contains(&flow)).map(|group| format!("#{}", call_id(group)))
    }

    /// Where the text of a message is, when it is there.
    pub(super) fn message_href(&self, flow: FlowId, message: MessageId) -> Option<String> {
        let is_there = self.flows.contains(&flow) && (message.place() as usize) < self.messages;
        is_there.then(|| format!("#{}", crate::view::svg::anchor((flow, message))))
    }
}

/// The anchor of a call.
pub(super) fn call_id(group: &[FlowId]) -> String {
    format!("c{}", group.first().map_or(0, |flow| flow.0 + 1))
}

/// Lower is drawn first: the worst finding, then calls before other flows, then time.
fn rank(subject: &Subject<'_>, group: &[FlowId]) -> (u8, u8) {
    let worst = group.iter().flat_map(|flow| subject.findings_of(*flow)).map(|f| f.severity).max();
    let severity = match worst {
        Some(Severity::Error) => 0,
        Some(Severity::Warning) => 1,
        Some(Severity::Info) => 2,
        None => 3,
    };
    (severity, is_no_call(subject, group))
}

fn is_no_call(subject: &Subject<'_>, group: &[FlowId]) -> u8 {
    let kind = group.first().map(|flow| subject.flow(*flow).summary().kind);
    u8::from(kind != Some(FlowKind::Call))
}
