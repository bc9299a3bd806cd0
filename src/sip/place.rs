//! Where something stands in the text of a message.

use std::ops::Range;

use super::HeaderName;

/// A place in a message's text, in octets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// First octet.
    pub start: u32,
    /// One past the last octet.
    pub end: u32,
}

impl Span {
    /// As a range of indexes.
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// One header field: where it stands. A folded value is one field.
///
/// Packed into eight octets, since a message has a dozen of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Offset of the name in the lowest 18 bits, then in 12 the octets between name and value, then
    /// the two highest bits of the length of the value.
    places: u32,
    /// The lowest 16 bits of the length of the value.
    value_len: u16,
    /// Length of the name.
    name_len: u8,
    /// Which one.
    pub name: HeaderName,
}

impl Field {
    /// Places are less: no head is longer than the 256 KiB a message may have.
    const REACH: u32 = 1 << 18;
    /// Distances between name and value are less.
    const APART: u32 = 1 << 12;

    /// A field with these places; `None` when the name is too long to be one, or too far from the
    /// value or from the start of the message.
    pub(super) fn new(name: HeaderName, name_span: Span, value: Span) -> Option<Self> {
        let (start, len) = (name_span.start, value.end - value.start);
        let between = value.start.checked_sub(name_span.end)?;
        if Self::REACH <= start.max(len) || Self::APART <= between {
            return None;
        }
        Some(Self {
            places: start | between << 18 | len >> 16 << 30,
            value_len: len as u16,
            name_len: u8::try_from(name_span.end - name_span.start).ok()?,
            name,
        })
    }

    /// Its name as written, without white space.
    pub const fn name_span(self) -> Span {
        let start = self.places % Self::REACH;
        Span { start, end: start + self.name_len as u32 }
    }

    /// Its value, white space at both ends taken off; folds inside kept.
    pub const fn value(self) -> Span {
        let start = self.name_span().end + (self.places >> 18) % Self::APART;
        Span { start, end: start + (self.places >> 30 << 16 | self.value_len as u32) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn fields_stand_anywhere_within_the_longest_head() {
        assert_eq!(size_of::<Field>(), 8);
        let far = (1 << 18) - 1;
        for (start, name_len, between, len) in
            [(0, 0, 0, 0), (1, 1, 1, 1), (far, 255, 4_095, far), (65_536, 7, 2, 65_535)]
        {
            let name = Span { start, end: start + name_len };
            let value = Span { start: name.end + between, end: name.end + between + len };
            let field = Field::new(HeaderName::Via, name, value).unwrap();
            assert_eq!((field.name_span(), field.value()), (name, value));
        }
        for (start, name_len, between, len) in
            [(far + 1, 1, 2, 1), (0, 256, 2, 1), (0, 1, 4_096, 1), (0, 1, 2, far + 1)]
        {
            let name = Span { start, end: start + name_len };
            let value = Span { start: name.end + between, end: name.end + between + len };
            assert_eq!(Field::new(HeaderName::Via, name, value), None);
        }
    }
}
