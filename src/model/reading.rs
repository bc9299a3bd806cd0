//! What the model needs of one message, read once.

use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;

use super::Few;
use super::passage::{Print, Travels};
use crate::net::Endpoint;
use crate::sip::{HeaderName, Message, Method, Status, Via, plain_branch};
use crate::transport::Completeness;
use foldhash::quality::{FixedState, FoldHasher};

/// Start value of all hashes of what strangers wrote. Each word is multiplied with what depends on
/// it and folded, so that nobody who does not know it can aim for collisions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seed(pub u64);

impl Seed {
    /// One that nobody can guess.
    pub fn random() -> Self {
        Self(RandomState::new().hash_one(0))
    }

    /// The keyed hash of `value`.
    pub fn hash(self, value: impl Hash) -> u64 {
        self.hash_one(value)
    }

    /// The key of a passage between two endpoints.
    pub(crate) fn ends(self, from: Endpoint, to: Endpoint) -> u64 {
        self.hash((self.endpoint(from), self.endpoint(to)))
    }

    /// The key of an endpoint: one of IPv4 is a number as it is, which takes less than to hash it.
    pub(super) fn endpoint(self, end: Endpoint) -> u64 {
        match end.ip {
            IpAddr::V4(ip) => u64::from(ip.to_bits()) << 16 | u64::from(end.port),
            IpAddr::V6(_) => self.hash(end),
        }
    }

    /// Half of [`Seed::hash`], where other keys stand beside it.
    pub(super) fn short(self, value: impl Hash) -> u32 {
        half(self.hash(value))
    }
}

impl BuildHasher for Seed {
    type Hasher = FoldHasher;

    fn build_hasher(&self) -> FoldHasher {
        FixedState::with_seed(self.0).build_hasher()
    }
}

/// What pairs a message with others, read once. It borrows nothing, so that many messages can be read
/// before the first is judged: the code of both together does not fit into the nearest cache.
pub struct Clues {
    /// Method of a request, that of CSeq for a response; `None` when CSeq does not name it.
    pub(super) method: Option<Method>,
    pub(super) status: Option<Status>,
    pub(super) cseq: Option<u32>,
    /// The key of the tag of From, an empty one when there is none.
    pub(super) from_tag: u64,
    /// The same of To.
    pub(super) to_tag: u64,
    pub(super) rseq: Option<u64>,
    /// What pairs requests and responses: the branch, or what RFC 2543 had instead.
    pub(super) branch: u64,
    /// What tells copies and hops apart.
    pub(super) print: Print,
}

impl Clues {
    /// Those of `message` in its flow.
    pub fn of(message: &Message, seed: Seed) -> Self {
        Self::within(0, message, seed)
    }

    /// Those of `message` among messages of other Call-IDs; that of its own has the key `call`.
    pub(super) fn within(call: u64, message: &Message, seed: Seed) -> Self {
        let cseq = message.cseq();
        let method = match message.method() {
            Some(method) => Some(method.clone()),
            // Dahua devices leave the method of CSeq out.
            None => cseq.filter(|c| !c.method.is_empty()).map(|c| Method::of(c.method)),
        };
        let status = message.status();
        let cseq = cseq.map(|c| c.number);
        let (vias, branch) = vias_of(message, cseq, seed);
        let reliable = status.is_some_and(Status::is_provisional);
        let rseq = reliable.then(|| message.number(HeaderName::RSeq)).flatten();
        let from_tag = seed.hash(message.from_tag().unwrap_or_default());
        let to_tag = seed.hash(message.to_tag().unwrap_or_default());
        let is_there = u64::from(cseq.is_some()) | u64::from(rseq.is_some()) << 1;
        let code = u64::from(status.map_or(0, |status| status.0));
        let numbers = u64::from(cseq.unwrap_or(0)) << 32 | code << 2 | is_there;
        let identity = (call, from_tag, to_tag, numbers, rseq.unwrap_or(0), &method);
        let is_named = || cseq.is_some() && message.call_id().is_some();
        let travels = match message.envelope.completeness {
            // What would tell it from others was cut off.
            Completeness::Truncated | Completeness::Gap if !is_named() => Travels::OneHop,
            _ => Travels::of(method.as_ref(), status),
        };
        let print = Print::of_parts(message, seed.hash(identity), vias, travels, seed);
        Self { method, status, cseq, from_tag, to_tag, rseq, branch, print }
    }

    /// The key of both tags, the same in both directions of a dialog.
    pub(super) const fn tags(&self) -> u64 {
        self.from_tag.wrapping_add(self.to_tag)
    }

    /// The key that an INVITE shares with the ACK of its 2xx: sender and number.
    pub(super) fn invite(&self) -> u64 {
        self.from_tag.wrapping_add(self.cseq.map_or(0, |number| u64::from(number) + 1))
    }
}

