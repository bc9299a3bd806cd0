//! Where things stand on a line: the columns at the left, then the lanes.

use crate::view::clock::{self, TimeStyle};
use crate::view::ladder::{Arrow, Event, Ladder, Row};
use crate::view::visible::columns;

/// The columns of a ladder for one width.
pub(super) struct Layout {
    /// Width of a line.
    pub(super) width: usize,
    /// Columns for the name of the frame; 0 leaves it out.
    pub(super) frame: usize,
    /// Columns for the number of the leg; 0 leaves it out.
    pub(super) leg: usize,
    /// How times are written.
    pub(super) times: Times,
    /// Column of each lane on the line; empty when there is no room to draw them.
    pub(super) lanes: Vec<usize>,
    /// Whether the heads of the lanes have room for their names.
    pub(super) heads: Heads,
}

/// How times are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Times {
    /// Time and distance, in microseconds.
    Both,
    /// The time of the first row, then distances.
    Distance,
}

/// What stands above the lanes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Heads {
    /// Names.
    Names,
    /// Numbers, and a legend above.
    Numbers,
}

impl Times {
    /// Columns they take.
    const fn width(self) -> usize {
        match self {
            Self::Both => 15 + 1 + 11,
            Self::Distance => 12,
        }
    }

    /// The time of `row`; `is_first` on the first one.
    pub(super) fn text(self, row: &Row, is_first: bool, zone: &TimeStyle) -> String {
        match (self, row.delta) {
            (Self::Both, delta) => {
                let delta = delta.map(|nanos| clock::delta(nanos, 6)).unwrap_or_default();
                format!("{} {delta:>11}", zone.time_of_day(row.time, 6))
            }
            (Self::Distance, Some(nanos)) if !is_first => {
                let exact = clock::delta(nanos, 6);
                if exact.len() <= self.width() { exact } else { clock::delta(nanos, 3) }
            }
            (Self::Distance, _) => zone.time_of_day(row.time, 3),
        }
    }
}

impl Layout {
    /// The layout of `ladder` on lines of `width` columns.
    pub(super) fn of(ladder: &Ladder, width: usize) -> Self {
        let frame = ladder.rows.iter().map(|row| columns(&row.frame_name)).max().unwrap_or(0);
        let frame = if width < 56 { 0 } else { frame.min(width / 6) };
        let leg = if ladder.legs.len() < 2 { 0 } else { ladder.legs.len().to_string().len() };
        let times = if width < 120 { Times::Distance } else { Times::Both };
        let mut layout =
            Self { width, frame, leg, times, lanes: Vec::new(), heads: Heads::Numbers };
        layout.place_lanes(ladder);
        layout
    }

    /// First column of the lanes' part of the line.
    pub(super) fn start(&self) -> usize {
        let column = |width: usize| if width == 0 { 0 } else { width + 1 };
        column(self.frame) + self.times.width() + 1 + column(self.leg)
    }

    /// Columns of the lanes' part.
    pub(super) fn room(&self) -> usize {
        self.width.saturating_sub(self.start())
    }

    /// Names at their places when they fit, else numbers; nothing when even those do not.
    fn place_lanes(&mut self, ladder: &Ladder) {
        let room = self.room();
        let gaps = ladder.lanes.len().saturating_sub(1);
        let names: Vec<usize> = ladder.lanes.iter().map(|lane| columns(&lane.name)).collect();
        let half = |at: Option<&usize>| at.map_or(0, |name| name / 2);
        let (left, right) = (half(names.first()), half(names.last()) + 1);
        let inner = room.saturating_sub(left + right);
        let widest = names.windows(2).map(|pair| pair.iter().sum::<usize>().div_ceil(2)).max();
        let needed = widest.unwrap_or(0) + 1;
        let fits = left + right <= room && needed * gaps <= inner;
        self.heads = if fits { Heads::Names } else { Heads::Numbers };
        let (left, inner) = if fits { (left, inner) } else { (1, room.saturating_sub(3)) };
        if gaps == 0 {
            self.lanes = vec![self.start() + left.min(room / 2)];
            return;
        }
        let pitch = (inner / gaps).min(wanted_pitch(ladder).max(needed));
        if pitch < 2 {
            return;
        }
        self.lanes = (0..=gaps).map(|lane| self.start() + left + lane * pitch).collect();
    }
}

/// The distance of lanes at which every label between neighbors has room, and no more.
fn wanted_pitch(ladder: &Ladder) -> usize {
    let label = |arrow: &Arrow| {
        let extra = arrow.sdp.as_ref().map(|sdp| &sdp.full).or(arrow.payload.as_ref());
        let sdp = extra.map_or(0, |text| columns(text) + 3);
        let spread = arrow.from.abs_diff(arrow.to).max(1);
        (columns(&arrow.label()) + sdp + 8).div_ceil(spread)
    };
    let wanted = ladder.rows.iter().map(|row| match &row.event {
        Event::Message(arrow) => label(arrow),
        Event::Evidence { label, .. } => columns(label) + 8,
        Event::Remark(_) => 0,
    });
    wanted.max().unwrap_or(0).clamp(24, 64)
}
