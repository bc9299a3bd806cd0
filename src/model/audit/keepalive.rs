//! Keepalive MESSAGEs of one device (GB/T 28181 section 9.6): answered, missed, from elsewhere.

use super::policy::Policy;
use super::series::{Stats, Stretch};
use super::step::Step;
use crate::model::{FlowId, TransactionId};
use crate::net::Endpoint;
use crate::time::{TIMEOUT, Timestamp};

/// The interval the standard proposes, nanoseconds (GB/T 28181 section 9.6.1).
pub(super) const USUAL: i64 = 60 * crate::time::SECOND;

/// The keepalives of a device.
#[derive(Clone, Debug, Default)]
pub struct Keepalives {
    /// Transactions, not packets.
    pub n: usize,
    /// Answered 2xx.
    pub answered: u32,
    /// Refused: by status, how often.
    pub rejected: Vec<(u16, u32)>,
    /// No answer within 32 s.
    pub unanswered: u32,
    /// No answer, and the capture cannot tell.
    pub pending: u32,
    /// Start to start, in seconds.
    pub interval: Option<Stats>,
    /// The interval they are judged by, nanoseconds.
    pub expected: i64,
    /// Retransmissions.
    pub retransmissions: u32,
    /// Slots in which none came, between the first and the last.
    pub missed_slots: u32,
    /// Slots in which none came after the last.
    pub missed_tail: u32,
    /// Most slots missed in a row.
    pub max_consecutive_missed: u32,
    /// Most keepalives in a row without any answer: how the device sees the server.
    pub max_consecutive_unanswered: u32,
    /// When a platform that waits interval × count thinks the device is gone; no end while it is.
    pub platform_offline: Vec<(Timestamp, Option<Timestamp>)>,
    /// Keepalives from another address than the last REGISTER.
    pub address_drift: u32,
    /// The first that came from elsewhere, and its source.
    pub drifted: Option<(Timestamp, Endpoint)>,
    /// Each of them, in order.
    pub beats: Vec<Beat>,
}

/// One keepalive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beat {
    /// First transmission.
    pub time: Timestamp,
    /// The transaction.
    pub id: (FlowId, TransactionId),
    /// What came of it.
    pub answer: Answer,
}

/// What came of a keepalive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 2xx.
    Accepted,
    /// Refused with this status.
    Rejected(u16),
    /// No final response within 32 s.
    None,
    /// The capture cannot tell.
    Unknown,
}

impl Keepalives {
    /// Reads the keepalives `steps` of one device; `registered` are the times and sources of its
    /// REGISTER attempts, `end` is the end of the window.
    pub(super) fn of(
        steps: &[Step<'_>],
        registered: &[(Timestamp, Endpoint)],
        policy: &Policy,
        gaps: &[Stretch],
        end: Timestamp,
        one_sided: bool,
    ) -> Option<Self> {
        let last = steps.last()?.first();
        let crosses = |a: i64, b: i64| gaps.iter().any(|(from, until)| a < *until && b > *from);
        let mut all = Self { n: steps.len(), ..Self::default() };
        all.count(steps, end, one_sided);
        let gaps: Vec<i64> = all
            .beats
            .windows(2)
            .filter(|two| !crosses(two[0].time.0, two[1].time.0))
            .map(|two| two[1].time.since(two[0].time))
            .collect();
        all.interval = Stats::of_nanos(&gaps);
        let own = all.interval.filter(|stats| 3 <= stats.n).map(|s| (s.p50 * 1e9) as i64);
        let interval = policy.keepalive.or(own).unwrap_or(USUAL).max(1);
        all.expected = interval;
        // Half a slot is rounded to even, as Python and IEEE 754 do.
        let missed = |gap: &i64| {
            let slots = (*gap as f64 / interval as f64).round_ties_even() as i64;
            u32::try_from(slots - 1).unwrap_or(0)
        };
        all.missed_slots = gaps.iter().map(missed).sum();
        all.max_consecutive_missed = gaps.iter().map(missed).max().unwrap_or(0);
        let allowed = interval as f64 * (1.0 + policy.tolerance.over);
        all.missed_tail = u32::try_from((end.since(last) as f64 / allowed) as i64).unwrap_or(0);
        let patience = interval * i64::from(policy.keepalive_count);
        for (place, beat) in all.beats.iter().enumerate() {
            let next = all.beats.get(place + 1).map(|beat| beat.time);
            let (from, until) = (beat.time, next.unwrap_or(end));
            if !crosses(from.0, until.0) && until.since(from) > patience {
                all.platform_offline.push((from.plus(patience), next));
            }
        }
        all.drift(steps, registered);
        Some(all)
    }

    fn count(&mut self, steps: &[Step<'_>], end: Timestamp, one_sided: bool) {
        let mut run = 0;
        for step in steps {
            self.retransmissions += step.copies;
            let answer = match step.last_response().and_then(crate::sip::Message::status) {
                Some(status) if status.is_success() => Answer::Accepted,
                Some(status) => Answer::Rejected(status.0),
                None if !one_sided && end.since(step.first()) >= TIMEOUT => Answer::None,
                None => Answer::Unknown,
            };
            self.beats.push(Beat { time: step.first(), id: step.id, answer });
            match answer {
                Answer::Accepted => self.answered += 1,
                Answer::Rejected(status) => {
                    match self.rejected.iter_mut().find(|(code, _)| *code == status) {
                        Some((_, n)) => *n += 1,
                        None => self.rejected.push((status, 1)),
                    }
                }
                Answer::None => self.unanswered += 1,
                Answer::Unknown => self.pending += 1,
            }
            run = match answer {
                Answer::None => run + 1,
                Answer::Unknown => run,
                Answer::Accepted | Answer::Rejected(_) => 0,
            };
            self.max_consecutive_unanswered = self.max_consecutive_unanswered.max(run);
        }
    }

    fn drift(&mut self, steps: &[Step<'_>], registered: &[(Timestamp, Endpoint)]) {
        let mut attempts = registered.iter().peekable();
        let mut home = None;
        for step in steps {
            while let Some((_, source)) = attempts.next_if(|(time, _)| *time <= step.first()) {
                home = Some(*source);
            }
            let from = step.request.envelope.from;
            if home.is_some_and(|home| home != from) {
                self.address_drift += 1;
                self.drifted.get_or_insert((step.first(), from));
            }
        }
    }
}
