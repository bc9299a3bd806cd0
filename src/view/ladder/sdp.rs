//! A session description in a few words: codecs, where to, which direction.

use std::fmt::Write as _;

use crate::sdp::{Direction, Media, Session};
use crate::sip::Message;
use crate::view::visible::visible;

/// A session description in a few words, in three lengths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SdpSummary {
    /// `PCMU PCMA 10.20.0.2:4000 sendrecv, H264 10.20.0.2:4002 sendrecv`.
    pub full: String,
    /// `PCMU 10.20.0.2:4000`; the direction only when it is not sendrecv.
    pub short: String,
    /// The same for the first stream alone: `PCMU 10.20.0.2:4000 +1`.
    pub brief: String,
    /// The hop before carried the same.
    pub passed_on: bool,
}

impl SdpSummary {
    /// Of the description `message` carries.
    pub fn of(message: &Message) -> Option<Self> {
        let session = Session::parse(message.sdp()?);
        let full: Vec<_> = session.media.iter().map(|m| media(m, usize::MAX)).collect();
        let short: Vec<_> = session.media.iter().map(|m| media(m, 1)).collect();
        let brief = match short.as_slice() {
            [] => "no media".to_owned(),
            [only] => only.clone(),
            [first, rest @ ..] => format!("{first} +{}", rest.len()),
        };
        let or = |parts: Vec<String>| {
            if parts.is_empty() { brief.clone() } else { parts.join(", ") }
        };
        Some(Self { full: or(full), short: or(short), brief: brief.clone(), passed_on: false })
    }
}

/// One stream with at most `codecs` of its encodings.
fn media(media: &Media<'_>, codecs: usize) -> String {
    let mut names: Vec<String> = Vec::new();
    for codec in &media.codecs {
        // DTMF and comfort noise come with nearly every offer and tell nothing.
        let is_extra = [&b"telephone-event"[..], b"CN", b"red", b"rtx", b"ulpfec"]
            .iter()
            .any(|extra| codec.name.eq_ignore_ascii_case(extra));
        let name = visible(codec.name);
        if !is_extra && !names.contains(&name) {
            names.push(name);
        }
    }
    if names.is_empty() {
        names.push(visible(media.kind));
    }
    let all = names.len();
    names.truncate(codecs);
    let mut text = names.join(" ");
    if media.port == 0 {
        return format!("{text} off");
    }
    if names.len() < all && codecs != 1 {
        text.push('…');
    }
    let address = media.connection.map(visible).unwrap_or_default();
    let address = if address.contains(':') { format!("[{address}]") } else { address };
    let _ = write!(text, " {address}:{}", media.port);
    let direction = direction(media.direction);
    if codecs != 1 || media.direction != Direction::SendRecv {
        text.push(' ');
        text.push_str(direction);
    }
    text
}

/// The word of RFC 3264.
const fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::SendRecv => "sendrecv",
        Direction::SendOnly => "sendonly",
        Direction::RecvOnly => "recvonly",
        Direction::Inactive => "inactive",
    }
}
