//! The bindings of one device over time: what is live, what ended and why.

use smallvec::SmallVec;

use super::series::Stretch;

/// A live binding; times in nanoseconds since the epoch.
#[derive(Clone, Copy, Debug)]
struct Binding {
    /// The place of its key.
    key: u32,
    connection: u32,
    from: i64,
    until: i64,
}

/// All bindings of one device.
#[derive(Clone, Debug, Default)]
pub(super) struct Bindings {
    /// Keys of all bindings so far, and whether the device itself asked for them.
    keys: Vec<(Box<str>, bool)>,
    /// Few: a device has a Contact or two.
    current: SmallVec<[Binding; 1]>,
    /// Stretches in which a binding was live, closed ones; those that touch are one.
    live: SmallVec<[Stretch; 1]>,
    /// What few devices have.
    ends: Option<Box<Ends>>,
}

/// How bindings ended other than by expiry.
#[derive(Clone, Debug, Default)]
struct Ends {
    /// When a lost connection took a binding with it.
    lost: Vec<i64>,
    /// From a deliberate deregistration of the last binding to the next one.
    planned: Vec<(i64, Option<i64>)>,
}

impl Bindings {
    /// Lets time pass: bindings expire.
    pub(super) fn advance(&mut self, now: i64) {
        let live = &mut self.live;
        self.current.retain(|binding| {
            let over = binding.until <= now;
            if over {
                note(live, (binding.from, binding.until));
            }
            !over
        });
    }

    /// A connection ended at `at`, and with it what was bound over it.
    pub(super) fn lose(&mut self, connection: u32, at: i64) {
        self.advance(at);
        let Self { current, live, ends, .. } = self;
        current.retain(|binding| {
            let gone = binding.connection == connection;
            if gone {
                note(live, (binding.from, binding.until.min(at)));
                ends.get_or_insert_default().lost.push(at);
            }
            !gone
        });
    }

    /// Notes a key that is asked for.
    pub(super) fn ask(&mut self, key: &str) {
        let place = self.place(key);
        if let Some((_, is_asked)) = self.keys.get_mut(place as usize) {
            *is_asked = true;
        }
    }

    /// All keys that were asked for.
    pub(super) fn asked(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().filter(|(_, is_asked)| *is_asked).map(|(key, _)| &**key)
    }

    /// When lost connections took bindings with them.
    pub(super) fn lost(&self) -> &[i64] {
        self.ends.as_ref().map(|ends| &*ends.lost).unwrap_or_default()
    }

    /// Deliberate absences; no end while they last.
    pub(super) fn planned(&self) -> &[(i64, Option<i64>)] {
        self.ends.as_ref().map(|ends| &*ends.planned).unwrap_or_default()
    }

    pub(super) fn holds(&self, key: &str) -> bool {
        self.current.iter().any(|binding| self.key(binding) == Some(key))
    }

    fn key(&self, binding: &Binding) -> Option<&str> {
        self.keys.get(binding.key as usize).map(|(key, _)| &**key)
    }

    fn place(&mut self, key: &str) -> u32 {
        let known = self.keys.iter().position(|(known, _)| **known == *key);
        let place = known.unwrap_or_else(|| {
            if self.keys.len() == self.keys.capacity() {
                self.keys.reserve_exact(1 + self.keys.len() / 2);
            }
            self.keys.push((key.into(), false));
            self.keys.len() - 1
        });
        place as u32
    }

    pub(super) fn is_empty(&self) -> bool {
        self.current.is_empty()
    }

    /// True when one is live at `at`, which is not before the last change.
    pub(super) fn is_live(&self, at: i64) -> bool {
        self.current.iter().any(|binding| at < binding.until)
    }

    /// Makes or renews a binding for `seconds`.
    pub(super) fn grant(&mut self, key: &str, at: i64, seconds: u32, connection: u32) {
        let until = at.saturating_add(i64::from(seconds) * crate::time::SECOND);
        let key = self.place(key);
        if let Some(own) = self.current.iter_mut().find(|binding| binding.key == key) {
            note(&mut self.live, (own.from, own.until.min(at)));
            (own.from, own.until, own.connection) = (at, until, connection);
        } else {
            self.current.push(Binding { key, connection, from: at, until });
        }
    }

    pub(super) fn close(&mut self, key: &str, at: i64) {
        let Self { keys, live, current, .. } = self;
        let key = keys.iter().position(|(known, _)| **known == *key);
        current.retain(|binding| {
            let own = Some(binding.key as usize) == key;
            if own {
                note(live, (binding.from, binding.until.min(at)));
            }
            !own
        });
    }

    pub(super) fn close_all(&mut self, at: i64) {
        for binding in std::mem::take(&mut self.current) {
            note(&mut self.live, (binding.from, binding.until.min(at)));
        }
    }

    /// After a success: a deliberate end begins a planned absence, a binding ends it.
    pub(super) fn plan(&mut self, deregistered: bool, at: i64) {
        if deregistered && self.current.is_empty() {
            self.ends.get_or_insert_default().planned.push((at, None));
        } else if !self.current.is_empty()
            && let Some(ends) = &mut self.ends
            && let Some((_, end @ None)) = ends.planned.last_mut()
        {
            *end = Some(at);
        }
    }

    /// Stretches in which a binding was live when the input ends at `end`, sorted and joined.
    pub(super) fn live(&self, end: i64) -> Vec<Stretch> {
        let current = self.current.iter().map(|b| (b.from, b.until.min(end)));
        let open = current.filter(|(from, until)| from < until);
        super::series::joined(self.live.iter().copied().chain(open).collect())
    }

    /// Takes over what another row of the same device has.
    pub(super) fn absorb(&mut self, other: Self) {
        for binding in other.current {
            let Some((key, _)) = other.keys.get(binding.key as usize) else { continue };
            let key = self.place(key);
            self.current.push(Binding { key, ..binding });
        }
        for (key, _) in other.keys.iter().filter(|(_, is_asked)| *is_asked) {
            self.ask(key);
        }
        self.live.extend(other.live);
        if let Some(ends) = other.ends {
            let own = self.ends.get_or_insert_default();
            own.lost.extend(ends.lost);
            own.planned.extend(ends.planned);
        }
    }

    /// Octets of private memory it holds.
    pub(super) fn heap_size(&self) -> usize {
        let spilled = |is: bool, octets: usize| if is { octets } else { 0 };
        let ends = self.ends.as_ref().map_or(0, |ends| {
            size_of::<Ends>() + ends.lost.capacity() * 8 + ends.planned.capacity() * 24
        });
        self.keys.iter().map(|(key, _)| key.len() + 40).sum::<usize>()
            + spilled(self.current.spilled(), self.current.capacity() * size_of::<Binding>())
            + spilled(self.live.spilled(), self.live.capacity() * size_of::<Stretch>())
            + ends
    }
}

/// Adds a stretch; one that goes on from the last, or lies in it, makes no new one.
fn note(live: &mut SmallVec<[Stretch; 1]>, (from, until): Stretch) {
    if until <= from {
        return;
    }
    match live.last_mut() {
        Some(last) if last.0 <= from && from <= last.1 => last.1 = last.1.max(until),
        _ => {
            live.push((from, until));
        }
    }
}
