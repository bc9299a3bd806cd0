//! Findings: grouped by rule, worst first, with their evidence.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};

use anstyle::Style as Paint;

use super::json::{self, finding::FindingRecord};
use super::line::first_line;
use super::page;
use super::quote::Quote;
use super::sarif;
use super::style;
use super::text::{in_charset, severity_paint};
use super::visible::{columns, visible, wrap, wrap_from};
use super::{Format, Style, Subject};
use crate::frame::FrameId;
use crate::rules::{Coverage, Finding, Place, Severity};

/// The formats of findings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CheckFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON document.
    Json,
    /// One JSON object per finding.
    Ndjson,
    /// RFC 4180, one row per finding.
    Csv,
    /// SARIF 2.1.0, for code scanning services.
    Sarif,
    /// Annotations of GitHub Actions.
    Github,
}

/// Writes the findings of `subject`.
pub fn write(
    subject: &Subject<'_>,
    format: CheckFormat,
    style: &Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let rows = match format {
        CheckFormat::Text => return text(subject, style, out),
        CheckFormat::Sarif => return sarif::write(subject, out),
        CheckFormat::Github => return github(subject, out),
        CheckFormat::Json => Format::Json,
        CheckFormat::Ndjson => Format::Ndjson,
        CheckFormat::Csv => Format::Csv,
    };
    let records = subject.findings.iter().map(|finding| FindingRecord::of(subject, finding));
    json::write(records, rows, &subject.model.tally, out)
}

fn text(subject: &Subject<'_>, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let printer = Printer { subject, style };
    let mut groups =
        subject.findings.chunk_by(|a, b| std::ptr::eq(a.rule, b.rule) && a.severity == b.severity);
    groups.try_for_each(|group| printer.group(group, out))?;
    for line in wrap(&undecided(subject.coverage), style.width.min(PROSE)) {
        writeln!(out, "{}", style.paint(style::DIM, &printer.safe(&line)))?;
    }
    writeln!(out, "{}", style.paint(style::BOLD, &verdict(subject)))
}

/// What came of it in a few words: the totals, that there was nothing to judge, or that not all was.
pub fn verdict(subject: &Subject<'_>) -> String {
    let unreported = subject.model.tally.lost.get("let-go-unreported").copied().unwrap_or_default();
    if unreported != 0 {
        let totals = match subject.findings {
            [] => "nothing found in what was reported".to_owned(),
            findings => totals(findings),
        };
        let calls = if unreported == 1 { "call" } else { "calls" };
        return format!(
            "{totals}; {unreported} {calls} let go for want of memory went unreported: a larger \
             --memory holds more"
        );
    }
    if subject.flows.is_empty() && subject.findings.is_empty() {
        return "nothing was checked: no SIP message to judge".to_owned();
    }
    totals(subject.findings)
}

/// `not decidable: only one direction was captured (7)`: what cannot be proven either way.
/// Empty when all could be judged.
fn undecided(coverage: &[Coverage]) -> String {
    let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
    for (reason, count) in coverage.iter().flat_map(|coverage| &coverage.undecided) {
        *reasons.entry(reason).or_default() += count;
    }
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, count)| Reverse(*count));
    let parts: Vec<String> =
        reasons.iter().map(|(reason, count)| format!("{reason} ({count})")).collect();
    if parts.is_empty() {
        return String::new();
    }
    format!("not decidable: {}", parts.join(", "))
}

/// `2 errors, 1 warning`; `no findings`.
pub fn totals(findings: &[Finding]) -> String {
    let mut parts = Vec::new();
    for (severity, one, many) in [
        (Severity::Error, "error", "errors"),
        (Severity::Warning, "warning", "warnings"),
        (Severity::Info, "info", "infos"),
    ] {
        let count = findings.iter().filter(|finding| finding.severity == severity).count();
        if count != 0 {
            parts.push(format!("{count} {}", if count == 1 { one } else { many }));
        }
    }
    if parts.is_empty() { "no findings".to_owned() } else { parts.join(", ") }
}

