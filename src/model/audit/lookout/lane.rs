//! One device at one registrar while it is looked at: what was told of it, and what is to be told
//! next.

use std::sync::Arc;

use smallvec::SmallVec;

use super::super::attempt::{Kind, Outcome};
use super::super::closed::Closed;
use super::super::ledger::Ledger;
use super::super::policy::Expect;
use super::super::series::Stretch;
use super::super::window::Cause;
use super::change::{Alarm, Beating, Moved, Turn};
use crate::frame::FrameId;
use crate::net::Endpoint;
use crate::time::{SECOND, Timestamp};

/// Attempts passed over because a later one was decided first, that are remembered to be counted.
const PASSED: usize = 8;

/// Which of the attempts of a device.
type Id = (Timestamp, FrameId);

/// A device at a registrar.
#[derive(Debug)]
pub(super) struct Lane {
    /// Its device.
    pub(super) person: u32,
    pub(super) registrar: Arc<str>,
    /// The slot of the REGISTER by which it came to be known.
    pub(super) opened: u64,
    /// What is settled: all transactions before those that go on.
    pub(super) base: Ledger,
    /// The latest connections it registered over.
    pub(super) connections: SmallVec<[u32; 2]>,
    /// When it is to be looked at though nothing comes.
    pub(super) due: Option<i64>,
    pub(super) marks: Marks,
    /// Octets counted for it.
    pub(super) held: usize,
}

/// What was seen and told.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// When it was first seen to register: what ended before, nobody knew where it belonged.
    pub(super) since: i64,
    /// The last attempt that was seen to begin.
    begun: Option<Id>,
    /// What came of it so far, and when it began.
    tail: Option<Tail>,
    /// The last attempt whose outcome is told.
    judged: Option<Id>,
    /// Attempts before it that are not decided.
    passed: SmallVec<[Id; 1]>,
    /// The last 2xx.
    pub(super) proof: Option<Timestamp>,
    /// Where the last success came from.
    home: Option<(Endpoint, u32)>,
    /// The success before the last refresh: when it was answered and what it granted.
    granted: Option<(Timestamp, u32)>,
    /// When the last attempt that succeeded began.
    success: Option<Timestamp>,
    /// The first attempt in vain since the last success.
    vain: Option<(Timestamp, Outcome)>,
    /// The end of a binding that was looked at.
    ended: Option<i64>,
    /// Told to be lapsed since then.
    pub(super) lapsed: Option<Timestamp>,
    /// What was told of its registration last.
    pub(super) told: Told,
    is_failing: bool,
    is_overdue: bool,
    /// When anything came of it last.
    pub(super) active: i64,
    /// Octets of one of its connections were lost before that, the last time.
    pub(super) gap: Option<Timestamp>,
    /// How it stands.
    pub(super) state: State,
    /// How it is counted, and since when it is counted to be lapsed.
    pub(super) counted: Option<State>,
    /// The [alarms](Self::alarms) that are counted.
    pub(super) ringing: [bool; 3],
    pub(super) lapse: Option<Timestamp>,
}

/// What was told of the registration of a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Told {
    /// Nothing so far.
    #[default]
    Nothing,
    /// That it is registered, or was.
    Registered,
    /// That it gave that up.
    Gone,
}

/// The last attempt.
#[derive(Clone, Copy, Debug)]
struct Tail {
    start: Timestamp,
    /// It is no retry that comes after it.
    is_good: bool,
    /// Seconds granted, or asked for.
    life: Option<u32>,
}

/// How a device stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Nothing was proved so far, or since the capture lost packets.
    #[default]
    Unknown,
    /// A binding is live.
    Live,
    /// None is, and it did not give it up.
    Lapsed,
    /// It gave it up.
    Offline,
}

/// What a look at a device brought.
#[derive(Debug, Default)]
pub(super) struct Look {
    pub(super) turns: Vec<(Timestamp, Turn)>,
    /// Attempts that began, and whether they are those of a storm.
    pub(super) begun: Vec<(Timestamp, bool)>,
    /// Attempts that were decided.
    pub(super) decided: Vec<Decided>,
    /// When to look again.
    pub(super) due: Option<i64>,
}

/// An attempt that was decided.
#[derive(Debug)]
pub(super) struct Decided {
    pub(super) attempt: Closed,
    pub(super) outcome: Outcome,
    /// Share of the granted life that had passed, of a refresh.
    pub(super) ratio: Option<f64>,
    /// What changed since the last success.
    pub(super) moved: Moved,
}

/// By what a lane is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Light<'a> {
    pub(super) now: i64,
    /// Stretches in which packets were lost, sorted and joined.
    pub(super) gaps: &'a [Stretch],
    /// Octets of its connections were lost before that.
    pub(super) gap: Option<Timestamp>,
    /// Responses were seen at all.
    pub(super) answers: bool,
    /// Its keepalives.
    pub(super) keepalives: Beating,
}

