//! Tables that fit the terminal: columns give way by their rank, cells are elided, never wrapped.
//! Where no terminal limits the width, nothing is cut.

use std::io::{self, Write};

use tabled::builder::Builder;
use tabled::settings::object::{Columns, Rows};
use tabled::settings::{Alignment, Color, Padding, Style as Borders, Width};

use super::style::{Coloring, Style};
use super::text::in_charset;
use super::visible::{columns, elide, elide_middle};

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Heading.
    pub title: &'static str,
    /// Columns below which it is of no use; numbers and what is shown whole are never cut.
    pub least: usize,
    /// Columns beyond which it is cut even where a terminal has room.
    pub most: usize,
    /// The highest rank is left out first where there is no room; rank 0 stays.
    pub rank: u8,
    /// How its cells stand.
    pub fit: Fit,
}

/// How the cells of a column stand and are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// Left, cut at the end.
    Text,
    /// Left, cut in the middle: addresses differ at their ends.
    Address,
    /// Left, never cut: shown where all other columns have what they need, else left out.
    Whole,
    /// Right, never cut: the beginning of a number is another number.
    Number,
}

/// A cell: its text, and what color says of it.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    /// The text, visible.
    pub text: String,
    /// Its color.
    pub tone: Tone,
}

/// What color says of a cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// Nothing.
    #[default]
    Plain,
    /// It went well.
    Good,
    /// It may matter.
    Doubtful,
    /// It failed.
    Bad,
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self { text, tone: Tone::Plain }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

/// Writes a table of `rows`, each with one cell per column.
pub fn write(
    head: &[Column],
    rows: &[Vec<Cell>],
    style: &Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut measure = Measure::default();
    for row in rows {
        measure.add(row);
    }
    Table::begin(head, &measure, style, out)?.rows(rows)
}

/// How wide the cells of a table are, row by row.
#[derive(Clone, Debug, Default)]
pub struct Measure(Vec<usize>);

impl Measure {
    /// Takes in a row.
    pub fn add(&mut self, row: &[Cell]) {
        self.0.resize(self.0.len().max(row.len()), 0);
        for (widest, cell) in self.0.iter_mut().zip(row) {
            *widest = (*widest).max(columns(&cell.text));
        }
    }
}

/// A table that is written part by part, for as many rows as there are.
pub struct Table<'a> {
    layout: Layout<'a>,
    out: &'a mut dyn Write,
}

impl<'a> Table<'a> {
    /// Writes the headings of a table whose rows are those that were measured.
    pub fn begin(
        head: &'a [Column],
        measure: &Measure,
        style: &'a Style,
        out: &'a mut dyn Write,
    ) -> io::Result<Self> {
        let layout = Layout { head, widths: widths(head, measure, style.width), style };
        if !layout.widths.is_empty() {
            let titles: Vec<Cell> = head.iter().map(|column| column.title.into()).collect();
            layout.block(&[titles], Block::Head, out)?;
        }
        Ok(Self { layout, out })
    }

    /// Writes the next rows.
    pub fn rows(&mut self, rows: &[Vec<Cell>]) -> io::Result<()> {
        if self.layout.widths.is_empty() {
            return Ok(());
        }
        for block in self.layout.blocks(rows) {
            self.layout.block(block, Block::Body, self.out)?;
        }
        Ok(())
    }
}

/// Spaces between columns.
const GAP: usize = 2;
/// Columns a cell is filled up to where nothing limits the width; wider ones move their row only.
const FILLED: usize = 160;
/// Rows laid out at a time, so that a long list is not held a second time as one text.
const BLOCK: usize = 1000;

/// What the rows of a block are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    Head,
    Body,
}

/// Columns that were chosen, and how they are drawn.
struct Layout<'a> {
    head: &'a [Column],
    /// Place and width of each.
    widths: Vec<(usize, usize)>,
    style: &'a Style,
}

