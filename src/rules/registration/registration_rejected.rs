//! R007: a device cannot register.

use crate::model::audit::{Outcome, Record};
use crate::rules::registrant::{Noted, Registrant, Remark};
use crate::rules::{Check, Group, Rule, Severity, Tier};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "R007",
    name: "registration-rejected",
    aliases: &[],
    statement: "A client cannot register.",
    tier: Tier::Core,
    severity: Severity::Error,
    refs: &[
        "RFC 3261 section 10.2.8",
        "RFC 3261 section 17.1.2.2",
        "RFC 3261 section 22",
        "practice: GB/T 28181 platforms",
    ],
    kinds: &[
        ("final-error", Severity::Error),
        ("no-success", Severity::Error),
        ("timeout", Severity::Error),
        ("auth-loop", Severity::Error),
        ("challenge-incomplete", Severity::Error),
        ("no-response-seen", Severity::Warning),
    ],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("registration_rejected.md"),
    checks: &[Check::Registration(check)],
};

fn check(case: &Registrant<'_>, noted: &mut Noted<'_>) {
    let device = case.device;
    let attempts = device.attempts().count();
    let finished = device.count(Outcome::is_failure);
    if device.count(|o| o == Outcome::Ok || o == Outcome::Redirected) == 0 && 0 < finished {
        noted.add_kind("no-success", || {
            let title = format!("none of {attempts} attempts succeeded");
            Remark::new(title, "never registered").times(attempts).requests(case, device.attempts())
        });
    }
    rejected(case, noted);
    let of = |outcome: Outcome| move |r: &&Record| r.outcome == outcome;
    let timeouts: Vec<&Record> = device.attempts().filter(of(Outcome::Timeout)).collect();
    if !timeouts.is_empty() {
        noted.add_kind("timeout", || {
            let n = timeouts.len();
            let title = format!("no final response to {n} of {attempts} attempts within 32 s");
            Remark::new(title, "no answer").times(n).requests(case, timeouts)
        });
    }
    let looping = |r: &&Record| {
        r.shape.challenges >= 2
            && r.shape.stale == 0
            && r.outcome != Outcome::Ok
            && r.shape.credentials
    };
    let loops: Vec<&Record> = device.attempts().filter(looping).collect();
    if !loops.is_empty() {
        noted.add_kind("auth-loop", || {
            let n = loops.len();
            let tries: usize = loops.iter().map(|r| r.shape.requests as usize).sum();
            let title = format!(
                "challenged again after credentials in {n} of {attempts} attempts, {tries} REGISTERs"
            );
            Remark::new(title, "credentials refused").times(n).requests(case, loops)
        });
    }
    incomplete(case, noted);
    if case.audit.window.one_sided {
        noted.add_kind("no-response-seen", || {
            let n = device.records.len();
            let title = format!(
                "no response to {n} REGISTER{} in this input; capture both directions to be sure",
                if n == 1 { "" } else { "s" }
            );
            let remark = Remark::new(title, "no answer seen").times(n);
            remark.requests(case, &device.records)
        });
    }
}

fn rejected(case: &Registrant<'_>, noted: &mut Noted<'_>) {
    let device = case.device;
    let mut statuses: Vec<(u16, usize)> = Vec::new();
    let mut records = Vec::new();
    for record in device.attempts() {
        let Outcome::Rejected(status) = record.outcome else { continue };
        records.push(record);
        match statuses.iter_mut().find(|(known, _)| *known == status) {
            Some((_, n)) => *n += 1,
            None => statuses.push((status, 1)),
        }
    }
    if records.is_empty() {
        return;
    }
    noted.add_kind("final-error", || {
        let each: Vec<String> =
            statuses.iter().map(|(status, n)| format!("{status} x {n}")).collect();
        let brief = format!("refused: {}", each.join(", "));
        let mut remark = Remark::new(format!("refused: {}", each.join(", ")), brief);
        for record in &records {
            remark = remark.at(case.response(record), record.outcome.word());
        }
        remark.times(records.len())
    });
}

/// Challenges that do not say what to answer.
fn incomplete(case: &Registrant<'_>, noted: &mut Noted<'_>) {
    let bare: Vec<&Record> = case.device.attempts().filter(|r| r.shape.bare != 0).collect();
    if bare.is_empty() {
        return;
    }
    noted.add_kind("challenge-incomplete", || {
        let n = bare.iter().map(|r| r.shape.bare as usize).sum();
        let title = format!("{n} challenges without a challenge to answer");
        let remark = Remark::new(title, "empty challenge").times(n);
        bare.iter().fold(remark, |remark, r| remark.at(case.response(r), "no challenge"))
    });
}
