//! X001: a request signed by a scanning tool.

use memchr::memchr_iter;

use crate::rules::words::{Words, contains};
use crate::rules::{Breach, Check, Found, Group, Rule, Severity, Sorts, Tier, Verdict, quote};
use crate::sip::{HeaderName, Message};
use crate::transport::scan;

pub(in crate::rules) const RULE: Rule = Rule {
    code: "X001",
    name: "scanner-user-agent",
    aliases: &[],
    statement: "A request carries the signature of a SIP scanning or attack tool.",
    tier: Tier::Core,
    severity: Severity::Warning,
    refs: &["practice: SIPVicious and similar tools", "RFC 3261 section 20.41"],
    kinds: &[],
    pedantic: &[],
    group: Group::Source,
    page: include_str!("scanner_user_agent.md"),
    checks: &[Check::Message(Sorts::REQUESTS, check)],
};

/// Names that tools give themselves in User-Agent, in lower case.
static AGENTS: Words = Words::new(&[
    "friendly-scanner",
    "friendly-request",
    "sipvicious",
    "sundayddr",
    "sip-scan",
    "sipcli",
    "sipsak",
    "iwar",
    "sivus",
    "smap",
    "pplsip",
    "vaxsipuseragent",
    "vaxipuseragent",
    "siparmyknife",
    "sippts",
    "sipptk",
    "gulp",
    "svmap",
    "svwar",
    "svcrack",
]);

/// One of these stands in each of these names; in most other texts none.
const SIGNS: [[u8; 2]; 15] = [
    *b"y-", *b"pv", *b"yd", *b"p-", *b"cl", *b"ps", *b"iw", *b"vu", *b"sm", *b"pp", *b"xs", *b"xi",
    *b"gu", *b"yk", *b"sv",
];

/// Names long enough to mean the tool wherever they stand, in lower case.
static ANYWHERE: Words =
    Words::new(&["friendly-scanner", "sipvicious", "sundayddr", "siparmyknife"]);
/// The user and the start of the host that nmap gives, the same both; looked for by its sign, since
/// the search of the others would have to stop as often as so short a word demands.
const NMAP: &str = "nm@nm";

/// One of these stands in each name that is looked for anywhere; in most other texts none.
const PAIRS: [[u8; 2]; 5] = [*b"y-", *b"yd", *b"yk", *b"vi", *b"@n"];

fn check(message: &Message, found: &mut Found<'_>) -> Verdict {
    if !message.is_request() {
        return Verdict::Moot;
    }
    let own: &[String] = &found.settings.scanners;
    let agent = message.value(HeaderName::UserAgent).and_then(|value| {
        let known = agent_in(value);
        let own = || own.iter().map(String::as_str).find(|name| contains(value, name));
        known.or_else(own).map(|name| (HeaderName::UserAgent, name))
    });
    let sign = agent.or_else(|| {
        [HeaderName::From, HeaderName::To, HeaderName::CallId].into_iter().find_map(|header| {
            let value = message.value(header)?;
            if !scan::may_have_pair(value, PAIRS) {
                return None;
            }
            let name = ANYWHERE.find_in(value).or_else(|| is_of_nmap(value).then_some(NMAP))?;
            Some((header, name))
        })
    });
    let Some((header, name)) = sign else { return Verdict::Judged };
    let me = found.subject;
    let is_trusted = found.settings.trusted.contains(&message.envelope.from.ip);
    found.add(|| {
        let title = format!("{} signed {name}, in {}", quote::what(message), header.as_str());
        let breach = Breach::new(title).at(me, quote::field(message, header), "the signature");
        if is_trusted { breach.at_most(Severity::Info) } else { breach }
    });
    Verdict::Judged
}

/// The name of a tool that stands in the value of User-Agent.
fn agent_in(value: &[u8]) -> Option<&'static str> {
    if scan::may_have_pair(value, SIGNS) { AGENTS.find_in(value) } else { None }
}

/// True when [`NMAP`] stands in `value`, in any case.
fn is_of_nmap(value: &[u8]) -> bool {
    let around = |at: usize| value.get(at.checked_sub(2)?..at + 3);
    let is_name = |part: &[u8]| part.eq_ignore_ascii_case(NMAP.as_bytes());
    memchr_iter(b'@', value).any(|at| around(at).is_some_and(is_name))
}

/// True when a tool signed the request.
pub(in crate::rules) fn is_signed(message: &Message) -> bool {
    let agent = message.value(HeaderName::UserAgent).unwrap_or_default();
    agent_in(agent).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_is_passed_over() {
        let has_pair = |name: &str, pairs: &[[u8; 2]]| {
            name.as_bytes().windows(2).any(|pair| pairs.iter().any(|sign| sign == pair))
        };
        for name in AGENTS.words() {
            assert!(has_pair(name, &SIGNS), "{name}");
            assert_eq!(agent_in(format!("x {}/1.0", name.to_uppercase()).as_bytes()), Some(name));
        }
        for name in ANYWHERE.words().chain([NMAP]) {
            assert!(has_pair(name, &PAIRS), "{name}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nmap_is_known_in_any_case_and_place(text in "[nNmM@.]{0,9}") {
            proptest::prop_assert_eq!(is_of_nmap(text.as_bytes()), contains(text.as_bytes(), NMAP));
        }
    }
}
