//! The Date header as devices take their time from it: GB/T 28181 form or SIP-date.

use crate::time::{SECOND, Timestamp};

/// In which form a Date was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DateForm {
    /// `2025-03-01T08:00:00.000` (GB/T 28181 section 9.10.3), a zone or none.
    Gb,
    /// `Sat, 01 Mar 2025 00:00:00 GMT` (RFC 3261 section 20.17).
    Rfc3261,
    /// No Date at all.
    Missing,
    /// Neither form.
    Invalid,
}

impl DateForm {
    /// The stable word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Gb => "gb",
            Self::Rfc3261 => "rfc3261",
            Self::Missing => "missing",
            Self::Invalid => "invalid",
        }
    }
}

/// Reads a Date; a GB date without zone is `zone` nanoseconds east of UTC.
pub fn read(value: Option<&[u8]>, zone: i64) -> (Option<Timestamp>, DateForm) {
    let Some(value) = value else { return (None, DateForm::Missing) };
    let value = value.trim_ascii();
    if let Some(time) = gb(value, zone) {
        return (Some(time), DateForm::Gb);
    }
    match rfc3261(value) {
        Some(time) => (Some(time), DateForm::Rfc3261),
        None => (None, DateForm::Invalid),
    }
}

fn gb(value: &[u8], zone: i64) -> Option<Timestamp> {
    let (date, rest) = value.split_at_checked(19)?;
    let at = |i: usize, c: u8| date.get(i) == Some(&c);
    if !(at(4, b'-') && at(7, b'-') && at(10, b'T') && at(13, b':') && at(16, b':')) {
        return None;
    }
    let day = days(number(&date[..4])?, number(&date[5..7])?, number(&date[8..10])?)?;
    let clock = clock(&date[11..19])?;
    let (nanos, rest) = fraction(rest)?;
    let zone = match rest {
        b"" => zone,
        b"Z" => 0,
        [sign @ (b'+' | b'-'), hours @ ..] => {
            let digits: Vec<u8> = hours.iter().copied().filter(|b| *b != b':').collect();
            let (h, m) = (number(digits.get(..2)?)?, number(digits.get(2..4)?)?);
            let east = (h * 3600 + m * 60) * SECOND;
            if digits.len() != 4 {
                return None;
            }
            if *sign == b'+' { east } else { -east }
        }
        _ => return None,
    };
    Some(Timestamp::new(day * 86_400 + clock, nanos).plus(-zone))
}

fn rfc3261(value: &[u8]) -> Option<Timestamp> {
    const MONTHS: [&[u8]; 12] = [
        b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov",
        b"Dec",
    ];
    let mut words = value.split(|b| *b == b' ').filter(|w| !w.is_empty());
    words.next().filter(|w| w.len() == 4 && w.ends_with(b","))?;
    let day = number(words.next()?)?;
    let name = words.next()?;
    let (month, _) = (1..).zip(MONTHS).find(|(_, month)| *month == name)?;
    let year = number(words.next()?)?;
    let clock = clock(words.next()?)?;
    words.next().filter(|w| *w == b"GMT")?;
    words.next().is_none().then_some(())?;
    Some(Timestamp::new(days(year, month, day)? * 86_400 + clock, 0))
}

/// Nanoseconds of `.123` at the head of `text`, and the rest.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some(digits) = text.strip_prefix(b".") else { return Some((0, text)) };
    let len = digits.iter().take_while(|b| b.is_ascii_digit()).count();
    if !(1..=9).contains(&len) {
        return None;
    }
    let value = number(&digits[..len])? * 10_i64.pow(9 - len as u32);
    Some((value, &digits[len..]))
}

/// Seconds of the day of `08:00:00`.
fn clock(text: &[u8]) -> Option<i64> {
    let mut parts = text.split(|b| *b == b':').map(number);
    let (h, m, s) = (parts.next()??, parts.next()??, parts.next()??);
    (parts.next().is_none() && h < 24 && m < 60 && s <= 60).then_some(h * 3600 + m * 60 + s)
}

fn number(digits: &[u8]) -> Option<i64> {
    let all = !digits.is_empty() && digits.len() < 10 && digits.iter().all(u8::is_ascii_digit);
    all.then(|| digits.iter().fold(0, |sum, b| sum * 10 + i64::from(b - b'0')))
}

/// Days since the epoch of a date of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let past = usize::try_from(month - 1).ok()?;
    let length = lengths.get(past)?;
    if !(1..=*length).contains(&day) {
        return None;
    }
    let before: i64 = lengths[..past].iter().sum();
    let y = year - 1;
    let whole = y * 365 + y / 4 - y / 100 + y / 400 - 719_162;
    Some(whole + before + day - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &str, seconds: Option<f64>, form: DateForm) {
        let (time, found) = read(Some(value.as_bytes()), 8 * 3600 * SECOND);
        assert_eq!(found, form, "{value}");
        assert_eq!(time.map(|t| t.0), seconds.map(|s| (s * 1e3) as i64 * 1_000_000), "{value}");
    }

    #[test]
    fn dates_of_both_forms_are_read() {
        check("2025-03-01T08:00:00.250", Some(1_740_787_200.25), DateForm::Gb);
        check("2025-03-01T00:00:00Z", Some(1_740_787_200.0), DateForm::Gb);
        check("2025-03-01T02:00:00+02:00", Some(1_740_787_200.0), DateForm::Gb);
        check("Sat, 01 Mar 2025 00:00:00 GMT", Some(1_740_787_200.0), DateForm::Rfc3261);
        check("Wed, 30 Mar 2022 07:02:20 GMT", Some(1_648_623_740.0), DateForm::Rfc3261);
        check("Sat, 01 Mar 2025 00:00:00 EST", None, DateForm::Invalid);
        check("2025-02-30T00:00:00", None, DateForm::Invalid);
        check("\u{201c}2024-01-01T00:00:00.SSS\u{201d}", None, DateForm::Invalid);
        assert_eq!(read(None, 0).1, DateForm::Missing);
    }
}
