//! One try of a device to change its bindings: a REGISTER, its challenge and what followed.

use smallvec::SmallVec;

use super::identity;
use super::step::Step;
use crate::model::{FlowId, TransactionId};
use crate::net::Endpoint;
use crate::sip::{Auth, Contact, HeaderName, Message};
use crate::time::{SECOND, TIMEOUT, Timestamp};

/// How long after a response (or the last transmission) the next REGISTER still belongs to the
/// attempt, in nanoseconds.
pub(super) const CHAIN: i64 = 10 * SECOND;
/// RFC 3261 section 20.10 and 20.19 leave a malformed expiry to the reader; 3600 s is the usual.
const MALFORMED_EXPIRY: u32 = 3600;

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

    /// Finished, and not what the device wanted; a redirect is no failure (RFC 6076 section 4.2).
    pub const fn is_failure(self) -> bool {
        self.is_finished() && !matches!(self, Self::Ok | Self::Redirected)
    }
}

/// Transactions that belong together.
pub(super) struct Attempt<'a> {
    pub(super) steps: Vec<Step<'a>>,
    /// Challenges that were not captured, but must have come.
    pub(super) inferred: u32,
}

impl<'a> Attempt<'a> {
    pub(super) fn new(step: Step<'a>) -> Self {
        Self { steps: vec![step], inferred: 0 }
    }

    pub(super) fn start(&self) -> Timestamp {
        self.steps[0].first()
    }

    pub(super) fn last(&self) -> &Step<'a> {
        &self.steps[self.steps.len() - 1]
    }

    pub(super) fn end(&self) -> Option<Timestamp> {
        self.last().last_response().map(|message| message.envelope.time)
    }

    /// Takes `step` in when it continues this attempt; gives it back when it opens another.
    pub(super) fn join(&mut self, step: Step<'a>) -> Result<(), Step<'a>> {
        if self.continues(&step) {
            if self.last().last_response().is_none() {
                self.inferred += 1;
            }
            self.steps.push(step);
            Ok(())
        } else {
            Err(step)
        }
    }

    fn continues(&self, step: &Step<'a>) -> bool {
        let last = self.last();
        let same_call = step.request.call_id() == last.request.call_id();
        let number = |message: &Message| message.cseq().map(|cseq| cseq.number);
        let next = same_call && number(step.request) > number(last.request);
        let Some(response) = last.last_response() else {
            // The challenge itself was not captured: credentials appear for the next CSeq.
            let fresh = credentials(step.request);
            return step.first().since(last.last_sent) <= CHAIN
                && fresh.is_some()
                && fresh != credentials(last.request)
                && next;
        };
        let gap = step.first().since(response.envelope.time);
        if !(-SECOND / 1000..=CHAIN).contains(&gap) {
            return false;
        }
        match response.status().map(|status| status.0) {
            Some(401 | 407) => {
                let Some(given) = credentials(step.request) else { return false };
                let nonce = challenge(response).and_then(|c| c.get("nonce").or(c.get("random1")));
                let answers = nonce
                    .is_some_and(|n| !n.is_empty() && memchr::memmem::find(given, n).is_some());
                next || answers
            }
            Some(423) => same_call,
            _ => false,
        }
    }

    pub(super) fn outcome(&self, until: Timestamp, one_sided: bool) -> Outcome {
        let last = self.last();
        let Some(response) = last.last_response() else {
            return if one_sided {
                Outcome::Unseen
            } else if until.since(last.first()) >= TIMEOUT {
                Outcome::Timeout
            } else {
                Outcome::Pending
            };
        };
        match response.status().map_or(0, |status| status.0) {
            200..=299 => Outcome::Ok,
            300..=399 => Outcome::Redirected,
            401 | 407 if credentials(last.request).is_some() => Outcome::AuthFailed,
            401 | 407 if until.since(response.envelope.time) >= CHAIN => {
                Outcome::ChallengeUnanswered
            }
            401 | 407 => Outcome::Pending,
            status => Outcome::Rejected(status),
        }
    }

    /// 401 and 407 responses, and how many of them said `stale=true`.
    pub(super) fn challenges(&self) -> (u32, u32) {
        let all = self.steps.iter().filter_map(Step::last_response);
        let challenged = all.filter(|m| m.status().is_some_and(crate::sip::Status::is_challenge));
        challenged.fold((0, 0), |(n, stale), message| {
            let again = challenge(message)
                .and_then(|c| c.get("stale"))
                .is_some_and(|value| value.eq_ignore_ascii_case(b"true"));
            (n + 1, stale + u32::from(again))
        })
    }
}

