//! Who sends, and how much of each is taken, so that a noisy one does not cost the packets of others.
//!
//! The sender of a datagram is whoever it says. So a place of one's own is earned: who was heard for
//! a second keeps it whatever others send, and all those who were not share one.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::time::Instant;

use super::super::queue::Fill;

/// Senders told apart.
const SENDERS: usize = 4_096;
/// Rates that senders beyond them share, each with those who happen to have the same.
const OTHERS: usize = 1_024;
/// Of what is free in the queue nobody has more than one of so many parts.
const PARTS: usize = 4;
/// Who was heard for so long is known, seconds.
const PROOF: f64 = 1.0;
/// Who is not known after so long makes room, and how often that is looked for.
const TRIAL: f64 = 2.0 * PROOF;
const SWEEP: f64 = PROOF;
/// Who is known makes room when it was silent for so long: longer than phones register for.
const IDLE: f64 = 2.0 * 3_600.0;

/// Whether who sends can be somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// Datagrams say what they like.
    Claimed,
    /// A connection was made with it.
    Proven,
}

/// All senders.
pub(super) struct Senders {
    origin: Origin,
    rate: f64,
    began: Instant,
    told_apart: HashMap<IpAddr, Sender>,
    others: Vec<Bucket>,
    hasher: RandomState,
    /// What those who are not known have in the queue, all of them.
    crowd: Place,
    swept: f64,
}

struct Sender {
    bucket: Bucket,
    place: Place,
    /// When it was heard first, seconds since all began.
    first: f64,
}

/// A token bucket: so many packets a second, a second's worth at once.
#[derive(Clone, Copy)]
struct Bucket {
    tokens: f64,
    /// When one was taken last, seconds since all began.
    at: f64,
    /// Whether it was empty at least once.
    told: bool,
}

/// What somebody has in the queue.
#[derive(Clone, Copy, Default)]
struct Place {
    /// In which of its rounds.
    round: u64,
    octets: usize,
    /// Whether there was no room at least once.
    told: bool,
}

/// What is known of a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It may be any of many.
    Stranger,
    /// It is told apart, and was not heard for long enough to have a place of its own.
    Heard,
    /// It has one.
    Known,
}

/// Whose packet came.
pub(super) struct Party<'a> {
    place: &'a mut Place,
    bucket: &'a mut Bucket,
    pub(super) standing: Standing,
    /// Whether it sent more than one may in a second.
    pub(super) is_too_fast: bool,
}

impl Party<'_> {
    /// Whether another packet may join the queue: nobody may have more in it than a part of what is free.
    /// So there is room for whoever has little there, however much others send.
    pub(super) fn fits(&mut self, fill: Fill) -> bool {
        if self.place.round != fill.round {
            (self.place.round, self.place.octets) = (fill.round, 0);
        }
        self.place.octets < fill.free / PARTS
    }

    /// It has so many octets more in the queue.
    pub(super) fn add(&mut self, octets: usize) {
        self.place.octets += octets;
    }

    /// Whether this is the first time that there is too much of it.
    pub(super) fn is_news(&mut self) -> bool {
        let told = if self.is_too_fast { &mut self.bucket.told } else { &mut self.place.told };
        !std::mem::replace(told, true)
    }
}

impl Bucket {
    fn full(rate: f64, at: f64) -> Self {
        Self { tokens: rate, at, told: false }
    }

    fn take(&mut self, rate: f64, now: f64) -> bool {
        let gained = (now - self.at).max(0.0) * rate;
        (self.tokens, self.at) = ((self.tokens + gained).min(rate), now);
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }
}

impl Sender {
    /// Whether it may be told apart no longer when there is no room for others.
    fn is_over(&self, now: f64) -> bool {
        let silent = now - self.bucket.at;
        let is_known = self.is_heard_again(self.bucket.at);
        if is_known { IDLE <= silent } else { TRIAL <= now - self.first }
    }

    /// Whether it is known, being heard now.
    fn is_heard_again(&self, now: f64) -> bool {
        PROOF <= now - self.first
    }
}

impl Senders {
    /// Nobody was heard so far; of each `rate` packets a second are taken.
    pub(super) fn new(origin: Origin, rate: u32, began: Instant) -> Self {
        let rate = f64::from(rate.max(1));
        Self {
            origin,
            rate,
            began,
            told_apart: HashMap::new(),
            others: vec![Bucket::full(rate, 0.0); OTHERS],
            hasher: RandomState::new(),
            crowd: Place::default(),
            swept: 0.0,
        }
    }

