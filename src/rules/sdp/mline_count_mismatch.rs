//! S009: streams lost between offer and answer.

use super::{description, lines};
use crate::model::{Exchange, Hop, MessageId, Note};
use crate::rules::{Breach, Case, Check, Found, Group, Rule, Severity, Tier, Verdict};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "S009",
    name: "mline-count-mismatch",
    aliases: &[],
    statement: "The answer has another number of m= lines than the offer, or a new offer has fewer than before.",
    tier: Tier::Core,
    severity: Severity::Error,
    refs: &["RFC 3264 section 6", "RFC 3264 section 8"],
    kinds: &[("answer", Severity::Error), ("reoffer", Severity::Error)],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("mline_count_mismatch.md"),
    checks: &[Check::Exchange(check_answer), Check::Flow(check_reoffers)],
};

fn check_answer(exchange: &Exchange, case: &Case<'_>, found: &mut Found<'_>) -> Verdict {
    let (offer, Some(answer)) = (exchange.offer.message, exchange.answer) else {
        return Verdict::Moot;
    };
    let answer = answer.message;
    if case.flow.entry(answer).note != Note::New {
        return Verdict::Moot;
    }
    let (Some(offered), Some(answered)) = (streams(offer, case), streams(answer, case)) else {
        return Verdict::Undecided("offer or answer not whole");
    };
    if offered != answered {
        found.add_kind("answer", || {
            let title = format!("Answer with {answered} m= lines to an offer with {offered}");
            Breach::new(title).at(answer, Some(case.message(answer).body_span()), "the answer").at(
                offer,
                Some(case.message(offer).body_span()),
                "the offer",
            )
        });
    }
    Verdict::Judged
}

/// A later offer may add streams and switch them off, but never take one away.
fn check_reoffers(case: &Case<'_>, found: &mut Found<'_>) -> Verdict {
    let mut verdict = Verdict::Moot;
    for (at, later) in case.flow.exchanges().iter().enumerate() {
        let offer = later.offer.message;
        if later.dialog.is_none() || case.flow.entry(offer).note != Note::New {
            continue;
        }
        let before = case.flow.exchanges().iter().take(at).rev().find(|earlier| {
            earlier.dialog == later.dialog
                && earlier.answer.is_some()
                && earlier.offer.message != offer
                && is_same_hop(&earlier.hop, &later.hop)
        });
        let Some((before, answer)) = before.and_then(|b| Some((b.offer.message, b.answer?))) else {
            continue;
        };
        let counts = (streams(before, case), streams(answer.message, case), streams(offer, case));
        let (Some(old), Some(agreed), Some(new)) = counts else { continue };
        verdict = Verdict::Judged;
        if new < old.min(agreed) {
            found.add_kind("reoffer", || {
                let title = format!("New offer with {new} m= lines after one with {old}");
                Breach::new(title)
                    .at(offer, Some(case.message(offer).body_span()), "the new offer")
                    .at(before, Some(case.message(before).body_span()), "the offer before")
            });
        }
    }
    verdict
}

fn streams(id: MessageId, case: &Case<'_>) -> Option<usize> {
    let body = description(case.message(id)).ok()?;
    Some(lines(body).filter(|(letter, _)| *letter == b'm').count())
}

/// True for the same two hosts, whoever of them asks.
fn is_same_hop(one: &Hop, other: &Hop) -> bool {
    let pair =
        |hop: &Hop| (hop.client().ip.min(hop.server().ip), hop.client().ip.max(hop.server().ip));
    pair(one) == pair(other)
}
