//! What registrations are judged by: expectations of the operator, defaults of the standard.

use super::report::Heartbeat;
use crate::time::SECOND;

/// Expectations for one device. Durations in nanoseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Expected interval between refreshes.
    pub expect: Option<Expect>,
    /// By how much an interval may differ.
    pub tolerance: Tolerance,
    /// The customs it follows.
    pub profile: Profile,
    /// Expected interval between keepalives; `None`: the usual one of the device.
    pub keepalive: Option<i64>,
    /// Keepalives that may be missing before a platform gives the device up; `None`: what the
    /// device says it is set to, else 3.
    pub keepalive_count: Option<u32>,
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
    /// Longest time a registration may take; `None`: any.
    pub max_rrd: Option<i64>,
    /// Zone of GB dates that name none, nanoseconds east of UTC.
    pub gb_zone: i64,
}

/// Customs of registration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// GB/T 28181 for devices with 18 or 20 digits, RFC 3261 for the others.
    #[default]
    Auto,
    /// RFC 3261.
    Sip,
    /// 3GPP IMS.
    Ims,
    /// GB/T 28181-2016.
    Gb2016,
    /// GB/T 28181-2022.
    Gb2022,
}

impl Profile {
    /// Whether it is GB/T 28181; `None` when the device decides.
    pub const fn is_gb(self) -> Option<bool> {
        match self {
            Self::Auto => None,
            Self::Sip | Self::Ims => Some(false),
            Self::Gb2016 | Self::Gb2022 => Some(true),
        }
    }

    /// The word of options and policy files.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Sip => "sip",
            Self::Ims => "ims",
            Self::Gb2016 => "gb28181-2016",
            Self::Gb2022 => "gb28181-2022",
        }
    }
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

/// The count the standard proposes (GB/T 28181 section 9.6.1).
const USUAL_COUNT: u32 = 3;

impl Policy {
    /// Keepalives that may be missing, for a device that says it is set to `told`.
    pub(super) fn keepalive_count(&self, told: Option<Heartbeat>) -> u32 {
        self.keepalive_count.or(told.and_then(|told| told.count)).unwrap_or(USUAL_COUNT)
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            expect: None,
            tolerance: Tolerance { over: 0.1, under: 0.1 },
            profile: Profile::Auto,
            keepalive: None,
            keepalive_count: None,
            min_expiry: None,
            min_retry: 60 * SECOND,
            lapse_grace: SECOND,
            default_expiry: 3600,
            close_ends_binding: None,
            max_rrd: None,
            gb_zone: 8 * 3600 * SECOND,
        }
    }
}
