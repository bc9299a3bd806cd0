//! What is said beside the output, on stderr: progress, notices, the completeness line.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use super::harmless;
use crate::limits::Tally;
use crate::view::completeness;

/// How long work goes on before progress is shown.
const PATIENCE: Duration = Duration::from_millis(500);
/// How often it is drawn.
const REFRESH: Duration = Duration::from_millis(100);

/// A line on the terminal while long work goes on.
pub struct Progress {
    started: Option<Instant>,
    drawn: Option<Instant>,
}

impl Progress {
    /// Shows progress when stderr is a terminal and `quiet` is not asked for.
    #[allow(clippy::disallowed_methods)] // The user's time, not the capture's.
    pub fn new(quiet: bool) -> Self {
        let shown = !quiet && io::stderr().is_terminal();
        Self { started: shown.then(Instant::now), drawn: None }
    }

    /// Says how far it got: `done` of `total` octets, where the total is known.
    #[allow(clippy::disallowed_methods)] // The user's time, not the capture's.
    pub fn at(&mut self, done: u64, total: Option<u64>, messages: u64) {
        let Some(started) = self.started else { return };
        let now = Instant::now();
        let since = now.duration_since(self.drawn.unwrap_or(started));
        if since < if self.drawn.is_none() { PATIENCE } else { REFRESH } {
            return;
        }
        self.drawn = Some(now);
        let share = match total {
            Some(total) if 0 < total => format!("{:3} %", done.min(total) * 100 / total),
            _ => format!("{} MB", done / 1_000_000),
        };
        // Progress that cannot be shown is no reason to stop.
        let _ = write!(io::stderr(), "\r{share}, {} SIP messages\x1b[K", grouped(messages));
    }

    /// Takes the line away.
    pub fn clear(&mut self) {
        if self.drawn.take().is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Prints the notices and the completeness line of `tally`, with what a filter let through: how
/// many of what.
pub fn close(tally: &Tally, chosen: Option<(usize, &str)>) {
    let mut stderr = io::stderr().lock();
    for notice in &tally.notices {
        let _ = writeln!(stderr, "siplens: {}", harmless(notice));
    }
    let chosen = chosen.map(|(count, what)| completeness::chosen(count, what));
    let _ = writeln!(stderr, "{}{}", completeness::line(tally), chosen.unwrap_or_default());
}

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i != 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_by_three() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }
}
