//! What comes due when: one time for each owner, in order.

use std::collections::BTreeSet;

/// Whose time it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Owner {
    /// A device at a registrar.
    Lane(u32),
    /// A device, for its keepalives.
    Person(u32),
    /// The storm that goes on.
    Storm,
}

/// The times, nanoseconds since the epoch. To set one or take one out costs the logarithm of their
/// number, to ask whether any is due nothing.
#[derive(Debug, Default)]
pub(super) struct Timers(BTreeSet<(i64, Owner)>);

impl Timers {
    /// Sets the time of `owner`, which is `known` so far.
    pub(super) fn set(&mut self, owner: Owner, known: &mut Option<i64>, due: Option<i64>) {
        if *known == due {
            return;
        }
        if let Some(old) = *known {
            self.0.remove(&(old, owner));
        }
        self.0.extend(due.map(|due| (due, owner)));
        *known = due;
    }

    /// Takes out the first whose time is not after `now`.
    pub(super) fn pop(&mut self, now: i64) -> Option<(i64, Owner)> {
        self.0.first().is_some_and(|(due, _)| *due <= now).then(|| self.0.pop_first()).flatten()
    }
}
