//! Numbers about series of durations, and arithmetic on stretches of time.

/// What is told of a series. All in the unit of the series; percentiles are nearest-rank,
/// `x[ceil(p/100*n)]` of the sorted values; jitter is the population standard deviation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stats {
    /// How many values.
    pub n: usize,
    /// Smallest.
    pub min: f64,
    /// Median.
    pub p50: f64,
    /// 95th percentile.
    pub p95: f64,
    /// Largest.
    pub max: f64,
    /// Mean.
    pub mean: f64,
    /// Population standard deviation.
    pub jitter: f64,
}

impl Stats {
    /// The numbers of `values`; `None` of an empty series.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let n = sorted.len();
        let mean = sorted.iter().sum::<f64>() / n as f64;
        let variance = sorted.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n as f64;
        let rank = |p: usize| sorted[(p * n).div_ceil(100).max(1) - 1];
        Some(Self { n, min, p50: rank(50), p95: rank(95), max, mean, jitter: variance.sqrt() })
    }

    /// Numbers of seconds as numbers of milliseconds.
    #[must_use]
    pub fn in_milliseconds(self) -> Self {
        let Self { n, min, p50, p95, max, mean, jitter } = self;
        let [min, p50, p95, max] = [min, p50, p95, max].map(|seconds| seconds * 1e3);
        Self { n, min, p50, p95, max, mean: mean * 1e3, jitter: jitter * 1e3 }
    }

    /// The numbers of nanoseconds, in seconds.
    pub fn of_nanos(values: &[i64]) -> Option<Self> {
        Self::of(&values.iter().map(|v| seconds(*v)).collect::<Vec<_>>())
    }
}

/// Nanoseconds as seconds.
#[allow(clippy::cast_precision_loss)]
pub fn seconds(nanos: i64) -> f64 {
    nanos as f64 / 1e9
}

/// A stretch of time, from and until, in nanoseconds since the epoch.
pub type Stretch = (i64, i64);

/// Sorts stretches and joins those that touch.
pub fn joined(mut stretches: Vec<Stretch>) -> Vec<Stretch> {
    stretches.sort_unstable();
    let mut out: Vec<Stretch> = Vec::with_capacity(stretches.len());
    for (from, until) in stretches {
        match out.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(until),
            _ => out.push((from, until)),
        }
    }
    out
}

/// What is left of `stretches` without `cut`; both sorted and joined.
pub fn without(stretches: &[Stretch], cut: &[Stretch]) -> Vec<Stretch> {
    let mut out = Vec::with_capacity(stretches.len());
    let mut first = 0;
    for &(mut from, until) in stretches {
        while first < cut.len() && cut[first].1 <= from {
            first += 1;
        }
        for &(begin, end) in &cut[first..] {
            if begin >= until {
                break;
            }
            if from < begin {
                out.push((from, begin));
            }
            from = from.max(end);
        }
        if from < until {
            out.push((from, until));
        }
    }
    out
}

/// Length of all stretches together, in nanoseconds.
pub fn length(stretches: &[Stretch]) -> i64 {
    stretches.iter().map(|(from, until)| until - from).sum()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::float_cmp)]
    use super::*;

    #[test]
    fn percentiles_are_nearest_rank() {
        let stats = Stats::of(&[4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!((stats.min, stats.p50, stats.p95, stats.max), (1.0, 2.0, 4.0, 4.0));
        assert_eq!(stats.mean, 2.5);
        assert!((stats.jitter - 1.25_f64.sqrt()).abs() < 1e-12);
        assert_eq!(Stats::of(&[]), None);
    }

    #[test]
    fn stretches_add_and_subtract() {
        assert_eq!(joined(vec![(5, 7), (1, 3), (3, 4)]), [(1, 4), (5, 7)]);
        assert_eq!(without(&[(0, 10)], &[(2, 3), (5, 12)]), [(0, 2), (3, 5)]);
        assert_eq!(without(&[(0, 4), (6, 9)], &[(3, 7)]), [(0, 3), (7, 9)]);
        assert_eq!(without(&[(0, 4)], &[]), [(0, 4)]);
        assert_eq!(length(&[(0, 4), (6, 9)]), 7);
    }
}
