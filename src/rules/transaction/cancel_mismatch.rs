//! T006: a CANCEL that cancels nothing.

use super::finals;
use crate::model::{MessageId, TransactionId};
use crate::rules::{Breach, Case, Check, Found, Group, Rule, Severity, Tier, Verdict, quote};
use crate::sip::{HeaderName, Message, Method};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "T006",
    name: "cancel-mismatch",
    aliases: &[],
    statement: "A CANCEL does not match a pending INVITE.",
    tier: Tier::Core,
    severity: Severity::Error,
    refs: &["RFC 3261 section 9.1", "RFC 3261 section 9.2"],
    kinds: &[
        ("no-matching-request", Severity::Error),
        ("request-uri", Severity::Error),
        ("identity", Severity::Error),
        ("cseq-number", Severity::Error),
        ("multiple-via", Severity::Error),
        ("route", Severity::Warning),
        ("other-destination", Severity::Error),
    ],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("cancel_mismatch.md"),
    checks: &[Check::Transaction(check)],
};

fn check(id: TransactionId, case: &Case<'_>, found: &mut Found<'_>) -> Verdict {
    let transaction = case.transaction(id);
    let Some(cancel) = transaction.request.filter(|_| transaction.method == Method::Cancel) else {
        return Verdict::Moot;
    };
    let target = transaction.target.and_then(|target| case.transaction(target).request);
    match target {
        Some(invite) => {
            compare(cancel, invite, case, found);
            Verdict::Judged
        }
        None => without_target(id, cancel, case, found),
    }
}

/// CANCEL and INVITE share branch and hop: all the rest must be equal.
fn compare(cancel: MessageId, invite: MessageId, case: &Case<'_>, found: &mut Found<'_>) {
    let (own, other) = (case.message(cancel), case.message(invite));
    let mut differ = |kind: &'static str, name: Option<HeaderName>, what: &str| {
        found.add_kind(kind, || {
            let place = |message: &Message| name.and_then(|name| quote::field(message, name));
            Breach::new(format!("CANCEL differs from its INVITE in {what}"))
                .at(cancel, place(own), "the CANCEL")
                .at(invite, place(other), "the INVITE it must repeat")
        });
    };
    // Behind a stateless proxy INVITE and CANCEL have more than one alike (section 16.11).
    let vias = |message: &Message| message.elements(HeaderName::Via).count();
    if vias(other) < vias(own) {
        differ("multiple-via", Some(HeaderName::Via), "the number of Vias");
    }
    if own.request_uri() != other.request_uri() {
        differ("request-uri", None, "Request-URI");
    }
    if own.cseq().map(|cseq| cseq.number) != other.cseq().map(|cseq| cseq.number) {
        differ("cseq-number", Some(HeaderName::CSeq), "CSeq number");
    }
    for (name, what) in [(HeaderName::From, "From"), (HeaderName::To, "To")] {
        let identity = |message: &Message| {
            let address = if name == HeaderName::From { message.from() } else { message.to() };
            address.map(|address| (address.uri.to_vec(), address.tag().map(<[u8]>::to_vec)))
        };
        if identity(own) != identity(other) {
            differ("identity", Some(name), what);
        }
    }
    if !own.elements(HeaderName::Route).eq(other.elements(HeaderName::Route)) {
        differ("route", Some(HeaderName::Route), "Route");
    }
}

fn without_target(
    id: TransactionId,
    cancel: MessageId,
    case: &Case<'_>,
    found: &mut Found<'_>,
) -> Verdict {
    let transaction = case.transaction(id);
    let message = case.message(cancel);
    let invites = || {
        case.invites().filter(|(other, request)| {
            *request < cancel && other.hop.client().ip == transaction.hop.client().ip
        })
    };
    let branch = |message: &Message| {
        message.top_via().and_then(|via| via.branch().map(<[u8]>::to_vec)).unwrap_or_default()
    };
    let own = branch(message);
    if let Some((_, invite)) = invites().find(|(_, invite)| branch(case.message(*invite)) == own) {
        found.add_kind("other-destination", || {
            let (here, there) = (message.envelope.to, case.message(invite).envelope.to);
            Breach::new(format!("CANCEL to {here}, its INVITE went to {there}"))
                .at(cancel, None, "the CANCEL")
                .at(invite, None, "the INVITE")
        });
        return Verdict::Judged;
    }
    let number = message.cseq().map(|cseq| cseq.number);
    let alike = invites().filter(|(other, invite)| {
        other.hop.joins(message.envelope.from, message.envelope.to)
            && case.message(*invite).from_tag() == message.from_tag()
    });
    let alike = alike.max_by_key(|(other, invite)| (other.cseq == number, *invite));
    let refused = finals(transaction, case).find(|(_, status)| status.0 == 481);
    if alike.is_none() && refused.is_none() {
        return Verdict::Undecided("the INVITE may have been sent before the capture");
    }
    found.add_kind("no-matching-request", || {
        let via = |message: &Message| quote::field(message, HeaderName::Via);
        let mut breach = Breach::new("CANCEL with a branch that no INVITE on this hop has").at(
            cancel,
            via(message),
            "the branch of the CANCEL",
        );
        if let Some((_, invite)) = alike {
            breach = breach.at(invite, via(case.message(invite)), "the branch of the INVITE");
        }
        match refused {
            Some((refusal, _)) => breach.at(refusal, None, "the server knows no such INVITE"),
            None => breach,
        }
    });
    Verdict::Judged
}
