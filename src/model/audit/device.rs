//! One device at one registrar: its attempts in order, its bindings, its numbers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use super::attempt::{
    Asked, Attempt, GrantSource, Kind, Outcome, Record, Trigger, credentials, expiry,
};
use super::bindings::Bindings;
use super::date::{self, DateForm};
use super::identity;
use super::keepalive::{self, Keepalives};
use super::policy::{Expect, Policy};
use super::series::{Stats, Stretch, joined, length, without};
use super::step::Step;
use crate::model::vantage::{ConnectionEnd, Pings};
use crate::net::Endpoint;
use crate::sip::{Contact, HeaderName, Message};
use crate::time::{SECOND, Timestamp};
use crate::transport::Transport;

/// A REGISTER this soon after a success in the same Call-ID only updates contacts, nanoseconds.
const FOLLOW_UP: i64 = 2 * SECOND;

/// The window an audit looks at.
#[derive(Clone, Debug, Default)]
pub struct Window {
    /// First packet of the input, any traffic.
    pub from: Timestamp,
    /// Last packet.
    pub until: Timestamp,
    /// Stretches in which nothing was captured, sorted.
    pub gaps: Vec<Stretch>,
    /// The input holds no responses at all.
    pub one_sided: bool,
    /// The unit of its times, nanoseconds.
    pub resolution: i64,
}

impl Window {
    /// Its length, nanoseconds.
    pub const fn length(&self) -> i64 {
        self.until.since(self.from)
    }

    fn crosses_gap(&self, a: Timestamp, b: Timestamp) -> bool {
        self.gaps.iter().any(|(from, until)| a.0 < *until && b.0 > *from)
    }
}

/// A stretch in which a device should have had a binding and had none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lapse {
    /// Begin.
    pub from: Timestamp,
    /// End; `None` while it lasts.
    pub until: Option<Timestamp>,
    /// How long, to the end of the window while it lasts, nanoseconds.
    pub length: i64,
    /// Why.
    pub cause: Cause,
}

/// Why a binding lapsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The connection that carried it ended.
    ConnectionLost,
    /// Nobody tried to refresh it.
    NoRefresh,
    /// A try before its end failed.
    RefreshFailed(Outcome),
    /// Nobody tried before its end; a later try failed.
    NoRefreshThen(Outcome),
}

impl Cause {
    /// The stable words: `no-refresh`, `refresh-failed:timeout`, …
    pub fn word(self) -> String {
        match self {
            Self::ConnectionLost => "connection-lost".into(),
            Self::NoRefresh => "no-refresh".into(),
            Self::RefreshFailed(outcome) => format!("refresh-failed:{}", outcome.word()),
            Self::NoRefreshThen(outcome) => format!("no-refresh,then:{}", outcome.word()),
        }
    }
}

