//! M009: the topmost Via has no branch that names its transaction.

use crate::model::Note;
use crate::rules::{Breach, Case, Check, Found, Group, Rule, Severity, Tier, Verdict, quote};
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
    checks: &[Check::Message(check), Check::Flow(check_reuse)],
};

/// What a branch of RFC 3261 begins with.
const COOKIE: &[u8] = b"z9hG4bK";

fn check(message: &Message, found: &mut Found<'_>) -> Verdict {
    if !message.is_request() {
        return Verdict::Moot;
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
    let mut known = rustc_hash::FxHashMap::default();
    for (id, entry) in case.flow.entries() {
        let message = &entry.message;
        let is_own = matches!(entry.note, Note::New | Note::Forwarded(_))
            && !matches!(message.method(), None | Some(Method::Ack | Method::Cancel));
        if !is_own {
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
                    let branch = quote::text(via.branch().unwrap_or_default()).into_owned();
                    let title = format!("{} reuses branch {branch}", quote::what(message));
                    let via = |message| quote::field(message, HeaderName::Via);
                    Breach::new(title).at(id, via(message), "a request of its own").at(
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
