//! One device at one registrar while it is watched: REGISTERs become attempts, attempts change
//! bindings. Holds few octets for each attempt, and no message.

use std::sync::Arc;

use smallvec::SmallVec;

use super::arena::Arena;
use super::attempt::{Attempt, GrantSource, Kind, Standing};
use super::bindings::Bindings;
use super::closed::Closed;
use super::date;
use super::log::{Entry, Log};
use super::policy::Policy;
use super::record::{CallId, Shape};
use super::shapes::Stores;
use super::step::{Answered, Orphan, Step};
use super::transports::Transports;
use crate::model::vantage::ConnectionEnd;
use crate::time::{SECOND, Timestamp};

/// A REGISTER this soon after a success in the same Call-ID only updates contacts, nanoseconds.
const FOLLOW_UP: i64 = 2 * SECOND;
/// Call-IDs of which the highest CSeq is remembered.
const CALLS: usize = 2;

/// What is known of one device at one registrar so far.
#[derive(Clone, Debug)]
pub(super) struct Ledger {
    pub(super) policy: Arc<Policy>,
    /// Its place among the devices.
    pub(super) device: u32,
    /// Its place among the registrars.
    pub(super) registrar: u32,
    pub(super) bindings: Bindings,
    pub(super) log: Log,
    open: Option<Box<Attempt>>,
    /// The last success, for contact updates: its Call-ID and when it was answered.
    last_ok: Option<(u32, Timestamp)>,
    pub(super) transports: Transports,
    /// The highest CSeq of the latest Call-IDs.
    highest: SmallVec<[(u32, u32); CALLS]>,
    pub(super) cseq_regressions: u32,
    /// What few devices have.
    rare: Option<Box<Rare>>,
    /// The end of a connection ends its bindings.
    connections_count: bool,
    /// Texts of Call-IDs are wanted.
    whole: bool,
    /// It is no device but someone who tries addresses: how many of them.
    pub(super) probed: Option<u32>,
}

/// What was seen of few devices.
#[derive(Clone, Debug, Default)]
struct Rare {
    /// Times of 2xx whose REGISTER was not captured.
    orphans: Vec<Timestamp>,
    /// Ends of its connections, in order.
    ends: Vec<ConnectionEnd>,
}

impl Ledger {
    pub(super) fn new(
        policy: Arc<Policy>,
        (device, registrar): (u32, u32),
        is_gb: bool,
        whole: bool,
    ) -> Self {
        Self {
            connections_count: policy.close_ends_binding.unwrap_or(is_gb),
            policy,
            device,
            registrar,
            bindings: Bindings::default(),
            log: Log::default(),
            open: None,
            last_ok: None,
            transports: Transports::default(),
            highest: SmallVec::new(),
            cseq_regressions: 0,
            rare: None,
            whole,
            probed: None,
        }
    }

    /// The attempt that is open, as if nothing more came of it.
    pub(super) fn open(&self) -> Option<Closed> {
        let attempt = self.open.as_ref()?;
        let kind = attempt.last().asked.kind(attempt.standing);
        Some(Closed::of(attempt, kind, self.is_follow_up(attempt), None))
    }

    /// Forgets all but the latest `keep` attempts, and what was over before them; how many.
    pub(super) fn shed(&mut self, keep: usize, arena: &mut Arena) -> usize {
        let (gone, Some(first)) = self.log.shed(keep, arena) else { return 0 };
        self.bindings.shed(first.0);
        if let Some(rare) = &mut self.rare {
            rare.ends.retain(|end| first <= end.time);
            rare.orphans.retain(|time| first <= *time);
        }
        gone
    }

    /// Forgets of the past what the present does not need.
    pub(super) fn trim(&mut self) {
        self.bindings.trim();
        if let Some(rare) = &mut self.rare {
            rare.ends.clear();
            rare.orphans.drain(..rare.orphans.len().saturating_sub(1));
        }
    }

    /// Octets of private memory it holds.
    pub(super) fn heap_size(&self) -> usize {
        self.log.heap_size()
            + self.bindings.heap_size()
            + self.open.as_ref().map_or(0, |attempt| attempt.heap_size())
            + self.rare.as_ref().map_or(0, |rare| {
                size_of::<Rare>()
                    + rare.ends.capacity() * size_of::<ConnectionEnd>()
                    + rare.orphans.capacity() * size_of::<Timestamp>()
            })
    }

    /// Ends of its connections, in order.
    pub(super) fn ends(&self) -> &[ConnectionEnd] {
        self.rare.as_ref().map(|rare| &*rare.ends).unwrap_or_default()
    }

    /// Times of 2xx whose REGISTER was not captured.
    pub(super) fn orphans(&self) -> &[Timestamp] {
        self.rare.as_ref().map(|rare| &*rare.orphans).unwrap_or_default()
    }

