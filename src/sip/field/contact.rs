//! Contact (section 20.10).

use super::address::NameAddr;

/// One Contact value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contact<'a> {
    /// `*`: all bindings (section 10.2.2).
    Star,
    /// An address.
    Address(NameAddr<'a>),
}

impl<'a> Contact<'a> {
    /// Takes one Contact value apart; `None` when there is no URI in it.
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        match text.trim_ascii() {
            b"*" => Some(Self::Star),
            text => NameAddr::parse(text).map(Self::Address),
        }
    }

    /// The address, unless it is `*`.
    pub const fn address(&self) -> Option<&NameAddr<'a>> {
        match self {
            Self::Star => None,
            Self::Address(address) => Some(address),
        }
    }

    /// The `expires` parameter in seconds; what is larger than 2^32 - 1 reads as that.
    pub fn expires(&self) -> Option<u32> {
        let value = self.address()?.params.value("expires")?;
        let seconds = crate::sip::lex::leading_number(crate::sip::lex::unquoted(value))?;
        Some(seconds.min(u32::MAX.into()) as u32)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn star_and_addresses_are_told_apart() {
        assert_eq!(Contact::parse(b" * "), Some(Contact::Star));
        assert_eq!(Contact::parse(b";;;"), None);
        let check = |text: &str, expires: Option<u32>| {
            let contact = Contact::parse(text.as_bytes()).unwrap();
            assert_eq!(contact.expires(), expires, "{text}");
            assert!(contact.address().is_some());
        };
        check("<sip:a@b>", None);
        check("<sip:a@b;expires=1>;expires=60", Some(60));
        check("sip:a@b;Expires=\"60\"", Some(60));
        check("<sip:a@b>;expires=280297596632815", Some(u32::MAX));
        check("<sip:a@b>;expires=soon", None);
    }
}
