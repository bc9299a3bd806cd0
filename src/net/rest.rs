//! What is left of a frame to decode, and how much the snap length took from its end.

use crate::net::skip::Skip;

/// Octets still to be decoded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rest<'a> {
    /// Those that were captured.
    pub(super) bytes: &'a [u8],
    /// Those that followed them on the wire and were not captured.
    pub(super) missing: u32,
}

impl<'a> Rest<'a> {
    /// Takes the next `octets`.
    pub(super) fn take(&mut self, octets: usize) -> Result<&'a [u8], Skip> {
        let (head, tail) = self.bytes.split_at_checked(octets).ok_or(self.too_short())?;
        self.bytes = tail;
        Ok(head)
    }

    /// Takes the next `N` octets.
    pub(super) fn take_array<const N: usize>(&mut self) -> Result<[u8; N], Skip> {
        let (head, tail) = self.bytes.split_first_chunk::<N>().ok_or(self.too_short())?;
        self.bytes = tail;
        Ok(*head)
    }

    /// Takes the next two octets as a number.
    pub(super) fn take_u16(&mut self) -> Result<u16, Skip> {
        Ok(u16::from_be_bytes(self.take_array()?))
    }

    /// Takes the next four octets as a number.
    pub(super) fn take_u32(&mut self) -> Result<u32, Skip> {
        Ok(u32::from_be_bytes(self.take_array()?))
    }

    /// The next octet, not taken.
    pub(super) fn peek(&self) -> Result<u8, Skip> {
        self.bytes.first().copied().ok_or(self.too_short())
    }

    /// Ends at what a header declares: padding and trailers go, what was cut is known.
    pub(super) fn limit(&mut self, declared: usize) {
        match self.bytes.get(..declared) {
            Some(bytes) => *self = Self { bytes, missing: 0 },
            None => self.missing = (declared - self.bytes.len()) as u32,
        }
    }

    /// The same, where the layer below knows better how much is missing (UDP in IP).
    pub(super) fn limit_within(&mut self, declared: usize) {
        let known = self.missing;
        self.limit(declared);
        self.missing = self.missing.min(known);
    }

    /// Why there is not enough.
    pub(super) fn too_short(&self) -> Skip {
        if self.missing == 0 { Skip::Undecodable } else { Skip::Truncated }
    }
}
