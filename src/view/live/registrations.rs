//! One line, or one object, for each change of a registration.

use std::io::{self, Write};

use serde::Serialize;

use crate::model::audit::Outcome;
use crate::model::audit::Surge;
use crate::model::audit::lookout::{Alarm, Beating, Change, Moved, Turn};
use crate::time::{SECOND, Timestamp};
use crate::view::clock::Rfc3339;
use crate::view::text::in_charset;
use crate::view::visible::{pad, visible};
use crate::view::{Style, json, style};

/// Columns of a device: those of a GB identifier.
const DEVICE: usize = 20;

/// Writes `change` as a line for people.
pub fn line(change: &Change, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let time = style.time.time_of_day(change.time, 3);
    let (word, paint) = head(&change.turn);
    let word = style.paint(paint, &format!("{word:7}"));
    let device = change.device.as_deref().map(|device| {
        let device = in_charset(&visible(device.as_bytes()), style.charset);
        format!("{} ", style.paint(style::BOLD, &pad(&device, DEVICE)))
    });
    let said = in_charset(&says(change), style.charset);
    writeln!(out, "{time} {word} {}{said}", device.unwrap_or_default())
}

/// Writes `change` as one line of JSON.
pub fn object(change: &Change, out: &mut dyn Write) -> io::Result<()> {
    json::line(&Object::of(change), "event", out)
}

/// The word a line begins with, and its color.
const fn head(turn: &Turn) -> (&'static str, anstyle::Style) {
    match turn {
        Turn::New { .. } => ("NEW", style::SUCCESS),
        Turn::Gone => ("GONE", style::DIM),
        Turn::Lapse { .. } => ("LAPSE", style::FAILURE),
        Turn::Offline { .. } => ("OFFLINE", style::FAILURE),
        Turn::Overdue { .. } => ("OVERDUE", style::WARNING),
        Turn::Fail { .. } => ("FAIL", style::FAILURE),
        Turn::Back { .. } => ("BACK", style::SUCCESS),
        Turn::Storm(_) => ("STORM", style::FAILURE),
        Turn::Calm(_) => ("CALM", style::SUCCESS),
    }
}

/// What a line says after the device.
fn says(change: &Change) -> String {
    let ago = |time: Timestamp| rough(change.time.since(time));
    match &change.turn {
        Turn::New { source, granted } => {
            let granted = granted.map(|seconds| format!(" for {seconds} s")).unwrap_or_default();
            format!("registered{granted} from {source}{}", at(change))
        }
        Turn::Gone => format!("gave its registration up{}", at(change)),
        Turn::Lapse { from, cause, tried, keepalives } => {
            let tried = tried.map(|time| format!(", last REGISTER {} ago", ago(time)));
            let keepalives = match keepalives {
                Beating::Never => String::new(),
                Beating::On => ", keepalives continue".into(),
                Beating::Ended(last) => format!(", no keepalive for {}", ago(*last)),
            };
            let cause = match cause {
                crate::model::audit::Cause::NoRefresh => String::new(),
                cause => format!(" ({})", cause.word()),
            };
            let tried = tried.unwrap_or_default();
            format!("binding expired {} ago{cause}{tried}{keepalives}", ago(*from))
        }
        Turn::Offline { last, interval, count } => {
            format!("no keepalive for {} ({count} x {})", ago(*last), rough(*interval))
        }
        Turn::Overdue { last, expected } => {
            format!("no REGISTER for {}, expected every {}", ago(*last), rough(*expected))
        }
        Turn::Fail { start, outcome, source } => {
            let after = rough(change.time.since(*start));
            format!("{} after {after}, from {source}{}", failed(*outcome), at(change))
        }
        Turn::Back { from, after, moved } => {
            let keepalives = if *from == Alarm::Offline { "keepalives again " } else { "" };
            let moved = match moved {
                Moved::Not => String::new(),
                Moved::Address(endpoint) => format!(", new address {endpoint}"),
                Moved::Port(port) => format!(", new port {port}"),
                Moved::Connection => ", new connection".into(),
            };
            format!("{keepalives}after {}{moved}", rough(*after))
        }
        Turn::Storm(surge) | Turn::Calm(surge) => stormed(surge),
    }
}

fn at(change: &Change) -> String {
    let registrar = change.registrar.as_deref().unwrap_or_default();
    format!(" at {}", visible(registrar.as_bytes()))
}

