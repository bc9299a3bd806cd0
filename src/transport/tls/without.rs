//! Built without the feature `tls`: handshakes and alerts are read, nothing is opened.

use super::suite::Suite;

/// Keys nobody has.
pub(super) enum Opener {}

/// A record that opened.
pub(super) struct Opened {
    pub(super) kind: u8,
    pub(super) content: Vec<u8>,
}

impl Opener {
    pub(super) fn tls13(_: Suite, _: &[u8]) -> Option<Self> {
        None
    }

    pub(super) fn tls12(
        _: Suite,
        _: &[u8],
        _: &[u8; 32],
        _: &[u8; 32],
        _: bool,
    ) -> Option<(Self, Self)> {
        None
    }

    pub(super) fn updated(&self) -> Option<Self> {
        match *self {}
    }

    pub(super) fn open(&mut self, _: [u8; 5], _: &[u8], _: u64) -> Option<Opened> {
        match *self {}
    }
}
