//! What is told of registrations while they happen is what the audit says in the end, told when its
//! time comes and not when it is asked for.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use proptest::prelude::*;
use siplens::engine::parsed::Parsed;
use siplens::engine::sift::Sift;
use siplens::engine::{Feed, Plan};
use siplens::limits::{Limits, Tally};
use siplens::model::Seed;
use siplens::model::audit::lookout::counts::Alarms;
use siplens::model::audit::lookout::{Alarm, Change, Counts, State, Turn};
use siplens::model::audit::{Applicant, Audit, Device, Outcome, Past, Policy};
use siplens::time::{SECOND, Timestamp};
use siplens::transport::Observation;

use crate::audit::{data, frames};
use crate::fleet::{Ask, Chance, Plot, REGISTRAR, Wire, host, plot, register, terms};

/// What came of a run.
struct Told {
    changes: Vec<Change>,
    audit: Audit,
    counts: Counts,
    /// The first response.
    answered: Timestamp,
}

/// What is told of `feed`, and what the audit says in the end. Between two messages time is let
/// pass at up to `pulses` moments drawn by `seed`.
fn told(feed: &mut dyn Feed, policy: &Policy, (pulses, seed): (u64, u64)) -> Told {
    let policy = Arc::new(policy.clone());
    let policy = |_: &Applicant<'_>| Arc::clone(&policy);
    let plan = Plan { limits: Limits::default(), jobs: 1, seed: Seed(7) };
    let mut sift = Sift::live(&plan, terms(&policy), Past { attempts: 10_000, runs: 10_000 });
    let (mut changes, mut chance) = (Vec::new(), Chance(seed | 1));
    let (mut last, mut answered) = (None, Timestamp(i64::MAX));
    let fetch = |sift: &mut Sift<'_>, changes: &mut Vec<Change>| {
        changes.extend(std::iter::from_fn(|| sift.poll()));
    };
    while feed.advance(&mut |observation| {
        if let Observation::Message { envelope, text, .. } = &observation {
            if text.starts_with(b"SIP/2.0") {
                answered = answered.min(envelope.time);
            }
            let length = last.map_or(0, |last| envelope.time.since(last)).max(0).unsigned_abs();
            let mut pulses: Vec<u64> = match length {
                0 => Vec::new(),
                _ => (0..chance.below(pulses + 1)).map(|_| chance.below(length)).collect(),
            };
            pulses.sort_unstable();
            for at in pulses {
                sift.advance(last.unwrap_or_default().plus(at as i64));
                fetch(&mut sift, &mut changes);
            }
            last = last.max(Some(envelope.time));
        }
        sift.observe(Parsed::of(&observation));
        fetch(&mut sift, &mut changes);
    }) {}
    let vantage = feed.vantage();
    sift.advance(vantage.last);
    fetch(&mut sift, &mut changes);
    let counts = sift.counts().unwrap().clone();
    Told { changes, counts, audit: sift.finish(&vantage, feed.tally()).0, answered }
}

/// Changes of `device` as `pick` reads them.
fn of<T>(changes: &[Change], device: &Device, pick: impl Fn(&Change) -> Option<T>) -> Vec<T> {
    let own = changes.iter().filter(|change| {
        change.device.as_deref() == Some(&*device.device)
            && change.registrar.as_deref().is_none_or(|name| name == device.registrar)
    });
    own.filter_map(pick).collect()
}

