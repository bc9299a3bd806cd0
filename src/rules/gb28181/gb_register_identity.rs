//! G002: unusual identities of a GB registration.

use std::net::IpAddr;

use crate::model::audit::{Profile, states_version};
use crate::rules::registrant::{Noted, Registrant, Remark};
use crate::rules::{Check, Group, Rule, Severity, Tier};
use crate::sip::Uri;

pub(in crate::rules) const RULE: Rule = Rule {
    code: "G002",
    name: "gb-register-identity",
    aliases: &[],
    statement: "The identities or version mark in a GB registration are unusual.",
    tier: Tier::Later,
    severity: Severity::Info,
    refs: &["GB/T 28181-2022 section 6.1.2", "GB/T 28181-2022 annex I"],
    kinds: &[("domain-prefix", Severity::Info), ("version-missing", Severity::Info)],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("gb_register_identity.md"),
    checks: &[Check::Registration(check)],
};

fn check(case: &Registrant<'_>, noted: &mut Noted<'_>) {
    let device = case.device;
    if !device.is_gb() {
        return;
    }
    let Some(first) = device.attempts().next() else { return };
    let Some((spot, request)) = case.request(first) else { return };
    let host = request.to().and_then(|to| Uri::parse(to.uri)).map(|uri| uri.host.to_vec());
    let domain = String::from_utf8(host.unwrap_or_default()).unwrap_or_default();
    let is_of = |id: &str| id.get(..10).is_some_and(|prefix| domain.starts_with(prefix));
    let known = domain.parse::<IpAddr>().is_ok() || domain.ends_with(".spvmn.cn");
    if !known && !is_of(&device.device) && !is_of(&device.registrar) {
        noted.add_kind("domain-prefix", || {
            let title = format!("domain {domain} is not the first ten digits of either ID");
            Remark::new(title, "unusual domain").at(Some(spot), domain.clone())
        });
    }
    if device.policy.profile == Profile::Gb2022 && !states_version(request) {
        noted.add_kind("version-missing", || {
            Remark::new("no X-GB-ver in REGISTER", "no X-GB-ver").at(Some(spot), "no X-GB-ver")
        });
    }
}