/// Everything that is known of one device at one registrar. Durations in seconds where they are
/// floats, in nanoseconds where they are integers.
#[derive(Clone, Debug)]
pub struct Device {
    /// What it is judged by.
    pub policy: Arc<Policy>,
    /// What the operator calls it.
    pub name: Option<String>,
    /// It is no device but someone who tries addresses: how many of them.
    pub probed: Option<usize>,
    /// GB identifier, or user@host.
    pub device: String,
    /// GB identifier, or host.
    pub registrar: String,
    /// All attempts, contact updates and deregistrations among them.
    pub records: Vec<Record>,
    /// Start to start of attempts that register.
    pub attempt_interval: Option<Stats>,
    /// The same by source address, when there are several.
    pub attempt_interval_by_source: Vec<(IpAddr, Option<Stats>)>,
    /// Start to start of successes, where the second found a live binding.
    pub refresh_interval: Option<Stats>,
    /// Start to start where the first did not succeed.
    pub retry_interval: Option<Stats>,
    /// Share of the granted life that had passed at the refresh.
    pub refresh_ratio: Option<Stats>,
    /// Life left at the refresh; negative after a lapse.
    pub margin: Option<Stats>,
    /// First 2xx: before it nothing is known.
    pub evidence: Option<Timestamp>,
    /// Time with a live binding, of the known.
    pub live: i64,
    /// Known time without, planned absence left out.
    pub lapsed: i64,
    /// Deliberate absence.
    pub planned_offline: i64,
    /// Time of which nothing is known.
    pub unknown: i64,
    /// Stretches with a live binding.
    pub live_stretches: Vec<Stretch>,
    /// Lapses longer than the grace.
    pub lapses: Vec<Lapse>,
    /// First transmission to final response of successes, milliseconds.
    pub delay_ms: Option<Stats>,
    /// CSeq not greater within a Call-ID.
    pub cseq_regressions: u32,
    /// Distinct connections or source addresses over attempts that register.
    pub flows: usize,
    /// Distinct Call-IDs over attempts that register.
    pub call_ids: usize,
    /// Distinct source addresses.
    pub source_ips: usize,
    /// Distinct source ports.
    pub source_ports: usize,
    /// Binding keys asked for.
    pub contacts: BTreeSet<String>,
    /// User-Agents.
    pub user_agents: BTreeSet<String>,
    /// Transports used.
    pub transports: BTreeSet<Transport>,
    /// Keepalives, when there are any.
    pub keepalives: Option<Keepalives>,
    /// Forms of the Date in successes.
    pub date_forms: BTreeSet<DateForm>,
    /// Date minus capture time of successes, seconds.
    pub date_skew: Option<Stats>,
    /// Since the last attempt that registers, to the end of the window.
    pub last_attempt_age: Option<i64>,
    /// When its TCP connections ended, in order.
    pub connection_ends: Vec<ConnectionEnd>,
    /// 2xx whose REGISTER was not captured, which proved bindings.
    pub orphans: u32,
    /// CRLFs and other keep-alives without content from the addresses it registered from.
    pub pings: u64,
    /// Deliberate absences; no end while they last.
    pub planned: Vec<(i64, Option<i64>)>,
    /// What the numbers of intervals are made of.
    pub series: Series,
}

impl Device {
    /// Attempts that register, contact updates left out: those that form intervals.
    pub fn attempts(&self) -> impl Iterator<Item = &Record> + Clone {
        self.records.iter().filter(|r| r.kind.registers() && !r.follow_up)
    }

    /// How many attempts came out so that `test` holds.
    pub fn count(&self, test: impl Fn(Outcome) -> bool) -> usize {
        self.attempts().filter(|r| test(r.outcome)).count()
    }

    /// Ineffective attempts of 100 finished ones (RFC 6076 section 4.2).
    pub fn ineffective_percent(&self) -> Option<f64> {
        let finished = self.count(Outcome::is_finished);
        (finished > 0).then(|| 100.0 * self.count(Outcome::is_failure) as f64 / finished as f64)
    }

    /// True when the customs of GB/T 28181 apply to it.
    pub fn is_gb(&self) -> bool {
        self.policy.profile.is_gb().unwrap_or(identity::is_gb_id(&self.device))
    }

    /// Which intervals it is judged by; `None` when there are none.
    pub fn judged(&self) -> Option<(Judged, Stats)> {
        if let Some(stats) = self.refresh_interval {
            return Some((Judged::Refresh, stats));
        }
        let stats = self.attempt_interval?;
        let retries = self.series.retry.len() == self.series.attempt.len();
        Some((if retries { Judged::Retry } else { Judged::Attempt }, stats))
    }

    /// The median expiry granted, in seconds.
    pub fn granted(&self) -> Option<u32> {
        median(self.attempts().filter_map(|r| r.granted).collect())
    }

    /// The median expiry asked for, in seconds.
    pub fn requested(&self) -> Option<u32> {
        median(self.attempts().filter_map(|r| r.requested).collect())
    }

    /// The expected interval, nanoseconds; `None` without an expectation.
    pub fn expected(&self) -> Option<i64> {
        match self.policy.expect? {
            Expect::Interval(nanos) => Some(nanos),
            Expect::Share(share) => {
                let life = self.granted().or(self.requested())?;
                Some((f64::from(life) * share * SECOND as f64) as i64)
            }
        }
    }

    /// The expected interval between keepalives, nanoseconds: the policy's, else the usual one of
    /// the device, else 60 s.
    pub fn expected_keepalive(&self) -> i64 {
        let own = self.keepalives.as_ref().map(|k| k.expected);
        own.or(self.policy.keepalive).unwrap_or(keepalive::USUAL)
    }

