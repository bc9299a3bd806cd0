//! T009: a response that does not repeat its request.

use super::BEFORE_CAPTURE;
use crate::model::{MessageId, Note, TransactionId};
use crate::rules::{Breach, Case, Check, Found, Group, Rule, Severity, Tier, Verdict, quote};
use crate::sip::{HeaderName, Message, NameAddr, Uri, Via};
use crate::transport::{Completeness, scan};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "T009",
    name: "response-not-echoed",
    aliases: &[],
    statement: "A response does not repeat the request's Via, From, Call-ID, CSeq or To.",
    tier: Tier::Core,
    severity: Severity::Error,
    refs: &["RFC 3261 section 8.2.6.2", "RFC 3261 section 17.1.3"],
    kinds: &[
        ("from", Severity::Error),
        ("to", Severity::Error),
        ("call-id", Severity::Error),
        ("cseq", Severity::Error),
        ("via-stack", Severity::Error),
    ],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("response_not_echoed.md"),
    checks: &[Check::Transaction(check), Check::Flow(check_call_id)],
};

fn check(id: TransactionId, case: &Case<'_>, found: &mut Found<'_>) -> Verdict {
    let transaction = case.transaction(id);
    let Some(request) = transaction.request else {
        return Verdict::Undecided(BEFORE_CAPTURE);
    };
    if transaction.responses.is_empty() {
        return Verdict::Moot;
    }
    for response in &transaction.responses {
        let envelope = &case.message(*response).envelope;
        let is_own = transaction.hop.joins(envelope.to, envelope.from);
        // A copy sent on repeats what the next hop broke.
        let is_first = !matches!(case.flow.entry(*response).note, Note::Forwarded(_));
        let is_whole = |id: MessageId| {
            !matches!(
                case.message(id).envelope.completeness,
                Completeness::Truncated | Completeness::Gap
            )
        };
        if is_own && is_first && is_whole(*response) && is_whole(request) {
            compare(request, *response, case, found);
        }
    }
    Verdict::Judged
}

/// Responses that repeat the branch of a request of another flow.
fn check_call_id(case: &Case<'_>, found: &mut Found<'_>) -> Verdict {
    for crossing in case.crossings.strayed_in(case.flow.id) {
        let said = case.message(crossing.message);
        found.add_kind("call-id", || {
            let call_id = quote::text(said.call_id().unwrap_or_default());
            let title = format!("{} changes the Call-ID: {call_id}", quote::what_to(said));
            Breach::new(title)
                .at(crossing.message, quote::field(said, HeaderName::CallId), "the response")
                .elsewhere(crossing.other, "the request it must repeat, with the same branch")
        });
    }
    // Counted with the check of transactions.
    Verdict::Moot
}

fn compare(request: MessageId, response: MessageId, case: &Case<'_>, found: &mut Found<'_>) {
    let (asked, said) = (case.message(request), case.message(response));
    let mut differ = |kind: &'static str, name: HeaderName, what: &str| {
        found.add_kind(kind, || {
            let value = |message: &Message| {
                quote::text(message.value(name).unwrap_or_default()).into_owned()
            };
            let title = format!("{} changes {what}: {}", quote::what_to(said), value(said));
            Breach::new(title).at(response, quote::field(said, name), "the response").at(
                request,
                quote::field(asked, name),
                "the request it must repeat",
            )
        });
    };
    if asked.value(HeaderName::From) != said.value(HeaderName::From)
        && let (Some(one), Some(other)) = (asked.from(), said.from())
        && (!same_uri(&one, &other) || one.tag() != other.tag())
    {
        differ("from", HeaderName::From, "From");
    }
    if !is_to_repeated(asked, said)
        && let (Some(one), Some(other)) = (asked.to(), said.to())
        && (!same_uri(&one, &other) || (one.tag().is_some() && one.tag() != other.tag()))
    {
        differ("to", HeaderName::To, "To");
    }
    if let (Some(one), Some(other)) = (asked.cseq(), said.cseq())
        && (one.number != other.number || one.method != other.method)
    {
        differ("cseq", HeaderName::CSeq, "CSeq");
    }
    if !are_vias_repeated(asked, said) && !same_vias(asked, said) {
        differ("via-stack", HeaderName::Via, "the Vias");
    }
}

/// True when the To of the request stands at the start of that of the response, and what follows
/// can only be the tag the server added.
fn is_to_repeated(asked: &Message, said: &Message) -> bool {
    let (Some(one), Some(other)) = (asked.value(HeaderName::To), said.value(HeaderName::To)) else {
        return false;
    };
    let is_bracketed = || {
        one.ends_with(b">")
            && (one.starts_with(b"<")
                || scan::find_any(one, [b'<', b';']).is_some_and(|at| one[at] == b'<'))
    };
    let added = other.strip_prefix(one);
    added.is_some_and(|added| added.is_empty() || (added.starts_with(b";tag=") && is_bracketed()))
}

/// True when two addresses name the same: host in any case, escapes read, parameters left out.
fn same_uri(one: &NameAddr<'_>, other: &NameAddr<'_>) -> bool {
    if one.uri == other.uri {
        return true;
    }
    let (Some(a), Some(b)) = (Uri::parse(one.uri), Uri::parse(other.uri)) else { return true };
    let user = |uri: &Uri<'_>| uri.user.map(unescape).unwrap_or_default();
    a.scheme.eq_ignore_ascii_case(b.scheme)
        && a.host.eq_ignore_ascii_case(b.host)
        // Many servers write addresses anew and drop the port, which From and To need not have.
        && a.port.unwrap_or(5060) == b.port.unwrap_or(5060)
        && user(&a) == user(&b)
}

fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, tail)) = rest.split_first() {
        let code = (*first == b'%').then(|| tail.get(..2)).flatten();
        let octet = code
            .and_then(|code| std::str::from_utf8(code).ok())
            .and_then(|code| u8::from_str_radix(code, 16).ok());
        match octet {
            Some(octet) => {
                out.push(octet);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    out
}

/// True when the Vias are those of the request as they stand, but for parameters of the topmost
/// other than its branch: so it is nearly always, and they need not be taken apart.
fn are_vias_repeated(asked: &Message, said: &Message) -> bool {
    let mut others = said.values(HeaderName::Via);
    asked.values(HeaderName::Via).enumerate().all(|(at, one)| {
        let Some(other) = others.next() else { return false };
        one == other || (at == 0 && is_hop_repeated(one, other) && is_branch_repeated(asked, said))
    }) && others.next().is_none()
}

/// True when all before the parameters is the same.
fn is_hop_repeated(one: &[u8], other: &[u8]) -> bool {
    scan::find(one, b';').is_some_and(|end| other.starts_with(&one[..=end]))
}

fn is_branch_repeated(asked: &Message, said: &Message) -> bool {
    let branch = asked.plain_branch();
    branch.is_some() && branch == said.plain_branch()
}

/// True when both have the same Vias in the same order, received and rport left out.
fn same_vias(asked: &Message, said: &Message) -> bool {
    let same = |one: Via<'_>, other: Via<'_>| {
        one.host.eq_ignore_ascii_case(other.host)
            && one.port.unwrap_or(5060) == other.port.unwrap_or(5060)
            && one.branch() == other.branch()
    };
    let mut said = said.vias();
    asked.vias().all(|one| said.next().is_some_and(|other| same(one, other)))
        && said.next().is_none()
}
