//! Tables that fit the terminal: columns give way by their rank, cells are elided, never wrapped.

use std::io::{self, Write};

use tabled::builder::Builder;
use tabled::settings::object::{Columns, Rows};
use tabled::settings::{Alignment, Color, Padding, Style as Borders};

use super::style::{Charset, Coloring, Style};
use super::text::in_charset;
use super::visible::{columns, elide, elide_middle};

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Heading.
    pub title: &'static str,
    /// Columns below which it is of no use.
    pub least: usize,
    /// Columns beyond which it is cut even where there is room.
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
    /// Right.
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
    let widths = widths(head, rows, style.width);
    let mut builder = Builder::with_capacity(rows.len() + 1, widths.len());
    builder
        .push_record(widths.iter().map(|(column, width)| elide(head[*column].title, *width, "")));
    for row in rows {
        builder.push_record(widths.iter().map(|(column, width)| {
            let text = row.get(*column).map_or("", |cell| &cell.text);
            cut(text, *width, head[*column].fit, style)
        }));
    }
    let mut table = builder.build();
    table.with(Borders::empty()).with(Padding::new(0, GAP, 0, 0));
    for (place, (column, _)) in widths.iter().enumerate() {
        if head[*column].fit == Fit::Number {
            table.modify(Columns::one(place), Alignment::right());
        }
    }
    if style.coloring != Coloring::None {
        table.modify(Rows::first(), Color::BOLD);
        for (line, row) in rows.iter().enumerate() {
            for (place, (column, _)) in widths.iter().enumerate() {
                if let Some(color) = row.get(*column).and_then(|cell| color(cell.tone)) {
                    table.modify((line + 1, place), color);
                }
            }
        }
    }
    for line in table.to_string().lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Spaces between columns.
const GAP: usize = 2;

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
    let mark = match style.charset {
        Charset::Unicode => "…",
        Charset::Ascii => "~",
    };
    match fit {
        Fit::Address => elide_middle(&text, width, mark),
        Fit::Text | Fit::Number => elide(&text, width, mark),
    }
}

/// The columns that stay, each with its width: as wide as their cells where there is room; else
/// the ranks give way, then the widest shrinks first.
fn widths(head: &[Column], rows: &[Vec<Cell>], room: usize) -> Vec<(usize, usize)> {
    let natural = |(at, column): (usize, &Column)| {
        let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| columns(&cell.text));
        let widest = cells.max().unwrap_or(0);
        let width = if widest == 0 { 0 } else { widest.max(columns(column.title)) };
        (at, width.min(column.most.max(columns(column.title))))
    };
    // A column without any text says nothing.
    let mut widths: Vec<_> =
        head.iter().enumerate().map(natural).filter(|(_, width)| *width != 0).collect();
    let least = |at: usize, width: usize| width.min(head[at].least.max(columns(head[at].title)));
    let needed = |widths: &[(usize, usize)]| {
        widths.iter().map(|(at, width)| least(*at, *width) + GAP).sum::<usize>()
    };
    while room + GAP < needed(&widths) {
        let Some(last) = widths
            .iter()
            .enumerate()
            .filter(|(_, (at, _))| head[*at].rank != 0)
            .max_by_key(|(_, (at, _))| head[*at].rank)
            .map(|(place, _)| place)
        else {
            break;
        };
        widths.remove(last);
    }
    let total = |widths: &[(usize, usize)]| widths.iter().map(|(_, w)| w + GAP).sum::<usize>();
    while room.saturating_add(GAP) < total(&widths) {
        let Some(widest) = widths
            .iter_mut()
            .filter(|(at, width)| least(*at, *width) < *width)
            .max_by_key(|(at, width)| (*width, usize::MAX - at))
        else {
            break;
        };
        widest.1 -= 1;
    }
    // Where even the least is too much, the last columns are cut.
    let mut used = 0;
    for (_, width) in &mut widths {
        *width = (*width).min(room.saturating_sub(used));
        used = (used + *width + GAP).min(room);
    }
    widths.retain(|(_, width)| *width != 0);
    widths
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
}
