//! A device in the making: its transactions become attempts, its attempts change bindings.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::attempt::{
    Asked, Attempt, GrantSource, Kind, Outcome, Record, Trigger, credentials, expiry,
};
use super::bindings::Bindings;
use super::date::{self, DateForm};
use super::identity;
use super::policy::Policy;
use super::step::Step;
use super::window::Window;
use crate::model::vantage::ConnectionEnd;
use crate::sip::{Contact, HeaderName, Message};
use crate::time::{SECOND, Timestamp};
use crate::transport::Transport;

/// A REGISTER this soon after a success in the same Call-ID only updates contacts, nanoseconds.
const FOLLOW_UP: i64 = 2 * SECOND;

/// Builds a [`Device`] from its transactions, fed in time order.
pub(super) struct Builder<'a> {
    pub(super) policy: Arc<Policy>,
    pub(super) window: &'a Window,
    pub(super) bindings: Bindings,
    pub(super) ends: Vec<ConnectionEnd>,
    pub(super) orphans: u32,
    pub(super) open: Option<Attempt<'a>>,
    pub(super) records: Vec<Record>,
    /// Times at which a 2xx proved the state.
    pub(super) evidence: Vec<Timestamp>,
    pub(super) contacts: BTreeSet<String>,
    pub(super) transports: BTreeSet<Transport>,
    pub(super) highest: BTreeMap<&'a [u8], u32>,
    pub(super) cseq_regressions: u32,
    pub(super) skews: Vec<f64>,
    pub(super) date_forms: BTreeSet<DateForm>,
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
    pub(super) fn close(&mut self, attempt: &Attempt<'a>) {
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

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
