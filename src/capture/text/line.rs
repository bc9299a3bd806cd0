//! Lines of a log: which of them begin a SIP message, which are its header fields.

use std::borrow::Cow;

/// Methods that may stand right behind other text, as in a hex dump's ASCII column.
const METHODS: [&[u8]; 14] = [
    b"REGISTER",
    b"INVITE",
    b"ACK",
    b"BYE",
    b"CANCEL",
    b"OPTIONS",
    b"MESSAGE",
    b"SUBSCRIBE",
    b"NOTIFY",
    b"INFO",
    b"PRACK",
    b"UPDATE",
    b"REFER",
    b"PUBLISH",
];

/// A start line found at the end of a log line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Start {
    /// What stands before it: the record's own text.
    pub(super) before: Vec<u8>,
    /// The start line.
    pub(super) line: Vec<u8>,
}

/// Takes escapes of color, NUL octets and the line end off.
pub(super) fn clean(line: &[u8]) -> Cow<'_, [u8]> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if !line.iter().any(|b| matches!(b, 0x1b | 0)) {
        return Cow::Borrowed(line);
    }
    let mut out = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some((&octet, tail)) = rest.split_first() {
        rest = tail;
        match octet {
            0 => {}
            0x1b if tail.first() == Some(&b'[') => {
                let end = tail.iter().skip(1).position(u8::is_ascii_alphabetic);
                rest = end.and_then(|end| tail.get(end + 2..)).unwrap_or_default();
            }
            _ => out.push(octet),
        }
    }
    // A line end may hide behind an escape.
    while out.last() == Some(&b'\r') {
        out.pop();
    }
    Cow::Owned(out)
}

/// The start line at the end of `line`, whatever stands before it.
pub(super) fn start(line: &[u8]) -> Option<Start> {
    // A dissection tree quotes the start line, and its next line looks like a header field.
    let quoted = |start: &Start| {
        let before = start.before.trim_ascii_end();
        before.ends_with(b"Request-Line:") || before.ends_with(b"Status-Line:")
    };
    request(line).or_else(|| response(line)).filter(|start| !quoted(start))
}

fn request(line: &[u8]) -> Option<Start> {
    let trimmed = line.strip_suffix(b".").unwrap_or(line);
    let head = trimmed.strip_suffix(b" SIP/2.0")?;
    let space = memchr::memrchr(b' ', head)?;
    let uri = &head[space + 1..];
    let word_end = &head[..space];
    if !uri.contains(&b':') {
        return None;
    }
    let word_at =
        word_end.iter().rposition(|b| b.is_ascii_whitespace() || *b == b'"').map_or(0, |at| at + 1);
    let word = &word_end[word_at..];
    let known = METHODS.iter().filter(|method| word.ends_with(method)).map(|m| m.len()).max();
    let len = match known {
        // `REINVITE` would be a token of its own, `.INVITE` is one behind something else.
        Some(len) if word.len() == len || !word.iter().all(u8::is_ascii_uppercase) => len,
        _ if !word.is_empty() && word.iter().all(u8::is_ascii_uppercase) => word.len(),
        _ => return None,
    };
    let at = space - len;
    Some(Start { before: line[..at].to_vec(), line: line[at..].to_vec() })
}

fn response(line: &[u8]) -> Option<Start> {
    let at = memchr::memmem::rfind(line, b"SIP/2.0 ")?;
    let [a, b, c, rest @ ..] = &line[at + 8..] else { return None };
    let code = (b'1'..=b'6').contains(a) && b.is_ascii_digit() && c.is_ascii_digit();
    let ended = matches!(rest.first(), None | Some(b' ' | b'.'));
    (code && ended).then(|| Start { before: line[..at].to_vec(), line: line[at..].to_vec() })
}

/// True for `Name: value` with a name that is a token of at most 40 octets.
pub(super) fn is_header(line: &[u8]) -> bool {
    let Some(colon) = memchr::memchr(b':', line.get(..line.len().min(64)).unwrap_or(line)) else {
        return false;
    };
    let name = line[..colon].trim_ascii_end();
    name.len() <= 40
        && name.first().is_some_and(u8::is_ascii_alphabetic)
        && name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-' || *b == b'_')
}

