//! T012: a message sent again and again.

use super::{after, same_answer};
use crate::model::{MessageId, Transaction, TransactionId};
use crate::rules::{Breach, Case, Check, Found, Group, Rule, Severity, Tier, Verdict, quote};
use crate::sip::{HeaderName, Method};
use crate::time::SECOND;

/// INVITEs so far apart keep a NAT binding open (RFC 3581 section 3).
const REFRESH: i64 = 15 * SECOND;

pub(in crate::rules) const RULE: Rule = Rule {
    code: "T012",
    name: "retransmission-excessive",
    aliases: &[],
    statement: "A message was retransmitted several times.",
    tier: Tier::Core,
    severity: Severity::Warning,
    refs: &[
        "RFC 3261 section 17.1.1.2",
        "RFC 3261 section 17.1.2.2",
        "RFC 3261 section 17.2.1",
        "RFC 3261 section 13.3.1.4",
    ],
    kinds: &[
        ("request", Severity::Warning),
        ("response", Severity::Warning),
        ("reliable-1xx", Severity::Warning),
    ],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("retransmission_excessive.md"),
    checks: &[Check::Transaction(check)],
};

fn check(id: TransactionId, case: &Case<'_>, found: &mut Found<'_>) -> Verdict {
    let transaction = case.transaction(id);
    let most = case.settings.retransmissions;
    if let Some(request) = transaction.request {
        let copies = request_copies(transaction, request, case);
        if most <= copies.len() {
            let answered = transaction
                .responses
                .iter()
                .find(|response| copies.last().is_some_and(|last| **response < *last));
            let note = match answered {
                Some(_) => "an answer had passed here: it is lost on its way to the sender",
                None => "no answer had passed here: the loss is beyond this point",
            };
            report("request", request, &copies, note, case, found);
        }
    }
    for response in &transaction.responses {
        let copies: Vec<MessageId> = transaction
            .response_copies
            .iter()
            .copied()
            .filter(|copy| same_answer(case, *response, *copy))
            .collect();
        if most <= copies.len() {
            let message = case.message(*response);
            let is_provisional = message.status().is_some_and(crate::sip::Status::is_provisional);
            let kind = match (is_provisional, message.value(HeaderName::RSeq)) {
                (false, _) => "response",
                (true, Some(_)) => "reliable-1xx",
                // Unreliable ones may be sent as often as the server likes (section 13.3.1.1).
                (true, None) => continue,
            };
            let acknowledged =
                transaction.acks.iter().any(|ack| copies.last().is_some_and(|last| *ack < *last));
            let note = match (acknowledged, kind) {
                (true, _) => {
                    "an ACK had passed here: it did not reach or did not satisfy the sender"
                }
                (false, "reliable-1xx") => "no PRACK reached the sender",
                (false, _) => "nothing that would stop it had passed here",
            };
            report(kind, *response, &copies, note, case, found);
        }
    }
    Verdict::Judged
}

fn request_copies(
    transaction: &Transaction,
    request: MessageId,
    case: &Case<'_>,
) -> Vec<MessageId> {
    let mut before = request;
    let mut copies = Vec::new();
    for copy in &transaction.request_copies {
        let gap = case.time(*copy).since(case.time(before));
        let is_refresh = transaction.method == Method::Invite
            && REFRESH <= gap
            && transaction.responses.iter().any(|response| response < copy);
        // What differs was written anew, under a branch that was used before.
        let is_equal = case.message(*copy).text() == case.message(request).text();
        if is_equal && !is_refresh {
            copies.push(*copy);
        }
        before = *copy;
    }
    copies
}

fn report(
    kind: &'static str,
    first: MessageId,
    copies: &[MessageId],
    note: &str,
    case: &Case<'_>,
    found: &mut Found<'_>,
) {
    found.add_kind(kind, || {
        let what = quote::what_to(case.message(first));
        let title = format!("{what} sent {} times", copies.len() + 1);
        copies.iter().fold(Breach::new(title).at(first, None, note), |breach, copy| {
            breach.at(*copy, None, format!("again, {}", after(case, first, *copy)))
        })
    });
}
