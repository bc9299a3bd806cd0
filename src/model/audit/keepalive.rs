//! Keepalive MESSAGEs of one device (GB/T 28181 section 9.6): answered, missed, from elsewhere.

use super::policy::Policy;
use super::series::{Stats, Stretch};
use super::step::Step;
use crate::net::Endpoint;
use crate::time::{TIMEOUT, Timestamp};

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
    /// First transmissions.
    pub times: Vec<Timestamp>,
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
        let times: Vec<Timestamp> = steps.iter().map(Step::first).collect();
        let mut all = Self { n: steps.len(), times, ..Self::default() };
        all.count(steps, end, one_sided);
        let gaps: Vec<i64> = all
            .times
            .windows(2)
            .filter(|two| !crosses(two[0].0, two[1].0))
            .map(|two| two[1].since(two[0]))
            .collect();
        all.interval = Stats::of_nanos(&gaps);
        let interval = policy.keepalive.max(1);
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
        for (place, from) in all.times.iter().enumerate() {
            let next = all.times.get(place + 1).copied();
            let until = next.unwrap_or(end);
            if !crosses(from.0, until.0) && until.since(*from) > patience {
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
            match step.last_response().and_then(crate::sip::Message::status) {
                Some(status) => {
                    run = 0;
                    if status.is_success() {
                        self.answered += 1;
                    } else {
                        match self.rejected.iter_mut().find(|(code, _)| *code == status.0) {
                            Some((_, n)) => *n += 1,
                            None => self.rejected.push((status.0, 1)),
                        }
                    }
                }
                None if !one_sided && end.since(step.first()) >= TIMEOUT => {
                    self.unanswered += 1;
                    run += 1;
                    self.max_consecutive_unanswered = self.max_consecutive_unanswered.max(run);
                }
                None => self.pending += 1,
            }
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
