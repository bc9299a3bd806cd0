//! Everything of one Call-ID: the unit of work of the analysis.

use std::net::IpAddr;

use super::blocks::Blocks;
use super::matching::{Matching, Table};
use super::negotiation::Bargain;
use super::passage::{Passages, Sighted};
use super::reading::{Clues, Reading, Seed};
use super::tracking::{Scene, Seen, Tracking};
use super::{
    Dialog, DialogId, DialogState, Exchange, FlowId, FlowState, MessageId, Rare, Transaction,
    TransactionId, Usage,
};
use crate::near;
use crate::net::{Endpoint, IcmpKind};
use crate::sip::{Message, Status};
use crate::time::Timestamp;
use crate::transport::{Completeness, ConnectionChange, Signal};

/// All messages of one Call-ID and what they mean.
#[derive(Default)]
pub struct CallFlow {
    /// Its place in the model; set when the model is complete.
    pub id: FlowId,
    /// Every sighting of every message, in capture order.
    pub messages: Blocks<Entry>,
    /// Transactions, each on one hop, in the order of their first message.
    pub transactions: Vec<Transaction>,
    /// ICMP errors, refused and reset connections that hit messages or media of this flow.
    pub evidence: Rare<Evidence>,
    /// Until when the capture would have shown more; the last message while nobody says.
    pub horizon: Option<Timestamp>,
    /// True when the capture shows no packet at all from whom the first request went to.
    pub deaf: bool,
    seed: Seed,
    /// Messages of which a copy may come; none while the flow rests.
    passages: Option<Box<Passages<MessageId>>>,
    matching: Matching,
    /// In a box, since registrations have none, and of those there are most.
    talks: Option<Box<Talks>>,
    /// The first copy that is filed under no dialog: the dialog of its message may come later.
    astray: Option<MessageId>,
    heap: usize,
}

/// What comes to be in calls and subscriptions.
#[derive(Default)]
struct Talks {
    dialogs: Vec<Dialog>,
    exchanges: Vec<Exchange>,
    tracking: Tracking,
}

/// One sighting of a message.
pub struct Entry {
    /// The message.
    pub message: Message,
    /// How it relates to what was seen before.
    pub note: Note,
    /// The transaction it belongs to; `None` for a stray.
    pub transaction: Option<TransactionId>,
    /// The dialog it belongs to, once there is one.
    pub dialog: Option<DialogId>,
}

/// How a sighting relates to earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// First sighting on its first hop.
    New,
    /// Sent again on the same hop (section 17).
    Retransmission(MessageId),
    /// The same passage captured twice: two interfaces, a mirror, both sides of a tunnel.
    Duplicate(MessageId),
    /// The next hop of a message seen before (section 16.6).
    Forwarded(MessageId),
}

/// Something outside SIP that explains what happened to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// When and where.
    pub signal: Signal,
    /// The message it is about.
    pub about: Option<MessageId>,
    /// What.
    pub kind: EvidenceKind,
}

/// Kinds of [`Evidence`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvidenceKind {
    /// An ICMP error that quotes the message.
    Icmp(IcmpKind),
    /// An ICMP error that quotes a packet of media that the flow describes.
    Media(IcmpKind),
    /// The connection that carried it was refused, reset or closed.
    Connection(ConnectionChange),
}

impl CallFlow {
    /// The entry `id`.
    pub fn entry(&self, id: MessageId) -> &Entry {
        &self.messages[id.place() as usize]
    }

    /// The message `id`.
    pub fn message(&self, id: MessageId) -> &Message {
        &self.entry(id).message
    }

    /// The transaction `id`.
    pub fn transaction(&self, id: TransactionId) -> &Transaction {
        &self.transactions[id.place() as usize]
    }

    /// Dialogs, in the order of their creation; forks are dialogs of their own.
    pub fn dialogs(&self) -> &[Dialog] {
        self.talks.as_deref().map_or(&[], |talks| &talks.dialogs)
    }

    /// The dialog `id`.
    pub fn dialog(&self, id: DialogId) -> &Dialog {
        &self.dialogs()[id.place() as usize]
    }

    /// Offers and their answers, in order.
    pub fn exchanges(&self) -> &[Exchange] {
        self.talks.as_deref().map_or(&[], |talks| &talks.exchanges)
    }

    /// The tags of one of its dialogs: that of the side which sent the creating request, then the
    /// other.
    pub fn tags(&self, dialog: &Dialog) -> [&[u8]; 2] {
        dialog.tags(&self.messages)
    }

    /// True when two tags, in either order, are those of one of its dialogs.
    pub fn joins(&self, dialog: &Dialog, tags: (&[u8], &[u8])) -> bool {
        dialog.joins(&self.messages, tags)
    }

    /// Ids and entries in capture order.
    pub fn entries(&self) -> impl Iterator<Item = (MessageId, &Entry)> {
        self.messages.iter().enumerate().map(|(i, entry)| (MessageId::at(i as u32), entry))
    }

