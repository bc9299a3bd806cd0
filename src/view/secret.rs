//! Secrets in messages, found so that no view prints them: passwords, digest responses, keys.

use std::ops::Range;

use memchr::memmem;

use crate::sip::{HeaderName, Message};

/// What stands where a secret was.
pub const MASK: &str = "****";

/// The places of secrets in the text of `message`, in order, apart from each other.
pub fn places(message: &Message) -> Vec<Range<usize>> {
    let text = message.text();
    let mut found = Vec::new();
    for field in message.fields() {
        let value = field.value().range();
        if matches!(field.name, HeaderName::Authorization | HeaderName::ProxyAuthorization) {
            credentials(text, value.clone(), &mut found);
        }
        user_passwords(text, value, &mut found);
    }
    user_passwords(text, 0..message.start_line().len(), &mut found);
    named_values(text, 0..text.len(), &mut found);
    joined(found)
}

/// Those of them in the first line.
pub(super) fn places_in_first_line(message: &Message) -> Vec<Range<usize>> {
    let line = 0..message.start_line().len();
    let mut found = Vec::new();
    user_passwords(message.text(), line.clone(), &mut found);
    named_values(message.text(), line, &mut found);
    joined(found)
}

/// `found` in order, apart from each other.
fn joined(mut found: Vec<Range<usize>>) -> Vec<Range<usize>> {
    found.sort_by_key(|place| (place.start, place.end));
    found.dedup_by(|later, earlier| {
        let joined = later.start < earlier.end;
        if joined {
            earlier.end = earlier.end.max(later.end);
        }
        joined
    });
    found
}

/// Parts of `range` of a text, in order: as they are, or secret.
pub fn parts(secrets: &[Range<usize>], range: Range<usize>) -> Vec<(Range<usize>, Part)> {
    let mut out = Vec::new();
    let mut at = range.start;
    for secret in secrets.iter().filter(|s| range.start < s.end && s.start < range.end) {
        if at < secret.start {
            out.push((at..secret.start, Part::Open));
        }
        let end = secret.end.min(range.end);
        out.push((secret.start.max(range.start)..end, Part::Secret));
        at = end;
    }
    if at < range.end {
        out.push((at..range.end, Part::Open));
    }
    out
}

/// Whether a part of a text may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// It may.
    Open,
    /// [`MASK`] is shown in its place.
    Secret,
}

/// Parameters of credentials that prove knowledge of the password, and Basic's password itself.
fn credentials(text: &[u8], value: Range<usize>, found: &mut Vec<Range<usize>>) {
    let Some(all) = text.get(value.clone()) else { return };
    if all.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"basic ")) {
        found.push(value.start + 6..value.end);
    }
    values_after(text, value, b"response", b"=", found);
}

/// `sip:user:password@host`: the part between the colon after the user and the at sign.
fn user_passwords(text: &[u8], value: Range<usize>, found: &mut Vec<Range<usize>>) {
    let Some(all) = text.get(value.clone()) else { return };
    let mut from = 0;
    for at in memchr::memchr_iter(b'@', all) {
        let begin = std::mem::replace(&mut from, at + 1);
        let before = all.get(..at).unwrap_or_default();
        let near = before.get(begin..).unwrap_or_default();
        let user =
            begin + near.iter().rposition(|b| b"<> \t\";,=".contains(b)).map_or(0, |i| i + 1);
        let Some(scheme) = memchr::memchr(b':', before.get(user..).unwrap_or_default()) else {
            continue;
        };
        let user = user + scheme + 1;
        if let Some(colon) = memchr::memchr(b':', before.get(user..).unwrap_or_default()) {
            found.push(value.start + user + colon + 1..value.start + at);
        }
    }
}

/// Values behind names that say they are secret, wherever they stand in `all`.
fn named_values(text: &[u8], all: Range<usize>, found: &mut Vec<Range<usize>>) {
    for (name, separator) in [
        (&b"password"[..], &b"="[..]),
        (b"passwd", b"="),
        (b"a=ice-pwd", b":"),
        (b"\nk", b"="),
        (b"a=key-mgmt", b":"),
        (b"<password", b">"),
        (b"<pwd", b">"),
    ] {
        values_after(text, all.clone(), name, separator, found);
    }
    for at in memmem::find_iter(text.get(all.clone()).unwrap_or_default(), b"inline:") {
        found.push(value_at(text, all.start + at + 7, all.end));
    }
}

/// The values behind `name` and `separator`, which are compared in any case.
fn values_after(
    text: &[u8],
    range: Range<usize>,
    name: &[u8],
    separator: &[u8],
    found: &mut Vec<Range<usize>>,
) {
    let Some(&first) = name.first() else { return };
    let Some(all) = text.get(range.clone()) else { return };
    for at in memchr::memchr2_iter(first, first.to_ascii_uppercase(), all) {
        let rest = all.get(at..).unwrap_or_default();
        if !rest.get(..name.len()).is_some_and(|n| n.eq_ignore_ascii_case(name)) {
            continue;
        }
        let rest = rest.get(name.len()..).unwrap_or_default();
        let blanks = rest.iter().take_while(|b| **b == b' ').count();
        if rest.get(blanks..).is_some_and(|r| r.starts_with(separator)) {
            let start = range.start + at + name.len() + blanks + separator.len();
            let place = value_at(text, start, range.end);
            if !place.is_empty() {
                found.push(place);
            }
        }
    }
}

/// The value at `start`: inside quotes, or up to the next delimiter.
fn value_at(text: &[u8], start: usize, end: usize) -> Range<usize> {
    let rest = text.get(start..end).unwrap_or_default();
    let blanks = rest.iter().take_while(|b| **b == b' ').count();
    let start = start + blanks;
    let rest = rest.get(blanks..).unwrap_or_default();
    if let Some(quoted) = rest.strip_prefix(b"\"") {
        let len = memchr::memchr3(b'"', b'\r', b'\n', quoted).unwrap_or(quoted.len());
        return start + 1..start + 1 + len;
    }
    let len = rest.iter().position(|b| b" \t\r\n;,&<>|\"".contains(b)).unwrap_or(rest.len());
    start..start + len
}
