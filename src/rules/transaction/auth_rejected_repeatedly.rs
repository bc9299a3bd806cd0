//! T019: credentials that are never accepted.

use smallvec::SmallVec;

use super::{MAY_BE_CUT, STILL_OPEN, finals};
use crate::model::{MessageId, Transaction};
use crate::rules::{Breach, Case, Check, Found, Group, Rule, Severity, Tier, Verdict, quote};
use crate::sip::{HeaderName, Message, Method, Status};

/// Challenges with stale=true in a row that are a loop.
const STALE: usize = 3;

pub(in crate::rules) const RULE: Rule = Rule {
    code: "T019",
    name: "auth-rejected-repeatedly",
    aliases: &[],
    statement: "Requests with credentials are challenged again, or a challenge is never answered.",
    tier: Tier::Core,
    severity: Severity::Warning,
    refs: &[
        "RFC 3261 section 22.1",
        "RFC 3261 section 22.2",
        "RFC 3261 section 22.3",
        "RFC 7616 section 3.3",
    ],
    kinds: &[
        ("wrong-credentials", Severity::Warning),
        ("stale-loop", Severity::Warning),
        ("challenge-unanswered", Severity::Info),
    ],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("auth_rejected_repeatedly.md"),
    checks: &[Check::Flow(check)],
};

fn check(case: &Case<'_>, found: &mut Found<'_>) -> Verdict {
    let mut challenged: SmallVec<[Attempt<'_>; 1]> = SmallVec::new();
    let mut verdict = Verdict::Moot;
    let firsts = case.flow.transactions.iter().filter(|one| one.previous_hop.is_none());
    for transaction in firsts {
        let Some(answered) = Answered::of(transaction, case) else { continue };
        verdict = Verdict::Judged;
        // What was accepted says nothing before something was refused.
        if challenged.is_empty() && !answered.status.is_challenge() {
            continue;
        }
        let attempt = Attempt::of(answered, case);
        let known = challenged.iter_mut().find(|known| known.is_same(&attempt));
        match known {
            Some(known) => known.follow(attempt),
            None => challenged.push(attempt),
        }
    }
    for attempt in &challenged {
        attempt.report(case, found);
        // Who was refused too often has given up.
        let gave_up = case.settings.auth_rejects <= attempt.wrong.open.len();
        if let Some(open) = attempt.unanswered.filter(|_| !gave_up) {
            if !case.covers(open, case.settings.timeout) {
                verdict = Verdict::Undecided(STILL_OPEN);
                continue;
            }
            let envelope = &case.message(open).envelope;
            if case.may_hide(envelope.to, envelope.from) {
                verdict = Verdict::Undecided(MAY_BE_CUT);
                continue;
            }
            found.add_kind("challenge-unanswered", || {
                let message = case.message(open);
                let what = quote::what_to(message);
                let method = attempt.method;
                let title = format!("No {method} with credentials followed the {what}");
                let name = challenge_header(message);
                Breach::new(title)
                    .at(open, quote::field(message, name), "the challenge")
                    .at_most(case.from_silence(Severity::Info))
            });
        }
    }
    verdict
}

/// A request that may be challenged, and its final response.
#[derive(Clone, Copy)]
struct Answered<'a> {
    method: &'a Method,
    request: MessageId,
    answer: MessageId,
    status: Status,
}

impl<'a> Answered<'a> {
    fn of(transaction: &'a Transaction, case: &Case<'_>) -> Option<Self> {
        if matches!(transaction.method, Method::Ack | Method::Cancel) {
            return None;
        }
        let request = transaction.request?;
        let (answer, status) = finals(transaction, case).next()?;
        Some(Self { method: &transaction.method, request, answer, status })
    }
}

/// What one client tried with one method in one realm, and what became of it.
struct Attempt<'a> {
    method: &'a Method,
    /// Its first request.
    asked: &'a Message,
    /// The last challenge.
    refusal: Option<&'a Message>,
    /// The challenges in a row to requests with credentials.
    wrong: Rows,
    stale: Rows,
    /// The last challenge, while no request followed it.
    unanswered: Option<MessageId>,
}

