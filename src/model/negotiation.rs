//! Pairs offers with their answers, hop by hop (RFC 3264 section 4, RFC 6337 section 2).

use super::blocks::Blocks;
use super::growth::push_slim;
use super::tracking::Seen;
use super::{DialogId, Entry, Exchange, Few, MessageId, SdpPlace, Transaction, TransactionId};
use crate::sip::{HeaderName, Message, Method, Status};
use crate::transport::Completeness;

/// Exchanges that are looked back at: hops times forks of the newest offer. A stranger may make a
/// million.
const BACK: usize = 64;

/// What the pairing may read and write of a flow.
pub(super) struct Bargain<'f> {
    pub(super) exchanges: &'f mut Vec<Exchange>,
    pub(super) transactions: &'f [Transaction],
    pub(super) messages: &'f Blocks<Entry>,
}

/// Whether a message carries a session description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    Sdp,
    /// Certainly none.
    Without,
    /// It is cut, encrypted or inside something that cannot be read.
    Hidden,
}

impl Bargain<'_> {
    /// Takes in a message in its dialog: an offer, an answer, or a missing answer.
    pub(super) fn weigh(&mut self, seen: Seen<'_>, dialog: Option<DialogId>) {
        let Some(at) = seen.transaction else { return };
        let body = || Body::of(seen.reading.message);
        match (seen.reading.clues.status, &seen.reading.clues.method) {
            (None, Some(Method::Invite | Method::Update)) if body() == Body::Sdp => {
                self.offer(at, seen.id, dialog);
            }
            (None, Some(Method::Prack)) => self.prack(at, seen, dialog, body()),
            (None, Some(Method::Ack)) => self.ack(at, seen, dialog, body()),
            (Some(status), Some(Method::Invite)) => {
                self.invite_response(at, seen, dialog, status, body());
            }
            (Some(status), Some(Method::Update | Method::Prack)) if status.is_success() => {
                self.answer_request(at, seen, dialog, body());
            }
            _ => {}
        }
    }

    fn invite_response(
        &mut self,
        at: TransactionId,
        seen: Seen<'_>,
        dialog: Option<DialogId>,
        status: Status,
        body: Body,
    ) {
        let reliable = status.is_provisional() && seen.reading.clues.rseq.is_some();
        let binding = reliable || status.is_success();
        if !binding && (!status.is_provisional() || body != Body::Sdp) {
            return;
        }
        let Some(request) = self.transactions[at.place() as usize].request else { return };
        // An offer is known by its exchange, which is near at hand; the text of an old message is not.
        let mut latest = self.exchanges.iter().rev().take(BACK);
        let is_known = latest.any(|exchange| exchange.offer.message == request);
        let offered = match self.message(request) {
            _ if is_known => true,
            Some(message) => match Body::of(message) {
                Body::Sdp => true,
                Body::Without => false,
                Body::Hidden => return,
            },
            None => return,
        };
        if !offered {
            // The first reliable answer to an INVITE without offer carries the offer.
            if binding && body == Body::Sdp && !self.has_offer_from(at, dialog) {
                self.offer(at, seen.id, dialog);
            }
            return;
        }
        let Some(exchange) = self.of_fork(request, dialog) else { return };
        if exchange.answer.is_some() {
            return;
        }
        match body {
            Body::Sdp if binding => {
                exchange.answer = Some(SdpPlace { message: seen.id });
                exchange.unanswered_by = None;
            }
            Body::Sdp => exchange.previews.push(SdpPlace { message: seen.id }),
            Body::Without if status.is_success() => {
                exchange.unanswered_by.get_or_insert(seen.id);
            }
            Body::Without | Body::Hidden => {}
        }
    }

    /// The answer to the offer of an UPDATE or PRACK.
    fn answer_request(
        &mut self,
        at: TransactionId,
        seen: Seen<'_>,
        dialog: Option<DialogId>,
        body: Body,
    ) {
        let Some(request) = self.transactions[at.place() as usize].request else { return };
        if let Some(exchange) = self.of_fork(request, dialog) {
            exchange.close(seen.id, body);
        }
    }

    /// A PRACK answers the offer of its provisional response, or makes an offer of its own.
    fn prack(&mut self, at: TransactionId, seen: Seen<'_>, dialog: Option<DialogId>, body: Body) {
        match self.waiting_response(at, dialog, Status::is_provisional) {
            Some(exchange) => exchange.close(seen.id, body),
            None if body == Body::Sdp => self.offer(at, seen.id, dialog),
            None => {}
        }
    }

    fn ack(&mut self, at: TransactionId, seen: Seen<'_>, dialog: Option<DialogId>, body: Body) {
        if let Some(exchange) = self.waiting_response(at, dialog, Status::is_success) {
            exchange.close(seen.id, body);
        }
    }

    fn offer(&mut self, at: TransactionId, offer: MessageId, dialog: Option<DialogId>) {
        let exchange = Exchange {
            hop: self.transactions[at.place() as usize].hop.clone(),
            dialog,
            offer: SdpPlace { message: offer },
            answer: None,
            previews: Few::default(),
            unanswered_by: None,
        };
        push_slim(self.exchanges, exchange);
    }

    /// The exchange that `offer` began, in `dialog`. Each fork answers for itself, so each further
    /// dialog has an exchange of its own.
    fn of_fork(&mut self, offer: MessageId, dialog: Option<DialogId>) -> Option<&mut Exchange> {
        let first = self.exchanges.len().saturating_sub(BACK);
        let mut model = None;
        let mut found = None;
        for (at, exchange) in self.exchanges.iter().enumerate().skip(first).rev() {
            if exchange.offer.message != offer {
                continue;
            }
            model = Some(at);
            if exchange.dialog == dialog || exchange.dialog.is_none() {
                found = Some(at);
                break;
            }
        }
        let at = match found {
            Some(at) => at,
            None => {
                let fork = self.exchanges.get(model?)?.fork();
                push_slim(self.exchanges, fork);
                self.exchanges.len() - 1
            }
        };
        let exchange = self.exchanges.get_mut(at)?;
        exchange.dialog = exchange.dialog.or(dialog);
        Some(exchange)
    }

    /// The exchange of `dialog` on this hop whose offer came in a response and is not answered.
    fn waiting_response(
        &mut self,
        at: TransactionId,
        dialog: Option<DialogId>,
        fits: fn(Status) -> bool,
    ) -> Option<&mut Exchange> {
        let hop = &self.transactions[at.place() as usize].hop;
        let messages = self.messages;
        self.exchanges.iter_mut().rev().take(BACK).find(|exchange| {
            exchange.is_open()
                && exchange.dialog == dialog
                && exchange.hop.joins(hop.client(), hop.server())
                && status_of(messages, exchange.offer.message).is_some_and(fits)
        })
    }

    /// True when a response to transaction `at` made an offer in `dialog` already.
    fn has_offer_from(&self, at: TransactionId, dialog: Option<DialogId>) -> bool {
        self.exchanges.iter().rev().take(BACK).any(|exchange| {
            let offer = self.messages.get(exchange.offer.message.place() as usize);
            exchange.dialog == dialog && offer.is_some_and(|entry| entry.transaction == Some(at))
        })
    }

    fn message(&self, id: MessageId) -> Option<&Message> {
        self.messages.get(id.place() as usize).map(|entry| &entry.message)
    }
}

