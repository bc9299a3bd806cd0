//! Flows under all rules: each subject once, every check in one pass.

use super::batch::{Batch, Coming, Item, MOST, TOGETHER, cut_short};
use super::case::{Reported, Turn};
use super::schedule::Subject;
use super::sorts::Sorted;
use super::{
    Breach, Case, Check, Context, Finding, Found, Group, Place, RULES, Rule, RuleIndex, Selection,
    Settings, Sorts, Verdict, quote,
};
use crate::model::{AHEAD, CallFlow, FlowId, FlowKind, MessageId, asked_for};
use crate::near;
use crate::sip::{HeaderName, Message, Method};

/// Evidence kept of one finding: the first places and the last.
pub(super) const EVIDENCE: usize = 5;
/// Things of a kind in a flow that are asked for ahead: more would be gone before they are needed.
const MOST_AHEAD: usize = 64;

/// What the rules say of a flow, or of some that were judged together.
#[derive(Debug, Default)]
pub struct FlowReport {
    /// Groups of equal breaches in one flow, with what they are counted together by across flows.
    pub(super) groups: Vec<(Key, Finding)>,
    /// Judged and undecided.
    pub(super) counts: Counts,
    /// Every breach, ungrouped.
    pub(super) marks: Vec<super::Mark>,
}

impl FlowReport {
    /// The same without places, for a flow that is let go: nobody could look at them any more.
    #[must_use]
    pub fn without_places(mut self) -> Self {
        self.marks.clear();
        for (_, finding) in &mut self.groups {
            finding.evidence.clear();
        }
        self
    }

    /// The findings, each of one flow, in the order in which they were met.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.groups.iter().map(|(_, finding)| finding)
    }
}

/// How often the rules could judge, and why they could not.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    /// Subjects judged, by rule; empty while there are none.
    pub(super) judged: Box<[u32]>,
    /// Rules, reasons and subjects not decidable.
    pub(super) undecided: Vec<(RuleIndex, &'static str, u32)>,
}

impl Counts {
    fn of_all_rules() -> Self {
        Self { judged: vec![0; RULES.len()].into(), undecided: Vec::new() }
    }

    fn add_undecided(&mut self, index: RuleIndex, reason: &'static str) {
        let known = self.undecided.iter_mut().find(|(i, r, _)| (*i, *r) == (index, reason));
        match known {
            Some((.., count)) => *count += 1,
            None => self.undecided.push((index, reason, 1)),
        }
    }
}

/// The fingerprint of a finding: rule, kind, header, sender, and dialog, registration or source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) rule: RuleIndex,
    pub(super) kind: Option<&'static str>,
    pub(super) about: Option<HeaderName>,
    pub(super) sender: String,
    pub(super) scope: Scope,
}

/// What a finding is about, for counting.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scope {
    /// One call or subscription.
    Flow(FlowId),
    /// One address-of-record or target.
    Target(Vec<u8>),
    /// All of a sender.
    Sender,
}

/// Judges `flow` by every rule that is on.
///
/// Pure; flows may be judged in parallel and in any order.
pub fn check_flow(flow: &CallFlow, context: &Context<'_>) -> FlowReport {
    check_flows([flow], context)
}

/// Judges each of `flows` as [`check_flow`] does, many in a fraction of the time: what is said of
/// them stands in one report, in their order.
pub fn check_flows<'a>(
    flows: impl IntoIterator<Item = &'a CallFlow>,
    context: &Context<'a>,
) -> FlowReport {
    let mut run = Run::new(context);
    // A batch is judged when the next one is gathered, whose texts come meanwhile.
    let (mut batch, mut next) = (Batch::default(), Batch::default());
    let flows = asked_for(flows.into_iter());
    for flow in near::ahead(AHEAD, flows, |flow| flow.ask_for_lists(MOST_AHEAD)) {
        next.add(flow, context);
        if TOGETHER <= next.messages.len() {
            run.judge(&batch, &next);
            batch.clear();
            std::mem::swap(&mut batch, &mut next);
        }
    }
    run.judge(&batch, &next);
    run.judge(&next, &Batch::default());
    run.report
}