    /// Share of the known, unplanned time with a live binding.
    pub fn coverage(&self) -> Option<f64> {
        let known = self.live + self.lapsed;
        (self.evidence.is_some() && known > 0).then(|| self.live as f64 / known as f64)
    }
}

/// Builds a [`Device`] from its transactions, fed in time order.
pub(super) struct Builder<'a> {
    policy: Arc<Policy>,
    window: &'a Window,
    bindings: Bindings,
    ends: Vec<ConnectionEnd>,
    orphans: u32,
    open: Option<Attempt<'a>>,
    records: Vec<Record>,
    /// Times at which a 2xx proved the state.
    evidence: Vec<Timestamp>,
    contacts: BTreeSet<String>,
    transports: BTreeSet<Transport>,
    highest: BTreeMap<&'a [u8], u32>,
    cseq_regressions: u32,
    skews: Vec<f64>,
    date_forms: BTreeSet<DateForm>,
}

impl<'a> Builder<'a> {
    /// `ends` are the ends of TCP connections that end bindings, in time order.
    pub(super) fn new(
        policy: Arc<Policy>,
        window: &'a Window,
        ends: Vec<ConnectionEnd>,
        is_gb: bool,
    ) -> Self {
        let counts = policy.close_ends_binding.unwrap_or(is_gb);
        let ending = ends.iter().filter(|_| counts).map(|end| (end.time.0, end.connection));
        Self {
            bindings: Bindings::new(ending.collect::<VecDeque<_>>()),
            policy,
            window,
            ends,
            orphans: 0,
            open: None,
            records: Vec::new(),
            evidence: Vec::new(),
            contacts: BTreeSet::new(),
            transports: BTreeSet::new(),
            highest: BTreeMap::new(),
            cseq_regressions: 0,
            skews: Vec::new(),
            date_forms: BTreeSet::new(),
        }
    }

    /// A 2xx whose request was not captured: proves bindings all the same.
    pub(super) fn orphan(&mut self, response: &Message) {
        let time = response.envelope.time;
        self.orphans += 1;
        for (key, seconds) in listed(response) {
            if let Some(seconds) = seconds.filter(|s| *s > 0) {
                self.bindings.grant(key, time.0, seconds, 0);
                self.evidence.push(time);
            }
        }
    }

    /// The next REGISTER transaction.
    pub(super) fn register(&mut self, step: Step<'a>) {
        self.note(&step);
        let step = match &mut self.open {
            Some(attempt) => match attempt.join(step) {
                Ok(()) => return,
                Err(step) => step,
            },
            None => step,
        };
        if let Some(done) = self.open.replace(Attempt::new(step)) {
            self.close(&done);
        }
    }

    fn note(&mut self, step: &Step<'a>) {
        self.transports.insert(step.request.envelope.transport);
        for contact in step.request.contacts() {
            if let Contact::Address(address) = contact {
                self.contacts.insert(identity::binding(&address));
            }
        }
        let (Some(call_id), Some(cseq)) = (step.request.call_id(), step.request.cseq()) else {
            return;
        };
        let highest = self.highest.entry(call_id).or_insert(0);
        if *highest > 0 && cseq.number <= *highest {
            self.cseq_regressions += 1;
        }
        *highest = (*highest).max(cseq.number);
    }