impl<'a> Attempt<'a> {
    fn of(answered: Answered<'a>, case: &Case<'a>) -> Self {
        let Answered { method, request, answer, status } = answered;
        let asked = case.message(request);
        let mut attempt = Self {
            method,
            asked,
            refusal: None,
            wrong: Rows::default(),
            stale: Rows::default(),
            unanswered: None,
        };
        if !status.is_challenge() {
            return attempt;
        }
        let said = case.message(answer);
        attempt.refusal = Some(said);
        attempt.unanswered = Some(answer);
        let tried = if status.0 == 401 {
            HeaderName::Authorization
        } else {
            HeaderName::ProxyAuthorization
        };
        if !asked.names().holds(tried) {
            return attempt;
        }
        let Some(challenge) = said.auths(challenge_header(said)).next() else {
            return attempt;
        };
        let realm = challenge.get("realm").unwrap_or_default();
        if asked.auths(tried).any(|own| own.get("realm") == Some(realm)) {
            let is_stale = challenge.get("stale").is_some_and(|v| v.eq_ignore_ascii_case(b"true"));
            let rows = if is_stale { &mut attempt.stale } else { &mut attempt.wrong };
            rows.open.push((request, answer));
        }
        attempt
    }

    fn is_same(&self, other: &Self) -> bool {
        self.method == other.method && is_same_sender(self.asked, other.asked)
    }

    /// Takes in the next attempt of the same client.
    fn follow(&mut self, next: Self) {
        self.unanswered = next.unanswered;
        match next.refusal {
            Some(refusal) => {
                let before = self.refusal.replace(refusal).map(realm).unwrap_or_default();
                if !before.is_empty() && before != realm(refusal) {
                    self.close();
                }
            }
            None => self.close(),
        }
        self.wrong.open.extend(next.wrong.open);
        self.stale.open.extend(next.stale.open);
    }

    fn close(&mut self) {
        self.wrong.close();
        self.stale.close();
    }

    fn report(&self, case: &Case<'_>, found: &mut Found<'_>) {
        let rows = [
            ("wrong-credentials", &self.wrong, case.settings.auth_rejects),
            ("stale-loop", &self.stale, STALE),
        ];
        for (kind, rows, most) in rows {
            let row = rows.longest();
            let Some((first, _)) = row.first().filter(|_| most <= row.len()) else { continue };
            found.add_kind(kind, || {
                let asked = case.message(*first);
                let title = format!(
                    "{} of {} with credentials refused {} times in a row",
                    self.method,
                    user(asked),
                    row.len()
                );
                row.iter().fold(Breach::new(title), |breach, (request, answer)| {
                    let note = "credentials, refused";
                    let name = challenge_header(case.message(*answer));
                    breach.at(*request, None, note).at(
                        *answer,
                        quote::field(case.message(*answer), name),
                        "challenged again",
                    )
                })
            });
        }
    }
}

/// Requests and their challenges in a row.
#[derive(Default)]
struct Rows {
    /// The row at hand.
    open: Vec<(MessageId, MessageId)>,
    /// The longest before.
    worst: Vec<(MessageId, MessageId)>,
}

impl Rows {
    /// The row at hand ends.
    fn close(&mut self) {
        let row = std::mem::take(&mut self.open);
        if self.worst.len() < row.len() {
            self.worst = row;
        }
    }

    fn longest(&self) -> &[(MessageId, MessageId)] {
        if self.open.len() < self.worst.len() { &self.worst } else { &self.open }
    }
}

/// True when From names one and the same address.
fn is_same_sender(one: &Message, other: &Message) -> bool {
    one.value(HeaderName::From) == other.value(HeaderName::From) || sender(one) == sender(other)
}

fn sender(message: &Message) -> &[u8] {
    message.from().map(|from| from.uri).unwrap_or_default()
}

/// The realm of the first challenge of a refusal; empty when it names none.
fn realm(refusal: &Message) -> &[u8] {
    let challenge = refusal.auths(challenge_header(refusal)).next();
    challenge.and_then(|challenge| challenge.get("realm")).unwrap_or_default()
}

fn user(message: &Message) -> String {
    message.from().map_or_else(|| "?".to_owned(), |from| quote::text(from.uri).into_owned())
}

fn challenge_header(message: &Message) -> HeaderName {
    match message.status() {
        Some(status) if status.0 == 407 => HeaderName::ProxyAuthenticate,
        _ => HeaderName::WwwAuthenticate,
    }
}
