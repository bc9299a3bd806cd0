//! Small charts as inline SVG: bars over time, histograms, heatmaps. Numbers in, markup out;
//! nothing here knows what a registration is.
#![allow(clippy::cast_sign_loss)] // Shares of an axis are never negative.

use std::fmt::Write as _;

use crate::view::markup::escape;

/// Width of a chart's plot, in pixels.
pub(super) const WIDTH: f64 = 1000.0;
/// Room for the names of rows and the numbers of axes.
pub(super) const LEFT: f64 = 180.0;

/// Stacked bars over time, one column a bin.
pub(super) struct Bars<'a> {
    /// What is shown, for readers who do not see it.
    pub(super) title: &'a str,
    /// Classes of a column from bottom to top, and how many of each.
    pub(super) columns: &'a [Vec<(&'static str, f64)>],
    /// Stretches to shade, as shares of the width.
    pub(super) shaded: &'a [(f64, f64)],
    /// What one unit of height is.
    pub(super) unit: &'a str,
    /// Begin and end of the time axis.
    pub(super) ends: (&'a str, &'a str),
}

impl Bars<'_> {
    pub(super) fn draw(&self) -> String {
        const HEIGHT: f64 = 90.0;
        let total = |column: &Vec<(&str, f64)>| column.iter().map(|(_, n)| n).sum::<f64>();
        let most = self.columns.iter().map(total).fold(0.0_f64, f64::max);
        let mut svg = open(self.title, HEIGHT + 22.0);
        for (from, until) in self.shaded {
            let (x, w) = (LEFT + from * WIDTH, ((until - from) * WIDTH).max(2.0));
            let _ = write!(
                svg,
                "<rect class=\"shade\" x=\"{x:.1}\" y=\"0\" width=\"{w:.1}\" height=\"{HEIGHT}\"/>"
            );
        }
        let width = WIDTH / self.columns.len().max(1) as f64;
        for (at, column) in self.columns.iter().enumerate() {
            let mut y = HEIGHT;
            for (class, count) in column.iter().filter(|(_, count)| *count > 0.0) {
                let height = count / most.max(f64::MIN_POSITIVE) * (HEIGHT - 8.0);
                y -= height;
                let x = LEFT + at as f64 * width;
                let _ = write!(
                    svg,
                    "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{height:.1}\"/>",
                    (width - 0.3).max(0.7)
                );
            }
        }
        axis(&mut svg, HEIGHT, &format!("{} {}", number(most), self.unit), self.ends);
        svg
    }
}

/// How values lie on the axis of a histogram.
#[derive(Clone, Copy)]
pub(super) enum Scale {
    /// From 0 to this value; larger ones in the last column.
    Linear(f64),
    /// By powers, from the smallest value to the largest.
    Log,
}

/// How often values occur.
pub(super) struct Histogram<'a> {
    pub(super) title: &'a str,
    /// Values, and how often each came.
    pub(super) values: &'a [(f64, u32)],
    pub(super) scale: Scale,
    /// A stretch of values to shade: what is right.
    pub(super) band: Option<(f64, f64)>,
    pub(super) unit: &'a str,
}

