//! One flow under all rules: each subject once, every check in one pass.

use std::cell::Cell;

use smallvec::SmallVec;

use super::case::Reported;
use super::schedule::Subject;
use super::{
    Breach, Case, Check, Context, Finding, Found, Group, Place, RULES, Rule, RuleIndex, Selection,
    Settings, Verdict, quote,
};
use crate::model::{CallFlow, DialogId, Entry, FlowId, FlowKind, MessageId, Note, TransactionId};
use crate::sip::field::strict::Known;
use crate::sip::{HeaderName, Message, Method};
use crate::transport::Completeness;

/// Evidence kept of one finding: the first places and the last.
pub(super) const EVIDENCE: usize = 5;

/// What the rules say of one flow.
#[derive(Debug, Default)]
pub struct FlowReport {
    /// Groups of equal breaches, with what they are counted together by across flows.
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

    /// The findings of this flow alone, in the order in which they were met.
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
    let Context { vantage, crossings, settings, .. } = *context;
    let case = Case { flow, vantage, crossings, settings };
    flow.bring_texts_near();
    let mut run = Run::new(flow, context);
    let whole = |message: &Message| cut_short(message.envelope.completeness);
    let written = written_anew(flow).map(|(id, entry)| (id, &entry.message, whole(&entry.message)));
    let judged: SmallVec<[_; 16]> = written.collect();
    let about = |at: usize| judged[at].0;
    run.each(Subject::Message, judged.len(), about, |check, at, found| match check {
        Check::Message(judge) => match judged[at] {
            (_, _, Some(reason)) => Verdict::Undecided(reason),
            (_, message, None) => judge(message, found),
        },
        Check::Sighting(judge) => judge(judged[at].0, &case, found),
        _ => Verdict::Moot,
    });
    let none = |_| MessageId(0);
    run.each(Subject::Transaction, flow.transactions.len(), none, |check, at, found| match check {
        Check::Transaction(judge) => judge(TransactionId(at as u32), &case, found),
        _ => Verdict::Moot,
    });
    run.each(Subject::Dialog, flow.dialogs.len(), none, |check, at, found| match check {
        Check::Dialog(judge) => judge(DialogId(at as u32), &case, found),
        _ => Verdict::Moot,
    });
    let about = |at: usize| flow.exchanges[at].offer.message;
    run.each(Subject::Exchange, flow.exchanges.len(), about, |check, at, found| match check {
        Check::Exchange(judge) => judge(&flow.exchanges[at], &case, found),
        _ => Verdict::Moot,
    });
    run.each(Subject::Flow, 1, none, |check, _, found| match check {
        Check::Flow(judge) => judge(&case, found),
        _ => Verdict::Moot,
    });
    run.finish()
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
    let mut sink = |reported: Reported| each(reported.index.rule(), reported.breach);
    for (index, check) in selection.schedule().of_subject(Subject::Message) {
        let Check::Message(judge) = check else { continue };
        let mut found = Found {
            subject: MessageId(0),
            settings: &settings,
            known: None,
            rule: index.rule(),
            index: *index,
            selection,
            sink: &mut sink,
        };
        judge(message, &mut found);
    }
}

/// The messages of `flow` that somebody wrote, copies left out. A copy that differs from what it
/// repeats is among them: it was written anew.
fn written_anew(flow: &CallFlow) -> impl Iterator<Item = (MessageId, &Entry)> {
    let is_new = |entry: &Entry| match entry.note {
        Note::New => true,
        Note::Retransmission(of) => flow.message(of).text() != entry.message.text(),
        Note::Duplicate(_) | Note::Forwarded(_) => false,
    };
    flow.entries().filter(move |(_, entry)| is_new(entry))
}

/// Guard WHOLE: why a message cannot be judged by its text.
fn cut_short(completeness: Completeness) -> Option<&'static str> {
    match completeness {
        // A lying Content-Length does not spoil the header section.
        Completeness::Whole | Completeness::Desync => None,
        Completeness::Truncated => Some("message cut by the snap length"),
        Completeness::Gap => Some("octets of the message are missing"),
    }
}

/// The checks that are on, and what they have said so far.
struct Run<'a> {
    flow: &'a CallFlow,
    context: &'a Context<'a>,
    counts: Counts,
    known: Known,
    reported: Vec<Reported>,
}

impl<'a> Run<'a> {
    fn new(flow: &'a CallFlow, context: &'a Context<'a>) -> Self {
        let counts = Counts::of_all_rules();
        Self { flow, context, counts, known: Known::default(), reported: Vec::new() }
    }

    /// Runs the checks of `subject` on as many as there are, each about the message that `about`
    /// says.
    ///
    /// One check judges all before the next begins: the code of all checks together does not fit
    /// into the nearest cache of a processor. What they report stands in the order of the subjects
    /// all the same.
    fn each(
        &mut self,
        subject: Subject,
        count: usize,
        about: impl Fn(usize) -> MessageId,
        judge: impl Fn(&Check, usize, &mut Found<'_>) -> Verdict,
    ) {
        let mut reported: Vec<(usize, Reported)> = Vec::new();
        let at = Cell::new(0);
        for (index, check) in self.context.selection.schedule().of_subject(subject) {
            let mut found = Found {
                subject: MessageId(0),
                settings: self.context.settings,
                known: Some(&mut self.known),
                rule: index.rule(),
                index: *index,
                selection: self.context.selection,
                sink: &mut |one| reported.push((at.get(), one)),
            };
            let mut judged = 0;
            for place in 0..count {
                at.set(place);
                found.subject = about(place);
                match judge(check, place, &mut found) {
                    Verdict::Moot => {}
                    Verdict::Judged => judged += 1,
                    Verdict::Undecided(reason) => self.counts.add_undecided(*index, reason),
                }
            }
            self.counts.judged[usize::from(index.0)] += judged;
        }
        reported.sort_by_key(|(at, _)| *at);
        self.reported.extend(reported.into_iter().map(|(_, one)| one));
    }

    fn finish(self) -> FlowReport {
        let mut report = FlowReport { counts: self.counts, ..FlowReport::default() };
        for reported in self.reported {
            enter(&mut report, self.flow, reported);
        }
        report
    }
}

/// Adds a breach to the finding it repeats, or as a finding of its own.
fn enter(report: &mut FlowReport, flow: &CallFlow, reported: Reported) {
    let Reported { index, kind, severity, breach } = reported;
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
    match report.groups.iter_mut().find(|(known, _)| *known == key) {
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
