//! The registration audit for programs: schema `siplens/registrations/1`, in docs/json.md.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::{line, value};
use crate::frame::FrameId;
use crate::model::audit::identity::GbId;
use crate::model::audit::series::{Stats, seconds};
use crate::model::audit::{
    Device, Expect, GrantSource, Judged, Keepalives, Options, Policy, Record, Storm,
};
use crate::rules::DeviceFinding;
use crate::time::Timestamp;
use crate::transport::Transport;
use crate::view::clock::Rfc3339;
use crate::view::csv;
use crate::view::frames::Files;
use crate::view::registrations::Registrations;

/// The version of the format.
pub const SCHEMA: &str = "siplens/registrations/1";

/// Writes one document.
pub fn document(view: &Registrations<'_>, out: &mut dyn Write) -> io::Result<()> {
    let audit = view.audit;
    let window = &audit.window;
    let tally = view.tally;
    let gaps: Vec<Value> = window
        .gaps
        .iter()
        .map(|(a, b)| json!([time(Timestamp(*a)), time(Timestamp(*b))]))
        .collect();
    let input = json!({
        "files": view.files,
        "window": [time(window.from), time(window.until)],
        "window_s": seconds(window.length()),
        "resolution_s": seconds(window.resolution),
        "one_sided": window.one_sided,
        "gaps": gaps,
        "packets": tally.frames,
        "messages": tally.messages,
        "dropped": view.dropped,
        "lost": tally.lost,
    });
    write!(out, "{{\"schema\":\"{SCHEMA}\",\"input\":")?;
    value(&input, out)?;
    out.write_all(b",\"fleet\":")?;
    value(&fleet(view), out)?;
    out.write_all(b",\"devices\":[")?;
    for (at, place) in view.chosen().into_iter().enumerate() {
        out.write_all(if at == 0 { b"\n" } else { b",\n" })?;
        if let Some((device, findings)) = view.of(place) {
            value(&record(view, &device, &findings), out)?;
        }
    }
    out.write_all(b"\n]}\n")
}

/// Writes one device per line.
pub fn lines(view: &Registrations<'_>, out: &mut dyn Write) -> io::Result<()> {
    for place in view.chosen() {
        let Some((device, findings)) = view.of(place) else { continue };
        line(&record(view, &device, &findings), "device", out)?;
    }
    Ok(())
}

fn fleet(view: &Registrations<'_>) -> Value {
    let fleet = &view.audit.fleet;
    let storm = |storm: &Storm| {
        let surge = &storm.surge;
        let refused: serde_json::Map<String, Value> =
            surge.refused.iter().map(|(status, n)| (status.to_string(), json!(n))).collect();
        json!({
            "from": time(surge.from),
            "until": time(surge.until),
            "devices": surge.devices,
            "attempts": surge.attempts,
            "peak_per_s": surge.peak,
            "refused": refused,
            "last_recovery": storm.recovered.map(time),
            "worst_lapse_s": storm.worst_lapse.map(seconds),
            "connections_ended_before": storm.ends_before,
        })
    };
    json!({
        "devices": view.audit.len(),
        "attempts": fleet.attempts,
        "ok": fleet.ok,
        "failed": fleet.failed,
        "ira_percent": fleet.ineffective_percent(),
        "coverage": fleet.coverage(),
        "lapses": fleet.lapses,
        "worst_lapse_s": fleet.worst_lapse.map(seconds),
        "rrd_ms": stats(fleet.delay_ms),
        "keepalive_timeouts": fleet.keepalive_timeouts,
        "baseline_attempts_per_s": fleet.baseline,
        "peak_attempts_per_s": fleet.peak,
        "storms": fleet.storms.iter().map(storm).collect::<Vec<_>>(),
        "herd_index": fleet.herd,
        "absent": view.audit.absent,
        "findings": view.of_fleet().iter().map(|one| finding(view, one)).collect::<Vec<_>>(),
    })
}

/// One device.
fn record(view: &Registrations<'_>, device: &Device, findings: &[DeviceFinding]) -> Value {
    let findings: Vec<Value> = findings.iter().map(|one| finding(view, one)).collect();
    let parts = [
        tries(device),
        coverage(device),
        traffic(device, view.audit.window.until),
        json!({ "findings": findings }),
    ];
    let objects = parts.into_iter().filter_map(|part| match part {
        Value::Object(fields) => Some(fields),
        _ => None,
    });
    Value::Object(objects.flatten().collect())
}

