//! The numbers of a long series of durations in bounded memory.

use super::series::{Stats, seconds};

/// A series of nanoseconds, each value as it is while at most `DISTINCT` of them differ. Beyond that,
/// values are rounded to a unit that grows as it must; count, least, greatest, mean and deviation
/// stay exact.
#[derive(Clone, Debug, Default)]
pub(super) struct Spread<const DISTINCT: usize = 12> {
    /// Sorted.
    values: Vec<Value>,
    /// What they are rounded to; 0 or 1 while they are exact.
    unit: i64,
    n: u32,
    least: i64,
    greatest: i64,
    mean: f64,
    /// The sum of the squares of the differences to the mean.
    squares: f64,
}

/// A value and how often it came, in twelve octets: a fleet has many.
#[derive(Clone, Copy, Debug)]
struct Value {
    /// The upper and the lower half of the nanoseconds.
    halves: [u32; 2],
    n: u32,
}

impl Value {
    const fn new(nanos: i64, n: u32) -> Self {
        let bits = nanos.cast_unsigned();
        Self { halves: [(bits >> 32) as u32, bits as u32], n }
    }

    fn nanos(self) -> i64 {
        let [upper, lower] = self.halves.map(u64::from);
        (upper << 32 | lower).cast_signed()
    }
}

impl<const DISTINCT: usize> Spread<DISTINCT> {
    pub(super) fn push(&mut self, value: i64) {
        self.least = if self.n == 0 { value } else { self.least.min(value) };
        self.greatest = if self.n == 0 { value } else { self.greatest.max(value) };
        self.n = self.n.saturating_add(1);
        let before = value as f64 - self.mean;
        self.mean += before / f64::from(self.n);
        self.squares += before * (value as f64 - self.mean);
        let rounded = round(value, self.unit);
        match self.values.binary_search_by_key(&rounded, |value| value.nanos()) {
            Ok(at) => self.values[at].n += 1,
            Err(at) => {
                if self.values.len() == self.values.capacity() {
                    let room = if self.values.len() < 2 { 2 } else { DISTINCT - 1 };
                    self.values.reserve_exact(room);
                }
                self.values.insert(at, Value::new(rounded, 1));
            }
        }
        while DISTINCT < self.values.len() {
            self.coarsen();
        }
    }

    /// Octets of private memory it holds.
    pub(super) fn heap_size(&self) -> usize {
        self.values.capacity() * size_of::<Value>()
    }

    /// Values in order, with how often each came.
    pub(super) fn values(&self) -> impl Iterator<Item = (i64, u32)> + '_ {
        self.values.iter().map(|value| (value.nanos(), value.n))
    }

    /// What values are rounded to; 0 while they are exact.
    pub(super) const fn unit(&self) -> i64 {
        self.unit
    }

    /// Its numbers, in seconds; `None` of an empty series.
    pub(super) fn stats(&self) -> Option<Stats> {
        let rank = |p: u64| {
            let wanted = (p * u64::from(self.n)).div_ceil(100).max(1);
            let mut seen = 0;
            let found = self.values().find(|(_, count)| {
                seen += u64::from(*count);
                wanted <= seen
            });
            found.map_or(self.greatest, |(value, _)| value.clamp(self.least, self.greatest))
        };
        (0 < self.n).then(|| Stats {
            n: self.n as usize,
            min: seconds(self.least),
            p50: seconds(rank(50)),
            p95: seconds(rank(95)),
            max: seconds(self.greatest),
            mean: self.mean / 1e9,
            jitter: (self.squares / f64::from(self.n)).max(0.0).sqrt() / 1e9,
        })
    }

    fn coarsen(&mut self) {
        self.unit = (self.unit.max(1)).saturating_mul(2);
        let unit = self.unit;
        self.values.dedup_by(|next, kept| {
            let same = round(next.nanos(), unit) == round(kept.nanos(), unit);
            if same {
                kept.n += next.n;
            }
            same
        });
        for value in &mut self.values {
            *value = Value::new(round(value.nanos(), unit), value.n);
        }
    }
}

/// The multiple of `unit` nearest to `value`.
fn round(value: i64, unit: i64) -> i64 {
    if unit <= 1 { value } else { (value + unit / 2).div_euclid(unit) * unit }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::float_cmp)]
    use super::*;
    use crate::time::SECOND;

    #[test]
    fn few_values_are_exact() {
        let values: Vec<i64> = (0..200).map(|n| 60 * SECOND + (n % 7) * 1_000_003).collect();
        let mut spread: Spread = Spread::default();
        for value in &values {
            spread.push(*value);
        }
        let (found, wanted) = (spread.stats().unwrap(), Stats::of_nanos(&values).unwrap());
        assert_eq!((found.n, found.min, found.max), (wanted.n, wanted.min, wanted.max));
        assert_eq!((found.p50, found.p95), (wanted.p50, wanted.p95));
        assert!((found.mean - wanted.mean).abs() < 1e-9);
        assert!((found.jitter - wanted.jitter).abs() < 1e-9);
    }

    #[test]
    fn values_of_any_size_and_sign_keep_their_order() {
        let values = [-5 * SECOND, -1, 0, 1, 1 << 31, 1 << 33, 90_000 * SECOND];
        let mut spread: Spread = Spread::default();
        values.iter().rev().for_each(|value| spread.push(*value));
        assert!(spread.values().eq(values.map(|value| (value, 1))));
    }

    #[test]
    fn many_values_keep_their_numbers_and_little_memory() {
        let values: Vec<i64> =
            (0..5000_i64).map(|n| 60 * SECOND + (n * n * 7919) % 40_000_000).collect();
        let mut spread: Spread = Spread::default();
        for value in &values {
            spread.push(*value);
        }
        let (found, wanted) = (spread.stats().unwrap(), Stats::of_nanos(&values).unwrap());
        assert_eq!((found.n, found.min, found.max), (wanted.n, wanted.min, wanted.max));
        assert!((found.p50 - wanted.p50).abs() < 0.008, "{} {}", found.p50, wanted.p50);
        assert!((found.p95 - wanted.p95).abs() < 0.008, "{} {}", found.p95, wanted.p95);
        assert!((found.jitter - wanted.jitter).abs() < 1e-6);
        assert!(spread.heap_size() <= 32 * 16);
        assert_eq!(<Spread>::default().stats(), None);
    }
}
