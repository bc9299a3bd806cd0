//! How devices keep their registrations (R): judged by the registration audit.

pub(super) mod register_call_id_changed;
pub(super) mod register_cseq_not_increasing;
pub(super) mod register_interval_unexpected;
pub(super) mod register_too_frequent;
pub(super) mod registration_lapsed;
pub(super) mod registration_rejected;
pub(super) mod register_response_contact;
pub(super) mod register_expires_invalid;
pub(super) mod register_retry_too_fast;
pub(super) mod registration_unstable;
pub(super) mod outbound_invalid;
pub(super) mod registration_overdue;
pub(super) mod register_retry_cadence;
pub(super) mod registration_shared_id;
pub(super) mod register_contact_unreachable;
pub(super) mod register_via_wrong;
pub(super) mod registration_storm;
pub(super) mod registration_absent;
pub(super) mod registration_noted;
pub(super) mod registration_probed;

mod names;

use crate::model::audit::{Device, Outcome, Record};
use crate::time::SECOND;
pub use names::{NAMES, translate};
pub(super) use registration_shared_id::is_shared;

/// The rule about those who are no devices.
pub(super) const PROBED: &str = "registration-probed";

/// Rules in the order in which they explain a device best: where severities are equal, the first
/// of these is what its row says.
pub(super) const ORDER: &[&str] = &[
    "registration-absent",
    "registration-shared-id",
    "register-retry-cadence",
    "register-interval-unexpected",
    "registration-overdue",
    "registration-rejected",
    "registration-lapsed",
    "gb-keepalive-moved",
    "gb-keepalive-unregistered",
    "gb-keepalive-lost",
    "gb-keepalive-interval",
    "register-retry-too-fast",
    "register-response-contact",
    "register-contact-unreachable",
    "gb-date-header",
    "gb-keepalive-absent",
    "registration-unstable",
    "register-call-id-changed",
];

/// `26 ms`, `5.03 s`, `95 s`, `13.9 h`: nanoseconds, as this audit writes them.
pub fn duration(nanos: i64) -> String {
    let size = nanos.unsigned_abs() as f64 / SECOND as f64;
    let sign = if nanos < 0 { "-" } else { "" };
    let text = if size < 1.0 {
        format!("{} ms", trimmed(size * 1e3, 1))
    } else if size < 2.0 * 3600.0 {
        format!("{} s", trimmed(size, 2))
    } else {
        format!("{} h", trimmed(size / 3600.0, 1))
    };
    format!("{sign}{text}")
}

/// A number with at most `decimals` decimals, without zeros at its end.
pub fn trimmed(number: f64, decimals: usize) -> String {
    let text = format!("{number:.decimals$}");
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Nanoseconds of float seconds.
pub(super) fn nanos(seconds: f64) -> i64 {
    (seconds * SECOND as f64).round() as i64
}

/// Attempts with the one before, where no capture gap lies between.
fn pairs(device: &Device) -> Vec<(&Record, &Record)> {
    let all: Vec<&Record> = device.attempts().collect();
    all.windows(2).filter_map(|two| Some((*two.first()?, *two.get(1)?))).collect()
}

/// True for attempts of which no answer was seen, whyever.
fn unanswered(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Timeout | Outcome::Pending | Outcome::Unseen)
}

/// `ports 50287, 38531, 51103`: at most `most` of them.
pub(super) fn list<T: std::fmt::Display>(items: &[T], most: usize) -> String {
    let mut text: Vec<String> = items.iter().take(most).map(ToString::to_string).collect();
    if most < items.len() {
        text.push(format!("and {} more", items.len() - most));
    }
    text.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        assert_eq!(duration(95 * SECOND), "95 s");
        assert_eq!(duration(26_000_000), "26 ms");
        assert_eq!(duration(5_026_000_000), "5.03 s");
        assert_eq!(duration(50_000 * SECOND), "13.9 h");
        assert_eq!(trimmed(2.60, 1), "2.6");
        assert_eq!(trimmed(1800.0, 2), "1800");
    }
}