impl Histogram<'_> {
    /// Nothing without values.
    pub(super) fn draw(&self) -> Option<String> {
        const COLUMNS: usize = 60;
        const HEIGHT: f64 = 110.0;
        const WIDE: f64 = 420.0;
        let (low, high) = self.range()?;
        let share = |value: f64| match self.scale {
            Scale::Linear(high) => value / high,
            Scale::Log => (value.max(low) / low).ln() / (high / low).ln(),
        };
        let mut counts = [0_u32; COLUMNS];
        for (value, times) in self.values.iter().filter(|(value, _)| value.is_finite()) {
            let at = (share(*value).clamp(0.0, 0.999_999) * COLUMNS as f64) as usize;
            counts[at.min(COLUMNS - 1)] += times;
        }
        let most = counts.iter().copied().max().filter(|most| *most > 0)?;
        let mut svg = format!(
            "<svg class=\"chart\" role=\"img\" viewBox=\"0 0 {WIDE} {}\" width=\"{WIDE}\"><title>{}</title>",
            HEIGHT + 24.0,
            escape(self.title)
        );
        if let Some((from, until)) = self.band {
            let (a, b) = (share(from).clamp(0.0, 1.0), share(until).clamp(0.0, 1.0));
            let _ = write!(
                svg,
                "<rect class=\"shade\" x=\"{:.1}\" y=\"0\" width=\"{:.1}\" height=\"{HEIGHT}\"/>",
                a * WIDE,
                (b - a) * WIDE
            );
        }
        let width = WIDE / COLUMNS as f64;
        for (at, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let height = f64::from(*count) / f64::from(most) * (HEIGHT - 14.0);
            let _ = write!(
                svg,
                "<rect class=\"plain\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\"/>",
                at as f64 * width,
                HEIGHT - height,
                width - 0.6
            );
        }
        let (low, high) = (label(low, self.unit), label(high, self.unit));
        let _ = write!(
            svg,
            "<path class=\"axis\" d=\"M0 {HEIGHT}h{WIDE}\"/>\
             <text x=\"0\" y=\"{y}\">{low}</text><text x=\"{WIDE}\" y=\"{y}\" text-anchor=\"end\">{high}</text>\
             <text x=\"0\" y=\"10\">{} × {}</text></svg>",
            self.values.iter().map(|(_, times)| u64::from(*times)).sum::<u64>(),
            escape(self.title),
            y = HEIGHT + 15.0
        );
        Some(svg)
    }

    /// The values at the ends of the axis; `None` when there is nothing to show.
    fn range(&self) -> Option<(f64, f64)> {
        if let Scale::Linear(high) = self.scale {
            return Some((0.0, high));
        }
        let values = self.values.iter().map(|(value, _)| *value);
        let positive = values.filter(|value| value.is_finite() && 0.0 < *value);
        let (low, high) = positive
            .fold((f64::MAX, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
        if high <= 0.0 {
            return None;
        }
        // A single value gets a decade around it.
        Some(if high / low < 1.5 { (low / 3.0, high * 3.0) } else { (low, high * 1.001) })
    }
}

/// A row of a heatmap: its name and the class of each bin.
pub(super) struct HeatRow {
    pub(super) name: String,
    /// The beginning of the names of those in it.
    pub(super) group: String,
    /// That is a whole name.
    pub(super) is_whole: bool,
    pub(super) cells: Vec<&'static str>,
}

/// Rows over time, each bin in a color of its own; equal neighbors are drawn as one.
pub(super) fn heatmap(title: &str, rows: &[HeatRow], ends: (&str, &str)) -> String {
    const ROW: f64 = 13.0;
    let height = rows.len() as f64 * ROW;
    let mut svg = open(title, height + 22.0);
    for (at, row) in rows.iter().enumerate() {
        let y = at as f64 * ROW;
        let _ = write!(
            svg,
            "<g data-group=\"{}\" data-whole=\"{}\"><text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            escape(&row.group),
            u8::from(row.is_whole),
            LEFT - 6.0,
            y + ROW - 3.5,
            escape(&row.name)
        );
        let width = WIDTH / row.cells.len().max(1) as f64;
        for (from, until, class) in runs(&row.cells) {
            let _ = write!(
                svg,
                "<rect class=\"{class}\" x=\"{:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{}\"/>",
                LEFT + from as f64 * width,
                (until - from) as f64 * width,
                ROW - 1.0
            );
        }
        svg.push_str("</g>");
    }
    axis(&mut svg, height, "", ends);
    svg
}

/// Stretches of equal neighbors: from, until, value.
fn runs<'a>(cells: &[&'a str]) -> Vec<(usize, usize, &'a str)> {
    let mut runs: Vec<(usize, usize, &'a str)> = Vec::new();
    for (at, cell) in cells.iter().enumerate() {
        match runs.last_mut() {
            Some(last) if last.2 == *cell => last.1 = at + 1,
            _ => runs.push((at, at + 1, cell)),
        }
    }
    runs
}

/// The head of a chart as wide as the page.
pub(super) fn open(title: &str, height: f64) -> String {
    format!(
        "<svg class=\"chart\" role=\"img\" viewBox=\"0 0 {} {height}\" width=\"100%\"><title>{}</title>",
        LEFT + WIDTH + 4.0,
        escape(title)
    )
}

/// The time axis and the end of a chart.
pub(super) fn axis(svg: &mut String, y: f64, top: &str, (from, until): (&str, &str)) {
    let _ = write!(
        svg,
        "<path class=\"axis\" d=\"M{LEFT} {y}h{WIDTH}\"/>\
         <text x=\"{LEFT}\" y=\"{b}\">{}</text>\
         <text x=\"{}\" y=\"{b}\" text-anchor=\"end\">{}</text>\
         <text x=\"{}\" y=\"11\" text-anchor=\"end\">{}</text></svg>",
        escape(from),
        LEFT + WIDTH,
        escape(until),
        LEFT - 6.0,
        escape(top),
        b = y + 15.0
    );
}

/// A value and its unit; seconds in the unit people would use.
fn label(value: f64, unit: &str) -> String {
    match unit {
        "s" if value >= 7200.0 => format!("{} h", number(value / 3600.0)),
        "s" if value >= 120.0 => format!("{} min", number(value / 60.0)),
        _ => format!("{} {unit}", number(value)),
    }
}

/// At most three significant digits.
fn number(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 || v.fract() == 0.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn equal_neighbors_become_one() {
        assert_eq!(runs(&["a", "a", "b", "a"]), [(0, 2, "a"), (2, 3, "b"), (3, 4, "a")]);
    }

    #[test]
    fn a_histogram_of_one_value_has_one_column_and_of_none_is_none() {
        let draw = |values: &[(f64, u32)], scale| {
            Histogram { title: "<t>", values, scale, band: None, unit: "s" }.draw()
        };
        let one = draw(&[(95.0, 2)], Scale::Log).unwrap();
        assert_eq!(one.matches("class=\"plain\"").count(), 1);
        assert!(one.contains("&lt;t&gt;"));
        assert!(draw(&[], Scale::Linear(1.5)).is_none());
        assert!(draw(&[(0.0, 1)], Scale::Log).is_none());
    }
}
