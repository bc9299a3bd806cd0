//! The header of a WebSocket frame (RFC 6455 section 5.2).

/// A frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// FIN: the last frame of its message.
    pub(super) is_last: bool,
    /// RSV1: the message is compressed (RFC 7692 section 6).
    pub(super) deflated: bool,
    pub(super) opcode: Opcode,
    /// The masking key.
    pub(super) mask: Option<[u8; 4]>,
    /// Octets of the header.
    pub(super) len: usize,
    /// Octets of the payload.
    pub(super) octets: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

/// No header that RFC 6455 and RFC 7692 allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoHeader;

impl Header {
    /// Reads a header; `Ok(None)` while it is not all there.
    pub(super) fn of(bytes: &[u8]) -> Result<Option<Self>, NoHeader> {
        let Some(&first) = bytes.first() else { return Ok(None) };
        let opcode = match first & 0x0f {
            0 => Opcode::Continuation,
            1 => Opcode::Text,
            2 => Opcode::Binary,
            8 => Opcode::Close,
            9 => Opcode::Ping,
            10 => Opcode::Pong,
            _ => return Err(NoHeader),
        };
        let (is_last, deflated) = (first & 0x80 != 0, first & 0x40 != 0);
        if first & 0x30 != 0 || (deflated && !matches!(opcode, Opcode::Text | Opcode::Binary)) {
            return Err(NoHeader);
        }
        let Some(&second) = bytes.get(1) else { return Ok(None) };
        let is_control = matches!(opcode, Opcode::Close | Opcode::Ping | Opcode::Pong);
        if is_control && (!is_last || 125 < second & 0x7f) {
            return Err(NoHeader);
        }
        let (octets, mut len) = match second & 0x7f {
            126 => {
                let Some(&[high, low]) = bytes.get(2..).and_then(|rest| rest.first_chunk()) else {
                    return Ok(None);
                };
                (u64::from(u16::from_be_bytes([high, low])), 4)
            }
            127 => {
                let Some(&octets) = bytes.get(2..).and_then(|rest| rest.first_chunk()) else {
                    return Ok(None);
                };
                (u64::from_be_bytes(octets), 10)
            }
            octets => (u64::from(octets), 2),
        };
        if u64::from(u32::MAX) < octets {
            return Err(NoHeader);
        }
        let mut mask = None;
        if second & 0x80 != 0 {
            let Some(&key) = bytes.get(len..).and_then(|rest| rest.first_chunk()) else {
                return Ok(None);
            };
            mask = Some(key);
            len += 4;
        }
        Ok(Some(Self { is_last, deflated, opcode, mask, len, octets }))
    }

    /// Octets of the frame.
    pub(super) fn total(&self) -> u64 {
        self.octets + self.len as u64
    }

    /// Adds `payload`, which is the beginning of this frame's, unmasked to `out`.
    pub(super) fn unmask(&self, payload: &[u8], out: &mut Vec<u8>) {
        match self.mask {
            None => out.extend_from_slice(payload),
            Some(key) => {
                out.extend(payload.iter().zip(key.iter().cycle()).map(|(octet, key)| octet ^ key));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_has_seven_sixteen_or_sixty_four_bits() {
        let octets =
            |bytes: &[u8]| Header::of(bytes).map(|header| header.map(|h| (h.len, h.octets)));
        assert_eq!(octets(&[0x81, 5]), Ok(Some((2, 5))));
        assert_eq!(octets(&[0x81, 126, 1]), Ok(None));
        assert_eq!(octets(&[0x81, 126, 1, 0]), Ok(Some((4, 256))));
        assert_eq!(
            octets(&[0x81, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4]),
            Ok(Some((14, 65536)))
        );
        assert_eq!(octets(&[0x81, 127, 0x80, 0, 0, 0, 0, 0, 0, 0]), Err(NoHeader));
        assert_eq!(octets(&[0x83, 5]), Err(NoHeader));
        assert_eq!(octets(&[0x09, 5]), Err(NoHeader));
    }

    #[test]
    fn a_mask_is_taken_off() {
        let header = Header::of(&[0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d]);
        let mut out = Vec::new();
        if let Ok(Some(header)) = header {
            header.unmask(&[0x7f, 0x9f, 0x4d, 0x51, 0x58], &mut out);
        }
        assert_eq!(out, b"Hello");
    }
}
