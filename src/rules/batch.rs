//! Flows that are judged together: all that checks are called for, in one list of each kind.

use super::case::Turn;
use super::schedule::Subject;
use super::{Case, Context};
use crate::model::{CallFlow, DialogId, Entry, Exchange, MessageId, Note, TransactionId};
use crate::near;
use crate::sip::Message;
use crate::transport::Completeness;

/// Messages that are judged together: so few that they stay in the nearest caches, so many that to
/// load the code of each check costs little.
pub(super) const TOGETHER: usize = 32;
/// The most that are judged together of a flow that has more.
pub(super) const MOST: usize = 2 * TOGETHER;
/// Octets of a request that answers are compared with: its first lines.
const START: usize = 512;

/// One thing that checks are called for.
pub(super) struct Item<T> {
    pub(super) turn: Turn,
    /// The message it is about, where it is about one.
    pub(super) message: MessageId,
    pub(super) what: T,
}

/// A message that checks are called for, with why it cannot be judged by its text.
pub(super) type ToJudge<'a> = Item<(&'a Message, Option<&'static str>)>;

/// Flows that are judged together, and all there is to judge of them, in their order.
#[derive(Default)]
pub(super) struct Batch<'a> {
    pub(super) cases: Vec<Case<'a>>,
    pub(super) messages: Vec<ToJudge<'a>>,
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
        self.cases.push(Case::of(flow, context));

        self.messages.extend(written_anew(flow).map(|(id, entry)| {
            let message = &entry.message;
            // Read when the rest is asked for.
            near::ask_for_first(1, message.text());
            let what = (message, cut_short(message.envelope.completeness));
            Item { turn: turn(Subject::Message, id.place()), message: id, what }
        }));
        // No check is called for a request that was sent on, but answers are compared with it.
        let is_sent_on = |entry: &&Entry| matches!(entry.note, Note::Forwarded(_));
        let sent_on = flow.messages.iter().filter(is_sent_on).map(|entry| &entry.message);
        let requests = sent_on.filter(|message| message.is_request());
        requests.take(MOST).for_each(|message| ask_for(message, START));
        let none = MessageId::at(0);
        self.transactions.extend((0..flow.transactions.len() as u32).map(|at| Item {
            turn: turn(Subject::Transaction, at),
            message: none,
            what: TransactionId::at(at),
        }));
        self.dialogs.extend((0..flow.dialogs().len() as u32).map(|at| Item {
            turn: turn(Subject::Dialog, at),
            message: none,
            what: DialogId::at(at),
        }));
        self.exchanges.extend(flow.exchanges().iter().zip(0..).map(|(what, at)| Item {
            turn: turn(Subject::Exchange, at),
            message: what.offer.message,
            what,
        }));
        self.flows.push(Item { turn: turn(Subject::Flow, 0), message: none, what: () });
    }

    /// The messages that are judged first.
    pub(super) fn first_messages(&self) -> &[ToJudge<'a>] {
        &self.messages[..self.messages.len().min(MOST)]
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

/// What messages are judged by, to be asked for in steps, between which something else is done: asked
/// for all at once it would be waited for.
pub(super) struct Coming<'b, 'a> {
    left: std::slice::Iter<'b, ToJudge<'a>>,
    in_a_step: usize,
}

impl<'b, 'a> Coming<'b, 'a> {
    /// The same in so many `steps`.
    pub(super) fn new(messages: &'b [ToJudge<'a>], steps: usize) -> Self {
        Self { left: messages.iter(), in_a_step: messages.len().div_ceil(steps.max(1)) }
    }

    pub(super) fn ask_for_some(&mut self) {
        for Item { what: (message, _), .. } in self.left.by_ref().take(self.in_a_step) {
            ask_for(message, usize::MAX);
        }
    }
}

/// Asks for what `message` is judged by, of its text for the first `most` octets.
fn ask_for(message: &Message, most: usize) {
    near::ask_for(message.fields());
    near::ask_afar(most, message.text());
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
