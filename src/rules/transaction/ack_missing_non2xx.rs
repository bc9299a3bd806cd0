//! T004: nobody acknowledged the refusal of an INVITE.

use super::{MAY_BE_CUT, ONE_DIRECTION, STILL_OPEN, after, finals};
use crate::model::{Transaction, TransactionId};
use crate::rules::security::scanner_user_agent;
use crate::rules::{Breach, Case, Check, Found, Group, Rule, Severity, Tier, Verdict, quote};
use crate::sip::Method;

pub(in crate::rules) const RULE: Rule = Rule {
    code: "T004",
    name: "ack-missing-non2xx",
    aliases: &[],
    statement: "A 3xx–6xx answer to INVITE is never acknowledged on the same hop.",
    tier: Tier::Next,
    severity: Severity::Error,
    refs: &[
        "RFC 3261 section 17.1.1.2",
        "RFC 3261 section 17.1.1.3",
        "RFC 3261 section 17.2.1 (timer H)",
    ],
    kinds: &[],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("ack_missing_non2xx.md"),
    checks: &[Check::Transaction(check)],
};

fn check(id: TransactionId, case: &Case<'_>, found: &mut Found<'_>) -> Verdict {
    let transaction = case.transaction(id);
    if transaction.method != Method::Invite {
        return Verdict::Moot;
    }
    let refusal = finals(transaction, case).find(|(_, status)| !status.is_success());
    let Some((refusal, _)) = refusal else { return Verdict::Moot };
    if is_acknowledged(transaction, case) {
        return Verdict::Judged;
    }
    if !case.covers(refusal, case.settings.timeout) {
        return Verdict::Undecided(STILL_OPEN);
    }
    let hop = &transaction.hop;
    if !case.hears_client(hop) {
        return Verdict::Undecided(ONE_DIRECTION);
    }
    if case.may_hide(hop.client(), hop.server()) {
        return Verdict::Undecided(MAY_BE_CUT);
    }
    let request = transaction.request.map(|id| case.message(id));
    if request.is_some_and(scanner_user_agent::is_signed) {
        // Scanners never acknowledge; X001 tells of them.
        return Verdict::Moot;
    }
    found.add(|| {
        let what = quote::what_to(case.message(refusal));
        let breach = Breach::new(format!("{what} is never acknowledged")).at(
            refusal,
            None,
            "no ACK on this hop",
        );
        let copies = &transaction.response_copies;
        let breach = copies.iter().fold(breach, |breach, copy| {
            breach.at(*copy, None, format!("again, {}", after(case, refusal, *copy)))
        });
        // A server that got no ACK repeats itself; one that does not may have got it.
        let is_proven = !copies.is_empty() || transaction.hop.transport().is_reliable();
        let most = if is_proven { Severity::Error } else { Severity::Warning };
        breach.at_most(case.from_silence(most))
    });
    Verdict::Judged
}

/// True when an ACK of this INVITE was seen on the hop, even one that does not match (T005).
fn is_acknowledged(transaction: &Transaction, case: &Case<'_>) -> bool {
    !transaction.acks.is_empty()
        || case.acks().any(|message| {
            message.cseq().map(|cseq| cseq.number) == transaction.cseq
                && transaction.hop.joins(message.envelope.from, message.envelope.to)
        })
}