    /// A 2xx whose request was not captured: proves bindings all the same.
    pub(super) fn orphan(&mut self, orphan: &Orphan, stores: &mut Stores) {
        let listed = orphan.listed.iter();
        let live = listed.filter_map(|(key, seconds)| Some((key, seconds.filter(|s| 0 < *s)?)));
        // One that lists none, as those of many platforms, does not say that none is left.
        if live.clone().next().is_some() {
            self.rare.get_or_insert_default().orphans.push(orphan.time);
        }
        for (key, seconds) in live {
            self.bind(key, orphan.time.0, seconds, 0, stores);
        }
    }

    /// A connection it used ended.
    pub(super) fn end(&mut self, end: ConnectionEnd) {
        if self.connections_count {
            self.bindings.lose(end.connection, end.time.0);
        }
        self.rare.get_or_insert_default().ends.push(end);
    }

    /// The next REGISTER transaction.
    pub(super) fn register(&mut self, step: Arc<Step>, stores: &mut Stores) {
        self.note(&step, stores);
        let step = match &mut self.open {
            Some(attempt) => attempt.join(step).err(),
            None => Some(step),
        };
        if let Some(step) = step {
            self.close(stores);
            self.bindings.advance(step.time.0);
            let mut kept = step.asked.bindings.iter().filter(|(_, expiry)| *expiry != Some(0));
            let standing = if kept.any(|(key, _)| self.bindings.holds(key)) {
                Standing::Own
            } else if self.bindings.is_empty() {
                Standing::Nothing
            } else {
                Standing::Other
            };
            self.open = Some(Box::new(Attempt::new(step, standing)));
        }
        if self.open.as_ref().is_some_and(|attempt| attempt.is_over()) {
            self.close(stores);
        }
    }

    /// Closes the attempt that is still open, if any.
    pub(super) fn close(&mut self, stores: &mut Stores) {
        let Some(attempt) = self.open.take() else { return };
        let follow_up = self.is_follow_up(&attempt);
        let (first, last) = (attempt.first(), attempt.last());
        let kind = last.asked.kind(attempt.standing);
        let success = last.answer.as_ref().filter(|answer| (200..300).contains(&answer.status));
        let granted =
            success.map_or((None, None), |answer| self.succeed(&attempt, kind, answer, stores));
        let call_id = CallId::of(&first.call_id, self.whole);
        self.last_ok = success.map(|answer| (call_id.key, answer.time));
        if let Some(closed) = &mut stores.closed {
            closed.push(Closed::of(&attempt, kind, follow_up, granted.0));
            return;
        }
        let date = success.map(|answer| date::read(answer.date.as_deref(), self.policy.gb_zone));
        let skew = success.zip(date).and_then(|(a, (date, _))| Some(date?.since(a.time)));
        let mut shape = shape(&attempt, granted);
        shape.date = date.map(|(_, form)| form);
        let sum = |of: fn(&Step) -> u32| attempt.steps.iter().map(|step| of(step)).sum();
        let shape = stores.shapes.place(shape);
        let entry = Entry {
            kind,
            follow_up,
            start: first.time,
            end: last.answer.as_ref().map(|answer| answer.time),
            last: last.time,
            frame: first.frame,
            response_frame: last.answer.as_ref().map(|answer| answer.frame),
            source: first.source,
            connection: first.connection,
            call_id,
            cseq: first.cseq.unwrap_or(0),
            retransmissions: sum(|step| step.copies),
            duplicate_responses: sum(|step| step.repeated),
            date_skew: skew,
            shape,
        };
        self.log.push(&entry, &mut stores.arena);
    }

    fn is_follow_up(&self, attempt: &Attempt) -> bool {
        let first = attempt.first();
        self.last_ok.is_some_and(|(call, end)| {
            first.time.since(end) <= FOLLOW_UP && call == CallId::of(&first.call_id, false).key
        })
    }

    fn note(&mut self, step: &Step, stores: &mut Stores) {
        self.transports.insert(step.transport);
        for (key, _) in &step.asked.bindings {
            self.bindings.ask(key, stores.room);
        }
        if step.asked.cut || step.answer.as_ref().is_some_and(|answer| answer.cut) {
            stores.tally.lose("let-go-bindings");
        }
        let Some(cseq) = step.cseq.filter(|_| !step.call_id.is_empty()) else { return };
        let call = CallId::of(&step.call_id, false).key;
        if let Some((_, highest)) = self.highest.iter_mut().find(|(known, _)| *known == call) {
            if *highest > 0 && cseq <= *highest {
                self.cseq_regressions += 1;
            }
            *highest = (*highest).max(cseq);
            return;
        }
        if self.highest.len() == CALLS {
            self.highest.remove(0);
        }
        self.highest.push((call, cseq));
    }

