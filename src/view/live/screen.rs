//! A part of the terminal that is drawn again and again.

use std::io::{self, Write};

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
            // The second screen, without a cursor.
            out.write_all(b"\x1b[?1049h\x1b[?25l")?;
        }
        out.write_all(b"\x1b[H")?;
        for line in text.lines() {
            // What the line before it was longer by goes away.
            writeln!(out, "{line}\x1b[K")?;
        }
        out.write_all(b"\x1b[J")?;
        out.flush()
    }

    /// Goes back to the first screen.
    pub fn close(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if std::mem::take(&mut self.is_open) {
            out.write_all(b"\x1b[?25h\x1b[?1049l")?;
        }
        Ok(())
    }
}
