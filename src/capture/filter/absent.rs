//! Packet filters where libpcap is missing: there are none, and the error says why.

use super::FilterError;
use crate::frame::Frame;

/// A packet filter; none can be made in this build.
#[derive(Debug)]
pub enum Filter {}

impl Filter {
    /// Always an error: this build has no libpcap.
    pub fn new(_expression: &str) -> Result<Self, FilterError> {
        Err(FilterError::NoLibpcap)
    }

    pub(crate) fn passes(&mut self, _frame: &Frame<'_>) -> bool {
        match *self {}
    }

    pub(crate) fn take_notes(&mut self) -> Vec<String> {
        match *self {}
    }
}
