//! R011: contact or connection change from refresh to refresh.

use std::collections::BTreeMap;

use super::{list, pairs};
use crate::model::audit::{Device, Outcome, Record};
use crate::model::vantage::ConnectionEnd;
use crate::rules::registrant::{Noted, Registrant, Remark};
use crate::rules::{Check, Group, Rule, Severity, Tier};
use crate::transport::Transport;

pub(in crate::rules) const RULE: Rule = Rule {
    code: "R011",
    name: "registration-unstable",
    aliases: &[],
    statement: "The contact or connection of a registered client changes from refresh to refresh.",
    tier: Tier::Next,
    severity: Severity::Warning,
    refs: &["RFC 3261 section 18.1.1", "RFC 5626 section 4", "GB/T 28181-2022 section 9.1.1"],
    kinds: &[
        ("new-connection-each-refresh", Severity::Warning),
        ("connection-lost", Severity::Warning),
        ("source-changed", Severity::Warning),
        ("source-port-changed", Severity::Info),
        ("user-agent-changed", Severity::Info),
    ],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("registration_unstable.md"),
    checks: &[Check::Registration(check)],
};

fn check(case: &Registrant<'_>, noted: &mut Noted<'_>) {
    let device = case.device;
    connections(case, noted);
    lost(case, noted);
    let moved = |test: &dyn Fn(&Record, &Record) -> bool| -> Vec<&Record> {
        pairs(device).into_iter().filter(|(a, b)| test(a, b)).map(|(_, b)| b).collect()
    };
    let hosts = moved(&|a, b| a.source.ip != b.source.ip);
    if !hosts.is_empty() && !super::registration_shared_id::is_shared(device) {
        noted.add_kind("source-changed", || {
            let mut all: Vec<String> = device.attempts().map(|r| r.source.ip.to_string()).collect();
            all.dedup();
            let title = format!("registers from {}", list(&all, 4));
            Remark::new(title, "other address").times(hosts.len()).requests(case, hosts)
        });
    }
    let udp = !is_stream(device);
    let ports = moved(&|a, b| a.source.ip == b.source.ip && a.source.port != b.source.port);
    if udp && !ports.is_empty() {
        noted.add_kind("source-port-changed", || {
            let mut all: Vec<u16> = device.attempts().map(|r| r.source.port).collect();
            all.dedup();
            let title = format!("registers from ports {}", list(&all, 4));
            Remark::new(title, "other port").times(ports.len()).requests(case, ports)
        });
    }
    let agents =
        moved(&|a, b| a.shape.user_agent != b.shape.user_agent && a.source.ip == b.source.ip);
    if !agents.is_empty() {
        noted.add_kind("user-agent-changed", || {
            let all: Vec<&String> = device.user_agents.iter().collect();
            let title = format!("calls itself {}: new firmware, or another device", list(&all, 3));
            Remark::new(title, "other User-Agent").times(agents.len()).requests(case, agents)
        });
    }
}

fn is_stream(device: &Device) -> bool {
    device.transports.iter().any(|t| !matches!(t, Transport::Udp | Transport::Unknown))
}

/// More than one connection for two attempts, where nothing but the device's own habit explains it.
fn connections(case: &Registrant<'_>, noted: &mut Noted<'_>) {
    let device = case.device;
    let attempts = device.attempts().count();
    let several = 3 <= attempts && attempts < 2 * device.flows;
    if !several || !is_stream(device) || super::registration_shared_id::is_shared(device) {
        return;
    }
    noted.add_kind("new-connection-each-refresh", || {
        let ports: Vec<u16> = device.attempts().map(|r| r.source.port).collect();
        let title = format!(
            "{attempts} attempts on {} TCP connections (ports {})",
            device.flows,
            list(&ports, 4)
        );
        let why = "behind a NAT one connection should be kept open (GB/T 28181-2022 9.1.1 f)";
        Remark::new(title, "new connection each time")
            .detail(why)
            .times(device.flows)
            .requests(case, device.attempts())
    });
}

/// The newest success, and the newest on another connection than that.
fn newest_successes<'r>(attempts: &[&'r Record]) -> (Option<&'r Record>, Option<&'r Record>) {
    let ok = || attempts.iter().copied().filter(|record| record.outcome == Outcome::Ok);
    let newest = ok().max_by_key(|record| record.start);
    let away = |record: &&Record| newest.is_some_and(|new| new.connection != record.connection);
    (newest, ok().filter(away).max_by_key(|record| record.start))
}

/// The connection of a live binding ended.
fn lost(case: &Registrant<'_>, noted: &mut Noted<'_>) {
    let device = case.device;
    if device.connection_ends.is_empty() {
        return;
    }
    let mut by_connection: BTreeMap<u32, Vec<&ConnectionEnd>> = BTreeMap::new();
    for end in &device.connection_ends {
        by_connection.entry(end.connection).or_default().push(end);
    }
    let attempts: Vec<&Record> = device.attempts().collect();
    let (newest, other) = newest_successes(&attempts);
    let mut ends = Vec::new();
    for (at, record) in attempts.iter().enumerate() {
        let (Some(from), Some(life)) = (record.end, record.granted()) else { continue };
        let until = from.plus(i64::from(life) * crate::time::SECOND);
        let own = by_connection.get(&record.connection).into_iter().flatten();
        let mut own = own.filter(|end| (from..until).contains(&end.time));
        if record.outcome != Outcome::Ok || record.connection == 0 {
            continue;
        }
        let Some(end) = own.next() else { continue };
        let next = attempts.iter().skip(at + 1).find(|next| record.start < next.start);
        let before = next.is_none_or(|next| end.time <= next.start);
        // A renewed binding lives on another connection by then.
        let elsewhere = newest.filter(|new| new.connection != record.connection).or(other);
        if before || elsewhere.is_none_or(|new| new.start <= record.start) {
            ends.push((*record, *end));
        }
    }
    let (Some((_, first)), Some((_, last))) = (ends.first(), ends.last()) else { return };
    noted.add_kind("connection-lost", || {
        let how = if first.reset { "reset" } else { "closed" };
        let by_device = device.attempts().any(|r| r.source.ip == first.by.ip);
        let who = if by_device { "by the device" } else { "by the other side" };
        let title = format!("the connection of a live binding was {how} {who}");
        Remark::new(title, "connection lost")
            .times(ends.len())
            .requests(case, ends.iter().map(|(record, _)| *record))
            .span(first.time, last.time)
    });
}
