//! What checks look for in a flow again and again, listed once where the flow is long: each of a
//! million messages of a stranger would be compared with all others.

use std::cell::OnceCell;

use crate::model::{CallFlow, Entry, MessageId, Transaction, TransactionId};
use crate::sip::Method;

/// Up to so many messages a flow is read as often as somebody asks.
const SHORT: usize = 64;

/// Lists of one flow, made when the first is asked for.
#[derive(Default)]
pub(super) struct Lists(OnceCell<Listed>);

#[derive(Default)]
struct Listed {
    invites: Vec<TransactionId>,
    unasked: Vec<TransactionId>,
    acks: Vec<MessageId>,
    within: Vec<MessageId>,
}

impl Lists {
    /// INVITE transactions whose request was seen, in their order.
    pub(super) fn invites<'f>(
        &self,
        flow: &'f CallFlow,
    ) -> impl DoubleEndedIterator<Item = (&'f Transaction, MessageId)> + Clone {
        let of = |transaction: &'f Transaction| {
            let request = transaction.request.filter(|_| transaction.method == Method::Invite)?;
            Some((transaction, request))
        };
        self.transactions(flow, |listed| &listed.invites).filter_map(of)
    }

    /// Transactions of which only responses were seen.
    pub(super) fn unasked<'f>(&self, flow: &'f CallFlow) -> impl Iterator<Item = &'f Transaction> {
        self.transactions(flow, |listed| &listed.unasked).filter(|one| is_unasked(one))
    }

    /// Sightings of ACKs, in their order.
    pub(super) fn acks<'f>(
        &self,
        flow: &'f CallFlow,
    ) -> impl Iterator<Item = (MessageId, &'f Entry)> {
        self.entries(flow, |listed| &listed.acks).filter(|(_, entry)| is_ack(entry))
    }

    /// Sightings of requests within a dialog, in their order; no CANCEL is among them.
    pub(super) fn within<'f>(
        &self,
        flow: &'f CallFlow,
    ) -> impl Iterator<Item = (MessageId, &'f Entry)> {
        self.entries(flow, |listed| &listed.within).filter(|(_, entry)| is_within(entry))
    }

    /// All transactions of a short flow, those of a list of a long one.
    fn transactions<'f>(
        &self,
        flow: &'f CallFlow,
        list: fn(&Listed) -> &[TransactionId],
    ) -> impl DoubleEndedIterator<Item = &'f Transaction> + Clone {
        let (short, listed) = match self.of(flow) {
            None => (flow.transactions.as_slice(), &[][..]),
            Some(listed) => (&[][..], list(listed)),
        };
        short.iter().chain(listed.iter().map(|id| flow.transaction(*id)))
    }

    /// All entries of a short flow, those of a list of a long one.
    fn entries<'f>(
        &self,
        flow: &'f CallFlow,
        list: fn(&Listed) -> &[MessageId],
    ) -> impl Iterator<Item = (MessageId, &'f Entry)> {
        let (short, listed) = match self.of(flow) {
            None => (usize::MAX, &[][..]),
            Some(listed) => (0, list(listed)),
        };
        flow.entries().take(short).chain(listed.iter().map(|id| (*id, flow.entry(*id))))
    }

    /// The lists of `flow`, unless it is short.
    fn of(&self, flow: &CallFlow) -> Option<&Listed> {
        (SHORT < flow.messages.len()).then(|| self.0.get_or_init(|| Listed::of(flow)))
    }
}

impl Listed {
    fn of(flow: &CallFlow) -> Self {
        let mut listed = Self::default();
        for (transaction, at) in flow.transactions.iter().zip(0..) {
            if transaction.method == Method::Invite {
                listed.invites.push(TransactionId::at(at));
            }
            if is_unasked(transaction) {
                listed.unasked.push(TransactionId::at(at));
            }
        }
        for (id, entry) in flow.entries() {
            if is_ack(entry) {
                listed.acks.push(id);
            }
            if is_within(entry) {
                listed.within.push(id);
            }
        }
        listed
    }
}

fn is_unasked(transaction: &Transaction) -> bool {
    transaction.request.is_none() && !transaction.responses.is_empty()
}

fn is_ack(entry: &Entry) -> bool {
    entry.message.method() == Some(&Method::Ack)
}

fn is_within(entry: &Entry) -> bool {
    let message = &entry.message;
    let is_other = message.method() != Some(&Method::Cancel);
    message.is_request() && is_other && message.to_tag().is_some()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::model::Seed;
    use crate::net::Endpoint;
    use crate::sip::Message;
    use crate::time::Timestamp;
    use crate::transport::{Envelope, Text};

    /// A flow of `count` messages: INVITEs, their ACKs, stray answers and requests within dialogs.
    fn flow(count: usize) -> CallFlow {
        let ends = [1, 2].map(|host| Endpoint { ip: [192, 0, 2, host].into(), port: 5060 });
        let mut flow = CallFlow::new(Seed(5));
        for at in 0..count as u32 {
            let (line, to, method, back) = match at % 6 {
                0 => ("INVITE sip:b@b SIP/2.0", "", "INVITE", false),
                1 => ("SIP/2.0 200 OK", ";tag=2", "BYE", true),
                2 => ("ACK sip:b@b SIP/2.0", ";tag=2", "ACK", false),
                3 => ("CANCEL sip:b@b SIP/2.0", ";tag=2", "CANCEL", false),
                4 => ("BYE sip:b@b SIP/2.0", ";tag=2", "BYE", false),
                _ => ("ACK sip:b@b SIP/2.0", "", "ACK", false),
            };
            let text = format!(
                "{line}\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK{at}\r\nFrom: <sip:a@a>;tag=1\r\n\
                 To: <sip:b@b>{to}\r\nCall-ID: c\r\nCSeq: {at} {method}\r\n\r\n"
            );
            let (from, to) = if back { (ends[1], ends[0]) } else { (ends[0], ends[1]) };
            let envelope = Envelope::datagram(at.into(), Timestamp(at.into()), from, to);
            flow.observe(Message::parse(envelope, Text::Owned(text.into_bytes().into())).unwrap());
        }
        flow
    }

    #[test]
    fn a_long_flow_has_the_same_parts_as_if_it_were_read_each_time() {
        for count in [0, 1, 5, SHORT, SHORT + 1, 5 * SHORT] {
            let (flow, lists) = (flow(count), Lists::default());
            let place = |transaction: &Transaction| std::ptr::from_ref(transaction);
            let every = || flow.transactions.iter();
            let is_invite = |t: &&Transaction| t.method == Method::Invite && t.request.is_some();
            assert!(
                lists
                    .invites(&flow)
                    .map(|(t, _)| place(t))
                    .eq(every().filter(is_invite).map(place))
            );
            let last = lists.invites(&flow).next_back().map(|(t, _)| place(t));
            assert_eq!(last, every().rfind(is_invite).map(place));
            let is_stray = |t: &&Transaction| t.request.is_none() && !t.responses.is_empty();
            assert!(lists.unasked(&flow).map(place).eq(every().filter(is_stray).map(place)));
            let seq = |(_, entry): (MessageId, &Entry)| entry.message.envelope.seq;
            assert!(
                lists
                    .acks(&flow)
                    .map(seq)
                    .eq((0..count as u64).filter(|at| matches!(at % 6, 2 | 5)))
            );
            let within = (0..count as u64).filter(|at| matches!(at % 6, 2 | 4));
            assert!(lists.within(&flow).map(seq).eq(within));
        }
    }
}
