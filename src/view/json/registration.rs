//! A registration as a row of machine output.

use serde::Serialize;

use super::call::millis;
use super::{Record, octets};
use crate::model::Registration;
use crate::view::clock::Rfc3339;
use crate::view::registrations::Figures;
use crate::view::subject::Subject;

/// One address-of-record at one registrar: a row of `siplens registrations`.
#[derive(Serialize)]
#[allow(missing_docs)]
pub struct RegistrationRecord<'a> {
    pub aor: &'a str,
    pub registrar: &'a str,
    pub contact: Option<&'a str>,
    pub src: Option<String>,
    pub sport: Option<u16>,
    pub dst: Option<String>,
    pub dport: Option<u16>,
    pub attempts: usize,
    pub accepted: usize,
    pub rejected: usize,
    pub unanswered: usize,
    pub removals: usize,
    pub retransmissions: u64,
    pub status: Option<u16>,
    pub requested: Option<u32>,
    pub granted: Option<u32>,
    pub interval_min_ms: Option<f64>,
    pub interval_median_ms: Option<f64>,
    pub interval_max_ms: Option<f64>,
    pub first: Option<String>,
    pub last: Option<String>,
    pub call_ids: Vec<String>,
    pub frames: Vec<u64>,
}

impl Record for RegistrationRecord<'_> {
    const LIST: &'static str = "registrations";
    const KEYS: &'static [&'static str] = &[
        "aor",
        "registrar",
        "contact",
        "src",
        "sport",
        "dst",
        "dport",
        "attempts",
        "accepted",
        "rejected",
        "unanswered",
        "removals",
        "retransmissions",
        "status",
        "requested",
        "granted",
        "interval_min_ms",
        "interval_median_ms",
        "interval_max_ms",
        "first",
        "last",
        "call_ids",
        "frames",
    ];
}

impl<'a> RegistrationRecord<'a> {
    /// Of `registration`; `frames` are those of the first request of each attempt.
    pub fn of(subject: &Subject<'a>, registration: &'a Registration) -> Self {
        let figures = Figures::of(registration);
        let attempts = &registration.attempts;
        let last = attempts.last();
        let requests = attempts.iter().filter_map(|attempt| attempt.transactions.first());
        let mut call_ids: Vec<String> = Vec::new();
        let mut frames = Vec::new();
        for (flow_id, transaction) in requests {
            let flow = subject.flow(*flow_id);
            let call_id = octets(flow.call_id()).into_owned();
            if call_ids.last() != Some(&call_id) {
                call_ids.push(call_id);
            }
            let request = flow.transaction(*transaction).request;
            frames.extend(request.map(|id| flow.message(id).envelope.frame.number));
        }
        Self {
            aor: &registration.aor,
            registrar: &registration.registrar,
            contact: last.and_then(|attempt| attempt.contact.as_deref()),
            src: last.map(|attempt| attempt.source.ip.to_string()),
            sport: last.map(|attempt| attempt.source.port),
            dst: last.map(|attempt| attempt.target.ip.to_string()),
            dport: last.map(|attempt| attempt.target.port),
            attempts: attempts.len(),
            accepted: figures.accepted,
            rejected: figures.rejected,
            unanswered: figures.unanswered,
            removals: figures.removals,
            retransmissions: attempts.iter().map(|a| u64::from(a.retransmissions)).sum(),
            status: last.and_then(|attempt| attempt.status).map(|status| status.0),
            requested: figures.requested,
            granted: figures.granted,
            interval_min_ms: millis(figures.interval.map(|interval| interval.min)),
            interval_median_ms: millis(figures.interval.map(|interval| interval.median)),
            interval_max_ms: millis(figures.interval.map(|interval| interval.max)),
            first: attempts.first().map(|attempt| Rfc3339::text(attempt.time)),
            last: last.map(|attempt| Rfc3339::text(attempt.time)),
            call_ids,
            frames,
        }
    }
}