impl Light<'_> {
    /// True when what was known at `proof` may have changed unseen until `until`.
    fn is_blind(&self, proof: Option<Timestamp>, until: i64) -> bool {
        let since = proof.map_or(i64::MIN, |at| at.0);
        self.gaps.iter().any(|(from, to)| since < *to && *from <= until)
            || self.gap.is_some_and(|gap| since < gap.0 && gap.0 <= until)
    }
}

impl Marks {
    /// Looks at `ledger`, that of the device as of now, with the attempts `all` since it was
    /// settled.
    pub(super) fn look(&mut self, ledger: &Ledger, all: &[Closed], light: Light<'_>) -> Look {
        let mut look = Look::default();
        self.proof = self.proof.max(ledger.orphans().iter().max().copied());
        for attempt in all {
            self.begin(attempt, light, &mut look);
        }
        for attempt in all {
            self.judge(attempt, light, &mut look);
        }
        if let Some(last) = all.iter().rev().find(|attempt| attempt.is_try()) {
            let is_good = matches!(last.outcome(), Outcome::Ok | Outcome::Redirected);
            let before = self.tail.and_then(|tail| tail.life);
            let life = last.granted.or(last.requested).or(before);
            self.tail = Some(Tail { start: last.start, is_good, life });
        }
        self.stand(ledger, all, light, &mut look);
        self.expect(ledger, light, &mut look);
        look
    }

    /// An attempt is seen, maybe for the first time.
    fn begin(&mut self, attempt: &Closed, light: Light<'_>, look: &mut Look) {
        if Some(attempt.id()) <= self.begun {
            return;
        }
        self.begun = Some(attempt.id());
        if !attempt.is_try() {
            return;
        }
        self.is_overdue = false;
        let known = self.proof.is_some() && !light.is_blind(self.proof, attempt.start.0);
        let initial = attempt.kind == Kind::Initial && known;
        let retry = self.tail.is_some_and(|tail| !tail.is_good);
        look.begun.push((attempt.start, initial || retry));
        let is_good = matches!(attempt.outcome(), Outcome::Ok | Outcome::Redirected);
        let life = self.tail.and_then(|tail| tail.life);
        self.tail = Some(Tail { start: attempt.start, is_good, life });
    }

    /// Tells what came of `attempt`, once, as soon as it is certain.
    fn judge(&mut self, attempt: &Closed, light: Light<'_>, look: &mut Look) {
        let id = attempt.id();
        if Some(id) <= self.judged && !self.passed.contains(&id) {
            return;
        }
        let certain = attempt.certain();
        let outcome = attempt.outcome();
        if light.now < certain.0 {
            sooner(&mut look.due, certain.0);
            if Some(id) > self.judged && self.passed.len() < PASSED && !self.passed.contains(&id) {
                self.passed.push(id);
            }
            return;
        }
        self.passed.retain(|passed| *passed != id);
        let superseded = Some(id) < self.judged;
        self.judged = self.judged.max(Some(id));
        // Where no answer is seen at all, or it may have been lost, nothing can be said.
        let by_silence = matches!(outcome, Outcome::Timeout | Outcome::ChallengeUnanswered);
        if attempt.answer.is_none() && !light.answers
            || by_silence && light.is_blind(Some(attempt.start), certain.0)
        {
            return;
        }
        let mut decided = Decided { attempt: *attempt, outcome, ratio: None, moved: Moved::Not };
        if outcome == Outcome::Ok {
            self.succeed(attempt, &mut decided);
        } else if outcome.is_failure() && attempt.is_try() && !superseded {
            self.vain.get_or_insert((attempt.start, outcome));
            if !std::mem::replace(&mut self.is_failing, true) {
                let (start, source) = (attempt.start, attempt.source);
                look.turns.push((certain, Turn::Fail { start, outcome, source }));
            }
        }
        look.decided.push(decided);
    }

    fn succeed(&mut self, attempt: &Closed, decided: &mut Decided) {
        let Some((end, _)) = attempt.answer else { return };
        self.proof = self.proof.max(Some(end));
        if !attempt.kind.registers() {
            return;
        }
        self.is_failing = false;
        self.vain = None;
        self.success = self.success.max(Some(attempt.start));
        let home = (attempt.source, attempt.connection);
        if let Some(old) = self.home.replace(home) {
            decided.moved = Moved::between(old, home);
        }
        if attempt.follow_up {
            return;
        }
        let before = self.granted;
        self.granted = attempt.granted.map(|granted| (end, granted));
        if let Some((at, granted)) = before.filter(|(_, granted)| 0 < *granted) {
            decided.ratio = Some(attempt.start.since(at) as f64 / 1e9 / f64::from(granted));
        }
    }

