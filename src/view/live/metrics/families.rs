//! Which numbers are shown, under which names, with which labels.

use std::collections::BTreeMap;

use super::registrations::STATES;
use super::text::{Family, Kind, Value};
use super::{CAUSES, Exposition, METHODS, Registrar, Registrations, Snapshot};
use crate::limits::REASONS;
use crate::transport::Transport;

/// All families of one page.
pub(super) fn of(snapshot: &Snapshot, exposition: &mut Exposition) -> Vec<Family> {
    let mut families = traffic(snapshot, exposition);
    families.extend(health(snapshot));
    if let Some(registrations) = &snapshot.registrations {
        families.extend(registered(registrations, exposition));
    }
    families
}

fn counter(name: &'static str, help: &'static str) -> Family {
    Family::new(Kind::Counter, name, help)
}

fn gauge(name: &'static str, help: &'static str) -> Family {
    Family::new(Kind::Gauge, name, help)
}

fn traffic(snapshot: &Snapshot, exposition: &mut Exposition) -> Vec<Family> {
    // What an alert may ask for is there before it happens for the first time.
    let requests = snapshot.requests.iter().map(|(method, count)| (method.as_str(), *count));
    let requests = exposition.methods.fold(METHODS.iter().map(|name| (*name, 0)).chain(requests));
    let classes = (1..=6).map(|class| (class, snapshot.responses.get(&class).copied()));
    let responses = classes.map(|(class, count)| (format!("{class}xx"), count.unwrap_or_default()));
    let latest = snapshot.latest.map(Value::Float);
    vec![
        gauge("siplens_build_info", "Always 1; the version of siplens.")
            .with([("version", env!("CARGO_PKG_VERSION"))], Value::Whole(1)),
        counter("siplens_packets", "Packets read.").alone(snapshot.packets),
        counter("siplens_packet_bytes", "Octets these packets had on the wire.")
            .alone(snapshot.octets),
        gauge(
            "siplens_latest_packet_timestamp_seconds",
            "Time of the latest packet since the epoch.",
        )
        .rows(latest.map(|latest| (Vec::new(), latest))),
        counter("siplens_messages", "SIP messages found.")
            .by("transport", known(Transport::ALL.map(Transport::word), &snapshot.messages)),
        counter("siplens_requests", "SIP requests found.").by("method", requests),
        counter("siplens_responses", "SIP responses found.").by("class", responses),
    ]
}

fn health(snapshot: &Snapshot) -> Vec<Family> {
    let dropped = snapshot.drops.iter().flat_map(|(interface, drops)| {
        let by = [("kernel", drops.by_kernel), ("interface", drops.by_interface)];
        by.map(|(by, count)| (named([("interface", interface), ("by", by)]), Value::Whole(count)))
    });
    vec![
        counter(
            "siplens_capture_drops",
            "Packets lost before they could be read; each makes what is missing suspect.",
        )
        .rows(dropped),
        counter("siplens_losses", "What is missing, was not understood or let go.")
            .by("reason", known(REASONS.iter().copied(), &snapshot.losses)),
        gauge("siplens_flows", "Call flows held: of --list, --check and --ladder.")
            .alone(snapshot.flows),
        gauge("siplens_held_bytes", "Memory that these flows hold.").alone(snapshot.held),
        counter("siplens_unwritten_packets", "Packets that could not be kept.")
            .alone(snapshot.unwritten),
        gauge("siplens_queue_bytes", "Captured packets that wait to be read.")
            .alone(snapshot.queue),
    ]
}

/// The same with 0 for each of `words` that has not been counted.
fn known(
    words: impl IntoIterator<Item = &'static str>,
    counts: &BTreeMap<&'static str, u64>,
) -> impl Iterator<Item = (String, u64)> {
    let mut all: BTreeMap<&'static str, u64> = words.into_iter().map(|word| (word, 0)).collect();
    all.extend(counts);
    all.into_iter().map(|(word, count)| (word.to_owned(), count))
}

fn counted(counts: &BTreeMap<&'static str, u64>) -> impl Iterator<Item = (String, u64)> {
    counts.iter().map(|(label, count)| ((*label).to_owned(), *count))
}

