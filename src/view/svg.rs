//! The ladder as SVG: alone in a file, or inline in a page that brings the style.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::Ladder;
use super::clock::{self, TimeStyle};
use super::ladder::{Arrow, Class, Event, FindingMark, Row};
use super::markup::escape;
use super::visible::{columns, elide};
use crate::model::{FlowId, MessageId};

/// The style of ladders, for pages that hold them inline.
pub const STYLE: &str = include_str!("../../templates/ladder.css");

/// Whether messages are links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// No links.
    None,
    /// To the anchor of the message in the same page, see [`anchor`].
    Messages,
}

/// The anchor of a message in a page.
pub fn anchor((flow, message): (FlowId, MessageId)) -> String {
    format!("m{}-{}", flow.0 + 1, message.place() + 1)
}

/// Draws `ladders` below each other as an SVG document of its own, each with its title, the time of
/// its first row, and its Call-IDs.
pub fn draw(ladders: &[Ladder], time: &TimeStyle, out: &mut dyn Write) -> io::Result<()> {
    let drawings: Vec<_> =
        ladders.iter().map(|ladder| Drawing::new(ladder, time, Links::None)).collect();
    let heads: Vec<_> = drawings.iter().map(Drawing::heading).collect();
    let sizes = drawings.iter().zip(&heads);
    let height: usize = sizes.clone().map(|(d, head)| heading_height(head) + d.height).sum();
    let width = sizes.map(|(d, head)| d.width.max(heading_width(head))).max().unwrap_or(0);
    writeln!(
        out,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <svg xmlns=\"http://www.w3.org/2000/svg\" class=\"ladder\" width=\"{width}\" \
         height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n\
         <style>\n.ladder {{ background: Canvas; color-scheme: light dark; }}\n\
         .heading {{ font-weight: bold; font-size: 14px; }}\n{STYLE}</style>"
    )?;
    let mut top = 0;
    for (drawing, head) in drawings.iter().zip(&heads) {
        writeln!(
            out,
            "<g transform=\"translate(0,{top})\" role=\"group\" aria-label=\"Ladder: {}\">",
            escape(&drawing.ladder.title)
        )?;
        for (line, text) in head.iter().enumerate() {
            let class = if line == 0 { "heading" } else { "small" };
            let y = 20 + line * LINE;
            writeln!(out, "<text class=\"{class}\" x=\"8\" y=\"{y}\">{}</text>", escape(text))?;
        }
        writeln!(out, "<g transform=\"translate(0,{})\">", heading_height(head))?;
        drawing.content(out)?;
        writeln!(out, "</g></g>")?;
        top += heading_height(head) + drawing.height;
    }
    writeln!(out, "</svg>")
}

const fn heading_height(lines: &[String]) -> usize {
    lines.len() * LINE + 16
}

fn heading_width(lines: &[String]) -> usize {
    lines.iter().map(|line| columns(line) * (GLYPH + 1) + 16).max().unwrap_or(0)
}

/// Draws `ladder` for a page that holds [`STYLE`].
pub fn inline(
    ladder: &Ladder,
    time: &TimeStyle,
    links: Links,
    out: &mut dyn Write,
) -> io::Result<()> {
    let drawing = Drawing::new(ladder, time, links);
    drawing.open(out)?;
    drawing.content(out)?;
    writeln!(out, "</svg>")
}

/// Columns left of the lanes, in pixels: frame and time.
const GUTTER: usize = 176;
/// Columns of the name of a frame.
const FRAME: usize = 9;
/// Width of a page.
const PAGE: usize = 1160;
/// Least distance of lanes.
const LEAST: usize = 140;
/// Height of the boxes with the names of the lanes.
const HEAD: usize = 44;
/// Height of an arrow with its label.
const ROW: usize = 34;
/// Height of a line of text below an arrow.
const LINE: usize = 18;
/// Mean width of a character of a label; on the wide side, so that labels stay inside.
const GLYPH: usize = 7;

struct Drawing<'a> {
    ladder: &'a Ladder,
    time: &'a TimeStyle,
    links: Links,
    /// Distance of lanes.
    pitch: usize,
    /// Distance of the first lane from the gutter: half a box.
    margin: usize,
    width: usize,
    height: usize,
}

