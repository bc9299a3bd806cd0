//! T002: a request was taken up but never decided.

use super::{BEFORE_CAPTURE, MAY_BE_CUT, ONE_DIRECTION, STILL_OPEN, after, is_over};
use crate::model::{MessageId, TransactionId};
use crate::rules::{Breach, Case, Check, Found, Group, Rule, Severity, Tier, Verdict, quote};
use crate::sip::Method;

pub(in crate::rules) const RULE: Rule = Rule {
    code: "T002",
    name: "final-response-missing",
    aliases: &[],
    statement: "A request got provisional responses but never a final one.",
    tier: Tier::Core,
    severity: Severity::Warning,
    refs: &[
        "RFC 3261 section 17.1.2.2",
        "RFC 3261 section 16.6 item 11",
        "RFC 3261 section 16.8 (timer C)",
        "RFC 3261 section 13.3.1.1",
    ],
    kinds: &[],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("final_response_missing.md"),
    checks: &[Check::Transaction(check)],
};

fn check(id: TransactionId, case: &Case<'_>, found: &mut Found<'_>) -> Verdict {
    let transaction = case.transaction(id);
    let Some(last) = transaction.responses.last().copied() else { return Verdict::Moot };
    if is_over(transaction, case) {
        return Verdict::Judged;
    }
    let Some(request) = transaction.request else {
        return Verdict::Undecided(BEFORE_CAPTURE);
    };
    if transaction.cancel.is_some() || is_ended_otherwise(id, case) {
        return Verdict::Moot;
    }
    let is_pending_behind = transaction.next_hops.iter().any(|next| {
        let next = case.transaction(*next);
        !is_over(next, case)
    });
    if is_pending_behind {
        // The hop on which the chain breaks is the one to be judged.
        return Verdict::Moot;
    }
    let (since, wait) = if transaction.method == Method::Invite {
        let last = transaction.response_copies.iter().copied().fold(last, MessageId::max);
        (last, case.settings.timer_c)
    } else {
        (request, case.settings.timeout)
    };
    if !case.covers(since, wait) {
        return Verdict::Undecided(STILL_OPEN);
    }
    let hop = &transaction.hop;
    if !case.hears_server(hop) {
        return Verdict::Undecided(ONE_DIRECTION);
    }
    if case.may_hide(hop.server(), hop.client()) {
        return Verdict::Undecided(MAY_BE_CUT);
    }
    found.add(|| {
        let said = quote::what(case.message(last));
        let title = format!("{} got {said} and then no final response", transaction.method);
        Breach::new(title)
            .at(request, None, "the request")
            .at(
                last,
                None,
                format!("the last provisional response, {}", after(case, request, last)),
            )
            .at_most(case.from_silence(Severity::Warning))
    });
    Verdict::Judged
}

/// True when the dialog of the request is over, so that nobody waits for it.
fn is_ended_otherwise(id: TransactionId, case: &Case<'_>) -> bool {
    let dialog = case.transaction(id).dialog.map(|dialog| case.flow.dialog(dialog));
    dialog.is_some_and(|dialog| dialog.ended.is_some())
}
