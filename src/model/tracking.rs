//! Finds, opens and ends the dialogs of a call flow (section 12, RFC 6665 for subscriptions).

use super::blocks::Blocks;
use super::chains::Chains;
use super::growth::push_slim;
use super::reading::Reading;
use super::{Dialog, DialogId, DialogState, Entry, MessageId, Transaction, TransactionId, Usage};
use crate::sip::{HeaderName, Message, Method, Status};

/// Dialogs of one INVITE that are ended together; a stranger may make a million.
const FORKS: usize = 64;

/// Finds dialogs by their tags.
#[derive(Clone, Debug, Default)]
pub(super) struct Tracking {
    pairs: Chains,
    /// Transactions that can create a dialog, by the tag of their sender.
    creators: Chains,
}

/// What tracking may read and write of a flow.
pub(super) struct Scene<'f> {
    pub(super) dialogs: &'f mut Vec<Dialog>,
    pub(super) transactions: &'f mut Vec<Transaction>,
    pub(super) messages: &'f Blocks<Entry>,
}

/// A message and where it belongs.
#[derive(Clone, Copy)]
pub(super) struct Seen<'m> {
    pub(super) id: MessageId,
    pub(super) transaction: Option<TransactionId>,
    pub(super) reading: &'m Reading<'m>,
}

impl Seen<'_> {
    /// False when the message says nothing of dialogs and offers in a flow that has none: it
    /// neither creates a dialog, nor is it of one that began before the capture, nor an offer.
    pub(super) fn may_begin_talk(&self) -> bool {
        let Reading { clues, from_tag, to_tag, .. } = *self.reading;
        match &clues.method {
            Some(Method::Update | Method::Prack) => true,
            Some(_) if usage_of(self.reading).is_some() => true,
            Some(_) => clues.status.is_none() && !from_tag.is_empty() && !to_tag.is_empty(),
            None => false,
        }
    }
}

impl Tracking {
    /// The dialog of `seen`, opened, moved on or ended by it.
    pub(super) fn follow(&mut self, scene: &mut Scene<'_>, seen: Seen<'_>) -> Option<DialogId> {
        let reading = seen.reading;
        self.remember_creator(scene, seen);
        if reading.from_tag.is_empty() || reading.to_tag.is_empty() {
            end_early_of_refused(scene, seen);
            return None;
        }
        let known = self.find(scene, reading);
        let dialog = known.or_else(|| self.open(scene, seen));
        if let Some(dialog) = dialog {
            advance(scene, dialog, seen);
            scene.adopt(dialog, seen);
        }
        end_early_of_refused(scene, seen);
        dialog
    }

    /// Octets of private memory it holds.
    pub(super) fn heap_size(&self) -> usize {
        self.pairs.heap_size() + self.creators.heap_size()
    }

    /// Gives back what is reserved and not used.
    pub(super) fn shrink(&mut self) {
        self.pairs.shrink();
        self.creators.shrink();
    }

    fn remember_creator(&mut self, scene: &Scene<'_>, seen: Seen<'_>) {
        let reading = seen.reading;
        let creates = reading.clues.status.is_none()
            && reading.to_tag.is_empty()
            && !reading.from_tag.is_empty()
            && usage_of(reading).is_some();
        let Some(transaction) = seen.transaction.filter(|_| creates) else { return };
        let first = scene.transactions[transaction.place() as usize].request == Some(seen.id);
        if first {
            self.creators.file(reading.clues.from_tag, transaction.place());
        }
    }

    fn find(&self, scene: &Scene<'_>, reading: &Reading<'_>) -> Option<DialogId> {
        self.pairs.of(reading.clues.tags()).map(DialogId::at).find(|id| {
            let dialog = &scene.dialogs[id.place() as usize];
            dialog.joins(scene.messages, (reading.from_tag, reading.to_tag))
        })
    }

    fn open(&mut self, scene: &mut Scene<'_>, seen: Seen<'_>) -> Option<DialogId> {
        match seen.reading.clues.status {
            Some(status) => self.open_by_response(scene, seen, status),
            None => self.open_by_request(scene, seen),
        }
    }

    fn open_by_response(
        &mut self,
        scene: &mut Scene<'_>,
        seen: Seen<'_>,
        status: Status,
    ) -> Option<DialogId> {
        let usage = usage_of(seen.reading)?;
        let early = status.is_provisional() && status.0 != 100 && usage == Usage::Invite;
        if !early && !status.is_success() {
            return None;
        }
        let creator = seen.transaction.filter(|at| scene.is_outside_dialog(*at));
        let creator = creator.map(|at| scene.root(at));
        Some(self.add(scene, usage, creator, true, seen))
    }