    /// Call-ID of the flow, empty when its messages have none.
    pub fn call_id(&self) -> &[u8] {
        self.messages.first().and_then(|entry| entry.message.call_id()).unwrap_or_default()
    }

    /// True when every message of the flow is complete.
    pub fn is_whole(&self) -> bool {
        self.messages.iter().all(|e| e.message.envelope.completeness == Completeness::Whole)
    }

    /// An empty flow whose indexes are keyed with `seed`.
    pub fn new(seed: Seed) -> Self {
        Self { seed, ..Self::default() }
    }

    /// Takes in the next message of this Call-ID.
    pub fn observe(&mut self, message: Message) -> MessageId {
        let clues = Clues::of(&message, self.seed);
        self.observe_read(message, &clues)
    }

    /// The same of a message whose `clues` were read with the seed of the flow.
    pub fn observe_read(&mut self, message: Message, clues: &Clues) -> MessageId {
        let id = MessageId::at(self.messages.len() as u32);
        let reading = Reading::of(&message, clues);
        let same_text =
            |of: MessageId| self.messages[of.place() as usize].message.text() == message.text();
        let passages = self.passages.get_or_insert_default();
        let note = Note::from(passages.observe(&clues.print, id, same_text));
        let mut table = Table { transactions: &mut self.transactions, messages: &self.messages };
        let transaction = self.matching.place(&mut table, id, &reading, note);
        let dialog = match note {
            Note::Duplicate(of) | Note::Retransmission(of) => {
                let dialog = self.entry(of).dialog;
                if dialog.is_none() {
                    self.astray.get_or_insert(id);
                }
                dialog
            }
            Note::New | Note::Forwarded(_) => {
                self.take_part(Seen { id, transaction, reading: &reading })
            }
        };
        self.heap += message.heap_size();
        self.messages.push(Entry { message, note, transaction, dialog });
        self.name_dialog_of_request(id);
        id
    }

    /// What a message that is new on its hop means for dialogs and offers: the dialog it belongs to.
    #[inline]
    fn take_part(&mut self, seen: Seen<'_>) -> Option<DialogId> {
        if self.talks.is_none() && !seen.may_begin_talk() {
            return None;
        }
        let Self { messages, transactions, talks, .. } = self;
        let Talks { dialogs, exchanges, tracking } = &mut **talks.get_or_insert_default();
        let dialog = tracking.follow(&mut Scene { dialogs, transactions, messages }, seen);
        Bargain { exchanges, transactions, messages }.weigh(seen, dialog);
        dialog
    }

    /// Asks for what the next message is compared with first: the ends of its lists.
    pub(crate) fn ask_for_ends(&self) {
        self.messages.last().inspect(|entry| near::ask_for(&entry.note));
        self.transactions.last().inspect(|transaction| near::ask_for(*transaction));
        self.talks.as_deref().inspect(|talks| near::ask_for(*talks));
        self.passages.as_deref().inspect(|passages| passages.ask_for_ends());
        self.matching.ask_for_newest();
    }

    /// Asks for the first message.
    pub(crate) fn ask_for_first(&self) {
        self.messages.first().inspect(|entry| near::ask_for(&entry.message.envelope));
    }

    /// Asks for what [`rest`](Self::rest) and [`heap_size`](Self::heap_size) look at,
    /// of long lists for the first `most` things.
    pub(crate) fn ask_to_rest(&self, most: usize) {
        self.ask_for_meaning(most);
        self.passages.as_deref().inspect(|passages| near::ask_for(*passages));
    }

    /// Asks for its lists, of long ones for the first `most` things.
    pub(crate) fn ask_for_lists(&self, most: usize) {
        self.messages.ask_for(most);
        self.ask_for_meaning(most);
    }

    /// The same without the messages.
    fn ask_for_meaning(&self, most: usize) {
        near::ask_for_first(most, &self.transactions);
        near::ask_for_first(most, self.dialogs());
        near::ask_for_first(most, self.exchanges());
    }

    /// Files what happened to the carrier of a message under the newest request it can be about.
    pub fn witness(&mut self, signal: Signal, kind: EvidenceKind, ends: (Endpoint, Endpoint)) {
        let about = self.newest_request(signal, ends);
        self.evidence.push(Evidence { signal, about, kind });
    }

    /// The numbers and the outcome of the flow as seen so far.
    pub fn summary(&self) -> super::Summary {
        super::outcome::summarize(self)
    }

    /// Whether its first request went to somebody of whom nothing could be seen, which `deaf` says
    /// of a sender and a receiver.
    pub fn hears_nothing(&self, deaf: impl Fn(IpAddr, IpAddr) -> bool) -> bool {
        self.messages.first().is_some_and(|entry| {
            let envelope = &entry.message.envelope;
            entry.message.is_request() && deaf(envelope.from.ip, envelope.to.ip)
        })
    }

