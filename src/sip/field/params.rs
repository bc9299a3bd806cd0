//! `;name=value` parameters.

use crate::sip::lex::{Split, scan};

/// The parameters behind a value: raw text from the first `;`, read on demand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Params<'a>(pub &'a [u8]);

impl<'a> Params<'a> {
    /// Names and values in order; a flag has no value. Quoted values keep their quotes.
    pub fn iter(self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> {
        Split::new(self.0, b';').filter(|part| !part.is_empty()).map(split_pair)
    }

    /// The value of the first parameter `name` (any case): `Some(None)` for a flag.
    pub fn get(self, name: &str) -> Option<Option<&'a [u8]>> {
        let text = self.0.strip_prefix(b";").unwrap_or(self.0);
        Split::new(text, b';').find_map(|part| {
            let (start, rest) = part.split_at_checked(name.len())?;
            let rest = rest.trim_ascii_start();
            let value = match rest.first() {
                None => None,
                Some(b'=') => Some(rest[1..].trim_ascii_start()),
                Some(_) => return None,
            };
            start.eq_ignore_ascii_case(name.as_bytes()).then_some(value)
        })
    }

    /// The value of the first parameter `name` that has one.
    pub fn value(self, name: &str) -> Option<&'a [u8]> {
        self.get(name).flatten()
    }
}

/// `name=value` taken apart, white space around both taken off.
pub(crate) fn split_pair(part: &[u8]) -> (&[u8], Option<&[u8]>) {
    match scan::find(part, b'=') {
        Some(at) => (part[..at].trim_ascii_end(), Some(part[at + 1..].trim_ascii_start())),
        None => (part, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(&str, Option<&str>)]) {
        let expected: Vec<_> =
            expected.iter().map(|(n, v)| (n.as_bytes(), v.map(str::as_bytes))).collect();
        assert_eq!(Params(text.as_bytes()).iter().collect::<Vec<_>>(), expected, "{text}");
    }

    #[test]
    fn parameters_are_read_around_white_space_quotes_and_stray_separators() {
        check("", &[]);
        check(";lr", &[("lr", None)]);
        check(";tag=1;lr;x=", &[("tag", Some("1")), ("lr", None), ("x", Some(""))]);
        check(";   tag    = 19;\r\n q = 0.33", &[("tag", Some("19")), ("q", Some("0.33"))]);
        check(";;,;,,", &[(",", None), (",,", None)]);
        check(";a=\"x;y\\\";z\";b", &[("a", Some("\"x;y\\\";z\"")), ("b", None)]);
        check(";a=\"open;b", &[("a", Some("\"open")), ("b", None)]);
        check(";sig=a==", &[("sig", Some("a=="))]);
    }

    #[test]
    fn names_are_found_in_any_case() {
        let params = Params(b";TAG=1;Lr;tag=2");
        assert_eq!(params.value("tag"), Some(&b"1"[..]));
        assert_eq!(params.get("lr"), Some(None));
        assert_eq!(params.get("maddr"), None);
    }
}
