//! R008: a 2xx that does not say what is bound.

use crate::model::audit::{GrantSource, Record};
use crate::rules::registrant::{Noted, Registrant, Remark};
use crate::rules::{Check, Group, Rule, Severity, Tier};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "R008",
    name: "register-response-contact",
    aliases: &[],
    statement: "A 200 to REGISTER does not list the bindings with their expiry.",
    tier: Tier::Next,
    severity: Severity::Error,
    refs: &["RFC 3261 section 10.2.1", "RFC 3261 section 10.3"],
    kinds: &[("binding-absent", Severity::Error), ("expires-missing", Severity::Warning)],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("register_response_contact.md"),
    checks: &[Check::Registration(check)],
};

fn check(case: &Registrant<'_>, noted: &mut Noted<'_>) {
    let is = |source: GrantSource| move |r: &&Record| r.shape.granted_source == Some(source);
    let answers = |remark: Remark, records: &[&Record], note: &str| {
        records.iter().fold(remark.times(records.len()), |remark, record| {
            remark.at(case.response(record), note)
        })
    };
    let absent: Vec<&Record> = case.successes().filter(is(GrantSource::NotBound)).collect();
    if !absent.is_empty() {
        noted.add_kind("binding-absent", || {
            let title = format!("{} 2xx list other bindings, but not this one", absent.len());
            answers(Remark::new(title, "2xx without the binding"), &absent, "not listed")
        });
    }
    let assumed = |r: &&Record| {
        matches!(
            r.shape.granted_source,
            Some(GrantSource::AssumedRequested | GrantSource::AssumedDefault)
        )
    };
    let unstated: Vec<&Record> = case.successes().filter(assumed).collect();
    if !unstated.is_empty() {
        noted.add_kind("expires-missing", || {
            let title = format!(
                "{} 2xx do not say how long they hold; the time asked for is assumed",
                unstated.len()
            );
            answers(Remark::new(title, "expiry not stated"), &unstated, "no expiry")
                .at_most_if(case.device.is_gb(), Severity::Info)
        });
    }
}
