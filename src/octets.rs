//! Octets of strangers as text that can be turned back into the same octets.
//!
//! What is UTF-8 stays as it is. An octet that is not is written `\xNN`, and a backslash before an
//! `x` is written `\x5c`; so `\xNN` always means the octet NN, and two values are equal exactly
//! when their texts are. Names that are kept as text are kept so; what a terminal must not see,
//! views escape when they show it.

use std::borrow::Cow;
use std::fmt::Write as _;

use memchr::memmem;

/// `bytes` as text, reversible.
pub fn octets(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        // Nearly none has a backslash, which is found out for less.
        Ok(text) if !text.contains('\\') => Cow::Borrowed(text),
        Ok(text) if memmem::find(bytes, b"\\x").is_none() => Cow::Borrowed(text),
        _ => Cow::Owned(escaped(bytes)),
    }
}

fn escaped(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 8);
    for chunk in bytes.utf8_chunks() {
        out.push_str(&chunk.valid().replace("\\x", "\\x5cx"));
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}
