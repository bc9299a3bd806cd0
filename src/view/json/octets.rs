//! Octets of a message as strings of JSON, from which no terminal can be driven.

use std::io::{self, Write};

use serde::{Serialize, Serializer};
use serde_json::ser::Formatter;

use crate::octets::octets;
use crate::view::visible::is_treacherous;

/// Octets that are written by [`octets()`].
pub struct Octets<'a>(pub &'a [u8]);

impl Serialize for Octets<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&octets(self.0))
    }
}

/// Appends `bytes` as a JSON string, quotes included.
pub fn append(bytes: &[u8], out: &mut Vec<u8>) {
    append_text(&octets(bytes), out);
}

/// Appends `text`, which may be [octets] as text already, as a JSON string, quotes included.
pub fn append_text(text: &str, out: &mut Vec<u8>) {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
    out.push(b'"');
    if text.bytes().all(is_plain) {
        out.extend_from_slice(text.as_bytes());
    } else {
        for c in text.chars() {
            append_char(c, out);
        }
    }
    out.push(b'"');
}

fn append_char(c: char, out: &mut Vec<u8>) {
    match c {
        '"' | '\\' => out.extend([b'\\', c as u8]),
        c if is_treacherous(c) => {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.extend(format!("\\u{unit:04x}").bytes());
            }
        }
        c => out.extend(c.encode_utf8(&mut [0; 4]).bytes()),
    }
}

/// Writes JSON whose strings cannot move a cursor or turn text around: equal to any other JSON
/// for a parser, safe for a terminal.
pub(super) struct Careful;

impl Formatter for Careful {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        if fragment.is_ascii() && !fragment.contains('\x7f') {
            return writer.write_all(fragment.as_bytes());
        }
        let mut bytes = Vec::with_capacity(fragment.len() + 8);
        for c in fragment.chars() {
            append_char(c, &mut bytes);
        }
        writer.write_all(&bytes)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    /// What docs/json.md tells readers to do.
    fn back(text: &str) -> Vec<u8> {
        let bytes = text.as_bytes();
        let (mut out, mut at) = (Vec::new(), 0);
        while at < bytes.len() {
            let code = bytes[at..].strip_prefix(b"\\x").and_then(|rest| rest.get(..2));
            match code.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()) {
                Some(byte) => (out.push(byte), at += 4).1,
                None => (out.push(bytes[at]), at += 1).1,
            }
        }
        out
    }

    #[test]
    fn strange_octets_survive_the_way_out_and_back() {
        let cases: [&[u8]; 7] =
            [b"plain", b"caf\xe9", b"a\\x41", b"\\\xff\\x", b"\\\\xe9", b"\xf0\x9f", b"\\xe9\xe9"];
        for case in cases {
            assert_eq!(back(&octets(case)), case, "{}", octets(case));
            let mut json = Vec::new();
            append(case, &mut json);
            let text: String = serde_json::from_slice(&json).unwrap();
            assert_eq!(back(&text), case);
            let mut slow = Vec::new();
            super::super::value(&Octets(case), &mut slow).unwrap();
            assert_eq!(serde_json::from_slice::<String>(&slow).unwrap(), text);
        }
    }

    #[test]
    fn json_cannot_drive_a_terminal() {
        let mut json = Vec::new();
        append("a\u{1b}[2J\u{9b}\u{202e}\u{7f}\u{e0001}".as_bytes(), &mut json);
        assert_eq!(json, br#""a\u001b[2J\u009b\u202e\u007f\udb40\udc01""#);
        let mut slow = Vec::new();
        super::super::value(&"a\u{1b}[2J\u{9b}\u{202e}\u{7f}\u{e0001}", &mut slow).unwrap();
        assert_eq!(slow, json);
    }
}