/// Holds what was told against what the audit says.
fn agree(told: &Told, policy: &Policy) {
    let Told { changes, audit, answered, .. } = told;
    // Which registrar a 2xx without request came from it does not say.
    let strays: BTreeSet<String> =
        audit.devices().filter(|d| 0 < d.orphans).map(|device| device.device).collect();
    for device in audit.devices().filter(|device| !strays.contains(&device.device)) {
        let lapses = of(changes, &device, |change| match change.turn {
            Turn::Lapse { from, .. } => {
                assert_eq!(change.time.since(from), policy.lapse_grace);
                Some(from)
            }
            _ => None,
        });
        // Before its first REGISTER nobody knows where a device belongs.
        let known = device.records.first().map_or(Timestamp(i64::MAX), |first| first.start);
        let wanted: Vec<Timestamp> =
            device.lapses.iter().map(|lapse| lapse.from).filter(|at| known <= *at).collect();
        assert_eq!(lapses, wanted, "lapses of {} at {}", device.device, device.registrar);
        let offline = of(changes, &device, |change| match change.turn {
            Turn::Offline { last, interval, count } => Some(last.plus(interval * i64::from(count))),
            _ => None,
        });
        let keepalives = device.keepalives.iter().flat_map(|all| &all.platform_offline);
        let periods: Vec<Timestamp> = keepalives.map(|(from, _)| *from).collect();
        // Within an even row the audit knows times to an eighth of the spacing.
        let near = |all: &[Timestamp], at: &Timestamp| {
            all.iter().any(|other| other.since(*at).abs() < 60 * SECOND)
        };
        assert!(offline.iter().all(|at| near(&periods, at)), "{offline:?} of {periods:?}");
        // One that gave its registration up owes none, one that never registered proves little.
        let gave_up = audit.devices().any(|d| d.device == device.device && !d.planned.is_empty());
        let proved = |at: &&Timestamp| device.evidence.is_some_and(|proof| proof < **at);
        if !gave_up {
            let missed = periods.iter().filter(proved).find(|at| !near(&offline, at));
            assert_eq!(missed, None, "{offline:?} of {}", device.device);
        }
        if has_vague_timeout(&device) {
            continue;
        }
        let fails = of(changes, &device, |change| match change.turn {
            Turn::Fail { start, outcome, .. } => Some((start, outcome)),
            _ => None,
        });
        assert_eq!(fails, failures(&device, *answered), "failures of {}", device.device);
    }
    let Alarms { lapsed, offline, .. } = told.counts.alarms;
    assert_eq!((lapsed, offline), unrecovered(changes), "alarms that hold");
}

/// How many were told to lapse, each at each registrar, and how many to go offline, that were not
/// told to recover.
fn unrecovered(changes: &[Change]) -> (u64, u64) {
    let (mut lapsed, mut offline) = (BTreeSet::new(), BTreeSet::new());
    for change in changes {
        let (device, at) = (&change.device, (&change.device, &change.registrar));
        match change.turn {
            Turn::Lapse { .. } => assert!(lapsed.insert(at), "once"),
            Turn::Offline { .. } => assert!(offline.insert(device), "once"),
            Turn::Back { from: Alarm::Lapse, .. } => assert!(lapsed.remove(&at)),
            Turn::Back { from: Alarm::Offline, .. } => assert!(offline.remove(device)),
            Turn::Gone => _ = lapsed.remove(&at),
            _ => {}
        }
    }
    (lapsed.len() as u64, offline.len() as u64)
}

/// True when something began while an attempt may have timed out already or not: it counts from the
/// last transmission, of which the record tells no more than that it was not the first.
fn has_vague_timeout(device: &Device) -> bool {
    let repeated = device.records.iter().filter(|record| 0 < record.retransmissions);
    repeated.filter(|record| record.outcome == Outcome::Timeout).any(|record| {
        let may_be_over = 32 * SECOND..64 * SECOND;
        device.records.iter().any(|other| may_be_over.contains(&other.start.since(record.start)))
    })
}

/// The failed attempts of `device` that are the first since a success, where none that began later
/// succeeded before they failed.
fn failures(device: &Device, answered: Timestamp) -> Vec<(Timestamp, Outcome)> {
    let certain = |record: &siplens::model::audit::Record| match record.outcome {
        Outcome::Timeout => record.end.unwrap_or(record.start).plus(32 * SECOND),
        Outcome::AuthFailed | Outcome::ChallengeUnanswered | Outcome::Rejected(423) => {
            record.end.unwrap_or(record.start).plus(10 * SECOND)
        }
        _ => record.end.unwrap_or(record.start),
    };
    let mut all: Vec<_> = device.records.iter().collect();
    // Without any answer so far nothing can be said.
    all.retain(|record| record.outcome != Outcome::Timeout || answered <= certain(record));
    all.sort_by_key(|record| (certain(record), record.start));
    let (mut failing, mut latest, mut found) = (false, Timestamp(i64::MIN), Vec::new());
    for record in all {
        if record.outcome == Outcome::Ok {
            failing &= !record.kind.registers();
        } else if record.outcome.is_failure()
            && record.kind.registers()
            && !record.follow_up
            && latest <= record.start
        {
            if !failing {
                found.push((record.start, record.outcome));
            }
            failing = true;
        }
        if record.outcome.is_finished() {
            latest = latest.max(record.start);
        }
    }
    found
}

