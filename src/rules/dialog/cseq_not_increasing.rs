//! D004: numbers that do not count up.

use smallvec::SmallVec;

use crate::model::{DialogId, MessageId, Note, TransactionId};
use crate::rules::{Breach, Case, Check, Found, Group, Rule, Severity, Tier, Verdict, quote};
use crate::sip::{HeaderName, Message, Method};
use crate::time::SECOND;

pub(in crate::rules) const RULE: Rule = Rule {
    code: "D004",
    name: "cseq-not-increasing",
    aliases: &[],
    statement: "The CSeq number of a new in-dialog request is not higher than the previous one from the same side.",
    tier: Tier::Core,
    severity: Severity::Error,
    refs: &["RFC 3261 section 12.2.1.1", "RFC 3261 section 12.2.2"],
    kinds: &[("repeated", Severity::Error), ("lower", Severity::Error), ("gap", Severity::Info)],
    pedantic: &["gap"],
    group: Group::Flow,
    page: include_str!("cseq_not_increasing.md"),
    checks: &[Check::Dialog(check)],
};

fn check(id: DialogId, case: &Case<'_>, found: &mut Found<'_>) -> Verdict {
    let mut verdict = Verdict::Moot;
    let own: SmallVec<[(MessageId, &Message); 8]> = numbered(id, case).collect();
    for side in case.flow.tags(case.flow.dialog(id)) {
        let mut last: Option<(MessageId, u32)> = first_of(id, side, case);
        for (at, message) in &own {
            let is_next =
                message.from_tag() == Some(side) && last.is_none_or(|(before, _)| before < *at);
            let Some(cseq) = is_next.then(|| message.cseq()).flatten() else { continue };
            if let Some((before, number)) = last {
                verdict = Verdict::Judged;
                compare((before, number), (*at, cseq.number), case, found);
            }
            let highest = last.map_or(cseq.number, |(_, number)| number.max(cseq.number));
            last = Some((*at, highest));
        }
    }
    verdict
}

/// The requests within dialog `id` that have numbers of their own.
fn numbered<'a>(id: DialogId, case: &Case<'a>) -> impl Iterator<Item = (MessageId, &'a Message)> {
    let entries = case.within_dialog().filter(move |(_, entry)| {
        entry.note == Note::New
            && entry.dialog == Some(id)
            && entry.message.method() != Some(&Method::Ack)
    });
    entries.map(|(at, entry)| (at, &entry.message))
}

/// The request that made the dialog, when `side` sent it.
fn first_of(id: DialogId, side: &[u8], case: &Case<'_>) -> Option<(MessageId, u32)> {
    let creator: TransactionId = case.flow.dialog(id).creator?;
    let request = case.transaction(creator).request?;
    let message = case.message(request);
    (message.from_tag() == Some(side)).then_some((request, message.cseq()?.number))
}

fn compare(
    (before, highest): (MessageId, u32),
    (at, number): (MessageId, u32),
    case: &Case<'_>,
    found: &mut Found<'_>,
) {
    let (message, earlier) = (case.message(at), case.message(before));
    let what = quote::what(message);
    let (kind, title) = if number == highest {
        if !is_same_way(message, earlier) {
            // The same request, tried at another server (RFC 3263 section 4.3).
            return;
        }
        ("repeated", format!("{what} repeats CSeq number {number}"))
    } else if number < highest {
        let is_late = case.time(at).since(case.time(before)) <= SECOND;
        if is_late && !is_refused(at, case) {
            // Datagrams may overtake each other.
            return;
        }
        ("lower", format!("{what} has CSeq number {number} after {highest}"))
    } else if highest.saturating_add(1) < number {
        ("gap", format!("{what} has CSeq number {number} after {highest}"))
    } else {
        return;
    };
    found.add_kind(kind, || {
        Breach::new(title).at(at, quote::field(message, HeaderName::CSeq), "the request").at(
            before,
            quote::field(earlier, HeaderName::CSeq),
            "the one before it",
        )
    });
}

fn is_same_way(one: &Message, other: &Message) -> bool {
    one.envelope.to == other.envelope.to && one.envelope.transport == other.envelope.transport
}

/// True when the request was answered 500, as section 12.2.2 demands of a number too low.
fn is_refused(id: MessageId, case: &Case<'_>) -> bool {
    let transaction = case.flow.entry(id).transaction.map(|at| case.transaction(at));
    transaction.is_some_and(|transaction| {
        let mut answers = transaction.responses.iter().map(|id| case.message(*id).status());
        answers.any(|status| status.is_some_and(|status| status.0 == 500))
    })
}
