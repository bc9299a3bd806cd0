//! Tells SIP from everything else by content, and finds in it the little that framing and
//! sharding need before a message is parsed.
//!
//! A payload is SIP when its first line is a start line, whatever the port. What is not quite a
//! start line (two spaces, a version of its own, white space in the Request-URI) counts only when
//! a header line follows it, so that logs and prose that quote SIP stay out.

use memchr::memchr;

pub(crate) use super::lines::header_value;
pub use super::lines::{HeadEnd, HeaderLines, head_end, leading_crlfs, split_header};
use super::scan;

/// Octets within which the first line has to end.
const LONGEST_LINE: usize = 16 << 10;

/// Octets of a method: RFC 3261 has no bound, and some test how much a server bears.
const LONGEST_METHOD: usize = 8 << 10;

/// Octets of the name of a header that stands as evidence.
const LONGEST_NAME: usize = 128;

/// The methods of RFC 3261 and its extensions; other tokens need more evidence.
const METHODS: [&[u8]; 14] = [
    b"INVITE",
    b"ACK",
    b"BYE",
    b"CANCEL",
    b"REGISTER",
    b"OPTIONS",
    b"PRACK",
    b"SUBSCRIBE",
    b"NOTIFY",
    b"PUBLISH",
    b"INFO",
    b"REFER",
    b"MESSAGE",
    b"UPDATE",
];

#[inline]
fn is_known(method: &[u8]) -> bool {
    matches!(
        method,
        b"INVITE"
            | b"ACK"
            | b"BYE"
            | b"CANCEL"
            | b"REGISTER"
            | b"OPTIONS"
            | b"PRACK"
            | b"SUBSCRIBE"
            | b"NOTIFY"
            | b"PUBLISH"
            | b"INFO"
            | b"REFER"
            | b"MESSAGE"
            | b"UPDATE"
    )
}

/// The parts of a start line, as written, without the white space between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstLine<'a> {
    /// Request-Line (RFC 3261 section 7.1).
    Request {
        /// The token before the first white space.
        method: &'a [u8],
        /// All between method and version; angle brackets and inner white space kept.
        uri: &'a [u8],
        /// `SIP/2.0`, in any case and of any number; empty when the line was cut before it.
        version: &'a [u8],
    },
    /// Status-Line (RFC 3261 section 7.2).
    Response {
        /// `SIP/2.0`, in any case and of any number.
        version: &'a [u8],
        /// The status code; begins with a digit, however many there are.
        code: &'a [u8],
        /// What follows the code and one white space; maybe empty, maybe not ASCII.
        reason: &'a [u8],
    },
}

/// True for the octets of a `token` (RFC 3261 section 25.1).
pub const fn is_token(octet: u8) -> bool {
    TOKEN[octet as usize]
}

const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut octet = 0;
    while octet < 128 {
        table[octet] = (octet as u8).is_ascii_alphanumeric()
            || matches!(
                octet as u8,
                b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~'
            );
        octet += 1;
    }
    table
};

/// True when `bytes` begin with a SIP start line, CRLFs before it allowed.
///
/// Costs a few nanoseconds on what is no text: meant for every UDP payload of a capture.
pub fn is_start_line(bytes: &[u8]) -> bool {
    match bytes.first() {
        Some(b'\r' | b'\n') => {}
        Some(&octet) if is_token(octet) => {}
        _ => return false,
    }
    first_line(bytes).is_some()
}

/// True when `bytes`, which hold no whole line yet, may go on to be a start line: the beginning of
/// a stream, or what the snap length left of a message.
pub fn may_become_start_line(bytes: &[u8]) -> bool {
    let line = &bytes[leading_crlfs(bytes)..];
    if LONGEST_LINE < line.len() || memchr(b'\n', line).is_some() {
        return false;
    }
    let version = &line[..line.len().min(4)];
    if version.eq_ignore_ascii_case(&b"SIP/"[..version.len()]) {
        return true;
    }
    match split_method(line) {
        Some((method, _, uri)) => !method.is_empty() && has_known_scheme(uri, Cut::Maybe),
        None => METHODS.iter().any(|method| method.starts_with(line)),
    }
}

/// The start line that `bytes` begin with, CRLFs before it allowed.
pub fn first_line(bytes: &[u8]) -> Option<FirstLine<'_>> {
    let bytes = &bytes[leading_crlfs(bytes)..];
    let plain = plain_status_line(bytes).or_else(|| plain_request_line(bytes));
    plain.or_else(|| any_first_line(bytes))
}

