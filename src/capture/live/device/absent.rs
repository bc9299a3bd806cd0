//! Interfaces where libpcap is missing: none can be opened, and the error says why.

use super::{Captor, Interface, Tuning};
use crate::capture::Error;

/// An interface that is open; none can be in this build.
#[derive(Debug)]
pub enum Device {}

impl Device {
    /// Always an error: this build has no libpcap.
    pub fn open(_name: &str, _tuning: &Tuning) -> Result<Self, Error> {
        Err(Error::NoLibpcap)
    }

    /// Sentences for the user about how it was opened.
    pub fn notes(&self) -> &[String] {
        match *self {}
    }

    /// What captures from it, under the number `interface`.
    pub fn captor(self, _interface: u32) -> Captor {
        match self {}
    }
}

/// Always an error: this build has no libpcap.
pub fn interfaces() -> Result<Vec<Interface>, Error> {
    Err(Error::NoLibpcap)
}
