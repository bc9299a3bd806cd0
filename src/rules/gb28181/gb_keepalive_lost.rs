//! G005: keepalives or their answers fail to come.

use crate::model::audit::{Answer, Keepalives};
use crate::rules::registrant::{Noted, Registrant, Remark, Spot};
use crate::rules::registration::{duration, is_shared};
use crate::rules::{Check, Group, Rule, Severity, Tier};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "G005",
    name: "gb-keepalive-lost",
    aliases: &[],
    statement: "Keepalives or their answers failed in a row: the other side must be taken as offline.",
    tier: Tier::Core,
    severity: Severity::Error,
    refs: &["GB/T 28181-2022 section 9.6.1"],
    kinds: &[
        ("offline", Severity::Error),
        ("answers-missing", Severity::Error),
        ("beats-missing", Severity::Warning),
    ],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("gb_keepalive_lost.md"),
    checks: &[Check::Registration(check)],
};

fn check(case: &Registrant<'_>, noted: &mut Noted<'_>) {
    let Some(beats) = &case.device.keepalives else { return };
    let n = case.device.keepalive_count();
    let every = duration(beats.expected);
    // Several series at once tell the spacing of none; what was agreed on holds for each.
    let is_mixed = 1 < case.device.registrars || is_shared(case.device);
    if is_mixed && case.device.agreed_keepalive().is_none() {
        // Only what came of each can be told.
    } else if let Some((from, until)) = beats.platform_offline.first() {
        noted.add_kind("offline", || {
            let title = format!("no keepalive for {n} x {every}: a platform gives it up then");
            let brief = match until {
                Some(_) => format!("offline {} times", beats.platform_offline.len()),
                None => "keepalives ended".to_owned(),
            };
            let last = beats.platform_offline.last().and_then(|(_, until)| *until);
            last_beat(beats, Remark::new(title, brief))
                .times(beats.platform_offline.len())
                .span(*from, last.unwrap_or(case.audit.window.until))
        });
    } else if beats.missed_slots > 0 {
        noted.add_kind("beats-missing", || {
            let title =
                format!("{} keepalives are missing, of one every {every}", beats.missed_slots);
            last_beat(beats, Remark::new(title, "keepalives missing"))
                .times(beats.missed_slots as usize)
        });
    }
    if beats.unanswered > 0 {
        noted.add_kind("answers-missing", || {
            let title = format!(
                "{} of {} keepalives were not answered, {} in a row",
                beats.unanswered, beats.n, beats.max_consecutive_unanswered
            );
            let silent = beats.pulses().filter(|pulse| pulse.answer == Answer::None);
            let remark =
                Remark::new(title, "keepalives unanswered").times(beats.unanswered as usize);
            silent.fold(remark, |remark, pulse| remark.at(Spot::of(&pulse), "no answer"))
        });
    }
}

fn last_beat(beats: &Keepalives, remark: Remark) -> Remark {
    let last = beats.last().map(|(time, frame)| Spot { frame, time, hop: None });
    remark.at(last, "the last keepalive")
}