    /// A request whose dialog is not known: the capture began in the middle, answers were lost, or
    /// a NOTIFY overtook the answer to its SUBSCRIBE (RFC 6665 section 4.4.1).
    fn open_by_request(&mut self, scene: &mut Scene<'_>, seen: Seen<'_>) -> Option<DialogId> {
        let reading = seen.reading;
        let clues = reading.clues;
        let method = clues.method.as_ref()?;
        let (from, to) = (reading.from_tag, reading.to_tag);
        if *method == Method::Notify {
            let asked = self.creator(scene, (to, clues.to_tag));
            let asked = asked.and_then(|at| Some((at, subscription_of(scene, at)?)));
            let usage = asked.map_or(Usage::Subscribe, |(_, usage)| usage);
            let creator = asked.map(|(at, _)| at);
            return Some(self.add(scene, usage, creator, false, seen));
        }
        let usage = match method {
            Method::Invite | Method::Bye | Method::Prack | Method::Update => Usage::Invite,
            Method::Subscribe => Usage::Subscribe,
            Method::Info | Method::Refer | Method::Message => Usage::Unknown,
            _ => return None,
        };
        let by_caller = self.creator(scene, (from, clues.from_tag));
        let creator = by_caller.or_else(|| self.creator(scene, (to, clues.to_tag)));
        if creator.is_some_and(|at| scene.transactions[at.place() as usize].dialog.is_some()) {
            // The dialogs of that INVITE are known, and this is none of them.
            return None;
        }
        let is_from_caller = creator.is_none() || by_caller.is_some();
        Some(self.add(scene, usage, creator, is_from_caller, seen))
    }

    /// The transaction outside a dialog that the side with `tag` began, on its first hop.
    fn creator(&self, scene: &Scene<'_>, (tag, key): (&[u8], u64)) -> Option<TransactionId> {
        let begun_by = |at: &u32| {
            let request = scene.transactions.get(*at as usize)?.request?;
            scene.messages[request.place() as usize].message.from_tag()
        };
        let found = self.creators.of(key).find(|at| begun_by(at) == Some(tag))?;
        Some(scene.root(TransactionId::at(found)))
    }

    fn add(
        &mut self,
        scene: &mut Scene<'_>,
        usage: Usage,
        creator: Option<TransactionId>,
        is_from_caller: bool,
        seen: Seen<'_>,
    ) -> DialogId {
        let id = DialogId::at(scene.dialogs.len() as u32);
        self.pairs.file(seen.reading.clues.tags(), id.place());
        let outside = creator.and_then(|at| scene.transactions[at.place() as usize].request);
        let began = outside.map_or(seen.id, |request| request);
        let at = |id: MessageId| scene.messages[id.place() as usize].message.envelope.time;
        let from = if outside.is_some() { at(began) } else { seen.reading.message.envelope.time };
        let midway = seen.reading.clues.status.is_none();
        let dialog = Dialog {
            usage,
            state: if midway { DialogState::Confirmed } else { DialogState::Early },
            is_from_caller,
            creator,
            first: seen.id,
            early: None,
            confirmed: None,
            acknowledged: None,
            ended: None,
            from,
            until: None,
        };
        if scene.dialogs.is_empty() {
            // Most flows have no second one.
            scene.dialogs.reserve_exact(1);
        }
        push_slim(scene.dialogs, dialog);
        id
    }
}

impl Dialog {
    /// True when the two tags, in either order, are those of the dialog; `messages` are those of its
    /// flow.
    pub(super) fn joins(&self, messages: &Blocks<Entry>, (one, other): (&[u8], &[u8])) -> bool {
        let own = self.tags(messages);
        own == [one, other] || own == [other, one]
    }

    fn end(&mut self, seen: Seen<'_>) {
        if self.ended.is_none() {
            self.state = DialogState::Terminated;
            self.ended = Some(seen.id);
            self.until = Some(seen.reading.message.envelope.time);
        }
    }
}