type Labels = Vec<(&'static str, String)>;

fn named<const N: usize>(labels: [(&'static str, &str); N]) -> Labels {
    labels.map(|(name, value)| (name, value.to_owned())).into()
}

fn registered(registrations: &Registrations, exposition: &mut Exposition) -> Vec<Family> {
    let registrars = folded(&registrations.registrars, exposition);
    let mut families = by_registrar(&registrars, exposition);
    let findings = registrations.findings.iter().map(|((rule, severity), count)| {
        (named([("rule", rule), ("severity", severity)]), Value::Whole(*count))
    });
    families.extend([
        counter("siplens_reg_keepalive_timeouts", "Devices that went silent and so offline.")
            .alone(registrations.keepalive_timeouts),
        counter("siplens_reg_flow_changes", "Devices that came from another address.")
            .by("kind", counted(&registrations.flow_changes)),
        gauge("siplens_reg_storm", "1 while many devices register at once.")
            .alone(u64::from(registrations.storm)),
        gauge("siplens_reg_findings", "Findings about registrations that hold.").rows(findings),
    ]);
    families
}

/// The registrars by label.
fn folded(
    registrars: &BTreeMap<String, Registrar>,
    exposition: &mut Exposition,
) -> BTreeMap<String, Registrar> {
    let mut folded: BTreeMap<String, Registrar> = BTreeMap::new();
    for (name, numbers) in registrars {
        folded.entry(exposition.registrars.label(name)).or_default().add(numbers);
    }
    folded
}

fn by_registrar(
    registrars: &BTreeMap<String, Registrar>,
    exposition: &mut Exposition,
) -> Vec<Family> {
    let mut devices = gauge("siplens_reg_devices", "Devices by state of their registration.");
    let mut attempts = counter("siplens_reg_attempts", "Attempts to register that ended.");
    let mut delay = Family::new(
        Kind::Histogram,
        "siplens_reg_request_delay_seconds",
        "Time from REGISTER to 2xx, challenge included (RFC 6076).",
    );
    let mut ratio = Family::new(
        Kind::Histogram,
        "siplens_reg_refresh_ratio",
        "Share of the time granted that had passed at the refresh.",
    );
    let mut lapses = counter("siplens_reg_lapses", "Times a device was left without a binding.");
    let mut lapsed = counter("siplens_reg_lapsed_seconds", "Time devices had no binding.");
    let mut challenges = counter("siplens_reg_challenges", "Challenges (401, 407).");
    let mut keepalives = counter("siplens_reg_keepalives", "Keepalives by what came of them.");
    for (registrar, numbers) in registrars {
        let own = named([("registrar", registrar)]);
        devices = devices.each(&own, "state", known(STATES, &numbers.devices));
        attempts = attempts.rows(tried(&own, numbers, exposition));
        delay = delay.rows([(own.clone(), Value::Histogram(numbers.request_delay.clone()))]);
        ratio = ratio.rows([(own.clone(), Value::Histogram(numbers.refresh_ratio.clone()))]);
        let causes = numbers.lapses.iter().map(|(cause, count)| (cause.as_str(), *count));
        let causes = CAUSES.iter().map(|cause| (*cause, 0)).chain(causes);
        lapses = lapses.each(&own, "cause", exposition.causes.fold(causes));
        lapsed = lapsed.rows([(own.clone(), Value::Float(numbers.lapsed_seconds))]);
        let stale = [("true", numbers.stale_challenges), ("false", numbers.challenges)];
        challenges =
            challenges.each(&own, "stale", stale.map(|(stale, count)| (stale.to_owned(), count)));
        keepalives = keepalives.each(&own, "result", counted(&numbers.keepalives));
    }
    vec![devices, attempts, delay, ratio, lapses, lapsed, challenges, keepalives]
}

/// Attempts with their labels; `code` is empty where nothing answered.
fn tried(own: &Labels, numbers: &Registrar, exposition: &mut Exposition) -> Vec<(Labels, Value)> {
    let mut folded: BTreeMap<_, u64> = BTreeMap::new();
    for (attempts, count) in &numbers.attempts {
        let code = attempts.code.map(|code| exposition.codes.label(&code.to_string()));
        let key = (attempts.kind, attempts.outcome, code.unwrap_or_default());
        *folded.entry(key).or_default() += count;
    }
    let rows = folded.into_iter().map(|((kind, outcome, code), count)| {
        let mut labels = own.clone();
        labels.extend(named([("kind", kind), ("outcome", outcome), ("code", &code)]));
        (labels, Value::Whole(count))
    });
    rows.collect()
}