fn scenario(name: &str) -> Vec<PathBuf> {
    vec![data().join(name)]
}

#[test]
fn what_is_told_of_each_scenario_is_what_the_audit_says_in_the_end() {
    let policy = Policy { close_ends_binding: Some(true), ..Policy::default() };
    for name in [
        "01-healthy-udp.pcap",
        "02-seed-log.txt",
        "03-shortened-by-contact-param.pcap",
        "04-loss-and-retransmission.pcap",
        "05-wrong-password-hammering.pcap",
        "06-interval-too-brief-and-stale.pcap",
        "07-multi-contact-and-wildcard.pcap",
        "08-both-sides-of-a-proxy.pcap",
        "09-nat-rebinding-and-wrong-zone.pcap",
        "10-duplicate-device-id.pcap",
        "12-fleet-storm-tcp.pcap",
        "13-registration-redirect.pcap",
        "14-silence.pcap",
    ] {
        let once = told(&mut frames(&scenario(name)), &policy, (0, 1));
        agree(&once, &policy);
        let often = told(&mut frames(&scenario(name)), &policy, (5, 3));
        assert_eq!(once.changes, often.changes, "{name}");
    }
}

fn steady() -> Policy {
    Policy { keepalive: Some(60 * SECOND), ..Policy::default() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..Default::default() })]

    #[test]
    fn what_is_told_of_a_fleet_is_what_the_audit_says_in_the_end(plot in plot()) {
        let mut wire = Plot { skew: 0, back: 0, ..plot }.wire();
        agree(&told(&mut wire, &steady(), (0, 1)), &steady());
    }

    #[test]
    fn what_is_told_does_not_depend_on_how_often_time_is_let_pass(
        plot in plot(), pulses in 1..6_u64, seed in any::<u64>(),
    ) {
        let wire = plot.wire();
        let never = told(&mut wire.clone(), &steady(), (0, 1)).changes;
        let often = told(&mut wire.clone(), &steady(), (pulses, seed)).changes;
        prop_assert_eq!(never.len(), often.len());
        for (one, other) in never.iter().zip(&often) {
            prop_assert_eq!(one, other);
        }
    }
}

/// Two REGISTERs that give the binding up, the later one answered first: the device is gone since that
/// answer, and nothing lapsed.
#[test]
fn deregistrations_that_cross_leave_no_lapse() {
    for (seed, devices, exchanges, loss) in [
        (4_367_993_838_039_474_108, 4, 20, 0),
        (9_862_706_446_170_423_674, 3, 32, 3),
        (12_838_339_845_091_736_462, 4, 31, 0),
    ] {
        let mut wire = Plot { seed, devices, exchanges, loss, skew: 0, back: 0 }.wire();
        agree(&told(&mut wire, &steady(), (0, 1)), &steady());
    }
}

/// Events as `word seconds` after the first packet.
fn words(told: &Told) -> Vec<String> {
    let from = told.audit.window.from;
    let word = |turn: &Turn| match turn {
        Turn::New { .. } => "new",
        Turn::Gone => "gone",
        Turn::Lapse { .. } => "lapse",
        Turn::Offline { .. } => "offline",
        Turn::Overdue { .. } => "overdue",
        Turn::Fail { .. } => "fail",
        Turn::Back { .. } => "back",
        Turn::Storm(_) => "storm",
        Turn::Calm(_) => "calm",
    };
    let at = |time: Timestamp| time.since(from) as f64 / 1e9;
    told.changes.iter().map(|c| format!("{} {:.3}", word(&c.turn), at(c.time))).collect()
}

#[test]
fn a_device_that_falls_silent_is_offline_then_overdue_then_lapsed_without_a_packet_of_it() {
    let expect = Some(siplens::model::audit::Expect::Interval(300 * SECOND));
    let policy = Policy { expect, ..Policy::default() };
    let told = told(&mut frames(&scenario("14-silence.pcap")), &policy, (0, 1));
    // A second refresh was due at 600 s, and one may be missing while the binding lives.
    assert_eq!(words(&told), ["new 0.026", "offline 725.000", "overdue 900.000", "lapse 901.026"]);
    assert_eq!(told.counts.alarms, Alarms { lapsed: 1, overdue: 1, failing: 0, offline: 1 });
}

