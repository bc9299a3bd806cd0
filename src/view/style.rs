//! How things are drawn: width, character set, color, time zone, format.

use anstyle::{AnsiColor, Style as Paint};

use super::clock::TimeStyle;

/// Characters a drawing may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Charset {
    /// Box-drawing characters.
    #[default]
    Unicode,
    /// Octets 0x20 to 0x7E only.
    Ascii,
}

/// What color says; it never says anything that the text does not say too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Coloring {
    /// No color.
    #[default]
    None,
    /// Requests, 1xx, 2xx, 3xx and worse.
    ByClass,
    /// One color for each call flow.
    ByDialog,
}

/// The formats of rows: one object or line each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON document.
    Json,
    /// One JSON object per line, written as soon as it is known.
    Ndjson,
    /// RFC 4180 with a header row.
    Csv,
}

/// How to draw. All of it is decided by the caller; views read no environment.
#[derive(Clone, Debug)]
pub struct Style {
    /// Columns of the terminal; no line is wider. [`Style::UNBOUNDED`] for rows that are not to be
    /// cut.
    pub width: usize,
    /// Characters that may be used.
    pub charset: Charset,
    /// Use of color.
    pub coloring: Coloring,
    /// Zone of printed times.
    pub time: TimeStyle,
}

impl Default for Style {
    /// Width 100, Unicode, no color, UTC.
    fn default() -> Self {
        Self {
            width: 100,
            charset: Charset::Unicode,
            coloring: Coloring::None,
            time: TimeStyle::Utc,
        }
    }
}

impl Style {
    /// `text` in `paint`; as it is when there is no color.
    pub fn paint(&self, paint: Paint, text: &str) -> String {
        if self.coloring == Coloring::None || text.is_empty() || paint == Paint::new() {
            return text.to_owned();
        }
        format!("{}{text}{}", paint.render(), paint.render_reset())
    }

    /// The width of rows that go to no terminal: each is as long as what it says.
    pub const UNBOUNDED: usize = usize::MAX;

    /// True where no row is to be cut.
    pub const fn is_unbounded(&self) -> bool {
        self.width == Self::UNBOUNDED
    }

    /// `unicode` or, on a terminal that cannot show it, `ascii`.
    pub fn glyph(&self, unicode: &'static str, ascii: &'static str) -> &'static str {
        match self.charset {
            Charset::Unicode => unicode,
            Charset::Ascii => ascii,
        }
    }
}

/// Bold.
pub const BOLD: Paint = Paint::new().bold();
/// For what matters less.
pub const DIM: Paint = Paint::new().dimmed();
/// For requests.
pub const REQUEST: Paint = AnsiColor::Cyan.on_default();
/// For 1xx.
pub const PROVISIONAL: Paint = AnsiColor::Yellow.on_default();
/// For 2xx, and for what went well.
pub const SUCCESS: Paint = AnsiColor::Green.on_default();
/// For 3xx.
pub const REDIRECT: Paint = AnsiColor::Blue.on_default();
/// For 4xx to 6xx, evidence of failure and errors.
pub const FAILURE: Paint = AnsiColor::Red.on_default();
/// For warnings.
pub const WARNING: Paint = AnsiColor::Yellow.on_default();

/// The colors of [`Coloring::ByDialog`], in turn.
pub const DIALOGS: [Paint; 6] = [
    AnsiColor::Cyan.on_default(),
    AnsiColor::Magenta.on_default(),
    AnsiColor::Green.on_default(),
    AnsiColor::Yellow.on_default(),
    AnsiColor::Blue.on_default(),
    AnsiColor::Red.on_default(),
];
