//! All of a device was seen: its intervals, its time with and without a binding, why it did what.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::Audit;
use super::arena::Arena;
use super::attempt::{Kind, Outcome};
use super::date::DateForm;
use super::device::{Device, Series};
use super::keepalive::Keepalives;
use super::ledger::Ledger;
use super::record::{Record, Shape, Trigger};
use super::series::{Stats, Stretch, joined, length, seconds, without};
use super::window::{Cause, Lapse, Window};
use crate::net::Endpoint;
use crate::time::{SECOND, Timestamp};

impl Audit {
    /// All that `row` says of its device.
    pub(super) fn work_out(&self, row: &Ledger) -> Device {
        let window = &self.window;
        let subject = self.subjects.get(row.device as usize);
        let beats = subject.and_then(|subject| subject.beats.as_ref());
        let told = subject.and_then(|subject| subject.told.as_ref());
        let heartbeat = told.and_then(|told| told.heartbeat());
        let keepalives =
            beats.and_then(|beats| Keepalives::of(beats, &row.policy, heartbeat, window));
        let mut case = Case::of(row, window, &self.shapes, &self.arena);
        case.explain(keepalives.as_ref());
        let all: Vec<&Record> = case.attempts().collect();
        let seen = Seen::of(&all, &case.records);
        let time = case.time();
        let lapses = case.lapses(&time, &all);
        let series = case.series(&all);
        let last_attempt_age = all.last().map(|r| window.until.since(r.start));
        let homes: BTreeSet<Endpoint> = case.records.iter().map(|r| r.source).collect();
        let skews: Vec<f64> =
            case.records.iter().filter_map(|r| r.date_skew).map(seconds).collect();
        let agents = case.records.iter().filter_map(|r| r.shape.user_agent.clone());
        let forms: BTreeSet<DateForm> = case.records.iter().filter_map(|r| r.shape.date).collect();
        let id = self.device_id(row);
        Device {
            policy: Arc::clone(&row.policy),
            name: self.names.get(id).cloned(),
            probed: row.probed.map(|n| n as usize),
            device: id.to_owned(),
            registrar: self.registrar_id(row).to_owned(),
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
            cseq_regressions: row.cseq_regressions,
            flows: seen.flows,
            call_ids: seen.call_ids,
            source_ips: seen.ips,
            source_ports: seen.ports,
            contacts: row.bindings.asked().map(str::to_owned).collect(),
            user_agents: agents.collect(),
            transports: row.transports.iter().collect(),
            registrars: subject.map_or(0, |subject| subject.rows.len()),
            keepalives,
            date_forms: forms,
            date_skew: Stats::of(&skews),
            clock_skew: told.and_then(|told| told.skew(row.policy.gb_zone)),
            heartbeat,
            last_attempt_age,
            connection_ends: row.ends().to_vec(),
            orphans: row.orphans().len() as u32,
            options: self.options.between(&case.records),
            pings: homes.iter().filter_map(|home| self.pings.get(home)).map(|p| p.count).sum(),
            planned: row.bindings.planned().to_vec(),
            series,
            records: case.records,
        }
    }
}

/// A row, and what is worked out of it.
struct Case<'a> {
    row: &'a Ledger,
    window: &'a Window,
    records: Vec<Record>,
    /// Times at which a 2xx proved the state, sorted.
    evidence: Vec<Timestamp>,
    /// Times at which something ended, sorted.
    ends: Ends,
}

/// When connections and bindings of a device ended, sorted.
struct Ends {
    connections: Vec<(i64, u32)>,
    /// Bindings that ended with their connection.
    lost: Vec<i64>,
    /// Bindings that ended because the device said so.
    planned: Vec<i64>,
}

impl Ends {
    fn of(row: &Ledger) -> Self {
        let mut connections: Vec<(i64, u32)> =
            row.ends().iter().map(|end| (end.time.0, end.connection)).collect();
        let mut lost = row.bindings.lost().to_vec();
        let mut planned: Vec<i64> = row.bindings.planned().iter().map(|(from, _)| *from).collect();
        connections.sort_unstable();
        lost.sort_unstable();
        planned.sort_unstable();
        Self { connections, lost, planned }
    }
}

/// Those of `sorted` whose time is in `from..=until`.
fn within<T>(sorted: &[T], (from, until): Stretch, time: impl Fn(&T) -> i64) -> &[T] {
    let first = sorted.partition_point(|one| time(one) < from);
    let rest = &sorted[first..];
    &rest[..rest.partition_point(|one| time(one) <= until)]
}

