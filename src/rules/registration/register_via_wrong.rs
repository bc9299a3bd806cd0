//! R017: received and rport of the response are not the source of the request.

use std::net::IpAddr;

use crate::rules::registrant::{Noted, Registrant, Remark};
use crate::rules::{Check, Group, Rule, Severity, Tier};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "R017",
    name: "register-via-wrong",
    aliases: &[],
    statement: "The response to REGISTER names another source than the request had.",
    tier: Tier::Next,
    severity: Severity::Error,
    refs: &["RFC 3261 section 18.2.1", "RFC 3581 section 4"],
    kinds: &[("received", Severity::Error), ("rport", Severity::Warning)],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("register_via_wrong.md"),
    checks: &[Check::Registration(check)],
};

fn check(case: &Registrant<'_>, noted: &mut Noted<'_>) {
    let (mut received, mut rport) = (Vec::new(), Vec::new());
    for record in &case.device.records {
        // Behind a proxy the topmost Via names the proxy's peer, not the device.
        if record.hops != 1 {
            continue;
        }
        let Some((_, request)) = case.request(record) else { continue };
        let asks = request.top_via().is_some_and(|via| via.params.get("rport").is_some());
        for (spot, message) in case.all_responses(record) {
            let Some(via) = message.top_via() else { continue };
            let text = |name| via.params.value(name).and_then(|v| std::str::from_utf8(v).ok());
            let home = message.envelope.to;
            match text("received").and_then(|v| v.trim_matches(['[', ']']).parse::<IpAddr>().ok()) {
                Some(ip) if home.ip != ip => received.push((spot, ip, home)),
                _ => {}
            }
            let filled = text("rport").is_some_and(|v| !v.is_empty());
            if asks && !filled {
                rport.push(spot);
            }
        }
    }
    if let Some((_, ip, home)) = received.first() {
        noted.add_kind("received", || {
            let title =
                format!("the response says received={ip}, the request came from {}", home.ip);
            let remark = Remark::new(title, "wrong received").times(received.len());
            received.iter().fold(remark, |r, (spot, ip, _)| r.at(Some(*spot), ip.to_string()))
        });
    }
    if !rport.is_empty() {
        noted.add_kind("rport", || {
            let title = format!("{} responses do not fill the rport asked for", rport.len());
            let remark = Remark::new(title, "rport not filled").times(rport.len());
            rport.iter().fold(remark, |remark, spot| remark.at(Some(*spot), "no rport"))
        });
    }
}
