//! D001: a request in a dialog that does not exist.

use crate::model::{Dialog, MessageId, Transaction};
use crate::rules::{
    Breach, Case, Check, Found, Group, Rule, Severity, Sorts, Tier, Verdict, quote,
};
use crate::sip::{HeaderName, Message, Method, Status};
use crate::transport::Completeness;

pub(in crate::rules) const RULE: Rule = Rule {
    code: "D001",
    name: "request-outside-dialog",
    aliases: &[],
    statement: "BYE, PRACK, UPDATE, INFO or a re-INVITE is sent outside any dialog, or with tags of no known dialog.",
    tier: Tier::Core,
    severity: Severity::Error,
    refs: &[
        "RFC 3261 section 15",
        "RFC 3261 section 12.2.1.1",
        "RFC 3261 section 15.1.2",
        "RFC 3311 section 5.1",
        "RFC 3262 section 4",
        "RFC 6086 section 4.2.1",
    ],
    kinds: &[
        ("no-to-tag", Severity::Error),
        ("unknown-dialog", Severity::Error),
        ("tags-swapped", Severity::Error),
        ("tag-changed", Severity::Error),
    ],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("request_outside_dialog.md"),
    checks: &[Check::Sighting(Sorts::INVITE.or(Sorts::WITHIN_DIALOG), check)],
};

/// Requests and dialogs of one Call-ID that are looked through for each of its requests; a stranger
/// may make a hundred thousand.
const MOST: usize = 512;

fn check(id: MessageId, case: &Case<'_>, found: &mut Found<'_>) -> Verdict {
    let message = case.message(id);
    let is_invite = match message.method() {
        Some(Method::Bye | Method::Prack | Method::Update | Method::Info) => false,
        Some(Method::Invite) => true,
        _ => return Verdict::Moot,
    };
    if matches!(message.envelope.completeness, Completeness::Truncated | Completeness::Gap) {
        return Verdict::Undecided("message not whole");
    }
    let tags = (message.from_tag(), message.to_tag());
    // What has a tag is readable.
    let is_from_lost = tags.0.is_none() && message.from().is_none();
    if is_from_lost || (tags.1.is_none() && message.to().is_none()) {
        return Verdict::Undecided("From or To not readable");
    }
    match tags {
        (_, None) if is_invite => Verdict::Moot,
        (_, None) => {
            found.add_kind("no-to-tag", || {
                let note = "the tag of the far side is missing";
                let place = quote::field(message, HeaderName::To);
                let what = quote::what(message);
                Breach::new(format!("{what} outside a dialog: no To tag")).at(id, place, note)
            });
            Verdict::Judged
        }
        (None, _) => Verdict::Undecided("no From tag"),
        (Some(from), Some(to)) => judge_tags(id, (from, to), case, found),
    }
}

fn judge_tags(
    id: MessageId,
    (from, to): (&[u8], &[u8]),
    case: &Case<'_>,
    found: &mut Found<'_>,
) -> Verdict {
    let answer = answer(id, case);
    let judge_known = |dialog: &Dialog, found: &mut Found<'_>| {
        if is_swapped(id, from, dialog, case) && !is_accepted(answer) {
            report("tags-swapped", id, "the tags in each other's place", case, found);
        }
        Verdict::Judged
    };
    // A request is filed under the dialog that has its tags.
    let filed = case.flow.entry(id).dialog.map(|id| case.flow.dialog(id));
    let is_own = |dialog: &&Dialog| case.flow.joins(dialog, (from, to));
    if let Some(dialog) = filed.filter(is_own).filter(|dialog| is_made(dialog, case)) {
        return judge_known(dialog, found);
    }
    if MOST < case.flow.dialogs().len().max(case.flow.transactions.len()) {
        return Verdict::Undecided("too many requests of one Call-ID");
    }
    if let Some(dialog) = proven(case).find(is_own) {
        return judge_known(dialog, found);
    }
    let creators = creators(case);
    let Some(all_seen) = creators else {
        return Verdict::Undecided("the dialog began before the capture");
    };
    if !all_seen || case.vantage.dropped != 0 {
        return Verdict::Undecided("not all answers to the INVITE were captured");
    }
    if is_accepted(answer) {
        return Verdict::Judged;
    }
    let knows = |tag: &[u8]| proven(case).any(|dialog| case.flow.tags(dialog).contains(&tag));
    match (knows(from), knows(to)) {
        (true, true) => {
            report("unknown-dialog", id, "two tags that belong to different dialogs", case, found);
        }
        (false, false) => {
            report("unknown-dialog", id, "tags that no dialog of this Call-ID has", case, found);
        }
        (true, false) => report("tag-changed", id, "a To tag that no dialog has", case, found),
        (false, true) => report("tag-changed", id, "a From tag that no dialog has", case, found),
    }
    Verdict::Judged
}

