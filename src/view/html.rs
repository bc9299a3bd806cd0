//! The report: one self-contained HTML file without script and network.

use std::io::{self, Write};

use super::ladder::LadderOptions;
use super::{Subject, TimeStyle};

/// What the report holds.
#[derive(Clone, Debug)]
pub struct ReportOptions {
    /// Heading of the report.
    pub title: String,
    /// Zone of its times.
    pub time: TimeStyle,
    /// How ladders are laid out.
    pub ladder: LadderOptions,
    /// Calls drawn in full; those with findings come first, the others are listed only.
    pub calls: usize,
}

impl Default for ReportOptions {
    fn default() -> Self {
        Self {
            title: "SIP report".to_owned(),
            time: TimeStyle::Utc,
            ladder: LadderOptions::default(),
            calls: 200,
        }
    }
}

/// Writes the report on `subject`.
pub fn write(
    subject: &Subject<'_>,
    options: &ReportOptions,
    out: &mut dyn Write,
) -> io::Result<()> {
    let _ = (subject, options, out);
    Ok(())
}