    /// Gives back memory that only serves to judge messages close in time; for a flow that was
    /// silent longer than any timer. It may go on afterwards.
    pub fn rest(&mut self) {
        self.name_dialog_of_copies();
        self.passages = None;
        self.matching.shrink();
        self.messages.shrink();
        self.transactions.shrink_to_fit();
        if let Some(talks) = &mut self.talks {
            talks.tracking.shrink();
            talks.dialogs.shrink_to_fit();
            talks.exchanges.shrink_to_fit();
        }
    }

    /// The key of the branch of each transaction; equal branches have equal keys in all flows of a
    /// run.
    pub(super) fn branches(&self) -> impl Iterator<Item = (u64, TransactionId)> {
        self.matching.branches()
    }

    /// Whether it goes on: a request waits for its answer, a call or a subscription lasts.
    pub fn is_open(&self) -> bool {
        let lasts = |dialog: &Dialog| {
            dialog.usage != Usage::Invite && dialog.state == DialogState::Confirmed
        };
        match self.summary().state {
            FlowState::Trying | FlowState::Ringing | FlowState::InCall => true,
            _ => self.dialogs().iter().any(lasts),
        }
    }

    /// True when a request was granted: some transaction has a 2xx.
    pub fn has_success(&self) -> bool {
        let status = |id: &MessageId| self.message(*id).status();
        let responses = |transaction: &Transaction| {
            transaction.responses.iter().filter_map(status).any(Status::is_success)
        };
        self.transactions.iter().any(responses)
    }

    /// Octets of private memory the flow holds.
    pub fn heap_size(&self) -> usize {
        let lists = self.messages.heap_size()
            + self.transactions.capacity() * size_of::<Transaction>()
            + self.evidence.heap_size();
        let inside: usize = self.transactions.iter().map(Transaction::heap_size).sum();
        let talks = self.talks.as_deref().map_or(0, Talks::heap_size);
        let kept = |passages: &Passages<_>| size_of_val(passages) + passages.heap_size();
        let passages = self.passages.as_deref().map_or(0, kept);
        self.heap + lists + inside + talks + passages + self.matching.heap_size()
    }

    /// The request that created a dialog belongs to it as soon as there is one.
    fn name_dialog_of_request(&mut self, id: MessageId) {
        let entry = self.entry(id);
        let (Some(dialog), Some(at)) = (entry.dialog, entry.transaction) else { return };
        if entry.message.is_request() {
            return;
        }
        let transaction = self.transaction(at);
        let before = transaction.previous_hop.map(|at| self.transaction(at));
        let requests = [transaction.request, before.and_then(|t| t.request)];
        for request in requests.into_iter().flatten() {
            self.messages[request.place() as usize].dialog.get_or_insert(dialog);
        }
    }

    /// Copies of a request that came before its dialog belong to it as well; to be called before a
    /// flow is judged that does not [`rest`](Self::rest).
    pub fn name_dialog_of_copies(&mut self) {
        let Some(first) = self.astray else { return };
        for at in first.place() as usize..self.messages.len() {
            let (Note::Duplicate(of) | Note::Retransmission(of)) = self.messages[at].note else {
                continue;
            };
            if self.messages[at].dialog.is_none() {
                self.messages[at].dialog = self.entry(of).dialog;
            }
        }
    }

    /// The newest request that went from one of `ends` to the other.
    fn newest_request(&self, signal: Signal, ends: (Endpoint, Endpoint)) -> Option<MessageId> {
        let recent = (0..self.messages.len()).rev().take(NEWEST);
        let mut hits = recent.filter(|at| {
            let message = &self.messages[*at].message;
            let envelope = &message.envelope;
            message.is_request()
                && envelope.seq <= signal.seq
                && ((envelope.from, envelope.to) == ends || (envelope.to, envelope.from) == ends)
        });
        hits.next().map(|at| MessageId::at(at as u32))
    }
}

impl Talks {
    /// Octets of private memory it takes, itself too.
    fn heap_size(&self) -> usize {
        size_of::<Self>()
            + self.dialogs.capacity() * size_of::<Dialog>()
            + self.exchanges.capacity() * size_of::<Exchange>()
            + self.exchanges.iter().map(Exchange::heap_size).sum::<usize>()
            + self.tracking.heap_size()
    }
}

/// Messages looked back at for the one an ICMP error is about.
const NEWEST: usize = 64;

impl From<Sighted<MessageId>> for Note {
    fn from(sighted: Sighted<MessageId>) -> Self {
        match sighted {
            Sighted::New => Self::New,
            Sighted::Retransmission(of) => Self::Retransmission(of),
            Sighted::Duplicate(of) => Self::Duplicate(of),
            Sighted::Forwarded(of) => Self::Forwarded(of),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_are_millions_of_stays_small() {
        assert!(size_of::<Entry>() <= 200, "{}", size_of::<Entry>());
        assert!(size_of::<Transaction>() <= 136, "{}", size_of::<Transaction>());
        assert!(size_of::<CallFlow>() <= 200, "{}", size_of::<CallFlow>());
    }
}
