//! Capture time as text: RFC 3339 for machines, the reader's zone for people, spans of time.

use jiff::tz::TimeZone;

use super::digits::{append_number, fill};
use crate::time::{MILLISECOND, SECOND, Timestamp};

/// The zone in which times are shown to people; machines always get UTC.
#[derive(Clone, Debug, Default)]
pub enum TimeStyle {
    /// UTC.
    #[default]
    Utc,
    /// This zone.
    Zone(TimeZone),
}

impl TimeStyle {
    /// `2026-11-20 22:05:31.576067`.
    pub fn date_time(&self, time: Timestamp) -> String {
        let civil = self.civil(time);
        format!("{} {}", civil.date(), clock(&civil, 6))
    }

    /// `22:05:31.576067`, with `digits` digits of a second, at most 9.
    pub fn time_of_day(&self, time: Timestamp, digits: usize) -> String {
        clock(&self.civil(time), digits)
    }

    /// `2026-11-20`.
    pub fn date(&self, time: Timestamp) -> String {
        self.civil(time).date().to_string()
    }

    /// The name of the zone at `time`: `UTC`, `CET` …
    pub fn zone(&self, time: Timestamp) -> String {
        match self {
            Self::Utc => "UTC".to_owned(),
            Self::Zone(zone) => zone.to_offset_info(instant(time)).abbreviation().to_owned(),
        }
    }

    fn civil(&self, time: Timestamp) -> jiff::civil::DateTime {
        let zone = match self {
            Self::Utc => TimeZone::UTC,
            Self::Zone(zone) => zone.clone(),
        };
        zone.to_datetime(instant(time))
    }
}

/// The moment; every `i64` of nanoseconds lies in the years 1677 to 2262, which jiff can hold.
fn instant(time: Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_nanosecond(i128::from(time.0)).unwrap_or_default()
}

fn clock(civil: &jiff::civil::DateTime, digits: usize) -> String {
    let whole = format!("{:02}:{:02}:{:02}", civil.hour(), civil.minute(), civil.second());
    if digits == 0 {
        return whole;
    }
    let fraction = format!("{:09}", civil.subsec_nanosecond());
    format!("{whole}.{}", fraction.get(..digits.min(9)).unwrap_or(&fraction))
}

/// A span of time the way people say it: `0.4 ms`, `120 ms`, `5.03 s`, `12:05`, `1:02:05`.
pub fn span(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let size = nanos.unsigned_abs();
    let seconds = size / SECOND as u64;
    let text = if size < 10 * MILLISECOND as u64 {
        format!("{}.{} ms", size / 1_000_000, size / 100_000 % 10)
    } else if seconds < 1 {
        format!("{} ms", size / MILLISECOND as u64)
    } else if seconds < 60 {
        format!("{seconds}.{:02} s", size / 10_000_000 % 100)
    } else if seconds < 3600 {
        format!("{}:{:02} min", seconds / 60, seconds % 60)
    } else {
        format!("{}:{:02}:{:02} h", seconds / 3600, seconds / 60 % 60, seconds % 60)
    };
    format!("{sign}{text}")
}

/// The distance to the row before: `+0.000512`, with `digits` digits of a second.
pub fn delta(nanos: i64, digits: usize) -> String {
    let sign = if nanos < 0 { '-' } else { '+' };
    let size = nanos.unsigned_abs();
    let fraction = format!("{:09}", size % SECOND as u64);
    let fraction = fraction.get(..digits.clamp(1, 9)).unwrap_or(&fraction);
    format!("{sign}{}.{fraction}", size / SECOND as u64)
}

/// Writes RFC 3339 times in UTC with nanoseconds. The text of the last second is kept, since most
/// messages fall into the same second as the one before; so a stream pays for few divisions.
#[derive(Debug)]
pub struct Rfc3339 {
    second: i64,
    text: [u8; 20],
}

impl Default for Rfc3339 {
    fn default() -> Self {
        Self { second: 0, text: *b"1970-01-01T00:00:00." }
    }
}

impl Rfc3339 {
    /// Appends `2026-11-20T22:05:31.576067000Z`.
    pub fn append(&mut self, time: Timestamp, out: &mut Vec<u8>) {
        let second = time.0.div_euclid(SECOND);
        if second != self.second {
            self.second = second;
            self.text = second_text(second);
        }
        out.extend_from_slice(&self.text);
        let mut digits = [b'0'; 9];
        fill(&mut digits, time.0.rem_euclid(SECOND) as u64);
        out.extend_from_slice(&digits);
        out.push(b'Z');
    }

    /// As a string of its own.
    pub fn text(time: Timestamp) -> String {
        let mut out = Vec::with_capacity(30);
        Self::default().append(time, &mut out);
        String::from_utf8(out).unwrap_or_default()
    }
}

fn second_text(second: i64) -> [u8; 20] {
    let (year, month, day) = civil_of(second.div_euclid(86_400));
    let of_day = second.rem_euclid(86_400) as u64;
    let mut text = *b"0000-00-00T00:00:00.";
    let parts = [
        (0..4, year.unsigned_abs()),
        (5..7, month),
        (8..10, day),
        (11..13, of_day / 3600),
        (14..16, of_day / 60 % 60),
        (17..19, of_day % 60),
    ];
    for (place, value) in parts {
        if let Some(slot) = text.get_mut(place) {
            fill(slot, value);
        }
    }
    text
}

