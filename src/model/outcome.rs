//! Works out the numbers and the outcome of a call flow from its messages.

use super::{
    CallFlow, Dialog, DialogState, Entry, FlowKind, FlowState, MessageId, Note, Summary,
    Transaction, Usage,
};
use crate::sip::{Method, Status};
use crate::time::{SECOND, TIMEOUT, Timestamp};

/// The shortest timer C allowed: an INVITE that rings longer has failed (section 16.6).
const TIMER_C: i64 = 180 * SECOND;

/// The summary of `flow` as seen so far.
pub(super) fn summarize(flow: &CallFlow) -> Summary {
    let method = first_method(flow);
    let kind = kind_of(flow, &method);
    let attempts =
        Attempts::of(flow, if kind == FlowKind::Call { &Method::Invite } else { &method });
    let chosen = attempts.chosen(kind);
    let first = attempts.list.first().and_then(|t| t.request).unwrap_or_default();
    let time = |id: MessageId| flow.message(id).envelope.time;
    let times = || flow.messages.iter().map(|entry| entry.message.envelope.time);
    let count = |fits: fn(&Entry) -> bool| flow.messages.iter().filter(|e| fits(e)).count() as u32;
    let duplicates = count(|e| matches!(e.note, Note::Duplicate(_)));
    let mut summary = Summary {
        kind,
        method,
        state: FlowState::Partial,
        status: None,
        start: times().min().unwrap_or_default(),
        end: times().max().unwrap_or_default(),
        first,
        messages: flow.messages.len() as u32 - duplicates,
        retransmissions: count(|e| matches!(e.note, Note::Retransmission(_))),
        duplicates,
        setup: None,
        ring: None,
        pdd: None,
        duration: None,
        ended_by_caller: None,
    };
    let Some(chosen) = chosen else { return summary };
    let sign = Signs::of(flow, chosen, &attempts);
    summary.status = sign.end.and_then(|id| flow.message(id).status());
    summary.state = sign.state(flow, chosen, kind, summary.end);
    if kind != FlowKind::Call {
        return summary;
    }
    let dialed = time(first);
    let answered = sign.answer(flow);
    summary.setup = answered.map(|id| time(id).since(dialed));
    summary.pdd = sign.heard(flow).map(|id| time(id).since(dialed));
    let over = sign.end.into_iter().chain(sign.cancel).map(time).min();
    summary.ring = sign.ringing.zip(over).map(|(rang, over)| over.since(time(rang)).max(0));
    if let Some(answered) = answered {
        measure_talk(flow, &mut summary, answered);
    }
    summary
}

/// How long a call lasted that `answered` began, and who ended it.
fn measure_talk(flow: &CallFlow, summary: &mut Summary, answered: MessageId) {
    let confirmed = |d: &&Dialog| d.usage == Usage::Invite && d.confirmed.is_some();
    let dialog = flow.dialogs().iter().find(confirmed);
    let bye = dialog.and_then(|dialog| dialog.ended.filter(|id| is_bye(flow, *id)));
    if let (Some(dialog), Some(bye)) = (dialog, bye) {
        let from = flow.message(bye).from_tag();
        summary.ended_by_caller = Some(from == Some(flow.tags(dialog)[0]));
    }
    let end = bye.map_or(summary.end, |bye| flow.message(bye).envelope.time);
    summary.duration = Some(end.since(flow.message(answered).envelope.time).max(0));
}

fn is_bye(flow: &CallFlow, id: MessageId) -> bool {
    flow.message(id).method() == Some(&Method::Bye)
}

fn first_method(flow: &CallFlow) -> Method {
    let Some(entry) = flow.messages.first() else { return Method::of(b"") };
    match entry.message.method() {
        Some(method) => method.clone(),
        None => Method::of(entry.message.cseq().map(|c| c.method).unwrap_or_default()),
    }
}

fn kind_of(flow: &CallFlow, first: &Method) -> FlowKind {
    match first {
        Method::Invite | Method::Ack | Method::Bye | Method::Cancel | Method::Prack => {
            FlowKind::Call
        }
        Method::Register => FlowKind::Registration,
        Method::Subscribe | Method::Notify => FlowKind::Subscription,
        _ if flow.dialogs().iter().any(|dialog| dialog.usage == Usage::Invite) => FlowKind::Call,
        _ => FlowKind::Other,
    }
}

/// The requests with which the caller tried, each on the hop nearest to them: the first, the one
/// with credentials, the one to the Contact of a redirect.
struct Attempts<'f> {
    flow: &'f CallFlow,
    list: Vec<&'f Transaction>,
}

impl<'f> Attempts<'f> {
    fn of(flow: &'f CallFlow, method: &Method) -> Self {
        let begins = |transaction: &&Transaction| {
            let request = transaction.request.map(|id| flow.message(id));
            transaction.method == *method
                && transaction.previous_hop.is_none()
                && request.is_some_and(|message| message.to_tag().is_none())
        };
        let mut roots = flow.transactions.iter().filter(begins);
        let first = roots.next();
        let tag = |t: &Transaction| t.request.and_then(|id| flow.message(id).from_tag());
        let same_caller = |t: &&Transaction| {
            first.is_some_and(|first| {
                tag(first) == tag(t) || first.hop.client().ip == t.hop.client().ip
            })
        };
        Self { flow, list: first.into_iter().chain(roots.filter(same_caller)).collect() }
    }

