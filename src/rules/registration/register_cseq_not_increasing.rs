//! R003: CSeq does not grow within a Call-ID.

use crate::rules::registrant::{Noted, Registrant, Remark};
use crate::rules::{Check, Group, Rule, Severity, Tier};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "R003",
    name: "register-cseq-not-increasing",
    aliases: &["reg/cseq-not-increasing"],
    statement: "A new REGISTER with the same Call-ID does not have a higher CSeq.",
    tier: Tier::Next,
    severity: Severity::Error,
    refs: &["RFC 3261 section 10.2", "RFC 3261 section 10.3"],
    kinds: &[],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("register_cseq_not_increasing.md"),
    checks: &[Check::Registration(check)],
};

fn check(case: &Registrant<'_>, noted: &mut Noted<'_>) {
    let device = case.device;
    if device.cseq_regressions == 0 {
        return;
    }
    noted.add(|| {
        let n = device.cseq_regressions as usize;
        let title = format!("{n} REGISTERs with a CSeq that is not higher than the one before");
        let pairs = device.records.windows(2);
        let lower =
            pairs.filter(|two| two[0].call_id == two[1].call_id && two[1].cseq <= two[0].cseq);
        Remark::new(title, "CSeq does not increase")
            .times(n)
            .requests(case, lower.filter_map(|two| two.last()))
    });
}
