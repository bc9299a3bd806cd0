//! One try of a device to change its bindings: a REGISTER, its challenge and what followed.

use std::sync::Arc;

use smallvec::{SmallVec, smallvec};

use super::identity;
use super::step::Step;
use crate::sip::{Contact, HeaderName, Message};
use crate::time::SECOND;

/// How long after a response (or the last transmission) the next REGISTER still belongs to the
/// attempt, in nanoseconds.
pub(super) const CHAIN: i64 = 10 * SECOND;
/// What a malformed expiry counts as, in seconds (RFC 3261 section 10.2).
const MALFORMED_EXPIRY: u32 = 3600;

/// Contacts of one message that are looked at.
pub(super) const CONTACTS: usize = 256;

/// What an attempt wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// First of a device whose state is not known: start of input, or after a capture gap.
    FirstSeen,
    /// No binding is live, and that is known.
    Initial,
    /// A binding with the same key is live.
    Refresh,
    /// A binding with another key is live.
    Rebind,
    /// No Contact: asks what is bound.
    Query,
    /// All contacts are given up.
    Deregister,
    /// `Contact: *` with Expires 0.
    DeregisterAll,
}

impl Kind {
    /// The stable word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::FirstSeen => "first-seen",
            Self::Initial => "initial",
            Self::Refresh => "refresh",
            Self::Rebind => "rebind",
            Self::Query => "query",
            Self::Deregister => "deregister",
            Self::DeregisterAll => "deregister-all",
        }
    }

    /// True for those that make or keep bindings; only they form intervals.
    pub const fn registers(self) -> bool {
        matches!(self, Self::FirstSeen | Self::Initial | Self::Refresh | Self::Rebind)
    }
}

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// 2xx.
    Ok,
    /// Refused with this status.
    Rejected(u16),
    /// Challenged again after credentials.
    AuthFailed,
    /// Challenged, and no credentials came within 10 s.
    ChallengeUnanswered,
    /// No final response within 32 s.
    Timeout,
    /// The capture ends before 32 s have passed.
    Pending,
    /// 3xx.
    Redirected,
    /// The input holds no responses at all.
    Unseen,
}

impl Outcome {
    /// The stable word: `ok`, `rejected-403`, …
    pub fn word(self) -> String {
        match self {
            Self::Ok => "ok".into(),
            Self::Rejected(status) => format!("rejected-{status}"),
            Self::AuthFailed => "auth-failed".into(),
            Self::ChallengeUnanswered => "challenge-unanswered".into(),
            Self::Timeout => "timeout".into(),
            Self::Pending => "pending".into(),
            Self::Redirected => "redirected".into(),
            Self::Unseen => "unseen".into(),
        }
    }

    /// Neither censored nor without any chance to be seen.
    pub const fn is_finished(self) -> bool {
        !matches!(self, Self::Pending | Self::Unseen)
    }

    /// Finished, and not what the device wanted; a redirect tells it where to go.
    pub const fn is_failure(self) -> bool {
        self.is_finished() && !matches!(self, Self::Ok | Self::Redirected)
    }
}

/// Transactions of one attempt at most: who asks again for ever makes one attempt after another.
const STEPS: usize = 256;

/// Transactions that belong together.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) steps: SmallVec<[Arc<Step>; 2]>,
    /// Challenges that were not captured, but must have come.
    pub(super) inferred: u32,
    /// What was bound when it began.
    pub(super) standing: Standing,
}

/// What is bound when an attempt begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// The binding it asks for.
    Own,
    /// Another one.
    Other,
    /// None.
    Nothing,
}

impl Attempt {
    pub(super) fn new(step: Arc<Step>, standing: Standing) -> Self {
        Self { steps: smallvec![step], inferred: 0, standing }
    }

    pub(super) fn first(&self) -> &Step {
        &self.steps[0]
    }

    pub(super) fn last(&self) -> &Step {
        &self.steps[self.steps.len() - 1]
    }

    /// Octets of private memory it holds, roughly.
    pub(super) fn heap_size(&self) -> usize {
        let steps = self.steps.iter().map(|step| size_of::<Arc<Step>>() + step.heap_size());
        size_of::<Self>() + steps.sum::<usize>()
    }

    /// Takes `step` in when it continues this attempt; gives it back when it opens another.
    pub(super) fn join(&mut self, step: Arc<Step>) -> Result<(), Arc<Step>> {
        if self.steps.len() < STEPS && self.continues(&step) {
            if self.last().answer.is_none() {
                self.inferred += 1;
            }
            self.steps.push(step);
            Ok(())
        } else {
            Err(step)
        }
    }

