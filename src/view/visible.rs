//! Octets of strangers made safe to show: nothing moves a cursor, turns text around or hides.

use std::borrow::Cow;

use unicode_width::UnicodeWidthChar;

pub use crate::rules::is_treacherous;

/// `bytes` as text for people. Control octets, what is no UTF-8 and characters that reorder or
/// hide text are written as escapes (`\x1b`, `\u{202e}`); line ends too.
pub fn visible(bytes: &[u8]) -> String {
    shown(bytes).into_owned()
}

/// As [`visible`]; borrowed when it is printable ASCII, as nearly all is.
pub fn shown(bytes: &[u8]) -> Cow<'_, str> {
    // Without an early end this is a few instructions for 32 octets.
    let is_plain = bytes.iter().fold(true, |all, byte| all & matches!(byte, b' '..=b'~'));
    match std::str::from_utf8(bytes) {
        Ok(text) if is_plain => Cow::Borrowed(text),
        _ => Cow::Owned(escaped(bytes)),
    }
}

fn escaped(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            push(&mut out, c);
        }
        for byte in chunk.invalid() {
            push_byte(&mut out, *byte);
        }
    }
    out
}

/// As [`visible`], and only printable ASCII: every other character is an escape.
pub fn visible_ascii(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for c in visible(bytes).chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            out.extend(c.escape_unicode());
        }
    }
    out
}

fn push(out: &mut String, c: char) {
    match c {
        '\r' => out.push_str("\\r"),
        '\n' => out.push_str("\\n"),
        '\t' => out.push_str("\\t"),
        c if c.is_ascii_control() => push_byte(out, c as u8),
        c if is_treacherous(c) => out.extend(c.escape_unicode()),
        // A combining mark alone would sit on the character of someone else.
        c if c.width() == Some(0) => out.extend(c.escape_unicode()),
        c => out.push(c),
    }
}

fn push_byte(out: &mut String, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push_str("\\x");
    out.push(HEX[usize::from(byte >> 4)] as char);
    out.push(HEX[usize::from(byte & 15)] as char);
}

/// Columns that `text` takes; `text` is visible.
pub fn columns(text: &str) -> usize {
    if text.bytes().fold(true, |all, byte| all & matches!(byte, b' '..=b'~')) {
        return text.len();
    }
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// `text` in at most `room` columns: its end is replaced by `mark` (`…`, `~`) when it is longer.
pub fn elide(text: &str, room: usize, mark: &str) -> String {
    if columns(text) <= room {
        return text.to_owned();
    }
    let Some(rest) = room.checked_sub(columns(mark)) else {
        return String::new();
    };
    let mut out = head(text, rest).to_owned();
    out.push_str(mark);
    out
}

/// `text` in at most `room` columns with its middle left out: addresses differ at their ends.
pub fn elide_middle(text: &str, room: usize, mark: &str) -> String {
    if columns(text) <= room {
        return text.to_owned();
    }
    let Some(rest) = room.checked_sub(columns(mark)) else {
        return String::new();
    };
    let tail: String = tail(text, rest / 2);
    format!("{}{mark}{tail}", head(text, rest - rest / 2))
}

/// `text`, then spaces up to `room` columns.
pub fn pad(text: &str, room: usize) -> String {
    let mut out = text.to_owned();
    out.extend(std::iter::repeat_n(' ', room.saturating_sub(columns(text))));
    out
}

/// Spaces up to `room` columns, then `text`.
pub fn pad_left(text: &str, room: usize) -> String {
    let mut out: String = std::iter::repeat_n(' ', room.saturating_sub(columns(text))).collect();
    out.push_str(text);
    out
}

/// The longest beginning of `text` that takes at most `room` columns.
fn head(text: &str, room: usize) -> &str {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if room < used {
            return text.get(..at).unwrap_or_default();
        }
    }
    text
}

fn tail(text: &str, room: usize) -> String {
    let mut used = 0;
    let mut from = text.len();
    for (at, c) in text.char_indices().rev() {
        used += c.width().unwrap_or(0);
        if room < used {
            break;
        }
        from = at;
    }
    text.get(from..).unwrap_or_default().to_owned()
}

/// Breaks `text` at spaces into lines of at most `room` columns; longer words are broken, too.
pub fn wrap(text: &str, room: usize) -> Vec<String> {
    wrap_from(text, room, room)
}

/// As [`wrap`], with `first` columns on the first line: something stands before it. An empty first
/// line means that no word fits there.
pub fn wrap_from(text: &str, first: usize, room: usize) -> Vec<String> {
    let rest = room.max(1);
    let mut room = first.min(rest);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let is_begun = !line.is_empty() || (lines.is_empty() && room < rest);
        if is_begun && room < columns(&line) + usize::from(!line.is_empty()) + columns(word) {
            lines.push(std::mem::take(&mut line));
            room = rest;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        while room < columns(&line) {
            let cut = head(&line, room).len().max(line.chars().next().map_or(0, char::len_utf8));
            let tail = line.split_off(cut);
            lines.push(std::mem::replace(&mut line, tail));
            room = rest;
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_octets_cannot_reach_the_terminal() {
        assert_eq!(visible(b"a\x1b[2Jb\0\x7f"), "a\\x1b[2Jb\\x00\\x7f");
        assert_eq!(visible("x\u{202e}y\u{9b}z".as_bytes()), "x\\u{202e}y\\u{9b}z");
        assert_eq!(visible(b"caf\xe9 caf\xc3\xa9"), "caf\\xe9 caf\u{e9}");
        assert_eq!(visible(b"a\r\n"), "a\\r\\n");
        for byte in 0..=u8::MAX {
            let text = [&[b'a'; 40][..], &[byte]].concat();
            let is_shown = matches!(byte, b' '..=b'~');
            assert_eq!(shown(&text).as_bytes() == text, is_shown, "{byte}");
        }
        assert_eq!(visible_ascii("\u{4e2d}a".as_bytes()), "\\u{4e2d}a");
    }

    #[test]
    fn wide_characters_count_twice() {
        assert_eq!(columns("\u{4e2d}\u{6587}"), 4);
        assert_eq!(elide("\u{4e2d}\u{6587}\u{4e2d}", 4, "~"), "\u{4e2d}~");
        assert_eq!(elide_middle("2001:db8:85a3::8a2e:370:7334", 11, "~"), "2001:~:7334");
    }

    #[test]
    fn lines_are_never_wider_than_the_room() {
        let text = "a sentence with averyveryverylongword and \u{4e2d}\u{6587}\u{4e2d}\u{6587}";
        for room in 2..30 {
            for line in wrap(text, room) {
                assert!(columns(&line) <= room, "{line:?} in {room}");
            }
            for first in 0..room {
                let lines = wrap_from(text, first, room);
                assert!(columns(&lines[0]) <= first, "{lines:?} in {first} and {room}");
                assert!(lines.iter().all(|line| columns(line) <= room), "{lines:?} in {room}");
                let words = |text: &str| text.split_whitespace().collect::<String>();
                assert_eq!(words(&lines.concat()), words(text));
            }
        }
    }
}