/// Two devices that register for 60 s over connections 1 and 2; what is told until 100 s when in
/// between `happens`.
fn told_of_two(happens: impl Fn(&mut Sift<'_>)) -> Vec<String> {
    let mut wire = Wire::default();
    for (n, name) in [(1, "a@example.com"), (2, "b@example.com")] {
        let contact = format!("Contact: <sip:{name}>;expires=60\r\n");
        let ask = register(name, name, &contact);
        wire.ask(i64::from(n) * SECOND, host(n), host(REGISTRAR), &ask, 200);
        let of_device = wire.messages.iter_mut().rev().take(2);
        of_device.for_each(|(envelope, _)| envelope.connection = n);
    }
    let policy = Arc::new(Policy::default());
    let policy = |_: &Applicant<'_>| Arc::clone(&policy);
    let plan = Plan { limits: Limits::default(), jobs: 1, seed: Seed(7) };
    let mut sift = Sift::live(&plan, terms(&policy), Past::default());
    while wire.advance(&mut |observation| sift.observe(Parsed::of(&observation))) {}
    happens(&mut sift);
    sift.advance(Timestamp::new(100, 0));
    let told = std::iter::from_fn(|| sift.poll()).filter_map(|change| match change.turn {
        Turn::Lapse { .. } => Some(format!("lapse {}", change.device.unwrap())),
        Turn::Fail { .. } => Some(format!("fail {}", change.device.unwrap())),
        _ => None,
    });
    told.collect()
}

#[test]
fn octets_lost_on_a_connection_concern_those_who_register_over_it_and_no_others() {
    let both = ["lapse a@example.com", "lapse b@example.com"];
    assert_eq!(told_of_two(|_| {}), both);
    let lost_on = |connection| {
        told_of_two(|sift| {
            let (mut envelope, _) =
                crate::wire::Wire::texts("30 a>b OPTIONS id=x cseq=1").remove(0);
            envelope.time = Timestamp::new(30, 0);
            let signal = siplens::transport::Signal {
                seq: 9,
                frame: envelope.frame,
                time: envelope.time,
                from: host(1),
                to: host(REGISTRAR),
                transport: siplens::transport::Transport::Tcp,
                connection,
            };
            sift.observe(Parsed::Beside(&Observation::Gap { signal }));
        })
    };
    assert_eq!(lost_on(1), both[1..]);
    assert_eq!(lost_on(2), both[..1]);
    assert_eq!(lost_on(3), both);
}

#[test]
fn a_time_that_was_not_watched_is_nobodys_silence() {
    let gap =
        |from: i64, until: i64| told_of_two(|sift| sift.lost((from * SECOND, until * SECOND)));
    assert!(gap(10, 90).is_empty());
    assert_eq!(gap(0, 1).len(), 2, "what was not seen before they registered");
}

/// Takes a REGISTER of device `n` that lasts `seconds`, and its answer, at `time`.
fn takes(sift: &mut Sift<'_>, n: u32, (time, seconds): (i64, u32)) {
    let (name, call) = (format!("d{n}@example.com"), format!("c{n}-{time}"));
    let contact = format!("Contact: <sip:{name}>;expires={seconds}\r\n");
    let mut wire = Wire::default();
    let ask = register(&name, &call, &contact);
    wire.ask(time * SECOND, host(n), host(REGISTRAR), &ask, 200);
    while wire.advance(&mut |observation| sift.observe(Parsed::of(&observation))) {}
}

#[test]
fn lost_packets_make_unknown_how_those_stand_who_lapsed_and_no_others() {
    let policy = Arc::new(Policy::default());
    let policy = |_: &Applicant<'_>| Arc::clone(&policy);
    let plan = Plan { limits: Limits::default(), jobs: 1, seed: Seed(7) };
    let mut sift = Sift::live(&plan, terms(&policy), Past::default());
    for n in 0..500 {
        takes(&mut sift, n, (1 + i64::from(n) / 100, if n < 20 { 60 } else { 3600 }));
    }
    let stand = |sift: &Sift<'_>| {
        let registrar = sift.counts().unwrap().registrars.values().next().unwrap().clone();
        [State::Live, State::Lapsed, State::Unknown]
            .map(|state| registrar.devices.get(&state).copied().unwrap_or(0))
    };
    sift.advance(Timestamp::new(100, 0));
    assert_eq!(stand(&sift), [480, 20, 0]);
    sift.lost((101 * SECOND, 102 * SECOND));
    assert_eq!(stand(&sift), [480, 0, 20]);
    takes(&mut sift, 3, (103, 60));
    takes(&mut sift, 4, (104, 60));
    sift.lost((105 * SECOND, 106 * SECOND));
    assert_eq!(stand(&sift), [482, 0, 18], "a success shows how one stands");
    takes(&mut sift, 3, (107, 60));
    sift.advance(Timestamp::new(200, 0));
    assert_eq!(stand(&sift), [480, 1, 19], "the other may have come again unseen");
    sift.lost((201 * SECOND, 202 * SECOND));
    assert_eq!(stand(&sift), [480, 0, 20]);
}