    fn succeed(
        &mut self,
        attempt: &Attempt,
        kind: Kind,
        answer: &Answered,
        stores: &mut Stores,
    ) -> (Option<u32>, Option<GrantSource>) {
        let time = answer.time.0;
        let asked = &attempt.last().asked;
        let connection = attempt.last().connection;
        if kind == Kind::DeregisterAll {
            self.bindings.close_all(time);
        }
        let mut granted = (None, None);
        for (key, requested) in &asked.bindings {
            if *requested == Some(0) {
                self.bindings.close(key, time);
                continue;
            }
            let (seconds, source) = self.grant(key, *requested, asked.bindings.len(), answer);
            granted.1 = Some(source);
            if let Some(seconds) = seconds.filter(|s| *s > 0) {
                granted.0 = Some(seconds);
                self.bind(key, time, seconds, connection, stores);
            }
        }
        // Bindings the 2xx lists that nobody saw being made.
        for (key, seconds) in &answer.listed {
            let ours = asked.bindings.iter().any(|(asked, _)| asked == key);
            let rewritten = granted.1 == Some(GrantSource::ContactRewritten);
            if let Some(seconds) = seconds.filter(|s| *s > 0 && !ours && !rewritten)
                && !self.bindings.holds(key)
            {
                self.bind(key, time, seconds, 0, stores);
            }
        }
        self.bindings.plan(matches!(kind, Kind::Deregister | Kind::DeregisterAll), time);
        granted
    }

    /// Makes or renews a binding.
    fn bind(&mut self, key: &str, at: i64, seconds: u32, connection: u32, stores: &mut Stores) {
        if !self.bindings.grant(key, at, seconds, connection, stores.room) {
            stores.tally.lose("let-go-bindings");
        }
    }

    fn grant(
        &self,
        key: &str,
        requested: Option<u32>,
        asked: usize,
        answer: &Answered,
    ) -> (Option<u32>, GrantSource) {
        let own = answer.listed.iter().find(|(known, _)| known == key);
        if let Some((_, Some(seconds))) = own {
            return (Some(*seconds), GrantSource::Contact);
        }
        let single = asked == 1 && answer.listed.len() == 1;
        match answer.listed.as_slice() {
            [(_, Some(seconds))] if own.is_none() && single => {
                return (Some(*seconds), GrantSource::ContactRewritten);
            }
            [_, ..] if own.is_none() && !single => return (None, GrantSource::NotBound),
            _ => {}
        }
        match (answer.expires, requested) {
            (Some(seconds), _) => (Some(seconds), GrantSource::ExpiresHeader),
            (None, Some(seconds)) => (Some(seconds), GrantSource::AssumedRequested),
            (None, None) => (Some(self.policy.default_expiry), GrantSource::AssumedDefault),
        }
    }
}

/// What `attempt` has in common with others.
fn shape(attempt: &Attempt, granted: (Option<u32>, Option<GrantSource>)) -> Shape {
    let (first, last) = (attempt.first(), attempt.last());
    let (challenges, stale) = attempt.challenges();
    let answer = last.answer.as_ref();
    let sum = |of: fn(&Step) -> u32| attempt.steps.iter().map(|step| of(step)).sum();
    let status = last.status();
    let received = attempt.steps.iter().filter_map(|step| step.received);
    Shape {
        status,
        answers_challenge: last.credentials.is_some(),
        credentials: attempt.steps.iter().any(|step| step.credentials.is_some()),
        requested: last.asked.bindings.first().and_then(|(_, expiry)| *expiry),
        granted: granted.0,
        granted_source: granted.1,
        challenges,
        stale,
        inferred: attempt.inferred,
        bare: sum(|step| step.bare),
        requests: attempt.steps.len() as u32,
        hops: attempt.steps.iter().map(|step| step.hops).max().unwrap_or(1),
        target: first.target,
        transport: first.transport,
        user_agent: first.user_agent.clone(),
        retry_after: answer.and_then(|answer| answer.retry_after),
        date: None,
        goal: answer.and_then(|answer| answer.goal.clone()),
        odd_domain: first.odd_domain.clone(),
        versioned: first.versioned,
        unreachable: last.unreachable.clone(),
        received: received.reduce(|(ip, n), (_, more)| (ip, n + more)),
        rport_missing: sum(|step| step.rport_missing),
        conflict: answer
            .filter(|answer| (200..300).contains(&answer.status))
            .and_then(|answer| answer.conflict),
    }
}

impl Ledger {
    /// A row like this, with the attempts of `log` alone.
    pub(super) fn part(&self, log: Log) -> Self {
        let ids = (self.device, self.registrar);
        let mut part = Self::new(Arc::clone(&self.policy), ids, false, false);
        part.log = log;
        part.transports = self.transports;
        part.cseq_regressions = self.cseq_regressions;
        part.rare.clone_from(&self.rare);
        part
    }

    /// Takes in what another row has.
    pub(super) fn absorb(&mut self, other: Self, arena: &mut Arena) {
        for entry in other.log.entries(arena) {
            self.log.push(&entry, arena);
        }
        self.transports.join(other.transports);
        self.cseq_regressions += other.cseq_regressions;
        if let Some(rare) = other.rare {
            self.rare.get_or_insert_default().ends.extend(rare.ends);
        }
    }
}
