//! M014: CSeq names another method than the Request-Line.

use crate::rules::{Breach, Check, Found, Group, Rule, Severity, Sorts, Tier, Verdict, quote};
use crate::sip::{HeaderName, Message};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "M014",
    name: "cseq-method-mismatch",
    aliases: &[],
    statement: "The method in CSeq differs from the request method.",
    tier: Tier::Core,
    severity: Severity::Error,
    refs: &["RFC 3261 section 8.1.1.5", "RFC 3261 section 20.16"],
    kinds: &[],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("cseq_method_mismatch.md"),
    checks: &[Check::Message(Sorts::REQUESTS, check)],
};

fn check(message: &Message, found: &mut Found<'_>) -> Verdict {
    let Some(method) = message.method() else { return Verdict::Moot };
    let Some(cseq) = message.cseq().filter(|cseq| !cseq.method.is_empty()) else {
        return Verdict::Undecided("no method in CSeq");
    };
    if cseq.method != method.as_str().as_bytes() {
        let me = found.subject;
        found.add(|| {
            let title = format!("CSeq method {} in an {method} request", quote::text(cseq.method));
            let start = format!("the start line says {method}");
            Breach::new(title).at(me, quote::field(message, HeaderName::CSeq), start)
        });
    }
    Verdict::Judged
}
