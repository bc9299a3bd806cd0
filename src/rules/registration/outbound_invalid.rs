//! R012: parameters of outbound or push registrations that do not go together.

use crate::rules::words::Words;
use crate::rules::{Breach, Check, Found, Group, Rule, Severity, Sorts, Tier, Verdict, quote};
use crate::sip::{Contact, HeaderName, Message, Method, NameAddr};
use crate::transport::scan;

pub(in crate::rules) const RULE: Rule = Rule {
    code: "R012",
    name: "outbound-invalid",
    aliases: &[],
    statement: "Parameters of an outbound or push registration do not go together.",
    tier: Tier::Next,
    severity: Severity::Error,
    refs: &["RFC 5626 section 4.2.1", "RFC 5626 section 6", "RFC 8599 section 4.1"],
    kinds: &[
        ("reg-id-without-instance", Severity::Error),
        ("reg-id-range", Severity::Error),
        ("outbound-not-supported", Severity::Error),
        ("push-incomplete", Severity::Info),
    ],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("outbound_invalid.md"),
    checks: &[Check::Message(Sorts::REGISTER, check)],
};

/// Flows are numbered from 1; the grammar of the number ends below 2^31.
const NUMBERS: std::ops::Range<u64> = 1..1 << 31;

/// What the names of the parameters that are judged begin with: most Contacts have none of them.
static SIGNS: Words = Words::new(&["reg-id", "pn-pr", "pn-pa"]);

fn check(message: &Message, found: &mut Found<'_>) -> Verdict {
    if !message.is_request() || message.method() != Some(&Method::Register) {
        return Verdict::Moot;
    }
    if !message.values(HeaderName::Contact).any(may_concern) {
        return Verdict::Moot;
    }
    let mut is_concerned = false;
    for contact in message.contacts() {
        let Contact::Address(address) = contact else { continue };
        if let Some(id) = address.params.value("reg-id") {
            flow(message, &address, id, found);
            is_concerned = true;
        }
        is_concerned |= push(message, &address, found);
    }
    if is_concerned { Verdict::Judged } else { Verdict::Moot }
}

/// False when no parameter of `contact` is judged; most have none.
fn may_concern(contact: &[u8]) -> bool {
    scan::find(contact, b';').is_some_and(|at| SIGNS.find_in(&contact[at..]).is_some())
}

/// A Contact that asks for the flow numbered `id`.
fn flow(message: &Message, contact: &NameAddr<'_>, id: &[u8], found: &mut Found<'_>) {
    let me = found.subject;
    let at = quote::field(message, HeaderName::Contact);
    if contact.params.value("+sip.instance").is_none() {
        found.add_kind("reg-id-without-instance", || {
            Breach::new("Contact with reg-id, but without +sip.instance").at(
                me,
                at,
                "numbers a flow of an instance that is not named",
            )
        });
    }
    let number = std::str::from_utf8(id).ok().and_then(|text| text.parse::<u64>().ok());
    if !number.is_some_and(|number| NUMBERS.contains(&number)) {
        found.add_kind("reg-id-range", || {
            let title = format!("reg-id={} is no number of a flow", quote::text(id));
            Breach::new(title).at(me, at, "1 to 2147483647")
        });
    }
    let names_outbound = |name: HeaderName| {
        let tokens = message.values(name).flat_map(|value| value.split(|octet| *octet == b','));
        tokens.into_iter().any(|token| token.trim_ascii().eq_ignore_ascii_case(b"outbound"))
    };
    if !names_outbound(HeaderName::Supported) && !names_outbound(HeaderName::Require) {
        found.add_kind("outbound-not-supported", || {
            let title = "Contact with reg-id, but Supported does not name outbound";
            Breach::new(title).at(me, at, "asks for what the client does not announce")
        });
    }
}

/// Whether a Contact asks for push notifications; reports one that does not say of whom.
fn push(message: &Message, contact: &NameAddr<'_>, found: &mut Found<'_>) -> bool {
    let Some(uri) = contact.parsed_uri() else { return false };
    let has = |name| uri.params.get(name).is_some();
    if (has("pn-prid") || has("pn-param")) && !has("pn-provider") {
        let me = found.subject;
        found.add_kind("push-incomplete", || {
            Breach::new("Contact asks for push notifications, but does not say of which service")
                .at(me, quote::field(message, HeaderName::Contact), "no pn-provider")
        });
    }
    has("pn-prid") || has("pn-param") || has("pn-provider")
}
