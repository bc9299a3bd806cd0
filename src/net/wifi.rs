//! IEEE 802.11 data frames, plain or behind a radiotap header.

use crate::net::rest::Rest;
use crate::net::skip::Skip;
use crate::net::walk::Layer;

const DATA: u8 = 2;
const RETURNS_TO_BOTH: u8 = 0x03;
const PROTECTED: u8 = 0x40;
const ORDER: u8 = 0x80;
/// Radiotap flag: the header is padded to four octets.
const PADDED: u8 = 0x20;

/// Peels the radiotap header and the data frame behind it.
pub(super) fn radiotap(rest: &mut Rest<'_>) -> Result<Layer, Skip> {
    let [_, _, low, high] = rest.take_array()?;
    let length = usize::from(u16::from_le_bytes([low, high]));
    let header = rest.take(length.checked_sub(4).ok_or(Skip::Undecodable)?)?;
    let padded = radiotap_flags(header).is_some_and(|flags| flags & PADDED != 0);
    frame(rest, padded)
}

/// Peels an 802.11 data frame.
pub(super) fn data(rest: &mut Rest<'_>) -> Result<Layer, Skip> {
    frame(rest, false)
}

fn frame(rest: &mut Rest<'_>, padded: bool) -> Result<Layer, Skip> {
    let before = rest.bytes.len();
    let [kind, flags] = rest.take_array()?;
    let subtype = kind >> 4;
    // Subtypes with bit 2 carry no data.
    if kind >> 2 & 3 != DATA || subtype & 4 != 0 {
        return Err(Skip::NotOurs);
    }
    rest.take(22)?;
    if flags & RETURNS_TO_BOTH == RETURNS_TO_BOTH {
        rest.take(6)?;
    }
    let mut aggregated = false;
    if subtype & 8 != 0 {
        let [control, _] = rest.take_array()?;
        aggregated = control & 0x80 != 0;
        if flags & ORDER != 0 {
            rest.take(4)?;
        }
    }
    if padded {
        rest.take((before - rest.bytes.len()).wrapping_neg() & 3)?;
    }
    if flags & PROTECTED != 0 {
        return Err(Skip::Encrypted);
    }
    // Several frames in one: only the first could be shown.
    if aggregated { Err(Skip::Undecodable) } else { Ok(Layer::Llc) }
}

/// The Flags field behind the bit maps, when there is one (radiotap.org).
fn radiotap_flags(header: &[u8]) -> Option<u8> {
    let mut maps =
        header.chunks_exact(4).map(|map| u32::from_le_bytes([map[0], map[1], map[2], map[3]]));
    let first = maps.next()?;
    let mut at: usize = 4;
    let mut map = first;
    while map & 1 << 31 != 0 {
        map = maps.next()?;
        at += 4;
    }
    if first & 1 != 0 {
        // The time stamp is aligned to eight octets from the start of the header, which is
        // four octets before `header`.
        at = (at + 4).next_multiple_of(8) + 4;
    }
    (first & 2 != 0).then(|| header.get(at).copied()).flatten()
}