/// The same of what does not begin with line ends, in any form.
fn any_first_line(bytes: &[u8]) -> Option<FirstLine<'_>> {
    // A payload whose first word is no token is never searched for the end of its line.
    let method = if is_sip_slash(bytes.get(..4)?) { None } else { Some(split_method(bytes)?) };
    let window = &bytes[..bytes.len().min(LONGEST_LINE)];
    let end = match memchr(b'\n', window) {
        Some(end) => end,
        None if window.len() == bytes.len() => bytes.len(),
        None => return None,
    };
    let (line, rest) = (without_cr(&bytes[..end]), bytes.get(end + 1..).unwrap_or_default());
    let split = match method {
        None => split_status_line(line),
        Some((method, gap, _)) => split_request_line(line, method, gap),
    };
    match split? {
        (first, Form::Strict) => Some(first),
        (first, Form::Lax) => looks_like_header(rest).then_some(first),
    }
}

/// The request that `bytes` begin with when they end before the first line does: what the snap
/// length left. Only known methods and schemes count, and only `SIP/…` of a response.
pub fn cut_first_line(bytes: &[u8]) -> Option<FirstLine<'_>> {
    let line = &bytes[leading_crlfs(bytes)..];
    let (method, _, uri) = split_method(line)?;
    let sure = METHODS.contains(&method)
        && memchr(b'\n', line).is_none()
        && has_known_scheme(uri, Cut::No);
    sure.then_some(FirstLine::Request { method, uri, version: b"" })
}

/// The Call-ID of the message `text`, in its long or compact form, as `Message::call_id` reads it.
pub fn peek_call_id(text: &[u8]) -> Option<&[u8]> {
    plain_call_id(text).or_else(|| header(text, b"call-id", b'i'))
}

/// The same where it is written as nearly everybody writes it; `None` says nothing.
fn plain_call_id(text: &[u8]) -> Option<&[u8]> {
    // Behind line ends the first line feed is not that of the start line.
    text.first().filter(|first| b' ' < **first)?;
    let mut at = 0;
    loop {
        // An empty line and a fold begin with what is found too, and are no plain line.
        at = scan::find_line(text, at, *b"ci")?;
        let line = text.get(at..)?;
        if let Some(rest) = line.strip_prefix(b"Call-ID:") {
            let (value, end) = rest.split_at(scan::find_control(rest)?);
            let is_whole = matches!(end, [b'\r', b'\n', next, ..] if b' ' < *next);
            return is_whole.then(|| header_value(value));
        }
        // With an A it may be the name in other letters.
        let is_other = matches!(line, [b'C' | b'c', next, ..] if !matches!(next, b'a' | b'A'));
        if !is_other {
            return None;
        }
    }
}

/// The value of the first header field named `long` or `compact`, both in lower case.
///
/// As [`HeaderLines`] and [`split_header`] have it, but nothing is read of a line that does not
/// begin with the name: this is asked of every message.
pub(super) fn header<'a>(text: &'a [u8], long: &[u8], compact: u8) -> Option<&'a [u8]> {
    let is_name = |name: &[u8]| match name {
        [one] => one.to_ascii_lowercase() == compact,
        name => name.eq_ignore_ascii_case(long),
    };
    let mut rest = text.get(HeaderLines::after_start_line(text).offset()..)?;
    // Behind the start line a line may begin with white space and is no fold.
    let mut is_first = true;
    loop {
        let begins = match rest {
            [] | [b'\n', ..] | [b'\r', b'\n', ..] => return None,
            [b' ' | b'\t', ..] => is_first,
            [first, ..] if first.is_ascii_whitespace() => true,
            [first, next, ..] if !is_token(*next) => first.to_ascii_lowercase() == compact,
            line => {
                // Ends at the first octet that differs; most do at once.
                let mut pairs = line.iter().zip(long);
                pairs.all(|(octet, same)| octet.to_ascii_lowercase() == *same)
            }
        };
        if begins {
            let field = HeaderLines::of(rest).next().and_then(split_header);
            if let Some((_, value)) = field.filter(|(name, _)| is_name(name)) {
                return Some(value);
            }
        }
        is_first = false;
        rest = rest.get(scan::find(rest, b'\n')? + 1..)?;
    }
}

/// Whether a start line is as RFC 3261 section 25.1 has it, or needs a header line as evidence.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Strict,
    Lax,
}

