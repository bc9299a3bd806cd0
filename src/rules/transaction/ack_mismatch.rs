//! T005: an ACK that acknowledges nothing.

use super::{BEFORE_CAPTURE, finals};
use crate::model::{MessageId, Transaction};
use crate::rules::security::scanner_user_agent;
use crate::rules::{
    Breach, Case, Check, Found, Group, Rule, Severity, Sorts, Tier, Verdict, quote,
};
use crate::sip::{HeaderName, Message, Method, Status};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "T005",
    name: "ack-mismatch",
    aliases: &[],
    statement: "An ACK does not match the INVITE and response it should acknowledge.",
    tier: Tier::Core,
    severity: Severity::Error,
    refs: &["RFC 3261 section 17.1.1.3", "RFC 3261 section 13.2.2.4", "RFC 3261 section 8.1.1.7"],
    kinds: &[
        ("cseq-number", Severity::Error),
        ("branch-reused-2xx", Severity::Error),
        ("branch-changed-non2xx", Severity::Error),
        ("request-uri-non2xx", Severity::Error),
        ("to-tag", Severity::Error),
        ("route-non2xx", Severity::Error),
        ("extra-via-non2xx", Severity::Error),
    ],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("ack_mismatch.md"),
    checks: &[Check::Sighting(Sorts::ACK, check)],
};

fn check(id: MessageId, case: &Case<'_>, found: &mut Found<'_>) -> Verdict {
    let ack = case.message(id);
    if ack.method() != Some(&Method::Ack) {
        return Verdict::Moot;
    }
    let Some(cseq) = ack.cseq() else { return Verdict::Undecided("no number in CSeq") };
    let Some((invite, request)) = invite_of(ack, cseq.number, case) else {
        return no_such_invite(id, cseq.number, case, found);
    };
    let mut answers = finals(invite, case).peekable();
    if scanner_user_agent::is_signed(case.message(request)) {
        // Scanners care for no rule; X001 tells of them.
        return Verdict::Moot;
    }
    let Some((first, status)) = answers.peek().copied() else {
        return Verdict::Undecided("the response was not captured");
    };
    let is_success = answers.any(|(_, status)| status.is_success());
    let pair = Pair { id, ack, request, invite: case.message(request), answer: first };
    pair.judge_to_tag(invite, case, found);
    if is_success {
        pair.judge_branch_of_2xx(found);
    } else {
        pair.judge_refusal(status, found);
    }
    Verdict::Judged
}

/// The INVITE with this number and From tag on the hop of the ACK.
fn invite_of<'a>(
    ack: &Message,
    number: u32,
    case: &Case<'a>,
) -> Option<(&'a Transaction, MessageId)> {
    case.invites().rfind(|(transaction, request)| {
        transaction.cseq == Some(number)
            && case.message(*request).from_tag() == ack.from_tag()
            && transaction.hop.joins(ack.envelope.from, ack.envelope.to)
    })
}

/// An ACK whose number no INVITE has: a fault only when all INVITEs of its dialog were seen.
fn no_such_invite(id: MessageId, number: u32, case: &Case<'_>, found: &mut Found<'_>) -> Verdict {
    let ack = case.message(id);
    let mut known =
        case.invites().filter(|(_, request)| case.message(*request).from_tag() == ack.from_tag());
    if known.clone().any(|(transaction, _)| transaction.cseq == Some(number)) {
        return Verdict::Undecided("the INVITE was seen on another hop only");
    }
    let begins = known.clone().any(|(_, request)| case.message(request).to_tag().is_none());
    let last = known.next_back();
    let Some((_, invite)) = last.filter(|_| begins && case.vantage.dropped == 0) else {
        return Verdict::Undecided(BEFORE_CAPTURE);
    };
    let own = case.message(invite).cseq().map(|cseq| cseq.number).unwrap_or_default();
    found.add_kind("cseq-number", || {
        Breach::new(format!("ACK with CSeq number {number}, the INVITE has {own}"))
            .at(id, quote::field(ack, HeaderName::CSeq), "no INVITE has this number")
            .at(invite, quote::field(case.message(invite), HeaderName::CSeq), "the INVITE")
    });
    Verdict::Judged
}

