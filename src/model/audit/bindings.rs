//! The bindings of one device over time: what is live, what ended and why.

use smallvec::SmallVec;

use super::places::{Places, Vacant};
use super::series::Stretch;
use crate::model::Seed;

/// Keys that are looked through; beyond, an index finds them.
const FEW: usize = 8;

/// A live binding; times in nanoseconds since the epoch.
#[derive(Clone, Copy, Debug)]
struct Binding {
    /// The place of its key.
    key: u32,
    connection: u32,
    from: i64,
    until: i64,
}

/// Ends and stretches of the past that are kept where the present alone counts.
const PAST: usize = 4;

/// All bindings of one device.
#[derive(Clone, Debug, Default)]
pub(super) struct Bindings {
    /// Keys of all bindings so far, and whether the device itself asked for them.
    keys: Vec<(Box<str>, bool)>,
    /// Of the few devices with many keys.
    index: Option<Box<Index>>,
    /// A device has a Contact or two.
    current: SmallVec<[Binding; 1]>,
    /// Stretches in which a binding was live, closed ones; those that touch are one.
    live: SmallVec<[Stretch; 1]>,
    /// What few devices have.
    ends: Option<Box<Ends>>,
}

/// Finds keys.
#[derive(Clone, Debug)]
struct Index {
    places: Places,
    /// Octets of all keys.
    octets: usize,
}