fn report(kind: &'static str, id: MessageId, what: &str, case: &Case<'_>, found: &mut Found<'_>) {
    found.add_kind(kind, || {
        let message = case.message(id);
        let place = quote::field(message, HeaderName::To);
        let title = format!("{} with {what}", quote::what(message));
        let breach = Breach::new(title).at(id, place, "the tags of the request");
        proven(case).take(3).fold(breach, |breach, dialog| {
            let [caller, callee] = case.flow.tags(dialog).map(quote::text);
            breach.at(dialog.first, None, format!("a dialog of {caller} and {callee}"))
        })
    });
}

/// The dialogs that a response made. In a flow whose beginning was seen, a request that claims
/// another one proves nothing.
fn proven<'a>(case: &Case<'a>) -> impl Iterator<Item = &'a Dialog> {
    let is_complete = creators(case).is_some();
    case.flow.dialogs().iter().filter(move |dialog| !is_complete || is_made(dialog, case))
}

/// True for a dialog that a response made, or a request outside any dialog.
fn is_made(dialog: &Dialog, case: &Case<'_>) -> bool {
    dialog.creator.is_some() || !case.message(dialog.first).is_request()
}

/// The final response to request `id`.
fn answer(id: MessageId, case: &Case<'_>) -> Option<Status> {
    let transaction = case.transaction(case.flow.entry(id).transaction?);
    let mut statuses = transaction.responses.iter().filter_map(|id| case.message(*id).status());
    statuses.next_back().filter(|status| status.is_final())
}

/// A dialog restored after a crash may know more than the capture shows.
fn is_accepted(answer: Option<Status>) -> bool {
    answer.is_some_and(Status::is_success)
}

/// True when every request that makes a dialog was finally answered in the capture; `None` when
/// there is no such request.
fn creators(case: &Case<'_>) -> Option<bool> {
    let creates = |transaction: &&Transaction| {
        matches!(transaction.method, Method::Invite | Method::Subscribe | Method::Refer)
            && transaction.previous_hop.is_none()
            && transaction.request.is_some_and(|request| case.message(request).to_tag().is_none())
    };
    let is_answered = |transaction: &Transaction| {
        let mut answers = transaction.responses.iter().map(|id| case.message(*id));
        answers.any(|answer: &Message| answer.status().is_some_and(|status| 100 < status.0))
    };
    let mut creators = case.flow.transactions.iter().filter(creates).peekable();
    creators.peek()?;
    Some(creators.all(is_answered))
}

/// True when the request goes the way the INVITE went and yet calls its sender by the other's tag.
fn is_swapped(id: MessageId, from: &[u8], dialog: &Dialog, case: &Case<'_>) -> bool {
    let Some(creator) = dialog.creator else { return false };
    let hop = &case.transaction(creator).hop;
    let envelope = &case.message(id).envelope;
    let [caller, callee] = case.flow.tags(dialog);
    callee == from
        && caller != callee
        && hop.client().ip != hop.server().ip
        && hop.client() == envelope.from
        && hop.server() == envelope.to
        && is_told_apart(case)
}

/// True when no request of the flow shows the hosts in both roles with the right tags: then one
/// host speaks for both sides, and direction proves nothing.
fn is_told_apart(case: &Case<'_>) -> bool {
    let transactions = &case.flow.transactions;
    transactions.len() <= MOST
        && transactions.iter().all(|transaction| transaction.previous_hop.is_none())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::model::{CallFlow, Crossings, Seed, Vantage};
    use crate::rules::{FlowReport, Selection, Settings, check_flow};
    use crate::sip::message::tests::parsed;

    /// What is said of BYEs with these tags behind an INVITE that was forked to `forks`.
    fn judged(forks: usize, tags: &[&str]) -> FlowReport {
        let mut flow = CallFlow::new(Seed(7));
        let mut add = |line: &str, branch: &str, to: &str, cseq: &str| {
            let text = format!(
                "{line}\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK{branch}\r\nFrom: <sip:a@a>;tag=f\r\n\
                 To: <sip:b@b>{to}\r\nCall-ID: c\r\nCSeq: {cseq}\r\n\r\n"
            );
            flow.observe(parsed(text.as_bytes()).unwrap());
        };
        add("INVITE sip:b@b SIP/2.0", "i", "", "1 INVITE");
        for fork in 0..forks {
            add("SIP/2.0 200 OK", "i", &format!(";tag=t{fork}"), "1 INVITE");
        }
        for (tag, number) in tags.iter().zip(2..) {
            let cseq = format!("{number} BYE");
            add("BYE sip:b@b SIP/2.0", &cseq.replace(' ', ""), &format!(";tag={tag}"), &cseq);
        }
        let context = crate::rules::Context {
            vantage: &Vantage::default(),
            crossings: &Crossings::default(),
            selection: &Selection::parse(&["D001".to_owned()], &[]).unwrap(),
            settings: &Settings::default(),
        };
        check_flow(&flow, &context)
    }

    #[test]
    fn beyond_what_is_compared_only_known_tags_are_judged() {
        for (forks, found) in [(2, 1), (MOST, 1), (MOST + 1, 0)] {
            let report = judged(forks, &["t1", "unknown"]);
            assert_eq!(report.findings().count(), found, "{forks} forks");
        }
        assert_eq!(judged(MOST + 1, &["t1"]).findings().count(), 0);
    }
}
