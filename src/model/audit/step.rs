//! What the audit reads of the model: REGISTER and Keepalive transactions on the hop nearest the
//! device, in time order.

use crate::model::{CallFlow, FlowId, Model, Transaction, TransactionId};
use crate::sip::{Message, Method};
use crate::time::{SECOND, Timestamp};

/// One transaction as the audit sees it.
#[derive(Clone)]
pub(super) struct Step<'a> {
    /// The transaction.
    pub(super) id: (FlowId, TransactionId),
    /// First transmission.
    pub(super) request: &'a Message,
    /// Time of the last transmission.
    pub(super) last_sent: Timestamp,
    /// Retransmissions.
    pub(super) copies: u32,
    /// Distinct responses in order.
    pub(super) responses: Vec<&'a Message>,
    /// Repeated responses.
    pub(super) repeated: u32,
    /// Hops on which the request was captured.
    pub(super) hops: u32,
}

impl<'a> Step<'a> {
    pub(super) fn first(&self) -> Timestamp {
        self.request.envelope.time
    }

    /// The first final response.
    pub(super) fn last_response(&self) -> Option<&'a Message> {
        self.responses
            .iter()
            .copied()
            .find(|m| m.status().is_some_and(crate::sip::Status::is_final))
    }

    fn of(flow: &'a CallFlow, at: usize, transaction: &Transaction) -> Option<Self> {
        let request = flow.message(transaction.request?);
        let copies = &transaction.request_copies;
        let last_sent =
            copies.last().map_or(request.envelope.time, |id| flow.message(*id).envelope.time);
        Some(Self {
            id: (flow.id, TransactionId(at as u32)),
            request,
            last_sent,
            copies: copies.len() as u32,
            responses: transaction.responses.iter().map(|id| flow.message(*id)).collect(),
            repeated: transaction.response_copies.len() as u32,
            hops: 1 + further_hops(flow, transaction, 0),
        })
    }
}

/// Hops after this one; a loop in the links ends at the bound of section 8.1.1.6.
fn further_hops(flow: &CallFlow, transaction: &Transaction, depth: u32) -> u32 {
    if depth > 70 {
        return 0;
    }
    transaction
        .next_hops
        .iter()
        .map(|id| 1 + further_hops(flow, flow.transaction(*id), depth + 1))
        .max()
        .unwrap_or(0)
}

/// Everything of a model that concerns registrations.
#[derive(Default)]
pub(super) struct Steps<'a> {
    /// REGISTER transactions by first transmission.
    pub(super) registers: Vec<Step<'a>>,
    /// Keepalive MESSAGE transactions by first transmission.
    pub(super) keepalives: Vec<Step<'a>>,
    /// 2xx to REGISTERs that were not captured.
    pub(super) orphans: Vec<&'a Message>,
    /// Any response at all was captured.
    pub(super) responses_seen: bool,
    /// The coarsest unit in which all times of messages can be told, nanoseconds.
    pub(super) resolution: i64,
}

impl<'a> Steps<'a> {
    pub(super) fn of(model: &'a Model, wanted: &dyn Fn(&CallFlow) -> bool) -> Self {
        let mut steps = Self { resolution: SECOND, ..Self::default() };
        for flow in &model.flows {
            for entry in &flow.messages {
                while 1 < steps.resolution && entry.message.envelope.time.0 % steps.resolution != 0
                {
                    steps.resolution /= 1000;
                }
            }
            steps.responses_seen |= flow.messages.iter().any(|e| !e.message.is_request());
            if !wanted(flow) {
                continue;
            }
            for (at, transaction) in flow.transactions.iter().enumerate() {
                steps.take(flow, at, transaction);
            }
        }
        steps.registers.sort_by_key(|s| (s.first(), s.request.envelope.seq));
        steps.keepalives.sort_by_key(|s| (s.first(), s.request.envelope.seq));
        steps.orphans.sort_by_key(|m| m.envelope.seq);
        steps
    }

    fn take(&mut self, flow: &'a CallFlow, at: usize, transaction: &Transaction) {
        if transaction.previous_hop.is_some() {
            return;
        }
        match (&transaction.method, Step::of(flow, at, transaction)) {
            (Method::Register, Some(step)) => self.registers.push(step),
            (Method::Register, None) => {
                let responses = transaction.responses.iter().map(|id| flow.message(*id));
                let success = |m: &&Message| m.status().is_some_and(crate::sip::Status::is_success);
                self.orphans.extend(responses.filter(success));
            }
            (Method::Message, Some(step)) if is_keepalive(step.request.body()) => {
                self.keepalives.push(step);
            }
            _ => {}
        }
    }
}

/// True for a MANSCDP body whose `CmdType` is Keepalive; found by octets, since the charset of
/// such bodies is often mislabeled.
fn is_keepalive(body: &[u8]) -> bool {
    let Some(at) = memchr::memmem::find(body, b"<CmdType>") else { return false };
    body[at + 9..].trim_ascii_start().starts_with(b"Keepalive")
}
