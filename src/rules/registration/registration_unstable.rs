//! R011: contact or connection change from refresh to refresh.

use super::{list, pairs};
use crate::model::audit::{Device, Outcome, Record};
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

/// The connection of a live binding ended.
fn lost(case: &Registrant<'_>, noted: &mut Noted<'_>) {
    let device = case.device;
    let end_of = |record: &&Record| {
        let (Some(from), Some(life)) = (record.end, record.granted()) else { return None };
        let until = from.plus(i64::from(life) * crate::time::SECOND);
        let of_binding = |end: &&crate::model::vantage::ConnectionEnd| {
            end.connection == record.connection && (from..until).contains(&end.time)
        };
        // A renewed binding lives on another connection by then.
        let renewed = device.attempts().any(|r| {
            r.outcome == Outcome::Ok && r.start > record.start && r.connection != record.connection
        });
        let end = device.connection_ends.iter().find(of_binding)?;
        let next = device.attempts().find(|r| r.start > record.start);
        let before = next.is_none_or(|next| end.time <= next.start);
        (record.connection != 0 && (before || !renewed)).then_some(*end)
    };
    let ends: Vec<_> = device
        .attempts()
        .filter(|r| r.outcome == Outcome::Ok)
        .filter_map(|r| Some((r, end_of(&r)?)))
        .collect();
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