impl<'a> Drawing<'a> {
    fn new(ladder: &'a Ladder, time: &'a TimeStyle, links: Links) -> Self {
        let name = ladder.lanes.iter().map(|lane| columns(&lane.name)).max().unwrap_or(0);
        let margin = (name * GLYPH / 2 + 12).clamp(60, 150);
        let wanted = ladder.rows.iter().map(|row| match &row.event {
            Event::Message(arrow) => {
                let spread = arrow.from.abs_diff(arrow.to).max(1);
                (columns(&label(arrow)) * GLYPH + 40) / spread
            }
            Event::Evidence { label, .. } => columns(label) * GLYPH + 40,
            Event::Remark(_) => 0,
        });
        let pitch = wanted.max().unwrap_or(0).clamp((2 * margin + 8).min(300), 340);
        // A page is rarely wider; longer labels are cut and stand whole in the tool tip.
        let gaps = ladder.lanes.len().saturating_sub(1);
        let most = PAGE.saturating_sub(GUTTER + 2 * margin) / gaps.max(1);
        let pitch = pitch.min(most.max(LEAST));
        let remarks = ladder.rows.iter().map(|row| match &row.event {
            Event::Message(arrow) => {
                let widest = arrow.findings().map(|f| columns(&f.title) + 8).max().unwrap_or(0);
                self::text_width(widest.min(FINDING))
            }
            _ => 0,
        });
        let needed = GUTTER + margin + remarks.max().unwrap_or(0) + 40;
        let width = (GUTTER + 2 * margin + gaps * pitch + 16).max(needed);
        let rows: usize = ladder.rows.iter().map(height).sum();
        Self { ladder, time, links, pitch, margin, width, height: HEAD + rows + 24 }
    }

