//! A part of the terminal that is drawn again and again.

use std::io::{self, Write};

/// The second screen, without a cursor.
const OPEN: &[u8] = b"\x1b[?1049h\x1b[?25l";
/// The first screen as it was, and the cursor.
const CLOSE: &[u8] = b"\x1b[?25h\x1b[?1049l";

/// Writes to a terminal's second screen, which leaves what was on the first as it was.
#[derive(Debug, Default)]
pub struct Screen {
    is_open: bool,
}

impl Screen {
    /// Draws `text` in place of what was drawn before.
    pub fn draw(&mut self, text: &str, out: &mut dyn Write) -> io::Result<()> {
        if !self.is_open {
            self.is_open = true;
            out.write_all(OPEN)?;
        }
        out.write_all(b"\x1b[H")?;
        for (number, line) in text.lines().enumerate() {
            // A line end below the last line of the screen would move all of them.
            out.write_all(if number == 0 { b"" } else { b"\r\n" })?;
            // What the line before it was longer by goes away.
            write!(out, "{line}\x1b[K")?;
        }
        out.write_all(b"\x1b[J")?;
        out.flush()
    }

    /// What brings the first screen back; `None` when it is there.
    pub fn close(&mut self) -> Option<&'static [u8]> {
        std::mem::take(&mut self.is_open).then_some(CLOSE)
    }
}
