//! R021: someone tries addresses or passwords.

use crate::model::audit::Outcome;
use crate::rules::registrant::{Noted, Registrant, Remark};
use crate::rules::{Check, Group, Rule, Severity, Tier};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "R021",
    name: "registration-probed",
    aliases: &[],
    statement: "A host tries addresses or passwords at the registrar.",
    tier: Tier::Next,
    severity: Severity::Error,
    refs: &["practice: SIPVicious and similar tools", "RFC 3261 section 26.1.1"],
    kinds: &[("guessed", Severity::Error), ("probed", Severity::Warning)],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("registration_probed.md"),
    checks: &[Check::Registration(check)],
};

fn check(case: &Registrant<'_>, noted: &mut Noted<'_>) {
    let device = case.device;
    let Some(addresses) = device.probed else { return };
    let requests: usize = device.records.iter().map(|r| r.shape.requests as usize).sum();
    let tried = format!(
        "{requests} REGISTERs for {addresses} address{}",
        if addresses == 1 { "" } else { "es" }
    );
    let entered: Vec<_> = device.records.iter().filter(|r| r.outcome == Outcome::Ok).collect();
    if entered.is_empty() {
        noted.add_kind("probed", || {
            let title = format!("{tried}, none accepted");
            Remark::new(title, "tries addresses").times(requests).requests(case, &device.records)
        });
    } else {
        noted.add_kind("guessed", || {
            let title = format!("{tried}, {} accepted", entered.len());
            Remark::new(title, "got in").times(entered.len()).requests(case, entered)
        });
    }
}
