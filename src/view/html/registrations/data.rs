//! Text for the script of the page: deflated, in base64.

use std::io::{self, Write as _};

use flate2::Compression;
use flate2::write::DeflateEncoder;

use crate::view::html::base64;

/// Takes in text and holds it deflated.
pub(super) struct Store(DeflateEncoder<Vec<u8>>);

impl Store {
    pub(super) fn new() -> Self {
        Self(DeflateEncoder::new(Vec::new(), Compression::default()))
    }

    pub(super) fn write(&mut self, text: &str) -> io::Result<()> {
        self.0.write_all(text.as_bytes())
    }

    /// All of it, as raw deflate in base64.
    pub(super) fn finish(self) -> io::Result<String> {
        Ok(base64(&self.0.finish()?))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn lines_are_stored_in_letters() {
        let mut store = Store::new();
        store.write("device\t1\n").unwrap();
        store.write("device\t2\n").unwrap();
        let text = store.finish().unwrap();
        assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b)), "{text}");
        assert_eq!(text.len() % 4, 0);
    }
}
