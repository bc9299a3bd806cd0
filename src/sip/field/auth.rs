//! Authorization, Proxy-Authorization, WWW-Authenticate, Proxy-Authenticate (section 20.7).

use super::params::split_pair;
use crate::sip::lex::{Split, find_outside, is_lws, is_token, unquoted};

/// Scheme and parameters of credentials or of a challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Auth<'a> {
    /// `Digest`, `Basic`, `AKAv1-MD5` is an algorithm, not a scheme.
    pub scheme: &'a [u8],
    /// What follows the scheme.
    pub rest: &'a [u8],
}

impl<'a> Auth<'a> {
    /// Names and values in order, quotes taken off.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        Split::new(self.rest, b',').filter_map(|part| {
            let (name, value) = split_pair(part);
            Some((name, unquoted(value?)))
        })
    }

    /// The value of the parameter `name` (any case), quotes taken off.
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.iter().find(|(n, _)| n.eq_ignore_ascii_case(name.as_bytes())).map(|(_, v)| v)
    }

    /// All challenges or credentials of one field value: several challenges may share a field.
    pub fn all(value: &'a [u8]) -> Auths<'a> {
        Auths { rest: value }
    }
}

/// The challenges or credentials of one field value; see [`Auth::all`].
#[derive(Clone, Debug)]
pub struct Auths<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Auths<'a> {
    type Item = Auth<'a>;

    fn next(&mut self) -> Option<Auth<'a>> {
        let text = self.rest.trim_ascii_start();
        let scheme_end = text.iter().position(|&octet| !is_token(octet)).unwrap_or(text.len());
        if scheme_end == 0 {
            return None;
        }
        let (scheme, rest) = text.split_at(scheme_end);
        let end = end_of_challenge(rest);
        self.rest = rest.get(end + 1..).unwrap_or_default();
        Some(Auth { scheme, rest: rest[..end].trim_ascii() })
    }
}

/// Where the challenge ends: at the comma that another scheme follows.
fn end_of_challenge(rest: &[u8]) -> usize {
    let mut from = 0;
    while let Some(comma) = find_outside(&rest[from..], b',').map(|at| from + at) {
        if begins_challenge(&rest[comma + 1..]) {
            return comma;
        }
        from = comma + 1;
    }
    rest.len()
}

/// A scheme is a token with white space behind and no equals sign after that.
fn begins_challenge(text: &[u8]) -> bool {
    let text = text.trim_ascii_start();
    let end = text.iter().position(|&octet| !is_token(octet)).unwrap_or(text.len());
    let after = &text[end..];
    0 < end
        && after.first().is_some_and(|&octet| is_lws(octet))
        && after.trim_ascii_start().first().is_some_and(|&octet| is_token(octet))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(&str, &[(&str, &str)])]) {
        let found: Vec<_> = Auth::all(text.as_bytes())
            .map(|auth| (auth.scheme, auth.iter().collect::<Vec<_>>()))
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(scheme, params)| {
                let params: Vec<_> =
                    params.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes())).collect();
                (scheme.as_bytes(), params)
            })
            .collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn credentials_and_challenges_are_taken_apart() {
        check(
            "Digest realm=\"a, b\", nonce=\"x=\" ,qop=auth",
            &[("Digest", &[("realm", "a, b"), ("nonce", "x="), ("qop", "auth")])],
        );
        check(
            "Digest realm=\"a\",\r\n nonce=\"1\", Digest realm=\"b\", algorithm=SHA-256, Basic realm=\"c\"",
            &[
                ("Digest", &[("realm", "a"), ("nonce", "1")]),
                ("Digest", &[("realm", "b"), ("algorithm", "SHA-256")]),
                ("Basic", &[("realm", "c")]),
            ],
        );
        check(
            "NoOneKnowsThisScheme opaque-data=here",
            &[("NoOneKnowsThisScheme", &[("opaque-data", "here")])],
        );
        check(
            "Digest username=\"a\\\"b\" , uri = \"sip:x\"",
            &[("Digest", &[("username", "a\\\"b"), ("uri", "sip:x")])],
        );
        check("Digest", &[("Digest", &[])]);
        check("Basic QWxhZGRpbg==", &[("Basic", &[("QWxhZGRpbg", "=")])]);
        check("Digest realm=\"open, nonce=\"1", &[("Digest", &[("realm", "\"open, nonce=\"1")])]);
        check("", &[]);
        check("=", &[]);
    }
}
