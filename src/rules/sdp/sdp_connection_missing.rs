//! S004: media without an address.

use super::{description, lines, port};
use crate::rules::{Breach, Check, Found, Group, Rule, Severity, Sorts, Tier, Verdict, quote};
use crate::sip::Message;

pub(in crate::rules) const RULE: Rule = Rule {
    code: "S004",
    name: "sdp-connection-missing",
    aliases: &[],
    statement: "No c= line says where media should go.",
    tier: Tier::Core,
    severity: Severity::Error,
    refs: &["RFC 8866 section 5.7"],
    kinds: &[],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("sdp_connection_missing.md"),
    checks: &[Check::Message(Sorts::WITH_BODY, check)],
};

fn check(message: &Message, found: &mut Found<'_>) -> Verdict {
    let body = match description(message) {
        Ok(body) => body,
        Err(verdict) => return verdict,
    };
    // The m= line of the section being read, while nothing says where its media goes.
    let mut open: Option<&[u8]> = None;
    let mut nowhere: Option<&[u8]> = None;
    let mut is_session = true;
    for (letter, value) in lines(body) {
        match letter {
            b'm' => {
                nowhere = nowhere.or(open.take());
                is_session = false;
                open = (port(value) != Some(0)).then_some(value);
            }
            // For all streams.
            b'c' if is_session => return Verdict::Judged,
            b'c' => open = None,
            _ => {}
        }
    }
    if let Some(media) = nowhere.or(open) {
        let me = found.subject;
        found.add(|| {
            let what = quote::what_to(message);
            let title = format!("SDP in {what} without c= for m={}", quote::text(media));
            Breach::new(title).at(me, message.span_of(media), "no address for this stream")
        });
    }
    Verdict::Judged
}