/// `line` begins with `method` and `gap` octets of white space.
fn split_request_line<'a>(
    line: &'a [u8],
    method: &'a [u8],
    gap: usize,
) -> Option<(FirstLine<'a>, Form)> {
    let rest = line.get(method.len() + gap..)?.trim_ascii_end();
    let version_at = rest.iter().rposition(|&octet| is_blank(octet))? + 1;
    let version = &rest[version_at..];
    if !is_version(version) {
        return None;
    }
    let uri = rest[..version_at].trim_ascii();
    let known = METHODS.contains(&method);
    let one_word = scan::find_any(uri, [b' ', b'\t']).is_none();
    let plausible = if one_word { known || has_scheme(uri) } else { has_scheme(uri) };
    if uri.is_empty() || !plausible {
        return None;
    }
    let strict = known && gap == 1 && one_word && version == b"SIP/2.0";
    let form = if strict && has_scheme(uri) { Form::Strict } else { Form::Lax };
    Some((FirstLine::Request { method, uri, version }, form))
}

/// A status line as nearly everybody writes it; `None` says nothing.
fn plain_status_line(bytes: &[u8]) -> Option<FirstLine<'_>> {
    let (version, rest) = (bytes.get(..7)?, bytes.strip_prefix(b"SIP/2.0 ")?);
    let (code, after) = rest.split_first_chunk::<3>()?;
    let reason = after.strip_prefix(b" ").filter(|_| code.iter().all(u8::is_ascii_digit))?;
    let end = scan::find_control(reason)?;
    let is_whole = reason[end..].starts_with(b"\r\n") && end < LONGEST_LINE / 2;
    is_whole.then(|| FirstLine::Response { version, code, reason: &reason[..end] })
}

/// A request line as nearly everybody writes it; `None` says nothing.
fn plain_request_line(bytes: &[u8]) -> Option<FirstLine<'_>> {
    let end = scan::find(bytes.first_chunk::<16>()?, b' ')?;
    let (method, rest) = (&bytes[..end], &bytes[end + 1..]);
    if !is_known(method) || !rest.starts_with(b"sip:") {
        return None;
    }
    let (uri, rest) = rest.split_at(scan::find_below(rest, b'!')?);
    let is_whole = rest.starts_with(b" SIP/2.0\r\n") && uri.len() < LONGEST_LINE / 2;
    is_whole.then(|| FirstLine::Request { method, uri, version: &rest[1..8] })
}

fn split_status_line(line: &[u8]) -> Option<(FirstLine<'_>, Form)> {
    let version_end = line.iter().position(|&octet| is_blank(octet))?;
    let (version, rest) = line.split_at(version_end);
    if !is_version(version) {
        return None;
    }
    let rest = rest.trim_ascii_start();
    let code_end = rest.iter().position(|&octet| is_blank(octet)).unwrap_or(rest.len());
    let (code, reason) = rest.split_at(code_end);
    if !code.first()?.is_ascii_digit() {
        return None;
    }
    let strict = version == b"SIP/2.0" && code.len() == 3 && code.iter().all(u8::is_ascii_digit);
    let form = if strict { Form::Strict } else { Form::Lax };
    Some((FirstLine::Response { version, code, reason: reason.get(1..).unwrap_or_default() }, form))
}

/// The token before the first white space, how much white space follows, and the rest.
fn split_method(line: &[u8]) -> Option<(&[u8], usize, &[u8])> {
    let window = &line[..line.len().min(LONGEST_METHOD + 1)];
    let end = window.iter().position(|&octet| !is_token(octet))?;
    let (method, rest) = line.split_at(end);
    if method.is_empty() || !is_blank(rest[0]) {
        return None;
    }
    let gap = rest.iter().position(|&octet| !is_blank(octet)).unwrap_or(rest.len());
    Some((method, gap, &rest[gap..]))
}

fn is_sip_slash(octets: &[u8]) -> bool {
    octets == b"SIP/" || octets.eq_ignore_ascii_case(b"SIP/")
}

/// `SIP/` in any case, digits, a dot, digits.
fn is_version(word: &[u8]) -> bool {
    if word == b"SIP/2.0" {
        return true;
    }
    let Some((name, number)) = word.split_at_checked(4) else { return false };
    let mut parts = number.splitn(2, |&octet| octet == b'.');
    let mut digits =
        || parts.next().is_some_and(|part| !part.is_empty() && part.iter().all(u8::is_ascii_digit));
    name.eq_ignore_ascii_case(b"SIP/") && digits() && digits()
}

/// True when `uri` begins with the scheme of a URI, an angle bracket before it allowed.
fn has_scheme(uri: &[u8]) -> bool {
    if uri.starts_with(b"sip:") {
        return true;
    }
    let uri = uri.strip_prefix(b"<").unwrap_or(uri);
    let end = uri
        .iter()
        .position(|&octet| !(octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'-' | b'.')));
    end.is_some_and(|end| 0 < end && uri[end] == b':' && uri[0].is_ascii_alphabetic())
}

