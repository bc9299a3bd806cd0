//! The registration audit: how often devices really register, and what it means
//! (RFC 3261 section 10, RFC 5626, RFC 6076, GB/T 28181 sections 9.1 and 9.6).
//!
//! Transactions become attempts, attempts change bindings, bindings cover time or do not. Refresh,
//! retry and attempt intervals are kept apart, since they mean different things; what the capture
//! cannot show is counted as unknown, never guessed.

mod attempt;
mod bindings;
pub mod date;
mod device;
pub mod identity;
mod keepalive;
mod policy;
pub mod series;
mod step;

use std::collections::{BTreeMap, VecDeque};

use crate::model::Model;
use crate::sip::HeaderName;
pub use attempt::{GrantSource, Kind, Outcome, Record};
pub use device::{Cause, Device, Lapse, Window};
pub use keepalive::Keepalives;
pub use policy::{Expect, Policy, Tolerance};
use step::{Step, Steps};

/// The audit of one input.
#[derive(Clone, Debug, Default)]
pub struct Audit {
    /// What was looked at.
    pub window: Window,
    /// Devices by registrar, in order of first appearance.
    pub devices: Vec<Device>,
}

/// The end of a TCP connection: when (nanoseconds since the epoch), and which.
pub type ConnectionEnd = (i64, u32);

impl Audit {
    /// Audits all registrations of `model`. `gaps` are stretches in which nothing was captured;
    /// `ends` are the ends of TCP connections, in time order.
    pub fn of(
        model: &Model,
        policy: &dyn Fn(&str) -> Policy,
        gaps: Vec<series::Stretch>,
        ends: &[ConnectionEnd],
    ) -> Self {
        let steps = Steps::of(model);
        let vantage = &model.vantage;
        let one_sided = !steps.responses_seen;
        let window = Window { from: vantage.first, until: vantage.last, gaps, one_sided };
        let mut keepalives: BTreeMap<String, Vec<Step<'_>>> = BTreeMap::new();
        for step in steps.keepalives {
            let from = step.request.from().map(|a| identity::device(a.uri)).unwrap_or_default();
            keepalives.entry(from).or_default().push(step);
        }
        // Rows in order of first appearance.
        let mut places: BTreeMap<(String, String), usize> = BTreeMap::new();
        let mut rows: Vec<(String, String, Vec<Step<'_>>)> = Vec::new();
        for step in steps.registers {
            let device = step.request.to().map(|a| identity::device(a.uri)).unwrap_or_default();
            let registrar = identity::registrar(step.request.request_uri().unwrap_or_default());
            let place = *places.entry((device.clone(), registrar.clone())).or_insert_with(|| {
                rows.push((device, registrar, Vec::new()));
                rows.len() - 1
            });
            rows[place].2.push(step);
        }
        let devices = rows
            .into_iter()
            .map(|(device, registrar, registers)| {
                let policy = policy(&device);
                let used: std::collections::BTreeSet<u32> =
                    registers.iter().map(|s| s.request.envelope.connection).collect();
                let counts = policy.close_ends_binding.unwrap_or(identity::is_gb_id(&device));
                let ends: VecDeque<ConnectionEnd> = ends
                    .iter()
                    .filter(|(_, connection)| counts && used.contains(connection))
                    .copied()
                    .collect();
                let mut builder = device::Builder::new(&policy, &window, ends);
                let first = registers.first().map(Step::first);
                for orphan in &steps.orphans {
                    let to = orphan.to().map(|a| identity::device(a.uri)).unwrap_or_default();
                    if to == device && first.is_none_or(|first| orphan.envelope.time <= first) {
                        builder.orphan(orphan);
                    }
                }
                for step in registers {
                    builder.register(step);
                }
                let keepalives = keepalives.get(&device).map_or(&[][..], Vec::as_slice);
                builder.finish(device.clone(), registrar, keepalives)
            })
            .collect();
        Self { window, devices }
    }
}

/// True when a message uses header `X-GB-Ver` (GB/T 28181-2022 annex I).
pub fn states_version(message: &crate::sip::Message) -> bool {
    message.value(HeaderName::XGbVer).is_some()
}
