//! Times in logs: full dates, dates without a year, times of day, seconds since the epoch.

use crate::time::{SECOND, Timestamp};

/// What a log does not say about its clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// Seconds east of UTC of times that name no zone.
    pub offset: i64,
    /// Year of dates that name none.
    pub year: i64,
    /// Day of times of day, in days since the epoch.
    pub day: i64,
}

impl Default for Calendar {
    /// UTC, 1970-01-01.
    fn default() -> Self {
        Self { offset: 0, year: 1970, day: 0 }
    }
}

impl Calendar {
    /// True when there is a file whose age says roughly when the log was written.
    pub fn is_known(&self) -> bool {
        1971 < self.year
    }

    /// What a log leaves out when it was last written at `end`, by a clock `offset` seconds east
    /// of UTC.
    pub fn until(end: Timestamp, offset: i64) -> Self {
        let day = end.0.div_euclid(SECOND).saturating_add(offset).div_euclid(86_400);
        // The mean year of the Gregorian calendar comes within one of the year.
        let near = 1970 + day * 400 / 146_097;
        let began = |year: &i64| days(*year, 1, 1).is_some_and(|first| first <= day);
        let year = [near + 1, near].into_iter().find(began).unwrap_or(near - 1);
        Self { offset, year, day }
    }
}

/// A time as a log writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) time: Timestamp,
    /// How much of it was written.
    pub(super) written: Written,
}

/// How much of a time a log writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    All,
    /// All but the year.
    MonthAndDay,
    TimeOfDay,
}

/// The time that belongs to a message: `lines` are those before it, the nearest last.
pub(super) fn stamp<'a>(
    lines: &(impl DoubleEndedIterator<Item = &'a [u8]> + Clone),
    calendar: &Calendar,
) -> Option<Stamp> {
    let nearest = |read: &dyn Fn(&[u8]) -> Option<Timestamp>| lines.clone().rev().find_map(read);
    let stamp = |written| move |time| Stamp { time, written };
    let whole = nearest(&epoch).or_else(|| nearest(&|line| last(line, |at| full(at, calendar))));
    let yearless = || nearest(&|line| last(line, |at| month_day(at, calendar)));
    let dayless = || nearest(&|line| last(line, |at| time_of_day(at, calendar)));
    whole
        .map(stamp(Written::All))
        .or_else(|| yearless().map(stamp(Written::MonthAndDay)))
        .or_else(|| dayless().map(stamp(Written::TimeOfDay)))
}

/// The last place of `line` where `read` finds a time.
fn last(line: &[u8], read: impl Fn(&[u8]) -> Option<Timestamp>) -> Option<Timestamp> {
    let begins = |at: &usize| *at == 0 || !line[*at - 1].is_ascii_alphanumeric();
    (0..line.len()).rev().filter(begins).find_map(|at| read(&line[at..]))
}

/// `time: 1740787200.000000` (Kamailio's sipdump).
fn epoch(line: &[u8]) -> Option<Timestamp> {
    let at = memchr::memmem::find(line, b"time: ")?;
    let mut read = Digits(&line[at + 6..]);
    let seconds = read.number(9, 10)?;
    read.skip(b".")?;
    Some(Timestamp::new(seconds, read.fraction()))
}

/// `2025-03-01 08:00:00.123`, `2025/03/01T08:00:00+08:00`, `…Z`.
fn full(text: &[u8], calendar: &Calendar) -> Option<Timestamp> {
    let mut read = Digits(text);
    let year = read.number(4, 4)?;
    read.skip(b"-/")?;
    let month = read.number(2, 2)?;
    read.skip(b"-/")?;
    let day = read.number(2, 2)?;
    read.skip(b"T ")?;
    let clock = read.clock()?;
    let offset = read.zone().unwrap_or(calendar.offset);
    Some(Timestamp::new(days(year, month, day)? * 86_400 - offset, clock))
}

/// `Mar  1 08:00:00`.
fn month_day(text: &[u8], calendar: &Calendar) -> Option<Timestamp> {
    const MONTHS: &[u8] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let name = text.get(..3)?;
    let (month, _) = (1..).zip(MONTHS.chunks(3)).find(|(_, month)| *month == name)?;
    let rest = text.get(3..)?;
    let mut read = Digits(rest.trim_ascii_start());
    let day = read.number(1, 2)?;
    read.skip(b" ")?;
    let clock = read.clock()?;
    Some(Timestamp::new(days(calendar.year, month, day)? * 86_400 - calendar.offset, clock))
}