fn failed(outcome: Outcome) -> String {
    match outcome {
        Outcome::Rejected(status) => format!("rejected with {status}"),
        Outcome::AuthFailed => "credentials refused".into(),
        Outcome::ChallengeUnanswered => "challenge not answered".into(),
        _ => "no answer".into(),
    }
}

fn stormed(surge: &Surge) -> String {
    let length = surge.until.since(surge.from) as f64 / SECOND as f64;
    let refused = surge.refused.iter().map(|(status, n)| format!(", {status} x {n}"));
    let refused: String = refused.collect();
    format!("{} devices in {length:.1} s, peak {}/s{refused}", surge.devices, surge.peak)
}

/// A time one can take in at a glance: `0.7 s`, `31 s`, `15 m`, `3.2 h`, `2.5 d`.
fn rough(nanos: i64) -> String {
    let nanos = nanos.max(0);
    let seconds = nanos / SECOND;
    let tenths = |unit: i64| format!("{}.{}", seconds / unit, seconds % unit * 10 / unit);
    match seconds {
        // A lapse is told before a second has passed.
        0..10 if nanos % SECOND != 0 => {
            let tenths = (nanos / (SECOND / 10)).max(1);
            format!("{}.{} s", tenths / 10, tenths % 10)
        }
        0..600 => format!("{seconds} s"),
        600..7200 => format!("{} m", seconds / 60),
        7200..172_800 => format!("{} h", tenths(3600)),
        _ => format!("{} d", tenths(86_400)),
    }
}

/// A change as machines read it; keys that do not concern it are left out.
#[derive(Default, Serialize)]
struct Object<'a> {
    event: &'static str,
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    registrar: Option<&'a str>,
    /// When what is told began: a lapse, a failed attempt, a storm.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_register: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_keepalive: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keepalives: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interval_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    granted_s: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changed: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    devices: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peak: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<std::collections::BTreeMap<String, usize>>,
}

impl<'a> Object<'a> {
    fn of(change: &'a Change) -> Self {
        let seconds = |nanos: i64| Some(nanos as f64 / SECOND as f64);
        let time = |time: Timestamp| Some(Rfc3339::text(time));
        let all = Self {
            time: Rfc3339::text(change.time),
            device: change.device.as_deref(),
            registrar: change.registrar.as_deref(),
            ..Self::default()
        };
        match &change.turn {
            Turn::New { source, granted } => {
                Self { event: "new", source: Some(source.to_string()), granted_s: *granted, ..all }
            }
            Turn::Gone => Self { event: "gone", ..all },
            Turn::Lapse { from, cause, tried, keepalives } => Self {
                since: time(*from),
                cause: Some(cause.word()),
                last_register: tried.and_then(time),
                ..all.of_lapse(*keepalives)
            },
            Turn::Offline { last, interval, count } => Self {
                event: "offline",
                last_keepalive: time(*last),
                interval_s: seconds(*interval),
                count: Some(*count),
                ..all
            },
            Turn::Overdue { last, expected } => Self {
                event: "overdue",
                last_register: time(*last),
                interval_s: seconds(*expected),
                ..all
            },
            Turn::Fail { start, outcome, source } => Self {
                event: "fail",
                since: time(*start),
                outcome: Some(outcome.word()),
                source: Some(source.to_string()),
                ..all
            },
            Turn::Back { from, after, moved } => {
                Self { after_s: seconds(*after), ..all.of_return(*from, moved) }
            }
            Turn::Storm(surge) => all.of_many("storm", surge),
            Turn::Calm(surge) => all.of_many("calm", surge),
        }
    }

    /// A lapse while there were keepalives, or not.
    fn of_lapse(self, keepalives: Beating) -> Self {
        let (word, last) = match keepalives {
            Beating::Never => ("never", None),
            Beating::On => ("on", None),
            Beating::Ended(last) => ("ended", Some(Rfc3339::text(last))),
        };
        Self { event: "lapse", keepalives: Some(word), last_keepalive: last, ..self }
    }

