//! Pages of rules as plain text for people: wrapped paragraphs, numbered messages, no markup.

use std::io::{self, Write};

use anstyle::Style as Paint;

use super::Style;
use super::style::{BOLD, DIM};
use super::text::in_charset;
use super::visible::wrap_from;

/// Columns beyond which prose is hard to read.
const PROSE: usize = 100;

/// Writes `page`, the Markdown of a rule.
pub fn write(page: &str, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let mut printer =
        Printer { style, out, paragraph: String::new(), fence: None, gap: Gap::None, number: 0 };
    page.lines().try_for_each(|line| printer.line(line))?;
    printer.flush()
}

struct Printer<'a> {
    style: &'a Style,
    out: &'a mut dyn Write,
    /// Text since the last blank line.
    paragraph: String,
    fence: Option<Fence>,
    gap: Gap,
    /// Messages of the flow so far: findings name them.
    number: usize,
}

/// Whether a blank line is due.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gap {
    None,
    Due,
}

/// What a fenced block holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fence {
    /// Messages of an example.
    Flow,
    /// What is reported of them, so many lines yet.
    Findings(usize),
    /// Something to be shown as it is.
    Other,
}

impl Printer<'_> {
    fn line(&mut self, line: &str) -> io::Result<()> {
        if let Some(word) = line.strip_prefix("```") {
            return self.fence(word.trim());
        }
        match self.fence {
            Some(Fence::Flow) => return self.flow(line),
            Some(Fence::Findings(count)) => {
                self.fence = Some(Fence::Findings(count + 1));
                let (message, finding) = line.split_once(' ').unwrap_or(("?", line));
                return self.put("    = ", &format!("at {message}: {finding}"), BOLD);
            }
            Some(Fence::Other) => return self.put("    ", line, Paint::new()),
            None => {}
        }
        if line.trim().is_empty() {
            self.flush()?;
            self.gap = Gap::Due;
            return Ok(());
        }
        let heading = line.trim_start_matches('#');
        if heading.len() < line.len() {
            self.flush()?;
            return self.put("", heading.trim(), BOLD);
        }
        if line.starts_with("- ") {
            self.flush()?;
        } else if !self.paragraph.is_empty() {
            self.paragraph.push(' ');
        }
        self.paragraph.push_str(line.trim());
        Ok(())
    }

    /// A fence opens a block, or closes it.
    fn fence(&mut self, word: &str) -> io::Result<()> {
        self.flush()?;
        let before = self.fence.take();
        match (before, word) {
            (Some(Fence::Findings(0)), _) => return self.put("    = ", "nothing is reported", DIM),
            (Some(_), _) => {}
            (None, "flow") => {
                self.number = 0;
                self.fence = Some(Fence::Flow);
            }
            (None, "findings") => {
                // They belong to the messages above.
                self.gap = Gap::None;
                self.fence = Some(Fence::Findings(0));
            }
            (None, _) => self.fence = Some(Fence::Other),
        }
        Ok(())
    }

    /// A line of an example: a message with its number, a header of it, time that passes.
    fn flow(&mut self, line: &str) -> io::Result<()> {
        if let Some(later) = line.strip_prefix('+') {
            return self.put("        ", &format!("{later} later"), DIM);
        }
        if let Some(remark) = line.strip_prefix('#') {
            return self.put("        ", &format!("({})", remark.trim()), DIM);
        }
        if line.starts_with(' ') || line.trim().is_empty() {
            return self.put("            ", line.trim(), Paint::new());
        }
        self.number += 1;
        self.put(&format!("    {:>2}  ", self.number), line, Paint::new())
    }

    fn put(&mut self, lead: &str, text: &str, paint: Paint) -> io::Result<()> {
        if std::mem::replace(&mut self.gap, Gap::None) == Gap::Due {
            writeln!(self.out)?;
        }
        let text = in_charset(text, self.style.charset);
        writeln!(self.out, "{lead}{}", self.style.paint(paint, &text))
    }

    /// Writes the paragraph or the item of a list that was gathered.
    fn flush(&mut self) -> io::Result<()> {
        let text = std::mem::take(&mut self.paragraph).replace('`', "");
        let (lead, text, indent) = match text.strip_prefix("- ") {
            Some(item) => (self.style.glyph("  • ", "  * "), item, "    "),
            None => ("", text.as_str(), ""),
        };
        let room = self.style.width.min(PROSE).saturating_sub(indent.len());
        for (index, line) in wrap_from(text, room, room).iter().enumerate() {
            self.put(if index == 0 { lead } else { indent }, line, Paint::new())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const PAGE: &str = "# a-rule (M001)\n\nIt is\nwrong.\n\n## Reported\n\n- `one`: the\n  first.\n\n\
        ```flow\nalice > bob  INVITE\n    CSeq: 1 ACK\n+2s\n# now\nalice < bob  200\n```\n\n\
        ```findings\n2 error M001 Wrong\n```\n\n```flow\nalice > bob  BYE\n```\n\n```findings\n```\n";

    #[test]
    fn a_page_reads_without_markup() {
        let mut out = Vec::new();
        write(PAGE, &Style::default(), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let expected = "a-rule (M001)\n\nIt is wrong.\n\nReported\n\n  • one: the first.\n\n     \
            1  alice > bob  INVITE\n            CSeq: 1 ACK\n        2s later\n        (now)\n     \
            2  alice < bob  200\n    = at 2: error M001 Wrong\n\n     1  alice > bob  BYE\n    \
            = nothing is reported\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn every_page_is_readable_on_80_columns() {
        for rule in crate::rules::RULES {
            let mut out = Vec::new();
            write(rule.page, &Style { width: 80, ..Style::default() }, &mut out).unwrap();
            let text = String::from_utf8(out).unwrap();
            assert!(!text.contains("```") && !text.contains("\n#"), "{}", rule.code);
            assert!(text.contains(rule.name) && text.contains("\nSee\n"), "{}", rule.code);
        }
    }
}
