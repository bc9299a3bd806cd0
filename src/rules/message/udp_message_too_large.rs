//! M021: a message too large for one UDP packet.

use crate::model::MessageId;
use crate::rules::{
    Breach, Case, Check, Found, Group, Rule, Severity, Sorts, Tier, Verdict, quote,
};
use crate::sip::{Message, Method};
use crate::transport::Transport;

pub(in crate::rules) const RULE: Rule = Rule {
    code: "M021",
    name: "udp-message-too-large",
    aliases: &[],
    statement: "A SIP message over UDP is large enough to be fragmented, or was fragmented.",
    tier: Tier::Core,
    severity: Severity::Warning,
    refs: &["RFC 3261 section 18.1.1", "RFC 3428 section 8", "GB/T 28181-2022 annex M"],
    kinds: &[
        ("over-1300", Severity::Warning),
        ("fragmented", Severity::Warning),
        ("message-method", Severity::Warning),
    ],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("udp_message_too_large.md"),
    checks: &[Check::Sighting(Sorts::REQUESTS.or(Sorts::FRAGMENTED), check)],
};

fn check(id: MessageId, case: &Case<'_>, found: &mut Found<'_>) -> Verdict {
    let message = case.message(id);
    let envelope = &message.envelope;
    if envelope.transport != Transport::Udp {
        return Verdict::Moot;
    }
    let size = message.text().len();
    if 1 < envelope.fragments {
        found.add_kind("fragmented", || {
            let pieces = envelope.fragments;
            let title =
                format!("{} of {size} octets in {pieces} IP fragments", quote::what_to(message));
            Breach::new(title).at(id, Some(message.body_span()), share(message))
        });
        return Verdict::Judged;
    }
    if !message.is_request() || envelope.from.ip.is_loopback() {
        return Verdict::Moot;
    }
    if size <= case.settings.udp_request || is_path_known(case, message) {
        return Verdict::Judged;
    }
    let is_page = message.method() == Some(&Method::Message) && message.to_tag().is_none();
    let kind = if is_page { "message-method" } else { "over-1300" };
    found.add_kind(kind, || {
        let title = format!("{} of {size} octets over UDP", quote::what(message));
        Breach::new(title).at(id, Some(message.body_span()), share(message))
    });
    Verdict::Judged
}

/// True when the flow shows that a larger datagram passed this hop in one piece.
fn is_path_known(case: &Case<'_>, message: &Message) -> bool {
    let size = message.text().len();
    let hop = (message.envelope.from, message.envelope.to);
    case.flow.messages.iter().any(|entry| {
        let other = &entry.message.envelope;
        (other.from, other.to) == hop
            && other.transport == Transport::Udp
            && other.fragments <= 1
            && size < entry.message.text().len()
    })
}

fn share(message: &Message) -> String {
    let body = message.body().len();
    format!("{body} octets of it are body, {} header", message.text().len() - body)
}
