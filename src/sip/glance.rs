//! What is asked of every message again and again, read once.

use super::{CSeq, HeaderName, Message, Span};

/// Places of the values that pair messages; an empty place is a value that is not there.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Glance {
    from_tag: Span,
    to_tag: Span,
    number: Option<u32>,
    method: Span,
}

impl Glance {
    /// Reads them from a message that is complete but for its glance.
    pub(super) fn of(message: &Message) -> Self {
        let place = |part: Option<&[u8]>| part.and_then(|part| message.span_of(part));
        let cseq = message.value(HeaderName::CSeq).and_then(CSeq::parse);
        Self {
            from_tag: place(message.from().and_then(|from| from.tag())).unwrap_or_default(),
            to_tag: place(message.to().and_then(|to| to.tag())).unwrap_or_default(),
            number: cseq.map(|cseq| cseq.number),
            method: place(cseq.map(|cseq| cseq.method)).unwrap_or_default(),
        }
    }

    pub(super) fn tag_of_from(self, message: &Message) -> Option<&[u8]> {
        filled(message.at(self.from_tag))
    }

    pub(super) fn tag_of_to(self, message: &Message) -> Option<&[u8]> {
        filled(message.at(self.to_tag))
    }

    pub(super) fn cseq(self, message: &Message) -> Option<CSeq<'_>> {
        Some(CSeq { number: self.number?, method: message.at(self.method) })
    }
}

fn filled(part: &[u8]) -> Option<&[u8]> {
    (!part.is_empty()).then_some(part)
}