/// `08:00:00.000000`.
fn time_of_day(text: &[u8], calendar: &Calendar) -> Option<Timestamp> {
    let clock = Digits(text).clock()?;
    Some(Timestamp::new(calendar.day * 86_400 - calendar.offset, clock))
}

/// Days since the epoch of a date of the Gregorian calendar.
pub(in crate::capture) fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Years that begin in March put the leap day at the end.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let era = y.div_euclid(400);
    let of_era = y.rem_euclid(400);
    let of_year = (153 * m + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

struct Digits<'a>(&'a [u8]);

impl Digits<'_> {
    fn number(&mut self, least: usize, most: usize) -> Option<i64> {
        let len = self.0.iter().take(most + 1).take_while(|b| b.is_ascii_digit()).count();
        if !(least..=most).contains(&len) {
            return None;
        }
        let (digits, rest) = self.0.split_at(len);
        self.0 = rest;
        Some(digits.iter().fold(0, |sum, b| sum * 10 + i64::from(b - b'0')))
    }

    fn skip(&mut self, any: &[u8]) -> Option<()> {
        let (first, rest) = self.0.split_first()?;
        any.contains(first).then(|| self.0 = rest)
    }

    /// Nanoseconds of the day: `08:00:00`, with a fraction when there is one.
    fn clock(&mut self) -> Option<i64> {
        let hours = self.number(2, 2).filter(|hours| *hours < 24)?;
        self.skip(b":")?;
        let minutes = self.number(2, 2).filter(|minutes| *minutes < 60)?;
        self.skip(b":")?;
        let seconds = self.number(2, 2).filter(|seconds| *seconds <= 60)?;
        let fraction = match self.0 {
            [b'.' | b',', digit, ..] if digit.is_ascii_digit() => {
                self.0 = &self.0[1..];
                self.fraction()
            }
            _ => 0,
        };
        Some((hours * 3600 + minutes * 60 + seconds) * SECOND + fraction)
    }

    /// Nanoseconds of a decimal fraction; digits after the ninth are passed over.
    fn fraction(&mut self) -> i64 {
        let len = self.0.iter().take_while(|b| b.is_ascii_digit()).count();
        let (digits, rest) = self.0.split_at(len);
        self.0 = rest;
        (0..9).fold(0, |sum, i| sum * 10 + digits.get(i).map_or(0, |b| i64::from(b - b'0')))
    }

    fn zone(&mut self) -> Option<i64> {
        let (first, rest) = self.0.split_first()?;
        let sign = match first {
            b'Z' => return Some(0),
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        let mut read = Digits(rest);
        let hours = read.number(2, 4)?;
        if hours >= 100 {
            return Some(sign * (hours / 100 * 3600 + hours % 100 * 60));
        }
        let minutes = read.skip(b":").and_then(|()| read.number(2, 2)).unwrap_or(0);
        Some(sign * (hours * 3600 + minutes * 60))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[track_caller]
    fn check(line: &str, seconds: Option<f64>) {
        let calendar = Calendar { offset: 8 * 3600, year: 2025, day: 20_148 };
        let found = stamp(&[line.as_bytes()].into_iter(), &calendar);
        assert_eq!(found.map(|s| s.time.0), seconds.map(|s| (s * 1e6) as i64 * 1000), "{line}");
    }

    #[test]
    fn the_last_write_of_a_log_tells_its_year_and_day() {
        let last_of_2025 = Timestamp::new(1_767_225_599, 0);
        assert_eq!(Calendar::until(last_of_2025, 0).year, 2025);
        assert_eq!(Calendar::until(last_of_2025, 1).year, 2026);
        assert_eq!(Calendar::until(last_of_2025, 1).day, 20_454);
        assert_eq!(Calendar::until(Timestamp::default(), -1).year, 1969);
    }

    #[test]
    fn times_of_all_forms_are_read() {
        let eight = 1_740_787_200.0; // 2025-03-01 08:00:00 +08:00
        check("2025-03-01 08:00:00.004 [Event] INFO", Some(eight + 0.004));
        check("2022/03/30 15:02:20 x 2025/03/01 08:00:00 sip.go:15:", Some(eight));
        check("time=\"2025-03-01T08:00:00+08:00\" level", Some(eight));
        check("2025-03-01T00:00:00Z", Some(eight));
        check("2025-02-28T19:00:00-0500", Some(eight));
        check("time: 1740787200.250000", Some(eight + 0.25));
        check("[Mar  1 08:00:00] VERBOSE[2211]", Some(eight));
        check(
            "recv 393 bytes from udp/[192.0.2.21]:5060 at 08:00:00.000250:",
            Some(eight + 0.000_25),
        );
        check("no time 12:3 here 25:00:00", None);
    }
}