/// Findings of one rule by what they say, of whom and to whom, in the order in which they were found.
fn alike(findings: &[Finding]) -> Vec<Vec<&Finding>> {
    let mut groups: Vec<Vec<&Finding>> = Vec::new();
    let mut known: HashMap<[&str; 3], usize> = HashMap::new();
    for finding in findings {
        let same: [&str; 3] = [&finding.title, &finding.sender, &finding.hop];
        let group = *known.entry(same).or_insert(groups.len());
        match groups.get_mut(group) {
            Some(group) => group.push(finding),
            None => groups.push(vec![finding]),
        }
    }
    groups
}

/// Places shown of findings that are alike.
const SHOWN: usize = 5;
/// Columns beyond which prose is hard to read.
const PROSE: usize = 120;

struct Printer<'a> {
    subject: &'a Subject<'a>,
    style: &'a Style,
}

impl Printer<'_> {
    /// The findings of one rule and severity.
    fn group(&self, findings: &[Finding], out: &mut dyn Write) -> io::Result<()> {
        let Some(first) = findings.first() else { return Ok(()) };
        let rule = first.rule;
        let word = first.severity.word();
        let used = word.len() + rule.code.len() + rule.name.len() + 4;
        let word = self.style.paint(severity_paint(first.severity), word);
        let name = self.style.paint(style::BOLD, &format!("{} {}", rule.code, rule.name));
        self.lines((&format!("{word} {name}  "), used), rule.statement, 4, Paint::new(), out)?;
        for alike in alike(findings) {
            self.finding(&alike, out)?;
        }
        let see = format!("{}; siplens explain {}", rule.refs.join(", "), rule.code);
        for (label, text) in
            [("why", page::why(rule)), ("fix", page::remedy(rule)), ("see", Some(see))]
        {
            let Some(text) = text else { continue };
            let label = self.style.paint(style::BOLD, &format!("{label:<4}"));
            self.lines((&format!("  {label} "), 7), &text, 7, Paint::new(), out)?;
        }
        writeln!(out)
    }

    /// Findings that say the same of the same sender in several calls.
    fn finding(&self, alike: &[&Finding], out: &mut dyn Write) -> io::Result<()> {
        let Some(finding) = alike.first() else { return Ok(()) };
        let times: u64 = alike.iter().map(|finding| finding.count).sum();
        let often = match alike.len() {
            1 if times < 2 => String::new(),
            1 => format!(" ({times} times)"),
            findings => format!(" ({findings} findings, {times} times)"),
        };
        let title = format!("{}{often}", visible(finding.title.as_bytes()));
        let bullet = format!("  {} ", self.style.glyph("•", "*"));
        self.lines((&bullet, 4), &title, 4, Paint::new(), out)?;
        let whom = visible(format!("{}; {}", finding.sender, finding.hop).as_bytes());
        self.lines(("    ", 4), &whom, 6, style::DIM, out)?;
        for place in &finding.evidence {
            self.place(place, out)?;
        }
        // Of the other calls, where it happened.
        let room = SHOWN.saturating_sub(finding.evidence.len());
        for place in alike.iter().skip(1).take(room).filter_map(|other| other.evidence.first()) {
            self.place(place, out)?;
        }
        match (alike.len() - 1).saturating_sub(room) {
            0 => Ok(()),
            1 => writeln!(out, "    and 1 more finding"),
            more => writeln!(out, "    and {more} more findings"),
        }
    }

    /// One piece of evidence: where it is, and the line with carets below the octets.
    fn place(&self, place: &Place, out: &mut dyn Write) -> io::Result<()> {
        let flow = self.subject.flow(place.flow);
        let message = flow.message(place.message);
        let envelope = &message.envelope;
        self.parts(
            &[
                format!("frame {}", self.subject.files.frame(envelope.frame)),
                self.style.time.date_time(envelope.time),
                format!("Call-ID {}", visible(flow.call_id())),
                first_line(message),
            ],
            out,
        )?;
        let note = self.safe(&visible(place.note.as_bytes()));
        let Some(span) = place.span else {
            return self.lines(("      ", 6), &note, 6, Paint::new(), out);
        };
        let bar = self.style.paint(style::DIM, self.style.glyph("│", "|"));
        let room = self.style.width.saturating_sub(8);
        let quote = Quote::of(message, span, room, self.style);
        writeln!(out, "      {bar} {}", quote.line)?;
        let indent = " ".repeat(quote.column);
        let carets = format!("{indent}{}", "^".repeat(quote.columns));
        let fits = columns(&carets) + 1 + columns(&note) <= room;
        let line = if fits { format!("{carets} {note}") } else { carets };
        writeln!(out, "      {bar} {}", self.style.paint(style::FAILURE, line.trim_end()))?;
        if !fits {
            let shift = quote.column.min(room.saturating_sub(columns(&note)));
            for line in wrap(&note, room - shift) {
                let line = format!("{}{line}", " ".repeat(shift));
                writeln!(out, "      {bar} {}", self.style.paint(style::FAILURE, &line))?;
            }
        }
        Ok(())
    }

    /// `text` behind a lead that takes so many columns; further lines are indented.
    fn lines(
        &self,
        (lead, used): (&str, usize),
        text: &str,
        indent: usize,
        paint: Paint,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let width = self.style.width.min(PROSE);
        let (first, room) = (width.saturating_sub(used), width.saturating_sub(indent));
        for (index, line) in wrap_from(&self.safe(text), first, room).iter().enumerate() {
            let line = self.style.paint(paint, line);
            let before = if index == 0 { lead.to_owned() } else { " ".repeat(indent) };
            writeln!(out, "{}", format!("{before}{line}").trim_end())?;
        }
        Ok(())
    }

    /// Parts of a line, each whole on the first line that has room for it.
    fn parts(&self, parts: &[String], out: &mut dyn Write) -> io::Result<()> {
        let mut line = String::new();
        let mut lead = "    ";
        for part in parts {
            let part = self.safe(part);
            let gap = if line.is_empty() { 0 } else { 2 };
            if gap != 0 && self.style.width < lead.len() + columns(&line) + gap + columns(&part) {
                writeln!(out, "{lead}{line}")?;
                (line, lead) = (part, "      ");
            } else {
                line.extend(std::iter::repeat_n(' ', gap));
                line.push_str(&part);
            }
        }
        let room = self.style.width.saturating_sub(lead.len());
        if columns(&line) <= room {
            return writeln!(out, "{lead}{line}");
        }
        wrap(&line, room).iter().try_for_each(|line| writeln!(out, "{lead}{line}"))
    }

    fn safe(&self, text: &str) -> String {
        in_charset(text, self.style.charset)
    }
}

/// One annotation per finding; a percent sign, line ends and the delimiters are escaped as the
/// runner demands.
fn github(subject: &Subject<'_>, out: &mut dyn Write) -> io::Result<()> {
    for finding in subject.findings {
        let level = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "notice",
        };
        let first = finding.evidence.first();
        let frame = first.map(|p| subject.flow(p.flow).message(p.message).envelope.frame);
        let file = frame.map_or("", |frame| subject.files.file(frame));
        let number = frame.map_or(0, FrameId::number);
        let title = format!("{} {}", finding.rule.code, finding.rule.name);
        let times =
            if finding.count < 2 { String::new() } else { format!("; {} times", finding.count) };
        let text = format!(
            "frame {number}: {} ({}{times})",
            visible(finding.title.as_bytes()),
            visible(finding.sender.as_bytes()),
        );
        writeln!(
            out,
            "::{level} file={},title={}::{}",
            property(&visible(file.as_bytes())),
            property(&title),
            data(&text)
        )?;
    }
    Ok(())
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
