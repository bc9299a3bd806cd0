//! The bindings of one device over time: what is live, what ended and why.

use super::series::Stretch;

/// A live binding; times in nanoseconds since the epoch.
#[derive(Clone, Debug)]
struct Binding {
    key: Box<str>,
    from: i64,
    until: i64,
    connection: u32,
}

/// All bindings of one device.
#[derive(Clone, Debug, Default)]
pub(super) struct Bindings {
    /// Few: a device has a Contact or two.
    current: Vec<Binding>,
    /// Stretches in which a binding was live, closed ones; those that touch are one.
    live: Vec<Stretch>,
    /// When a lost connection took a binding with it.
    pub(super) lost: Vec<i64>,
    /// From a deliberate deregistration of the last binding to the next one.
    pub(super) planned: Vec<(i64, Option<i64>)>,
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
        let Self { current, live, lost, .. } = self;
        current.retain(|binding| {
            let gone = binding.connection == connection;
            if gone {
                note(live, (binding.from, binding.until.min(at)));
                lost.push(at);
            }
            !gone
        });
    }

    pub(super) fn holds(&self, key: &str) -> bool {
        self.current.iter().any(|binding| *binding.key == *key)
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
        if let Some(own) = self.current.iter_mut().find(|binding| *binding.key == *key) {
            note(&mut self.live, (own.from, own.until.min(at)));
            (own.from, own.until, own.connection) = (at, until, connection);
        } else {
            self.current.reserve_exact(1);
            self.current.push(Binding { key: key.into(), from: at, until, connection });
        }
    }

    pub(super) fn close(&mut self, key: &str, at: i64) {
        let live = &mut self.live;
        self.current.retain(|binding| {
            let own = *binding.key == *key;
            if own {
                note(live, (binding.from, binding.until.min(at)));
            }
            !own
        });
    }

    pub(super) fn close_all(&mut self, at: i64) {
        for binding in self.current.drain(..) {
            note(&mut self.live, (binding.from, binding.until.min(at)));
        }
    }

    /// After a success: a deliberate end begins a planned absence, a binding ends it.
    pub(super) fn plan(&mut self, deregistered: bool, at: i64) {
        if deregistered && self.current.is_empty() {
            self.planned.push((at, None));
        } else if !self.current.is_empty()
            && let Some((_, end @ None)) = self.planned.last_mut()
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
        self.current.extend(other.current);
        self.live.extend(other.live);
        self.lost.extend(other.lost);
        self.planned.extend(other.planned);
    }

    /// Octets of private memory it holds.
    pub(super) fn heap_size(&self) -> usize {
        self.current.capacity() * (size_of::<Binding>() + 48)
            + self.live.capacity() * size_of::<Stretch>()
            + self.lost.capacity() * 8
            + self.planned.capacity() * 24
    }
}

/// Adds a stretch; one that goes on from the last, or lies in it, makes no new one.
fn note(live: &mut Vec<Stretch>, (from, until): Stretch) {
    if until <= from {
        return;
    }
    match live.last_mut() {
        Some(last) if last.0 <= from && from <= last.1 => last.1 = last.1.max(until),
        _ => {
            live.reserve_exact(1);
            live.push((from, until));
        }
    }
}
