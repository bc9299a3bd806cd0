//! T001: nobody answered a request.

use super::{BEFORE_CAPTURE, MAY_BE_CUT, ONE_DIRECTION, STILL_OPEN, after};
use crate::model::{EvidenceKind, MessageId, Transaction, TransactionId};
use crate::rules::{Breach, Case, Check, Found, Group, Rule, Severity, Tier, Verdict, quote};
use crate::sip::Method;
use crate::transport::ConnectionChange;

pub(in crate::rules) const RULE: Rule = Rule {
    code: "T001",
    name: "request-timeout",
    aliases: &[],
    statement: "A request got no response at all within 64*T1 (32 s).",
    tier: Tier::Core,
    severity: Severity::Warning,
    refs: &[
        "RFC 3261 section 17.1.1.2 (timer B)",
        "RFC 3261 section 17.1.2.2 (timer F)",
        "RFC 3261 section 8.1.3.1",
    ],
    kinds: &[("no-response", Severity::Warning), ("reset-by-icmp", Severity::Info)],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("request_timeout.md"),
    checks: &[Check::Transaction(check)],
};

fn check(id: TransactionId, case: &Case<'_>, found: &mut Found<'_>) -> Verdict {
    let transaction = case.transaction(id);
    if transaction.method == Method::Ack {
        return Verdict::Moot;
    }
    let Some(request) = transaction.request else {
        return Verdict::Undecided(BEFORE_CAPTURE);
    };
    if !transaction.responses.is_empty() {
        return Verdict::Judged;
    }
    if let Some(cause) = cause(transaction, case) {
        found.add_kind("reset-by-icmp", || {
            let to = transaction.hop.server();
            let title = format!("{} to {to} got no response: {cause}", transaction.method);
            tries(Breach::new(title), transaction, case, request)
        });
        return Verdict::Judged;
    }
    if !transaction.next_hops.is_empty() {
        // The hop on which the chain breaks is the one to be judged.
        return Verdict::Moot;
    }
    if !case.covers(request, case.settings.timeout) {
        return Verdict::Undecided(STILL_OPEN);
    }
    let hop = &transaction.hop;
    if !case.hears_server(hop) {
        return Verdict::Undecided(ONE_DIRECTION);
    }
    if case.may_hide(hop.server(), hop.client()) {
        return Verdict::Undecided(MAY_BE_CUT);
    }
    if is_answered_elsewhere(transaction, case) {
        return Verdict::Undecided("a response came outside the transaction");
    }
    found.add_kind("no-response", || {
        let to = transaction.hop.server();
        let title = format!("{} to {to} got no response", transaction.method);
        let severity = case.from_silence(Severity::Warning);
        tries(Breach::new(title), transaction, case, request).at_most(severity)
    });
    Verdict::Judged
}

/// Adds the request and its retransmissions.
fn tries(breach: Breach, transaction: &Transaction, case: &Case<'_>, request: MessageId) -> Breach {
    let copies = &transaction.request_copies;
    copies.iter().fold(breach.at(request, None, "first sent"), |breach, copy| {
        breach.at(*copy, None, format!("again, {}", after(case, request, *copy)))
    })
}

/// What ICMP or TCP said about the request.
fn cause(transaction: &Transaction, case: &Case<'_>) -> Option<&'static str> {
    let mine =
        |id: MessageId| transaction.request == Some(id) || transaction.request_copies.contains(&id);
    case.flow.evidence.iter().filter(|evidence| evidence.about.is_some_and(mine)).find_map(
        |evidence| match evidence.kind {
            EvidenceKind::Icmp(kind) => Some(quote::icmp(kind)),
            EvidenceKind::Connection(ConnectionChange::Refused) => Some("connection refused"),
            EvidenceKind::Connection(ConnectionChange::Reset) => Some("connection reset"),
            EvidenceKind::Connection(ConnectionChange::TlsAlert(_)) => {
                Some("a fatal TLS alert on its connection")
            }
            EvidenceKind::Connection(_) | EvidenceKind::Media(_) => None,
        },
    )
}

/// True when a response with this CSeq was seen whose branch leads nowhere.
fn is_answered_elsewhere(transaction: &Transaction, case: &Case<'_>) -> bool {
    let is_same =
        |other: &Transaction| other.method == transaction.method && other.cseq == transaction.cseq;
    case.unasked().any(is_same)
}
