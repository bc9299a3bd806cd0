//! The checks of the rules that are on, by what they are called for.

use super::{Check, RuleIndex, Selection, numbered};

/// What a check is called for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    #[default]
    Message,
    Transaction,
    Dialog,
    Exchange,
    Flow,
}

impl Subject {
    /// `None` for a check of more than one flow.
    const fn of(check: &Check) -> Option<Self> {
        match check {
            Check::Message(..) | Check::Sighting(..) => Some(Self::Message),
            Check::Transaction(_) => Some(Self::Transaction),
            Check::Dialog(_) => Some(Self::Dialog),
            Check::Exchange(_) => Some(Self::Exchange),
            Check::Flow(_) => Some(Self::Flow),
            Check::Registration(_) | Check::Fleet(_) => None,
        }
    }
}

/// The checks that are on, in order of code.
#[derive(Clone, Debug, Default)]
pub(super) struct Schedule([Vec<(RuleIndex, Check)>; 5]);

impl Schedule {
    pub(super) fn new(selection: &Selection) -> Self {
        let mut schedule = Self::default();
        for (index, rule) in numbered().filter(|(index, _)| selection.is_on(*index)) {
            for check in rule.checks {
                if let Some(subject) = Subject::of(check) {
                    schedule.0[subject as usize].push((index, *check));
                }
            }
        }
        schedule
    }

    /// The checks that are called for anything else than messages.
    pub(super) fn beyond_messages(&self) -> impl Iterator<Item = &(RuleIndex, Check)> {
        self.0.iter().skip(Subject::Message as usize + 1).flatten()
    }

    /// The checks that are called for `subject`.
    pub(super) fn of_subject(&self, subject: Subject) -> &[(RuleIndex, Check)] {
        &self.0[subject as usize]
    }
}
