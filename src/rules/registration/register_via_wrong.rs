//! R017: received and rport of the response are not the source of the request.

use crate::model::audit::Record;
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
    let records = &case.device.records;
    let sum = |of: &dyn Fn(&Record) -> u32| records.iter().map(of).sum::<u32>() as usize;
    let told = |record: &Record| record.shape.received;
    let first = records.iter().find_map(|record| Some((record, told(record)?.0)));
    if let Some((record, ip)) = first {
        noted.add_kind("received", || {
            let home = record.source.ip;
            let title = format!("the response says received={ip}, the request came from {home}");
            let n = sum(&|record| told(record).map_or(0, |(_, n)| n));
            let remark = Remark::new(title, "wrong received").times(n);
            let wrong = records.iter().filter_map(|record| Some((record, told(record)?.0)));
            wrong.fold(remark, |remark, (record, ip)| {
                remark.at(case.response(record), ip.to_string())
            })
        });
    }
    let missing = sum(&|record| record.shape.rport_missing);
    if missing != 0 {
        noted.add_kind("rport", || {
            let title = format!("{missing} responses do not fill the rport asked for");
            let remark = Remark::new(title, "rport not filled").times(missing);
            let bare = records.iter().filter(|record| record.shape.rport_missing != 0);
            bare.fold(remark, |remark, record| remark.at(case.response(record), "no rport"))
        });
    }
}
