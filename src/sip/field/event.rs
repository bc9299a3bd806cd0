//! Event (RFC 6665 section 8.2.1).

use memchr::memchr;

use super::params::Params;

/// Which event package, and which subscription of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// The package with its templates: `presence`, `presence.winfo`, `Catalog`.
    pub package: &'a [u8],
    /// `id` and others.
    pub params: Params<'a>,
}

impl<'a> Event<'a> {
    /// Takes `text` apart; `None` when it names no package.
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        let (package, params) = text.split_at(memchr(b';', text).unwrap_or(text.len()));
        let package = package.trim_ascii();
        (!package.is_empty()).then_some(Self { package, params: Params(params) })
    }

    /// The `id` parameter, which tells subscriptions to one package apart.
    pub fn id(&self) -> Option<&'a [u8]> {
        self.params.value("id")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(&str, Option<&str>)>) {
        let event = Event::parse(text.as_bytes());
        let expected = expected.map(|(p, id)| (p.as_bytes(), id.map(str::as_bytes)));
        assert_eq!(event.map(|event| (event.package, event.id())), expected, "{text}");
    }

    #[test]
    fn packages_are_told_from_their_parameters() {
        check("presence", Some(("presence", None)));
        check("Catalog ; ID = 7", Some(("Catalog", Some("7"))));
        check("refer;x;id=93809824", Some(("refer", Some("93809824"))));
        check(";id=1", None);
        check("", None);
    }
}
