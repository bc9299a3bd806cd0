//! The numbers of a lookout as those of a snapshot.

use std::collections::BTreeMap;

use super::{Attempts, Histogram, Registrar, Registrations};
use crate::model::audit::Outcome;
use crate::model::audit::lookout::counts::{self, Alarms, Buckets};
use crate::model::audit::lookout::{Counts, State};
use crate::rules;
use crate::time::Timestamp;

impl Registrations {
    /// The numbers `counts` as they are at `now`.
    pub fn of(counts: &Counts, now: Timestamp) -> Self {
        let registrars = counts.registrars.iter();
        let [ip, port, connection] = counts.moves;
        Self {
            registrars: registrars
                .map(|(name, numbers)| (name.to_string(), Registrar::of(numbers, now)))
                .collect(),
            keepalive_timeouts: counts.keepalive_timeouts,
            flow_changes: [("ip", ip), ("port", port), ("connection", connection)].into(),
            storm: counts.storm,
            findings: findings(counts),
        }
    }
}

/// What was told and holds, by the rule that judges it in the end.
fn findings(counts: &Counts) -> BTreeMap<(&'static str, &'static str), u64> {
    let Alarms { lapsed, overdue, failing, offline } = counts.alarms;
    let by_rule = [
        ("registration-lapsed", lapsed),
        ("registration-rejected", failing),
        ("registration-overdue", overdue),
        ("registration-storm", u64::from(counts.storm)),
        ("gb-keepalive-lost", offline),
    ];
    let found = by_rule.map(|(name, n)| rules::find(name).map(|rule| (rule, n)));
    let found = found.into_iter().flatten();
    found.map(|(rule, n)| ((rule.code, rule.severity.word()), n)).collect()
}

impl Registrar {
    fn of(numbers: &counts::Registrar, now: Timestamp) -> Self {
        let [stale_challenges, challenges] = numbers.challenges;
        let [answered, rejected, unanswered] = numbers.keepalives;
        let mut all = Self {
            devices: numbers.devices.iter().map(|(state, n)| (state.word(), *n)).collect(),
            request_delay: Histogram::of(&numbers.delay),
            refresh_ratio: Histogram::of(&numbers.ratio),
            lapses: numbers.lapses.clone(),
            lapsed_seconds: numbers.lapsed_seconds(now),
            stale_challenges,
            challenges,
            keepalives: [
                ("answered", answered),
                ("rejected", rejected),
                ("unanswered", unanswered),
            ]
            .into(),
            ..Self::default()
        };
        for ((kind, outcome), n) in &numbers.attempts {
            let (word, code) = match outcome {
                Outcome::Rejected(status) => ("rejected", Some(*status)),
                Outcome::Ok => ("ok", None),
                Outcome::AuthFailed => ("auth-failed", None),
                Outcome::ChallengeUnanswered => ("challenge-unanswered", None),
                Outcome::Timeout => ("timeout", None),
                Outcome::Redirected => ("redirected", None),
                Outcome::Pending | Outcome::Unseen => continue,
            };
            let key = Attempts { kind: kind.word(), outcome: word, code };
            *all.attempts.entry(key).or_default() += n;
        }
        all
    }
}

impl Histogram {
    fn of(buckets: &Buckets) -> Self {
        Self { bounds: buckets.bounds, counts: buckets.counts.clone(), sum: buckets.sum }
    }
}

/// The words of [`State::word`].
pub(super) const STATES: [&str; 4] = ["unknown", "live", "lapsed", "offline"];

impl State {
    /// The stable word.
    const fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Live => "live",
            Self::Lapsed => "lapsed",
            Self::Offline => "offline",
        }
    }
}
