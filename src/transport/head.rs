//! The little that framing reads of a head: where it ends and what it says about the body.

use memchr::{memchr, memmem};

use crate::transport::lines::{HeaderLines, head_end, split_header};
use crate::transport::peek;
use crate::transport::{scan, start};

/// A declared length above this is a mistake or an attack, and says nothing about the body.
const ABSURD: usize = 16 << 20;

/// What a head says about the length of its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// Content-Length.
    Octets(usize),
    /// Neither Content-Length nor Content-Type: most likely none.
    Zero,
    /// There should be a body and Content-Length is missing or no length.
    Unknown,
}

/// What framing reads of a whole head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// It is one head, of a message whose body has this length.
    One(Length),
    /// A second start line stands at this offset: the head ends there, without an empty line.
    Torn(usize),
}

impl Head {
    /// Reads the head that `bytes` begin with, each line once, and says where it ends: this is asked
    /// of every message. `None` while there is no empty line.
    pub(super) fn read(bytes: &[u8]) -> Option<(usize, Self)> {
        let (mut length, mut has_type) = (None, false);
        let mut at = memchr(b'\n', bytes)? + 1;
        loop {
            let rest = bytes.get(at..)?;
            let end = at + memchr(b'\n', rest)? + 1;
            let line = bytes.get(at..end)?;
            match line.first().map(u8::to_ascii_lowercase)? {
                b'c' | b'l' if may_be_content(line) => {
                    length = length.or_else(|| field(line, b"content-length", b'l'));
                    has_type = has_type || field(line, b"content-type", b'c').is_some();
                }
                b'\n' => break at = end,
                b'\r' if line.len() == 2 => break at = end,
                // A fold, or a line that is none although it begins like one.
                first if first.is_ascii_whitespace() => {
                    let end = head_end(bytes, 0)?;
                    return Some((end, Self::slowly(bytes.get(..end)?)));
                }
                _ => {}
            }
            if names_no_header(line) && start::is_line(rest, line.len()) {
                return Some((head_end(bytes, at)?, Self::Torn(at)));
            }
            at = end;
        }
        let length = match length {
            Some(value) => Length::read(value),
            None if has_type => Length::Unknown,
            None => Length::Zero,
        };
        Some((at, Self::One(length)))
    }

    /// The same for a head of any form.
    #[cold]
    fn slowly(head: &[u8]) -> Self {
        if let Some(next) = start::find_line(head, 1) {
            return Self::Torn(next);
        }
        Self::One(match peek::header(head, b"content-length", b'l') {
            Some(value) => Length::read(value),
            None if peek::header(head, b"content-type", b'c').is_some() => Length::Unknown,
            None => Length::Zero,
        })
    }
}

impl Length {
    fn read(value: &[u8]) -> Self {
        octets(value).map_or(Self::Unknown, Self::Octets)
    }
}

/// False for a field that is about the body neither by its long name nor by its compact one.
fn may_be_content(rest: &[u8]) -> bool {
    // Letters in lower case; the hyphen has that bit set.
    let lower = |eight: &[u8; 8]| u64::from_le_bytes(*eight) | u64::from_le_bytes([0x20; 8]);
    rest.first_chunk().is_none_or(|eight| lower(eight) == lower(b"content-"))
        || rest.get(1).is_none_or(|next| !peek::is_token(*next))
}

/// The value of the field on `line`, when its name is `long` or `compact`.
fn field<'a>(line: &'a [u8], long: &[u8], compact: u8) -> Option<&'a [u8]> {
    let (name, value) = HeaderLines::of(line).next().and_then(split_header)?;
    let is_it = match name {
        [one] => one.to_ascii_lowercase() == compact,
        name => name.eq_ignore_ascii_case(long),
    };
    is_it.then_some(value)
}

/// False for a line whose colon comes before any blank, as in nearly all: in a start line a blank
/// ends the first word.
fn names_no_header(line: &[u8]) -> bool {
    let end = scan::find_any(line, [b':', b' ', b'\t']);
    end.and_then(|end| line.get(end)) != Some(&b':')
}

