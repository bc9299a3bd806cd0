//! What the model needs of one message, read once.

use std::hash::{BuildHasher, Hash, RandomState};

use super::Few;
use crate::net::Endpoint;
use crate::sip::{HeaderName, Message, Method, Status, Via, plain_branch};
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

/// The fields of a message that transactions, dialogs and passages are made of.
pub(super) struct Reading<'m> {
    pub(super) message: &'m Message,
    /// Method of a request, that of CSeq for a response; `None` when CSeq does not name it.
    pub(super) method: Option<Method>,
    pub(super) status: Option<Status>,
    pub(super) cseq: Option<u32>,
    /// Empty when there is none.
    pub(super) from_tag: &'m [u8],
    /// Empty when there is none.
    pub(super) to_tag: &'m [u8],
    pub(super) rseq: Option<u64>,
    /// One key for each Via, topmost first.
    pub(super) vias: Few<u32>,
    /// What pairs requests and responses: the branch, or what RFC 2543 had instead.
    pub(super) branch: u64,
}

impl<'m> Reading<'m> {
    pub(super) fn of(message: &'m Message, seed: Seed) -> Self {
        let cseq = message.cseq();
        let method = match message.method() {
            Some(method) => Some(method.clone()),
            // Dahua devices leave the method of CSeq out.
            None => cseq.filter(|c| !c.method.is_empty()).map(|c| Method::of(c.method)),
        };
        let status = message.status();
        let from_tag = message.from_tag().unwrap_or_default();
        let cseq = cseq.map(|c| c.number);
        let mut vias = Few::default();
        let mut branch = 0;
        let mut add = |pairs_by: u64, via: u64| {
            if vias.is_empty() {
                branch = pairs_by;
            }
            vias.push(half(via));
        };
        for (at, value) in message.values(HeaderName::Via).enumerate() {
            let plain = if at == 0 { message.plain_branch() } else { plain_branch(value) };
            if let Some(branch) = plain {
                let key = seed.hash(branch);
                add(key, key);
                continue;
            }
            for via in Via::all(value) {
                let key = via.unique_branch().map(|branch| seed.hash(branch));
                // Section 17.1.3 and 17.2.3: the branch when it is one, the RFC 2543 tuple otherwise.
                let tuple = || seed.hash((via.host, via.port, via.branch(), from_tag, cseq));
                // A Via as proxies hand it on: gateways of NATs rewrite sent-by, but not the branch.
                let sent_by = || seed.hash((via.host, via.port, via.branch()));
                add(key.unwrap_or_else(tuple), key.unwrap_or_else(sent_by));
            }
        }
        let reliable = status.is_some_and(Status::is_provisional);
        Self {
            message,
            method,
            status,
            cseq,
            from_tag,
            to_tag: message.to_tag().unwrap_or_default(),
            rseq: reliable.then(|| message.number(HeaderName::RSeq)).flatten(),
            vias,
            branch,
        }
    }

    /// Who sent the request of the transaction, whichever way this message went.
    pub(super) fn client(&self) -> Endpoint {
        let envelope = &self.message.envelope;
        if self.status.is_none() { envelope.from } else { envelope.to }
    }

    /// Who received the request of the transaction.
    pub(super) fn server(&self) -> Endpoint {
        let envelope = &self.message.envelope;
        if self.status.is_none() { envelope.to } else { envelope.from }
    }

    pub(super) fn is(&self, method: &Method) -> bool {
        self.method.as_ref() == Some(method)
    }
}

const fn half(hash: u64) -> u32 {
    (hash ^ (hash >> 32)) as u32
}
