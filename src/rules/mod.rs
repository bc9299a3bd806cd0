//! What is wrong, and where it is written: one rule, two files (`<name>.rs`, `<name>.md`) and a
//! line in [`RULES`].
//!
//! A check is a pure function over the model. It says whether it could judge (a [`Verdict`]) and
//! reports each [`Breach`]; the same breaches of one sender become one [`Finding`].

pub mod finding;
pub mod case;
mod batch;
pub mod run;
mod lists;
pub mod merge;
mod schedule;
mod sorts;
pub mod selection;
mod quote;
mod words;
mod message;
mod transaction;
mod dialog;
mod sdp;
pub mod registration;
mod security;
mod told;
mod gb28181;
pub mod registrant;

pub use case::{Breach, Case, Context, Found, Settings, Spot, Verdict};
pub use finding::{Finding, Place, Severity};
pub use merge::{Coverage, Gathered, Mark, Report, merge};
pub use quote::is_treacherous;
pub use registrant::{DeviceFinding, check_device, check_fleet, check_registrations};
pub use run::{FlowReport, check_flow, check_flows, check_message};
pub use security::is_scanner;
pub use selection::{Selection, UnknownSelector};
pub use sorts::Sorts;
pub use told::Told;

use crate::model::{DialogId, Exchange, MessageId, TransactionId};
use crate::sip::Message;

/// Every rule, in order of code.
pub static RULES: &[&Rule] = &[
    &message::start_line_malformed::RULE,
    &message::header_line_malformed::RULE,
    &message::missing_mandatory_header::RULE,
    &message::header_value_malformed::RULE,
    &message::via_branch_invalid::RULE,
    &message::content_length_mismatch::RULE,
    &message::content_length_missing_stream::RULE,
    &message::cseq_method_mismatch::RULE,
    &message::from_tag_missing::RULE,
    &message::response_to_tag_missing::RULE,
    &message::dialog_contact_missing::RULE,
    &message::challenge_missing::RULE,
    &message::response_required_header_missing::RULE,
    &message::udp_message_too_large::RULE,
    &transaction::request_timeout::RULE,
    &transaction::final_response_missing::RULE,
    &transaction::ack_missing_2xx::RULE,
    &transaction::ack_missing_non2xx::RULE,
    &transaction::ack_mismatch::RULE,
    &transaction::cancel_mismatch::RULE,
    &transaction::response_not_echoed::RULE,
    &transaction::retransmission_excessive::RULE,
    &transaction::auth_rejected_repeatedly::RULE,
    &dialog::request_outside_dialog::RULE,
    &dialog::cseq_not_increasing::RULE,
    &registration::register_call_id_changed::RULE,
    &registration::register_cseq_not_increasing::RULE,
    &registration::register_interval_unexpected::RULE,
    &registration::register_too_frequent::RULE,
    &registration::registration_lapsed::RULE,
    &registration::registration_rejected::RULE,
    &registration::register_response_contact::RULE,
    &registration::register_expires_invalid::RULE,
    &registration::register_retry_too_fast::RULE,
    &registration::registration_unstable::RULE,
    &registration::outbound_invalid::RULE,
    &registration::registration_overdue::RULE,
    &registration::register_retry_cadence::RULE,
    &registration::registration_shared_id::RULE,
    &registration::register_contact_unreachable::RULE,
    &registration::register_via_wrong::RULE,
    &registration::registration_storm::RULE,
    &registration::registration_absent::RULE,
    &registration::registration_noted::RULE,
    &registration::registration_probed::RULE,
    &sdp::sdp_mandatory_lines::RULE,
    &sdp::sdp_connection_missing::RULE,
    &sdp::mline_count_mismatch::RULE,
    &sdp::answer_codec_not_offered::RULE,
    &sdp::offer_unanswered::RULE,
    &security::scanner_user_agent::RULE,
    &security::cleartext_credentials::RULE,
    &gb28181::gb_device_id_invalid::RULE,
    &gb28181::gb_register_identity::RULE,
    &gb28181::gb_register_expires_short::RULE,
    &gb28181::gb_keepalive_interval::RULE,
    &gb28181::gb_keepalive_lost::RULE,
    &gb28181::gb_keepalive_unregistered::RULE,
    &gb28181::gb_date_header::RULE,
    &gb28181::gb_keepalive_absent::RULE,
    &gb28181::gb_keepalive_moved::RULE,
    &gb28181::gb_register_redirected::RULE,
];

