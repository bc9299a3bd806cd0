//! G002: unusual identities of a GB registration.

use crate::model::audit::Profile;
use crate::rules::registrant::{Noted, Registrant, Remark};
use crate::rules::{Check, Group, Rule, Severity, Tier};

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
    let spot = Some(case.request(first));
    if let Some(domain) = &first.shape.odd_domain {
        noted.add_kind("domain-prefix", || {
            let title = format!("domain {domain} is not the first ten digits of either ID");
            Remark::new(title, "unusual domain").at(spot, domain.clone())
        });
    }
    if device.policy.profile == Profile::Gb2022 && !first.shape.versioned {
        noted.add_kind("version-missing", || {
            Remark::new("no X-GB-ver in REGISTER", "no X-GB-ver").at(spot, "no X-GB-ver")
        });
    }
}
