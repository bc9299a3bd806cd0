//! The registration audit: how often devices really register, and what it means
//! (RFC 3261 section 10, RFC 5626, RFC 6076, GB/T 28181 sections 9.1 and 9.6).
//!
//! Transactions become attempts, attempts change bindings, bindings cover time or do not. Refresh,
//! retry and attempt intervals are kept apart, since they mean different things; what the capture
//! cannot show is counted as unknown, never guessed.

mod attempt;
mod bindings;
mod builder;
pub mod date;
mod device;
mod fleet;
pub mod identity;
mod keepalive;
mod numbers;
pub mod platform;
mod policy;
mod probers;
pub mod series;
mod step;
mod window;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::model::vantage::ConnectionEnd;
use crate::model::{CallFlow, Model};
use crate::sip::{HeaderName, Message};
pub use attempt::{GrantSource, Kind, Outcome, Record, Trigger};
pub use device::{Device, Judged, Series};
pub use fleet::{Fleet, MassLoss, Storm};
pub use keepalive::{Answer, Beat, Keepalives};
pub use platform::Platform;
pub use policy::{Expect, Policy, Profile, Tolerance};
use probers::Probers;
use step::{Step, Steps};
pub use window::{Cause, Lapse, Window};

/// The audit of one input.
#[derive(Clone, Debug, Default)]
pub struct Audit {
    /// What was looked at.
    pub window: Window,
    /// Devices by registrar, in order of first appearance.
    pub devices: Vec<Device>,
    /// All devices together.
    pub fleet: Fleet,
    /// Devices of an inventory that were not seen.
    pub absent: Vec<String>,
}

/// Whom a policy is looked up for.
#[derive(Clone, Copy, Debug)]
pub struct Applicant<'a> {
    /// GB identifier, or user@host.
    pub device: &'a str,
    /// GB identifier, or host.
    pub registrar: &'a str,
    /// Where its first REGISTER came from.
    pub source: IpAddr,
    /// User-Agent of its first REGISTER.
    pub user_agent: &'a str,
}

/// What an audit is made by.
#[derive(Clone, Copy)]
pub struct Terms<'a> {
    /// What each device is judged by.
    pub policy: &'a dyn Fn(&Applicant<'_>) -> Arc<Policy>,
    /// Stretches known to be missing, beside those between files.
    pub gaps: &'a [series::Stretch],
    /// Which call flows are looked at.
    pub flows: &'a dyn Fn(&CallFlow) -> bool,
    /// Whether a request is signed by a scanner.
    pub hostile: &'a dyn Fn(&Message) -> bool,
}

impl Audit {
    /// Audits all of `model`, every device by `policy`.
    pub fn by(model: &Model, policy: Policy) -> Self {
        let policy = Arc::new(policy);
        Self::of(
            model,
            &Terms {
                policy: &|_| Arc::clone(&policy),
                gaps: &[],
                flows: &|_| true,
                hostile: &|_| false,
            },
        )
    }
}

/// A device of the input before it is audited.
struct Row<'a> {
    device: String,
    registrar: String,
    registers: Vec<Step<'a>>,
    /// How many addresses a prober tried.
    probed: Option<usize>,
}

impl Audit {
    /// Audits the registrations of `model`.
    pub fn of(model: &Model, terms: &Terms<'_>) -> Self {
        let steps = Steps::of(model, terms.flows);
        let vantage = &model.vantage;
        let gaps = series::joined([vantage.gaps(), terms.gaps.to_vec()].concat());
        let window = Window {
            from: vantage.first,
            until: vantage.last,
            gaps,
            one_sided: !steps.responses_seen,
            resolution: steps.resolution,
        };
        let mut keepalives: BTreeMap<String, Vec<Step<'_>>> = BTreeMap::new();
        for step in steps.keepalives {
            let from = step.request.from().map(|a| identity::device(a.uri)).unwrap_or_default();
            keepalives.entry(from).or_default().push(step);
        }
        let mut orphans: BTreeMap<String, Vec<&Message>> = BTreeMap::new();
        for orphan in steps.orphans {
            let to = orphan.to().map(|a| identity::device(a.uri)).unwrap_or_default();
            orphans.entry(to).or_default().push(orphan);
        }
        let mut ends: FxHashMap<u32, Vec<ConnectionEnd>> = FxHashMap::default();
        for end in &vantage.ends {
            ends.entry(end.connection).or_default().push(*end);
        }
        let audit = |row: Row<'_>| {
            let Row { device, registrar, registers, probed } = row;
            let policy = (terms.policy)(&applicant(&device, &registrar, &registers));
            let used: BTreeSet<u32> =
                registers.iter().map(|s| s.request.envelope.connection).collect();
            let mut ends: Vec<ConnectionEnd> =
                used.iter().filter_map(|c| ends.get(c)).flatten().copied().collect();
            ends.sort_by_key(|end| end.time);
            let is_gb = policy.profile.is_gb().unwrap_or(identity::is_gb_id(&device));
            let mut builder = builder::Builder::new(policy, &window, ends, is_gb);
            let first = registers.first().map(Step::first);
            for orphan in orphans.get(&device).into_iter().flatten() {
                if first.is_none_or(|first| orphan.envelope.time <= first) {
                    builder.orphan(orphan);
                }
            }
            for step in registers {
                builder.register(step);
            }
            let keepalives = keepalives.get(&device).map_or(&[][..], Vec::as_slice);
            let mut device = builder.finish(device, registrar, keepalives, &vantage.pings);
            device.probed = probed;
            device
        };
        let probers = probers::find(&steps.registers, terms.hostile);
        let devices: Vec<Device> = rows(steps.registers, &probers).into_iter().map(audit).collect();
        Self { fleet: Fleet::of(&devices, &window), window, devices, absent: Vec::new() }
    }
}

/// Registrations by device and registrar, in order of first appearance; those of probers by source.
fn rows<'a>(registers: Vec<Step<'a>>, probers: &Probers) -> Vec<Row<'a>> {
    let mut places: FxHashMap<(String, String), usize> = FxHashMap::default();
    let mut rows: Vec<Row<'_>> = Vec::new();
    for step in registers {
        let envelope = &step.request.envelope;
        let probed = probers.get(&envelope.from.ip).copied();
        let (device, registrar) = match probed {
            Some(_) => (format!("prober {}", envelope.from.ip), envelope.to.ip.to_string()),
            None => {
                let to = step.request.to().map(|a| identity::device(a.uri)).unwrap_or_default();
                (to, identity::registrar(step.request.request_uri().unwrap_or_default()))
            }
        };
        let place = *places.entry((device.clone(), registrar.clone())).or_insert_with(|| {
            rows.push(Row { device, registrar, registers: Vec::new(), probed });
            rows.len() - 1
        });
        rows[place].registers.push(step);
    }
    rows
}

fn applicant<'a>(device: &'a str, registrar: &'a str, registers: &'a [Step<'_>]) -> Applicant<'a> {
    let first = registers.first().map(|step| step.request);
    let agent = first.and_then(|request| request.value(HeaderName::UserAgent)).unwrap_or_default();
    Applicant {
        device,
        registrar,
        source: first.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |r| r.envelope.from.ip),
        user_agent: std::str::from_utf8(agent).unwrap_or_default(),
    }
}

/// True when a message uses header `X-GB-Ver` (GB/T 28181-2022 annex I).
pub fn states_version(message: &crate::sip::Message) -> bool {
    message.value(HeaderName::XGbVer).is_some()
}
