//! Via (section 20.42).

use super::params::Params;

/// One Via value: a hop the request took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Via<'a> {
    /// `SIP/2.0`, without white space around the slashes.
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
    /// The branch parameter.
    pub fn branch(&self) -> Option<&'a [u8]> {
        self.params.value("branch")
    }

    /// True when the branch begins with the magic cookie of section 8.1.1.7 and goes on.
    pub fn has_cookie(&self) -> bool {
        self.branch().is_some_and(|b| b.len() > 7 && b[..7].eq_ignore_ascii_case(b"z9hG4bK"))
    }
}
