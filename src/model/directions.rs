//! Who sent to whom: directed pairs of hosts, in few octets where they have IPv4 addresses.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};

use super::reading::Seed;

/// Directed pairs of hosts. Strangers choose what is in it, so its hashes are keyed.
#[derive(Clone, Debug)]
pub struct Directions {
    /// Both addresses in one number.
    short: HashSet<u64, Seed>,
    long: HashSet<(IpAddr, IpAddr), Seed>,
}

impl Default for Directions {
    fn default() -> Self {
        let seed = Seed::random();
        Self { short: HashSet::with_hasher(seed), long: HashSet::with_hasher(seed) }
    }
}

impl Directions {
    /// Adds a pair.
    pub fn insert(&mut self, (from, to): (IpAddr, IpAddr)) {
        match (from, to) {
            (IpAddr::V4(from), IpAddr::V4(to)) => self.short.insert(short(from, to)),
            pair => self.long.insert(pair),
        };
    }

    /// True when `from` sent something to `to`.
    pub fn contains(&self, (from, to): (IpAddr, IpAddr)) -> bool {
        match (from, to) {
            (IpAddr::V4(from), IpAddr::V4(to)) => self.short.contains(&short(from, to)),
            pair => self.long.contains(&pair),
        }
    }

    /// How many pairs there are.
    pub fn len(&self) -> usize {
        self.short.len() + self.long.len()
    }

    /// True without any.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn short(from: Ipv4Addr, to: Ipv4Addr) -> u64 {
    u64::from(u32::from(from)) << 32 | u64::from(u32::from(to))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn pairs_have_a_direction_and_a_family() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let mut all = Directions::default();
        assert!(all.is_empty());
        let pairs = [("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8::2")];
        for (from, to) in pairs {
            all.insert((ip(from), ip(to)));
            all.insert((ip(from), ip(to)));
            assert!(all.contains((ip(from), ip(to))));
            assert!(!all.contains((ip(to), ip(from))));
        }
        assert!(!all.contains((ip("::ffff:192.0.2.1"), ip("192.0.2.2"))));
        assert_eq!(all.len(), 2);
    }
}
