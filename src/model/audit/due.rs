//! What happens because time passes: timers that fire without a packet of the device.

use super::attempt::{Attempt, CHAIN, Outcome};
use super::ledger::Ledger;
use super::series::Stretch;
use crate::time::{TIMEOUT, Timestamp};

/// Something that came due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// When.
    pub time: Timestamp,
    /// GB identifier, or user@host.
    pub device: Box<str>,
    /// GB identifier, or host.
    pub registrar: Box<str>,
    /// What.
    pub timer: Timer,
}

/// A timer of the audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// The last binding of a device expired, and it did not give it up.
    Expired,
    /// An attempt came to nothing: no answer, or no credentials after a challenge.
    Failed(Outcome),
}

/// What an attempt that nothing continues comes to, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failure {
    pub(super) time: Timestamp,
    pub(super) device: u32,
    pub(super) registrar: u32,
    pub(super) outcome: Outcome,
}

impl Failure {
    /// Of `attempt` of the row `row`, should nothing more come; `None` for one that was answered.
    pub(super) fn of(attempt: &Attempt, row: &Ledger) -> Option<Self> {
        let last = attempt.last();
        let (time, outcome) = match &last.answer {
            None => (last.time.plus(TIMEOUT), Outcome::Timeout),
            Some(answer) if matches!(answer.status, 401 | 407) && last.credentials.is_none() => {
                (answer.time.plus(CHAIN), Outcome::ChallengeUnanswered)
            }
            Some(_) => return None,
        };
        Some(Self { time, device: row.device, registrar: row.registrar, outcome })
    }
}

/// Timers of `row` that fire after the begin of `stretch`, and not after its end.
pub(super) fn of_row(row: &Ledger, stretch: Stretch, out: &mut Vec<(Timestamp, Timer)>) {
    let within = |time: i64| stretch.0 < time && time <= stretch.1;
    let ended = row.bindings.ended(stretch);
    out.extend(ended.map(|time| (Timestamp(time), Timer::Expired)));
    let open = row.open_failure().filter(|failure| within(failure.time.0));
    out.extend(open.map(|failure| (failure.time, Timer::Failed(failure.outcome))));
}
