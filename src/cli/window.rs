//! `--since` and `--until`: moments, times of day, or spans after the first packet.

use anyhow::{Context as _, bail, ensure};
use jiff::tz::TimeZone;

use crate::time::Timestamp;
use crate::view::TimeStyle;

/// A stretch of capture time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    since: Option<Bound>,
    until: Option<Bound>,
    /// Zone of times of day; UTC unless given.
    zone: Option<TimeZone>,
}

/// One end of a [`Window`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// A moment.
    At(Timestamp),
    /// A time of the day of the first packet.
    OfDay(jiff::civil::Time),
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
        let (from, to) = (read(since, "--since")?, read(until, "--until")?);
        let is_turned = match (from, to) {
            (Some(Bound::At(from)), Some(Bound::At(to))) => to < from,
            (Some(Bound::After(from)), Some(Bound::After(to))) => to < from,
            (Some(Bound::OfDay(from)), Some(Bound::OfDay(to))) => to < from,
            // Only the first packet tells.
            _ => false,
        };
        ensure!(
            !is_turned,
            "--since {} is after --until {}: nothing lies between them",
            since.unwrap_or_default(),
            until.unwrap_or_default()
        );
        Ok(Self { since: from, until: to, zone: Some(zone.clone()) })
    }

    /// Both ends as moments, in a capture that begins at `first`.
    pub fn from(&self, first: Timestamp) -> (Timestamp, Timestamp) {
        let at = |bound| match bound {
            Bound::At(time) => time,
            Bound::After(nanos) => first.plus(nanos),
            Bound::OfDay(time) => self.on_the_day_of(first, time),
        };
        (self.since.map_or(Timestamp(i64::MIN), at), self.until.map_or(Timestamp(i64::MAX), at))
    }

    /// In words, in a capture that begins at `first`: `between … and …`.
    pub fn words(&self, first: Timestamp, style: &TimeStyle) -> String {
        let (since, until) = self.from(first);
        let (since, until) = (
            self.since.map(|_| style.date_time(since)),
            self.until.map(|_| style.date_time(until)),
        );
        match (since, until) {
            (Some(since), Some(until)) => format!("between {since} and {until}"),
            (Some(since), None) => format!("after {since}"),
            (None, Some(until)) => format!("before {until}"),
            (None, None) => String::new(),
        }
    }

    fn on_the_day_of(&self, first: Timestamp, time: jiff::civil::Time) -> Timestamp {
        let zone = self.zone.clone().unwrap_or(TimeZone::UTC);
        let day = jiff::Timestamp::from_nanosecond(i128::from(first.0))
            .map(|first| first.to_zoned(zone.clone()).date());
        let moment = day.and_then(|day| day.to_datetime(time).to_zoned(zone));
        moment.map_or(first, |moment| of(moment.timestamp()))
    }

    /// True when it leaves nothing out.
    pub fn is_open(&self) -> bool {
        self.since.is_none() && self.until.is_none()
    }
}

fn bound(text: &str, zone: &TimeZone) -> anyhow::Result<Bound> {
    let text = text.trim();
    if let Ok(seconds) = text.trim_start_matches('+').parse::<f64>() {
        return Ok(Bound::After((seconds * 1e9) as i64));
    }
    let is_clock = text.bytes().all(|octet| octet.is_ascii_digit() || b":.".contains(&octet));
    if let (true, Ok(time)) = (is_clock, text.parse::<jiff::civil::Time>()) {
        return Ok(Bound::OfDay(time));
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
        "cannot read the time {text:?}: write 2026-11-20T22:05:31, with Z for UTC, 22:05:31 on the \
         day of the first packet, or a span after that, 90s or 1h30m"
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
        check("22:05:31", Bound::OfDay(jiff::civil::time(22, 5, 31, 0)));
        check("22:05", Bound::OfDay(jiff::civil::time(22, 5, 0, 0)));
    }

    #[test]
    fn times_of_day_are_of_the_day_of_the_first_packet() {
        let window = Window::parse(Some("22:05:31"), None, &TimeZone::UTC).unwrap();
        let first = Timestamp::new(1_795_212_000, 0);
        assert_eq!(window.from(first).0, Timestamp::new(1_795_212_331, 0));
    }

    #[test]
    fn an_end_before_the_beginning_is_refused() {
        for (since, until) in
            [("10m", "5m"), ("22:10", "22:05"), ("2026-11-20T22:10", "2026-11-20T22:05")]
        {
            let error = Window::parse(Some(since), Some(until), &TimeZone::UTC).unwrap_err();
            assert!(error.to_string().contains("is after --until"), "{error}");
        }
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
