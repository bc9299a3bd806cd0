//! What is wrong in session descriptions, and between offer and answer (S).

pub(super) mod sdp_mandatory_lines;
pub(super) mod sdp_connection_missing;
pub(super) mod mline_count_mismatch;
pub(super) mod answer_codec_not_offered;
pub(super) mod offer_unanswered;

use crate::rules::Verdict;
use crate::sip::{HeaderName, Message};
use crate::transport::{Completeness, scan};

/// Octets after a body that are taken for padding.
const PADDING: usize = 4;

/// The session description of a message that is all there; the verdict otherwise.
fn description(message: &Message) -> Result<&[u8], Verdict> {
    let body = message.sdp().filter(|body| !body.is_empty()).ok_or(Verdict::Moot)?;
    if message.envelope.completeness != Completeness::Whole {
        return Err(Verdict::Undecided("body not whole"));
    }
    let declared = message.number(HeaderName::ContentLength);
    let actual = message.body().len() as u64;
    if declared.is_some_and(|declared| actual < declared) {
        return Err(Verdict::Undecided("body shorter than declared"));
    }
    // With octets left over, the count that cut the body may be the one that is wrong.
    let rest = message.text().len().saturating_sub(message.body_span().end as usize);
    if declared.is_some() && PADDING < rest {
        return Err(Verdict::Undecided("octets after the declared end of the body"));
    }
    Ok(body)
}

/// The lines of a description: letter, value and place in the body.
fn lines(body: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    scan::pieces(body, b'\n').filter_map(|line| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match line {
            [letter, b'=', value @ ..] => Some((*letter, value)),
            _ => None,
        }
    })
}

/// The port of an m= line; `None` when it has none.
fn port(value: &[u8]) -> Option<u16> {
    let port = scan::pieces(value, b' ').filter(|word| !word.is_empty()).nth(1)?;
    let port = port.split(|octet| *octet == b'/').next()?;
    std::str::from_utf8(port).ok()?.parse().ok()
}
