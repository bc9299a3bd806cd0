//! What is asked of every message again and again, read once.

use super::field::strict::plain;
use super::parse::span;
use super::{CSeq, Field, HeaderName, HeaderSet, Message, NameAddr, Span, plain_branch};

/// Places of the values that pair messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Glance {
    branch: Place,
    from_tag: Place,
    to_tag: Place,
    /// The method of CSeq; its number stands beside it.
    method: Place,
    number: u32,
}

/// Where a value stands in the text, and whether the field it is part of was seen to be right, in
/// three octets: where it starts, the lower first, then its length and above it the verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place([u8; 3]);

impl Place {
    /// There is no such value.
    const NONE: Self = Self([u8::MAX, u8::MAX, 0]);
    /// The value is long, or too far from the start of the message: it is read when it is asked for.
    const FAR: Self = Self([u8::MAX, u8::MAX, Self::LONG]);
    /// Lengths are less.
    const LONG: u8 = 0x7f;
    /// The field is right.
    const RIGHT: u8 = 0x80;

    fn of(text: &[u8], part: Option<&[u8]>) -> Self {
        let Some(part) = part else { return Self::NONE };
        match (u16::try_from(span(text, part).start), u8::try_from(part.len())) {
            (Ok(start), Ok(len)) if start < u16::MAX && len < Self::LONG => {
                let [low, high] = start.to_le_bytes();
                Self([low, high, len])
            }
            _ => Self::FAR,
        }
    }

    const fn in_right_field(self) -> Self {
        let [low, high, len] = self.0;
        Self([low, high, len | Self::RIGHT])
    }

    const fn is_in_right_field(self) -> bool {
        Self::RIGHT <= self.0[2]
    }

    /// The value; `again` reads one that is far.
    #[inline]
    fn read<'m>(
        self,
        message: &'m Message,
        again: impl Fn(&'m Message) -> Option<&'m [u8]>,
    ) -> Option<&'m [u8]> {
        let [low, high, len] = self.0;
        match (u16::from_le_bytes([low, high]), len % Self::RIGHT) {
            (u16::MAX, 0) => None,
            (u16::MAX, _) => again(message),
            (start, len) => {
                let start = usize::from(start);
                message.text().get(start..start + usize::from(len))
            }
        }
    }
}

/// A strict reader of values written as nearly everybody writes them: what it finds, maybe empty,
/// in one that is right.
type Plain = for<'a> fn(&'a [u8], Span) -> Option<&'a [u8]>;

impl Glance {
    /// Reads them from the first of `fields` with each name.
    pub(super) fn of(text: &[u8], fields: &[Field]) -> Self {
        let first = |name| fields.iter().find(|field| field.name == name).map(|f| f.value());
        let place = |name, plain: Plain, full: fn(&[u8]) -> Option<&[u8]>| {
            let Some(value) = first(name) else { return Place::NONE };
            match plain(text, value) {
                Some(part) => Place::of(text, filled(part)).in_right_field(),
                None => Place::of(text, text.get(value.range()).and_then(full)),
            }
        };
        let mut glance = Self {
            branch: place(HeaderName::Via, plain::branch, plain_branch),
            from_tag: place(HeaderName::From, plain::tag, tag_in),
            to_tag: place(HeaderName::To, plain::tag, tag_in),
            method: Place::NONE,
            number: 0,
        };
        if let Some(value) = first(HeaderName::CSeq) {
            let plain = plain::cseq(text, value);
            let cseq = plain.or_else(|| text.get(value.range()).and_then(CSeq::parse));
            let method = Place::of(text, cseq.map(|cseq| cseq.method));
            glance.method = if plain.is_some() { method.in_right_field() } else { method };
            glance.number = cseq.map_or(0, |cseq| cseq.number);
        }
        glance
    }

    /// The names whose first field was seen to be right.
    pub(super) fn right(self) -> HeaderSet {
        let mut names = HeaderSet::default();
        for (place, name) in [
            (self.branch, HeaderName::Via),
            (self.from_tag, HeaderName::From),
            (self.to_tag, HeaderName::To),
            (self.method, HeaderName::CSeq),
        ] {
            if place.is_in_right_field() {
                names.insert(name);
            }
        }
        names
    }

    #[inline]
    pub(super) fn branch(self, message: &Message) -> Option<&[u8]> {
        let again = |message| Message::value(message, HeaderName::Via).and_then(plain_branch);
        self.branch.read(message, again)
    }

    #[inline]
    pub(super) fn tag_of_from(self, message: &Message) -> Option<&[u8]> {
        self.from_tag.read(message, |message| tag_in(message.value(HeaderName::From)?))
    }

    #[inline]
    pub(super) fn tag_of_to(self, message: &Message) -> Option<&[u8]> {
        self.to_tag.read(message, |message| tag_in(message.value(HeaderName::To)?))
    }

    #[inline]
    pub(super) fn cseq(self, message: &Message) -> Option<CSeq<'_>> {
        let again = |message| Message::value(message, HeaderName::CSeq).and_then(CSeq::parse);
        let method = self.method.read(message, |message| again(message).map(|cseq| cseq.method))?;
        Some(CSeq { number: self.number, method })
    }
}

fn tag_in(address: &[u8]) -> Option<&[u8]> {
    NameAddr::parse(address)?.tag().and_then(filled)
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
