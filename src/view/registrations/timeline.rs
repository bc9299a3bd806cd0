//! A device over time, one character for each stretch of it.

use crate::model::audit::series::{Stretch, length, without};
use crate::model::audit::{Answer, Device, Keepalives, Outcome, Window};

/// Two lines of characters: the state, and what was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline {
    /// `=` live, `.` lapsed, `?` unknown, `o` away on purpose, a blank where nothing was captured.
    pub state: String,
    /// `R` registered, `r` failed, `u` not known, `k` keepalive, `!` keepalive without an answer.
    pub sent: String,
}

impl Timeline {
    /// Of `device` in `columns` characters.
    pub fn of(device: &Device, window: &Window, columns: usize) -> Self {
        let columns = columns.max(1);
        let (from, until) = (window.from.0, window.until.0.max(window.from.0 + 1));
        let count = i64::try_from(columns).unwrap_or(i64::MAX);
        let width = (until - from).div_euclid(count).max(1);
        let known = Known::of(device, window);
        let mut state = String::with_capacity(columns);
        for column in 0..count {
            let bin = (from + column * width, (from + (column + 1) * width).min(until));
            state.push(if bin.0 < bin.1 { known.state(bin) } else { ' ' });
        }
        let mut sent = vec![' '; columns];
        let mut mark = |time: i64, letter: char| {
            let column = usize::try_from((time - from).div_euclid(width)).unwrap_or(0);
            let Some(slot) = sent.get_mut(column.min(columns - 1)) else { return };
            // What went wrong hides what went well, and registrations hide keepalives.
            if weight(*slot) < weight(letter) {
                *slot = letter;
            }
        };
        for beat in device.keepalives.iter().flat_map(Keepalives::pulses) {
            let answered = matches!(beat.answer, Answer::Accepted | Answer::Unknown);
            mark(beat.time.0, if answered { 'k' } else { '!' });
        }
        for record in device.records.iter().filter(|record| !record.follow_up) {
            let letter = match record.outcome {
                Outcome::Ok => 'R',
                Outcome::Unseen | Outcome::Pending => 'u',
                _ => 'r',
            };
            mark(record.start.0, letter);
        }
        Self { state, sent: sent.into_iter().collect::<String>().trim_end().to_owned() }
    }
}

const fn weight(letter: char) -> u8 {
    match letter {
        'r' => 4,
        '!' => 3,
        'R' | 'u' => 2,
        'k' => 1,
        _ => 0,
    }
}

/// Stretches of the window by what is known of them, each list sorted.
struct Known {
    live: Vec<Stretch>,
    lapsed: Vec<Stretch>,
    planned: Vec<Stretch>,
    gaps: Vec<Stretch>,
}

impl Known {
    fn of(device: &Device, window: &Window) -> Self {
        let end = window.until.0;
        let lapse = |l: &crate::model::audit::Lapse| (l.from.0, l.from.0 + l.length);
        Self {
            live: without(&device.live_stretches, &window.gaps),
            lapsed: device.lapses.iter().map(lapse).collect(),
            planned: device.planned.iter().map(|(a, b)| (*a, b.unwrap_or(end))).collect(),
            gaps: window.gaps.clone(),
        }
    }

    /// What fills most of `bin`; a lapse shows even when it is short.
    fn state(&self, bin: Stretch) -> char {
        let share = |stretches: &[Stretch]| {
            let outside = length(&without(&[bin], stretches));
            (bin.1 - bin.0) - outside
        };
        let (lapsed, live) = (share(&self.lapsed), share(&self.live));
        let (planned, gap) = (share(&self.planned), share(&self.gaps));
        let unknown = (bin.1 - bin.0) - lapsed - live - planned - gap;
        if lapsed > 0 && lapsed * 4 >= bin.1 - bin.0 {
            return '.';
        }
        let most = [(live, '='), (planned, 'o'), (gap, ' '), (unknown, '?'), (lapsed, '.')];
        most.into_iter().max_by_key(|(share, _)| *share).map_or('?', |(_, letter)| letter)
    }
}