    /// An attempt is over: what it wanted, what came of it, what is bound now.
    fn close(&mut self, attempt: &Attempt<'a>) {
        let start = attempt.start();
        self.bindings.advance(start.0);
        let request = attempt.last().request;
        let asked = Asked::of(request);
        let kind = self.kind(&asked, start);
        let outcome = attempt.outcome(self.window.until, self.window.one_sided);
        let response = attempt.last().last_response();
        let granted = match (outcome, response) {
            (Outcome::Ok, Some(response)) => self.succeed(attempt, kind, &asked, response),
            _ => (None, None),
        };
        let first = attempt.steps[0].request;
        let call_id = first.call_id().unwrap_or_default();
        let follow_up = self.records.last().is_some_and(|before| {
            before.outcome == Outcome::Ok
                && *before.call_id == *call_id
                && before.end.is_some_and(|end| start.since(end) <= FOLLOW_UP)
        });
        let (challenges, stale) = attempt.challenges();
        let sum = |f: fn(&Step<'a>) -> u32| attempt.steps.iter().map(f).sum();
        self.records.push(Record {
            kind,
            outcome,
            follow_up,
            start,
            end: attempt.end(),
            requested: asked.bindings.first().and_then(|(_, expiry)| *expiry),
            granted: granted.0,
            granted_source: granted.1,
            challenges,
            stale,
            inferred: attempt.inferred,
            retransmissions: sum(|s| s.copies),
            duplicate_responses: sum(|s| s.repeated),
            hops: attempt.steps.iter().map(|s| s.hops).max().unwrap_or(1),
            source: first.envelope.from,
            target: first.envelope.to,
            connection: first.envelope.connection,
            call_id: call_id.into(),
            cseq: first.cseq().map_or(0, |cseq| cseq.number),
            user_agent: first.value(HeaderName::UserAgent).map(lossy),
            credentials: attempt.steps.iter().any(|s| credentials(s.request).is_some()),
            retry_after: response.and_then(|r| r.number(HeaderName::RetryAfter)),
            trigger: Trigger::First,
            transactions: attempt.steps.iter().map(|s| s.id).collect(),
        });
    }

    fn kind(&self, asked: &Asked, start: Timestamp) -> Kind {
        if asked.star && asked.header == Some(0) {
            return Kind::DeregisterAll;
        }
        if asked.bindings.is_empty() && !asked.star {
            return Kind::Query;
        }
        if asked.removes_all() {
            return Kind::Deregister;
        }
        let kept = || asked.bindings.iter().filter(|(_, expiry)| *expiry != Some(0));
        let last_gap = self.window.gaps.iter().map(|g| g.1).filter(|end| *end <= start.0).max();
        let known = self.evidence.iter().any(|at| last_gap.is_none_or(|end| at.0 >= end));
        if kept().any(|(key, _)| self.bindings.holds(key)) {
            Kind::Refresh
        } else if !self.bindings.is_empty() {
            Kind::Rebind
        } else if known {
            Kind::Initial
        } else {
            Kind::FirstSeen
        }
    }

    fn succeed(
        &mut self,
        attempt: &Attempt<'a>,
        kind: Kind,
        asked: &Asked,
        response: &Message,
    ) -> (Option<u32>, Option<GrantSource>) {
        let time = response.envelope.time;
        self.evidence.push(time);
        let (date, form) = date::read(response.value(HeaderName::Date), self.policy.gb_zone);
        self.date_forms.insert(form);
        self.skews.extend(date.map(|date| super::series::seconds(date.since(time))));
        if kind == Kind::DeregisterAll {
            self.bindings.close_all(time.0);
        }
        let listed = listed(response);
        let header = expiry(response.value(HeaderName::Expires));
        let connection = attempt.last().request.envelope.connection;
        let mut granted = (None, None);
        for (key, requested) in &asked.bindings {
            if *requested == Some(0) {
                self.bindings.close(key, time.0);
                continue;
            }
            let (seconds, source) = self.grant(key, *requested, asked, &listed, header);
            granted.1 = Some(source);
            if let Some(seconds) = seconds.filter(|s| *s > 0) {
                granted.0 = Some(seconds);
                self.bindings.grant(key.clone(), time.0, seconds, connection);
            }
        }
        // Bindings the 2xx lists that nobody saw being made.
        for (key, seconds) in &listed {
            let ours = asked.bindings.iter().any(|(asked, _)| asked == key);
            let rewritten = granted.1 == Some(GrantSource::ContactRewritten);
            if let Some(seconds) = seconds.filter(|s| *s > 0 && !ours && !rewritten)
                && !self.bindings.holds(key)
            {
                self.bindings.grant(key.clone(), time.0, seconds, 0);
            }
        }
        self.bindings.plan(matches!(kind, Kind::Deregister | Kind::DeregisterAll), time.0);
        granted
    }

    fn grant(
        &self,
        key: &str,
        requested: Option<u32>,
        asked: &Asked,
        listed: &[(String, Option<u32>)],
        header: Option<u32>,
    ) -> (Option<u32>, GrantSource) {
        let own = listed.iter().find(|(known, _)| known == key);
        if let Some((_, Some(seconds))) = own {
            return (Some(*seconds), GrantSource::Contact);
        }
        let single = asked.bindings.len() == 1 && listed.len() == 1;
        match listed {
            [(_, Some(seconds))] if own.is_none() && single => {
                return (Some(*seconds), GrantSource::ContactRewritten);
            }
            [_, ..] if own.is_none() && !single => return (None, GrantSource::NotBound),
            _ => {}
        }
        match (header, requested) {
            (Some(seconds), _) => (Some(seconds), GrantSource::ExpiresHeader),
            (None, Some(seconds)) => (Some(seconds), GrantSource::AssumedRequested),
            (None, None) => (Some(self.policy.default_expiry), GrantSource::AssumedDefault),
        }
    }

    /// All was fed: the numbers.
    pub(super) fn finish(
        mut self,
        device: String,
        registrar: String,
        keepalives: &[Step<'_>],
        pings: &BTreeMap<Endpoint, Pings>,
    ) -> Device {
        if let Some(attempt) = self.open.take() {
            self.close(&attempt);
        }
        let end = self.window.until;
        self.bindings.advance(end.0);
        self.bindings.close_all(end.0);
        let mut records = std::mem::take(&mut self.records);
        self.explain(&mut records, keepalives);
        let all: Vec<&Record> =
            records.iter().filter(|r| r.kind.registers() && !r.follow_up).collect();
        let seen = Seen::of(&all, &records);
        let time = self.time();
        let lapses = self.lapses(&time, &records, &all);
        let series = self.series(&all);
        let homes: Vec<_> = records.iter().map(|r| (r.start, r.source)).collect();
        let (gaps, one_sided) = (&self.window.gaps, self.window.one_sided);
        let keepalives = Keepalives::of(keepalives, &homes, &self.policy, gaps, end, one_sided);
        let user_agents = records.iter().filter_map(|r| r.user_agent.clone()).collect();
        let homes: BTreeSet<Endpoint> = records.iter().map(|r| r.source).collect();
        let pings = homes.iter().filter_map(|home| pings.get(home)).map(|p| p.count).sum();
        Device {
            policy: self.policy,
            name: None,
            probed: None,
            device,
            registrar,
            attempt_interval: Stats::of_nanos(&series.attempt),
            attempt_interval_by_source: seen.by_source,
            refresh_interval: Stats::of_nanos(&series.refresh),
            retry_interval: Stats::of_nanos(&series.retry),
            refresh_ratio: Stats::of(&series.ratio),
            margin: Stats::of_nanos(&series.margin),
            evidence: time.evidence,
            live: time.live,
            lapsed: time.known - time.live,
            planned_offline: time.planned,
            unknown: time.unknown,
            live_stretches: time.stretches,
            lapses,
            delay_ms: Stats::of(&series.delay),
            cseq_regressions: self.cseq_regressions,
            flows: seen.flows,
            call_ids: seen.call_ids,
            source_ips: seen.ips,
            source_ports: seen.ports,
            contacts: self.contacts,
            user_agents,
            transports: self.transports,
            keepalives,
            date_forms: self.date_forms,
            date_skew: Stats::of(&self.skews),
            last_attempt_age: all.last().map(|r| end.since(r.start)),
            connection_ends: self.ends,
            orphans: self.orphans,
            pings,
            planned: self.bindings.planned,
            series,
            records,
        }
    }

    /// Concludes why each attempt was made.
    fn explain(&self, records: &mut [Record], keepalives: &[Step<'_>]) {
        let mut before: Option<Record> = None;
        for record in records.iter_mut().filter(|r| r.kind.registers() && !r.follow_up) {
            if let Some(last) = before.replace(record.clone()) {
                record.trigger = self.trigger(&last, record, keepalives);
            }
        }
    }

    fn trigger(&self, last: &Record, record: &Record, keepalives: &[Step<'_>]) -> Trigger {
        let (Outcome::Ok, Some(end)) = (last.outcome, last.end) else {
            return match last.outcome {
                Outcome::Unseen | Outcome::Pending => Trigger::RetryPerhaps,
                Outcome::Redirected => Trigger::First,
                _ => Trigger::Retry,
            };
        };
        let between = |time: Timestamp| (end..=record.start).contains(&time);
        if self.ends.iter().any(|e| e.connection == last.connection && between(e.time)) {
            return Trigger::ConnectionLost;
        }
        let place = keepalives.partition_point(|step| step.first() < record.start);
        let beat = place.checked_sub(1).and_then(|at| keepalives.get(at));
        if beat.is_some_and(|s| between(s.first()) && s.last_response().is_none())
            && !self.window.one_sided
        {
            return Trigger::KeepaliveFailed;
        }
        let life = i64::from(last.granted.unwrap_or(0)) * SECOND;
        if 0 < life && 2 * life <= 5 * record.start.since(end) {
            return Trigger::Expiry;
        }
        if record.kind == Kind::Rebind { Trigger::ContactChange } else { Trigger::Early }
    }

    /// Which time is known, live, planned.
    fn time(&self) -> Known {
        let (start, end) = (self.window.from.0, self.window.until.0);
        let gaps = &self.window.gaps;
        let stretches = joined(self.bindings.live.clone());
        let planned: Vec<Stretch> = self
            .bindings
            .planned
            .iter()
            .map(|(from, until)| (*from, until.unwrap_or(end)))
            .collect();
        let evidence = self.evidence.iter().min().copied();
        // After a gap nothing is known until the next proof, except while a binding lasts.
        let mut after_gap = Vec::new();
        for (_, until) in gaps {
            let proof = self.evidence.iter().map(|t| t.0).filter(|t| t >= until).min();
            let blind = (*until, proof.unwrap_or(end));
            if blind.0 < blind.1 {
                after_gap.extend(without(&[blind], &stretches));
            }
        }
        let after_gap = joined(after_gap);
        let cut = |from: &[Stretch]| without(&without(&without(from, &planned), gaps), &after_gap);
        let known = evidence.map_or_else(Vec::new, |at| cut(&[(at.0, end)]));
        let live = cut(&stretches);
        let before = evidence.map_or(end, |at| at.0);
        let gaps_before: i64 = gaps
            .iter()
            .filter(|(from, _)| *from < before)
            .map(|(from, until)| until.min(&before) - from)
            .sum();
        let blind = if evidence.is_some() { length(&after_gap) } else { 0 };
        Known {
            evidence,
            live: if evidence.is_some() { length(&live) } else { 0 },
            known: length(&known),
            planned: planned.iter().map(|(from, until)| until - from.max(&start)).sum(),
            unknown: before - start - gaps_before + blind,
            lapses: without(&known, &stretches),
            stretches,
        }
    }

    fn lapses(&self, time: &Known, records: &[Record], all: &[&Record]) -> Vec<Lapse> {
        let end = self.window.until.0;
        let long = |s: &&Stretch| s.1 - s.0 > self.policy.lapse_grace;
        let lapse = |&(from, until): &Stretch| {
            // Attempts from the last grant before the lapse until its end.
            let granted = records
                .iter()
                .filter(|r| r.outcome == Outcome::Ok)
                .filter_map(|r| r.end)
                .filter(|t| t.0 <= from)
                .max();
            let failed = |r: &&&Record| {
                granted.is_some_and(|t| t <= r.start)
                    && r.start.0 <= until
                    && !matches!(r.outcome, Outcome::Ok | Outcome::Pending)
            };
            let early = all.iter().filter(failed).find(|r| r.start.0 < from);
            let any = all.iter().find(failed);
            let cause = if self.bindings.lost.contains(&from) {
                Cause::ConnectionLost
            } else if let Some(record) = early {
                Cause::RefreshFailed(record.outcome)
            } else {
                any.map_or(Cause::NoRefresh, |record| Cause::NoRefreshThen(record.outcome))
            };
            let open = until >= end;
            Lapse {
                from: Timestamp(from),
                until: (!open).then_some(Timestamp(until)),
                length: until - from,
                cause,
            }
        };
        time.lapses.iter().filter(long).map(lapse).collect()
    }

    fn series(&self, all: &[&Record]) -> Series {
        let mut series = Series::default();
        for two in all.windows(2) {
            if self.window.crosses_gap(two[0].start, two[1].start) {
                continue;
            }
            let interval = two[1].start.since(two[0].start);
            series.attempt.push(interval);
            if two[0].outcome != Outcome::Ok {
                series.retry.push(interval);
            }
        }
        let ok: Vec<&&Record> = all.iter().filter(|r| r.outcome == Outcome::Ok).collect();
        for two in ok.windows(2) {
            let (a, b) = (two[0], two[1]);
            if self.window.crosses_gap(a.start, b.start) {
                continue;
            }
            if matches!(b.kind, Kind::Refresh | Kind::Rebind) {
                series.refresh.push(b.start.since(a.start));
            }
            let (Some(end), Some(granted)) = (a.end, a.granted) else { continue };
            let between = |at: i64| (end.0..=b.start.0).contains(&at);
            let lost = self.bindings.lost.iter().any(|at| between(*at));
            let planned = self.bindings.planned.iter().any(|(from, _)| between(*from));
            if !lost && !planned {
                let life = i64::from(granted) * SECOND;
                series.ratio.push(b.start.since(end) as f64 / life as f64);
                series.margin.push(end.plus(life).since(b.start));
            }
        }
        series.delay = ok.iter().filter_map(|record| record.delay_ms()).collect();
        series
    }
}

/// Stretches of time by what is known of them, nanoseconds.
struct Known {
    evidence: Option<Timestamp>,
    live: i64,
    known: i64,
    planned: i64,
    unknown: i64,
    lapses: Vec<Stretch>,
    stretches: Vec<Stretch>,
}

/// Series of intervals, nanoseconds; ratios as shares, delays in milliseconds.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// Start to start of attempts.
    pub attempt: Vec<i64>,
    /// Start to start of successes, where the second found a live binding.
    pub refresh: Vec<i64>,
    /// Start to start where the first did not succeed.
    pub retry: Vec<i64>,
    /// Share of the granted life that had passed.
    pub ratio: Vec<f64>,
    /// Life left.
    pub margin: Vec<i64>,
    /// First transmission to response of successes.
    pub delay: Vec<f64>,
}

/// The intervals a device is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// Those between refreshes.
    Refresh,
    /// There is no refresh: those between attempts.
    Attempt,
    /// There is no refresh, and no attempt succeeded as far as one can tell.
    Retry,
}

impl Judged {
    /// The stable word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Refresh => "refresh",
            Self::Attempt => "attempt",
            Self::Retry => "retry",
        }
    }
}

