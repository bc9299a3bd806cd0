//! M009: the topmost Via has no branch that names its transaction.

use std::collections::BTreeMap;

use smallvec::SmallVec;

use crate::model::{Entry, Note};
use crate::rules::{
    Breach, Case, Check, Found, Group, Rule, Severity, Sorts, Tier, Verdict, quote,
};
use crate::sip::{HeaderName, Message, Method, Via};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "M009",
    name: "via-branch-invalid",
    aliases: &[],
    statement: "The top Via of a request has no unique branch starting with `z9hG4bK`.",
    tier: Tier::Core,
    severity: Severity::Error,
    refs: &["RFC 3261 section 8.1.1.7", "RFC 3261 section 17.2.3", "RFC 3261 section 20.42"],
    kinds: &[
        ("missing", Severity::Error),
        ("no-cookie", Severity::Error),
        ("cookie-only", Severity::Error),
        ("reused", Severity::Error),
    ],
    pedantic: &[],
    group: Group::Sender,
    page: include_str!("via_branch_invalid.md"),
    checks: &[Check::Message(Sorts::REQUESTS, check), Check::Flow(check_reuse)],
};

/// What a branch of RFC 3261 begins with.
const COOKIE: &[u8] = b"z9hG4bK";

fn check(message: &Message, found: &mut Found<'_>) -> Verdict {
    if !message.is_request() {
        return Verdict::Moot;
    }
    if message.plain_branch().is_some() {
        return Verdict::Judged;
    }
    let Some(via) = message.top_via() else { return Verdict::Undecided("no readable Via") };
    let (kind, what) = match via.branch() {
        None => ("missing", "with no branch in its Via".to_owned()),
        Some([]) => ("missing", "with an empty branch in its Via".to_owned()),
        Some(branch) if branch.eq_ignore_ascii_case(COOKIE) => {
            ("cookie-only", "with nothing after the cookie in the branch".to_owned())
        }
        Some(branch)
            if !branch.get(..COOKIE.len()).is_some_and(|c| c.eq_ignore_ascii_case(COOKIE)) =>
        {
            ("no-cookie", format!("with branch {}, without z9hG4bK", quote::text(branch)))
        }
        Some(_) => return Verdict::Judged,
    };
    let me = found.subject;
    found.add_kind(kind, || {
        Breach::new(format!("{} {what}", quote::what(message))).at(
            me,
            quote::field(message, HeaderName::Via),
            "the topmost Via",
        )
    });
    Verdict::Judged
}

/// One branch for two requests that are not the same: another number or another sender's tag.
fn check_reuse(case: &Case<'_>, found: &mut Found<'_>) -> Verdict {
    for crossing in case.crossings.reused_in(case.flow.id) {
        let message = case.message(crossing.message);
        found.add_kind("reused", || {
            Breach::new(reuse(message))
                .at(
                    crossing.message,
                    quote::field(message, HeaderName::Via),
                    "a request of its own",
                )
                .elsewhere(crossing.other, "the branch of this one, under another Call-ID")
        });
    }
    if !has_equal_branches(case) {
        return Verdict::Moot;
    }
    let mut known = BTreeMap::new();
    for (id, entry) in case.flow.entries() {
        let message = &entry.message;
        if !names_transaction(entry) {
            continue;
        }
        let Some(via) = message.top_via().filter(Via::has_cookie) else { continue };
        let key = (via.branch(), via.host, via.port);
        let Some(cseq) = message.cseq() else { continue };
        let own = (cseq.number, message.from_tag());
        match known.get(&key) {
            None => {
                known.insert(key, (own, id));
            }
            Some((other, first)) if *other != own && entry.note == Note::New => {
                found.add_kind("reused", || {
                    let via = |message| quote::field(message, HeaderName::Via);
                    Breach::new(reuse(message)).at(id, via(message), "a request of its own").at(
                        *first,
                        via(case.message(*first)),
                        "the branch of this one",
                    )
                });
            }
            Some(_) => {}
        }
    }
    // Counted with the message check, which looks at every request.
    Verdict::Moot
}

/// What a request with the branch of another one did.
fn reuse(message: &Message) -> String {
    let via = message.top_via();
    let branch = via.and_then(|via| via.branch()).unwrap_or_default();
    format!("{} reuses branch {}", quote::what(message), quote::text(branch))
}

/// True for a request whose branch must be its own.
fn names_transaction(entry: &Entry) -> bool {
    matches!(entry.note, Note::New | Note::Forwarded(_))
        && !matches!(entry.message.method(), None | Some(Method::Ack | Method::Cancel))
}

/// True when two requests have one branch: in most flows none have, and there is nothing to judge.
fn has_equal_branches(case: &Case<'_>) -> bool {
    let own = case.flow.messages.iter().filter(|entry| names_transaction(entry));
    let mut branches: SmallVec<[&[u8]; 16]> =
        own.filter_map(|entry| branch(&entry.message)).collect();
    branches.sort_unstable();
    branches.windows(2).any(|pair| pair[0] == pair[1])
}

/// The branch of the topmost Via, when it has the cookie.
fn branch(message: &Message) -> Option<&[u8]> {
    message.plain_branch().or_else(|| message.top_via()?.unique_branch())
}
