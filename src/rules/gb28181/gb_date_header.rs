//! G014: the time a platform tells its devices.

use crate::model::audit::date::DateForm;
use crate::rules::registrant::{Noted, Registrant, Remark};
use crate::rules::registration::{duration, nanos, trimmed};
use crate::rules::{Check, Group, Rule, Severity, Tier};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "G014",
    name: "gb-date-header",
    aliases: &[],
    statement: "The 200 to REGISTER carries no usable Date for time synchronisation.",
    tier: Tier::Next,
    severity: Severity::Error,
    refs: &[
        "GB/T 28181-2022 section 7.10",
        "GB/T 28181-2022 section 9.10.3",
        "RFC 3261 section 20.17",
    ],
    kinds: &[
        ("zone", Severity::Error),
        ("skew", Severity::Warning),
        ("format", Severity::Warning),
        ("missing", Severity::Info),
    ],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("gb_date_header.md"),
    checks: &[Check::Registration(check)],
};

/// Time zones differ by quarters of an hour.
const QUARTER: f64 = 900.0;
/// No two zones are farther apart, in seconds.
const FARTHEST: f64 = 26.0 * 3600.0;
/// How near to a whole quarter a wrong zone lies, in seconds.
const NEAR: f64 = 90.0;

fn check(case: &Registrant<'_>, noted: &mut Noted<'_>) {
    let device = case.device;
    let answers = |remark: Remark| {
        case.successes().fold(remark, |remark, record| remark.at(case.response(record), "Date"))
    };
    if device.is_gb() && device.date_forms.contains(&DateForm::Missing) {
        noted.add_kind("missing", || {
            answers(Remark::new("a 2xx without Date: the device gets no time", "no Date"))
        });
    }
    if device.date_forms.contains(&DateForm::Invalid) {
        noted.add_kind("format", || {
            answers(Remark::new("a Date that is neither of GB/T 28181 nor of RFC 3261", "bad Date"))
        });
    }
    let Some(skew) = device.date_skew else { return };
    let quarters = (skew.p50 / QUARTER).round() * QUARTER;
    let limit = if device.is_gb() { 1.0 } else { 5.0 };
    let limit = limit + case.audit.window.resolution as f64 / 1e9;
    if quarters != 0.0 && quarters.abs() <= FARTHEST && (skew.p50 - quarters).abs() <= NEAR {
        noted.add_kind("zone", || {
            let hours = trimmed(quarters / 3600.0, 2);
            let title = format!(
                "Date is {hours} h off: it was written in another time zone than it is read in"
            );
            answers(Remark::new(title, format!("Date {hours} h off")).times(skew.n))
        });
    } else if limit < skew.p50.abs() {
        noted.add_kind("skew", || {
            let off = duration(nanos(skew.p50));
            let title = format!("Date is {off} off the clock of the capture");
            answers(Remark::new(title, format!("Date {off} off")).times(skew.n))
        });
    }
}
