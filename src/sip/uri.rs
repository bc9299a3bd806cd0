//! `sip:`, `sips:` and `tel:` URIs (section 19.1, RFC 3966); any other scheme is kept whole.

use memchr::memrchr;
use nom::Parser;
use nom::bytes::complete::take_while1;
use nom::character::complete::char;
use nom::sequence::terminated;

use super::field::params::Params;
use super::field::via::split_sent_by;
use super::lex::{Parsed, scan};

/// A URI taken apart; all parts as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uri<'a> {
    /// `sip`, `sips`, `tel` or anything else, as written.
    pub scheme: &'a [u8],
    /// User part; the number of a `tel:` URI.
    pub user: Option<&'a [u8]>,
    /// Password after the user.
    pub password: Option<&'a [u8]>,
    /// Host, brackets of an IPv6 address kept; empty for `tel:` and unknown schemes.
    pub host: &'a [u8],
    /// Port.
    pub port: Option<u16>,
    /// URI parameters.
    pub params: Params<'a>,
    /// What follows `?`.
    pub headers: Option<&'a [u8]>,
}

impl<'a> Uri<'a> {
    /// Takes `text` apart, angle brackets around it left out; `None` when it is no URI at all.
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        let text = text.trim_ascii();
        let text = text.strip_prefix(b"<").unwrap_or(text);
        let text = text.strip_suffix(b">").unwrap_or(text).trim_ascii();
        let (rest, scheme) = scheme(text).ok()?;
        if scheme.eq_ignore_ascii_case(b"sip") || scheme.eq_ignore_ascii_case(b"sips") {
            return Some(Self::sip(scheme, rest));
        }
        let bare = Self {
            scheme,
            user: None,
            password: None,
            host: b"",
            port: None,
            params: Params::default(),
            headers: None,
        };
        if scheme.eq_ignore_ascii_case(b"tel") {
            let (number, params) = rest.split_at(scan::find(rest, b';').unwrap_or(rest.len()));
            return Some(Self { user: Some(number), params: Params(params), ..bare });
        }
        Some(bare)
    }

    /// True for `sip` and `sips`.
    pub fn is_sip(&self) -> bool {
        self.scheme.eq_ignore_ascii_case(b"sip") || self.is_secure()
    }

    /// True for `sips`.
    pub fn is_secure(&self) -> bool {
        self.scheme.eq_ignore_ascii_case(b"sips")
    }

    /// True for `tel`.
    pub fn is_tel(&self) -> bool {
        self.scheme.eq_ignore_ascii_case(b"tel")
    }

    fn sip(scheme: &'a [u8], rest: &'a [u8]) -> Self {
        let (userinfo, rest) = split_userinfo(rest);
        let (user, password) = match userinfo {
            Some(info) => match scan::find(info, b':') {
                Some(colon) => (Some(&info[..colon]), Some(&info[colon + 1..])),
                None => (Some(info), None),
            },
            None => (None, None),
        };
        let (rest, headers) = match scan::find(rest, b'?') {
            Some(mark) => (&rest[..mark], Some(&rest[mark + 1..])),
            None => (rest, None),
        };
        let (hostport, params) = rest.split_at(scan::find(rest, b';').unwrap_or(rest.len()));
        let (host, port) = split_sent_by(hostport);
        Self { scheme, user, password, host, port, params: Params(params), headers }
    }
}

/// A scheme and its colon.
pub(super) fn scheme(input: &[u8]) -> Parsed<'_, &[u8]> {
    let octet = |o: u8| o.is_ascii_alphanumeric() || matches!(o, b'+' | b'-' | b'.');
    // As nearly everybody writes it.
    if let Some(rest) = input.strip_prefix(b"sip:") {
        return Ok((rest, &input[..3]));
    }
    terminated(take_while1(octet), char(':')).parse(input)
}

/// User information and what follows its `@`. An `@` inside the user has to be escaped, so the
/// first one counts; of several before the parameters the last does, since a host has none. All of
/// `;`, `?` and `/` may stand in the user (section 25.1, RFC 4475 section 3.1.1.9).
pub(super) fn split_userinfo(rest: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let Some(first) = scan::find(rest, b'@') else { return (None, rest) };
    let region = scan::find_any(&rest[first..], [b';', b'?']).map_or(rest.len(), |end| first + end);
    let last = memrchr(b'@', &rest[first + 1..region]);
    let at = last.map_or(first, |last| first + 1 + last);
    (Some(&rest[..at]), &rest[at + 1..])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// `scheme|user|password|host|port|params|headers`, `-` for what is not there.
    #[track_caller]
    fn check(text: &str, expected: &str) {
        let uri = Uri::parse(text.as_bytes()).unwrap();
        let show = |part: Option<&[u8]>| {
            part.map_or_else(|| "-".to_owned(), |p| String::from_utf8_lossy(p).into_owned())
        };
        let parts = [
            show(Some(uri.scheme)),
            show(uri.user),
            show(uri.password),
            show(Some(uri.host)),
            uri.port.map_or_else(|| "-".to_owned(), |port| port.to_string()),
            show(Some(uri.params.0)),
            show(uri.headers),
        ];
        assert_eq!(parts.join("|"), expected, "{text}");
    }

    #[test]
    fn uris_are_taken_apart() {
        check("sip:bob@b.example", "sip|bob|-|b.example|-||-");
        check("SIPS:b.example:5061;lr", "SIPS|-|-|b.example|5061|;lr|-");
        check(
            "sip:u:pw@h:5070;transport=tcp?Subject=x",
            "sip|u|pw|h|5070|;transport=tcp|Subject=x",
        );
        check("sip:[2001:db8::10]:5070", "sip|-|-|[2001:db8::10]|5070||-");
        check("sip:u@[::1];x", "sip|u|-|[::1]|-|;x|-");
        check("sip:2001:db8::10", "sip|-|-|2001:db8::10|-||-");
        check("<sip:a@b>", "sip|a|-|b|-||-");
        check("tel:+1-201-555-0123;phone-context=x", "tel|+1-201-555-0123|-||-|;phone-context=x|-");
        check("urn:service:sos", "urn|-|-||-||-");
        check("nobodyKnowsThisScheme:totallyopaquecontent", "nobodyKnowsThisScheme|-|-||-||-");
    }

    #[test]
    fn the_host_is_found_behind_a_tortuous_user() {
        check(
            "sip:user;par=u%40example.net@example.com",
            "sip|user;par=u%40example.net|-|example.com|-||-",
        );
        check(
            "sip:sips%3Auser%40example.com@example.net",
            "sip|sips%3Auser%40example.com|-|example.net|-||-",
        );
        check(
            "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com",
            "sip|1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*|&it+has=1,weird!*pas$wo~d_too.(doesn't-it)|example.com|-||-",
        );
        check("sip:a@b.example@proxy.example;lr", "sip|a@b.example|-|proxy.example|-|;lr|-");
        check("sip:a@b?Replaces=c@d", "sip|a|-|b|-||Replaces=c@d");
        check("sip:a@b;x=c@d", "sip|a|-|b|-|;x=c@d|-");
    }

    #[test]
    fn bad_ports_are_none() {
        check("sip:a@b:99999", "sip|a|-|b|-||-");
        check("sip:a@b:", "sip|a|-|b|-||-");
        check("sip:", "sip|-|-||-||-");
    }

    #[test]
    fn what_has_no_scheme_is_no_uri() {
        for text in ["", "b.example", "@", ":x", "*", "<>"] {
            assert_eq!(Uri::parse(text.as_bytes()), None, "{text}");
        }
    }
}