impl Scene<'_> {
    /// The same request on the hop nearest its sender.
    fn root(&self, mut at: TransactionId) -> TransactionId {
        for _ in 0..FORKS {
            match self.transactions[at.place() as usize].previous_hop {
                Some(before) => at = before,
                None => break,
            }
        }
        at
    }

    fn is_outside_dialog(&self, at: TransactionId) -> bool {
        let request = self.transactions[at.place() as usize].request;
        request.is_some_and(|id| self.messages[id.place() as usize].message.to_tag().is_none())
    }

    /// Names the dialog in the transaction of `seen`.
    fn adopt(&mut self, dialog: DialogId, seen: Seen<'_>) {
        if let Some(at) = seen.transaction {
            let root = self.root(at);
            self.transactions[at.place() as usize].dialog.get_or_insert(dialog);
            self.transactions[root.place() as usize].dialog.get_or_insert(dialog);
        }
    }
}

fn advance(scene: &mut Scene<'_>, id: DialogId, seen: Seen<'_>) {
    let dialog = &mut scene.dialogs[id.place() as usize];
    match seen.reading.clues.status {
        Some(status) => advance_by_response(dialog, status, seen),
        None => advance_by_request(dialog, seen, scene.messages),
    }
}

fn advance_by_request(dialog: &mut Dialog, seen: Seen<'_>, messages: &Blocks<Entry>) {
    let Some(method) = &seen.reading.clues.method else { return };
    if dialog.usage == Usage::Unknown
        && matches!(method, Method::Invite | Method::Bye | Method::Prack | Method::Update)
    {
        dialog.usage = Usage::Invite;
    }
    match method {
        Method::Ack => {
            let confirmed = dialog.confirmed.map(|id| &messages[id.place() as usize].message);
            let number = confirmed.and_then(Message::cseq).map(|c| c.number);
            if number.is_some() && number == seen.reading.clues.cseq {
                dialog.acknowledged.get_or_insert(seen.id);
            }
        }
        Method::Bye => dialog.end(seen),
        Method::Notify if matches!(dialog.usage, Usage::Subscribe | Usage::Refer) => {
            dialog.confirmed.get_or_insert(seen.id);
            if dialog.state == DialogState::Early {
                dialog.state = DialogState::Confirmed;
            }
            let state = seen.reading.message.value(HeaderName::SubscriptionState);
            let state = state.unwrap_or_default();
            if state.get(..10).is_some_and(|word| word.eq_ignore_ascii_case(b"terminated")) {
                dialog.end(seen);
            }
        }
        _ => {}
    }
}

fn advance_by_response(dialog: &mut Dialog, status: Status, seen: Seen<'_>) {
    if usage_of(seen.reading) != Some(dialog.usage) {
        if status.0 == 481 {
            dialog.end(seen);
        }
        return;
    }
    if status.is_success() {
        dialog.confirmed.get_or_insert(seen.id);
        if dialog.state == DialogState::Early {
            dialog.state = DialogState::Confirmed;
        }
    } else if status.is_provisional() {
        if status.0 != 100 && dialog.state == DialogState::Early {
            dialog.early.get_or_insert(seen.id);
        }
    } else if dialog.state == DialogState::Early || status.0 == 481 {
        dialog.end(seen);
    }
}

/// A final refusal on the first hop ends all early dialogs its INVITE made (section 12.3).
fn end_early_of_refused(scene: &mut Scene<'_>, seen: Seen<'_>) {
    let refused = seen.reading.clues.status.is_some_and(|s| s.is_final() && !s.is_success());
    if !refused || !seen.reading.is(&Method::Invite) {
        return;
    }
    let Some(at) = seen.transaction else { return };
    let transaction = &scene.transactions[at.place() as usize];
    let (None, Some(first)) = (transaction.previous_hop, transaction.dialog) else { return };
    for dialog in scene.dialogs.iter_mut().skip(first.place() as usize).take(FORKS) {
        if dialog.creator == Some(at) && dialog.state == DialogState::Early {
            dialog.end(seen);
        }
    }
}

/// What dialog the method of a message creates, if any.
fn usage_of(reading: &Reading<'_>) -> Option<Usage> {
    match reading.clues.method.as_ref()? {
        Method::Invite => Some(Usage::Invite),
        Method::Subscribe => Some(Usage::Subscribe),
        Method::Refer => Some(Usage::Refer),
        _ => None,
    }
}

fn subscription_of(scene: &Scene<'_>, at: TransactionId) -> Option<Usage> {
    match scene.transactions[at.place() as usize].method {
        Method::Refer => Some(Usage::Refer),
        Method::Subscribe => Some(Usage::Subscribe),
        _ => None,
    }
}
