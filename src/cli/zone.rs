//! Time zones by name or offset, and their clocks as the reader of text logs takes them.

use std::sync::Arc;

use jiff::tz::{Offset, TimeZone};

use crate::capture::Zone;
use crate::time::Timestamp;

/// A zone from `Asia/Shanghai`, `UTC`, `+08:00`, `-0330` or `+8`.
///
/// # Errors
/// Says what is understood.
pub fn parse(text: &str) -> Result<TimeZone, String> {
    let text = text.trim();
    if let Some(seconds) = offset(text) {
        let offset = Offset::from_seconds(seconds).map_err(|error| error.to_string())?;
        return Ok(TimeZone::fixed(offset));
    }
    TimeZone::get(text).map_err(|_| {
        "expected the name of a zone or its offset from UTC: Europe/Berlin, +08:00".to_owned()
    })
}

/// Seconds east of UTC from a sign, hours and maybe minutes.
fn offset(text: &str) -> Option<i32> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match (digits.split_once(':'), digits.len()) {
        (Some(parts), _) => parts,
        (None, 3 | 4) => digits.split_at_checked(digits.len() - 2)?,
        (None, _) => (digits, "0"),
    };
    let number = |digits: &str| digits.parse::<u8>().ok().map(i32::from);
    let minutes = number(minutes).filter(|minutes| *minutes < 60)?;
    Some(sign * (number(hours)? * 3600 + minutes * 60))
}

/// The clocks of `zone`.
pub fn clocks(zone: TimeZone) -> Zone {
    Arc::new(move |time: Timestamp| {
        let time = jiff::Timestamp::from_nanosecond(time.0.into()).unwrap_or_default();
        zone.to_offset(time).seconds().into()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn zones_are_names_or_offsets() {
        let summer = Timestamp::new(1_751_000_000, 0);
        for (text, seconds) in [
            ("UTC", 0),
            ("+08:00", 28_800),
            ("-0330", -12_600),
            ("+8", 28_800),
            ("Asia/Shanghai", 28_800),
            ("Europe/Berlin", 7_200),
        ] {
            assert_eq!(clocks(parse(text).unwrap())(summer), seconds, "{text}");
        }
        for text in ["", "+", "+99:00", "+08:75", "Nowhere/Land", "8 o'clock"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