/// The credentials of a request, as written.
pub(super) fn credentials(message: &Message) -> Option<&[u8]> {
    message
        .value(HeaderName::Authorization)
        .or_else(|| message.value(HeaderName::ProxyAuthorization))
}

fn challenge(message: &Message) -> Option<Auth<'_>> {
    message
        .auths(HeaderName::WwwAuthenticate)
        .next()
        .or_else(|| message.auths(HeaderName::ProxyAuthenticate).next())
}

/// What a REGISTER asks for.
#[derive(Default)]
pub(super) struct Asked {
    /// Binding keys and the expiry of each, in order; the header's where the Contact has none.
    pub(super) bindings: Vec<(String, Option<u32>)>,
    /// `Contact: *`.
    pub(super) star: bool,
    /// Expires header.
    pub(super) header: Option<u32>,
}

impl Asked {
    pub(super) fn of(request: &Message) -> Self {
        let header = expiry(request.value(HeaderName::Expires));
        let mut asked = Self { header, ..Self::default() };
        for contact in request.contacts() {
            match contact {
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

    pub(super) fn removes_all(&self) -> bool {
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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

/// One attempt, closed: what is kept of it.
#[derive(Clone, Debug)]
pub struct Record {
    /// What it wanted.
    pub kind: Kind,
    /// What came of it.
    pub outcome: Outcome,
    /// A contact update right after a success in the same Call-ID: changes bindings, makes no
    /// interval.
    pub follow_up: bool,
    /// First transmission.
    pub start: Timestamp,
    /// Final response of its last transaction.
    pub end: Option<Timestamp>,
    /// Seconds asked for, of the first Contact.
    pub requested: Option<u32>,
    /// Seconds granted.
    pub granted: Option<u32>,
    /// Where `granted` was read.
    pub granted_source: Option<GrantSource>,
    /// Challenges, those that must have come without being captured left out.
    pub challenges: u32,
    /// Challenges with `stale=true`.
    pub stale: u32,
    /// Challenges that were not captured.
    pub inferred: u32,
    /// Retransmissions of its requests.
    pub retransmissions: u32,
    /// Repeated responses.
    pub duplicate_responses: u32,
    /// Hops on which it was captured.
    pub hops: u32,
    /// Who sent it.
    pub source: Endpoint,
    /// To whom.
    pub target: Endpoint,
    /// TCP connection, 0 on datagrams.
    pub connection: u32,
    /// Call-ID of the first request.
    pub call_id: Box<[u8]>,
    /// CSeq of the first request.
    pub cseq: u32,
    /// User-Agent.
    pub user_agent: Option<String>,
    /// Credentials were given.
    pub credentials: bool,
    /// Retry-After of the response, in seconds.
    pub retry_after: Option<u64>,
    /// Why now, as far as one can tell.
    pub trigger: Trigger,
    /// Its transactions on the hop nearest the device, in order.
    pub transactions: SmallVec<[(FlowId, TransactionId); 2]>,
}

impl Record {
    /// From the first transmission to the response of a success, milliseconds (RFC 6076
    /// section 4.1).
    pub fn delay_ms(&self) -> Option<f64> {
        let end = self.end.filter(|_| self.outcome == Outcome::Ok)?;
        Some(end.since(self.start) as f64 / 1e6)
    }
}

/// Why an attempt was made when it was: a conclusion, not an observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trigger {
    /// Nothing came before it.
    First,
    /// The attempt before failed.
    Retry,
    /// The answer to the attempt before was not captured.
    RetryPerhaps,
    /// The connection of the binding ended.
    ConnectionLost,
    /// A keepalive just before was not answered.
    KeepaliveFailed,
    /// 40 % of the granted life or more had passed.
    Expiry,
    /// Another Contact.
    ContactChange,
    /// None of these: a reboot, or a timer shorter than the expiry.
    Early,
}

impl Trigger {
    /// The stable word; a question mark where it is not certain.
    pub const fn word(self) -> &'static str {
        match self {
            Self::First => "-",
            Self::Retry => "retry",
            Self::RetryPerhaps => "retry?",
            Self::ConnectionLost => "connection-lost",
            Self::KeepaliveFailed => "keepalive-failed",
            Self::Expiry => "expiry",
            Self::ContactChange => "contact-change",
            Self::Early => "early",
        }
    }
}