    fn open(&self, out: &mut dyn Write) -> io::Result<()> {
        let (width, height) = (self.width, self.height);
        writeln!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"ladder\" width=\"{width}\" \
             height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"group\" \
             aria-label=\"Ladder: {}\">",
            escape(&self.ladder.title)
        )
    }

    fn content(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "<title>{}</title>", escape(&self.ladder.title))?;
        let bottom = self.height - 12;
        for (lane, x) in self.ladder.lanes.iter().zip((0..).map(|lane| self.x(lane))) {
            writeln!(
                out,
                "<line class=\"lane\" x1=\"{x}\" y1=\"{HEAD}\" x2=\"{x}\" y2=\"{bottom}\"/>"
            )?;
            let half = self.margin.min(self.pitch / 2).saturating_sub(4).max(20);
            writeln!(
                out,
                "<rect class=\"box\" x=\"{}\" y=\"4\" width=\"{}\" height=\"{}\" rx=\"5\"/>",
                x - half,
                2 * half,
                HEAD - 8
            )?;
            let room = 2 * half / GLYPH;
            let y = if lane.product.is_some() { 19 } else { 27 };
            text(out, "name", x, y, &elide(&lane.name, room, "…"))?;
            if let Some(product) = &lane.product {
                // Platform and build in brackets go first.
                let short = product.split(" (").next().unwrap_or_default();
                let fits = columns(product) <= room + 2;
                let shown = if fits { product } else { short };
                text(out, "small", x, 33, &elide(shown, room + 2, "…"))?;
            }
        }
        let mut y = HEAD + 8;
        let mut is_first = true;
        for row in &self.ladder.rows {
            self.row(row, y, is_first, out)?;
            y += height(row);
            is_first = is_first && matches!(row.event, Event::Remark(_));
        }
        Ok(())
    }

    /// Title, time and Call-IDs, for a drawing that stands alone.
    fn heading(&self) -> Vec<String> {
        let first = self.ladder.rows.first();
        let zone = |time| format!("{} {}", self.time.date_time(time), self.time.zone(time));
        let when = first.map(|row| zone(row.time)).unwrap_or_default();
        let mut lines = vec![self.ladder.title.clone()];
        match self.ladder.legs.as_slice() {
            [] => {}
            [call_id] => lines.push(format!("{when}, Call-ID {call_id}")),
            legs => {
                lines.push(when);
                let leg = |(index, id)| format!("leg {}: Call-ID {id}", index + 1);
                lines.extend(legs.iter().enumerate().map(leg));
            }
        }
        lines
    }

    fn row(&self, row: &Row, top: usize, is_first: bool, out: &mut dyn Write) -> io::Result<()> {
        let y = top + ROW - 12;
        match &row.event {
            Event::Remark(remark) => {
                let last = self.x(self.ladder.lanes.len().saturating_sub(1));
                let middle = self.x(0).midpoint(last);
                plate(out, middle, top + 15, columns(remark))?;
                return text(out, "remark", middle, top + 15, remark);
            }
            Event::Evidence { from, to, label } => {
                writeln!(out, "<g class=\"row evidence\"><title>{}</title>", self.describe(row))?;
                self.gutter(row, y, is_first, out)?;
                self.stroke(*from, *to, y, label, out)?;
                writeln!(out, "</g>")?;
            }
            Event::Message(arrow) => {
                let again = if arrow.is_again() { " again" } else { "" };
                let class = class_word(arrow.class);
                if self.links == Links::Messages {
                    writeln!(out, "<a href=\"#{}\">", anchor(arrow.place))?;
                }
                writeln!(
                    out,
                    "<g class=\"row {class}{again}\"><title>{}</title>",
                    self.describe(row)
                )?;
                self.gutter(row, y, is_first, out)?;
                self.stroke(arrow.from, arrow.to, y, &label(arrow), out)?;
                writeln!(out, "</g>")?;
                if self.links == Links::Messages {
                    writeln!(out, "</a>")?;
                }
                for (line, finding) in arrow.findings().enumerate() {
                    self.finding(arrow, finding, top + ROW + line * LINE + 6, out)?;
                }
            }
        }
        Ok(())
    }

    fn gutter(&self, row: &Row, y: usize, is_first: bool, out: &mut dyn Write) -> io::Result<()> {
        let time = match row.delta {
            Some(nanos) if !is_first => clock::delta(nanos, 6),
            _ => self.time.time_of_day(row.time, 6),
        };
        let leg =
            if self.ladder.legs.len() < 2 { String::new() } else { format!(" · {}", row.leg + 1) };
        // Where the name of the file has no room, the number still tells; the tool tip has both.
        let name = &row.frame_name;
        let number = name.rsplit(':').next().filter(|_| FRAME < columns(name) + columns(&leg));
        let frame = elide(&format!("{}{leg}", number.unwrap_or(name)), FRAME, "…");
        writeln!(
            out,
            "<text class=\"time\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\
             <text class=\"time\" x=\"0\" y=\"{}\">{}</text>",
            GUTTER - 6,
            y + 4,
            escape(&time),
            y + 4,
            escape(&frame)
        )
    }

    /// A line from lane to lane with its head, and the label above it.
    fn stroke(
        &self,
        from: usize,
        to: usize,
        y: usize,
        label: &str,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let (a, b) = (self.x(from), self.x(to));
        if from == to {
            let (y1, y2) = (y - 6, y + 6);
            writeln!(out, "<path class=\"line\" d=\"M{a} {y1}h28v12h-22\"/>")?;
            writeln!(out, "<path class=\"head\" d=\"M{a} {y2}l8 -4v8z\"/>")?;
            let at = a + 36;
            return writeln!(
                out,
                "<text class=\"label\" x=\"{at}\" y=\"{}\">{}</text>",
                y + 4,
                escape(label)
            );
        }
        let tip = if a < b { format!("M{b} {y}l-9 -4v8z") } else { format!("M{b} {y}l9 -4v8z") };
        writeln!(out, "<line class=\"line\" x1=\"{a}\" y1=\"{y}\" x2=\"{b}\" y2=\"{y}\"/>")?;
        writeln!(out, "<path class=\"head\" d=\"{tip}\"/>")?;
        let room = (a.abs_diff(b) - 8) / GLYPH * 11 / 10;
        let label = elide(label, room, "…");
        // Lanes in between would run through the label.
        if 1 < from.abs_diff(to) {
            plate(out, a.midpoint(b), y - 6, columns(&label))?;
        }
        text(out, "label", a.midpoint(b), y - 6, &label)
    }

    fn finding(
        &self,
        arrow: &Arrow,
        finding: &FindingMark,
        y: usize,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let title = elide(&finding.title, FINDING, "…");
        let needed = text_width(columns(&title) + 8);
        let left = self.x(arrow.from.min(arrow.to)) + 8;
        let x = left.min(self.width.saturating_sub(needed)).max(GUTTER);
        let word = finding.severity.word();
        writeln!(
            out,
            "<g class=\"finding {word}\"><title>{word}: {} {}: {}</title>\
             <rect class=\"plate\" x=\"{x}\" y=\"{}\" width=\"{needed}\" height=\"15\"/>\
             <rect class=\"badge\" x=\"{x}\" y=\"{}\" width=\"38\" height=\"14\" rx=\"3\"/>\
             <text x=\"{}\" y=\"{y}\" text-anchor=\"middle\">{}</text>\
             <text x=\"{}\" y=\"{y}\">{}</text></g>",
            finding.code,
            escape(finding.name),
            escape(&finding.title),
            y - 11,
            y - 11,
            x + 19,
            finding.code,
            x + 44,
            escape(&title)
        )
    }

    /// All of a row in words, for tool tips and screen readers.
    fn describe(&self, row: &Row) -> String {
        let mut words = format!("Frame {}, {}", row.frame_name, self.time.date_time(row.time));
        let name = |lane: usize| self.ladder.lanes.get(lane).map_or("?", |lane| &lane.name);
        match &row.event {
            Event::Remark(text) => words.push_str(text),
            Event::Evidence { from, to, label } => {
                let _ = write!(words, ": {label}, {} to {}", name(*from), name(*to));
            }
            Event::Message(arrow) => {
                let (from, to) = (name(arrow.from), name(arrow.to));
                let _ = write!(words, ": {}, {from} to {to}", arrow.label());
                if let (Class::Request, Some(uri)) = (arrow.class, &arrow.tail) {
                    let _ = write!(words, ", {uri}");
                }
                if let Some(sdp) = &arrow.sdp {
                    let _ = write!(words, ", SDP {}", sdp.full);
                }
                for remark in arrow.remarks() {
                    let _ = write!(words, ", {remark}");
                }
            }
        }
        escape(&words)
    }

    fn x(&self, lane: usize) -> usize {
        GUTTER + self.margin + lane * self.pitch
    }
}

