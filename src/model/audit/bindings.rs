//! The bindings of one device over time: what is live, what ended and why.

use std::collections::{BTreeMap, VecDeque};

use super::series::Stretch;

/// A live binding; times in nanoseconds since the epoch.
#[derive(Clone, Copy, Debug)]
struct Binding {
    from: i64,
    until: i64,
    connection: u32,
}

/// All bindings of one device.
#[derive(Default)]
pub(super) struct Bindings {
    current: BTreeMap<String, Binding>,
    /// Stretches in which a binding was live, closed ones.
    pub(super) live: Vec<Stretch>,
    /// When a lost connection took a binding with it.
    pub(super) lost: Vec<i64>,
    /// From a deliberate deregistration of the last binding to the next one.
    pub(super) planned: Vec<(i64, Option<i64>)>,
    /// Ends of TCP connections still to be looked at, in time order.
    ends: VecDeque<(i64, u32)>,
}

impl Bindings {
    /// With the `ends` of TCP connections that end bindings.
    pub(super) fn new(ends: VecDeque<(i64, u32)>) -> Self {
        Self { ends, ..Self::default() }
    }

    /// Lets time pass: connections end, bindings expire.
    pub(super) fn advance(&mut self, now: i64) {
        while let Some(&(at, connection)) = self.ends.front().filter(|(at, _)| *at <= now) {
            self.ends.pop_front();
            self.expire(at);
            let gone: Vec<String> = self
                .current
                .iter()
                .filter(|(_, binding)| binding.connection == connection)
                .map(|(key, _)| key.clone())
                .collect();
            for key in gone {
                self.close(&key, at);
                self.lost.push(at);
            }
        }
        self.expire(now);
    }

    fn expire(&mut self, now: i64) {
        let live = &mut self.live;
        self.current.retain(|_, binding| {
            let over = binding.until <= now;
            if over {
                live.push((binding.from, binding.until));
            }
            !over
        });
    }

    pub(super) fn holds(&self, key: &str) -> bool {
        self.current.contains_key(key)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.current.is_empty()
    }

    /// Makes or renews a binding for `seconds`.
    pub(super) fn grant(&mut self, key: String, at: i64, seconds: u32, connection: u32) {
        self.close(&key, at);
        let until = at.saturating_add(i64::from(seconds) * crate::time::SECOND);
        self.current.insert(key, Binding { from: at, until, connection });
    }

    pub(super) fn close(&mut self, key: &str, at: i64) {
        if let Some(binding) = self.current.remove(key) {
            let until = binding.until.min(at);
            if binding.from < until {
                self.live.push((binding.from, until));
            }
        }
    }

    pub(super) fn close_all(&mut self, at: i64) {
        let keys: Vec<String> = self.current.keys().cloned().collect();
        for key in keys {
            self.close(&key, at);
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
}
