//! One row per SIP message, written as it is known: lines, whole messages, JSON, CSV.

use std::io::{self, Write};

use super::frames::Files;
use super::message::Detail;
use super::{Format, MessageRow, Style};

/// Writes rows of messages in one format; [`Messages::begin`] first, [`Messages::end`] last.
pub struct Messages<'a> {
    format: Format,
    detail: Detail,
    style: Style,
    files: Files<'a>,
}

impl<'a> Messages<'a> {
    /// A writer; `detail` counts for text only.
    pub fn new(format: Format, detail: Detail, style: Style, files: &'a [String]) -> Self {
        Self { format, detail, style, files: Files(files) }
    }

    /// What stands before the first row.
    pub fn begin(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let _ = (self.format, out);
        Ok(())
    }

    /// One message.
    pub fn row(&mut self, row: &MessageRow<'_>, out: &mut dyn Write) -> io::Result<()> {
        super::message::write(row, self.detail, self.files, &self.style, out)
    }

    /// What stands behind the last row.
    pub fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let _ = (self.format, out);
        Ok(())
    }
}
