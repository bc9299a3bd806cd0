//! One line for each finding that became certain.

use std::io::{self, Write};

use crate::rules::Finding;
use crate::view::text::{in_charset, severity_paint};
use crate::view::visible::visible;
use crate::view::{Style, Subject, style};

/// Writes the findings of `subject`, in the order in which they were met.
pub fn lines(subject: &Subject<'_>, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    subject.findings.iter().try_for_each(|finding| line(subject, finding, style, out))
}

fn line(
    subject: &Subject<'_>,
    finding: &Finding,
    style: &Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let paint = severity_paint(finding.severity);
    let time = style.time.time_of_day(finding.last, 3);
    let word = style.paint(paint, &format!("{:7}", finding.severity.word()));
    let label = style.paint(style::BOLD, &finding.rule.label(finding.kind));
    let title = in_charset(&finding.title, style.charset);
    write!(out, "{time} {word} {label} {title}  {}", finding.hop)?;
    if finding.count != 1 {
        write!(out, "  {} times", finding.count)?;
    }
    let place = finding.evidence.first();
    let call_id = place.map(|place| visible(subject.flow(place.flow).call_id()));
    let call_id = call_id.filter(|call_id| !call_id.is_empty()).unwrap_or_default();
    let call_id = style.paint(style::DIM, &in_charset(&call_id, style.charset));
    writeln!(out, "  {call_id}")
}
