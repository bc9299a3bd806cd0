//! name-addr and addr-spec with their parameters: From, To, Route, Refer-To … (section 20.10).

use super::params::Params;
use crate::sip::Uri;

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
    /// The URI taken apart, when its grammar allows it.
    pub fn parsed_uri(&self) -> Option<Uri<'a>> {
        Uri::parse(self.uri)
    }

    /// The tag parameter.
    pub fn tag(&self) -> Option<&'a [u8]> {
        self.params.value("tag").filter(|tag| !tag.is_empty())
    }
}