/// How many different addresses, connections and Call-IDs were used.
struct Seen {
    flows: usize,
    call_ids: usize,
    ips: usize,
    ports: usize,
    by_source: Vec<(IpAddr, Option<Stats>)>,
}

impl Seen {
    fn of(all: &[&Record], records: &[Record]) -> Self {
        let flow = |r: &&Record| if r.connection == 0 { Ok(r.source) } else { Err(r.connection) };
        let flows: BTreeSet<Result<Endpoint, u32>> = all.iter().map(flow).collect();
        let call_ids: BTreeSet<&[u8]> = all.iter().map(|r| &*r.call_id).collect();
        let ips: BTreeSet<IpAddr> = records.iter().map(|r| r.source.ip).collect();
        let ports: BTreeSet<u16> = records.iter().map(|r| r.source.port).collect();
        let mut times: BTreeMap<IpAddr, Vec<Timestamp>> = BTreeMap::new();
        for record in all {
            times.entry(record.source.ip).or_default().push(record.start);
        }
        let intervals = |times: Vec<Timestamp>| {
            let gaps: Vec<i64> = times.windows(2).map(|two| two[1].since(two[0])).collect();
            Stats::of_nanos(&gaps)
        };
        let several = times.len() > 1;
        let by_source = times.into_iter().filter(|_| several).map(|(ip, t)| (ip, intervals(t)));
        Self {
            flows: flows.len(),
            call_ids: call_ids.len(),
            ips: ips.len(),
            ports: ports.len(),
            by_source: by_source.collect(),
        }
    }
}

/// Bindings a 2xx lists, with the expiry of each.
fn listed(response: &Message) -> Vec<(String, Option<u32>)> {
    response
        .contacts()
        .filter_map(|contact| match contact {
            Contact::Star => None,
            Contact::Address(address) => {
                Some((identity::binding(&address), expiry(address.params.value("expires"))))
            }
        })
        .collect()
}

fn median(mut values: Vec<u32>) -> Option<u32> {
    values.sort_unstable();
    values.get(values.len().saturating_sub(1) / 2).copied()
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