    /// The one whose outcome counts.
    fn chosen(&self, kind: FlowKind) -> Option<&'f Transaction> {
        let last = self.list.last().copied()?;
        let counts = |transaction: &&&Transaction| match self.final_status(transaction) {
            Some(status) if kind == FlowKind::Call => status.is_success(),
            // Asked again with credentials, at another place or with another interval.
            Some(Status(401 | 407 | 422 | 423 | 300..=399)) | None => false,
            Some(_) => true,
        };
        Some(self.list.iter().find(counts).copied().unwrap_or(last))
    }

    fn final_status(&self, transaction: &Transaction) -> Option<Status> {
        final_response(self.flow, transaction).and_then(|id| self.flow.message(id).status())
    }
}

/// The response that decides: the first 2xx, or else the last final one.
fn final_response(flow: &CallFlow, transaction: &Transaction) -> Option<MessageId> {
    let finals = || {
        let is_final = |id: &&MessageId| flow.message(**id).status().is_some_and(Status::is_final);
        transaction.responses.iter().filter(is_final).copied()
    };
    let success = |id: &MessageId| flow.message(*id).status().is_some_and(Status::is_success);
    finals().find(success).or_else(|| finals().next_back())
}

/// What the attempt that counts ran into.
struct Signs {
    /// First 180 or 183 of any attempt.
    ringing: Option<MessageId>,
    /// Final response.
    end: Option<MessageId>,
    /// The CANCEL.
    cancel: Option<MessageId>,
    /// Newest provisional response.
    progress: Option<MessageId>,
}

impl Signs {
    fn of(flow: &CallFlow, chosen: &Transaction, attempts: &Attempts<'_>) -> Self {
        let rings =
            |id: &&MessageId| matches!(flow.message(**id).status(), Some(Status(180 | 183)));
        let progress =
            |id: &&MessageId| flow.message(**id).status().is_some_and(Status::is_provisional);
        let cancel = chosen.cancel.and_then(|at| flow.transaction(at).request).or_else(|| {
            let same = |t: &&Transaction| t.method == Method::Cancel && t.cseq == chosen.cseq;
            let mut cancels = flow.transactions.iter().filter(same);
            cancels.find(|t| t.hop.client().ip == chosen.hop.client().ip)?.request
        });
        Self {
            ringing: attempts.list.iter().flat_map(|t| &t.responses).find(rings).copied(),
            end: final_response(flow, chosen),
            cancel,
            progress: chosen.responses.iter().rev().find(progress).copied(),
        }
    }

    fn answer(&self, flow: &CallFlow) -> Option<MessageId> {
        self.end.filter(|id| flow.message(*id).status().is_some_and(Status::is_success))
    }

    /// The first thing the caller could tell from the line: ringing, or the end of the attempt.
    fn heard(&self, flow: &CallFlow) -> Option<MessageId> {
        let time = |id: &MessageId| flow.message(*id).envelope.time;
        self.ringing.into_iter().chain(self.end).min_by_key(time)
    }

    fn state(
        &self,
        flow: &CallFlow,
        chosen: &Transaction,
        kind: FlowKind,
        last: Timestamp,
    ) -> FlowState {
        let call = kind == FlowKind::Call;
        let status = self.end.and_then(|id| flow.message(id).status());
        match status {
            Some(status) if status.is_success() && call && !answered_and_over(flow) => {
                FlowState::InCall
            }
            Some(status) if status.is_success() => FlowState::Completed,
            Some(status) if self.cancel.is_some() || status.0 == 487 => FlowState::Cancelled,
            Some(Status(486 | 600)) => FlowState::Busy,
            Some(Status(401 | 407)) => FlowState::AuthFailed,
            Some(Status(300..=399)) => FlowState::Redirected,
            Some(_) => FlowState::Rejected,
            None => self.pending(flow, chosen, last),
        }
    }

    /// The state of an attempt without final answer.
    fn pending(&self, flow: &CallFlow, chosen: &Transaction, last: Timestamp) -> FlowState {
        if self.cancel.is_some() {
            return FlowState::Cancelled;
        }
        let until = flow.horizon.unwrap_or(last);
        let waited = |id: MessageId| until.since(flow.message(id).envelope.time);
        match (self.progress, chosen.request) {
            (Some(progress), _) if TIMER_C < waited(progress) => FlowState::TimedOut,
            (Some(_), _) if self.ringing.is_some() => FlowState::Ringing,
            // An ACK answers a final response, wherever that went.
            (None, _) if !chosen.acks.is_empty() => FlowState::Partial,
            (None, Some(request)) if waited(request) < TIMEOUT => FlowState::Trying,
            (None, _) if flow.deaf => FlowState::Unanswered,
            (None, Some(_)) => FlowState::TimedOut,
            (Some(_), _) | (None, None) => FlowState::Trying,
        }
    }
}

/// True when the dialog of the answered call has ended, by whatever.
fn answered_and_over(flow: &CallFlow) -> bool {
    let over = |dialog: &Dialog| {
        dialog.usage == Usage::Invite
            && dialog.confirmed.is_some()
            && dialog.state == DialogState::Terminated
    };
    flow.dialogs().iter().any(over)
}
