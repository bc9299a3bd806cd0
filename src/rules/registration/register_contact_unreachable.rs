//! R016: a Contact nobody can reach.

use std::net::IpAddr;

use crate::model::audit::Record;
use crate::rules::registrant::{Noted, Registrant, Remark};
use crate::rules::{Check, Group, Rule, Severity, Tier};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "R016",
    name: "register-contact-unreachable",
    aliases: &[],
    statement: "The Contact of a registration is an address that calls cannot reach.",
    tier: Tier::Next,
    severity: Severity::Error,
    refs: &["RFC 3261 section 10.2.1", "practice: NAT bindings"],
    kinds: &[("registrar", Severity::Error), ("private", Severity::Info)],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("register_contact_unreachable.md"),
    checks: &[Check::Registration(check)],
};

fn check(case: &Registrant<'_>, noted: &mut Noted<'_>) {
    let records = || case.device.records.iter().filter(|r| r.kind.registers());
    let of = |registrar: bool| -> Vec<(&Record, IpAddr)> {
        let hosts = |record: &'_ Record| record.shape.unreachable.clone();
        let all = records().flat_map(|r| hosts(r).into_iter().map(move |(is, ip)| (r, is, ip)));
        all.filter(|(_, is, _)| *is == registrar).map(|(record, _, ip)| (record, ip)).collect()
    };
    let places = |remark: Remark, all: &[(&Record, IpAddr)]| {
        let remark = remark.times(all.len());
        all.iter().fold(remark, |remark, (record, host)| {
            remark.at(Some(case.request(record)), host.to_string())
        })
    };
    let registrar = of(true);
    if let Some((_, host)) = registrar.first() {
        noted.add_kind("registrar", || {
            let title = format!("Contact {host} is the registrar's own address");
            places(Remark::new(title, "Contact is the registrar"), &registrar)
        });
    }
    let private = of(false);
    if let Some((record, host)) = private.first() {
        noted.add_kind("private", || {
            let source = record.source.ip;
            let title = format!("Contact {host} is private, but it registers from {source}");
            places(Remark::new(title, "private Contact"), &private)
        });
    }
}