impl Layout<'_> {
    /// Rows that are drawn together. One with a cell beyond its width is drawn alone: it would
    /// widen the others.
    fn blocks<'r>(&self, rows: &'r [Vec<Cell>]) -> impl Iterator<Item = &'r [Vec<Cell>]> {
        let is_wide = |row: &Vec<Cell>| {
            self.style.is_unbounded()
                && self.widths.iter().any(|(at, width)| {
                    row.get(*at).is_some_and(|cell| *width < columns(&cell.text))
                })
        };
        rows.chunk_by(move |a, b| !is_wide(a) && !is_wide(b)).flat_map(|block| block.chunks(BLOCK))
    }

    fn block(&self, rows: &[Vec<Cell>], block: Block, out: &mut dyn Write) -> io::Result<()> {
        let mut table = self.text(rows).build();
        table.with(Borders::empty()).with(Padding::new(0, GAP, 0, 0));
        for (place, (column, _)) in self.widths.iter().enumerate() {
            if self.head[*column].fit == Fit::Number {
                table.modify(Columns::one(place), Alignment::right());
            }
        }
        if self.style.coloring != Coloring::None {
            if block == Block::Head {
                table.modify(Rows::first(), Color::BOLD);
            }
            for (line, row) in rows.iter().enumerate() {
                for (place, (column, _)) in self.widths.iter().enumerate() {
                    if let Some(color) = row.get(*column).and_then(|cell| color(cell.tone)) {
                        table.modify((line, place), color);
                    }
                }
            }
        }
        // Last: what changes cells makes the table measure its columns anew.
        let natural = rows.iter().map(|row| self.natural(row));
        let widest = natural.reduce(|a, b| a.into_iter().zip(b).map(|(a, b)| a.max(b)).collect());
        table.with(Width::list(widest.unwrap_or_default()));
        for line in table.to_string().lines() {
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }

    /// Columns each cell of a row takes with its gap: its column's, or more where it is not cut.
    fn natural(&self, row: &[Cell]) -> Vec<usize> {
        let cell = |at: usize| row.get(at).map_or(0, |cell| columns(&cell.text));
        let taken = self.widths.iter().map(|(at, width)| {
            if self.style.is_unbounded() { cell(*at).max(*width) + GAP } else { width + GAP }
        });
        taken.collect()
    }

    fn text(&self, rows: &[Vec<Cell>]) -> Builder {
        let mut builder = Builder::with_capacity(rows.len(), self.widths.len());
        for row in rows {
            builder.push_record(self.widths.iter().map(|(column, width)| {
                let text = row.get(*column).map_or("", |cell| &cell.text);
                cut(text, *width, self.head[*column].fit, self.style)
            }));
        }
        builder
    }
}

fn color(tone: Tone) -> Option<Color> {
    match tone {
        Tone::Plain => None,
        Tone::Good => Some(Color::FG_GREEN),
        Tone::Doubtful => Some(Color::FG_YELLOW),
        Tone::Bad => Some(Color::FG_RED),
    }
}

fn cut(text: &str, width: usize, fit: Fit, style: &Style) -> String {
    let text = in_charset(text, style.charset);
    if style.is_unbounded() {
        return text;
    }
    match fit {
        Fit::Address => elide_middle(&text, width, style.glyph("…", "~")),
        Fit::Text | Fit::Whole | Fit::Number => elide(&text, width, style.glyph("…", "~")),
    }
}

/// The columns that stay, each with its width: as wide as their cells where there is room; else
/// the ranks give way, then the widest shrinks first.
fn widths(head: &[Column], measure: &Measure, room: usize) -> Vec<(usize, usize)> {
    let natural = |(at, column): (usize, &Column)| {
        let widest = measure.0.get(at).copied().unwrap_or(0);
        let width = if widest == 0 { 0 } else { widest.max(columns(column.title)) };
        let most = match column.fit {
            _ if room == Style::UNBOUNDED => FILLED,
            Fit::Whole | Fit::Number => usize::MAX,
            Fit::Text | Fit::Address => column.most.max(columns(column.title)),
        };
        (at, width.min(most))
    };
    // A column without any text says nothing.
    let mut widths: Vec<_> =
        head.iter().enumerate().map(natural).filter(|(_, width)| *width != 0).collect();
    if room != Style::UNBOUNDED {
        leave_out(head, &mut widths, room);
        shrink(head, &mut widths, room);
    }
    widths
}

/// Columns a table of `widths` takes.
fn total(widths: &[(usize, usize)]) -> usize {
    widths.iter().fold(0_usize, |sum, (_, width)| sum.saturating_add(*width).saturating_add(GAP))
}

/// The least width of a column that would have `width`.
fn least(column: &Column, width: usize) -> usize {
    match column.fit {
        Fit::Whole | Fit::Number => width,
        Fit::Text | Fit::Address => width.min(column.least.max(columns(column.title))),
    }
}

