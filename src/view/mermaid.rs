//! The ladder as a Mermaid sequence diagram, for wikis and tickets.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::Ladder;
use super::clock::TimeStyle;
use super::ladder::{Arrow, Event, Row};

/// Draws one ladder as `sequenceDiagram`, several as Markdown with a block for each: Mermaid has
/// one diagram in a file.
pub fn draw(ladders: &[Ladder], time: &TimeStyle, out: &mut dyn Write) -> io::Result<()> {
    if let [ladder] = ladders {
        return diagram(ladder, time, out);
    }
    for (number, ladder) in ladders.iter().enumerate() {
        let gap = if number == 0 { "" } else { "\n" };
        writeln!(out, "{gap}```mermaid")?;
        diagram(ladder, time, out)?;
        writeln!(out, "```")?;
    }
    Ok(())
}

fn diagram(ladder: &Ladder, time: &TimeStyle, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "sequenceDiagram")?;
    let when = ladder.rows.first().map(|row| time.date_time(row.time)).unwrap_or_default();
    writeln!(out, "    title {}", escape(&format!("{}, {when}", ladder.title)))?;
    for call_id in &ladder.legs {
        writeln!(out, "    %% Call-ID {}", escape(call_id))?;
    }
    for (number, lane) in ladder.lanes.iter().enumerate() {
        writeln!(out, "    participant L{number} as {}", escape(&lane.name))?;
    }
    for row in &ladder.rows {
        row_lines(ladder, row, out)?;
    }
    Ok(())
}

fn row_lines(ladder: &Ladder, row: &Row, out: &mut dyn Write) -> io::Result<()> {
    match &row.event {
        Event::Message(arrow) => {
            let line = if arrow.is_again() { "-->>" } else { "->>" };
            let (from, to) = (arrow.from, arrow.to);
            writeln!(out, "    L{from}{line}L{to}: {}", escape(&label(row, arrow)))?;
            for finding in arrow.findings() {
                let text =
                    format!("{} {} {}", finding.severity.word(), finding.code, finding.title);
                writeln!(out, "    Note over {}: {}", over(from, to), escape(&text))?;
            }
            Ok(())
        }
        Event::Evidence { from, to, label } => {
            writeln!(out, "    L{from}-xL{to}: {}", escape(&format!("{} {label}", row.frame_name)))
        }
        Event::Remark(text) => {
            let last = ladder.lanes.len().saturating_sub(1);
            writeln!(out, "    Note over {}: {}", over(0, last), escape(text))
        }
    }
}

fn label(row: &Row, arrow: &Arrow) -> String {
    let mut text = format!("{} {}", row.frame_name, arrow.label());
    if let Some(sdp) = &arrow.sdp {
        let _ = write!(text, " ({})", sdp.short);
    } else if let Some(payload) = &arrow.payload {
        let _ = write!(text, " ({payload})");
    }
    for remark in arrow.remarks() {
        let _ = write!(text, " [{remark}]");
    }
    text
}

fn over(from: usize, to: usize) -> String {
    if from == to { format!("L{from}") } else { format!("L{},L{}", from.min(to), from.max(to)) }
}

/// Characters with a meaning in Mermaid or HTML as its entity codes; so is the word `end`, which
/// would end a block.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (index, word) in text.split(' ').enumerate() {
        if index != 0 {
            out.push(' ');
        }
        if word.eq_ignore_ascii_case("end") {
            out.push_str(if word.starts_with('E') { "#69;" } else { "#101;" });
            out.push_str(word.get(1..).unwrap_or_default());
            continue;
        }
        for c in word.chars() {
            match c {
                '#' | ';' | '<' | '>' | '&' | '%' | '"' | '{' | '}' | '\\' => {
                    let _ = write!(out, "#{};", u32::from(c));
                }
                c => out.push(c),
            }
        }
    }
    out
}