/// Blanks at the beginning of `line`.
pub(super) fn indent(line: &[u8]) -> usize {
    line.iter().take_while(|b| matches!(b, b' ' | b'\t')).count()
}

/// A message written on one line with `\r\n` spelled out, as structured loggers do: what stands
/// before it and its text with the escapes undone.
pub(super) fn escaped(line: &[u8]) -> Option<Start> {
    let mark =
        memchr::memmem::find(line, b"\\r\\n").or_else(|| memchr::memmem::find(line, b"\\nVia"))?;
    // The first literal line end that closes a start line.
    let mut end = mark;
    let found = loop {
        if let Some(found) = start(line[..end].trim_ascii_end()) {
            break found;
        }
        let next = memchr::memmem::find(&line[end + 2..], b"\\r\\n")?;
        end += 2 + next;
    };
    let from = found.before.len();
    // `\n REGISTER`: the escape before the start line belongs to what stands before.
    let text = unescape(&line[from..]);
    let second = text.split(|&b| b == b'\n').nth(1)?;
    is_header(second).then_some(Start { before: found.before, line: text })
}

/// Undoes backslash escapes up to the quote that ends the string.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut octets = text.iter();
    while let Some(&octet) = octets.next() {
        match octet {
            b'"' => break,
            b'\\' => match octets.next() {
                Some(b'r') => out.push(b'\r'),
                Some(b'n') => out.push(b'\n'),
                Some(b't') => out.push(b'\t'),
                Some(&other) => out.push(other),
                None => {}
            },
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Option<(&str, &str)>) {
        let found = start(line.as_bytes());
        let found = found.as_ref().map(|s| {
            (std::str::from_utf8(&s.before).unwrap(), std::str::from_utf8(&s.line).unwrap())
        });
        assert_eq!(found, expected, "{line}");
    }

    #[test]
    fn start_lines_are_found_behind_anything() {
        check("REGISTER sip:a@b SIP/2.0", Some(("", "REGISTER sip:a@b SIP/2.0")));
        check("data: REGISTER sip:a SIP/2.0.", Some(("data: ", "REGISTER sip:a SIP/2.0.")));
        check(".......\\INVITE sip:a SIP/2.0", Some((".......\\", "INVITE sip:a SIP/2.0")));
        check("E...SIP/2.0 401 Unauthorized", Some(("E...", "SIP/2.0 401 Unauthorized")));
        check("E..d.wREGISTER sip:a SIP/2.0", Some(("E..d.w", "REGISTER sip:a SIP/2.0")));
        check("    Request-Line: BYE sip:a SIP/2.0", None);
        check("SIP: SIP/2.0 100 ", Some(("SIP: ", "SIP/2.0 100 ")));
        check("KDMQ sip:a@b SIP/2.0", Some(("", "KDMQ sip:a@b SIP/2.0")));
        check("Via: SIP/2.0/UDP 192.0.2.1", None);
        check("it said SIP/2.0 4012 x", None);
        check("the word INVITE SIP/2.0", None);
        check("GET /x HTTP/1.1", None);
    }

    #[test]
    fn escapes_of_color_and_nul_go_away() {
        assert_eq!(
            &*clean(b"\x1b[1m\x1b[31mREGISTER \x1b[0msip:a SIP/2.0.\r\n"),
            b"REGISTER sip:a SIP/2.0."
        );
        assert_eq!(&*clean(b"\0\0\0\n"), b"");
        assert_eq!(&*clean(b"plain\r\n"), b"plain");
    }

    #[test]
    fn a_message_on_one_line_is_unescaped() {
        let line = br#"time="x" msg="from: 192.0.2.1:5060 \n BYE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;a=\"q\"\r\n\r\n" level=1"#;
        let found = escaped(line).unwrap();
        assert_eq!(found.line, b"BYE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;a=\"q\"\r\n\r\n");
        assert!(found.before.ends_with(b"\\n "));
        assert_eq!(escaped(br"no \r\n here"), None);
    }
}
