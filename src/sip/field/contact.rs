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
