//! An attempt that is over, or as if it were: what came of it, and from when on that is certain.

use super::attempt::{Attempt, CHAIN, Kind, Outcome};
use super::step::Step;
use crate::frame::FrameId;
use crate::net::Endpoint;
use crate::time::{TIMEOUT, Timestamp};

/// What counts of an attempt while it happens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Closed {
    pub(super) kind: Kind,
    /// A contact update right after a success.
    pub(super) follow_up: bool,
    /// First transmission.
    pub(super) start: Timestamp,
    pub(super) frame: FrameId,
    /// First transmission of the last request.
    last: Timestamp,
    /// The final response: when, and its status.
    pub(super) answer: Option<(Timestamp, u16)>,
    /// The last request has credentials.
    answers_challenge: bool,
    pub(super) source: Endpoint,
    pub(super) connection: u32,
    /// Seconds granted.
    pub(super) granted: Option<u32>,
    /// Seconds asked for, of the first Contact.
    pub(super) requested: Option<u32>,
    /// Challenges, and how many of them were `stale`.
    pub(super) challenges: (u32, u32),
}

impl Closed {
    pub(super) fn of(attempt: &Attempt, kind: Kind, follow_up: bool, granted: Option<u32>) -> Self {
        let (first, last): (&Step, &Step) = (attempt.first(), attempt.last());
        Self {
            kind,
            follow_up,
            start: first.time,
            frame: first.frame,
            last: last.time,
            answer: last.answer.as_ref().map(|answer| (answer.time, answer.status)),
            answers_challenge: last.credentials.is_some(),
            source: first.source,
            connection: first.connection,
            granted,
            requested: last.asked.bindings.first().and_then(|(_, expiry)| *expiry),
            challenges: attempt.challenges(),
        }
    }

    /// Which of the attempts of its device it is.
    pub(super) const fn id(&self) -> (Timestamp, FrameId) {
        (self.start, self.frame)
    }

    /// True for attempts that make or keep bindings; contact updates are none.
    pub(super) const fn is_try(&self) -> bool {
        self.kind.registers() && !self.follow_up
    }

    /// What it comes to when nothing more comes.
    pub(super) const fn outcome(&self) -> Outcome {
        match self.answer {
            None => Outcome::Timeout,
            Some((_, 200..=299)) => Outcome::Ok,
            Some((_, 300..=399)) => Outcome::Redirected,
            Some((_, 401 | 407)) if self.answers_challenge => Outcome::AuthFailed,
            Some((_, 401 | 407)) => Outcome::ChallengeUnanswered,
            Some((_, status)) => Outcome::Rejected(status),
        }
    }

    /// From when on its outcome is certain.
    pub(super) const fn certain(&self) -> Timestamp {
        match self.answer {
            None => self.last.plus(TIMEOUT),
            // The next REGISTER may go on from it.
            Some((time, 401 | 407 | 423)) => time.plus(CHAIN + 1),
            Some((time, _)) => time,
        }
    }
}