/// An ACK and the INVITE it belongs to, on one hop.
struct Pair<'a> {
    id: MessageId,
    ack: &'a Message,
    request: MessageId,
    invite: &'a Message,
    answer: MessageId,
}

impl Pair<'_> {
    fn judge_to_tag(&self, invite: &Transaction, case: &Case<'_>, found: &mut Found<'_>) {
        let own = self.ack.to_tag();
        let mut tags = finals(invite, case).map(|(id, _)| case.message(id).to_tag());
        if tags.any(|tag| tag == own) {
            return;
        }
        let answer = case.message(self.answer);
        found.add_kind("to-tag", || {
            let shown = |tag: Option<&[u8]>| match tag {
                Some(tag) => quote::text(tag).into_owned(),
                None => "none".to_owned(),
            };
            let title = format!(
                "ACK with To tag {}, the response has {}",
                shown(own),
                shown(answer.to_tag())
            );
            Breach::new(title)
                .at(self.id, quote::field(self.ack, HeaderName::To), "the To of the ACK")
                .at(self.answer, quote::field(answer, HeaderName::To), "the To it must repeat")
        });
    }

    fn judge_branch_of_2xx(&self, found: &mut Found<'_>) {
        let own = self.ack.branch();
        if own.is_some() && own == self.invite.branch() {
            found.add_kind("branch-reused-2xx", || {
                Breach::new("ACK of a 2xx with the branch of the INVITE")
                    .at(
                        self.id,
                        quote::field(self.ack, HeaderName::Via),
                        "needs a branch of its own",
                    )
                    .at(self.request, quote::field(self.invite, HeaderName::Via), "the INVITE")
            });
        }
    }

    fn judge_refusal(&self, status: Status, found: &mut Found<'_>) {
        let (ack, invite) = (self.ack, self.invite);
        if ack.branch() != invite.branch() {
            self.differs("branch-changed-non2xx", HeaderName::Via, found, || {
                format!("ACK of a {} with a branch of its own", status.0)
            });
        }
        if ack.request_uri() != invite.request_uri() {
            found.add_kind("request-uri-non2xx", || {
                let uri = quote::text(ack.request_uri().unwrap_or_default()).into_owned();
                let title = format!("ACK of a {} to another Request-URI: {uri}", status.0);
                Breach::new(title).at(self.id, None, "must be that of the INVITE").at(
                    self.request,
                    None,
                    "the INVITE",
                )
            });
        }
        if !ack.elements(HeaderName::Route).eq(invite.elements(HeaderName::Route)) {
            let is_left_out = ack.value(HeaderName::Route).is_none();
            found.add_kind("route-non2xx", || {
                let how = if is_left_out {
                    "without the Route of the INVITE"
                } else {
                    "with another Route"
                };
                let place = |message| quote::field(message, HeaderName::Route);
                let breach = Breach::new(format!("ACK of a {} {how}", status.0))
                    .at(self.id, place(ack), "the ACK")
                    .at(self.request, place(invite), "the INVITE it must repeat");
                // It reaches the next hop all the same, and RFC 3665 itself leaves it out.
                if is_left_out { breach.at_most(Severity::Warning) } else { breach }
            });
        }
        // Behind a stateless proxy INVITE and ACK have more than one alike (section 16.11).
        if invite.elements(HeaderName::Via).count() < ack.elements(HeaderName::Via).count() {
            self.differs("extra-via-non2xx", HeaderName::Via, found, || {
                format!("ACK of a {} with more Vias than the INVITE", status.0)
            });
        }
    }

    fn differs(
        &self,
        kind: &'static str,
        name: HeaderName,
        found: &mut Found<'_>,
        title: impl FnOnce() -> String,
    ) {
        found.add_kind(kind, || {
            Breach::new(title()).at(self.id, quote::field(self.ack, name), "the ACK").at(
                self.request,
                quote::field(self.invite, name),
                "the INVITE it must repeat",
            )
        });
    }
}
