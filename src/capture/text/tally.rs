//! What a log turned out to be: counts, and the sentence that tells the user of them.

use super::Calendar;
use crate::time::Timestamp;

/// Counts of a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogTally {
    /// Lines read.
    pub lines: u64,
    /// Messages found.
    pub messages: u64,
    /// Messages without a time of their own.
    pub timeless: u64,
    /// Messages whose time names no day, or a day without its year.
    pub undated: u64,
    /// Messages whose time is a whole second.
    pub whole_seconds: u64,
    /// Messages whose receiver the log does not tell: the one that wrote it.
    pub received: u64,
    /// Messages whose sender the log does not tell.
    pub sent: u64,
    /// Lines in which `tshark -V` tells of a SIP message without showing it.
    pub dissections: u64,
    /// Messages of another length than their record names.
    pub misstated: u64,
    /// When the first of them was logged, and its line.
    pub first_misstated: Option<(Timestamp, u64)>,
}

/// Which way the messages of a log went, seen from the program that wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sides {
    /// Both ways, or both ends are told.
    Both,
    /// It holds what was received only.
    Received,
    /// It holds what was sent only.
    Sent,
}

impl LogTally {
    /// Which sides the log shows; a lone message shows nothing.
    pub const fn sides(&self) -> Sides {
        match self.messages {
            0 | 1 => Sides::Both,
            all if all == self.received => Sides::Received,
            all if all == self.sent => Sides::Sent,
            _ => Sides::Both,
        }
    }

    /// What the file `name` was taken for; `calendar` is what stands for what its times leave out.
    pub fn sentence(&self, name: &str, calendar: &Calendar) -> String {
        let offset = calendar.offset;
        let sides = match self.sides() {
            Sides::Both => "",
            Sides::Received => "; one-sided, it holds only what was received",
            Sides::Sent => "; one-sided, it holds only what was sent",
        };
        let ends = match self.received.max(self.sent) {
            0 => "",
            _ => "; its own address is not in it and shown as unknown",
        };
        let clock = match self.messages {
            all if all == self.timeless => "without times",
            all if all == self.whole_seconds => "times to the second",
            _ => "times with fractions of a second",
        };
        let dates = match (self.undated, calendar.is_known()) {
            (0, _) => "",
            (_, true) => "; the date of its times is not in it and taken from the file's own",
            (_, false) => "; the date of its times is not in it and not known: 1970 stands for it",
        };
        let (sign, minutes) = (if offset < 0 { '-' } else { '+' }, offset.abs() / 60);
        let zone = format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60);
        format!(
            "{name}: taken for a text log with {} SIP messages in {} lines{sides}{ends}; {clock}, \
             in zone {zone} where none is named (--tz){dates}",
            self.messages, self.lines
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_says_what_the_log_can_not_show() {
        let log = LogTally {
            lines: 70,
            messages: 10,
            whole_seconds: 10,
            received: 10,
            ..LogTally::default()
        };
        assert_eq!(
            log.sentence("a.log", &Calendar { offset: -12_600, ..Calendar::default() }),
            "a.log: taken for a text log with 10 SIP messages in 70 lines; one-sided, it holds \
             only what was received; its own address is not in it and shown as unknown; times to \
             the second, in zone -03:30 where none is named (--tz)"
        );
        let both = LogTally { received: 5, sent: 5, whole_seconds: 3, ..log };
        assert_eq!(both.sides(), Sides::Both);
        let east = Calendar { offset: 28_800, ..Calendar::default() };
        assert_eq!(
            LogTally { received: 0, sent: 0, ..both }.sentence("b", &east),
            "b: taken for a text log with 10 SIP messages in 70 lines; times with fractions of a \
             second, in zone +08:00 where none is named (--tz)"
        );
    }
}
