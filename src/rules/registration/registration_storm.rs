//! R018: many devices at once.

use super::{duration, list, trimmed};
use crate::model::audit::Audit;
use crate::rules::registrant::{Noted, Remark};
use crate::rules::{Check, Group, Rule, Severity, Tier};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "R018",
    name: "registration-storm",
    aliases: &[],
    statement: "Many devices register, or are lost, at the same time.",
    tier: Tier::Next,
    severity: Severity::Error,
    refs: &["RFC 3261 section 10.2", "practice: spread expiries at random"],
    kinds: &[
        ("storm", Severity::Error),
        ("mass-loss", Severity::Error),
        ("herd", Severity::Warning),
    ],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("registration_storm.md"),
    checks: &[Check::Fleet(check)],
};

/// Refreshes in step beyond this are a storm that waits.
const HERD: f64 = 0.8;

fn check(audit: &Audit, noted: &mut Noted<'_>) {
    for storm in &audit.fleet.storms {
        let surge = &storm.surge;
        noted.add_kind("storm", || {
            let refused: Vec<String> =
                surge.refused.iter().map(|(status, n)| format!("{n} x {status}")).collect();
            let refused =
                if refused.is_empty() { String::new() } else { format!(", {}", list(&refused, 4)) };
            let title = format!(
                "{} devices in {}, {} attempts, peak {}/s{refused}",
                surge.devices,
                duration(surge.until.since(surge.from)),
                surge.attempts,
                surge.peak
            );
            let mut remark = Remark::new(title, "storm").times(surge.devices);
            if let Some(ended) = storm.ended_at {
                let before = duration(surge.from.since(ended));
                remark = remark
                    .detail(format!("{} connections ended {before} before", storm.ends_before));
            }
            remark.span(surge.from, storm.recovered.unwrap_or(surge.until))
        });
    }
    for loss in &audit.fleet.losses {
        noted.add_kind("mass-loss", || {
            let within = duration(loss.until.since(loss.from));
            let title = format!("{} devices lost within {within}", loss.devices);
            Remark::new(title, "lost together").times(loss.devices).span(loss.from, loss.until)
        });
    }
    if let Some(herd) = audit.fleet.herd.filter(|herd| HERD < *herd) {
        noted.add_kind("herd", || {
            let title = format!(
                "refreshes come in step (herd index {}): a random expiry spreads them",
                trimmed(herd, 2)
            );
            Remark::new(title, "in step")
        });
    }
}
