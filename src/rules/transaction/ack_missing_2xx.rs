//! T003: nobody acknowledged that a call was answered.

use super::{BEFORE_CAPTURE, MAY_BE_CUT, STILL_OPEN, after, finals, same_answer};
use crate::model::{MessageId, Transaction, TransactionId};
use crate::rules::{Breach, Case, Check, Found, Group, Rule, Severity, Tier, Verdict, quote};
use crate::sip::{Contact, HeaderName, Message, Method, Uri};

/// Copies of a 2xx that prove that its sender got no ACK.
const REPEATED: usize = 2;

pub(in crate::rules) const RULE: Rule = Rule {
    code: "T003",
    name: "ack-missing-2xx",
    aliases: &[],
    statement: "A 2xx answer to INVITE is never acknowledged.",
    tier: Tier::Core,
    severity: Severity::Error,
    refs: &["RFC 3261 section 13.2.2.4", "RFC 3261 section 13.3.1.4", "RFC 6026 section 7.1"],
    kinds: &[("missing", Severity::Error), ("not-seen-here", Severity::Info)],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("ack_missing_2xx.md"),
    checks: &[Check::Transaction(check)],
};

fn check(id: TransactionId, case: &Case<'_>, found: &mut Found<'_>) -> Verdict {
    let transaction = case.transaction(id);
    // The ACK goes from end to end: the hop nearest the caller stands for all.
    if transaction.method != Method::Invite || transaction.previous_hop.is_some() {
        return Verdict::Moot;
    }
    let mut verdict = Verdict::Moot;
    for (answer, _) in finals(transaction, case).filter(|(_, status)| status.is_success()) {
        verdict = judge(transaction, answer, case, found);
    }
    verdict
}

fn judge(
    transaction: &Transaction,
    answer: MessageId,
    case: &Case<'_>,
    found: &mut Found<'_>,
) -> Verdict {
    let message = case.message(answer);
    if is_acknowledged(message, case) {
        return Verdict::Judged;
    }
    if transaction.request.is_none() {
        return Verdict::Undecided(BEFORE_CAPTURE);
    }
    if !case.covers(answer, case.settings.timeout) {
        return Verdict::Undecided(STILL_OPEN);
    }
    let copies: Vec<MessageId> = transaction
        .response_copies
        .iter()
        .copied()
        .filter(|copy| same_answer(case, answer, *copy))
        .collect();
    let is_repeated = REPEATED <= copies.len();
    let hop = &transaction.hop;
    if !is_repeated && case.may_hide(hop.client(), hop.server()) {
        return Verdict::Undecided(MAY_BE_CUT);
    }
    let proof = proof(transaction, message, is_repeated, case);
    found.add_kind(if proof.is_some() { "missing" } else { "not-seen-here" }, || {
        let what = quote::what_to(message);
        let title = match proof {
            Some(_) => format!("{what} is never acknowledged"),
            None => format!("No ACK of the {what} passed here"),
        };
        let place = quote::field(message, HeaderName::Contact);
        let note = proof.unwrap_or("the ACK may have taken another way");
        let breach = Breach::new(title).at(answer, place, note);
        let breach = copies.iter().fold(breach, |breach, copy| {
            breach.at(*copy, None, format!("again, {}", after(case, answer, *copy)))
        });
        breach.at_most(case.from_silence(Severity::Error))
    });
    Verdict::Judged
}

/// True when an ACK of this CSeq and these tags was seen anywhere.
fn is_acknowledged(answer: &Message, case: &Case<'_>) -> bool {
    let number = answer.cseq().map(|cseq| cseq.number);
    case.acks().any(|message| {
        message.cseq().map(|cseq| cseq.number) == number
            && message.from_tag() == answer.from_tag()
            // An ACK with another To tag is a fault of its own (T005).
            && (message.to_tag() == answer.to_tag() || is_alone(case, answer))
    })
}

/// True when no other fork answered with a 2xx.
fn is_alone(case: &Case<'_>, answer: &Message) -> bool {
    !case.flow.messages.iter().map(|entry| &entry.message).any(|other| {
        other.status().is_some_and(crate::sip::Status::is_success)
            && other.cseq() == answer.cseq()
            && other.to_tag() != answer.to_tag()
    })
}

/// Why an ACK would have been seen here (guard PATH).
fn proof(
    transaction: &Transaction,
    answer: &Message,
    is_repeated: bool,
    case: &Case<'_>,
) -> Option<&'static str> {
    if is_repeated {
        return Some("sent again and again: no ACK reached its sender");
    }
    let hop = &transaction.hop;
    let crosses = case.within_dialog().map(|(_, entry)| &entry.message).any(|message| {
        message.from_tag() == answer.from_tag()
            && message.to_tag() == answer.to_tag()
            && hop.joins(message.envelope.from, message.envelope.to)
    });
    if crosses {
        return Some("other requests of the caller in this dialog do pass here");
    }
    let invite = case.message(transaction.request?);
    let from_caller = contact_host(invite)? == hop.client().ip.to_string().as_bytes();
    let to_server = answer.value(HeaderName::RecordRoute).is_some()
        || contact_host(answer)? == hop.server().ip.to_string().as_bytes();
    (from_caller && to_server).then_some("here is where the caller would have sent it")
}

fn contact_host(message: &Message) -> Option<&[u8]> {
    match message.contacts().next()? {
        Contact::Address(address) => Uri::parse(address.uri).map(|uri| uri.host),
        Contact::Star => None,
    }
}
