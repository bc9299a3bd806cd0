//! Every scenario of the registration audit gives the metrics worked out for it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use siplens::capture::{Capture, Input, Options, Source};
use siplens::engine::reader::Reader;
use siplens::engine::{Feed, Plan, analyze, sift};
use siplens::limits::{Limits, Tally};
use siplens::model::audit::series::Stats;
use siplens::model::audit::{Audit, Device, GrantSource, Keepalives, Outcome, Policy, Terms};
use siplens::model::{Model, Vantage};
use siplens::time::{MILLISECOND, SECOND, Timestamp};
use siplens::transport::Observation;

pub(crate) fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/registrations")
}

/// Captures as the engine takes them.
pub(crate) struct Frames {
    capture: Capture,
    reader: Reader,
    ended: bool,
}

impl Feed for Frames {
    fn advance(&mut self, each: &mut dyn FnMut(Observation<'_>)) -> bool {
        if self.ended {
            return false;
        }
        match self.capture.next().unwrap() {
            Some(frame) => _ = self.reader.read(&frame, each),
            None => {
                self.reader.finish(each);
                self.ended = true;
            }
        }
        true
    }

    fn vantage(&mut self) -> Vantage {
        self.reader.vantage()
    }

    fn tally(&self) -> Tally {
        self.reader.tally().clone()
    }
}

pub(crate) fn frames(files: &[PathBuf]) -> Frames {
    let inputs: Vec<Input> = files.iter().map(|f| Input::Path(f.clone())).collect();
    let capture = Capture::open(&inputs, Options::default());
    let reader = Reader::new(&Limits::default());
    Frames { capture, reader, ended: false }
}

pub(crate) fn analyzed(files: &[PathBuf]) -> Model {
    analyze(&mut frames(files), &Plan::new(Limits::default(), 1), &|_| ()).model
}

/// The audit made message by message, after it was held against that of the whole model.
fn audit(files: &[PathBuf], policy: &Policy) -> Audit {
    let whole = Audit::by(&analyzed(files), policy.clone());
    let policy = Arc::new(policy.clone());
    let terms = Terms {
        policy: &|_| Arc::clone(&policy),
        gaps: &|_| Vec::new(),
        flows: &|_| true,
        hostile: &|_| false,
        pages: &|_| true,
    };
    let plan = Plan::new(Limits::default(), 1);
    let audited = sift::audit(&mut frames(files), &plan, &terms).audit;
    assert_eq!(format!("{:?}", audited.window), format!("{:?}", whole.window), "{files:?}");
    assert_eq!(format!("{:?}", audited.fleet), format!("{:?}", whole.fleet), "{files:?}");
    assert_eq!(audited.len(), whole.len(), "{files:?}");
    for (one, other) in audited.devices().zip(whole.devices()) {
        assert_eq!(format!("{one:#?}"), format!("{other:#?}"), "{files:?}");
    }
    audited
}

fn policy(expected: &Value) -> Policy {
    let close = expected["policy"]["tcp_close_ends_binding"].as_bool();
    // The oracle ends bindings with their connection only when told to.
    Policy { close_ends_binding: Some(close.unwrap_or(false)), ..Policy::default() }
}

fn stats(stats: Option<Stats>) -> Value {
    stats.map_or(Value::Null, |s| {
        json!({"n": s.n, "min": s.min, "p50": s.p50, "p95": s.p95, "max": s.max, "mean": s.mean,
               "jitter": s.jitter})
    })
}

fn seconds(nanos: i64) -> f64 {
    nanos as f64 / 1e9
}

/// A device in the flat form of the expectations.
fn flat(device: &Device, from: Timestamp, until: Timestamp) -> Value {
    let rel = |t: Timestamp| seconds(t.since(from));
    let all = &device.records;
    let column = |f: &dyn Fn(&siplens::model::audit::Record) -> Value| -> Value {
        all.iter().map(f).collect::<Vec<_>>().into()
    };
    let deregisters = |r: &&siplens::model::audit::Record| r.kind.word().starts_with("dereg");
    let known = device.evidence.is_some();
    let word = |w: &str| device.count(|o| o.word() == w);
    json!({
        "window_s": seconds(until.since(from)),
        "attempts": device.attempts().count(),
        "contact_updates": all.iter().filter(|r| r.follow_up && !deregisters(r)).count(),
        "deregistrations": all.iter().filter(|r| !r.follow_up && deregisters(r)).count(),
        "queries": all.iter().filter(|r| r.kind.word() == "query").count(),
        "kinds": column(&|r| r.kind.word().into()),
        "outcomes": column(&|r| r.outcome.word().into()),
        "ok": word("ok"),
        "failed": device.count(Outcome::is_failure),
        "pending": word("pending"),
        "unseen": word("unseen"),
        "ira_percent": device.ineffective_percent(),
        "requested": column(&|r| r.requested().into()),
        "granted": column(&|r| r.granted().into()),
        "granted_source": column(&|r| r.shape.granted_source.map(GrantSource::word).into()),
        "attempt_interval": stats(device.attempt_interval),
        "attempt_interval_by_source": if device.attempt_interval_by_source.is_empty() {
            Value::Null
        } else {
            device.attempt_interval_by_source.iter().map(|(ip, s)| (ip.to_string(), stats(*s)))
                .collect::<serde_json::Map<_, _>>().into()
        },
        "refresh_interval": stats(device.refresh_interval),
        "retry_interval": stats(device.retry_interval),
        "refresh_ratio": stats(device.refresh_ratio),
        "margin_s": stats(device.margin),
        "first_evidence": device.evidence.map(rel),
        "live_s": known.then(|| seconds(device.live)),
        "lapsed_s": known.then(|| seconds(device.lapsed)),
        "planned_offline_s": seconds(device.planned_offline),
        "unknown_s": seconds(device.unknown),
        "coverage": device.coverage(),
        "lapses": device.lapses.iter().map(|l| json!({
            "start": rel(l.from), "end": l.until.map(rel), "seconds": seconds(l.length),
            "cause": l.cause.word(),
        })).collect::<Vec<_>>(),
        "rrd_ms": stats(device.delay_ms),
        "auth_rounds": column(&|r| r.shape.challenges.into()),
        "stale": all.iter().map(|r| r.shape.stale).sum::<u32>(),
        "retransmissions": all.iter().map(|r| r.retransmissions).sum::<u32>(),
        "duplicate_responses": all.iter().map(|r| r.duplicate_responses).sum::<u32>(),
        "hops": all.iter().map(|r| r.shape.hops).max(),
        "flows": device.flows,
        "call_ids": device.call_ids,
        "cseq_regressions": device.cseq_regressions,
        "source_ips": device.source_ips,
        "source_ports": device.source_ports,
        "contacts": device.contacts.len(),
        "user_agents": device.user_agents,
        "last_attempt_age_s": device.last_attempt_age.map(seconds),
        "keepalives": device.keepalives.as_ref().map(|k| keepalives(k, &rel)),
        "date": if device.date_forms.is_empty() { Value::Null } else { json!({
            "formats": device.date_forms.iter().map(|f| f.word()).collect::<Vec<_>>(),
            "skew_s": stats(device.date_skew),
        }) },
    })
}

fn keepalives(k: &Keepalives, rel: &dyn Fn(Timestamp) -> f64) -> Value {
    json!({
        "n": k.n, "answered": k.answered,
        "rejected": k.rejected.iter().map(|(_, n)| n).sum::<u32>(),
        "unanswered": k.unanswered, "pending": k.pending, "interval": stats(k.interval),
        "retransmissions": k.retransmissions, "missed_slots": k.missed_slots,
        "missed_tail": k.missed_tail, "max_consecutive_missed": k.max_consecutive_missed,
        "max_consecutive_unanswered": k.max_consecutive_unanswered,
        "platform_offline":
            k.platform_offline.iter().map(|(a, b)| json!([rel(*a), b.map(rel)])).collect::<Vec<_>>(),
        "address_drift": k.address_drift,
    })
}

/// Differences of `found` from `wanted`; the oracle rounds to three or four decimals.
fn compare(path: &str, wanted: &Value, found: &Value, out: &mut Vec<String>) {
    match (wanted, found) {
        (Value::Object(a), Value::Object(_)) => {
            for (key, value) in a {
                compare(&format!("{path}.{key}"), value, &found[key], out);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (i, (a, b)) in a.iter().zip(b).enumerate() {
                compare(&format!("{path}[{i}]"), a, b, out);
            }
        }
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            let decimals = if path.contains("_ms") {
                1
            } else if path.contains("ratio") || path.contains("coverage") {
                4
            } else {
                3
            };
            let half = 0.5 * 10_f64.powi(-decimals) + 1e-6;
            if (a - b).abs() > half {
                out.push(format!("{path}: wanted {a}, found {b}"));
            }
        }
        (a, b) if a == b => {}
        (a, b) => out.push(format!("{path}: wanted {a}, found {b}")),
    }
}

/// `lead`: nanoseconds of TCP handshake before the first SIP message, where the oracle's window
/// begins; ours begins with the first packet.
fn check(name: &str, lead: i64) {
    let dir = data();
    let expected: Value =
        serde_json::from_slice(&std::fs::read(dir.join(format!("{name}.expected.json"))).unwrap())
            .unwrap();
    let mut files: Vec<PathBuf> = std::fs::read_dir(&dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| {
            let file = p.file_name().unwrap().to_str().unwrap();
            file.starts_with(name) && p.extension().is_none_or(|extension| extension != "json")
        })
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{name}");
    let audit = audit(&files, &policy(&expected));
    let mut differences = Vec::new();
    let key = if expected["devices"].is_object() { "devices" } else { "example_devices" };
    for (row, wanted) in expected[key].as_object().unwrap() {
        let Some(device) =
            audit.devices().find(|d| format!("{} -> {}", d.device, d.registrar) == *row)
        else {
            differences.push(format!("no row {row}"));
            continue;
        };
        let mut device = device;
        device.unknown -= lead;
        let found = flat(&device, audit.window.from.plus(lead), audit.window.until);
        let mut wanted = wanted.clone();
        // Told of the window as a whole.
        wanted.as_object_mut().unwrap().remove("capture_gap_s");
        compare(row, &wanted, &found, &mut differences);
    }
    assert!(differences.is_empty(), "{name}\n{}", differences.join("\n"));
}

macro_rules! scenarios {
    ($($test:ident: $name:literal, $lead:expr;)*) => {
        $(#[test] fn $test() { check($name, $lead); })*
    };
}

scenarios! {
    healthy_udp: "01-healthy-udp", 0;
    seed_log: "02-seed-log", 0;
    shortened_by_contact_param: "03-shortened-by-contact-param", 0;
    loss_and_retransmission: "04-loss-and-retransmission", 0;
    wrong_password_hammering: "05-wrong-password-hammering", 0;
    interval_too_brief_and_stale: "06-interval-too-brief-and-stale", 0;
    multi_contact_and_wildcard: "07-multi-contact-and-wildcard", 0;
    both_sides_of_a_proxy: "08-both-sides-of-a-proxy", 0;
    nat_rebinding_and_wrong_zone: "09-nat-rebinding-and-wrong-zone", 0;
    duplicate_device_id: "10-duplicate-device-id", 0;
    censored_capture: "11-censored-capture", 0;
    fleet_storm_tcp: "12-fleet-storm-tcp", 3 * MILLISECOND;
    registration_redirect: "13-registration-redirect", 0;
    silence: "14-silence", 0;
}

/// Start of each attempt in whole seconds after the first, and what came of it.
fn attempts(audit: &Audit) -> Vec<(i64, String)> {
    let all: Vec<_> =
        audit.devices().flat_map(|d| d.attempts().cloned().collect::<Vec<_>>()).collect();
    let first = all[0].start;
    all.iter().map(|a| (a.start.since(first) / SECOND, a.outcome.word())).collect()
}

#[test]
fn a_log_gives_the_attempts_of_the_capture_it_was_made_from() {
    let capture = audit(&[data().join("05-wrong-password-hammering.pcap")], &Policy::default());
    let wanted = attempts(&capture);
    let outcomes: Vec<&str> = wanted.iter().map(|(_, outcome)| outcome.as_str()).collect();
    assert_eq!(
        outcomes,
        ["rejected-403", "rejected-403", "rejected-403", "auth-failed", "auth-failed"]
    );
    let logs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/logs");
    for name in [
        "asterisk-full.txt",
        "freeswitch-siptrace-new.txt",
        "freeswitch-siptrace-old.txt",
        "go-log-seed-style.txt",
        "kamailio-sipdump.data",
        "logrus-gosip.log",
        "ngrep-byline.txt",
        "pjsua.log",
        "sipgrep.txt",
        "sngrep-save.txt",
        "tcpdump-A.txt",
        "wvp-gb28181-pro.log",
    ] {
        let log = audit(&[logs.join(name)], &Policy::default());
        assert_eq!(attempts(&log), wanted, "{name}");
        assert_eq!(log.ids(0).0, capture.ids(0).0, "{name}");
    }
    // Without the answers there are the same attempts; what came of them is not to be known.
    let one_sided = audit(&[logs.join("srs-sip-one-sided.log")], &Policy::default());
    let starts = |all: &[(i64, String)]| all.iter().map(|(at, _)| *at).collect::<Vec<_>>();
    let seen = attempts(&one_sided);
    assert_eq!(starts(&seen), starts(&wanted));
    assert!(seen.iter().all(|(_, outcome)| outcome == "unseen"));
}

#[test]
fn a_flood_of_devices_stays_within_those_allowed() {
    let limits = Limits { devices: 50, ..Limits::default() };
    let policy = Arc::new(Policy::default());
    let terms = Terms {
        policy: &|_| Arc::clone(&policy),
        gaps: &|_| Vec::new(),
        flows: &|_| true,
        hostile: &|_| false,
        pages: &|_| false,
    };
    let storm = [data().join("12-fleet-storm-tcp.pcap")];
    let found = sift::audit(&mut frames(&storm), &Plan::new(limits, 1), &terms);
    assert_eq!(found.audit.len(), 50);
    // Each of the others registers twice, and 80 of all are refused once before.
    assert!(found.tally.lost.get("let-go-devices").is_some_and(|lost| 300 < *lost));
}