impl<'a> Case<'a> {
    /// Reads the attempts.
    fn of(row: &'a Ledger, window: &'a Window, shapes: &[Arc<Shape>], arena: &Arena) -> Self {
        let mut records = Vec::with_capacity(row.log.len());
        let mut evidence = row.orphans().to_vec();
        let mut proof = evidence.iter().max().copied();
        for entry in row.log.entries(arena) {
            let Some(mut record) = entry.record(shapes, window.until, window.one_sided) else {
                continue;
            };
            // Nothing is bound, and that is known, only after a proof since the last gap.
            let gap = window.gap_before(record.start);
            let known = proof.is_some_and(|at| gap.is_none_or(|gap| gap <= at.0));
            if record.kind == Kind::Initial && !known {
                record.kind = Kind::FirstSeen;
            }
            // What a prober got has no holder that keeps it up.
            if record.outcome == Outcome::Ok && row.probed.is_none() {
                proof = proof.max(record.end);
                evidence.extend(record.end);
            }
            records.push(record);
        }
        evidence.sort_unstable();
        Self { row, window, records, evidence, ends: Ends::of(row) }
    }

    /// Attempts that register, contact updates left out.
    fn attempts(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(|r| r.kind.registers() && !r.follow_up)
    }

    /// Concludes why each attempt was made.
    fn explain(&mut self, keepalives: Option<&Keepalives>) {
        let mut before: Option<Record> = None;
        let mut records = std::mem::take(&mut self.records);
        for record in records.iter_mut().filter(|r| r.kind.registers() && !r.follow_up) {
            if let Some(last) = before.replace(record.clone()) {
                record.trigger = self.trigger(&last, record, keepalives);
            }
        }
        self.records = records;
    }

    fn trigger(&self, last: &Record, record: &Record, keepalives: Option<&Keepalives>) -> Trigger {
        let (Outcome::Ok, Some(end)) = (last.outcome, last.end) else {
            return match last.outcome {
                Outcome::Unseen | Outcome::Pending => Trigger::RetryPerhaps,
                Outcome::Redirected => Trigger::First,
                _ => Trigger::Retry,
            };
        };
        let ends = within(&self.ends.connections, (end.0, record.start.0), |(time, _)| *time);
        if ends.iter().any(|(_, connection)| *connection == last.connection) {
            return Trigger::ConnectionLost;
        }
        if keepalives.is_some_and(|all| all.failed_between(end, record.start))
            && !self.window.one_sided
        {
            return Trigger::KeepaliveFailed;
        }
        let life = i64::from(last.granted().unwrap_or(0)) * SECOND;
        if 0 < life && 2 * life <= 5 * record.start.since(end) {
            return Trigger::Expiry;
        }
        if record.kind == Kind::Rebind { Trigger::ContactChange } else { Trigger::Early }
    }

    /// Which time is known, live, planned.
    fn time(&self) -> Known {
        let (start, end) = (self.window.from.0, self.window.until.0);
        let gaps = &self.window.gaps;
        let stretches = self.row.bindings.live(end);
        let planned: Vec<Stretch> = self
            .row
            .bindings
            .planned()
            .iter()
            .map(|(from, until)| (*from, until.unwrap_or(end)))
            .collect();
        let evidence = self.evidence.first().copied();
        // After a gap nothing is known until the next proof, except while a binding lasts.
        let mut after_gap = Vec::new();
        for (_, until) in gaps {
            let proof = self.evidence.partition_point(|at| at.0 < *until);
            let blind = (*until, self.evidence.get(proof).map_or(end, |at| at.0));
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

    fn lapses(&self, time: &Known, all: &[&Record]) -> Vec<Lapse> {
        let end = self.window.until.0;
        let ok = |record: &&Record| record.outcome == Outcome::Ok;
        let mut grants: Vec<i64> =
            self.records.iter().filter(ok).filter_map(|r| Some(r.end?.0)).collect();
        grants.sort_unstable();
        let in_vain = |record: &&&Record| !matches!(record.outcome, Outcome::Ok | Outcome::Pending);
        let mut failures: Vec<(i64, Outcome)> =
            all.iter().filter(in_vain).map(|record| (record.start.0, record.outcome)).collect();
        failures.sort_by_key(|(start, _)| *start);
        let cause = |from: i64, until: i64| {
            if self.ends.lost.binary_search(&from).is_ok() {
                return Cause::ConnectionLost;
            }
            // Attempts from the last grant before the lapse until its end.
            let grant = grants.partition_point(|at| *at <= from).checked_sub(1);
            let since = grant.and_then(|at| grants.get(at));
            let failure = since
                .and_then(|since| within(&failures, (*since, until), |(start, _)| *start).first());
            match failure {
                Some((start, outcome)) if *start < from => Cause::RefreshFailed(*outcome),
                Some((_, outcome)) => Cause::NoRefreshThen(*outcome),
                None => Cause::NoRefresh,
            }
        };
        let long = |s: &&Stretch| s.1 - s.0 > self.row.policy.lapse_grace;
        let lapse = |&(from, until): &Stretch| Lapse {
            from: Timestamp(from),
            until: (until < end).then_some(Timestamp(until)),
            length: until - from,
            cause: cause(from, until),
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
            let (Some(end), Some(granted)) = (a.end, a.granted()) else { continue };
            let between = |times: &[i64]| !within(times, (end.0, b.start.0), |at| *at).is_empty();
            if !between(&self.ends.lost) && !between(&self.ends.planned) {
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
        let call_ids: BTreeSet<u32> = all.iter().map(|r| r.call_id.key).collect();
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