    /// The end of an alarm, maybe from elsewhere.
    fn of_return(self, from: Alarm, moved: &Moved) -> Self {
        let (changed, source) = match moved {
            Moved::Not => (None, None),
            Moved::Address(endpoint) => (Some("address"), Some(endpoint.to_string())),
            Moved::Port(port) => (Some("port"), Some(port.to_string())),
            Moved::Connection => (Some("connection"), None),
        };
        let from = if from == Alarm::Lapse { "lapse" } else { "offline" };
        Self { event: "back", from: Some(from), changed, source, ..self }
    }

    fn of_many(self, event: &'static str, surge: &Surge) -> Self {
        let refused = surge.refused.iter().map(|(status, n)| (status.to_string(), *n));
        Self {
            event,
            since: Some(Rfc3339::text(surge.from)),
            until: Some(Rfc3339::text(surge.until)),
            devices: Some(surge.devices),
            attempts: Some(surge.attempts),
            peak: Some(surge.peak),
            refused: Some(refused.collect()),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::audit::Cause;

    fn change(device: Option<&str>, turn: Turn) -> Change {
        let time = Timestamp::new(36_331, 530_000_000);
        Change { time, device: device.map(Into::into), registrar: Some("r.example".into()), turn }
    }

    fn told(change: &Change) -> (String, String) {
        let (mut text, mut json) = (Vec::new(), Vec::new());
        line(change, &Style::default(), &mut text).unwrap();
        object(change, &mut json).unwrap();
        (String::from_utf8(text).unwrap(), String::from_utf8(json).unwrap())
    }

    #[test]
    fn a_lapse_tells_since_when_and_what_goes_on() {
        let from = Timestamp::new(36_330, 530_000_000);
        let turn = Turn::Lapse {
            from,
            cause: Cause::NoRefresh,
            tried: Some(from.plus(-900 * SECOND)),
            keepalives: Beating::On,
        };
        let (text, json) = told(&change(Some("34020000001320000002"), turn));
        assert_eq!(
            text,
            "10:05:31.530 LAPSE   34020000001320000002 binding expired 1 s ago, last REGISTER 15 m \
             ago, keepalives continue\n"
        );
        assert_eq!(
            json,
            "{\"event\":\"lapse\",\"time\":\"1970-01-01T10:05:31.530000000Z\",\
             \"device\":\"34020000001320000002\",\"registrar\":\"r.example\",\
             \"since\":\"1970-01-01T10:05:30.530000000Z\",\"cause\":\"no-refresh\",\
             \"last_register\":\"1970-01-01T09:50:30.530000000Z\",\"keepalives\":\"on\",\"type\":\"event\"}\n"
        );
    }

    #[test]
    fn a_storm_tells_its_numbers() {
        let from = Timestamp::new(36_300, 0);
        let surge = Surge {
            from,
            until: from.plus(8 * SECOND),
            devices: 200,
            attempts: 280,
            peak: 25,
            refused: vec![(503, 80)],
        };
        let (text, json) = told(&Change { registrar: None, ..change(None, Turn::Storm(surge)) });
        assert_eq!(text, "10:05:31.530 STORM   200 devices in 8.0 s, peak 25/s, 503 x 80\n");
        assert!(
            json.ends_with("\"peak\":25,\"refused\":{\"503\":80},\"type\":\"event\"}\n"),
            "{json}"
        );
    }

    #[test]
    fn what_strangers_wrote_is_made_visible() {
        let turn = Turn::Back { from: Alarm::Lapse, after: 31 * SECOND, moved: Moved::Port(41877) };
        let (text, _) = told(&change(Some("a\u{1b}[2J\u{202e}@h\0"), turn));
        assert_eq!(
            text,
            "10:05:31.530 BACK    a\\x1b[2J\\u{202e}@h\\x00 after 31 s, new port 41877\n"
        );
        let (text, _) =
            told(&Change { registrar: Some("\u{9b}x\n".into()), ..change(Some("d"), Turn::Gone) });
        assert!(text.contains("at \\u{9b}x\\n"), "{text}");
    }

    #[test]
    fn times_are_rough() {
        assert_eq!(
            [SECOND / 20, 700_000_000, 9_990_000_000].map(rough),
            ["0.1 s", "0.7 s", "9.9 s"]
        );
        let all = [0, 31, 599, 900, 7200, 50_000, 216_000].map(|seconds| rough(seconds * SECOND));
        assert_eq!(all, ["0 s", "31 s", "599 s", "15 m", "2.0 h", "13.8 h", "2.5 d"]);
    }
}
