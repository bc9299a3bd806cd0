//! name-addr and addr-spec with their parameters: From, To, Route, Refer-To … (section 20.10).

use super::params::Params;
use crate::sip::Uri;
use crate::sip::lex::{is_lws, quoted_len, scan};

/// A display name, a URI and header parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameAddr<'a> {
    /// Display name as written, quotes kept.
    pub display: Option<&'a [u8]>,
    /// The URI as written, without angle brackets.
    pub uri: &'a [u8],
    /// Parameters of the header field, not of the URI.
    pub params: Params<'a>,
}

impl<'a> NameAddr<'a> {
    /// Takes `text` apart; `None` when there is no URI in it.
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        let text = scan::trim(text);
        if text.first() == Some(&b'<') {
            let address = Self::bracketed(text, 0);
            return (!address.uri.is_empty()).then_some(address);
        }
        let quoted = quoted_len(text).unwrap_or(0);
        let open = scan::find(&text[quoted..], b'<').map(|at| quoted + at);
        let address = match open {
            Some(open) if 0 < quoted || !is_bare(&text[..open]) => Self::bracketed(text, open),
            _ => Self::bare(text),
        };
        (!address.uri.is_empty()).then_some(address)
    }

    /// The URI taken apart, when its grammar allows it.
    pub fn parsed_uri(&self) -> Option<Uri<'a>> {
        Uri::parse(self.uri)
    }

    /// The tag parameter.
    pub fn tag(&self) -> Option<&'a [u8]> {
        match self.params.0.strip_prefix(b";tag=") {
            // Nearly always the only parameter.
            Some(tag @ [first, ..]) if b' ' < *first && is_one_word(tag) => Some(tag),
            None if self.params.0.is_empty() => None,
            _ => self.params.value("tag").filter(|tag| !tag.is_empty()),
        }
    }

    /// The display name without quotes; `None` when it is empty.
    pub fn name(&self) -> Option<&'a [u8]> {
        self.display.map(crate::sip::lex::unquoted).filter(|name| !name.is_empty())
    }

    fn bracketed(text: &'a [u8], open: usize) -> Self {
        let display = text[..open].trim_ascii();
        let rest = &text[open + 1..];
        let (uri, behind) = match scan::find(rest, b'>') {
            Some(close) => (&rest[..close], &rest[close + 1..]),
            None => (rest, &rest[rest.len()..]),
        };
        Self {
            display: (!display.is_empty()).then_some(display),
            uri: scan::trim(uri),
            params: Params(from_semicolon(behind)),
        }
    }

    /// An addr-spec: what follows `;` belongs to the header field (section 20.10).
    fn bare(text: &'a [u8]) -> Self {
        let text = &text[quoted_len(text).unwrap_or(0)..];
        let (uri, params) = text.split_at(bare_end(text));
        Self { display: None, uri: uri.trim_ascii(), params: Params(from_semicolon(params)) }
    }
}

/// True when nothing in `text` can end a parameter, quote it or be trimmed from its end.
fn is_one_word(text: &[u8]) -> bool {
    scan::find_any(text, [b';', b'"', b'<']).is_none() && text.last().is_some_and(|&o| b' ' < o)
}

/// True when `before`, which stands before an angle bracket, is an addr-spec with parameters
/// already, so that the bracket is part of a parameter.
fn is_bare(before: &[u8]) -> bool {
    scan::find(before, b';').is_some_and(|at| scan::find(&before[..at], b':').is_some())
}

/// Where the addr-spec at the start of `text` ends. A semicolon before the `@` is part of the user,
/// unless a tag follows it.
pub(crate) fn bare_end(text: &[u8]) -> usize {
    let Some(semicolon) = scan::find(text, b';') else { return text.len() };
    let next = text[semicolon + 1..].trim_ascii_start();
    let user_goes_on = match scan::find_any(&text[semicolon..], [b'@', b'"']) {
        Some(at) if text[semicolon + at] == b'@' => {
            scan::find(&text[..semicolon], b'@').is_none()
                && !next.get(..3).is_some_and(|name| name.eq_ignore_ascii_case(b"tag"))
                && !text[semicolon..semicolon + at].iter().any(|&octet| is_lws(octet))
        }
        _ => false,
    };
    if !user_goes_on {
        return semicolon;
    }
    let at = scan::find(text, b'@').unwrap_or(text.len());
    scan::find(&text[at..], b';').map_or(text.len(), |end| at + end)
}