/// Who it is, and how its attempts came out.
fn tries(device: &Device) -> Value {
    let all = &device.records;
    let deregistrations =
        all.iter().filter(|r| !r.follow_up && r.kind.word().starts_with("dereg")).count();
    let word = |word: &str| device.count(|outcome| outcome.word() == word);
    json!({
        "device": device.device,
        "registrar": device.registrar,
        "name": device.name,
        "id": GbId::of(&device.device).map(|id| json!({
            "centre": id.area,
            "industry": id.industry,
            "type": id.kind,
            "network": id.network,
            "serial": id.serial,
        })),
        "profile": if device.is_gb() { "gb28181" } else { "sip" },
        "transport": device.transports.iter().copied().map(Transport::word).collect::<Vec<_>>(),
        "attempts": device.attempts().count(),
        "ok": word("ok"),
        "failed": device.count(crate::model::audit::Outcome::is_failure),
        "pending": word("pending"),
        "unseen": word("unseen"),
        "deregistrations": deregistrations,
        "contact_updates": all.iter().filter(|r| r.follow_up).count(),
        "ira_percent": device.ineffective_percent(),
        "policy": policy(device),
    })
}

/// How long it asked for, how often it came, and the time with and without a binding.
fn coverage(device: &Device) -> Value {
    let all = &device.records;
    let known = device.evidence.is_some();
    let lapses: Vec<Value> = device
        .lapses
        .iter()
        .map(|lapse| {
            json!({
                "start": time(lapse.from),
                "end": lapse.until.map(time),
                "seconds": seconds(lapse.length),
                "cause": lapse.cause.word(),
            })
        })
        .collect();
    json!({
        "expiry": {
            "requested": distinct(all.iter().filter_map(Record::requested)),
            "granted": distinct(all.iter().filter_map(Record::granted)),
            "source": distinct(all.iter().filter_map(|r| r.shape.granted_source.map(GrantSource::word))),
        },
        "interval": interval(device),
        "coverage": device.coverage(),
        "live_s": known.then(|| seconds(device.live)),
        "lapsed_s": known.then(|| seconds(device.lapsed)),
        "unknown_s": seconds(device.unknown),
        "planned_offline_s": seconds(device.planned_offline),
        "lapses": lapses,
        "last_attempt": device.attempts().last().map(|r| time(r.start)),
        "last_attempt_age_s": device.last_attempt_age.map(seconds),
    })
}

/// What went over the wire beside it, in an input that ends at `end`.
fn traffic(device: &Device, end: Timestamp) -> Value {
    let all = &device.records;
    json!({
        "auth": {
            "rounds": all.iter().map(|r| r.shape.challenges).collect::<Vec<_>>(),
            "stale": all.iter().map(|r| r.shape.stale).sum::<u32>(),
        },
        "rrd_ms": stats(device.delay_ms),
        "retransmissions": all.iter().map(|r| r.retransmissions).sum::<u32>(),
        "duplicate_responses": all.iter().map(|r| r.duplicate_responses).sum::<u32>(),
        "hops": all.iter().map(|r| r.shape.hops).max(),
        "flows": device.flows,
        "call_ids": device.call_ids,
        "cseq_regressions": device.cseq_regressions,
        "sources": sources(device),
        "contacts": device.contacts,
        "user_agents": device.user_agents,
        "keepalives": device.keepalives.as_ref().map(|beats| keepalives(beats, end)),
        "options": device.options.map(options),
        "heartbeat": device.heartbeat.map(|told| json!({
            "interval_s": seconds(told.interval),
            "count": told.count,
        })),
        "pings": device.pings,
        "clock": {
            "date_format": distinct(device.date_forms.iter().map(|form| form.word())),
            "date_skew_s": stats(device.date_skew),
            "device_skew_s": stats(device.clock_skew),
        },
    })
}

fn policy(device: &Device) -> Value {
    let Policy { expect, tolerance, min_expiry, min_retry, .. } = &*device.policy;
    json!({
        "expect_s": device.expected().map(seconds),
        "expect_share": match expect {
            Some(Expect::Share(share)) => Some(share),
            _ => None,
        },
        "tolerance": { "over": tolerance.over, "under": tolerance.under },
        "keepalive_s": seconds(device.expected_keepalive()),
        "keepalive_count": device.keepalive_count(),
        "min_expiry_s": min_expiry,
        "min_retry_s": seconds(*min_retry),
    })
}

fn interval(device: &Device) -> Value {
    json!({
        "judged": device.judged().map(|(judged, _)| judged.word()),
        "attempt": stats(device.attempt_interval),
        "refresh": stats(device.refresh_interval),
        "retry": stats(device.retry_interval),
        "ratio": stats(device.refresh_ratio),
        "margin_s": stats(device.margin),
    })
}

fn sources(device: &Device) -> Vec<Value> {
    let mut sources: Vec<(String, Timestamp, Timestamp)> = Vec::new();
    for record in &device.records {
        let address = record.source.to_string();
        match sources.iter_mut().find(|(known, ..)| *known == address) {
            Some((_, _, last)) => *last = record.start,
            None => sources.push((address, record.start, record.start)),
        }
    }
    let source = |(address, first, last): (String, Timestamp, Timestamp)| json!({ "addr": address, "first": time(first), "last": time(last) });
    sources.into_iter().map(source).collect()
}