fn octets(value: &[u8]) -> Option<usize> {
    if value.first()? == &b'+' {
        return None;
    }
    let octets = std::str::from_utf8(value).ok()?.parse().ok()?;
    (octets <= ABSURD).then_some(octets)
}

/// The head that `bytes` begin with, as far as it is there.
pub(super) fn of(bytes: &[u8]) -> &[u8] {
    head_end(bytes, 0).and_then(|end| bytes.get(..end)).unwrap_or(bytes)
}

/// True when a body of unknown length, which begins at `head`, looks like all of it: XML whose
/// root is closed, or session description up to a line end.
///
/// Without this a camera that never sends Content-Length would be heard only at its next message.
pub(super) fn looks_finished(bytes: &[u8], head: usize) -> bool {
    let body = bytes.get(head..).unwrap_or_default();
    if body.ends_with(b"\n") && body.trim_ascii_start().starts_with(b"v=") {
        return memmem::find(body, b"\nm=").is_some();
    }
    let body = body.trim_ascii_end();
    let body = body.strip_suffix(b"\0").unwrap_or(body);
    body.ends_with(b">") && closes_root(body)
}

fn closes_root(xml: &[u8]) -> bool {
    let mut rest = xml;
    while let Some(open) = memchr(b'<', rest) {
        rest = rest.get(open + 1..).unwrap_or_default();
        if !matches!(rest.first(), Some(b'?' | b'!')) {
            break;
        }
    }
    let end = rest.iter().position(|octet| matches!(octet, b' ' | b'>' | b'/' | b'\r' | b'\n'));
    let Some(root) = end.and_then(|end| rest.get(..end)).filter(|root| !root.is_empty()) else {
        return false;
    };
    let closed = xml.strip_suffix(b">").map(<[u8]>::trim_ascii_end);
    closed.and_then(|xml| xml.strip_suffix(root)).is_some_and(|xml| xml.ends_with(b"</"))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn line() -> impl Strategy<Value = String> {
        let odd = "[ -~\\t\\r\u{0}\u{b}\u{c}]{0,20}";
        prop_oneof![
            4 => prop::sample::select(vec![
                "Content-Length: 12", "content-length : 7", "l:3", "L: 5", "Content-Length", "c: text/plain",
                "Content-Type: application/sdp", "Content-Length: +1", "Content-Lengthy: 4", "l", "C",
                "Via: SIP/2.0/UDP a;branch=z9hG4bK1", "Contact: <sip:a@b>", " folded", "\tl: 4",
                "INVITE sip:a@b SIP/2.0", "SIP/2.0 200 OK", "sip/2.0 200 OK", "NOTIFY  sip:a SIP/2.0", "",
            ]).prop_map(str::to_owned),
            1 => odd.prop_map(|odd| odd),
        ]
    }

    #[test]
    fn a_length_that_is_none_says_nothing() {
        let length = |value: &str| {
            let head = format!("A sip:b SIP/2.0\r\nContent-Length: {value}\r\n\r\n");
            Head::read(head.as_bytes()).map(|(_, head)| head)
        };
        assert_eq!(length("12"), Some(Head::One(Length::Octets(12))));
        for bad in ["-999", "+5", "x", "", "99999999999"] {
            assert_eq!(length(bad), Some(Head::One(Length::Unknown)), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn one_look_at_each_line_reads_what_looks_of_their_own_read(
            lines in vec((line(), prop::sample::select(vec!["\r\n", "\n"])), 0..12),
        ) {
            let mut text = b"OPTIONS sip:a SIP/2.0\r\n".to_vec();
            for (line, end) in &lines {
                text.extend([line.as_bytes(), end.as_bytes()].concat());
            }
            text.extend(b"\r\n");
            let head = of(&text);
            prop_assert_eq!(Head::read(&text), Some((head.len(), Head::slowly(head))));
            for end in 0..head.len() {
                prop_assert_eq!(Head::read(&text[..end]), None);
            }
        }
    }
}