/// What bindings are made by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// How many may be live at once.
    pub(super) bindings: usize,
    pub(super) seed: Seed,
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
    pub(super) fn ask(&mut self, key: &str, room: Room) {
        let place = self.place(key, room);
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
        self.known(key).is_ok_and(|key| self.current.iter().any(|binding| binding.key == key))
    }

    /// The place of a known key; where an index has room for it otherwise, should there be one.
    fn known(&self, key: &str) -> Result<u32, Option<Vacant>> {
        let is = |at| self.keys.get(at as usize).is_some_and(|(known, _)| **known == *key);
        match &self.index {
            Some(index) => index.places.find(key, is).map_err(Some),
            None => (0..self.keys.len() as u32).find(|at| is(*at)).ok_or(None),
        }
    }

    fn place(&mut self, key: &str, room: Room) -> u32 {
        let vacant = match self.known(key) {
            Ok(place) => return place,
            Err(vacant) => vacant,
        };
        let place = self.keys.len();
        if place == self.keys.capacity() {
            self.keys.reserve_exact(1 + place / 2);
        }
        self.keys.push((key.into(), false));
        match (&mut self.index, vacant) {
            (Some(index), Some(vacant)) => {
                index.places.insert(vacant, place);
                index.octets += key.len();
            }
            _ if FEW <= place => self.index = Some(Box::new(Index::of(&self.keys, room.seed))),
            _ => {}
        }
        place as u32
    }

    pub(super) fn is_empty(&self) -> bool {
        self.current.is_empty()
    }

    /// True when one is live at `at`, which is not before the last change.
    pub(super) fn is_live(&self, at: i64) -> bool {
        self.current.iter().any(|binding| at < binding.until)
    }

    /// Makes or renews a binding for `seconds`. When there are too many, the one that would end
    /// first is let go, and the answer is false.
    pub(super) fn grant(
        &mut self,
        key: &str,
        at: i64,
        seconds: u32,
        connection: u32,
        room: Room,
    ) -> bool {
        let until = at.saturating_add(i64::from(seconds) * crate::time::SECOND);
        let key = self.place(key, room);
        let Self { current, live, .. } = self;
        let binding = Binding { key, connection, from: at, until };
        if let Some(own) = current.iter_mut().find(|binding| binding.key == key) {
            note(live, (own.from, own.until.min(at)));
            *own = binding;
            return true;
        }
        if current.len() < room.bindings {
            current.push(binding);
            return true;
        }
        if let Some(first) = current.iter_mut().min_by_key(|binding| binding.until)
            && first.until < until
        {
            note(live, (first.from, first.until.min(at)));
            *first = binding;
        }
        false
    }

    pub(super) fn close(&mut self, key: &str, at: i64) {
        let Ok(key) = self.known(key) else { return };
        let Self { live, current, .. } = self;
        current.retain(|binding| {
            let own = binding.key == key;
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
            let reach = self.reach().unwrap_or(i64::MIN);
            let planned = &mut self.ends.get_or_insert_default().planned;
            match planned.last_mut() {
                // To give up again what is given up begins no other absence; of two that cross, the
                // answer that came first begins it.
                Some((from, None)) => *from = at.max(reach).min(*from),
                _ => planned.push((at, None)),
            }
        } else if !self.current.is_empty()
            && let Some(ends) = &mut self.ends
            && let Some((_, end @ None)) = ends.planned.last_mut()
        {
            *end = Some(at);
        }
    }

    /// To when the last binding lasts, or lasted; `None` when there never was one.
    pub(super) fn reach(&self) -> Option<i64> {
        let current = self.current.iter().map(|binding| binding.until);
        current.chain(self.live.iter().map(|(_, until)| *until)).max()
    }

    /// True while the device is away because it said so.
    pub(super) fn is_planned(&self) -> bool {
        self.planned().last().is_some_and(|(_, until)| until.is_none())
    }

    /// Stretches in which a binding was live when the input ends at `end`, sorted and joined.
    pub(super) fn live(&self, end: i64) -> Vec<Stretch> {
        let current = self.current.iter().map(|b| (b.from, b.until.min(end)));
        let open = current.filter(|(from, until)| from < until);
        super::series::joined(self.live.iter().copied().chain(open).collect())
    }

    /// Forgets of the past what the present does not need.
    pub(super) fn trim(&mut self) {
        let Self { live, ends, .. } = self;
        live.drain(..live.len().saturating_sub(PAST));
        if let Some(ends) = ends {
            ends.lost.drain(..ends.lost.len().saturating_sub(PAST));
            ends.planned.drain(..ends.planned.len().saturating_sub(PAST));
        }
        self.trim_keys();
    }

    /// Forgets the keys of what is bound no more, when there are many.
    fn trim_keys(&mut self) {
        let Self { keys, index, current, .. } = self;
        let is_needed = |at: usize| current.iter().any(|binding| binding.key as usize == at);
        if keys.len() <= 2 * FEW.max(current.len()) {
            return;
        }
        let needed: Vec<usize> = (0..keys.len()).filter(|at| is_needed(*at)).collect();
        for binding in current.iter_mut() {
            let at = needed.binary_search(&(binding.key as usize));
            binding.key = at.unwrap_or_default() as u32;
        }
        let all = std::mem::take(keys);
        keys.extend(
            all.into_iter().enumerate().filter(|(at, _)| needed.contains(at)).map(|(_, key)| key),
        );
        *index = None;
    }

    /// Forgets what was over before `time`.
    pub(super) fn shed(&mut self, time: i64) {
        self.live.retain(|(_, until)| time <= *until);
        if let Some(ends) = &mut self.ends {
            ends.lost.retain(|at| time <= *at);
            ends.planned.retain(|(_, until)| until.is_none_or(|until| time <= until));
        }
        self.trim_keys();
    }

    /// Octets of private memory it holds.
    pub(super) fn heap_size(&self) -> usize {
        let spilled = |is: bool, octets: usize| if is { octets } else { 0 };
        let ends = self.ends.as_ref().map_or(0, |ends| {
            size_of::<Ends>() + ends.lost.capacity() * 8 + ends.planned.capacity() * 24
        });
        let keys = match &self.index {
            Some(index) => index.octets + self.keys.len() * Places::SIZE,
            None => self.keys.iter().map(|(key, _)| key.len()).sum(),
        };
        keys + self.keys.len() * 40
            + spilled(self.current.spilled(), self.current.capacity() * size_of::<Binding>())
            + spilled(self.live.spilled(), self.live.capacity() * size_of::<Stretch>())
            + ends
    }
}

impl Index {
    fn of(keys: &[(Box<str>, bool)], seed: Seed) -> Self {
        let mut index = Self { places: Places::new(seed), octets: 0 };
        for (at, (key, _)) in keys.iter().enumerate() {
            if let Err(vacant) = index.places.find(&**key, |_| false) {
                index.places.insert(vacant, at);
            }
            index.octets += key.len();
        }
        index
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