#[test]
fn an_answer_that_may_have_been_lost_is_no_failure() {
    let fails = |gap: Option<(i64, i64)>| {
        told_of_two(|sift| {
            let contact = "Contact: <sip:a@example.com>;expires=60\r\n";
            let mut wire = Wire::default();
            let ask = Ask { cseq: 2, ..register("a@example.com", "a@example.com", contact) };
            wire.ask(31 * SECOND, host(1), host(REGISTRAR), &ask, 200);
            // The answer never comes.
            wire.messages.truncate(1);
            wire.advance(&mut |observation| sift.observe(Parsed::of(&observation)));
            if let Some((from, until)) = gap {
                sift.lost((from * SECOND, until * SECOND));
            }
        })
        .iter()
        .filter(|told| told.starts_with("fail"))
        .count()
    };
    assert_eq!(fails(None), 1);
    assert_eq!(fails(Some((31, 32))), 0);
    assert_eq!(fails(Some((5, 6))), 1, "that was before");
}

#[test]
fn a_storm_is_told_when_it_begins_and_with_all_its_numbers_when_it_is_over() {
    let policy = Policy { close_ends_binding: Some(true), ..Policy::default() };
    let told = told(&mut frames(&scenario("12-fleet-storm-tcp.pcap")), &policy, (0, 1));
    let storms: Vec<&Change> =
        told.changes.iter().filter(|c| matches!(c.turn, Turn::Storm(_) | Turn::Calm(_))).collect();
    let [begins, ends] = storms.as_slice() else { panic!("{storms:?}") };
    let (Turn::Storm(first), Turn::Calm(all)) = (&begins.turn, &ends.turn) else {
        panic!("{storms:?}")
    };
    assert_eq!((first.devices, first.attempts), (20, 20));
    assert_eq!(begins.time, first.from.plus(19 * 40_000_000));
    assert_eq!(*all, told.audit.fleet.storms[0].surge);
    assert_eq!(all.devices, 200);
    let numbers = &told.counts.registrars["34020000002000000001"];
    assert_eq!(numbers.devices.get(&State::Live), Some(&200));
    assert_eq!(numbers.attempts.values().sum::<u64>(), 480);
    let refused = numbers.attempts.iter().filter(|((_, o), _)| *o == Outcome::Rejected(503));
    assert_eq!(refused.map(|(_, n)| n).sum::<u64>(), 80);
    assert_eq!(numbers.lapses.get("connection-lost"), Some(&200));
    let lapsed = told.audit.fleet.lapsed as f64 / 1e9;
    assert!((numbers.lapsed_seconds(told.audit.window.until) - lapsed).abs() < 1e-6);
    assert_eq!(numbers.delay.counts.iter().sum::<u64>(), 400);
    assert!(!told.counts.storm);
    let lapses = told.changes.iter().filter(|c| matches!(c.turn, Turn::Lapse { .. })).count();
    let backs = told.changes.iter().filter(|c| matches!(c.turn, Turn::Back { .. })).count();
    assert_eq!((lapses, backs), (200, 200));
}

/// A device that registers `count` times for 60 s, each 5 s too late, from a port of its own.
fn lapsing(count: u32) -> Wire {
    let mut wire = Wire::default();
    for n in 0..count {
        let (call, port) = (format!("c{n}"), 1024 + n);
        let contact = format!("Contact: <sip:a@192.0.2.1:{port}>;expires=60\r\n");
        let ask = register("a@example.com", &call, &contact);
        wire.ask(i64::from(n) * 65 * SECOND, host(1), host(REGISTRAR), &ask, 200);
    }
    wire
}