/// `text` from its first semicolon on.
fn from_semicolon(text: &[u8]) -> &[u8] {
    if text.first() == Some(&b';') {
        return text;
    }
    scan::find(text, b';').map_or(&text[text.len()..], |at| &text[at..])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[track_caller]
    fn check(text: &str, display: Option<&str>, uri: &str, params: &str) {
        let address = NameAddr::parse(text.as_bytes()).unwrap();
        let expected = NameAddr {
            display: display.map(str::as_bytes),
            uri: uri.as_bytes(),
            params: Params(params.as_bytes()),
        };
        assert_eq!(address, expected, "{text}");
    }

    #[test]
    fn addresses_are_taken_apart() {
        check("<sip:a@b>", None, "sip:a@b", "");
        check("<sip:a@b;lr>;tag=1", None, "sip:a@b;lr", ";tag=1");
        check("Bob <sip:a@b>;tag=1", Some("Bob"), "sip:a@b", ";tag=1");
        check(
            "\"A. <B>; \\\"C\\\"\" <sip:a@b> ; q = 0.33",
            Some("\"A. <B>; \\\"C\\\"\""),
            "sip:a@b",
            "; q = 0.33",
        );
        check(
            "caller<sip:caller@example.com>;tag=323",
            Some("caller"),
            "sip:caller@example.com",
            ";tag=323",
        );
        check("sip:a@b;tag=1", None, "sip:a@b", ";tag=1");
        check(
            "\r\n sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n",
            None,
            "sip:vivekg@chair-dnrc.example.com",
            ";   tag    = 1918181833n",
        );
        check("sip:a;par=u%40x@b;tag=1", None, "sip:a;par=u%40x@b", ";tag=1");
        check("sip:b;tag=a@c", None, "sip:b", ";tag=a@c");
        check("sip:a@b;x=\"<y>\"", None, "sip:a@b", ";x=\"<y>\"");
        check("tel:+1-201;phone-context=x;tag=1", None, "tel:+1-201", ";phone-context=x;tag=1");
        check("isbn:2983792873", None, "isbn:2983792873", "");
    }

    proptest::proptest! {
        #[test]
        fn a_tag_is_the_one_among_all_parameters(
            parts in proptest::collection::vec(
                proptest::sample::select(vec![
                    ";", "tag", "=", "tag=", "1", " ", "\"", "<", ">", ",", "TAG=", ";tag=", "\t", "a",
                ]),
                0..8,
            ),
        ) {
            let text = parts.concat();
            let address = NameAddr { display: None, uri: b"", params: Params(text.as_bytes()) };
            let slow = address.params.value("tag").filter(|tag| !tag.is_empty());
            proptest::prop_assert_eq!(address.tag(), slow, "{}", text);
        }
    }

    #[test]
    fn what_the_grammar_forbids_is_read_around() {
        check("\"Bob <sip:bob@b.example>", Some("\"Bob"), "sip:bob@b.example", "");
        check("Bell, Alexander <sip:a@b>;tag=43", Some("Bell, Alexander"), "sip:a@b", ";tag=43");
        check(
            "\"Watson, Thomas\" < sip:t.watson@example.org >",
            Some("\"Watson, Thomas\""),
            "sip:t.watson@example.org",
            "",
        );
        check("<sip:a@b", None, "sip:a@b", "");
        check("<sip:a@b>x;;tag=1", None, "sip:a@b", ";;tag=1");
        for nothing in ["", " ", "<>", ";tag=1", "\"a\""] {
            assert_eq!(NameAddr::parse(nothing.as_bytes()), None, "{nothing}");
        }
    }
}
