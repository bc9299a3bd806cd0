//! S013: an offer that hangs in the air.

use crate::model::{Exchange, MessageId, Note, TransactionId};
use crate::rules::{Breach, Case, Check, Found, Group, Rule, Severity, Tier, Verdict, quote};
use crate::sip::{HeaderName, Method, StartLine};
use crate::transport::Completeness;

pub(in crate::rules) const RULE: Rule = Rule {
    code: "S013",
    name: "offer-unanswered",
    aliases: &[],
    statement: "An SDP offer never gets an answer, or a required offer is missing.",
    tier: Tier::Core,
    severity: Severity::Error,
    refs: &[
        "RFC 3261 section 13.2.1",
        "RFC 3261 section 13.2.2.4",
        "RFC 3261 section 13.3.1.4",
        "RFC 3261 section 14.2",
        "RFC 3262 section 5",
        "RFC 3311 section 5.2",
    ],
    kinds: &[
        ("2xx-without-answer", Severity::Error),
        ("2xx-without-offer", Severity::Error),
        ("ack-without-answer", Severity::Error),
        ("prack-without-answer", Severity::Error),
        ("update-2xx-without-answer", Severity::Error),
    ],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("offer_unanswered.md"),
    checks: &[Check::Exchange(check_answer), Check::Transaction(check_offer)],
};

fn check_answer(exchange: &Exchange, case: &Case<'_>, found: &mut Found<'_>) -> Verdict {
    let Some(at) = exchange.unanswered_by else {
        return if exchange.answer.is_some() { Verdict::Judged } else { Verdict::Moot };
    };
    if case.flow.entry(at).note != Note::New {
        return Verdict::Moot;
    }
    let message = case.message(at);
    let kind = match &message.start {
        StartLine::Request(Method::Ack) => "ack-without-answer",
        StartLine::Request(_) => "prack-without-answer",
        StartLine::Response(_) => match message.cseq().map(|cseq| cseq.method) {
            Some(b"UPDATE") => "update-2xx-without-answer",
            Some(b"PRACK") => return Verdict::Moot,
            _ => "2xx-without-answer",
        },
    };
    found.add_kind(kind, || {
        let offer = exchange.offer.message;
        let what = quote::what_to(message);
        let title = format!(
            "{what} without the answer to the offer in {}",
            quote::what_to(case.message(offer))
        );
        let note = match exchange.previews.first() {
            Some(_) => "no SDP; that of the unreliable 18x before it does not count as the answer",
            None => "no SDP",
        };
        let breach = Breach::new(title).at(at, None, note).at(
            offer,
            Some(case.message(offer).body_span()),
            "the offer",
        );
        match exchange.previews.first() {
            Some(preview) => breach.at(preview.message, None, "SDP in an unreliable response"),
            None => breach,
        }
    });
    Verdict::Judged
}

/// An INVITE without offer asks for one in its first reliable answer.
fn check_offer(id: TransactionId, case: &Case<'_>, found: &mut Found<'_>) -> Verdict {
    let transaction = case.transaction(id);
    let Some(request) = transaction.request.filter(|_| transaction.method == Method::Invite) else {
        return Verdict::Moot;
    };
    if !is_empty(request, case) {
        return Verdict::Moot;
    }
    let mut verdict = Verdict::Moot;
    for answer in &transaction.responses {
        let message = case.message(*answer);
        let is_first = case.flow.entry(*answer).note == Note::New;
        if !is_first || !message.status().is_some_and(crate::sip::Status::is_success) {
            continue;
        }
        verdict = Verdict::Judged;
        if !is_empty(*answer, case) || is_offered_before(transaction, *answer, case) {
            continue;
        }
        found.add_kind("2xx-without-offer", || {
            Breach::new(format!(
                "{} without an offer, to an INVITE without one",
                quote::what_to(message)
            ))
            .at(*answer, None, "no SDP")
            .at(request, None, "no SDP here either")
        });
    }
    verdict
}

/// True when the message certainly has no body.
fn is_empty(id: MessageId, case: &Case<'_>) -> bool {
    let message = case.message(id);
    message.body().is_empty() && message.envelope.completeness == Completeness::Whole
}

/// True when a reliable provisional response carried an offer.
fn is_offered_before(
    transaction: &crate::model::Transaction,
    answer: MessageId,
    case: &Case<'_>,
) -> bool {
    transaction.responses.iter().filter(|id| **id < answer).any(|id| {
        let message = case.message(*id);
        message.value(HeaderName::RSeq).is_some() && !message.body().is_empty()
    })
}
