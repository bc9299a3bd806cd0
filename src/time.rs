//! Capture time: when a packet says it was seen. There is no clock in the core.

/// Nanoseconds in a second.
pub const SECOND: i64 = 1_000_000_000;
/// Nanoseconds in a millisecond.
pub const MILLISECOND: i64 = 1_000_000;
/// RFC 3261 timer T1, 500 ms (section 17.1.1.1), in nanoseconds.
pub const T1: i64 = 500 * MILLISECOND;
/// 64*T1, the life of timers B, F and H (32 s), in nanoseconds.
pub const TIMEOUT: i64 = 64 * T1;

/// A moment of the capture: nanoseconds since the Unix epoch, UTC; taken from packets only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The moment `seconds` and `nanos` after the epoch; saturates at the ends of the range.
    pub const fn new(seconds: i64, nanos: i64) -> Self {
        Self(seconds.saturating_mul(SECOND).saturating_add(nanos))
    }

    /// Nanoseconds from `earlier` to this moment; negative when `earlier` is later.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The moment `nanos` nanoseconds later.
    #[must_use]
    pub const fn plus(self, nanos: i64) -> Self {
        Self(self.0.saturating_add(nanos))
    }
}
