//! The ladder in a terminal of any width.

mod canvas;
mod labels;
mod layout;

use std::io::{self, Write};

use anstyle::Style as Paint;

use self::canvas::Canvas;
pub(crate) use self::labels::in_charset;
use self::labels::{Labels, labels};
use self::layout::{Heads, Layout};
use super::ladder::{Class, Event, Ladder, Row};
use super::style::{self, Coloring, Style};
use super::visible::{columns, elide, elide_middle, pad_left, wrap};
use crate::rules::Severity;

/// Columns that a finding needs beside its arrow.
const NARROW: usize = 18;
/// Lines of one finding that are shown.
const FINDING_LINES: usize = 6;

/// Draws `ladder` in lines of at most `style.width` columns.
pub fn draw(ladder: &Ladder, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let style = Style { width: style.width.max(MINIMUM), ..style.clone() };
    let layout = Layout::of(ladder, style.width);
    let drawing = Drawing { ladder, style: &style, layout };
    drawing.head(out)?;
    let mut is_first = true;
    for row in &ladder.rows {
        drawing.row(row, is_first, out)?;
        is_first = is_first && matches!(row.event, Event::Remark(_));
    }
    drawing.foot(out)
}

/// Below this no ladder can be read.
const MINIMUM: usize = 40;

struct Drawing<'a> {
    ladder: &'a Ladder,
    style: &'a Style,
    layout: Layout,
}