    /// True when nothing can continue it.
    pub(super) fn is_over(&self) -> bool {
        self.last().status().is_some_and(|status| !matches!(status, 401 | 407 | 423))
    }

    fn continues(&self, step: &Step) -> bool {
        let last = self.last();
        let same_call = step.call_id == last.call_id;
        let next = same_call && step.cseq > last.cseq;
        let Some(answer) = &last.answer else {
            // The challenge itself was not captured: credentials appear for the next CSeq.
            return step.time.since(last.last_sent) <= CHAIN
                && step.credentials.is_some()
                && step.credentials != last.credentials
                && next;
        };
        let gap = step.time.since(answer.time);
        if !(-SECOND / 1000..=CHAIN).contains(&gap) {
            return false;
        }
        match answer.status {
            401 | 407 => {
                let Some(given) = &step.credentials else { return false };
                let nonce = answer.nonce.as_ref();
                next || nonce.is_some_and(|n| memchr::memmem::find(given, n).is_some())
            }
            423 => same_call,
            _ => false,
        }
    }

    /// 401 and 407 responses, and how many of them said `stale=true`.
    pub(super) fn challenges(&self) -> (u32, u32) {
        let answers = self.steps.iter().filter_map(|step| step.answer.as_ref());
        let challenged = answers.filter(|answer| matches!(answer.status, 401 | 407));
        challenged.fold((0, 0), |(n, stale), answer| (n + 1, stale + u32::from(answer.stale)))
    }
}

/// What a REGISTER asks for.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// Binding keys and the expiry of each, in order; the header's where the Contact has none.
    pub(super) bindings: Vec<(String, Option<u32>)>,
    /// `Contact: *`.
    pub(super) star: bool,
    /// Expires header.
    pub(super) header: Option<u32>,
    /// There are more Contacts than are looked at.
    pub(super) cut: bool,
}

impl Asked {
    pub(super) fn of(request: &Message) -> Self {
        let header = expiry(request.value(HeaderName::Expires));
        let mut asked = Self { header, ..Self::default() };
        for contact in request.contacts() {
            match contact {
                _ if CONTACTS <= asked.bindings.len() => {
                    asked.cut = true;
                    break;
                }
                Contact::Star => asked.star = true,
                Contact::Address(address) => {
                    let own = expiry(address.params.value("expires"));
                    let key = identity::binding(&address);
                    match asked.bindings.iter_mut().find(|(known, _)| *known == key) {
                        Some((_, old)) => *old = own.or(header),
                        None => asked.bindings.push((key, own.or(header))),
                    }
                }
            }
        }
        asked
    }

    /// What an attempt wants that asks for this while `standing`; whether nothing is bound, or only
    /// nothing known, is for the reader of the whole to say.
    pub(super) fn kind(&self, standing: Standing) -> Kind {
        if self.star && self.header == Some(0) {
            Kind::DeregisterAll
        } else if self.bindings.is_empty() && !self.star {
            Kind::Query
        } else if self.removes_all() {
            Kind::Deregister
        } else {
            match standing {
                Standing::Own => Kind::Refresh,
                Standing::Other => Kind::Rebind,
                Standing::Nothing => Kind::Initial,
            }
        }
    }

    fn removes_all(&self) -> bool {
        !self.bindings.is_empty() && self.bindings.iter().all(|(_, expiry)| *expiry == Some(0))
    }
}

/// Seconds of an expiry as written; malformed counts as 3600, too large as 2^32 - 1.
pub(super) fn expiry(value: Option<&[u8]>) -> Option<u32> {
    let value = value?.trim_ascii();
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Some(MALFORMED_EXPIRY);
    }
    let number = value
        .iter()
        .fold(0_u64, |sum, b| sum.saturating_mul(10).saturating_add(u64::from(b - b'0')));
    Some(u32::try_from(number).unwrap_or(u32::MAX))
}

/// Where the granted expiry was read (section 10.3 step 8 asks for the first).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GrantSource {
    /// `expires` of our Contact in the 2xx.
    Contact,
    /// One Contact was asked, one returned with another address (NAT).
    ContactRewritten,
    /// Expires header of the 2xx.
    ExpiresHeader,
    /// Neither: what was asked.
    AssumedRequested,
    /// Nothing anywhere: the default.
    AssumedDefault,
    /// The 2xx lists other bindings only.
    NotBound,
}

impl GrantSource {
    /// The stable word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Contact => "contact",
            Self::ContactRewritten => "contact-rewritten",
            Self::ExpiresHeader => "expires-header",
            Self::AssumedRequested => "assumed-requested",
            Self::AssumedDefault => "assumed-default",
            Self::NotBound => "not-bound",
        }
    }
}
