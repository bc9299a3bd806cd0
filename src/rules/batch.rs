//! Flows that are judged together: all that checks are called for, in one list of each kind.

use std::hint::black_box;

use super::case::Turn;
use super::schedule::Subject;
use super::{Case, Context};
use crate::model::{CallFlow, DialogId, Entry, Exchange, MessageId, Note, TransactionId};
use crate::sip::{Field, Message};
use crate::transport::{Completeness, scan};

/// Things of a kind that are brought near together; more would be gone before they are needed.
const GLANCE: usize = 64;

/// One thing that checks are called for.
pub(super) struct Item<T> {
    pub(super) turn: Turn,
    /// The message it is about, where it is about one.
    pub(super) message: MessageId,
    pub(super) what: T,
}

/// Flows that are judged together, and all there is to judge of them, in their order.
#[derive(Default)]
pub(super) struct Batch<'a> {
    pub(super) cases: Vec<Case<'a>>,
    /// Each with why it cannot be judged by its text.
    pub(super) messages: Vec<Item<(&'a Message, Option<&'static str>)>>,
    pub(super) transactions: Vec<Item<TransactionId>>,
    pub(super) dialogs: Vec<Item<DialogId>>,
    pub(super) exchanges: Vec<Item<&'a Exchange>>,
    pub(super) flows: Vec<Item<()>>,
}

impl<'a> Batch<'a> {
    /// Adds all of `flow`.
    pub(super) fn add(&mut self, flow: &'a CallFlow, context: &Context<'a>) {
        let place = self.cases.len() as u32;
        let turn = |subject, item| Turn { flow: place, subject, item };
        let Context { vantage, crossings, settings, .. } = *context;
        self.cases.push(Case { flow, vantage, crossings, settings });

        self.messages.extend(written_anew(flow).map(|(id, entry)| {
            let message = &entry.message;
            let what = (message, cut_short(message.envelope.completeness));
            Item { turn: turn(Subject::Message, id.0), message: id, what }
        }));
        let none = MessageId(0);
        self.transactions.extend((0..flow.transactions.len() as u32).map(|at| Item {
            turn: turn(Subject::Transaction, at),
            message: none,
            what: TransactionId(at),
        }));
        self.dialogs.extend((0..flow.dialogs.len() as u32).map(|at| Item {
            turn: turn(Subject::Dialog, at),
            message: none,
            what: DialogId(at),
        }));
        self.exchanges.extend(flow.exchanges.iter().zip(0..).map(|(what, at)| Item {
            turn: turn(Subject::Exchange, at),
            message: what.offer.message,
            what,
        }));
        self.flows.push(Item { turn: turn(Subject::Flow, 0), message: none, what: () });
    }

    /// Begins anew, in the room it has.
    pub(super) fn clear(&mut self) {
        self.cases.clear();
        self.messages.clear();
        self.transactions.clear();
        self.dialogs.clear();
        self.exchanges.clear();
        self.flows.clear();
    }

    /// The flow whose turn it is.
    pub(super) fn case(&self, turn: Turn) -> &Case<'a> {
        &self.cases[turn.flow as usize]
    }
}

/// Reads a little of all that is known of `flows` ahead of the checks, which would wait for memory at
/// each thing in turn: what waits together takes a part of the time. What one step finds is where
/// the next one looks.
pub(super) fn bring_flows_near(flows: &[&CallFlow]) {
    black_box(flows.iter().map(|flow| flow.messages.len()).sum::<usize>());
    for flow in flows {
        for entry in flow.messages.iter().take(GLANCE) {
            black_box((entry.note, entry.message.envelope.seq, entry.message.names()));
        }
        for transaction in flow.transactions.iter().take(GLANCE) {
            black_box((transaction.request, transaction.dialog, transaction.next_hops.len()));
        }
    }
}

/// The same of the messages of a batch: their fields, then their texts.
pub(super) fn bring_near<T>(messages: &[Item<(&Message, T)>]) {
    const FIELDS: usize = scan::LINE / size_of::<Field>();
    for Item { what: (message, _), .. } in messages {
        let fields = message.fields();
        black_box(fields.iter().step_by(FIELDS).fold(0, |sum, field| sum ^ field.name as u32));
        black_box(fields.last().map(|field| field.name));
    }
    for Item { what: (message, _), .. } in messages {
        scan::bring_near(message.text());
    }
}

/// The same of requests that were sent on: no check is called for them, but answers are compared with
/// them, in what stands in their first lines.
pub(super) fn bring_requests_near(batch: &Batch<'_>) {
    const START: usize = 512;
    for Item { turn, what: id, .. } in batch.transactions.iter().take(GLANCE) {
        let flow = batch.case(*turn).flow;
        let Some(request) = flow.transaction(*id).request else { continue };
        let entry = flow.entry(request);
        if matches!(entry.note, Note::Forwarded(_)) {
            let (text, fields) = (entry.message.text(), entry.message.fields());
            black_box((fields.first(), fields.last()));
            scan::bring_near(text.get(..START).unwrap_or(text));
        }
    }
}

/// The messages of `flow` that somebody wrote, copies left out. A copy that differs from what it
/// repeats is among them: it was written anew.
fn written_anew(flow: &CallFlow) -> impl Iterator<Item = (MessageId, &Entry)> {
    let is_new = |entry: &Entry| match entry.note {
        Note::New => true,
        Note::Retransmission(of) => flow.message(of).text() != entry.message.text(),
        Note::Duplicate(_) | Note::Forwarded(_) => false,
    };
    flow.entries().filter(move |(_, entry)| is_new(entry))
}

/// Guard WHOLE: why a message cannot be judged by its text.
pub(super) fn cut_short(completeness: Completeness) -> Option<&'static str> {
    match completeness {
        // A lying Content-Length does not spoil the header section.
        Completeness::Whole | Completeness::Desync => None,
        Completeness::Truncated => Some("message cut by the snap length"),
        Completeness::Gap => Some("octets of the message are missing"),
    }
}
