//! M012: a message on a byte stream does not say how long it is.

use crate::rules::{Breach, Check, Found, Group, Rule, Severity, Sorts, Tier, Verdict, quote};
use crate::sip::{HeaderName, Message};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "M012",
    name: "content-length-missing-stream",
    aliases: &[],
    statement: "A message on TCP or TLS has no Content-Length.",
    tier: Tier::Core,
    severity: Severity::Error,
    refs: &["RFC 3261 section 7.5", "RFC 3261 section 18.3", "RFC 3261 section 20.14"],
    kinds: &[],
    pedantic: &[],
    group: Group::Sender,
    page: include_str!("content_length_missing_stream.md"),
    checks: &[Check::Message(Sorts::STREAMED, check)],
};

fn check(message: &Message, found: &mut Found<'_>) -> Verdict {
    if !message.envelope.transport.is_stream() {
        return Verdict::Moot;
    }
    if super::is_open_ended(message) {
        return Verdict::Undecided("header section without an end");
    }
    if message.value(HeaderName::ContentLength).is_none() {
        let me = found.subject;
        found.add(|| {
            let transport = message.envelope.transport.word().to_ascii_uppercase();
            let title =
                format!("{} over {transport} without Content-Length", quote::what_to(message));
            Breach::new(title).at(me, None, "where it ends can only be guessed")
        });
    }
    Verdict::Judged
}