    /// A packet of `sender` came.
    pub(super) fn hear(&mut self, sender: IpAddr, now: Instant) -> Party<'_> {
        let now = now.saturating_duration_since(self.began).as_secs_f64();
        if !self.told_apart.contains_key(&sender) {
            self.welcome(sender, now);
        }
        let Self { origin, rate, told_apart, others, hasher, crowd, .. } = self;
        let (bucket, place, standing) = match told_apart.get_mut(&sender) {
            Some(own) if *origin == Origin::Proven || own.is_heard_again(now) => {
                (&mut own.bucket, &mut own.place, Standing::Known)
            }
            Some(own) => (&mut own.bucket, crowd, Standing::Heard),
            None => {
                let at = hasher.hash_one(sender) as usize % OTHERS;
                (&mut others[at], crowd, Standing::Stranger)
            }
        };
        let is_too_fast = !bucket.take(*rate, now);
        Party { place, bucket, standing, is_too_fast }
    }

    /// Tells a sender apart from now on, if there is room.
    fn welcome(&mut self, sender: IpAddr, now: f64) {
        if SENDERS <= self.told_apart.len() && SWEEP <= now - self.swept {
            self.swept = now;
            self.told_apart.retain(|_, sender| !sender.is_over(now));
        }
        if self.told_apart.len() < SENDERS {
            let (bucket, place) = (Bucket::full(self.rate, now), Place::default());
            self.told_apart.insert(sender, Sender { bucket, place, first: now });
        }
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

    fn senders(rate: u32) -> (Senders, Instant) {
        let start = Instant::now();
        (Senders::new(Origin::Claimed, rate, start), start)
    }

    #[test]
    fn a_noisy_sender_takes_nothing_from_others() {
        let (mut senders, start) = senders(100);
        let mut taken = |number, seconds: f64| {
            let now = start + Duration::from_secs_f64(seconds);
            (0..1_000).filter(|_| !senders.hear(ip(number), now).is_too_fast).count()
        };
        assert_eq!(taken(1, 0.0), 100);
        assert_eq!(taken(2, 0.0), 100);
        assert_eq!(taken(1, 0.5), 50);
    }

    #[test]
    fn senders_without_number_are_held_in_bounds_and_who_was_known_before_keeps_its_place() {
        let (mut senders, start) = senders(100);
        let at = |seconds| start + Duration::from_secs(seconds);
        let agent = ip(1);
        assert_eq!(senders.hear(agent, at(0)).standing, Standing::Heard);
        assert_eq!(senders.hear(agent, at(1)).standing, Standing::Known);
        // An hour of strangers, each of whom is heard once.
        for number in 0..200_000_u32 {
            let heard = senders.hear(ip(1_000 + number), at(2 + u64::from(number) / 50));
            assert_ne!(heard.standing, Standing::Known);
        }
        assert!(senders.told_apart.len() <= SENDERS);
        let mut heard = senders.hear(agent, at(3_600));
        assert_eq!(heard.standing, Standing::Known);
        assert!(heard.fits(Fill { round: 1, free: PARTS }));
        // One that comes while there is no room gets some once those before it are heard no more.
        let late = ip(7);
        for number in 0..5_000 {
            senders.hear(ip(1 << 24 | number), at(5_000));
        }
        assert_eq!(senders.hear(late, at(5_000)).standing, Standing::Stranger);
        assert_eq!(senders.hear(late, at(5_002)).standing, Standing::Heard);
        assert_eq!(senders.hear(late, at(5_003)).standing, Standing::Known);
    }

    #[test]
    fn nobody_has_more_in_the_queue_than_a_part_of_what_is_free_and_strangers_count_as_one() {
        let (mut senders, start) = senders(1_000_000);
        let later = start + Duration::from_secs(1);
        for known in [ip(1), ip(2)] {
            senders.hear(known, start);
            assert_eq!(senders.hear(known, later).standing, Standing::Known);
        }
        let (capacity, mut held) = (90_000, 0);
        let mut fill = |from: &mut dyn FnMut() -> IpAddr| {
            let mut count = 0;
            loop {
                let mut party = senders.hear(from(), later);
                if !party.fits(Fill { round: 1, free: capacity - held }) {
                    return count;
                }
                party.add(100);
                (held, count) = (held + 100, count + 1);
            }
        };
        let mut number = 1_000;
        let mut stranger = || {
            number += 1;
            ip(number)
        };
        assert_eq!(fill(&mut stranger), 180, "a fifth");
        assert_eq!(fill(&mut || ip(1)), 144, "a fifth of the rest");
        assert_eq!(fill(&mut || ip(2)), 116);
        assert_eq!(fill(&mut stranger), 0);
        assert!(senders.hear(ip(2), later).fits(Fill { round: 2, free: capacity }));
    }
}
