//! G001: an identifier that is none.

use crate::model::audit::identity::GbId;
use crate::rules::registrant::{Noted, Registrant, Remark};
use crate::rules::{Check, Group, Rule, Severity, Tier};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "G001",
    name: "gb-device-id-invalid",
    aliases: &[],
    statement: "A device, channel or platform ID does not follow the 20-digit code.",
    tier: Tier::Next,
    severity: Severity::Warning,
    refs: &["GB/T 28181-2022 section 6.1.1", "GB/T 28181-2022 annex E"],
    kinds: &[("length", Severity::Warning), ("type-code", Severity::Info)],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("gb_device_id_invalid.md"),
    checks: &[Check::Registration(check)],
};

fn check(case: &Registrant<'_>, noted: &mut Noted<'_>) {
    let device = case.device;
    let user = device.device.split('@').next().unwrap_or_default();
    let first = device.attempts().take(1);
    let platform = GbId::of(&device.registrar).is_some();
    let digits = !user.is_empty() && user.bytes().all(|b| b.is_ascii_digit());
    if digits && !matches!(user.len(), 18 | 20) && (device.is_gb() || platform) {
        noted.add_kind("length", || {
            let title = format!("{user} has {} digits, not 20", user.len());
            Remark::new(title, "ID has a wrong length").requests(case, first.clone())
        });
    }
    let odd = |id: GbId<'_>| !matches!(id.kind.as_bytes().first(), Some(b'1' | b'2'));
    if GbId::of(user).is_some_and(odd) {
        noted.add_kind("type-code", || {
            let kind = user.get(10..13).unwrap_or_default();
            let title = format!("type {kind} of {user} is neither a device nor a platform");
            Remark::new(title, "unusual type of ID").requests(case, first)
        });
    }
}
