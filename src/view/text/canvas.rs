//! One line of a terminal as cells: later strokes cover earlier ones, and none leaves the line.

use anstyle::Style as Paint;
use unicode_width::UnicodeWidthChar;

use crate::view::Style;

/// What stands in one column.
#[derive(Clone, Copy)]
enum Cell {
    Glyph(char, Paint),
    /// The right half of a wide character.
    Covered,
}

/// One line.
pub(super) struct Canvas {
    cells: Vec<Cell>,
}

impl Canvas {
    /// A line of `columns` spaces.
    pub(super) fn new(columns: usize) -> Self {
        Self { cells: vec![Cell::Glyph(' ', Paint::new()); columns] }
    }

    /// Writes `text` from column `at`; what leaves the line at the right is dropped.
    pub(super) fn put(&mut self, at: usize, text: &str, paint: Paint) {
        let mut at = at;
        for c in text.chars() {
            let width = c.width().unwrap_or(0);
            if width == 0 || self.cells.len() < at + width {
                return;
            }
            self.uncover(at);
            self.uncover(at + width);
            self.set(at, Cell::Glyph(c, paint));
            for covered in at + 1..at + width {
                self.set(covered, Cell::Covered);
            }
            at += width;
        }
    }

    /// The line with its colors, without spaces at its end.
    pub(super) fn finish(&self, style: &Style) -> String {
        let used = self
            .cells
            .iter()
            .rposition(|cell| !matches!(cell, Cell::Glyph(' ', _)))
            .map_or(0, |last| last + 1);
        let mut line = String::new();
        let mut run = (Paint::new(), String::new());
        for cell in self.cells.iter().take(used) {
            let Cell::Glyph(c, paint) = *cell else { continue };
            if paint != run.0 {
                line.push_str(&style.paint(run.0, &run.1));
                run = (paint, String::new());
            }
            run.1.push(c);
        }
        line.push_str(&style.paint(run.0, &run.1));
        line
    }

    /// A wide character of which a half is about to be covered becomes spaces.
    fn uncover(&mut self, at: usize) {
        if !matches!(self.cells.get(at), Some(Cell::Covered)) {
            return;
        }
        let blank = Cell::Glyph(' ', Paint::new());
        self.set(at, blank);
        if let Some(before) = at.checked_sub(1) {
            self.set(before, blank);
        }
    }

    fn set(&mut self, at: usize, cell: Cell) {
        if let Some(slot) = self.cells.get_mut(at) {
            *slot = cell;
        }
    }
}
