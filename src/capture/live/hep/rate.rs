//! How much of each sender is taken, so that a noisy one does not cost the packets of others.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Instant;

/// Senders told apart; those beyond share what one may send.
const SENDERS: usize = 4_096;
/// How often room is made among the senders, seconds.
const SWEEP: f64 = 0.1;

/// A token bucket for each sender: `rate` packets a second, a second's worth at once.
pub(super) struct Rates {
    rate: f64,
    senders: HashMap<IpAddr, Bucket>,
    others: Bucket,
    swept: Instant,
}

struct Bucket {
    tokens: f64,
    at: Instant,
    /// Whether it was empty at least once.
    told: bool,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    /// It is taken.
    Taken,
    /// It is too much.
    TooMuch,
    /// It is, the first time for this sender.
    TooMuchNow,
}

impl Bucket {
    fn full(rate: f64, at: Instant) -> Self {
        Self { tokens: rate, at, told: false }
    }

    fn refill(&mut self, rate: f64, now: Instant) {
        let gained = now.saturating_duration_since(self.at).as_secs_f64() * rate;
        self.tokens = (self.tokens + gained).min(rate);
        self.at = now;
    }

    fn take(&mut self, rate: f64, now: Instant) -> Share {
        self.refill(rate, now);
        if 1.0 <= self.tokens {
            self.tokens -= 1.0;
            return Share::Taken;
        }
        if std::mem::replace(&mut self.told, true) { Share::TooMuch } else { Share::TooMuchNow }
    }
}

impl Rates {
    pub(super) fn new(rate: u32, now: Instant) -> Self {
        let rate = f64::from(rate.max(1));
        Self { rate, senders: HashMap::new(), others: Bucket::full(rate, now), swept: now }
    }

    /// Whether a packet of `sender` is taken.
    pub(super) fn take(&mut self, sender: IpAddr, now: Instant) -> Share {
        let rate = self.rate;
        if let Some(bucket) = self.senders.get_mut(&sender) {
            return bucket.take(rate, now);
        }
        if SENDERS <= self.senders.len() {
            self.sweep(now);
        }
        if SENDERS <= self.senders.len() {
            return self.others.take(rate, now);
        }
        self.senders.entry(sender).or_insert_with(|| Bucket::full(rate, now)).take(rate, now)
    }

    /// Forgets senders whose bucket is full again: a new one would be the same.
    fn sweep(&mut self, now: Instant) {
        if now.saturating_duration_since(self.swept).as_secs_f64() < SWEEP {
            return;
        }
        self.swept = now;
        let rate = self.rate;
        self.senders.retain(|_, bucket| {
            bucket.refill(rate, now);
            bucket.tokens < rate
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods)]

    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::*;

    fn ip(number: u32) -> IpAddr {
        Ipv4Addr::from(number).into()
    }

    #[test]
    fn a_noisy_sender_takes_nothing_from_others() {
        let start = Instant::now();
        let mut rates = Rates::new(100, start);
        let taken = (0..1_000).filter(|_| rates.take(ip(1), start) == Share::Taken).count();
        assert_eq!(taken, 100);
        assert_eq!(rates.take(ip(2), start), Share::Taken);
        let later = start + Duration::from_millis(500);
        let taken = (0..1_000).filter(|_| rates.take(ip(1), later) == Share::Taken).count();
        assert_eq!(taken, 50);
    }

    #[test]
    fn senders_without_number_are_held_in_bounds() {
        let start = Instant::now();
        let mut rates = Rates::new(100, start);
        for number in 0..100_000 {
            rates.take(ip(number), start);
        }
        assert_eq!(rates.senders.len(), SENDERS);
        assert_eq!(rates.take(ip(1), start), Share::Taken, "who was known before is");
        rates.take(ip(1 << 30), start + Duration::from_secs(2));
        assert_eq!(rates.senders.len(), 1, "who is silent is forgotten");
    }
}
