//! What is asked of every message again and again, read once.

use super::field::address::plain_tag;
use super::{CSeq, HeaderName, Message, NameAddr, plain_branch};

/// Places of the values that pair messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Glance {
    /// Where each begins.
    starts: [u16; PARTS],
    /// Octets of each.
    lens: [u8; PARTS],
    /// The number of CSeq; its method stands among the places.
    number: u32,
}

/// A value of which the place is kept, and how it is read.
#[derive(Clone, Copy)]
enum Part {
    FromTag,
    ToTag,
    Method,
    Branch,
}

const PARTS: usize = 4;

impl Part {
    const ALL: [Self; PARTS] = [Self::FromTag, Self::ToTag, Self::Method, Self::Branch];

    fn read(self, message: &Message) -> Option<&[u8]> {
        match self {
            Self::FromTag => tag_in(message.value(HeaderName::From)?),
            Self::ToTag => tag_in(message.value(HeaderName::To)?),
            Self::Method => cseq(message).map(|cseq| cseq.method),
            Self::Branch => plain_branch(message.value(HeaderName::Via)?),
        }
    }
}

/// Where a value stands in the text, in three octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    start: u16,
    len: u8,
}

impl Place {
    /// There is no such value.
    const NONE: Self = Self { start: u16::MAX, len: 0 };
    /// The value is long, or too far from the start of the message: it is read when it is asked for.
    const FAR: Self = Self { start: u16::MAX, len: u8::MAX };

    fn of(part: Option<&[u8]>, message: &Message) -> Self {
        let Some(span) = part.and_then(|part| message.span_of(part)) else { return Self::NONE };
        let place = (u16::try_from(span.start), u8::try_from(span.end - span.start));
        let (Ok(start), Ok(len)) = place else { return Self::FAR };
        if start == u16::MAX { Self::FAR } else { Self { start, len } }
    }
}

impl Default for Glance {
    fn default() -> Self {
        let Place { start, len } = Place::NONE;
        Self { starts: [start; PARTS], lens: [len; PARTS], number: 0 }
    }
}

impl Glance {
    /// Reads them from a message that is complete but for its glance.
    pub(super) fn of(message: &Message) -> Self {
        let cseq = cseq(message);
        let mut glance = Self { number: cseq.map_or(0, |cseq| cseq.number), ..Self::default() };
        for part in Part::ALL {
            let value = match part {
                Part::Method => cseq.map(|cseq| cseq.method),
                part => part.read(message),
            };
            let place = Place::of(value, message);
            (glance.starts[part as usize], glance.lens[part as usize]) = (place.start, place.len);
        }
        glance
    }

    #[inline]
    pub(super) fn tag_of_from(self, message: &Message) -> Option<&[u8]> {
        self.read(Part::FromTag, message).and_then(filled)
    }

    #[inline]
    pub(super) fn tag_of_to(self, message: &Message) -> Option<&[u8]> {
        self.read(Part::ToTag, message).and_then(filled)
    }

    #[inline]
    pub(super) fn cseq(self, message: &Message) -> Option<CSeq<'_>> {
        let method = self.read(Part::Method, message)?;
        Some(CSeq { number: self.number, method })
    }

    #[inline]
    pub(super) fn plain_branch(self, message: &Message) -> Option<&[u8]> {
        self.read(Part::Branch, message)
    }

    /// The value of `part`, maybe empty.
    #[inline]
    fn read(self, part: Part, message: &Message) -> Option<&[u8]> {
        let place = Place { start: self.starts[part as usize], len: self.lens[part as usize] };
        match place {
            Place::NONE => None,
            Place::FAR => part.read(message),
            Place { start, len } => {
                let start = usize::from(start);
                message.text().get(start..start + usize::from(len))
            }
        }
    }
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
            "BYE sip:b SIP/2.0\r\nSubject: {filler}\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1{tag}\r\n\
             From: <sip:a@a>;tag={tag}\r\nTo: <sip:b@b>;tag=2{tag}\r\nCSeq: 7 BYE\r\n\r\n"
        );
        let message = parsed(text.as_bytes()).unwrap();
        assert_eq!(message.from_tag(), filled(tag.as_bytes()));
        assert_eq!(message.to_tag(), Some(format!("2{tag}").as_bytes()));
        assert_eq!(message.cseq(), Some(CSeq { number: 7, method: b"BYE" }));
        assert_eq!(message.plain_branch(), Some(format!("z9hG4bK1{tag}").as_bytes()));
    }

    #[test]
    fn values_are_found_near_and_far() {
        check(1, 0);
        check(1, 9);
        check(1, 253);
        check(1, 254);
        check(1, 255);
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
        assert_eq!(message.plain_branch(), None);
        assert_eq!(message.cseq(), Some(CSeq { number: 7, method: b"" }));
        let message = parsed(b"BYE sip:b SIP/2.0\r\nCSeq: x\r\n\r\n").unwrap();
        assert_eq!(message.cseq(), None);
    }

    #[test]
    fn a_glance_takes_sixteen_octets() {
        assert_eq!(size_of::<Glance>(), 16);
    }
}