/// Columns of the title of a finding.
const FINDING: usize = 110;

const fn text_width(columns: usize) -> usize {
    columns * 6 + 20
}

fn height(row: &Row) -> usize {
    match &row.event {
        Event::Remark(_) => 22,
        Event::Evidence { .. } => ROW,
        Event::Message(arrow) => ROW + LINE * arrow.findings().count(),
    }
}

/// What is written on an arrow.
fn label(arrow: &Arrow) -> String {
    let mut text = arrow.label();
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

/// Room for text that would stand on a line.
fn plate(out: &mut dyn Write, x: usize, y: usize, columns: usize) -> io::Result<()> {
    let width = columns * 6 + 8;
    let (left, top) = (x.saturating_sub(width / 2), y.saturating_sub(11));
    writeln!(
        out,
        "<rect class=\"plate\" x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"15\"/>"
    )
}

fn text(out: &mut dyn Write, class: &str, x: usize, y: usize, text: &str) -> io::Result<()> {
    let text = escape(text);
    writeln!(
        out,
        "<text class=\"{class}\" x=\"{x}\" y=\"{y}\" text-anchor=\"middle\">{text}</text>"
    )
}

/// The word of a class in style sheets.
pub const fn class_word(class: Class) -> &'static str {
    match class {
        Class::Request => "request",
        Class::Provisional => "provisional",
        Class::Success => "success",
        Class::Redirect => "redirect",
        Class::Failure => "failure",
    }
}
