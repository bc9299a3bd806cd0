//! Branches that stand in more than one call flow: requests that share one, and responses whose
//! request has another Call-ID.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{CallFlow, FlowId, MessageId, Note, Transaction, TransactionId, asked_for};
use crate::sip::{Message, Method, Via};
use crate::time::TIMEOUT;

/// A message of one flow, and the one of another flow with which it shares its branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Crossing {
    /// The flow it was found in.
    pub flow: FlowId,
    /// The later request, or the first response.
    pub message: MessageId,
    /// The earlier request, in another flow.
    pub other: (FlowId, MessageId),
}

/// What crosses the borders of the flows of a model.
#[derive(Clone, Debug, Default)]
pub struct Crossings {
    /// Requests, each with the first one its sender wrote with this branch; in order of flow.
    reused: Vec<Crossing>,
    /// Responses, each with the request whose branch they repeat on its hop; in order of flow.
    strayed: Vec<Crossing>,
}

/// Who wrote a Via: the address it came from, sent-by and port; and the branch.
type Writer<'m> = (IpAddr, &'m [u8], Option<u16>, &'m [u8]);

/// Where a branch stands: a transaction of a flow.
type Stand = (u64, FlowId, TransactionId);

impl Crossings {
    /// What crosses between `flows`, which are numbered by their places.
    pub(super) fn of(flows: &[Box<CallFlow>]) -> Self {
        let mut stands: Vec<Stand> = Vec::with_capacity(2 * flows.len());
        for flow in asked_for(flows.iter().map(|flow| &**flow)) {
            stands.extend(flow.branches().map(|(key, transaction)| (key, flow.id, transaction)));
        }
        keep_repeated(&mut stands);
        stands.sort_unstable();
        let mut all = Self::default();
        for group in stands.chunk_by(|(one, ..), (other, ..)| one == other) {
            let in_one_flow =
                group.first().map(|(_, flow, _)| flow) == group.last().map(|(_, flow, _)| flow);
            if !in_one_flow {
                all.compare(flows, group);
            }
        }
        all.reused.sort_unstable();
        all.strayed.sort_unstable();
        all
    }

    /// The requests of `flow` whose branch a request of another flow had before.
    pub fn reused_in(&self, flow: FlowId) -> &[Crossing] {
        of_flow(&self.reused, flow)
    }

    /// The first responses of transactions of `flow` that repeat the branch of a request that has
    /// another Call-ID, went the same hop and was never answered.
    pub fn strayed_in(&self, flow: FlowId) -> &[Crossing] {
        of_flow(&self.strayed, flow)
    }

    /// Compares the transactions of one branch.
    fn compare(&mut self, flows: &[Box<CallFlow>], group: &[Stand]) {
        let of = |(_, flow, transaction): &Stand| {
            let flow: &CallFlow = flows.get(flow.0 as usize)?;
            Some((flow, flow.transactions.get(transaction.place() as usize)?))
        };
        let mut asked: Vec<Asked<'_>> =
            group.iter().filter_map(of).filter_map(|(flow, t)| Asked::of(flow, t)).collect();
        asked.sort_by_key(|asked| asked.message.envelope.seq);
        if let [only] = asked.as_slice() {
            for (flow, transaction) in group.iter().filter_map(of) {
                self.strayed.extend(only.answer_in(flow, transaction));
            }
        }
        let mut first: BTreeMap<Writer<'_>, &Asked<'_>> = BTreeMap::new();
        for own in &asked {
            let Some(branch) = own.via.branch() else { continue };
            let key = (own.message.envelope.from.ip, own.via.host, own.via.port, branch);
            let other = first.entry(key).or_insert(own);
            if other.flow.id != own.flow.id {
                self.reused.push(Crossing {
                    flow: own.flow.id,
                    message: own.id,
                    other: (other.flow.id, other.id),
                });
            }
        }
    }
}

/// Leaves out nearly all whose key stands only once, which is nearly all: to sort what is left costs
/// little.
fn keep_repeated(stands: &mut Vec<Stand>) {
    /// One bit for each value of some bits of a key.
    struct Bits(Vec<u64>);
    impl Bits {
        fn holds(&self, at: usize) -> bool {
            self.0[at / 64] & 1 << (at % 64) != 0
        }
        fn insert(&mut self, at: usize) {
            self.0[at / 64] |= 1 << (at % 64);
        }
    }
    // Eight values for each key, so that few share one by chance.
    let count = (8 * stands.len()).next_power_of_two().max(64);
    let of = |(key, ..): &Stand| *key as usize & (count - 1);
    let (mut once, mut again) = (Bits(vec![0; count / 64]), Bits(vec![0; count / 64]));
    for stand in &*stands {
        let at = of(stand);
        if once.holds(at) {
            again.insert(at);
        }
        once.insert(at);
    }
    stands.retain(|stand| again.holds(of(stand)));
}

fn of_flow(crossings: &[Crossing], flow: FlowId) -> &[Crossing] {
    let start = crossings.partition_point(|crossing| crossing.flow < flow);
    let end = crossings.partition_point(|crossing| crossing.flow <= flow);
    crossings.get(start..end).unwrap_or_default()
}

/// A request that had to make up a branch of its own.
struct Asked<'m> {
    flow: &'m CallFlow,
    transaction: &'m Transaction,
    id: MessageId,
    message: &'m Message,
    via: Via<'m>,
}

impl<'m> Asked<'m> {
    /// `None` for what need not have a branch of its own, and for what has no Call-ID to differ in.
    fn of(flow: &'m CallFlow, transaction: &'m Transaction) -> Option<Self> {
        if matches!(transaction.method, Method::Ack | Method::Cancel) {
            return None;
        }
        let id = transaction.request?;
        let entry = flow.entry(id);
        let message = &entry.message;
        message.call_id()?;
        let via = message.top_via().filter(Via::has_cookie)?;
        (entry.note == Note::New).then_some(Self { flow, transaction, id, message, via })
    }

    /// The answer to this request under another Call-ID, when `other` in `flow` can be nothing else.
    fn answer_in(&self, flow: &CallFlow, other: &Transaction) -> Option<Crossing> {
        let own = self.transaction;
        let answer = *other.responses.first()?;
        let message = flow.message(answer);
        message.call_id()?;
        let waited = message.envelope.time.since(self.message.envelope.time);
        let is_answer = other.request.is_none()
            && flow.id != self.flow.id
            && own.responses.is_empty()
            && (&own.method, own.cseq, &own.hop) == (&other.method, other.cseq, &other.hop)
            && (0..=TIMEOUT).contains(&waited)
            && message.top_via().is_some_and(|via| via.branch() == self.via.branch());
        is_answer.then_some(Crossing {
            flow: flow.id,
            message: answer,
            other: (self.flow.id, self.id),
        })
    }
}