/// What a live run leaves out, each word with a run that says it.
pub(crate) fn losses() -> Vec<(&'static str, Tally)> {
    let mut idle = lapsing(1);
    let ask = register("b@example.com", "d", "Contact: <sip:b@192.0.2.2>\r\n");
    idle.ask(8 * 86_400 * SECOND, host(2), host(REGISTRAR), &ask, 200);
    vec![
        ("let-go-past", unfetched(lapsing(64))),
        ("let-go-idle", unfetched(idle)),
        ("let-go-changes", unfetched(lapsing(32_800))),
    ]
}

/// What is counted of a run whose changes nobody fetches.
fn unfetched(mut wire: Wire) -> Tally {
    let policy = Arc::new(Policy::default());
    let policy = |_: &Applicant<'_>| Arc::clone(&policy);
    let plan = Plan { limits: Limits::default(), jobs: 1, seed: Seed(7) };
    let mut sift = Sift::live(&plan, terms(&policy), Past::default());
    while wire.advance(&mut |observation| sift.observe(Parsed::of(&observation))) {}
    sift.finish(&wire.vantage(), wire.tally()).1
}

#[test]
fn a_device_that_registers_for_weeks_is_held_in_bounds_and_its_past_is_counted() {
    let policy = Arc::new(Policy::default());
    let policy = |_: &Applicant<'_>| Arc::clone(&policy);
    let plan = Plan { limits: Limits::default(), jobs: 1, seed: Seed(7) };
    let past = Past { attempts: 20, runs: 4 };
    let mut sift = Sift::live(&plan, terms(&policy), past);
    let mut wire = lapsing(5_000);
    let (mut lapses, mut backs) = (0, 0);
    while wire.advance(&mut |observation| sift.observe(Parsed::of(&observation))) {
        while let Some(change) = sift.poll() {
            lapses += usize::from(matches!(change.turn, Turn::Lapse { .. }));
            backs += usize::from(matches!(change.turn, Turn::Back { .. }));
        }
    }
    assert_eq!((lapses, backs), (4_999, 4_999));
    let (audit, tally) = sift.finish(&wire.vantage(), wire.tally());
    let device = audit.device(0).unwrap();
    let kept = device.records.len();
    assert!((20..40).contains(&kept), "{kept}");
    assert_eq!(tally.lost.get("let-go-past"), Some(&(5_000 - kept as u64)));
    // Of what was let go nothing is said.
    assert_eq!((device.lapses.len(), device.contacts.len() < 64), (kept - 1, true));
    let first = device.records[0].end.unwrap();
    assert_eq!(device.unknown, first.since(audit.window.from));
}

#[test]
fn a_flood_of_invented_devices_costs_no_other() {
    let policy = Arc::new(Policy::default());
    let policy = |_: &Applicant<'_>| Arc::clone(&policy);
    let limits = Limits { devices: 100, ..Limits::default() };
    let mut sift =
        Sift::live(&Plan { limits, jobs: 1, seed: Seed(7) }, terms(&policy), Past::default());
    let mut wire = Wire::default();
    let mut ask = |second: i64, name: &str, at: u32, status| {
        let address = format!("{name}@example.com");
        let contact = format!("Contact: <sip:{name}@192.0.2.1>;expires=60\r\n");
        let ask = register(&address, name, &contact);
        wire.ask(second * SECOND, host(at), host(REGISTRAR), &ask, status);
    };
    ask(0, "early", 1, 200);
    for number in 0..1_000 {
        ask(1 + number / 50, &format!("invented{number}"), 2, 403);
    }
    ask(30, "late", 3, 200);
    ask(200, "other", 4, 200);
    let mut lapsed = Vec::new();
    while wire.advance(&mut |observation| sift.observe(Parsed::of(&observation))) {
        while let Some(change) = sift.poll() {
            if matches!(change.turn, Turn::Lapse { .. }) {
                lapsed.extend(change.device.map(|device| device.to_string()));
            }
        }
    }
    assert_eq!(lapsed, ["early@example.com", "late@example.com"]);
    assert!(Some(&900) <= sift.tally().lost.get("let-go-devices"), "{:?}", sift.tally().lost);
}
