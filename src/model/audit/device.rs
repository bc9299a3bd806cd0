//! One device at one registrar: what is known of it.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use super::attempt::Outcome;
use super::date::DateForm;
use super::identity;
use super::keepalive::{self, Keepalives};
use super::options::Options;
use super::policy::{Expect, Policy};
use super::record::Record;
use super::report::Heartbeat;
use super::series::{Stats, Stretch};
use super::window::Lapse;
use crate::model::vantage::ConnectionEnd;
use crate::time::{SECOND, Timestamp};
use crate::transport::Transport;

/// Everything that is known of one device at one registrar. Durations in seconds where they are
/// floats, in nanoseconds where they are integers.
#[derive(Clone, Debug)]
pub struct Device {
    /// What it is judged by.
    pub policy: Arc<Policy>,
    /// What the operator calls it.
    pub name: Option<String>,
    /// It is no device but someone who tries addresses: how many of them.
    pub probed: Option<usize>,
    /// GB identifier, or user@host.
    pub device: String,
    /// GB identifier, or host.
    pub registrar: String,
    /// All attempts, contact updates and deregistrations among them.
    pub records: Vec<Record>,
    /// Start to start of attempts that register.
    pub attempt_interval: Option<Stats>,
    /// The same by source address, when there are several.
    pub attempt_interval_by_source: Vec<(IpAddr, Option<Stats>)>,
    /// Start to start of successes, where the second found a live binding.
    pub refresh_interval: Option<Stats>,
    /// Start to start where the first did not succeed.
    pub retry_interval: Option<Stats>,
    /// Share of the granted life that had passed at the refresh.
    pub refresh_ratio: Option<Stats>,
    /// Life left at the refresh; negative after a lapse.
    pub margin: Option<Stats>,
    /// First 2xx: before it nothing is known.
    pub evidence: Option<Timestamp>,
    /// Time with a live binding, of the known.
    pub live: i64,
    /// Known time without, planned absence left out.
    pub lapsed: i64,
    /// Deliberate absence.
    pub planned_offline: i64,
    /// Time of which nothing is known.
    pub unknown: i64,
    /// Stretches with a live binding.
    pub live_stretches: Vec<Stretch>,
    /// Lapses longer than the grace.
    pub lapses: Vec<Lapse>,
    /// First transmission to final response of successes, milliseconds.
    pub delay_ms: Option<Stats>,
    /// CSeq not greater within a Call-ID.
    pub cseq_regressions: u32,
    /// Distinct connections or source addresses over attempts that register.
    pub flows: usize,
    /// Distinct Call-IDs over attempts that register.
    pub call_ids: usize,
    /// Distinct source addresses.
    pub source_ips: usize,
    /// Distinct source ports.
    pub source_ports: usize,
    /// Binding keys asked for.
    pub contacts: BTreeSet<String>,
    /// User-Agents.
    pub user_agents: BTreeSet<String>,
    /// Transports used.
    pub transports: BTreeSet<Transport>,
    /// How many registrars it registers with: its keepalives go to all of them.
    pub registrars: usize,
    /// Keepalives, when there are any.
    pub keepalives: Option<Keepalives>,
    /// Forms of the Date in successes.
    pub date_forms: BTreeSet<DateForm>,
    /// Date minus capture time of successes, seconds.
    pub date_skew: Option<Stats>,
    /// `DeviceTime` of its `DeviceStatus` minus capture time, seconds.
    pub clock_skew: Option<Stats>,
    /// The keepalives its `BasicParam` says it is set to.
    pub heartbeat: Option<Heartbeat>,
    /// Since the last attempt that registers, to the end of the window.
    pub last_attempt_age: Option<i64>,
    /// When its TCP connections ended, in order.
    pub connection_ends: Vec<ConnectionEnd>,
    /// 2xx whose REGISTER was not captured, which proved bindings.
    pub orphans: u32,
    /// OPTIONS between it and its registrar, when there are any.
    pub options: Option<Options>,
    /// CRLFs, STUN and other keep-alives without content from the addresses it registered from.
    pub pings: u64,
    /// Deliberate absences; no end while they last.
    pub planned: Vec<(i64, Option<i64>)>,
    /// What the numbers of intervals are made of.
    pub series: Series,
}

impl Device {
    /// Attempts that register, contact updates left out: those that form intervals.
    pub fn attempts(&self) -> impl Iterator<Item = &Record> + Clone {
        self.records.iter().filter(|r| r.kind.registers() && !r.follow_up)
    }

