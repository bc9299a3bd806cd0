//! Where something stands in the text of a message.

use std::ops::Range;

use memchr::memrchr_iter;

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

/// One header field: where its value stands. A folded value is one field.
///
/// Packed into six octets, since a message has a dozen of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The lowest 16 bits of the offset of the value.
    at: u16,
    /// The lowest 16 bits of its length.
    len: u16,
    /// The two highest bits of the offset, then those of the length.
    high: u8,
    /// Which one.
    pub name: HeaderName,
}

impl Field {
    /// Places are less: no head is longer than the 256 KiB a message may have.
    const REACH: u32 = 1 << 18;

    /// A field with this value; `None` when the value is longer than a head may be, or begins behind
    /// where it ends.
    pub(super) fn new(name: HeaderName, value: Span) -> Option<Self> {
        let (at, len) = (value.start, value.end - value.start);
        if Self::REACH <= at.max(len) {
            return None;
        }
        let high = (at >> 16 | len >> 16 << 2) as u8;
        Some(Self { at: at as u16, len: len as u16, high, name })
    }

    /// Its value, white space at both ends taken off; folds inside kept.
    pub const fn value(self) -> Span {
        let start = self.at as u32 | (self.high as u32 & 3) << 16;
        Span { start, end: start + (self.len as u32 | (self.high as u32 >> 2) << 16) }
    }

    /// Its name as written, without white space: what stands before the colon in `text`, whose first
    /// header line begins at `head`.
    pub(super) fn name_span(self, text: &[u8], head: usize) -> Span {
        let before = text.get(head..self.value().start as usize).unwrap_or_default();
        let before = before.trim_ascii_end().strip_suffix(b":").unwrap_or_default();
        // A line that begins with white space goes on with the one before it.
        let is_begin = |end: &usize| !matches!(before.get(end + 1), Some(b' ' | b'\t'));
        let start = memrchr_iter(b'\n', before).find(is_begin).map_or(0, |end| end + 1);
        let name = before[start..].trim_ascii_start();
        let start = head + before.len() - name.len();
        Span { start: start as u32, end: (start + name.trim_ascii_end().len()) as u32 }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn values_stand_anywhere_within_the_longest_head() {
        assert_eq!(size_of::<Field>(), 6);
        let far = (1 << 18) - 1;
        for (start, len) in [(0, 0), (1, 1), (far, far), (65_536, 65_535), (65_535, 65_536)] {
            let value = Span { start, end: start + len };
            assert_eq!(Field::new(HeaderName::Via, value).unwrap().value(), value);
        }
        for (start, len) in [(far + 1, 1), (1, far + 1)] {
            let value = Span { start, end: start + len };
            assert_eq!(Field::new(HeaderName::Via, value), None);
        }
    }
}
