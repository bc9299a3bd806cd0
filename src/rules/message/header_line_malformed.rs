//! M003: the header section is no list of `name: value` lines closed by an empty line.

use crate::rules::{Breach, Check, Found, Group, Rule, Severity, Sorts, Tier, Verdict, quote};
use crate::sip::{DefectKind, Message};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "M003",
    name: "header-line-malformed",
    aliases: &[],
    statement: "The header section is not a sequence of `name: value` lines ended by CRLF and \
                closed by an empty line.",
    tier: Tier::Core,
    severity: Severity::Error,
    refs: &["RFC 3261 section 7", "RFC 3261 section 7.3.1", "RFC 3261 section 25.1"],
    kinds: &[
        ("no-colon", Severity::Error),
        ("bad-name", Severity::Error),
        ("bare-lf", Severity::Error),
        ("control-byte", Severity::Error),
        ("not-terminated", Severity::Error),
    ],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("header_line_malformed.md"),
    checks: &[Check::Message(Sorts::ALL, check)],
};

fn check(message: &Message, found: &mut Found<'_>) -> Verdict {
    let me = found.subject;
    let mut last = None;
    for defect in message.defects() {
        let (kind, title) = match defect.kind {
            DefectKind::NoColon => ("no-colon", "Header line without a colon"),
            DefectKind::BadName => ("bad-name", "Header name is no token"),
            DefectKind::BareLf => ("bare-lf", "Line ended by LF or CR alone"),
            DefectKind::ControlByte => ("control-byte", "Control octet in a header"),
            DefectKind::NotTerminated => ("not-terminated", "No empty line after the headers"),
            _ => continue,
        };
        // A writer that ends one line wrongly ends them all so: one breach a message.
        if last == Some(defect.kind) {
            continue;
        }
        last = Some(defect.kind);
        found.add_kind(kind, || {
            let title = match defect.kind {
                DefectKind::NoColon | DefectKind::BadName => {
                    format!("{title}: {}", quote::text(message.at(defect.span)))
                }
                _ => format!("{title}, in {}", quote::what_to(message)),
            };
            Breach::new(title).at(me, Some(defect.span), "")
        });
    }
    Verdict::Judged
}
