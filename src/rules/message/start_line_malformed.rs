//! M001: the first line is no Request-Line and no Status-Line.

use crate::rules::{Breach, Check, Found, Group, Rule, Severity, Sorts, Tier, Verdict, quote};
use crate::sip::{DefectKind, Message};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "M001",
    name: "start-line-malformed",
    aliases: &[],
    statement: "The first line is not a valid SIP Request-Line or Status-Line.",
    tier: Tier::Core,
    severity: Severity::Error,
    refs: &["RFC 3261 section 7.1", "RFC 3261 section 7.2", "RFC 3261 section 25.1"],
    kinds: &[
        ("spacing", Severity::Error),
        ("brackets", Severity::Error),
        ("uri-space", Severity::Error),
        ("version", Severity::Error),
        ("status-code", Severity::Error),
    ],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("start_line_malformed.md"),
    checks: &[Check::Message(Sorts::ALL, check)],
};

fn check(message: &Message, found: &mut Found<'_>) -> Verdict {
    let me = found.subject;
    let mut last = None;
    for defect in message.defects() {
        if last.replace(defect.kind) == Some(defect.kind) {
            continue;
        }
        let (kind, title, expected) = match defect.kind {
            DefectKind::StartLineSpacing => {
                ("spacing", "Wrong white space in the start line", "one space between its parts")
            }
            DefectKind::StartLineBrackets => {
                ("brackets", "Request-URI in angle brackets", "the bare URI")
            }
            DefectKind::StartLineUriSpace => (
                "uri-space",
                "White space inside the Request-URI",
                "a URI with such octets escaped",
            ),
            DefectKind::StartLineVersion => ("version", "Wrong SIP version", "SIP/2.0"),
            DefectKind::StatusCode => {
                ("status-code", "Status code out of range", "three digits, 100 to 699")
            }
            _ => continue,
        };
        found.add_kind(kind, || {
            Breach::new(format!("{title}: {}", quote::text(message.start_line()))).at(
                me,
                Some(defect.span),
                format!("expected: {expected}"),
            )
        });
    }
    Verdict::Judged
}