/// Judges one message by itself; `each` is told the rule and the breach, in order of code.
pub fn check_message(
    message: &Message,
    selection: &Selection,
    each: &mut dyn FnMut(&'static Rule, Breach),
) {
    if cut_short(message.envelope.completeness).is_some() {
        return;
    }
    let settings = Settings::default();
    let mut reported = Vec::new();
    let sorts = Sorts::of(message);
    for (index, check) in selection.schedule().of_subject(Subject::Message) {
        let Check::Message(wanted, judge) = check else { continue };
        if !sorts.meet(*wanted) {
            continue;
        }
        let mut found = Found {
            subject: MessageId::at(0),
            settings: &settings,
            index: *index,
            selection,
            turn: Turn::default(),
            reported: &mut reported,
        };
        judge(message, &mut found);
    }
    for Reported { index, breach, .. } in reported {
        each(index.rule(), breach);
    }
}

/// What the checks that are on have said so far.
struct Run<'c> {
    context: &'c Context<'c>,
    /// Of the batch at hand.
    reported: Vec<Reported>,
    report: FlowReport,
}

impl<'c> Run<'c> {
    fn new(context: &'c Context<'c>) -> Self {
        let report = FlowReport { counts: Counts::of_all_rules(), ..FlowReport::default() };
        Self { context, reported: Vec::new(), report }
    }

    /// Runs all checks on `batch`, and asks for what those on `next` will read.
    fn judge(&mut self, batch: &Batch<'_>, next: &Batch<'_>) {
        let schedule = self.context.selection.schedule();
        let steps = schedule.of_subject(Subject::Message).len();
        // A flow may be much longer than a batch is to be.
        let mut parts = batch.messages.chunks(MOST).peekable();
        if parts.peek().is_none() || steps == 0 {
            Coming::new(next.first_messages(), 1).ask_for_some();
        }
        if batch.cases.is_empty() {
            return;
        }
        while let Some(messages) = parts.next() {
            let coming = parts.peek().copied().unwrap_or(next.first_messages());
            let mut coming = Coming::new(coming, steps);
            let sorted = Sorted::of(messages.iter().map(|item| sorts_of(item.what)));
            let all_of = |wanted| sorted.places(wanted).map(|at| &messages[at]);
            for (index, check) in schedule.of_subject(Subject::Message) {
                coming.ask_for_some();
                match check {
                    Check::Message(wanted, judge) => {
                        self.each(*index, all_of(*wanted), |item, found| {
                            let (message, reason) = item.what;
                            reason.map_or_else(|| judge(message, found), Verdict::Undecided)
                        });
                    }
                    Check::Sighting(wanted, judge) => {
                        self.each(*index, all_of(*wanted), |item, found| {
                            judge(item.message, batch.case(item.turn), found)
                        });
                    }
                    _ => {}
                }
            }
        }
        for (index, check) in schedule.beyond_messages() {
            match check {
                Check::Transaction(judge) => {
                    self.each(*index, &batch.transactions, |item, found| {
                        judge(item.what, batch.case(item.turn), found)
                    });
                }
                Check::Dialog(judge) => self.each(*index, &batch.dialogs, |item, found| {
                    judge(item.what, batch.case(item.turn), found)
                }),
                Check::Exchange(judge) => self.each(*index, &batch.exchanges, |item, found| {
                    judge(item.what, batch.case(item.turn), found)
                }),
                Check::Flow(judge) => self
                    .each(*index, &batch.flows, |item, found| judge(batch.case(item.turn), found)),
                _ => {}
            }
        }
        self.enter_all(&batch.cases);
    }