impl Exchange {
    /// True while the offer waits for its answer.
    pub fn is_open(&self) -> bool {
        self.answer.is_none() && self.unanswered_by.is_none()
    }

    /// Octets of private memory it holds beside itself.
    pub(super) fn heap_size(&self) -> usize {
        self.previews.heap_size() + self.hop.heap_size()
    }

    /// `id` is the message that must carry the answer.
    fn close(&mut self, id: MessageId, body: Body) {
        match body {
            Body::Sdp if self.answer.is_none() => {
                self.answer = Some(SdpPlace { message: id });
                self.unanswered_by = None;
            }
            Body::Without if self.answer.is_none() => {
                self.unanswered_by.get_or_insert(id);
            }
            _ => {}
        }
    }

    fn fork(&self) -> Self {
        Self {
            hop: self.hop.clone(),
            dialog: None,
            offer: self.offer,
            answer: None,
            previews: Few::default(),
            unanswered_by: None,
        }
    }
}

impl Body {
    fn of(message: &Message) -> Self {
        if message.envelope.completeness != Completeness::Whole {
            return Self::Hidden;
        }
        if message.body().is_empty() {
            return Self::Without;
        }
        if message.sdp().is_some() {
            return Self::Sdp;
        }
        let kind = message.value(HeaderName::ContentType).unwrap_or_default();
        let encoded = message.value(HeaderName::ContentEncoding).is_some();
        let starts = |word: &[u8]| {
            kind.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
        };
        let sealed = starts(b"application/pkcs7") || starts(b"multipart/");
        if encoded || sealed { Self::Hidden } else { Self::Without }
    }
}

fn status_of(messages: &Blocks<Entry>, id: MessageId) -> Option<Status> {
    messages.get(id.place() as usize)?.message.status()
}
