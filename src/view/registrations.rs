//! One row per registration: who, where, how often, with what result.

use std::io::{self, Write};

use super::clock::span;
use super::json::{self, registration::RegistrationRecord};
use super::table::{self, Cell, Column, Fit, Tone};
use super::visible::visible;
use super::{Format, Style, Subject};
use crate::model::Registration;
use crate::sip::Status;

/// Writes the registrations of `subject`.
pub fn write(
    subject: &Subject<'_>,
    format: Format,
    style: &Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let all = &subject.model.registrations;
    if format != Format::Text {
        let records = all.iter().map(|one| RegistrationRecord::of(subject, one));
        return json::write(records, format, &subject.model.tally, out);
    }
    let rows: Vec<Vec<Cell>> = all.iter().map(|one| row(one, style)).collect();
    table::write(&HEAD, &rows, style, out)
}

/// What the attempts of a registration come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Attempts with a 2xx.
    pub accepted: usize,
    /// Attempts with any other final response.
    pub rejected: usize,
    /// Attempts without a final response.
    pub unanswered: usize,
    /// Attempts that remove the contact.
    pub removals: usize,
    /// Expiry asked for last, in seconds; removals do not count.
    pub requested: Option<u32>,
    /// Expiry granted last, in seconds; removals do not count.
    pub granted: Option<u32>,
    /// From one attempt to the next, when there are two.
    pub interval: Option<Interval>,
}

/// Nanoseconds from one attempt to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// The shortest.
    pub min: i64,
    /// The one in the middle.
    pub median: i64,
    /// The longest.
    pub max: i64,
}

impl Figures {
    /// Of `registration`.
    pub fn of(registration: &Registration) -> Self {
        let attempts = &registration.attempts;
        let mut figures = Self::default();
        for attempt in attempts {
            match attempt.status {
                Some(status) if status.is_success() => figures.accepted += 1,
                Some(_) => figures.rejected += 1,
                None => figures.unanswered += 1,
            }
            if attempt.removes {
                figures.removals += 1;
            } else {
                figures.requested = attempt.requested.or(figures.requested);
                figures.granted = attempt.granted.or(figures.granted);
            }
        }
        let mut gaps: Vec<i64> = attempts
            .windows(2)
            .filter_map(|pair| Some(pair.last()?.time.since(pair.first()?.time)))
            .collect();
        gaps.sort_unstable();
        if let (Some(min), Some(max)) = (gaps.first(), gaps.last()) {
            let median = gaps.get(gaps.len() / 2).copied().unwrap_or(*min);
            figures.interval = Some(Interval { min: *min, median, max: *max });
        }
        figures
    }
}

const HEAD: [Column; 12] = [
    column("Address-of-record", 20, 48, 0, Fit::Text),
    column("Source", 14, 47, 4, Fit::Address),
    column("Registrar", 14, 47, 5, Fit::Address),
    column("First", 12, 19, 6, Fit::Text),
    column("Tries", 2, 6, 0, Fit::Number),
    column("OK", 2, 6, 0, Fit::Number),
    column("Refused", 2, 7, 1, Fit::Number),
    column("Silent", 2, 7, 1, Fit::Number),
    column("Last", 3, 10, 0, Fit::Text),
    column("Every", 5, 24, 2, Fit::Number),
    column("Asked", 4, 8, 3, Fit::Number),
    column("Granted", 4, 8, 3, Fit::Number),
];

const fn column(title: &'static str, least: usize, most: usize, rank: u8, fit: Fit) -> Column {
    Column { title, least, most, rank, fit }
}

fn row(registration: &Registration, style: &Style) -> Vec<Cell> {
    let figures = Figures::of(registration);
    let last = registration.attempts.last();
    let first = registration.attempts.first();
    let seconds =
        |value: Option<u32>| Cell::from(value.map(|s| format!("{s} s")).unwrap_or_default());
    vec![
        visible(registration.aor.as_bytes()).into(),
        last.map(|attempt| attempt.source.to_string()).unwrap_or_default().into(),
        last.map(|attempt| attempt.target.to_string()).unwrap_or_default().into(),
        first.map(|a| style.time.time_of_day(a.time, 3)).unwrap_or_default().into(),
        registration.attempts.len().to_string().into(),
        figures.accepted.to_string().into(),
        figures.rejected.to_string().into(),
        Cell {
            text: figures.unanswered.to_string(),
            tone: if figures.unanswered == 0 { Tone::Plain } else { Tone::Bad },
        },
        last_result(last.and_then(|attempt| attempt.status), last.is_some_and(|a| a.removes)),
        every(figures.interval).into(),
        seconds(figures.requested),
        seconds(figures.granted),
    ]
}

fn last_result(status: Option<Status>, removes: bool) -> Cell {
    match status {
        Some(status) if status.is_success() && removes => "removed".into(),
        Some(status) => {
            let tone = if status.is_success() { Tone::Good } else { Tone::Bad };
            Cell { text: status.0.to_string(), tone }
        }
        None => Cell { text: "no answer".to_owned(), tone: Tone::Bad },
    }
}

/// The usual distance, and both ends where they differ from it by more than a tenth.
fn every(interval: Option<Interval>) -> String {
    let Some(Interval { min, median, max }) = interval else { return String::new() };
    if max - min <= median / 10 {
        return span(median);
    }
    format!("{} ({} to {})", span(median), span(min), span(max))
}
