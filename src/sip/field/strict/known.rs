//! Values found right lately: most of what a flow writes it writes again, and to compare is much
//! cheaper than to read.

use crate::sip::HeaderName;

/// Values kept; each has one place, and the next one there takes it.
const PLACES: usize = 32;
/// Octets of the longest value that is kept.
const LONGEST: usize = 126;

/// Some values without a fault.
#[derive(Clone, Debug)]
pub struct Known([Value; PLACES]);

#[derive(Clone, Copy, Debug)]
struct Value {
    name: HeaderName,
    len: u8,
    octets: [u8; LONGEST],
}

impl Default for Known {
    fn default() -> Self {
        Self([Value { name: HeaderName::Other, len: 0, octets: [0; LONGEST] }; PLACES])
    }
}

impl Known {
    /// True when this very value of `name` was found right.
    pub(super) fn holds(&self, name: HeaderName, text: &[u8]) -> bool {
        let value = &self.0[place(name, text)];
        value.name == name
            && usize::from(value.len) == text.len()
            && value.octets[..text.len()] == *text
    }

    /// Notes that `text` is a right value of `name`.
    pub(super) fn learn(&mut self, name: HeaderName, text: &[u8]) {
        let value = &mut self.0[place(name, text)];
        let Some(octets) = value.octets.get_mut(..text.len()) else { return };
        octets.copy_from_slice(text);
        (value.name, value.len) = (name, text.len() as u8);
    }
}

/// From with a tag and From without one differ in length, branches in their last octet.
fn place(name: HeaderName, text: &[u8]) -> usize {
    let last = text.last().copied().unwrap_or_default();
    (name as usize + 5 * text.len() + 7 * usize::from(last)) % PLACES
}
