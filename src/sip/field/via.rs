//! Via (section 20.42).

use memchr::memchr3;
use nom::Parser;
use nom::character::complete::char;
use nom::combinator::consumed;
use nom::sequence::{delimited, preceded, separated_pair};

use super::params::Params;
use crate::sip::lex::{Parsed, Split, is_lws, is_token, leading_number, lws, scan, token};

/// One Via value: a hop the request took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Via<'a> {
    /// `SIP/2.0`, without white space around the slash; any other as written.
    pub protocol: &'a [u8],
    /// `UDP`, `TCP`, `TLS`, `WS`, …
    pub transport: &'a [u8],
    /// Host of sent-by, brackets of an IPv6 address kept.
    pub host: &'a [u8],
    /// Port of sent-by.
    pub port: Option<u16>,
    /// branch, received, rport, …
    pub params: Params<'a>,
}

impl<'a> Via<'a> {
    /// Takes one Via value apart; `None` when it has no protocol and sent-by.
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        let (rest, (protocol, transport)) = sent_protocol(text).ok()?;
        let (sent_by, params) = rest.split_at(scan::find(rest, b';').unwrap_or(rest.len()));
        let (host, port) = split_sent_by(sent_by.trim_ascii());
        (!host.is_empty()).then_some(Self {
            protocol,
            transport,
            host,
            port,
            params: Params(params),
        })
    }

    /// All Vias in one field value.
    pub(crate) fn all(value: &'a [u8]) -> impl Iterator<Item = Self> {
        Split::new(value, b',').filter(|part| !part.is_empty()).filter_map(Self::parse)
    }

    /// The branch parameter.
    pub fn branch(&self) -> Option<&'a [u8]> {
        self.params.value("branch")
    }

    /// True when the branch begins with the magic cookie of section 8.1.1.7 and goes on.
    pub fn has_cookie(&self) -> bool {
        self.unique_branch().is_some()
    }

    /// The branch when it has that cookie, and so names its transaction by itself.
    pub fn unique_branch(&self) -> Option<&'a [u8]> {
        self.branch().filter(|branch| has_cookie(branch))
    }
}

/// The [unique branch](Via::unique_branch) of a field value that is a single Via written as nearly
/// everybody writes it; `None` says nothing.
///
/// For the model, which asks it of every message and asks a Via for little else.
pub(crate) fn plain_branch(value: &[u8]) -> Option<&[u8]> {
    let rest = value.strip_prefix(b"SIP/2.0/")?;
    if memchr3(b',', b'"', b'<', rest).is_some() {
        return None;
    }
    let transport = match rest {
        [b'U', b'D', b'P', b' ', ..]
        | [b'T', b'C', b'P', b' ', ..]
        | [b'T', b'L', b'S', b' ', ..] => 3,
        _ => rest.iter().position(|&octet| !is_token(octet)).filter(|end| 0 < *end)?,
    };
    let [b' ', first, sent_by @ ..] = &rest[transport..] else { return None };
    if !first.is_ascii_alphanumeric() && *first != b'[' {
        return None;
    }
    let mut params = &sent_by[scan::find(sent_by, b';')? + 1..];
    loop {
        let end = scan::find(params, b';').unwrap_or(params.len());
        match params.first()? {
            b'b' => {
                let branch = params[..end].strip_prefix(b"branch=").map(scan::trim)?;
                return Some(branch).filter(|branch| has_cookie(branch));
            }
            // Not the beginning of the name in another form.
            first if first.is_ascii_lowercase() => params = params.get(end + 1..)?,
            _ => return None,
        }
    }
}

pub(in crate::sip) fn has_cookie(branch: &[u8]) -> bool {
    let Some((cookie, [_, ..])) = branch.split_first_chunk::<7>() else { return false };
    cookie == b"z9hG4bK" || cookie.eq_ignore_ascii_case(b"z9hG4bK")
}

/// `SIP / 2.0 / UDP` and the white space behind.
fn sent_protocol(input: &[u8]) -> Parsed<'_, (&[u8], &[u8])> {
    // As nearly everybody writes it.
    if let Some(rest) = input.strip_prefix(b"SIP/2.0/") {
        let end = rest.iter().position(|&octet| !is_token(octet)).unwrap_or(rest.len());
        if let (transport @ [_, ..], [b' ', sent_by @ ..]) = rest.split_at(end) {
            return Ok((sent_by, (&input[..7], transport)));
        }
    }
    let slash = || delimited(lws, char('/'), lws);
    let protocol = consumed(separated_pair(token, slash(), token));
    (preceded(lws, protocol), slash(), token, lws)
        .map(|((written, parts), _, transport, _)| match parts {
            (b"SIP", b"2.0") => (&b"SIP/2.0"[..], transport),
            _ => (written, transport),
        })
        .parse(input)
}

