//! All of a device was seen: its intervals, its time with and without a binding, why it did what.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::attempt::{Kind, Outcome, Record, Trigger};
use super::builder::Builder;
use super::device::{Device, Series};
use super::keepalive::Keepalives;
use super::series::{Stats, Stretch, joined, length, without};
use super::step::Step;
use super::window::{Cause, Lapse};
use crate::model::vantage::Pings;
use crate::net::Endpoint;
use crate::time::{SECOND, Timestamp};

impl Builder<'_> {
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