    /// Tells how the device stands.
    fn stand(&mut self, ledger: &Ledger, all: &[Closed], light: Light<'_>, look: &mut Look) {
        let now = Timestamp(light.now);
        let bindings = &ledger.bindings;
        if bindings.is_live(now.0) {
            self.live(look, now);
        } else if bindings.is_planned() {
            self.granted = None;
            if self.told == Told::Registered {
                self.told = Told::Gone;
                self.lapsed = None;
                look.turns.push((now, Turn::Gone));
            }
            self.state = State::Offline;
            return;
        }
        let Some(reach) = bindings.reach() else { return };
        let over = reach.saturating_add(ledger.policy.lapse_grace);
        if now.0 <= over {
            sooner(&mut look.due, over.saturating_add(1));
        } else if self.ended != Some(reach) {
            self.ended = Some(reach);
            self.granted = None;
            self.state = State::Unknown;
            if self.since <= reach && !light.is_blind(self.proof, over) && self.lapsed.is_none() {
                let from = Timestamp(reach);
                self.lapsed = Some(from);
                self.state = State::Lapsed;
                let tried = all.iter().filter(|one| one.is_try()).map(|one| one.start).max();
                let tried = tried.max(self.tail.map(|tail| tail.start));
                let cause = self.cause(ledger, all, reach, now);
                let keepalives = light.keepalives;
                look.turns.push((Timestamp(over), Turn::Lapse { from, cause, tried, keepalives }));
            }
        }
    }

    fn live(&mut self, look: &mut Look, now: Timestamp) {
        self.state = State::Live;
        let home = look.decided.iter().rev().find(|one| one.outcome == Outcome::Ok);
        if let Some(from) = self.lapsed.take() {
            let moved = home.map_or(Moved::Not, |home| home.moved);
            let after = now.since(from);
            look.turns.push((now, Turn::Back { from: Alarm::Lapse, after, moved }));
        } else if self.told != Told::Registered
            && let Some(Decided { attempt, .. }) = home
        {
            let (source, granted) = (attempt.source, attempt.granted);
            look.turns.push((now, Turn::New { source, granted }));
        }
        self.told = Told::Registered;
    }

    /// Why the binding that ended at `from` was not kept up, as far as is known.
    fn cause(&self, ledger: &Ledger, all: &[Closed], from: i64, now: Timestamp) -> Cause {
        if ledger.bindings.lost().contains(&from) {
            return Cause::ConnectionLost;
        }
        let is_open =
            |one: &&Closed| one.is_try() && now < one.certain() && self.success < Some(one.start);
        let open = all.iter().find(is_open);
        match (self.vain, open) {
            (Some((start, outcome)), _) if start.0 < from => Cause::RefreshFailed(outcome),
            (None, Some(one)) if one.start.0 < from => Cause::RefreshFailed(Outcome::Pending),
            (Some((_, outcome)), _) => Cause::NoRefreshThen(outcome),
            _ => Cause::NoRefresh,
        }
    }

    /// Tells when the next REGISTER is overdue, where somebody said when to expect it.
    fn expect(&mut self, ledger: &Ledger, light: Light<'_>, look: &mut Look) {
        let policy = &ledger.policy;
        let Some((tail, expect)) = self.tail.zip(policy.expect) else { return };
        if self.is_overdue || ledger.bindings.is_planned() {
            return;
        }
        let expected = match expect {
            Expect::Interval(nanos) => nanos,
            Expect::Share(share) => {
                let Some(life) = tail.life else { return };
                (f64::from(life) * share * SECOND as f64) as i64
            }
        };
        let last = tail.start;
        let allowed = (expected as f64 * (1.0 + policy.tolerance.over)) as i64;
        // While a binding lives, one may be missing: it may just be late.
        let twice = last.plus(expected.saturating_mul(2)).0;
        let reach = ledger.bindings.reach().unwrap_or(i64::MIN);
        let due = last.plus(allowed.max(1)).0.max(twice.min(reach)).saturating_add(1);
        if light.now < due {
            sooner(&mut look.due, due);
        } else if !light.is_blind(Some(last), light.now) {
            self.is_overdue = true;
            look.turns.push((Timestamp(due), Turn::Overdue { last, expected }));
        }
    }

    /// What was told of it and holds until it recovers: a lapse, that it is overdue, a failure.
    pub(super) const fn alarms(&self) -> [bool; 3] {
        [self.lapsed.is_some(), self.is_overdue, self.is_failing]
    }

    /// Packets were lost: what was told of what is missing holds no more.
    pub(super) fn blind(&mut self) {
        if self.state != State::Lapsed {
            return;
        }
        self.state = State::Unknown;
    }
}

/// Brings a time forward to `other`.
pub(super) fn sooner(one: &mut Option<i64>, other: i64) {
    *one = Some(one.map_or(other, |one| one.min(other)));
}
