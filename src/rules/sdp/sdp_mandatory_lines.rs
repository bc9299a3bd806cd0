//! S002: a session description without its frame.

use super::{description, lines};
use crate::rules::{Breach, Check, Found, Group, Rule, Severity, Sorts, Tier, Verdict, quote};
use crate::sip::Message;

pub(in crate::rules) const RULE: Rule = Rule {
    code: "S002",
    name: "sdp-mandatory-lines",
    aliases: &[],
    statement: "A session description lacks v=, o=, s= or t=, or has one of them twice.",
    tier: Tier::Core,
    severity: Severity::Error,
    refs: &[
        "RFC 8866 section 5",
        "RFC 8866 section 5.1",
        "RFC 8866 section 5.2",
        "RFC 8866 section 5.3",
        "RFC 8866 section 5.9",
        "RFC 3264 section 5",
    ],
    kinds: &[
        ("missing", Severity::Error),
        ("duplicate", Severity::Error),
        ("empty-session-name", Severity::Error),
    ],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("sdp_mandatory_lines.md"),
    checks: &[Check::Message(Sorts::WITH_BODY, check)],
};

/// The lines that must be there, and whether more than one may.
const NEEDED: [(u8, &str); 4] = [(b'v', "v="), (b'o', "o="), (b's', "s="), (b't', "t=")];

fn check(message: &Message, found: &mut Found<'_>) -> Verdict {
    let body = match description(message) {
        Ok(body) => body,
        Err(verdict) => return verdict,
    };
    let mut counts = [0_u32; NEEDED.len()];
    let mut name: Option<&[u8]> = None;
    let mut is_session = true;
    for (letter, value) in lines(body) {
        is_session &= letter != b'm';
        if letter == b's' {
            name.get_or_insert(value);
        }
        let needed = NEEDED.iter().position(|(needed, _)| *needed == letter);
        // After the first m= a second description may begin, but none of its own lines.
        if let Some(at) = needed.filter(|_| is_session || letter == b'v') {
            counts[at] += 1;
        }
    }
    let me = found.subject;
    let span = message.span_of(body);
    let missing = || counts.iter().zip(NEEDED).filter(|(count, _)| **count == 0);
    if missing().next().is_some() {
        found.add_kind("missing", || {
            let names: Vec<&str> = missing().map(|(_, (_, name))| name).collect();
            let title = format!("SDP in {} without {}", quote::what_to(message), names.join(", "));
            Breach::new(title).at(me, span, "the session description")
        });
    }
    for (count, (letter, name)) in counts.iter().zip(NEEDED) {
        if 1 < *count && letter != b't' {
            found.add_kind("duplicate", || {
                let title = format!("SDP in {} with {count} {name} lines", quote::what_to(message));
                Breach::new(title).at(me, span, "the session description")
            });
        }
    }
    if let Some(name) = name.filter(|name| name.is_empty()) {
        found.add_kind("empty-session-name", || {
            let title = format!("SDP in {} with an empty s= line", quote::what_to(message));
            Breach::new(title).at(me, message.span_of(name), "write s=- when there is no name")
        });
    }
    Verdict::Judged
}