/// Host and port of a sent-by or a hostport, white space around the colon allowed. Several colons
/// without brackets are an IPv6 address that lacks them.
pub(crate) fn split_sent_by(text: &[u8]) -> (&[u8], Option<u16>) {
    let host_end = match text {
        [b'[', ..] => scan::find(text, b']').map_or(text.len(), |close| close + 1),
        _ => match scan::find(text, b':') {
            Some(colon) if scan::find(&text[colon + 1..], b':').is_none() => colon,
            _ => text.iter().position(|&octet| is_lws(octet)).unwrap_or(text.len()),
        },
    };
    let (host, rest) = text.split_at(host_end);
    let port = rest.trim_ascii_start().strip_prefix(b":").map(<[u8]>::trim_ascii_start);
    let port = port.and_then(leading_number).and_then(|port| u16::try_from(port).ok());
    (host.trim_ascii_end(), port)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    #[track_caller]
    fn check(text: &str, transport: &str, host: &str, port: Option<u16>, params: &str) {
        let via = Via::parse(text.as_bytes()).unwrap();
        let expected = Via {
            protocol: b"SIP/2.0",
            transport: transport.as_bytes(),
            host: host.as_bytes(),
            port,
            params: Params(params.as_bytes()),
        };
        assert_eq!(via, expected, "{text}");
    }

    #[test]
    fn hops_are_taken_apart() {
        check(
            "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa1;rport",
            "UDP",
            "192.0.2.1",
            Some(5060),
            ";branch=z9hG4bKa1;rport",
        );
        check("SIP/2.0/TLS a.example", "TLS", "a.example", None, "");
        check(
            "SIP  / 2.0\r\n /UDP\r\n    192.0.2.2;branch=390skdjuw",
            "UDP",
            "192.0.2.2",
            None,
            ";branch=390skdjuw",
        );
        check(
            "SIP/2.0/TCP [2001:db8::9:1]:5070;received=2001:db8::9:255",
            "TCP",
            "[2001:db8::9:1]",
            Some(5070),
            ";received=2001:db8::9:255",
        );
        check("SIP/2.0/UDP 2001:db8::1", "UDP", "2001:db8::1", None, "");
        check(
            "SIP/2.0/TCP spindle.example.com :\r\n 5061 ; branch = z9",
            "TCP",
            "spindle.example.com",
            Some(5061),
            "; branch = z9",
        );
        check("SIP/2.0/UNKNOWN a:99999", "UNKNOWN", "a", None, "");
        check("SIP/2.0/UDP 192.0.2.15;;", "UDP", "192.0.2.15", None, ";;");
    }

    #[test]
    fn what_names_no_hop_is_left_out() {
        for text in ["", ";", "SIP/2.0", "SIP/2.0/UDP", "SIP/2.0/UDP ;branch=1", "sip:a@b"] {
            assert_eq!(Via::parse(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_plain_branch_is_the_one_the_whole_reading_finds(
            parts in vec(select(vec![
                ";", "branch=", "branch", "Branch=", "z9hG4bKa", "z9hG4bK", "=", " ", "rport", ",",
                "\"", "<", "\r\n ", "a", "Via: SIP/2.0/UDP b",
            ]), 0..8),
            head in select(vec!["SIP/2.0/UDP a", "SIP/2.0/TCP [::1]:5", "SIP/2.0/UDP ", "SIP/2.0 /UDP a"]),
        ) {
            let value = format!("{head}{}", parts.concat());
            if let Some(branch) = plain_branch(value.as_bytes()) {
                let all: Vec<_> = Via::all(value.as_bytes()).map(|via| via.unique_branch()).collect();
                prop_assert_eq!(all, [Some(branch)], "{}", value);
            }
        }
    }

    #[test]
    fn a_branch_as_nearly_everybody_writes_it_is_plain() {
        let branch = |text: &str| plain_branch(text.as_bytes()).map(<[u8]>::to_vec);
        let value = "SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bKa1;received=192.0.2.2";
        assert_eq!(branch(value).as_deref(), Some(&b"z9hG4bKa1"[..]));
        assert_eq!(branch("SIP/2.0/TLS a.example;branch=1"), None);
        assert_eq!(branch("SIP/2.0/TLS a;branch=z9hG4bKa, SIP/2.0/TLS b;branch=z9hG4bKb"), None);
    }

    #[test]
    fn the_magic_cookie_alone_is_no_cookie() {
        let cookie = |text: &str| Via::parse(text.as_bytes()).unwrap().has_cookie();
        assert!(cookie("SIP/2.0/UDP a;branch=z9hG4bKa"));
        assert!(cookie("SIP/2.0/UDP a;branch=Z9HG4BKa"));
        assert!(!cookie("SIP/2.0/UDP a;branch=z9hG4bK"));
        assert!(!cookie("SIP/2.0/UDP a"));
    }
}
