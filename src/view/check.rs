//! Findings: grouped by rule, worst first, with their evidence.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::{self, Write};

use super::json::{self, finding::FindingRecord, octets};
use super::page;
use super::quote::Quote;
use super::sarif;
use super::secret::{self, MASK, Part};
use super::style;
use super::text::{in_charset, severity_paint};
use super::visible::{elide, visible, wrap};
use super::{Format, Style, Subject};
use crate::rules::{Coverage, Finding, Place, Rule, Severity};
use crate::sip::{Message, Span};

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

/// What a rule means and what to do, for machine output and for people.
pub fn help(rule: &Rule) -> String {
    let parts = [page::why(rule), page::remedy(rule)];
    let text: Vec<String> = parts.into_iter().flatten().collect();
    if text.is_empty() { rule.statement.to_owned() } else { text.join(" ") }
}

/// The octets a finding points at, secrets masked; at most 400 of them.
pub fn evidence_text(message: &Message, span: Span) -> String {
    let secrets = secret::places(message);
    let range = span.range();
    let range = range.start..range.end.min(range.start + 400);
    secret::parts(&secrets, range)
        .into_iter()
        .map(|(range, part)| match part {
            Part::Open => octets(message.text().get(range).unwrap_or_default()).into_owned(),
            Part::Secret => MASK.to_owned(),
        })
        .collect()
}

fn text(subject: &Subject<'_>, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let printer = Printer { subject, style };
    let mut groups =
        subject.findings.chunk_by(|a, b| std::ptr::eq(a.rule, b.rule) && a.severity == b.severity);
    groups.try_for_each(|group| printer.group(group, out))?;
    for line in wrap(&undecided(subject.coverage), style.width.min(120)) {
        writeln!(out, "{}", style.paint(style::DIM, &printer.safe(&line)))?;
    }
    writeln!(out, "{}", style.paint(style::BOLD, &totals(subject.findings)))
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

struct Printer<'a> {
    subject: &'a Subject<'a>,
    style: &'a Style,
}

impl Printer<'_> {
    /// The findings of one rule and severity.
    fn group(&self, findings: &[Finding], out: &mut dyn Write) -> io::Result<()> {
        let Some(first) = findings.first() else { return Ok(()) };
        let rule = first.rule;
        let word = self.style.paint(severity_paint(first.severity), first.severity.word());
        let used = first.severity.word().len() + rule.code.len() + rule.name.len() + 4;
        let statement = self.cut(rule.statement, used);
        let name = self.style.paint(style::BOLD, &format!("{} {}", rule.code, rule.name));
        writeln!(out, "{word} {name}  {statement}")?;
        for finding in findings {
            self.finding(finding, out)?;
        }
        for (label, text) in [("why", page::why(rule)), ("fix", page::remedy(rule))] {
            let Some(text) = text else { continue };
            let room = self.style.width.min(120).saturating_sub(7);
            for (index, line) in wrap(&self.safe(&text), room).iter().enumerate() {
                let label = if index == 0 { label } else { "" };
                writeln!(
                    out,
                    "  {} {line}",
                    self.style.paint(style::BOLD, &format!("{label:<4}"))
                )?;
            }
        }
        let refs = format!("{}; siplens explain {}", rule.refs.join(", "), rule.code);
        writeln!(out, "  {} {}", self.style.paint(style::BOLD, "see "), self.cut(&refs, 7))?;
        writeln!(out)
    }

    fn finding(&self, finding: &Finding, out: &mut dyn Write) -> io::Result<()> {
        let times = match finding.count {
            0 | 1 => String::new(),
            count => format!(" ({count} times)"),
        };
        let title = visible(finding.title.as_bytes());
        writeln!(
            out,
            "  {} {}{times}",
            self.style.glyph("•", "*"),
            self.cut(&title, 4 + times.len())
        )?;
        let whom = format!("{}; {}", finding.sender, finding.hop);
        writeln!(
            out,
            "    {}",
            self.style.paint(style::DIM, &self.cut(&visible(whom.as_bytes()), 4))
        )?;
        for place in &finding.evidence {
            self.place(place, out)?;
        }
        Ok(())
    }

    /// One piece of evidence: where it is, and the line with carets below the octets.
    fn place(&self, place: &Place, out: &mut dyn Write) -> io::Result<()> {
        let flow = self.subject.flow(place.flow);
        let message = flow.message(place.message);
        let envelope = &message.envelope;
        let text = format!(
            "frame {}  {}  Call-ID {}  {}",
            self.subject.files.frame(envelope.frame),
            self.style.time.date_time(envelope.time),
            visible(flow.call_id()),
            visible(message.start_line()),
        );
        writeln!(out, "    {}", self.cut(&text, 4))?;
        let note = visible(place.note.as_bytes());
        let Some(span) = place.span else {
            if !note.is_empty() {
                writeln!(out, "      {}", self.cut(&note, 6))?;
            }
            return Ok(());
        };
        let bar = self.style.paint(style::DIM, self.style.glyph("│", "|"));
        let room = self.style.width.saturating_sub(8);
        let quote = Quote::of(message, span, room, self.style);
        writeln!(out, "      {bar} {}", quote.line)?;
        let carets = format!("{}{} {note}", " ".repeat(quote.column), "^".repeat(quote.columns));
        let carets = self.style.paint(style::FAILURE, &self.cut(&carets, 8));
        writeln!(out, "      {bar} {}", carets.trim_end())
    }

    fn safe(&self, text: &str) -> String {
        in_charset(text, self.style.charset)
    }

    /// `text` in what is left of a line after `used` columns.
    fn cut(&self, text: &str, used: usize) -> String {
        let room = self.style.width.saturating_sub(used);
        elide(&self.safe(text), room, self.style.glyph("…", "~"))
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
        let number = frame.map_or(0, |frame| frame.number);
        let title = format!("{} {}", finding.rule.code, finding.rule.name);
        let text = format!(
            "frame {number}: {} ({}; {} times)",
            visible(finding.title.as_bytes()),
            visible(finding.sender.as_bytes()),
            finding.count
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