/// One key for each Via, topmost first, and what pairs requests and responses.
fn vias_of(message: &Message, cseq: Option<u32>, seed: Seed) -> (Few<u32>, u64) {
    let mut vias = Few::default();
    let mut branch = 0;
    let mut add = |pairs_by: u64, via: u64| {
        if vias.is_empty() {
            branch = pairs_by;
        }
        vias.push(half(via));
    };
    for (at, value) in message.values(HeaderName::Via).enumerate() {
        if let Some(branch) = plain_branch_of(message, at, value) {
            let key = seed.hash(branch);
            add(key, key);
            continue;
        }
        for via in Via::all(value) {
            let key = via.unique_branch().map(|branch| seed.hash(branch));
            // Section 17.1.3 and 17.2.3: the branch when it is one, the RFC 2543 tuple otherwise.
            let from_tag = || message.from_tag().unwrap_or_default();
            let tuple = || seed.hash((via.host, via.port, via.branch(), from_tag(), cseq));
            // A Via as proxies hand it on: gateways of NATs rewrite sent-by, but not the branch.
            let sent_by = || seed.hash((via.host, via.port, via.branch()));
            add(key.unwrap_or_else(tuple), key.unwrap_or_else(sent_by));
        }
    }
    (vias, branch)
}

/// How many Vias [`Clues`] has of `message`.
pub(super) fn count_vias(message: &Message) -> usize {
    let in_value = |(at, value)| match plain_branch_of(message, at, value) {
        Some(_) => 1,
        None => Via::all(value).count(),
    };
    message.values(HeaderName::Via).enumerate().map(in_value).sum()
}

/// The plain branch in Via `value`, number `at` of its message, which keeps that of the first.
fn plain_branch_of<'m>(message: &'m Message, at: usize, value: &'m [u8]) -> Option<&'m [u8]> {
    if at == 0 { message.plain_branch() } else { plain_branch(value) }
}

/// A message and what was read of it.
pub(super) struct Reading<'m> {
    pub(super) message: &'m Message,
    pub(super) clues: &'m Clues,
    /// Empty when there is none.
    pub(super) from_tag: &'m [u8],
    /// Empty when there is none.
    pub(super) to_tag: &'m [u8],
}

impl<'m> Reading<'m> {
    pub(super) fn of(message: &'m Message, clues: &'m Clues) -> Self {
        let from_tag = message.from_tag().unwrap_or_default();
        let to_tag = message.to_tag().unwrap_or_default();
        Self { message, clues, from_tag, to_tag }
    }

    /// Who sent the request of the transaction, whichever way this message went.
    pub(super) fn client(&self) -> Endpoint {
        let envelope = &self.message.envelope;
        if self.clues.status.is_none() { envelope.from } else { envelope.to }
    }

    /// Who received the request of the transaction.
    pub(super) fn server(&self) -> Endpoint {
        let envelope = &self.message.envelope;
        if self.clues.status.is_none() { envelope.to } else { envelope.from }
    }

    pub(super) fn is(&self, method: &Method) -> bool {
        self.clues.method.as_ref() == Some(method)
    }
}

const fn half(hash: u64) -> u32 {
    (hash ^ (hash >> 32)) as u32
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::time::Timestamp;
    use crate::transport::{Envelope, Text};

    fn parsed(head: &str) -> Message {
        let host = Endpoint { ip: [192, 0, 2, 1].into(), port: 5060 };
        let text = format!("BYE sip:b SIP/2.0\r\nCSeq: 2 BYE\r\n{head}\r\n");
        let envelope = Envelope::datagram(0, Timestamp(0), host, host);
        Message::parse(envelope, Text::Owned(text.into_bytes().into())).unwrap()
    }

    #[test]
    fn as_many_vias_are_counted_as_are_read() {
        let plain = "SIP/2.0/UDP a;branch=z9hG4bK1";
        for (vias, count) in [
            (vec![], 0),
            (vec![plain], 1),
            (vec![plain, "SIP/2.0/UDP b;branch=z9hG4bK2, SIP/2.0/TCP c"], 3),
            (vec!["SIP / 2.0 / UDP b ; branch = z9hG4bK2", plain], 2),
            (vec!["nonsense", plain, ""], 1),
        ] {
            let lines: Vec<String> = vias.iter().map(|via| format!("Via: {via}\r\n")).collect();
            let message = parsed(&lines.concat());
            let read = Clues::of(&message, Seed(3)).print.vias();
            assert_eq!((read, count_vias(&message)), (count, count), "{vias:?}");
        }
    }

    #[test]
    fn both_directions_of_a_dialog_share_a_key() {
        let clues = |from, to| {
            let head = format!("From: <sip:a@a>;tag={from}\r\nTo: <sip:b@b>;tag={to}\r\n");
            Clues::of(&parsed(&head), Seed(3))
        };
        assert_eq!(clues("1", "2").tags(), clues("2", "1").tags());
        assert_ne!(clues("1", "2").tags(), clues("1", "3").tags());
        assert_eq!(clues("1", "2").invite(), clues("1", "3").invite());
        assert_ne!(clues("1", "2").invite(), clues("2", "1").invite());
    }
}