/// Year, month and day of a day counted from 1970-01-01, in the proleptic Gregorian calendar:
/// years are counted from March, so that the leap day is the last of a year.
fn civil_of(days: i64) -> (i64, u64, u64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month.unsigned_abs(), day.unsigned_abs())
}

/// Writes times of day. The text of the last second is kept, as [`Rfc3339`] does.
#[derive(Debug, Default)]
pub(super) struct TimesOfDay {
    second: i64,
    /// Empty before the first.
    text: String,
}

impl TimesOfDay {
    /// Appends `22:05:31.576`, with `digits` digits of a second, from 1 to 9.
    pub(super) fn append(
        &mut self,
        time: Timestamp,
        zone: &TimeStyle,
        digits: usize,
        out: &mut Vec<u8>,
    ) {
        let second = time.0.div_euclid(SECOND);
        if second != self.second || self.text.is_empty() {
            self.second = second;
            self.text = zone.time_of_day(time, 0);
        }
        out.extend_from_slice(self.text.as_bytes());
        out.push(b'.');
        let mut fraction = [b'0'; 9];
        fill(&mut fraction, time.0.rem_euclid(SECOND) as u64);
        out.extend_from_slice(fraction.get(..digits).unwrap_or(&fraction));
    }
}

/// Appends how long it took: `+0.000512`, rounded to `digits` digits of a second, from 1 to 9.
pub(super) fn append_elapsed(nanos: i64, digits: usize, out: &mut Vec<u8>) {
    let mut fraction = [b'0'; 9];
    let digits = digits.clamp(1, fraction.len());
    let per_second = 10_u64.pow(digits as u32);
    let unit = SECOND as u64 / per_second;
    let units = (nanos.unsigned_abs() + unit / 2) / unit;
    out.push(if nanos < 0 { b'-' } else { b'+' });
    append_number(units / per_second, out);
    out.push(b'.');
    let fraction = fraction.split_at_mut(digits).0;
    fill(fraction, units % per_second);
    out.extend_from_slice(fraction);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_jiff_writes_them() {
        let day = 86_400;
        for seconds in [0, 1, -1, 59, 951_782_400, 951_868_799, 1_795_212_679, -day * 400 * 200] {
            for nanos in [0, 1, 576_067_000, 999_999_999] {
                let time = Timestamp::new(seconds, nanos);
                let expected = instant(time).strftime("%Y-%m-%dT%H:%M:%S.%9fZ").to_string();
                assert_eq!(Rfc3339::text(time), expected);
            }
        }
    }

    #[test]
    fn every_day_of_eight_centuries_is_right() {
        let mut rfc3339 = Rfc3339::default();
        for day in (-106_000..106_000).step_by(7) {
            let time = Timestamp::new(day * 86_400, 0);
            let mut text = Vec::new();
            rfc3339.append(time, &mut text);
            let expected = instant(time).strftime("%Y-%m-%dT%H:%M:%S.%9fZ").to_string();
            assert_eq!(String::from_utf8(text).unwrap_or_default(), expected);
        }
    }

    #[test]
    fn people_read_times_in_their_zone() {
        let time = Timestamp::new(1_795_212_679, 784_720_000);
        assert_eq!(TimeStyle::Utc.date_time(time), "2026-11-20 22:11:19.784720");
        let east = TimeStyle::Zone(TimeZone::fixed(jiff::tz::offset(8)));
        assert_eq!(east.date_time(time), "2026-11-21 06:11:19.784720");
        assert_eq!(east.time_of_day(time, 3), "06:11:19.784");
    }

    #[test]
    fn times_of_day_follow_the_zone_from_second_to_second() {
        let east = TimeStyle::Zone(TimeZone::fixed(jiff::tz::offset(8)));
        for zone in [TimeStyle::Utc, east] {
            let mut times = TimesOfDay::default();
            for nanos in [0, 1, 999_999_999, SECOND, SECOND + 1_000_000, -1, 86_399 * SECOND] {
                for digits in [3, 6, 9] {
                    let time = Timestamp(nanos);
                    let mut out = Vec::new();
                    times.append(time, &zone, digits, &mut out);
                    let text = String::from_utf8(out).unwrap_or_default();
                    assert_eq!(text, zone.time_of_day(time, digits));
                }
            }
        }
    }

    #[test]
    fn what_elapsed_is_rounded() {
        for (nanos, digits, text) in [
            (0, 6, "+0.000000"),
            (1_499, 6, "+0.000001"),
            (1_500, 6, "+0.000002"),
            (999_999_500, 6, "+1.000000"),
            (999_499_999, 3, "+0.999"),
            (-512_000, 6, "-0.000512"),
            (86_400 * SECOND + 1, 9, "+86400.000000001"),
            (i64::MIN, 3, "-9223372036.855"),
        ] {
            let mut out = Vec::new();
            append_elapsed(nanos, digits, &mut out);
            assert_eq!(String::from_utf8(out).unwrap_or_default(), text);
        }
    }

    #[test]
    fn spans_read_naturally() {
        for (nanos, text) in [
            (400_000, "0.4 ms"),
            (120 * MILLISECOND, "120 ms"),
            (5_030 * MILLISECOND, "5.03 s"),
            (59_999 * MILLISECOND, "59.99 s"),
            (725 * SECOND, "12:05 min"),
            (3725 * SECOND, "1:02:05 h"),
            (-SECOND, "-1.00 s"),
        ] {
            assert_eq!(span(nanos), text);
        }
        assert_eq!(delta(512_000, 6), "+0.000512");
        assert_eq!(delta(-95 * SECOND, 3), "-95.000");
    }
}
