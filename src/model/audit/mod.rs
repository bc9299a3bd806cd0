//! The registration audit: how often devices really register, and what it means
//! (RFC 3261 section 10, RFC 5626, RFC 6076, GB/T 28181 sections 9.1 and 9.6).
//!
//! Transactions become attempts, attempts change bindings, bindings cover time or do not. Refresh,
//! retry and attempt intervals are kept apart, since they mean different things; what the capture
//! cannot show is counted as unknown, never guessed.
//!
//! A [`Watch`] takes in what happens in the order of the capture and holds few octets for each
//! attempt; the [`Audit`] it ends in works out one device at a time. A [`Lookout`](lookout::Lookout) tells what
//! changes while it changes.

mod arena;
mod attempt;
mod beats;
mod bindings;
mod closed;
pub mod date;
mod device;
mod fleet;
pub mod identity;
mod keepalive;
mod ledger;
mod log;
pub mod lookout;
mod numbers;
mod options;
mod past;
mod places;
pub mod platform;
mod policy;
mod probers;
mod record;
mod registrars;
mod report;
pub mod series;
mod shapes;
mod spread;
mod step;
mod transports;
mod watch;
mod window;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::limits::{Limits, Tally};
use crate::model::vantage::Pings;
use crate::model::{CallFlow, Model};
use crate::net::Endpoint;
use crate::sip::Message;
use crate::time::Timestamp;
use arena::Arena;
pub use attempt::{GrantSource, Kind, Outcome};
pub use device::{Device, Judged, Series};
pub use fleet::{Fleet, MassLoss, Storm, Surge};
pub use keepalive::{Answer, Keepalives, Pulse};
use ledger::Ledger;
pub use options::Options;
use options::Sums;
pub use past::Past;
pub use platform::Platform;
pub use policy::{Expect, Policy, Profile, Tolerance};
pub use record::{CallId, Record, Shape, Trigger};
pub use report::{Heartbeat, Report};
pub use step::{Beat, Event};
use watch::Subject;
pub use watch::Watch;
pub use window::{Cause, Lapse, Window};

/// The audit of one input.
#[derive(Debug, Default)]
pub struct Audit {
    /// What was looked at.
    pub window: Window,
    /// All devices together.
    pub fleet: Fleet,
    /// Devices of an inventory that were not seen.
    pub absent: Vec<String>,
    /// What the operator calls devices.
    pub names: BTreeMap<String, String>,
    /// What had to be let go on the way.
    pub let_go: Tally,
    /// Devices by registrar, in order of first appearance.
    rows: Vec<Ledger>,
    subjects: Vec<Subject>,
    registrars: Vec<Box<str>>,
    shapes: Vec<Arc<Shape>>,
    arena: Arena,
    pings: Arc<BTreeMap<Endpoint, Pings>>,
    options: Sums,
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
    /// Stretches known to be missing, beside those between files, of an input that begins then.
    pub gaps: &'a dyn Fn(Timestamp) -> Vec<series::Stretch>,
    /// Which call flows are looked at.
    pub flows: &'a dyn Fn(&CallFlow) -> bool,
    /// Whether a request is signed by a scanner.
    pub hostile: &'a dyn Fn(&Message) -> bool,
    /// Of which devices the texts of Call-IDs are kept, for a page of each.
    pub pages: &'a dyn Fn(&str) -> bool,
}

impl Audit {
    /// Audits all of `model`, every device by `policy`.
    pub fn by(model: &Model, policy: Policy) -> Self {
        let policy = Arc::new(policy);
        Self::of(
            model,
            &Limits::default(),
            &Terms {
                policy: &|_| Arc::clone(&policy),
                gaps: &|_| Vec::new(),
                flows: &|_| true,
                hostile: &|_| false,
                pages: &|_| true,
            },
        )
    }

    /// Audits the registrations of `model` within `limits`.
    pub fn of(model: &Model, limits: &Limits, terms: &Terms<'_>) -> Self {
        let mut watch = Watch::new(*terms, limits, model.seed);
        watch.begin(model.vantage.first);
        let mut events = Vec::new();
        for flow in &model.flows {
            for entry in &flow.messages {
                watch.see(&entry.message);
            }
            if (terms.flows)(flow) {
                Event::of_flow(flow, terms.hostile, &mut events);
            }
        }
        events.sort_by_key(|(seq, _)| *seq);
        let mut ends = model.vantage.ends.iter().copied().peekable();
        for (_, event) in events {
            let now = event.time();
            while let Some(end) = ends.next_if(|end| end.time <= now) {
                watch.push(Event::End(end));
            }
            watch.push(event);
        }
        ends.for_each(|end| watch.push(Event::End(end)));
        watch.finish(&model.vantage)
    }

    /// How many rows there are: devices, each once for each registrar.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// True when nobody registers.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// All that is known of the device at `place`, worked out anew.
    pub fn device(&self, place: usize) -> Option<Device> {
        self.rows.get(place).map(|row| self.work_out(row))
    }

    /// All devices, one at a time.
    pub fn devices(&self) -> impl Iterator<Item = Device> + '_ {
        self.rows.iter().map(|row| self.work_out(row))
    }

    /// The places of the rows in which the device at `place` registers elsewhere.
    pub fn elsewhere(&self, place: usize) -> impl Iterator<Item = usize> + '_ {
        let subject = self.rows.get(place).and_then(|row| self.subjects.get(row.device as usize));
        let rows = subject.into_iter().flat_map(|subject| subject.rows.iter());
        rows.map(|row| *row as usize).filter(move |row| *row != place)
    }

    /// How many devices and how many registrars there are.
    pub fn counts(&self) -> (usize, usize) {
        let distinct = |of: fn(&Ledger) -> u32| {
            self.rows.iter().map(of).collect::<std::collections::BTreeSet<u32>>().len()
        };
        (distinct(|row| row.device), distinct(|row| row.registrar))
    }

    /// The identifier of the device at `place` and that of its registrar.
    pub fn ids(&self, place: usize) -> (&str, &str) {
        let Some(row) = self.rows.get(place) else { return ("", "") };
        (self.device_id(row), self.registrar_id(row))
    }

    fn device_id(&self, row: &Ledger) -> &str {
        self.subjects.get(row.device as usize).map(|subject| &*subject.name).unwrap_or_default()
    }

    fn registrar_id(&self, row: &Ledger) -> &str {
        self.registrars.get(row.registrar as usize).map(|name| &**name).unwrap_or_default()
    }
}
