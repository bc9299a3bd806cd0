//! The completeness line: what was read, and what was not, by what became of it and why.

use crate::limits::Tally;

/// How much of what was read a filter let through: `; 7 messages fit the filter`.
pub fn chosen(count: usize, what: &str) -> String {
    match count {
        1 => format!("; 1 {what} fits the filter"),
        _ => format!("; {count} {what}s fit the filter"),
    }
}

/// What became of what is counted; in the order in which it is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It was never there to be read.
    Missing,
    NotUnderstood,
    /// It was let go, or not taken, to stay within [`Limits`](crate::limits::Limits).
    BeyondBounds,
    /// It counts as of another time.
    Retimed,
}

impl Fate {
    const ALL: [Self; 4] = [Self::Missing, Self::NotUnderstood, Self::BeyondBounds, Self::Retimed];

    /// That of what is counted as `reason`, one of [`REASONS`](crate::limits::REASONS).
    fn of(reason: &str) -> Self {
        match reason {
            "dropped" | "file-cut" | "fragment-lost" | "sctp-gap" | "source-gone" | "tcp-gap"
            | "truncated" | "unreadable" => Self::Missing,
            "hep-agents" | "hep-connections" | "hep-overload" | "hep-rate" | "notices"
            | "too-deep" | "too-long" => Self::BeyondBounds,
            "hep-clock" => Self::Retimed,
            _ if reason.starts_with("let-go") => Self::BeyondBounds,
            _ => Self::NotUnderstood,
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::NotUnderstood => "not understood",
            Self::BeyondBounds => "beyond bounds",
            Self::Retimed => "retimed",
        }
    }
}

/// What was not read: `missing` with `3 truncated` and `1 tcp-gap`, `not understood` with …
pub fn losses(tally: &Tally) -> Vec<(&'static str, Vec<String>)> {
    let of_fate = |fate: Fate| {
        let lost = tally.lost.iter();
        let counts = lost.filter(|(reason, count)| **count != 0 && Fate::of(reason) == fate);
        (fate.words(), counts.map(|(reason, count)| format!("{count} {reason}")).collect())
    };
    let all = Fate::ALL.map(of_fate).into_iter();
    all.filter(|(_, counts): &(_, Vec<String>)| !counts.is_empty()).collect()
}

/// `29 SIP messages in 42 packets; missing: 3 truncated, 1 tcp-gap; not understood: 2 encrypted`.
pub fn line(tally: &Tally) -> String {
    let mut text = format!("{} SIP messages in {} packets", tally.messages, tally.frames);
    for (words, counts) in losses(tally) {
        text.extend(["; ", words, ": ", &counts.join(", ")]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_let_go_or_retimed_is_not_called_not_understood() {
        let mut tally = Tally { messages: 5, frames: 9, ..Tally::default() };
        for reason in ["let-go", "hep-clock", "encrypted", "dropped", "let-go-tls", "tcp-gap"] {
            tally.lose(reason);
        }
        assert_eq!(
            line(&tally),
            "5 SIP messages in 9 packets; missing: 1 dropped, 1 tcp-gap; not understood: 1 \
             encrypted; beyond bounds: 1 let-go, 1 let-go-tls; retimed: 1 hep-clock"
        );
    }
}
