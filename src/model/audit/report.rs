//! What devices tell of themselves in responses of MANSCDP (GB/T 28181 annex A): their clock, and
//! the keepalives they are set to.

use super::date::{self, DateForm};
use super::identity;
use super::series::{Stats, seconds};
use super::spread::Spread;
use crate::sip::Message;
use crate::time::{SECOND, Timestamp};

/// No interval between keepalives is longer, in seconds.
const LONGEST: u64 = 86_400;

/// What one response tells of the device that sent it.
#[derive(Debug)]
pub struct Report {
    /// GB identifier, or user@host.
    pub(super) device: String,
    /// First transmission.
    pub(super) time: Timestamp,
    /// `DeviceTime` of a `DeviceStatus`.
    clock: Option<Clock>,
    /// `HeartBeatInterval` and `HeartBeatCount` of the `BasicParam` of a `ConfigDownload`.
    heartbeat: Option<Heartbeat>,
}

/// What a device says the time is, minus when it says so, nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clock {
    /// It names its zone.
    Zoned(i64),
    /// It names none: as if it were UTC.
    Unzoned(i64),
}

/// How a device is set to send keepalives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// Interval, nanoseconds.
    pub interval: i64,
    /// After how many missing ones it is offline, where that is told.
    pub count: Option<u32>,
}

impl Report {
    /// What `request` reports; `None` when it speaks of another device, or of nothing looked at.
    /// Found by octets, since the charset of such bodies is often mislabeled.
    pub(super) fn of(request: &Message) -> Option<Self> {
        let body = request.body();
        memchr::memmem::find(body, b"<Response")?;
        let device = identity::device(request.from()?.uri);
        // A recorder answers for its cameras as well.
        if element(body, b"DeviceID")? != device.as_bytes() {
            return None;
        }
        let time = request.envelope.time;
        let (clock, heartbeat) = match element(body, b"CmdType")? {
            b"DeviceStatus" => (Some(Clock::of(element(body, b"DeviceTime")?, time)?), None),
            b"ConfigDownload" => (None, Some(Heartbeat::of(body)?)),
            _ => return None,
        };
        Some(Self { device, time, clock, heartbeat })
    }
}

impl Clock {
    fn of(text: &[u8], time: Timestamp) -> Option<Self> {
        let (DateForm::Gb, Some(told)) = (date::read(Some(text), 0).1, date::read(Some(text), 0).0)
        else {
            return None;
        };
        let is_zoned = date::read(Some(text), SECOND).0 == Some(told);
        let skew = told.since(time);
        Some(if is_zoned { Self::Zoned(skew) } else { Self::Unzoned(skew) })
    }
}

impl Heartbeat {
    fn of(body: &[u8]) -> Option<Self> {
        let interval = number(element(body, b"HeartBeatInterval")?);
        let interval = interval.filter(|seconds| (1..=LONGEST).contains(seconds))?;
        let count = element(body, b"HeartBeatCount").and_then(number);
        let count = count.and_then(|n| u32::try_from(n).ok()).filter(|n| 0 < *n);
        Some(Self { interval: i64::try_from(interval).ok()? * SECOND, count })
    }
}

/// All that a device told of itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    zoned: Spread,
    unzoned: Spread,
    heartbeat: Setting,
}

/// A setting as it was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Setting {
    #[default]
    Untold,
    Told(Heartbeat),
    /// It told different ones.
    Changed,
}

impl Told {
    pub(super) fn push(&mut self, report: &Report) {
        match report.clock {
            Some(Clock::Zoned(skew)) => self.zoned.push(skew),
            Some(Clock::Unzoned(skew)) => self.unzoned.push(skew),
            None => {}
        }
        if let Some(new) = report.heartbeat {
            self.heartbeat = match self.heartbeat {
                Setting::Untold => Setting::Told(new),
                Setting::Told(known) if known == new => Setting::Told(new),
                Setting::Told(_) | Setting::Changed => Setting::Changed,
            };
        }
    }

    /// How it is set to send keepalives, while it told nothing else.
    pub(super) fn heartbeat(&self) -> Option<Heartbeat> {
        match self.heartbeat {
            Setting::Told(heartbeat) => Some(heartbeat),
            Setting::Untold | Setting::Changed => None,
        }
    }

    /// Its clock minus that of the capture, in seconds, where times without zone are `zone`
    /// nanoseconds east of UTC.
    pub(super) fn skew(&self, zone: i64) -> Option<Stats> {
        let shift = seconds(zone);
        let unzoned = self.unzoned.stats().map(|stats| Stats {
            min: stats.min - shift,
            p50: stats.p50 - shift,
            p95: stats.p95 - shift,
            max: stats.max - shift,
            mean: stats.mean - shift,
            ..stats
        });
        // A device writes its time in one form; the rarer one is a slip.
        let rarer = |one: &Stats, other: &Stats| one.n < other.n;
        match (unzoned, self.zoned.stats()) {
            (Some(unzoned), Some(zoned)) if rarer(&unzoned, &zoned) => Some(zoned),
            (Some(unzoned), _) => Some(unzoned),
            (None, zoned) => zoned,
        }
    }

    /// Octets of private memory it holds.
    pub(super) fn heap_size(&self) -> usize {
        self.zoned.heap_size() + self.unzoned.heap_size()
    }
}

/// The text of the first element called `name`, without blanks around it.
fn element<'b>(body: &'b [u8], name: &[u8]) -> Option<&'b [u8]> {
    let begin = memchr::memmem::find(body, &[b"<", name, b">"].concat())? + name.len() + 2;
    let rest = body.get(begin..)?;
    let end = memchr::memmem::find(rest, &[b"</", name, b">"].concat())?;
    Some(rest[..end].trim_ascii())
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn clocks_without_zone_are_read_in_the_zone_of_the_policy() {
        let noon = Timestamp::new(1_740_787_200, 0);
        let told = |text: &str| Clock::of(text.as_bytes(), noon);
        assert_eq!(
            told("2025-03-01T08:00:02"),
            Some(Clock::Unzoned(8 * 3600 * SECOND + 2 * SECOND))
        );
        assert_eq!(told("2025-03-01T00:00:02Z"), Some(Clock::Zoned(2 * SECOND)));
        assert_eq!(told("Sat, 01 Mar 2025 00:00:00 GMT"), None);
        let mut all = Told::default();
        all.push(&Report {
            device: String::new(),
            time: noon,
            clock: told("2025-03-01T08:00:02"),
            heartbeat: None,
        });
        assert_eq!(all.skew(8 * 3600 * SECOND).map(|s| (s.n, s.p50.round())), Some((1, 2.0)));
    }

    #[test]
    fn settings_that_change_are_no_expectation() {
        let body = |seconds: &str| {
            format!("<BasicParam><HeartBeatInterval> {seconds} </HeartBeatInterval></BasicParam>")
        };
        let of = |text: &str| Heartbeat::of(body(text).as_bytes());
        assert_eq!(of("20"), Some(Heartbeat { interval: 20 * SECOND, count: None }));
        assert_eq!((of("0"), of("often"), of("99999999999")), (None, None, None));
        let report = |text| Report {
            device: String::new(),
            time: Timestamp::default(),
            clock: None,
            heartbeat: of(text),
        };
        let mut told = Told::default();
        told.push(&report("20"));
        told.push(&report("20"));
        assert_eq!(told.heartbeat(), of("20"));
        told.push(&report("30"));
        told.push(&report("30"));
        assert_eq!(told.heartbeat(), None);
    }
}
