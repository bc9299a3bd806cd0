//! `sip:`, `sips:` and `tel:` URIs (section 19.1, RFC 3966); any other scheme is kept whole.

use super::field::params::Params;

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
    /// Takes `text` apart; `None` when it is no URI at all.
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        let _ = text;
        todo!()
    }
}
