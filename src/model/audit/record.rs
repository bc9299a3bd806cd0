//! What is kept of an attempt once it is over.

use std::net::IpAddr;
use std::sync::Arc;

use smallvec::SmallVec;

use super::attempt::{GrantSource, Kind, Outcome};
use super::date::DateForm;
use crate::frame::FrameId;
use crate::net::Endpoint;
use crate::time::{TIMEOUT, Timestamp};
use crate::transport::Transport;

/// One attempt, closed.
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
    /// First transmission of its first request.
    pub frame: FrameId,
    /// The final response of its last transaction.
    pub response_frame: Option<FrameId>,
    /// Who sent it.
    pub source: Endpoint,
    /// TCP connection, 0 on datagrams.
    pub connection: u32,
    /// Call-ID of the first request.
    pub call_id: CallId,
    /// CSeq of the first request.
    pub cseq: u32,
    /// Retransmissions of its requests.
    pub retransmissions: u32,
    /// Repeated responses.
    pub duplicate_responses: u32,
    /// Date of a success minus its capture time, nanoseconds.
    pub date_skew: Option<i64>,
    /// Why now, as far as one can tell.
    pub trigger: Trigger,
    /// What it has in common with most attempts of its device.
    pub shape: Arc<Shape>,
}

/// What attempts of one device, and of many devices, have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Of the final response of the last transaction.
    pub status: Option<u16>,
    /// The last request has credentials.
    pub answers_challenge: bool,
    /// Any request has.
    pub credentials: bool,
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
    /// Challenges that say nothing to answer.
    pub bare: u32,
    /// Transactions, on the hop nearest the device.
    pub requests: u32,
    /// Hops on which it was captured.
    pub hops: u32,
    /// To whom.
    pub target: Endpoint,
    /// By what.
    pub transport: Transport,
    /// User-Agent of the first request.
    pub user_agent: Option<String>,
    /// Retry-After of the response, in seconds.
    pub retry_after: Option<u64>,
    /// The form of the Date of a success.
    pub date: Option<DateForm>,
    /// Where a redirect leads.
    pub goal: Option<String>,
    /// A domain that is none of GB/T 28181 section 6.1.2.
    pub odd_domain: Option<String>,
    /// The first request uses X-GB-Ver (GB/T 28181-2022 annex I).
    pub versioned: bool,
    /// Contacts nobody can reach: true for the registrar's own address, false for a private one.
    pub unreachable: SmallVec<[(bool, IpAddr); 1]>,
    /// Responses whose `received` is not where the request came from, and the first such address.
    pub received: Option<(IpAddr, u32)>,
    /// Responses that do not fill the rport asked for.
    pub rport_missing: u32,
    /// Expiries of Contact and header of a success, where they differ.
    pub conflict: Option<(u64, u64)>,
}

impl Shape {
    /// Octets of its texts.
    pub(super) fn text_size(&self) -> usize {
        [&self.user_agent, &self.goal, &self.odd_domain]
            .into_iter()
            .flatten()
            .map(String::len)
            .sum()
    }
}

/// A Call-ID: equal ones are equal here; its text where a page of the device is asked for.
#[derive(Clone, Debug, Default)]
pub struct CallId {
    /// A hash of it.
    pub key: u32,
    /// As written.
    pub text: Option<Arc<[u8]>>,
}

impl PartialEq for CallId {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl CallId {
    /// Of `text`, which is kept when it is `wanted`.
    pub(super) fn of(text: &[u8], wanted: bool) -> Self {
        use std::hash::Hasher;
        let mut hasher = rustc_hash::FxHasher::default();
        hasher.write(text);
        let hash = hasher.finish();
        Self { key: (hash ^ (hash >> 32)) as u32, text: wanted.then(|| text.into()) }
    }
}

impl Record {
    /// From the first transmission to the response of a success, milliseconds (RFC 6076
    /// section 4.1).
    pub fn delay_ms(&self) -> Option<f64> {
        let end = self.end.filter(|_| self.outcome == Outcome::Ok)?;
        Some(end.since(self.start) as f64 / 1e6)
    }

    /// Seconds asked for, of the first Contact.
    pub fn requested(&self) -> Option<u32> {
        self.shape.requested
    }

    /// Seconds granted.
    pub fn granted(&self) -> Option<u32> {
        self.shape.granted
    }
}

impl Shape {
    /// What came of an attempt of this shape, whose final response came at `end`, or whose last
    /// request was sent at `last`, when the input ends at `until`; without any response in the
    /// input nothing can be said.
    pub(super) fn outcome(
        &self,
        end: Option<Timestamp>,
        last: Timestamp,
        until: Timestamp,
        one_sided: bool,
    ) -> Outcome {
        let (Some(end), Some(status)) = (end, self.status) else {
            return if one_sided {
                Outcome::Unseen
            } else if until.since(last) >= TIMEOUT {
                Outcome::Timeout
            } else {
                Outcome::Pending
            };
        };
        match status {
            200..=299 => Outcome::Ok,
            300..=399 => Outcome::Redirected,
            401 | 407 if self.answers_challenge => Outcome::AuthFailed,
            401 | 407 if until.since(end) >= super::attempt::CHAIN => Outcome::ChallengeUnanswered,
            401 | 407 => Outcome::Pending,
            status => Outcome::Rejected(status),
        }
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
