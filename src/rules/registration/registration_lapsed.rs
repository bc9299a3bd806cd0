//! R006: a binding expired before it was refreshed.

use super::duration;
use crate::rules::registrant::{Noted, Registrant, Remark};
use crate::rules::{Check, Group, Rule, Severity, Tier};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "R006",
    name: "registration-lapsed",
    aliases: &["reg/lapse"],
    statement: "A registration expired before it was refreshed.",
    tier: Tier::Core,
    severity: Severity::Error,
    refs: &["RFC 3261 section 10.2.4", "RFC 3261 section 10.3", "GB/T 28181-2022 section 9.1.1"],
    kinds: &[],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("registration_lapsed.md"),
    checks: &[Check::Registration(check)],
};

fn check(case: &Registrant<'_>, noted: &mut Noted<'_>) {
    let lapses = &case.device.lapses;
    let (Some(first), Some(last)) = (lapses.first(), lapses.last()) else { return };
    let worst = lapses.iter().map(|lapse| lapse.length).max().unwrap_or(0);
    let open = if last.until.is_none() { "at least " } else { "" };
    noted.add(|| {
        let mut causes: Vec<String> = lapses.iter().map(|lapse| lapse.cause.word()).collect();
        causes.sort_unstable();
        causes.dedup();
        let causes = causes.join(", ");
        let (title, brief) = if lapses.len() == 1 {
            let length = duration(first.length);
            let title = format!("no live binding for {open}{length}: {causes}");
            (title, format!("lapse of {open}{length}"))
        } else {
            let all: i64 = lapses.iter().map(|lapse| lapse.length).sum();
            let title = format!(
                "{} lapses, {} in all, the longest {open}{}: {causes}",
                lapses.len(),
                duration(all),
                duration(worst)
            );
            (title, format!("lapses {} x {}", lapses.len(), duration(worst)))
        };
        let mut answered: Vec<_> =
            case.successes().filter_map(|record| Some((record.end?, record))).collect();
        answered.sort_by_key(|(end, _)| *end);
        let before = |from| {
            let at = answered.partition_point(|(end, _)| *end <= from).checked_sub(1)?;
            answered.get(at).map(|(_, record)| *record)
        };
        let grants = lapses.iter().filter_map(|lapse| before(lapse.from));
        let mut remark = Remark::new(title, brief).times(lapses.len());
        for grant in grants {
            let seconds = grant.granted().unwrap_or(0);
            remark = remark.at(case.response(grant), format!("granted {seconds} s"));
        }
        remark.span(first.from, last.until.unwrap_or(case.audit.window.until))
    });
}
