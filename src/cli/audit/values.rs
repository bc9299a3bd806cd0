//! Spans, shares and address ranges as users write them.

use std::net::IpAddr;

use crate::model::audit::{Expect, Tolerance};
use crate::time::SECOND;

/// Nanoseconds of `1800s`, `30m`, `1h30m` or plain seconds.
///
/// # Errors
/// Says what is understood.
pub(in crate::cli) fn span(text: &str) -> Result<i64, String> {
    let text = text.trim();
    let wrong = || format!("cannot read the time {text:?}: write 1800s, 30m or 1h");
    let nanos = if let Ok(seconds) = text.parse::<f64>() {
        (seconds * SECOND as f64) as i64
    } else {
        let span = text.parse::<jiff::SignedDuration>().map_err(|_| wrong())?;
        i64::try_from(span.as_nanos()).map_err(|_| wrong())?
    };
    if nanos < 0 { Err(wrong()) } else { Ok(nanos) }
}

/// Seconds of a span.
///
/// # Errors
/// Says what is understood.
pub(super) fn whole_seconds(text: &str) -> Result<u32, String> {
    u32::try_from(span(text)? / SECOND).map_err(|_| format!("{text:?} is too long"))
}

/// `1800s`, or `50%` of the granted expiry.
///
/// # Errors
/// Says what is understood.
pub(super) fn expect(text: &str) -> Result<Expect, String> {
    match share(text) {
        Some(share) if 0.0 < share => Ok(Expect::Share(share)),
        Some(_) => Err("an expected share must be more than 0 %".to_owned()),
        None => match span(text)? {
            0 => Err("an expected interval must be more than 0 s".to_owned()),
            nanos => Ok(Expect::Interval(nanos)),
        },
    }
}

/// `10%`, or a span as a share of the `expected` interval.
///
/// # Errors
/// Says what is understood.
pub(super) fn part(text: &str, expected: Option<Expect>) -> Result<f64, String> {
    if let Some(share) = share(text) {
        return if 0.0 <= share {
            Ok(share)
        } else {
            Err("a tolerance is not negative".to_owned())
        };
    }
    let nanos = span(text)?;
    match expected {
        Some(Expect::Interval(interval)) => Ok(nanos as f64 / interval as f64),
        _ => Err(format!(
            "a tolerance of {text} needs an expected interval; a share such as 10% does not"
        )),
    }
}

/// The same to both sides.
///
/// # Errors
/// Says what is understood.
pub(super) fn tolerance(text: &str, expected: Option<Expect>) -> Result<Tolerance, String> {
    let share = part(text, expected)?;
    Ok(Tolerance { over: share, under: share })
}

/// `60s`, or `60s:3`.
///
/// # Errors
/// Says what is understood.
pub(super) fn keepalive(text: &str) -> Result<(i64, Option<u32>), String> {
    let (time, count) = match text.split_once(':') {
        Some((time, count)) => {
            let count = count.parse().ok().filter(|n| *n > 0);
            (time, Some(count.ok_or_else(|| format!("cannot read the count in {text:?}: 60s:3"))?))
        }
        None => (text, None),
    };
    match span(time)? {
        0 => Err("keepalives cannot come every 0 s".to_owned()),
        nanos => Ok((nanos, count)),
    }
}

/// Nanoseconds east of UTC of `+08:00`.
///
/// # Errors
/// Says what is understood.
pub(super) fn zone(text: &str) -> Result<i64, String> {
    let wrong = || format!("cannot read the zone {text:?}: write +08:00");
    let (sign, rest) = match text.split_at_checked(1) {
        Some(("+", rest)) => (1, rest),
        Some(("-", rest)) => (-1, rest),
        _ => return Err(wrong()),
    };
    let (hours, minutes) = rest.split_once(':').ok_or_else(wrong)?;
    let hours: i64 = hours.parse().ok().filter(|h| (0..=14).contains(h)).ok_or_else(wrong)?;
    let minutes: i64 = minutes.parse().ok().filter(|m| (0..60).contains(m)).ok_or_else(wrong)?;
    Ok(sign * (hours * 3600 + minutes * 60) * SECOND)
}

fn share(text: &str) -> Option<f64> {
    let number: f64 = text.trim().strip_suffix('%')?.trim().parse().ok()?;
    number.is_finite().then_some(number / 100.0)
}

/// A range of addresses: `10.64.0.0/10`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    base: IpAddr,
    bits: u32,
}

impl Range {
    /// Reads one.
    ///
    /// # Errors
    /// Says what is understood.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("cannot read the address range {text:?}: write 10.64.0.0/10");
        let (base, bits) = match text.split_once('/') {
            Some((base, bits)) => (base, Some(bits)),
            None => (text, None),
        };
        let base: IpAddr = base.trim().parse().map_err(|_| wrong())?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) => bits.trim().parse().ok().filter(|b| *b <= most).ok_or_else(wrong)?,
            None => most,
        };
        Ok(Self { base, bits })
    }

    /// True for an address in it.
    pub(super) fn holds(&self, ip: IpAddr) -> bool {
        match (self.base, ip) {
            (IpAddr::V4(base), IpAddr::V4(ip)) => {
                let shift = 32 - self.bits;
                let cut = |ip: u32| ip.checked_shr(shift).unwrap_or(0);
                cut(u32::from(base)) == cut(u32::from(ip))
            }
            (IpAddr::V6(base), IpAddr::V6(ip)) => {
                let shift = 128 - self.bits;
                let cut = |ip: u128| ip.checked_shr(shift).unwrap_or(0);
                cut(u128::from(base)) == cut(u128::from(ip))
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::float_cmp)]
    use super::*;

    #[test]
    fn spans_and_shares_are_understood() {
        assert_eq!(span("1800s"), Ok(1800 * SECOND));
        assert_eq!(span("30m"), Ok(1800 * SECOND));
        assert_eq!(span("90"), Ok(90 * SECOND));
        assert!(span("soon").is_err() && span("-5s").is_err());
        assert_eq!(expect("50%"), Ok(Expect::Share(0.5)));
        assert_eq!(expect("60s"), Ok(Expect::Interval(60 * SECOND)));
        assert!(expect("0s").is_err());
        let five = tolerance("5s", Some(Expect::Interval(50 * SECOND))).unwrap();
        assert_eq!((five.over, five.under), (0.1, 0.1));
        assert!(tolerance("5s", None).is_err());
        assert_eq!(keepalive("20s:4"), Ok((20 * SECOND, Some(4))));
        assert!(keepalive("20s:0").is_err());
        assert_eq!(zone("+08:00"), Ok(8 * 3600 * SECOND));
        assert!(zone("Z").is_err());
    }

    #[test]
    fn ranges_hold_their_addresses() {
        let range = Range::parse("10.64.0.0/10").unwrap();
        assert!(range.holds("10.127.255.255".parse().unwrap()));
        assert!(!range.holds("10.128.0.0".parse().unwrap()));
        assert!(Range::parse("0.0.0.0/0").unwrap().holds("192.0.2.1".parse().unwrap()));
        assert!(!Range::parse("::/0").unwrap().holds("192.0.2.1".parse().unwrap()));
        assert!(Range::parse("10.0.0.0/33").is_err());
    }
}
