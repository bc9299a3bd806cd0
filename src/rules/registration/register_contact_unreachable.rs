//! R016: a Contact nobody can reach.

use std::net::IpAddr;

use crate::rules::registrant::{Noted, Registrant, Remark, Spot};
use crate::rules::{Check, Group, Rule, Severity, Tier};
use crate::sip::Contact;

pub(in crate::rules) const RULE: Rule = Rule {
    code: "R016",
    name: "register-contact-unreachable",
    aliases: &[],
    statement: "The Contact of a registration is an address that calls cannot reach.",
    tier: Tier::Next,
    severity: Severity::Error,
    refs: &["RFC 3261 section 10.2.1", "RFC 3581 section 9"],
    kinds: &[("registrar", Severity::Error), ("private", Severity::Info)],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("register_contact_unreachable.md"),
    checks: &[Check::Registration(check)],
};

fn check(case: &Registrant<'_>, noted: &mut Noted<'_>) {
    let mut private: Vec<(Spot, IpAddr, IpAddr)> = Vec::new();
    let mut registrar: Vec<(Spot, IpAddr, IpAddr)> = Vec::new();
    for record in case.device.records.iter().filter(|r| r.kind.registers()) {
        let Some((spot, request)) = case.last_request(record) else { continue };
        for contact in request.contacts() {
            let Contact::Address(address) = contact else { continue };
            let Some(host) = address.parsed_uri().and_then(|uri| ip(uri.host)) else { continue };
            if host == record.target.ip && host != record.source.ip {
                registrar.push((spot, host, record.source.ip));
            } else if is_private(host) && host != record.source.ip && request.vias().count() == 1 {
                private.push((spot, host, record.source.ip));
            }
        }
    }
    if let Some((_, host, _)) = registrar.first() {
        noted.add_kind("registrar", || {
            let title = format!("Contact {host} is the registrar's own address");
            places(Remark::new(title, "Contact is the registrar"), &registrar)
        });
    }
    if let Some((_, host, source)) = private.first() {
        noted.add_kind("private", || {
            let title = format!("Contact {host} is private, but it registers from {source}");
            places(Remark::new(title, "private Contact"), &private)
        });
    }
}

fn places(remark: Remark, all: &[(Spot, IpAddr, IpAddr)]) -> Remark {
    let remark = remark.times(all.len());
    all.iter().fold(remark, |remark, (spot, host, _)| remark.at(Some(*spot), host.to_string()))
}

fn ip(host: &[u8]) -> Option<IpAddr> {
    std::str::from_utf8(host).ok()?.trim_matches(['[', ']']).parse().ok()
}

fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let shared = ip.octets()[0] == 100 && ip.octets()[1] & 0xC0 == 64;
            ip.is_private() || ip.is_link_local() || ip.is_loopback() || shared
        }
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_loopback(),
    }
}
