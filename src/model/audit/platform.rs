//! When a platform would take a device as offline: "online" differs from product to product.

use super::device::Device;
use super::window::Window;
use crate::time::{SECOND, Timestamp};

/// A platform whose rule of being online is known from its source code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// GB/T 28181: interval × count without a keepalive, or the expiry passed.
    Standard,
    /// wvp-GB28181-pro.
    Wvp,
    /// Monibuca, plugin gb28181 v4.
    Monibuca,
    /// srs-sip.
    SrsSip,
    /// gowvp.
    Gowvp,
    /// gb-cms.
    GbCms,
    /// `AKStream`.
    AkStream,
    /// `BXC_SipServer`.
    Bxc,
    /// The server embedded in SRS.
    Srs,
}

/// How a platform decides.
struct Rule {
    /// Silence after which a device is offline, nanoseconds; `None`: interval × count.
    silence: Option<i64>,
    /// A REGISTER counts as a sign of life, like any message.
    any_message: bool,
    /// The expiry ends it as well.
    expires: bool,
    /// It never takes anything as offline.
    never: bool,
}

impl Platform {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Standard,
        Self::Wvp,
        Self::Monibuca,
        Self::SrsSip,
        Self::Gowvp,
        Self::GbCms,
        Self::AkStream,
        Self::Bxc,
        Self::Srs,
    ];

    /// The word of options and policy files.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Wvp => "wvp",
            Self::Monibuca => "monibuca",
            Self::SrsSip => "srs-sip",
            Self::Gowvp => "gowvp",
            Self::GbCms => "gb-cms",
            Self::AkStream => "akstream",
            Self::Bxc => "bxc",
            Self::Srs => "srs",
        }
    }

    /// Its rule in a few words.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Standard => {
                "offline after interval x count without a keepalive, or at the expiry"
            }
            Self::Wvp => "offline after the expiry or interval x count, whichever is less",
            Self::Monibuca => "offline after 180 s without any message",
            Self::SrsSip => "offline after interval x count without a keepalive",
            Self::Gowvp => "offline after interval x count, looked at once a minute",
            Self::GbCms => "offline 180 s after the last keepalive",
            Self::AkStream => "offline after 15 s without a keepalive",
            Self::Bxc => "never takes a device as offline",
            Self::Srs => "ends a session after 60 s of silence",
        }
    }

    /// When it would take `device` as offline; no end while that lasts.
    pub fn offline(self, device: &Device, window: &Window) -> Vec<(Timestamp, Option<Timestamp>)> {
        let rule = self.rule();
        let signs = signs(device, rule.any_message);
        if rule.never {
            return Vec::new();
        }
        let patience = rule
            .silence
            .unwrap_or_else(|| device.expected_keepalive() * i64::from(device.keepalive_count()));
        let mut periods = Vec::new();
        for (at, sign) in signs.iter().enumerate() {
            let next = signs.get(at + 1).map(|sign| sign.0);
            // What the registration still grants at this sign of life.
            let life = if rule.expires { sign.1.since(sign.0) } else { i64::MAX };
            let over = sign.0.plus(patience.min(life.max(0)));
            if over < next.unwrap_or(window.until) {
                periods.push((over, next));
            }
        }
        periods
    }

    const fn rule(self) -> Rule {
        let usual = Rule { silence: None, any_message: false, expires: false, never: false };
        match self {
            Self::Standard | Self::Wvp => Rule { expires: true, ..usual },
            Self::Monibuca => Rule { silence: Some(180 * SECOND), any_message: true, ..usual },
            Self::SrsSip | Self::Gowvp => usual,
            Self::GbCms => Rule { silence: Some(180 * SECOND), ..usual },
            Self::AkStream => Rule { silence: Some(15 * SECOND), ..usual },
            Self::Bxc => Rule { never: true, ..usual },
            Self::Srs => Rule { silence: Some(60 * SECOND), any_message: true, ..usual },
        }
    }
}

/// Signs of life in order, each with the end of the registration then: successes, keepalives and,
/// with `any`, failed attempts.
fn signs(device: &Device, any: bool) -> Vec<(Timestamp, Timestamp)> {
    use super::attempt::Outcome;
    let mut times: Vec<(Timestamp, Option<Timestamp>)> = Vec::new();
    for record in &device.records {
        let end = record.end.zip(record.granted());
        let until = end.map(|(end, granted)| end.plus(i64::from(granted) * SECOND));
        if any || record.outcome == Outcome::Ok {
            times.push((record.start, until));
        }
    }
    let beats = device.keepalives.iter().flat_map(super::Keepalives::pulses);
    times.extend(beats.map(|beat| (beat.time, None)));
    times.sort_unstable();
    let mut until = Timestamp(i64::MAX);
    times
        .into_iter()
        .map(|(time, renewed)| {
            until = renewed.unwrap_or(until);
            (time, until)
        })
        .collect()
}