    /// How often it tried to register; of a prober, all its REGISTERs, whatever they asked for.
    pub fn tries(&self) -> usize {
        match self.probed {
            Some(_) => self.records.iter().map(|record| record.shape.requests as usize).sum(),
            None => self.attempts().count(),
        }
    }

    /// How many attempts came out so that `test` holds.
    pub fn count(&self, test: impl Fn(Outcome) -> bool) -> usize {
        self.attempts().filter(|r| test(r.outcome)).count()
    }

    /// Ineffective attempts of 100 finished ones (RFC 6076 section 4.2).
    pub fn ineffective_percent(&self) -> Option<f64> {
        let finished = self.count(Outcome::is_finished);
        (finished > 0).then(|| 100.0 * self.count(Outcome::is_failure) as f64 / finished as f64)
    }

    /// True when the customs of GB/T 28181 apply to it.
    pub fn is_gb(&self) -> bool {
        self.policy.profile.is_gb().unwrap_or(identity::is_gb_id(&self.device))
    }

    /// Which intervals it is judged by; `None` when there are none.
    pub fn judged(&self) -> Option<(Judged, Stats)> {
        if let Some(stats) = self.refresh_interval {
            return Some((Judged::Refresh, stats));
        }
        let stats = self.attempt_interval?;
        let retries = self.series.retry.len() == self.series.attempt.len();
        Some((if retries { Judged::Retry } else { Judged::Attempt }, stats))
    }

    /// The median expiry granted, in seconds.
    pub fn granted(&self) -> Option<u32> {
        median(self.attempts().filter_map(Record::granted).collect())
    }

    /// The median expiry asked for, in seconds.
    pub fn requested(&self) -> Option<u32> {
        median(self.attempts().filter_map(Record::requested).collect())
    }

    /// The expected interval, nanoseconds; `None` without an expectation.
    pub fn expected(&self) -> Option<i64> {
        match self.policy.expect? {
            Expect::Interval(nanos) => Some(nanos),
            Expect::Share(share) => {
                let life = self.granted().or(self.requested())?;
                Some((f64::from(life) * share * SECOND as f64) as i64)
            }
        }
    }

    /// The expected interval between keepalives, nanoseconds: the policy's, else what the device
    /// says it is set to, else its usual one, else 60 s.
    pub fn expected_keepalive(&self) -> i64 {
        let own = self.keepalives.as_ref().map(|k| k.expected);
        own.or(self.agreed_keepalive()).unwrap_or(keepalive::USUAL)
    }

    /// The interval between keepalives that somebody said is right, nanoseconds: the policy's, else
    /// what the device says it is set to.
    pub fn agreed_keepalive(&self) -> Option<i64> {
        self.policy.keepalive.or(self.heartbeat.map(|told| told.interval))
    }

    /// Keepalives that may be missing before a platform gives the device up.
    pub fn keepalive_count(&self) -> u32 {
        self.policy.keepalive_count(self.heartbeat)
    }

    /// Share of the known, unplanned time with a live binding.
    pub fn coverage(&self) -> Option<f64> {
        let known = self.live + self.lapsed;
        (self.evidence.is_some() && known > 0).then(|| self.live as f64 / known as f64)
    }
}

/// Series of intervals, nanoseconds; ratios as shares, delays in milliseconds.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// Start to start of attempts.
    pub attempt: Vec<i64>,
    /// Start to start of successes, where the second found a live binding.
    pub refresh: Vec<i64>,
    /// Start to start where the first did not succeed.
    pub retry: Vec<i64>,
    /// Share of the granted life that had passed.
    pub ratio: Vec<f64>,
    /// Life left.
    pub margin: Vec<i64>,
    /// First transmission to response of successes.
    pub delay: Vec<f64>,
}

/// The intervals a device is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// Those between refreshes.
    Refresh,
    /// There is no refresh: those between attempts.
    Attempt,
    /// There is no refresh, and no attempt succeeded as far as one can tell.
    Retry,
}

impl Judged {
    /// The stable word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Refresh => "refresh",
            Self::Attempt => "attempt",
            Self::Retry => "retry",
        }
    }
}

fn median(mut values: Vec<u32>) -> Option<u32> {
    values.sort_unstable();
    values.get(values.len().saturating_sub(1) / 2).copied()
}