/// Whether the scheme itself may have been cut.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cut {
    Maybe,
    No,
}

fn has_known_scheme(uri: &[u8], cut: Cut) -> bool {
    let uri = uri.strip_prefix(b"<").unwrap_or(uri);
    [&b"sip:"[..], b"sips:", b"tel:", b"urn:"].iter().any(|scheme| {
        let len = if cut == Cut::Maybe { uri.len().min(scheme.len()) } else { scheme.len() };
        uri.get(..len).is_some_and(|start| start.eq_ignore_ascii_case(&scheme[..len]))
    })
}

/// True when `rest`, which follows the first line, begins as a header line or an empty line does,
/// or is nothing.
fn looks_like_header(rest: &[u8]) -> bool {
    let name_end = rest.iter().take(LONGEST_NAME).position(|&octet| !is_token(octet));
    let Some(name_end) = name_end else { return rest.len() < LONGEST_NAME };
    match &rest[name_end..] {
        [b'\n', ..] | [b'\r', b'\n', ..] => name_end == 0,
        after => 0 < name_end && after.trim_ascii_start().first().is_none_or(|&o| o == b':'),
    }
}

fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

const fn is_blank(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    #[track_caller]
    fn check(bytes: &str, is_sip: bool) {
        assert_eq!(is_start_line(bytes.as_bytes()), is_sip, "{bytes:?}");
    }

    #[test]
    fn a_start_line_is_known_by_its_content() {
        check("INVITE sip:bob@b.example SIP/2.0\r\n", true);
        check("INVITE sip:bob@b.example SIP/2.0", true);
        check("\r\n\r\n\nOPTIONS sips:b.example SIP/2.0\nVia: x", true);
        check("INVITE  sip:user@example.com  SIP/2.0\r\nMax-Forwards: 8\r\n", true);
        check("INVITE <sip:user@example.com> SIP/2.0\r\nTo: sip:a@b\r\n", true);
        check("INVITE sip:user@example.com; lr SIP/2.0\r\nTo: sip:a@b\r\n", true);
        check("OPTIONS sip:t.watson@example.org SIP/7.0\r\nVia: SIP/7.0/UDP c;x\r\n", true);
        check("OPTIONS sip:remote@example.com SIP/2.0  \r\nVia: SIP/2.0/UDP a\r\n", true);
        check("RE%47IST%45R sip:registrar.example.com SIP/2.0\r\nTo: x\r\n", true);
        check("OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0\r\nTo: x\r\n", true);
        check("invite sip:a@b sip/2.0\r\nVia: x\r\n", true);
        let long = "a".repeat(4_099);
        check(&format!("{long} sip:b SIP/2.0\r\nVia: x\r\n"), true);
        check(&format!("{long} is no method\r\nVia: x\r\n"), false);
        check("SIP/2.0 200 OK\r\n", true);
        check("SIP/2.0 100 \r\n", true);
        check("SIP/2.0 183 \u{41f}\u{440}\r\n", true);
        check("SIP/2.0 4294967301 better not break the receiver\r\nVia: x\r\n", true);
        check("REGISTER 192.0.2.1 SIP/2.0\r\nVia: x\r\n", true);
    }

    #[test]
    fn what_only_looks_like_sip_is_none() {
        check("", false);
        check("\r\n\r\n", false);
        check("\x00", false);
        check("OPTIONS * HTTP/1.1\r\nHost: a\r\n", false);
        check("DESCRIBE rtsp://a/b RTSP/1.0\r\nCSeq: 1\r\n", false);
        check("RTSP/1.0 200 OK\r\nCSeq: 1\r\n", false);
        check("INVITE MSNMSGR:a@b MSNSLP/1.0\r\nTo: x\r\n", false);
        check("YMSG\0\0 sip:a SIP/2.0\r\n", false);
        check("NOTIFY * HTTP/1.1\r\n", false);
        check("<134>Jan 1 pbx: INVITE sip:a@b SIP/2.0\r\n", false);
        check("got INVITE sip:a@b SIP/2.0\r\nwhich is fine\r\n", false);
        check("Received sip:a@b SIP/2.0\r\nand then nothing\r\n", false);
        check("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1\r\n", false);
        check("the SIP/2.0\r\n", false);
        check("Via: SIP/2.0/UDP a;branch=z9hG4bK1\r\n", false);
        check("SIP/2.0 is a protocol\r\n", false);
    }

    proptest! {
        #[test]
        fn a_plain_first_line_is_that_of_any_form(
            parts in vec(select(vec![
                "INVITE", "SUBSCRIBE", "ACK", "INFOS", " ", " ", "\t", "sip:", "a@b.example", ";lr", "SIP/2.0",
                "SIP/2.0", "\r\n", "\n", "\r", "\x7f", "\u{e9}", "200", "x", "Via: a\r\n", "<", ">",
            ]), 0..8),
            start in select(vec!["", "BYE sip:b SIP/2.0\r\n", "PUBLISH sip:b", "SIP/2.0 183 "]),
        ) {
            let text = format!("{start}{}", parts.concat()).into_bytes();
            if let Some(line) = plain_status_line(&text).or_else(|| plain_request_line(&text)) {
                prop_assert_eq!(Some(line), any_first_line(&text));
            }
        }
    }

    #[test]
    fn the_head_ends_at_the_empty_line_of_any_kind() {
        for (text, end) in [
            ("A\r\nB: c\r\n\r\nbody", Some(11)),
            ("A\nB: c\n\nbody", Some(8)),
            ("A\nB: c\n\r\nbody", Some(9)),
            ("\r\n\nA\r\n\nx", Some(7)),
            ("A\r\nB: c\r\n", None),
            ("", None),
        ] {
            assert_eq!(head_end(text.as_bytes(), 0), end, "{text:?}");
        }
    }

    #[test]
    fn a_plain_call_id_is_known_at_once() {
        let head = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a\r\nContact: <sip:a>\r\nCSeq: 1 BYE\r\nCall-ID: x@y\r\n";
        let text = format!("{head}Content-Length: 0\r\n\r\n");
        assert_eq!(plain_call_id(text.as_bytes()), Some(&b"x@y"[..]));
        for no in [format!("\r\n{text}"), head.to_owned(), text.replace("Contact:", "i:")] {
            assert_eq!(plain_call_id(no.as_bytes()), None);
        }
    }

    #[test]
    fn the_call_id_is_found_in_any_form() {
        let text = b"A sip:b SIP/2.0\r\nCSeq: 1 A\r\nCALL-id :\r\n  x@y \r\nl:12\r\n\r\ni: no";
        assert_eq!(peek_call_id(text), Some(&b"x@y"[..]));
        assert_eq!(peek_call_id(b"A sip:b SIP/2.0\ni: z\n\n"), Some(&b"z"[..]));
        assert_eq!(peek_call_id(b"A sip:b SIP/2.0\n i: z\n\n"), Some(&b"z"[..]));
        assert_eq!(peek_call_id(b"A sip:b SIP/2.0\n\ni: z\n\n"), None);
    }

    proptest! {
        #[test]
        fn a_field_is_found_as_lines_taken_apart_have_it(
            parts in vec(select(vec![
                "Call-ID", "call-id", "i", "I", "Contact", "c", ":", " ", "\t", "\r", "\n", "\r\n", "x",
                "\r\n\r\n", "\x0c", "call-idx", "Call-ID: x@y\r\n", "Contact: <sip:a@b>\r\n", "\r\nCSeq: 1 A\r\n",
                "Call-ID:\r\n",
            ]), 0..24),
            before in select(vec!["", "", "\r\n", "\n", " "]),
        ) {
            let text = format!("{before}BYE sip:a SIP/2.0\r\n{}", parts.concat());
            let slow = HeaderLines::after_start_line(text.as_bytes()).find_map(|line| {
                let (name, value) = split_header(line)?;
                let named = name.eq_ignore_ascii_case(b"call-id") || name.eq_ignore_ascii_case(b"i");
                named.then_some(value)
            });
            prop_assert_eq!(peek_call_id(text.as_bytes()), slow);
        }
    }

    #[test]
    fn a_cut_first_line_is_told_from_other_text() {
        for (text, may) in [
            ("INV", true),
            ("INVITE", true),
            ("INVITE si", true),
            ("INVITE sip:bob@b", true),
            ("SI", true),
            ("SIP/2.0 20", true),
            ("GET / HT", false),
            ("INVITE http:", false),
            ("INVITE sip:b SIP/2.0\r\n", false),
        ] {
            assert_eq!(may_become_start_line(text.as_bytes()), may, "{text:?}");
        }
        assert!(cut_first_line(b"INVITE sip:bob@b.exa").is_some());
        assert_eq!(cut_first_line(b"INVITE si"), None);
        assert_eq!(cut_first_line(b"LIST sip:bob"), None);
    }
}
