//! What registrations are judged by: expectations of the operator, defaults of the standard.

use crate::time::SECOND;

/// Expectations for one device. Durations in nanoseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Expected interval between refreshes.
    pub expect: Option<Expect>,
    /// By how much an interval may differ.
    pub tolerance: Tolerance,
    /// Expected interval between keepalives.
    pub keepalive: i64,
    /// Keepalives that may be missing before a platform gives the device up.
    pub keepalive_count: u32,
    /// Shortest expiry that is right, in seconds; `None` for the profile's: 3600 or 60.
    pub min_expiry: Option<u32>,
    /// Shortest wait after a failed attempt.
    pub min_retry: i64,
    /// Stretches without binding up to this long are no lapse.
    pub lapse_grace: i64,
    /// Expiry assumed when neither side states one, in seconds.
    pub default_expiry: u32,
    /// Whether the end of a TCP connection ends its bindings; `None`: in GB/T 28181 only.
    pub close_ends_binding: Option<bool>,
    /// Zone of GB dates that name none, nanoseconds east of UTC.
    pub gb_zone: i64,
}

/// The expected refresh interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Expect {
    /// So many nanoseconds.
    Interval(i64),
    /// A share of the granted expiry.
    Share(f64),
}

/// How far an interval may be off, as shares of the expected one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// Longer than expected.
    pub over: f64,
    /// Shorter than expected.
    pub under: f64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            expect: None,
            tolerance: Tolerance { over: 0.1, under: 0.1 },
            keepalive: 60 * SECOND,
            keepalive_count: 3,
            min_expiry: None,
            min_retry: 60 * SECOND,
            lapse_grace: SECOND,
            default_expiry: 3600,
            close_ends_binding: None,
            gb_zone: 8 * 3600 * SECOND,
        }
    }
}