    /// Runs one check on all `items` before the next begins: the code of all checks together does
    /// not fit into the nearest cache of a processor.
    fn each<'i, T: 'i>(
        &mut self,
        index: RuleIndex,
        items: impl IntoIterator<Item = &'i Item<T>>,
        judge: impl Fn(&Item<T>, &mut Found<'_>) -> Verdict,
    ) {
        let mut found = Found {
            subject: MessageId::at(0),
            settings: self.context.settings,
            index,
            selection: self.context.selection,
            turn: Turn::default(),
            reported: &mut self.reported,
        };
        let counts = &mut self.report.counts;
        let mut judged = 0;
        for item in items {
            found.subject = item.message;
            found.turn = item.turn;
            let verdict = judge(item, &mut found);
            judged += u32::from(matches!(verdict, Verdict::Judged));
            if let Verdict::Undecided(reason) = verdict {
                counts.add_undecided(index, reason);
            }
        }
        counts.judged[usize::from(index.0)] += judged;
    }

    /// Enters what was reported: flow by flow, and of each thing in order of code.
    fn enter_all(&mut self, cases: &[Case<'_>]) {
        self.reported.sort_by_key(|reported| reported.turn);
        let mut flow = None;
        let mut own = 0;
        for reported in self.reported.drain(..) {
            if flow.replace(reported.turn.flow) != Some(reported.turn.flow) {
                own = self.report.groups.len();
            }
            let Some(case) = cases.get(reported.turn.flow as usize) else { continue };
            enter(&mut self.report, own, case.flow, reported);
        }
    }
}

/// The sorts of a message: one that cannot be judged by its text is for all checks to say so.
fn sorts_of((message, reason): (&Message, Option<&'static str>)) -> Sorts {
    match reason {
        None => Sorts::of(message),
        Some(_) => Sorts::EVERY,
    }
}

/// Adds a breach to the finding it repeats, one of those of its flow, which begin at `own`; or as a
/// finding of its own.
fn enter(report: &mut FlowReport, own: usize, flow: &CallFlow, reported: Reported) {
    let Reported { index, kind, severity, breach, .. } = reported;
    let Some(first) = breach.places.first() else { return };
    let at = first.message;
    let message = flow.message(at);
    let time = message.envelope.time;
    let rule = index.rule();
    report.marks.push(super::Mark { flow: flow.id, message: at, rule: index, kind, severity });

    let sender = quote::sender(message, rule.group == Group::Source);
    let scope = scope_of(flow, message, rule);
    let key = Key { rule: index, kind, about: breach.about, sender: sender.key, scope };
    let places = breach.places.into_iter().map(|spot| Place {
        flow: spot.flow.unwrap_or(flow.id),
        message: spot.message,
        span: spot.span,
        note: spot.note,
    });
    let finding = Finding {
        rule,
        kind,
        severity,
        title: breach.title,
        sender: sender.shown,
        hop: quote::hop(message),
        evidence: places.take(EVIDENCE).collect(),
        count: 1,
        first: time,
        last: time,
    };
    match report.groups.iter_mut().skip(own).find(|(known, _)| *known == key) {
        Some((_, known)) => absorb(known, finding),
        None => report.groups.push((key, finding)),
    }
}

/// Counts `other` into `finding`; the later place takes the last seat once all are taken.
pub(super) fn absorb(finding: &mut Finding, other: Finding) {
    let later = finding.first <= other.first;
    finding.count += other.count;
    finding.severity = finding.severity.max(other.severity);
    let (mut head, tail) = if later {
        (std::mem::take(&mut finding.evidence), other.evidence)
    } else {
        finding.title = other.title;
        finding.hop = other.hop;
        (other.evidence, std::mem::take(&mut finding.evidence))
    };
    for place in tail {
        if head.len() == EVIDENCE {
            head.pop();
        }
        head.push(place);
    }
    finding.evidence = head;
    finding.first = finding.first.min(other.first);
    finding.last = finding.last.max(other.last);
}

/// What equal breaches are counted together by.
fn scope_of(flow: &CallFlow, message: &Message, rule: &Rule) -> Scope {
    match rule.group {
        Group::Sender | Group::Source => Scope::Sender,
        Group::Flow => match kind_of(flow) {
            FlowKind::Call | FlowKind::Subscription => Scope::Flow(flow.id),
            FlowKind::Registration | FlowKind::Other => {
                let to = message.to().map_or_else(Vec::new, |to| to.uri.to_vec());
                Scope::Target(to)
            }
        },
    }
}

/// The kind of a flow by its first request, as far as counting needs it.
fn kind_of(flow: &CallFlow) -> FlowKind {
    let method = flow.transactions.first().map(|transaction| &transaction.method);
    match method {
        Some(Method::Register) => FlowKind::Registration,
        Some(Method::Message | Method::Options | Method::Publish) => FlowKind::Other,
        Some(Method::Subscribe | Method::Notify) => FlowKind::Subscription,
        _ => FlowKind::Call,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::model::{Crossings, Seed, Vantage};
    use crate::net::Endpoint;
    use crate::time::Timestamp;
    use crate::transport::{Envelope, Text, Transport};

    /// Messages of every sort, each right and with hardly a header.
    fn all_sorts() -> Vec<Message> {
        let methods = "INVITE ACK BYE CANCEL REGISTER OPTIONS PRACK SUBSCRIBE NOTIFY PUBLISH INFO \
                       REFER MESSAGE UPDATE DANCE";
        let codes = [
            100, 180, 183, 200, 202, 302, 401, 404, 405, 407, 415, 420, 421, 422, 423, 487, 489,
            494, 503, 603, 777,
        ];
        let requests = methods
            .split_whitespace()
            .map(|method| (format!("{method} sip:bob@b.example SIP/2.0"), method));
        let answered = ["INVITE", "SUBSCRIBE", "PUBLISH", "UPDATE", "REGISTER"];
        let answers = codes.iter().flat_map(|code| {
            answered.map(|method| (format!("SIP/2.0 {code} Some reason"), method))
        });
        let bodies = [
            "",
            "Content-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n",
            "\r\nv=0\r\n",
        ];
        let mut all = Vec::new();
        for (line, method) in requests.chain(answers) {
            let fields = format!(
                "Via: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@a>;tag=1\r\nTo: <sip:b@b>\r\n\
                 Call-ID: c\r\nCSeq: 1 {method}\r\nRSeq: 1\r\nContact: <sip:a@a>;reg-id=1\r\n"
            );
            for fields in [fields.as_str(), &format!("CSeq: 1 {method}\r\n")] {
                for body in bodies {
                    let text = format!("{line}\r\n{fields}{body}\r\n");
                    for (transport, fragments) in
                        [(Transport::Udp, 1), (Transport::Udp, 3), (Transport::Tcp, 1)]
                    {
                        let ends = [1, 2]
                            .map(|host| Endpoint { ip: [192, 0, 2, host].into(), port: 5060 });
                        let plain = Envelope::datagram(0, Timestamp(0), ends[0], ends[1]);
                        let envelope = Envelope { fragments, transport, ..plain };
                        let text = Text::Owned(text.clone().into_bytes().into());
                        all.push(Message::parse(envelope, text).unwrap());
                    }
                }
            }
        }
        all
    }

    #[test]
    fn checks_have_nothing_to_say_of_sorts_they_do_not_name() {
        let (vantage, crossings) = (Vantage::default(), Crossings::default());
        let (settings, selection) = (Settings::default(), Selection::all());
        let mut moot = 0;
        for message in all_sorts() {
            let sorts = Sorts::of(&message);
            let mut flow = CallFlow::new(Seed(7));
            let id = flow.observe(message.clone());
            let context = Context {
                vantage: &vantage,
                crossings: &crossings,
                selection: &selection,
                settings: &settings,
            };
            let case = Case::of(&flow, &context);
            for (index, check) in selection.schedule().of_subject(Subject::Message) {
                let mut reported = Vec::new();
                let mut found = Found {
                    subject: id,
                    settings: &settings,
                    index: *index,
                    selection: &selection,
                    turn: Turn::default(),
                    reported: &mut reported,
                };
                let verdict = match check {
                    Check::Message(wanted, judge) if !sorts.meet(*wanted) => {
                        judge(&message, &mut found)
                    }
                    Check::Sighting(wanted, judge) if !sorts.meet(*wanted) => {
                        judge(id, &case, &mut found)
                    }
                    _ => continue,
                };
                let line = String::from_utf8_lossy(message.start_line()).into_owned();
                assert_eq!(verdict, Verdict::Moot, "{} of {line}", index.rule().code);
                assert!(reported.is_empty());
                moot += 1;
            }
        }
        assert!(1_000 < moot, "{moot}");
    }
}