/// Takes columns away until the others have room: first those that are shown whole, as long as
/// others would have to shrink for them, then the highest rank.
fn leave_out(head: &[Column], widths: &mut Vec<(usize, usize)>, room: usize) {
    let last = |widths: &[(usize, usize)], gives_way: &dyn Fn(&Column) -> bool| {
        let candidates = widths.iter().enumerate().filter(|(_, (at, _))| gives_way(&head[*at]));
        candidates.max_by_key(|(_, (at, _))| head[*at].rank).map(|(place, _)| place)
    };
    while room.saturating_add(GAP) < total(widths) {
        let Some(extra) = last(widths, &|column| column.fit == Fit::Whole) else { break };
        widths.remove(extra);
    }
    let needed = |widths: &[(usize, usize)]| {
        let least: Vec<_> =
            widths.iter().map(|(at, width)| (*at, least(&head[*at], *width))).collect();
        total(&least)
    };
    while room.saturating_add(GAP) < needed(widths) {
        let Some(place) = last(widths, &|column| column.rank != 0) else { break };
        widths.remove(place);
    }
}

/// Makes columns narrower until all fit, the widest first.
fn shrink(head: &[Column], widths: &mut Vec<(usize, usize)>, room: usize) {
    while room.saturating_add(GAP) < total(widths) {
        let Some(widest) = widths
            .iter_mut()
            .filter(|(at, width)| least(&head[*at], *width) < *width)
            .max_by_key(|(at, width)| (*width, usize::MAX - at))
        else {
            break;
        };
        widest.1 -= 1;
    }
    // Where even the least is too much, the last columns are cut.
    let mut used = 0;
    for (_, width) in widths.iter_mut() {
        *width = (*width).min(room.saturating_sub(used));
        used = (used + *width + GAP).min(room);
    }
    widths.retain(|(_, width)| *width != 0);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const HEAD: [Column; 3] = [
        Column { title: "Start", least: 5, most: 12, rank: 0, fit: Fit::Text },
        Column { title: "Source", least: 8, most: 40, rank: 2, fit: Fit::Address },
        Column { title: "Msgs", least: 4, most: 6, rank: 1, fit: Fit::Number },
    ];

    fn drawn(width: usize) -> String {
        let rows = vec![
            vec!["22:05:31".into(), "[2001:db8::1234:5678]:5060".into(), "7".into()],
            vec!["22:05:32".into(), "192.0.2.1:5060".into(), "1234".into()],
        ];
        let style = Style { width, ..Style::default() };
        let mut out = Vec::new();
        write(&HEAD, &rows, &style, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_table_fits_any_width() {
        for width in 5..120 {
            for line in drawn(width).lines() {
                assert!(columns(line) <= width, "{line:?} in {width}");
            }
        }
    }

    #[test]
    fn columns_of_low_rank_stay_longest() {
        assert!(drawn(60).contains("[2001:db8::1234:5678]:5060"));
        assert!(drawn(26).contains('…') && drawn(26).contains("Source"));
        assert!(!drawn(16).contains("Source") && drawn(16).contains("1234"));
    }

    #[test]
    fn nothing_is_cut_where_nothing_limits_the_width() {
        let long = "x".repeat(5000);
        let rows = vec![vec![long.as_str().into(), "a".into(), "1".into()], vec!["b".into()]];
        let style = Style { width: Style::UNBOUNDED, ..Style::default() };
        let mut out = Vec::new();
        write(&HEAD, &rows, &style, &mut out).unwrap();
        let table = String::from_utf8(out).unwrap();
        assert!(table.contains(&format!("{long}  a")), "{table}");
        assert!(table.len() < 6000, "other rows are not filled up to the longest cell");
    }

    #[test]
    fn what_is_shown_whole_waits_for_the_others() {
        let head = [
            Column { title: "From", least: 4, most: 40, rank: 0, fit: Fit::Text },
            Column { title: "Call-ID", least: 7, most: 60, rank: 9, fit: Fit::Whole },
        ];
        let rows = vec![vec!["alice@example.com".into(), "0123456789@192.0.2.1".into()]];
        let drawn = |width| {
            let mut out = Vec::new();
            write(&head, &rows, &Style { width, ..Style::default() }, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert!(drawn(39).contains("alice@example.com  0123456789@192.0.2.1"));
        assert!(drawn(38).contains("alice@example.com") && !drawn(38).contains("Call-ID"));
        assert!(drawn(10).contains("alice@exa…"));
    }
}
