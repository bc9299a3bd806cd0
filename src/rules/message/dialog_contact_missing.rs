//! M017: a message that makes or refreshes a dialog does not say where its sender is reached.

use crate::rules::{Breach, Check, Found, Group, Rule, Severity, Sorts, Tier, Verdict, quote};
use crate::sip::{HeaderName, Message, Method, StartLine, Status};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "M017",
    name: "dialog-contact-missing",
    aliases: &[],
    statement: "A message that creates or refreshes a dialog has no usable Contact.",
    tier: Tier::Core,
    severity: Severity::Error,
    refs: &[
        "RFC 3261 section 8.1.1.8",
        "RFC 3261 section 12.1.1",
        "RFC 3311 section 7",
        "RFC 3515 section 2",
        "RFC 6665 section 8.2",
    ],
    kinds: &[
        ("request", Severity::Error),
        ("request-multiple", Severity::Error),
        ("response", Severity::Error),
        ("reliable-1xx", Severity::Error),
        ("star", Severity::Error),
    ],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("dialog_contact_missing.md"),
    checks: &[Check::Message(SPOKEN_OF, check)],
};

/// Requests and responses that may create or refresh a dialog.
const SPOKEN_OF: Sorts = Sorts::INVITE
    .or(Sorts::MAKES_DIALOG)
    .or(Sorts::WITHIN_DIALOG)
    .or(Sorts::PROVISIONAL)
    .or(Sorts::SUCCESS);

fn check(message: &Message, found: &mut Found<'_>) -> Verdict {
    let kind = match &message.start {
        StartLine::Request(Method::Invite | Method::Subscribe | Method::Refer | Method::Update) => {
            "request"
        }
        StartLine::Request(_) => return Verdict::Moot,
        StartLine::Response(status) => match kind_of(message, *status) {
            Some(kind) => kind,
            None => return Verdict::Moot,
        },
    };
    if super::is_open_ended(message) {
        return Verdict::Undecided("header section without an end");
    }
    let me = found.subject;
    let what = || quote::what_to(message);
    let place = || quote::field(message, HeaderName::Contact);
    let mut contacts = message.elements(HeaderName::Contact);
    match (contacts.next(), contacts.count()) {
        (None, _) => found.add_kind(kind, || {
            let note = "no address for the requests that follow";
            Breach::new(format!("{} without Contact", what())).at(me, None, note)
        }),
        (Some(b"*"), _) => found.add_kind("star", || {
            Breach::new(format!("Contact * in {}", what())).at(
                me,
                place(),
                "* is for REGISTER only",
            )
        }),
        (Some(_), more @ 1..) if kind == "request" => found.add_kind("request-multiple", || {
            let title = format!("{} Contact values in {}", more + 1, what());
            Breach::new(title).at(me, place(), "exactly one is allowed")
        }),
        _ => {}
    }
    Verdict::Judged
}

/// The kind under which a response is judged.
fn kind_of(message: &Message, status: Status) -> Option<&'static str> {
    let makes_dialog = matches!(message.cseq()?.method, b"INVITE" | b"SUBSCRIBE" | b"UPDATE");
    match status.0 {
        101..=199 if message.value(HeaderName::RSeq).is_some() => Some("reliable-1xx"),
        200..=299 if makes_dialog => Some("response"),
        _ => None,
    }
}
