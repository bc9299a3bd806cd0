//! Says to which call flow an observation belongs, without reading more of it than the Call-ID.

use memchr::memchr;
use rustc_hash::FxHashMap;

use crate::model::{EvidenceKind, Seed};
use crate::net::Endpoint;
use crate::transport::{ConnectionChange, Envelope, Observation, Signal, Text};

/// Pairs of endpoints remembered in one generation.
const PAIRS: usize = 1 << 15;

/// An observation on its way to the analyzer that has its flow.
pub(super) struct Item {
    /// The flow; equal for all that belongs to one Call-ID.
    pub(super) flow: u64,
    pub(super) what: What,
}

pub(super) enum What {
    Message { envelope: Envelope, text: Text },
    Evidence { signal: Signal, kind: EvidenceKind, ends: (Endpoint, Endpoint) },
}

/// Knows which flow was last seen between two endpoints, for errors that name no Call-ID.
pub(super) struct Router {
    seed: Seed,
    young: FxHashMap<u64, u64>,
    old: FxHashMap<u64, u64>,
}

impl Router {
    pub(super) fn new(seed: Seed) -> Self {
        Self { seed, young: FxHashMap::default(), old: FxHashMap::default() }
    }

    /// The item for `observation`; `None` when it belongs to no flow.
    pub(super) fn route(&mut self, observation: &Observation<'_>) -> Option<Item> {
        match *observation {
            Observation::Message { envelope, text, home } => {
                let flow = self.flow_of(text, &envelope);
                self.remember((envelope.from, envelope.to), flow);
                let text = Text::of(text, home);
                Some(Item { flow, what: What::Message { envelope, text } })
            }
            Observation::Ping { .. } => None,
            Observation::Connection { signal, change } => {
                if matches!(change, ConnectionChange::Opened | ConnectionChange::Closed) {
                    return None;
                }
                let ends = (signal.from, signal.to);
                let flow = self.recall(ends)?;
                let kind = EvidenceKind::Connection(change);
                Some(Item { flow, what: What::Evidence { signal, kind, ends } })
            }
            Observation::Unreachable { signal, kind, quoted_from, quoted_to, quoted } => {
                let ends = (quoted_from, quoted_to);
                let named = call_id(quoted).map(|id| self.seed.hash(id));
                let flow = named.or_else(|| self.recall(ends))?;
                let kind = EvidenceKind::Icmp(kind);
                Some(Item { flow, what: What::Evidence { signal, kind, ends } })
            }
        }
    }

    /// Messages without Call-ID are kept together by their hosts.
    fn flow_of(&self, text: &[u8], envelope: &Envelope) -> u64 {
        let (one, other) = (envelope.from.ip, envelope.to.ip);
        match call_id(text) {
            Some(id) => self.seed.hash(id),
            None => self.seed.hash((one.min(other), one.max(other))),
        }
    }

    fn remember(&mut self, ends: (Endpoint, Endpoint), flow: u64) {
        if PAIRS <= self.young.len() {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(self.seed.hash(ends), flow);
    }

    fn recall(&self, (from, to): (Endpoint, Endpoint)) -> Option<u64> {
        let keys = [self.seed.hash((from, to)), self.seed.hash((to, from))];
        let found = |key: &u64| self.young.get(key).or_else(|| self.old.get(key)).copied();
        keys.iter().find_map(found)
    }
}

/// The value of the first Call-ID field of `text`, as far as it is there.
fn call_id(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text;
    while let Some(end) = memchr(b'\n', rest) {
        rest = &rest[end + 1..];
        match rest.first()? {
            b'C' | b'c' | b'I' | b'i' => {}
            b'\r' | b'\n' => return None,
            _ => continue,
        }
        let colon = memchr(b':', &rest[..rest.len().min(64)]);
        let Some((name, value)) = colon.map(|at| (&rest[..at], &rest[at + 1..])) else { continue };
        let name = name.trim_ascii_end();
        if !name.eq_ignore_ascii_case(b"call-id") && !name.eq_ignore_ascii_case(b"i") {
            continue;
        }
        let end = memchr(b'\n', value).unwrap_or(value.len());
        let id = value[..end].trim_ascii();
        // A folded value stands on the next line.
        let folded = value.get(end + 1..).filter(|next| matches!(next.first(), Some(b' ' | b'\t')));
        let id = match (id.is_empty(), folded) {
            (true, Some(next)) => next[..memchr(b'\n', next).unwrap_or(next.len())].trim_ascii(),
            _ => id,
        };
        return Some(id).filter(|id| !id.is_empty());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, id: Option<&str>) {
        assert_eq!(call_id(text.as_bytes()), id.map(str::as_bytes), "{text:?}");
    }

    #[test]
    fn the_call_id_is_found_in_any_spelling() {
        check("INVITE sip:b SIP/2.0\r\nVia: x\r\nCall-ID: a@b\r\n\r\n", Some("a@b"));
        check("INVITE sip:b SIP/2.0\ncall-id :  a@b \n\n", Some("a@b"));
        check("INVITE sip:b SIP/2.0\r\nCSeq: 1 INVITE\r\ni:x\r\n\r\n", Some("x"));
        check("INVITE sip:b SIP/2.0\r\nCall-ID:\r\n folded\r\n\r\n", Some("folded"));
        check("INVITE sip:b SIP/2.0\r\nCall-ID: cut@he", Some("cut@he"));
    }

    #[test]
    fn a_call_id_in_the_body_is_none() {
        check("INVITE sip:b SIP/2.0\r\nTo: x\r\n\r\nCall-ID: body\r\n", None);
        check("INVITE sip:b SIP/2.0\r\nCall-Info: x\r\nCall-ID:\r\n\r\n", None);
    }
}