/// A rule: metadata and pure functions over the model.
#[derive(Debug)]
pub struct Rule {
    /// Stable code of the catalogue: `M014`. Its letter names the scope.
    pub code: &'static str,
    /// Kebab-case name: `cseq-method-mismatch`.
    pub name: &'static str,
    /// Names it had before; they select it as well.
    pub aliases: &'static [&'static str],
    /// What is wrong, in one sentence.
    pub statement: &'static str,
    /// How basic it is.
    pub tier: Tier,
    /// Severity of its worst kind.
    pub severity: Severity,
    /// Where it is written; never empty.
    pub refs: &'static [&'static str],
    /// Its kinds and their severities; empty for a rule of one kind.
    pub kinds: &'static [(&'static str, Severity)],
    /// The kinds that are off unless selected by name, by `pedantic` or by `all`.
    pub pedantic: &'static [&'static str],
    /// What equal breaches are counted together by.
    pub group: Group,
    /// The page.
    pub page: &'static str,
    /// How it judges.
    pub checks: &'static [Check],
}

impl Rule {
    /// Code and kind as users write it: `M003:bare-lf`.
    pub fn label(&self, kind: Option<&str>) -> String {
        match kind {
            Some(kind) => format!("{}:{kind}", self.code),
            None => self.code.to_owned(),
        }
    }

    /// The scope its code's letter names.
    pub fn scope(&self) -> &'static str {
        match self.code.as_bytes().first() {
            Some(b'M') => "message",
            Some(b'T') => "transaction",
            Some(b'D') => "dialog",
            Some(b'R') => "registration",
            Some(b'S') => "sdp",
            Some(b'A') => "media",
            Some(b'X') => "security",
            _ => "gb28181",
        }
    }
}

/// How basic a rule is: the order in which they were built, by value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// What every analysis needs.
    Core,
    /// The next best.
    Next,
    /// The rest.
    Later,
}

impl Tier {
    /// The word that selects it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Next => "next",
            Self::Later => "later",
        }
    }
}

/// What equal breaches of one sender are counted together by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// The call flow; outside calls and subscriptions the address in To, so that a device that
    /// repeats itself under ever new Call-IDs gives one finding.
    Flow,
    /// The sender, whatever it takes part in.
    Sender,
    /// The address the sender writes from, whatever it calls itself.
    Source,
}

/// A function that judges one thing of a flow.
#[derive(Clone, Copy, Debug)]
pub enum Check {
    /// Every message of these sorts on its first hop, by itself; others are moot.
    Message(Sorts, fn(&Message, &mut Found<'_>) -> Verdict),
    /// Every message of these sorts on its first hop, within its flow; others are moot.
    Sighting(Sorts, fn(MessageId, &Case<'_>, &mut Found<'_>) -> Verdict),
    /// Every transaction on every hop.
    Transaction(fn(TransactionId, &Case<'_>, &mut Found<'_>) -> Verdict),
    /// Every dialog.
    Dialog(fn(DialogId, &Case<'_>, &mut Found<'_>) -> Verdict),
    /// Every offer and its answer.
    Exchange(fn(&Exchange, &Case<'_>, &mut Found<'_>) -> Verdict),
    /// The flow as a whole.
    Flow(fn(&Case<'_>, &mut Found<'_>) -> Verdict),
    /// Every device at every registrar, by the registration audit.
    Registration(fn(&registrant::Registrant<'_>, &mut registrant::Noted<'_>)),
    /// All devices together.
    Fleet(fn(&crate::model::audit::Audit, &mut registrant::Noted<'_>)),
}

/// The rule with this code, name or alias, in any case.
pub fn find(word: &str) -> Option<&'static Rule> {
    RULES.iter().copied().find(|rule| {
        rule.code.eq_ignore_ascii_case(word)
            || rule.name.eq_ignore_ascii_case(word)
            || rule.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(word))
    })
}

/// The codes of the message rules that `message` breaks by itself, in order of code.
pub fn codes(message: &Message, selection: &Selection) -> Vec<&'static str> {
    let mut codes = Vec::new();
    check_message(message, selection, &mut |rule, _| {
        if codes.last() != Some(&rule.code) {
            codes.push(rule.code);
        }
    });
    codes
}

/// The place of a rule in [`RULES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleIndex(pub u16);

impl RuleIndex {
    /// The rule.
    pub fn rule(self) -> &'static Rule {
        RULES[usize::from(self.0)]
    }
}

/// All rules with their places.
pub fn numbered() -> impl Iterator<Item = (RuleIndex, &'static Rule)> {
    RULES.iter().enumerate().map(|(i, rule)| (RuleIndex(i as u16), *rule))
}
