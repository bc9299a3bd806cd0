//! The names findings of registrations have in specifications and older policy files.

/// Each with the rule, or the kind of a rule, that it is.
pub const NAMES: &[(&str, &str)] = &[
    ("reg/lapse", "R006"),
    ("reg/no-success", "R007:no-success"),
    ("reg/interval-long", "R004:long"),
    ("reg/interval-short", "R004:short"),
    ("reg/retry-cadence", "R014"),
    ("reg/overdue", "R013:overdue"),
    ("reg/timeout", "R007:timeout"),
    ("reg/no-response-seen", "R007:no-response-seen"),
    ("reg/rejected", "R007:final-error"),
    ("reg/auth-loop", "R007:auth-loop"),
    ("reg/challenge-incomplete", "R007:challenge-incomplete"),
    ("reg/not-bound", "R008:binding-absent"),
    ("reg/overlapping", "R010:overlap"),
    ("reg/late-refresh", "R013:late"),
    ("reg/chatty-refresh", "R005"),
    ("reg/expiry-short", "R009:short"),
    ("reg/expiry-shortened", "R009:shortened"),
    ("reg/expiry-raised", "R009:raised"),
    ("reg/expiry-unstated", "R008:expires-missing"),
    ("reg/expiry-conflict", "R009:conflicting"),
    ("reg/retry-too-soon", "R010:too-soon"),
    ("reg/retry-not-random", "R010:not-random"),
    ("reg/callid-churn", "R002"),
    ("reg/cseq-not-increasing", "R003"),
    ("reg/connection-churn", "R011:new-connection-each-refresh"),
    ("reg/connection-lost", "R011:connection-lost"),
    ("reg/source-changed", "R011:source-changed"),
    ("reg/port-changed", "R011:source-port-changed"),
    ("reg/keepalive-address-drift", "G017"),
    ("reg/keepalive-missed", "G005:beats-missing"),
    ("reg/keepalive-timeout", "G005:offline"),
    ("reg/keepalive-unanswered", "G005:answers-missing"),
    ("reg/keepalive-rejected", "G006:rejected"),
    ("reg/keepalive-absent", "G016"),
    ("reg/keepalive-after-expiry", "G006:after-expiry"),
    ("reg/duplicate-id", "R015"),
    ("reg/contact-private", "R016:private"),
    ("reg/contact-is-registrar", "R016:registrar"),
    ("reg/received-wrong", "R017:received"),
    ("reg/rport-missing", "R017:rport"),
    ("reg/date-missing", "G014:missing"),
    ("reg/date-format", "G014:format"),
    ("reg/date-zone", "G014:zone"),
    ("reg/date-skew", "G014:skew"),
    ("reg/ua-changed", "R011:user-agent-changed"),
    ("reg/storm", "R018:storm"),
    ("reg/herd", "R018:herd"),
    ("reg/mass-loss", "R018:mass-loss"),
    ("reg/absent", "R019"),
    ("reg/deregistered", "R020:deregistered"),
    ("reg/retransmissions", "R020:retransmitted"),
    ("input/capture-gap", "R020:capture-gap"),
    ("input/orphan-response", "R020:orphan-response"),
    ("input/truncated", "R020:truncated"),
    ("input/length-mismatch", "R020:length-mismatch"),
    ("gb/id-format", "G001:length"),
    ("gb/id-type", "G001:type-code"),
    ("gb/domain", "G002:domain-prefix"),
    ("gb/version", "G002:version-missing"),
    ("gb/redirected", "G018:redirected"),
];

/// `word`, or the selector of the rule that `word` is an older name of.
pub fn translate(word: &str) -> String {
    let known = NAMES.iter().find(|(old, _)| old.eq_ignore_ascii_case(word));
    known.map_or_else(|| word.to_owned(), |(_, selector)| (*selector).to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::rules::Selection;

    #[test]
    fn every_name_selects_a_rule() {
        for (old, _) in NAMES {
            let parsed = Selection::parse(&[translate(old)], &[]);
            assert!(parsed.is_ok(), "{old}: {:?}", parsed.err());
        }
        assert_eq!(translate("R006"), "R006");
    }
}