fn keepalives(beats: &Keepalives, end: Timestamp) -> Value {
    let rejected: serde_json::Map<String, Value> =
        beats.rejected.iter().map(|(status, n)| (status.to_string(), json!(n))).collect();
    let offline: Vec<Value> = beats
        .platform_offline
        .iter()
        .map(|(from, until)| json!([time(*from), until.map(time)]))
        .collect();
    json!({
        "n": beats.n,
        "answered": beats.answered,
        "rejected": rejected,
        "unanswered": beats.unanswered,
        "pending": beats.pending,
        "interval": stats(beats.interval),
        "retransmissions": beats.retransmissions,
        "missed": beats.missed_slots,
        "missed_tail": beats.missed_tail,
        "offline": offline,
        "address_drift": beats.address_drift,
        "last_age_s": beats.last().map(|(time, _)| seconds(end.since(time))),
    })
}

fn options(options: Options) -> Value {
    json!({
        "n": options.n,
        "from_registrar": options.from_registrar,
        "answered": options.answered,
        "unanswered": options.unanswered,
        "pending": options.pending,
        "interval": stats(options.interval),
    })
}

fn finding(view: &Registrations<'_>, one: &DeviceFinding) -> Value {
    let finding = &one.finding;
    let files = Files(view.files);
    let place = |(frame, note): &(FrameId, String)| json!({ "file": files.file(*frame), "packet": frame.number(), "note": note });
    json!({
        "rule": finding.rule.name,
        "code": finding.rule.code,
        "kind": finding.kind,
        "severity": finding.severity.word(),
        "count": finding.count,
        "first": time(finding.first),
        "last": time(finding.last),
        "message": finding.title,
        "details": one.details,
        "evidence": one.evidence.iter().map(place).collect::<Vec<_>>(),
    })
}

fn stats(stats: Option<Stats>) -> Option<Value> {
    stats.map(|s| {
        json!({
            "n": s.n,
            "min": s.min,
            "p50": s.p50,
            "p95": s.p95,
            "max": s.max,
            "mean": s.mean,
            "jitter": s.jitter,
        })
    })
}

/// Each value once, in order of first appearance.
fn distinct<T: PartialEq>(values: impl Iterator<Item = T>) -> Vec<T> {
    let mut all = Vec::new();
    for value in values {
        if !all.contains(&value) {
            all.push(value);
        }
    }
    all
}

fn time(time: Timestamp) -> String {
    Rfc3339::text(time)
}

/// The columns of CSV.
pub const COLUMNS: [&str; 21] = [
    "device",
    "registrar",
    "attempts",
    "ok",
    "failed",
    "judged",
    "interval_p50_s",
    "interval_p95_s",
    "expected_s",
    "deviation",
    "granted_s",
    "ratio_p50",
    "coverage",
    "lapses",
    "lapsed_s",
    "keepalive_p50_s",
    "keepalive_missed",
    "flows",
    "last_attempt",
    "worst_rule",
    "rules",
];

/// Writes one row per device.
pub fn table(view: &Registrations<'_>, out: &mut dyn Write) -> io::Result<()> {
    csv::row(COLUMNS.iter().map(|name| name.as_bytes()), out)?;
    for place in view.chosen() {
        let Some((device, findings)) = view.of(place) else { continue };
        let cells = cells(&device, &findings);
        csv::row(cells.iter().map(String::as_bytes), out)?;
    }
    Ok(())
}

fn cells(device: &Device, findings: &[DeviceFinding]) -> [String; 21] {
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    let judged: Option<(Judged, Stats)> = device.judged();
    let expected = device.expected().map(seconds);
    let interval = judged.map(|(_, stats)| stats.p50);
    let deviation = interval.zip(expected).map(|(p50, expected)| p50 / expected - 1.0);
    let rules = distinct(findings.iter().map(|one| one.finding.rule.name)).join(";");
    let beats = device.keepalives.as_ref();
    let known = device.evidence.is_some();
    [
        device.device.clone(),
        device.registrar.clone(),
        device.attempts().count().to_string(),
        device.count(|o| o == crate::model::audit::Outcome::Ok).to_string(),
        device.count(crate::model::audit::Outcome::is_failure).to_string(),
        judged.map(|(judged, _)| judged.word().to_owned()).unwrap_or_default(),
        number(interval),
        number(judged.map(|(_, stats)| stats.p95)),
        number(expected),
        number(deviation),
        device.granted().map(|s| s.to_string()).unwrap_or_default(),
        number(device.refresh_ratio.map(|stats| stats.p50)),
        number(device.coverage()),
        if known { device.lapses.len().to_string() } else { String::new() },
        number(known.then(|| seconds(device.lapsed))),
        number(beats.and_then(|beats| beats.interval).map(|stats| stats.p50)),
        beats.map(|beats| beats.missed_slots.to_string()).unwrap_or_default(),
        device.flows.to_string(),
        device.attempts().last().map(|r| time(r.start)).unwrap_or_default(),
        findings.first().map(|one| one.finding.rule.name.to_owned()).unwrap_or_default(),
        rules,
    ]
}
