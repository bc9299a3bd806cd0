//! `--since` and `--until`: moments, or spans after the first packet.

use anyhow::{Context as _, bail};
use jiff::tz::TimeZone;

use crate::time::Timestamp;

/// A stretch of capture time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    since: Option<Bound>,
    until: Option<Bound>,
}

/// One end of a [`Window`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// A moment.
    At(Timestamp),
    /// Nanoseconds after the first packet.
    After(i64),
}

impl Window {
    /// Reads both ends; times without a zone are in `zone`.
    ///
    /// # Errors
    /// Names the option and shows what is understood.
    pub fn parse(
        since: Option<&str>,
        until: Option<&str>,
        zone: &TimeZone,
    ) -> anyhow::Result<Self> {
        let read = |text: Option<&str>, option: &str| {
            text.map(|text| bound(text, zone).with_context(|| option.to_owned())).transpose()
        };
        Ok(Self { since: read(since, "--since")?, until: read(until, "--until")? })
    }

    /// The same with both ends as moments, in a capture that begins at `first`.
    pub fn from(self, first: Timestamp) -> (Timestamp, Timestamp) {
        let at = |bound| match bound {
            Bound::At(time) => time,
            Bound::After(nanos) => first.plus(nanos),
        };
        (self.since.map_or(Timestamp(i64::MIN), at), self.until.map_or(Timestamp(i64::MAX), at))
    }

    /// True when it leaves nothing out.
    pub fn is_open(self) -> bool {
        self.since.is_none() && self.until.is_none()
    }
}

fn bound(text: &str, zone: &TimeZone) -> anyhow::Result<Bound> {
    let text = text.trim();
    if let Ok(seconds) = text.trim_start_matches('+').parse::<f64>() {
        return Ok(Bound::After((seconds * 1e9) as i64));
    }
    if let Ok(span) = text.trim_start_matches('+').parse::<jiff::SignedDuration>() {
        let nanos = i64::try_from(span.as_nanos()).context("the span is too long")?;
        return Ok(Bound::After(nanos));
    }
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Ok(Bound::At(of(time)));
    }
    if let Ok(civil) = text.parse::<jiff::civil::DateTime>() {
        return Ok(Bound::At(of(civil.to_zoned(zone.clone())?.timestamp())));
    }
    bail!(
        "cannot read the time {text:?}: write 2026-11-20T22:05:31, with Z for UTC, or a span after \
         the first packet, 90s or 1h30m"
    )
}

fn of(time: jiff::Timestamp) -> Timestamp {
    Timestamp::new(time.as_second(), i64::from(time.subsec_nanosecond()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::time::SECOND;

    #[track_caller]
    fn check(text: &str, bound: Bound) {
        let window = Window::parse(Some(text), None, &TimeZone::UTC).unwrap();
        assert_eq!(window.since, Some(bound), "{text}");
    }

    #[test]
    fn times_and_spans_are_understood() {
        let time = Timestamp::new(1_795_212_331, 0);
        check("2026-11-20T22:05:31Z", Bound::At(time));
        check("2026-11-20T22:05:31", Bound::At(time));
        check("2026-11-20 22:05:31", Bound::At(time));
        check("2026-11-20T23:05:31+01:00", Bound::At(time));
        check("2026-11-20T22:05", Bound::At(Timestamp(time.0 - 31 * SECOND)));
        check("90", Bound::After(90 * SECOND));
        check("1h30m", Bound::After(5400 * SECOND));
        check("+250ms", Bound::After(SECOND / 4));
    }

    #[test]
    fn spans_count_from_the_first_packet() {
        let window = Window::parse(Some("1s"), Some("2s"), &TimeZone::UTC).unwrap();
        let first = Timestamp::new(10, 0);
        assert_eq!(window.from(first), (Timestamp::new(11, 0), Timestamp::new(12, 0)));
    }

    #[test]
    fn what_is_no_time_is_said() {
        let error = Window::parse(None, Some("noon"), &TimeZone::UTC).unwrap_err();
        assert!(format!("{error:#}").starts_with("--until: cannot read the time \"noon\""));
    }
}
