//! What is asked of every message again and again, read once.

use super::field::address::plain_tag;
use super::{CSeq, HeaderName, Message, NameAddr};

/// Places of the values that pair messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Glance {
    from_tag: Place,
    to_tag: Place,
    /// The method of CSeq; its number stands beside it.
    method: Place,
    number: u32,
}

/// Where a value stands in the text, in four octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    start: u16,
    len: u16,
}

impl Place {
    /// There is no such value.
    const NONE: Self = Self { start: u16::MAX, len: 0 };
    /// The value is long, or too far from the start of the message: it is read when it is asked for.
    const FAR: Self = Self { start: u16::MAX, len: u16::MAX };

    fn of(part: Option<&[u8]>, message: &Message) -> Self {
        let Some(span) = part.and_then(|part| message.span_of(part)) else { return Self::NONE };
        let place = (u16::try_from(span.start), u16::try_from(span.end - span.start));
        let (Ok(start), Ok(len)) = place else { return Self::FAR };
        if start == u16::MAX { Self::FAR } else { Self { start, len } }
    }

    /// The value, empty when there is none; `again` reads one that is far.
    #[inline]
    fn read<'m>(
        self,
        message: &'m Message,
        again: impl Fn(&'m Message) -> Option<&'m [u8]>,
    ) -> &'m [u8] {
        if self == Self::FAR {
            return again(message).unwrap_or_default();
        }
        let start = usize::from(self.start);
        message.text().get(start..start + usize::from(self.len)).unwrap_or_default()
    }
}

impl Default for Glance {
    fn default() -> Self {
        Self { from_tag: Place::NONE, to_tag: Place::NONE, method: Place::NONE, number: 0 }
    }
}

impl Glance {
    /// Reads them from a message that is complete but for its glance.
    pub(super) fn of(message: &Message) -> Self {
        let cseq = cseq(message);
        Self {
            from_tag: Place::of(from_tag(message), message),
            to_tag: Place::of(to_tag(message), message),
            method: Place::of(cseq.map(|cseq| cseq.method), message),
            number: cseq.map_or(0, |cseq| cseq.number),
        }
    }

    #[inline]
    pub(super) fn tag_of_from(self, message: &Message) -> Option<&[u8]> {
        filled(self.from_tag.read(message, from_tag))
    }

    #[inline]
    pub(super) fn tag_of_to(self, message: &Message) -> Option<&[u8]> {
        filled(self.to_tag.read(message, to_tag))
    }

    #[inline]
    pub(super) fn cseq(self, message: &Message) -> Option<CSeq<'_>> {
        let method = || self.method.read(message, |message| cseq(message).map(|cseq| cseq.method));
        (self.method != Place::NONE).then(|| CSeq { number: self.number, method: method() })
    }
}

fn from_tag(message: &Message) -> Option<&[u8]> {
    tag_in(message.value(HeaderName::From)?)
}

fn to_tag(message: &Message) -> Option<&[u8]> {
    tag_in(message.value(HeaderName::To)?)
}

fn tag_in(address: &[u8]) -> Option<&[u8]> {
    let tag = plain_tag(address).or_else(|| NameAddr::parse(address)?.tag());
    tag.and_then(filled)
}

fn cseq(message: &Message) -> Option<CSeq<'_>> {
    message.value(HeaderName::CSeq).and_then(CSeq::parse)
}

fn filled(part: &[u8]) -> Option<&[u8]> {
    (!part.is_empty()).then_some(part)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::message::tests::parsed;
    use super::*;

    #[track_caller]
    fn check(filler: usize, tag: usize) {
        let (filler, tag) = ("x".repeat(filler), "t".repeat(tag));
        let text = format!(
            "BYE sip:b SIP/2.0\r\nSubject: {filler}\r\nFrom: <sip:a@a>;tag={tag}\r\n\
             To: <sip:b@b>;tag=2{tag}\r\nCSeq: 7 BYE\r\n\r\n"
        );
        let message = parsed(text.as_bytes()).unwrap();
        assert_eq!(message.from_tag(), filled(tag.as_bytes()));
        assert_eq!(message.to_tag(), Some(format!("2{tag}").as_bytes()));
        assert_eq!(message.cseq(), Some(CSeq { number: 7, method: b"BYE" }));
    }

    #[test]
    fn values_are_found_near_and_far() {
        check(1, 0);
        check(1, 9);
        check(65_400, 9);
        check(65_480, 9);
        check(65_500, 9);
        check(65_536, 9);
        check(200_000, 9);
        check(1, 70_000);
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let message = parsed(b"BYE sip:b SIP/2.0\r\nCSeq: 7\r\n\r\n").unwrap();
        assert_eq!((message.from_tag(), message.to_tag()), (None, None));
        assert_eq!(message.cseq(), Some(CSeq { number: 7, method: b"" }));
        let message = parsed(b"BYE sip:b SIP/2.0\r\nCSeq: x\r\n\r\n").unwrap();
        assert_eq!(message.cseq(), None);
    }

    #[test]
    fn a_glance_takes_sixteen_octets() {
        assert_eq!(size_of::<Glance>(), 16);
    }
}