impl Drawing<'_> {
    fn head(&self, out: &mut dyn Write) -> io::Result<()> {
        self.line(&self.ladder.title, style::BOLD, out)?;
        for (leg, call_id) in self.ladder.legs.iter().enumerate() {
            let text = match self.ladder.legs.len() {
                1 => format!("Call-ID {call_id}"),
                _ => format!("leg {}: Call-ID {call_id}", leg + 1),
            };
            self.line(&text, self.leg_paint(leg), out)?;
        }
        if self.layout.heads == Heads::Numbers || self.layout.lanes.is_empty() {
            for (number, lane) in self.ladder.lanes.iter().enumerate() {
                let product = lane.product.as_deref().unwrap_or_default();
                let text = format!("{:>3} {}  {product}", number + 1, lane.name);
                self.line(text.trim_end(), Paint::new(), out)?;
            }
        }
        writeln!(out)?;
        self.lane_heads(out)
    }

    fn lane_heads(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.layout.lanes.is_empty() {
            return Ok(());
        }
        let mut names = Canvas::new(self.layout.width);
        let mut products = Canvas::new(self.layout.width);
        let pitch = self.pitch();
        for (number, (lane, at)) in self.ladder.lanes.iter().zip(&self.layout.lanes).enumerate() {
            let name = match self.layout.heads {
                Heads::Names => lane.name.clone(),
                Heads::Numbers => (number + 1).to_string(),
            };
            self.center(&mut names, *at, &self.safe(&name), style::BOLD);
            if let (Heads::Names, Some(product)) = (self.layout.heads, &lane.product) {
                let room = (pitch / 2 - 1 + self.layout.width - at).min(pitch - 2).min(28);
                let product = self.product(product, room);
                self.center(&mut products, *at, &product, style::DIM);
            }
        }
        if let Some(row) = self.ladder.rows.first() {
            let zone = self.style.time.zone(row.time);
            let date = format!("{} {zone}", self.style.time.date(row.time));
            let room = self.layout.start().saturating_sub(1);
            let date = if columns(&date) <= room { date } else { self.style.time.date(row.time) };
            names.put(0, &elide(&date, room, ""), style::DIM);
        }
        for canvas in [names, products] {
            let line = canvas.finish(self.style);
            if !line.is_empty() {
                writeln!(out, "{line}")?;
            }
        }
        writeln!(out, "{}", self.bars().finish(self.style))
    }

    fn foot(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.ladder.hidden_duplicates != 0 {
            let count = self.ladder.hidden_duplicates;
            let s = if count == 1 { "" } else { "s" };
            let text = format!("{count} packet{s} captured twice left out");
            self.line(&text, style::DIM, out)?;
        }
        Ok(())
    }

    fn row(&self, row: &Row, is_first: bool, out: &mut dyn Write) -> io::Result<()> {
        if self.layout.lanes.is_empty() {
            return self.flat_row(row, is_first, out);
        }
        let mut canvas = self.bars();
        self.gutter(&mut canvas, row, is_first);
        let (from, to, labels, paint, dashed) = match &row.event {
            Event::Remark(text) => {
                let room = self.layout.room().saturating_sub(2);
                let text = elide(&self.safe(text), room, self.ellipsis());
                let text = format!(" {text} ");
                self.between(&mut canvas, &text, None, style::DIM);
                return writeln!(out, "{}", canvas.finish(self.style));
            }
            Event::Evidence { from, to, label } => {
                (*from, *to, Labels::plain(label), style::FAILURE, false)
            }
            Event::Message(arrow) => {
                let labels = labels(arrow, self.style.charset);
                (arrow.from, arrow.to, labels, self.paint(row, arrow.class), arrow.is_again())
            }
        };
        let stroke = Stroke { from: self.at(from), to: self.at(to), paint, dashed };
        let below = if from == to {
            self.loop_line(canvas, &stroke, &labels, out)?
        } else {
            self.arrow(&mut canvas, &stroke, &labels);
            let rest = self.rest(&stroke, &labels);
            writeln!(out, "{}", canvas.finish(self.style))?;
            rest
        };
        for text in below {
            let mut canvas = self.bars();
            self.between(&mut canvas, &text, Some(&stroke), paint);
            writeln!(out, "{}", canvas.finish(self.style))?;
        }
        self.findings(row, &stroke, out)
    }

    /// Frame, time and leg, left of the lanes.
    fn gutter(&self, canvas: &mut Canvas, row: &Row, is_first: bool) {
        let layout = &self.layout;
        let mut at = 0;
        if layout.frame != 0 {
            let name = elide_middle(&self.safe(&row.frame_name), layout.frame, self.ellipsis());
            canvas.put(0, &pad_left(&name, layout.frame), style::DIM);
            at = layout.frame + 1;
        }
        if !matches!(row.event, Event::Remark(_)) {
            let time = layout.times.text(row, is_first, &self.style.time);
            let room = layout.start() - at - 1 - if layout.leg == 0 { 0 } else { layout.leg + 1 };
            canvas.put(at, &pad_left(&elide(&time, room, self.ellipsis()), room), Paint::new());
        }
        if layout.leg != 0 {
            let text = format!("{:>1$}", row.leg + 1, layout.leg);
            canvas.put(layout.start() - layout.leg - 1, &text, self.leg_paint(row.leg));
        }
    }

    /// The lanes of a line, and nothing else.
    fn bars(&self) -> Canvas {
        let mut canvas = Canvas::new(self.layout.width);
        for at in &self.layout.lanes {
            canvas.put(*at, self.style.glyph("│", "|"), style::DIM);
        }
        canvas
    }

    /// An arrow between two lanes with the longest label that fits.
    fn arrow(&self, canvas: &mut Canvas, stroke: &Stroke, labels: &Labels) {
        let (left, right) = stroke.ends();
        for at in left + 1..right {
            let crossed = self.layout.lanes.contains(&at);
            let line = match (stroke.dashed, crossed) {
                (false, true) => self.style.glyph("┼", "+"),
                (false, false) => self.style.glyph("─", "-"),
                (true, _) if (at - left) % 2 == 0 => " ",
                (true, _) => self.style.glyph("╌", "-"),
            };
            canvas.put(at, line, stroke.paint);
        }
        if stroke.from < stroke.to {
            canvas.put(right - 1, ">", stroke.paint);
        } else {
            canvas.put(left + 1, "<", stroke.paint);
        }
        let inner = right - left - 1;
        match labels.fitting(inner.saturating_sub(4), self.ellipsis()) {
            Some((text, _)) => {
                let text = format!(" {text} ");
                let at = left + 1 + (inner - columns(&text)) / 2;
                canvas.put(at, &text, stroke.paint);
            }
            None => self.beside(canvas, stroke, labels),
        }
    }

    /// The label of an arrow too short for one: to its right, or to its left at the edge.
    fn beside(&self, canvas: &mut Canvas, stroke: &Stroke, labels: &Labels) {
        let (left, right) = stroke.ends();
        let room_right = (self.layout.width - right).saturating_sub(2);
        let room_left = left.saturating_sub(self.layout.start() + 1);
        let text = labels.longest();
        if columns(text) <= room_right || room_left <= room_right {
            canvas.put(right + 1, &elide(text, room_right, self.ellipsis()), stroke.paint);
        } else {
            let text = elide(text, room_left, self.ellipsis());
            canvas.put(left - columns(&text), &text, stroke.paint);
        }
    }

    /// What the label of an arrow left out, for lines of their own.
    fn rest(&self, stroke: &Stroke, labels: &Labels) -> Vec<String> {
        let (left, right) = stroke.ends();
        match labels.fitting((right - left - 1).saturating_sub(4), self.ellipsis()) {
            Some((_, below)) => below,
            None => Vec::new(),
        }
    }

    /// A message of a host to itself: out to the side and back.
    fn loop_line(
        &self,
        mut canvas: Canvas,
        stroke: &Stroke,
        labels: &Labels,
        out: &mut dyn Write,
    ) -> io::Result<Vec<String>> {
        let mut back = self.bars();
        let at = stroke.from;
        let room_right = (self.layout.width - at).saturating_sub(6);
        let room_left = at.saturating_sub(self.layout.start() + 6);
        let text = labels.longest();
        if columns(text) <= room_right || room_left <= room_right {
            canvas.put(at, self.style.glyph("├──╮ ", "|--. "), stroke.paint);
            canvas.put(at + 5, &elide(text, room_right, self.ellipsis()), stroke.paint);
            back.put(at + 1, self.style.glyph("<─╯", "<-'"), stroke.paint);
        } else {
            let text = elide(text, room_left, self.ellipsis());
            canvas.put(at - 5 - columns(&text) + 1, &text, stroke.paint);
            canvas.put(at - 3, self.style.glyph("╭──┤", ".--|"), stroke.paint);
            back.put(at - 3, self.style.glyph("╰─>", "'->"), stroke.paint);
        }
        writeln!(out, "{}", canvas.finish(self.style))?;
        writeln!(out, "{}", back.finish(self.style))?;
        Ok(Vec::new())
    }

    /// Text in the middle of an arrow's room, or of all lanes; wider text goes where it can.
    fn between(&self, canvas: &mut Canvas, text: &str, stroke: Option<&Stroke>, paint: Paint) {
        let first = self.layout.lanes.first().copied().unwrap_or(0);
        let last = self.layout.lanes.last().copied().unwrap_or(0);
        let (left, right) = stroke.map_or((first, last), Stroke::ends);
        let width = columns(text);
        let inner = (right - left).saturating_sub(1);
        let at = if width <= inner { left + 1 + (inner - width) / 2 } else { left + 2 };
        let at = at.min(self.layout.width.saturating_sub(width)).max(self.layout.start());
        canvas.put(at, text, paint);
    }

    /// Each finding in lines of its own, below the message.
    fn findings(&self, row: &Row, stroke: &Stroke, out: &mut dyn Write) -> io::Result<()> {
        let Event::Message(arrow) = &row.event else { return Ok(()) };
        for finding in arrow.findings() {
            let word = finding.severity.word();
            let text = format!("{word} {} {}", finding.code, finding.title);
            let (left, _) = stroke.ends();
            // To the right of the arrow's left end, so that it covers no other lane; where that leaves
            // too little, it goes where it can.
            let beside = self.layout.width.saturating_sub(left + 3);
            let whole = self.layout.room().saturating_sub(2);
            let room = if NARROW <= beside { beside } else { whole };
            let lines = wrap(&self.safe(&text), room.min(72));
            let widest = lines.iter().map(|line| columns(line)).max().unwrap_or(0);
            let at = (left + 2).min(self.layout.width.saturating_sub(widest));
            let at = at.max(self.layout.start());
            for line in lines.iter().take(FINDING_LINES) {
                let mut canvas = self.bars();
                // A space at each end keeps the text clear of the lanes.
                canvas.put(
                    at.saturating_sub(1),
                    &format!(" {line} "),
                    severity_paint(finding.severity),
                );
                writeln!(out, "{}", canvas.finish(self.style))?;
            }
        }
        Ok(())
    }

    /// Without room for lanes: numbers of the hosts instead.
    fn flat_row(&self, row: &Row, is_first: bool, out: &mut dyn Write) -> io::Result<()> {
        let mut canvas = Canvas::new(self.layout.width);
        self.gutter(&mut canvas, row, is_first);
        let (text, paint) = match &row.event {
            Event::Remark(text) => (text.clone(), style::DIM),
            Event::Evidence { from, to, label } => {
                (format!("{} > {} {label}", from + 1, to + 1), style::FAILURE)
            }
            Event::Message(arrow) => {
                let labels = labels(arrow, self.style.charset);
                let text = format!("{} > {} {}", arrow.from + 1, arrow.to + 1, labels.longest());
                (text, self.paint(row, arrow.class))
            }
        };
        let text = elide(&self.safe(&text), self.layout.room(), self.ellipsis());
        canvas.put(self.layout.start(), &text, paint);
        writeln!(out, "{}", canvas.finish(self.style))
    }

    fn line(&self, text: &str, paint: Paint, out: &mut dyn Write) -> io::Result<()> {
        let lines = wrap(&self.safe(text), self.layout.width);
        lines.iter().try_for_each(|line| writeln!(out, "{}", self.style.paint(paint, line)))
    }

    fn center(&self, canvas: &mut Canvas, at: usize, text: &str, paint: Paint) {
        let start = at.saturating_sub(columns(text) / 2);
        canvas.put(start.min(self.layout.width.saturating_sub(columns(text))), text, paint);
    }

    fn at(&self, lane: usize) -> usize {
        self.layout.lanes.get(lane).copied().unwrap_or_default()
    }

    /// What a host says it is; platform and build in brackets go first.
    fn product(&self, product: &str, room: usize) -> String {
        let product = self.safe(product);
        let short = product.split(" (").next().unwrap_or_default();
        elide(if columns(&product) <= room { &product } else { short }, room, self.ellipsis())
    }

    fn pitch(&self) -> usize {
        match self.layout.lanes.as_slice() {
            [first, second, ..] => second - first,
            _ => self.layout.room(),
        }
    }

    fn paint(&self, row: &Row, class: Class) -> Paint {
        match (self.style.coloring, class) {
            (Coloring::ByDialog, _) => self.leg_paint(row.leg),
            (_, Class::Request) => style::REQUEST,
            (_, Class::Provisional) => style::PROVISIONAL,
            (_, Class::Success) => style::SUCCESS,
            (_, Class::Redirect) => style::REDIRECT,
            (_, Class::Failure) => style::FAILURE,
        }
    }

    fn leg_paint(&self, leg: usize) -> Paint {
        match self.style.coloring {
            Coloring::ByDialog => style::DIALOGS[leg % style::DIALOGS.len()],
            Coloring::ByClass | Coloring::None => Paint::new(),
        }
    }

    fn safe(&self, text: &str) -> String {
        in_charset(text, self.style.charset)
    }

    fn ellipsis(&self) -> &'static str {
        self.style.glyph("…", "~")
    }
}

/// An arrow on the line.
struct Stroke {
    from: usize,
    to: usize,
    paint: Paint,
    dashed: bool,
}

impl Stroke {
    /// Its ends from left to right.
    fn ends(&self) -> (usize, usize) {
        (self.from.min(self.to), self.from.max(self.to))
    }
}

/// The color of a severity.
pub(crate) const fn severity_paint(severity: Severity) -> Paint {
    match severity {
        Severity::Error => style::FAILURE,
        Severity::Warning => style::WARNING,
        Severity::Info => style::DIM,
    }
}
