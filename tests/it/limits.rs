//! Every store is bounded: floods cost no more than they may, and are counted.

use std::cell::Cell;

use siplens::engine::{Feed, Plan, analyze};
use siplens::frame::FrameId;
use siplens::limits::{Limits, Tally};
use siplens::model::{CallFlow, Seed, Vantage};
use siplens::transport::{Envelope, Observation};

use crate::wire::Wire;

/// As many messages as wanted, each made when it is asked for.
struct Flood<F> {
    left: u64,
    next: u64,
    text: F,
}

impl<F: FnMut(u64) -> String> Feed for Flood<F> {
    fn advance(&mut self, each: &mut dyn FnMut(Observation<'_>)) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        let line = (self.text)(self.next);
        let (envelope, text) = Wire::texts(&line).remove(0);
        let frame = FrameId::new(envelope.frame.file(), self.next + 1);
        let envelope = Envelope { seq: self.next, frame, ..envelope };
        self.next += 1;
        each(Observation::Message { envelope, text: &text, home: None });
        true
    }

    fn vantage(&mut self) -> Vantage {
        Vantage::default()
    }

    fn tally(&self) -> Tally {
        Tally::default()
    }
}

fn plan(limits: Limits) -> Plan {
    Plan { limits, jobs: 1, seed: Seed(5) }
}

#[test]
fn a_flood_of_call_ids_stays_within_the_flows_allowed_and_each_is_judged() {
    let limits = Limits { flows: 500, ..Limits::default() };
    let text = |n| format!("{n} a>b OPTIONS id=c{n} via=a{n} from=f cseq=1");
    let mut flood = Flood { left: 5_000, next: 0, text };
    let analysis = analyze(&mut flood, &plan(limits), &|flow: &CallFlow| flow.messages.len());
    assert_eq!(analysis.model.flows.len(), 500);
    assert_eq!(analysis.let_go.iter().sum::<usize>(), 4_500);
    assert_eq!(analysis.model.tally.lost.get("let-go"), Some(&4_500));
    // The newest are kept.
    let last = analysis.model.flows.last().unwrap();
    assert_eq!(last.call_id(), b"c4999");
}

#[test]
fn a_flood_of_call_ids_stays_within_the_memory_allowed() {
    let limits = Limits { memory: 1 << 20, ..Limits::default() };
    let text = |n| format!("{n} a>b OPTIONS id=c{n} via=a{n} from=f cseq=1");
    let mut flood = Flood { left: 10_000, next: 0, text };
    let model = analyze(&mut flood, &plan(limits), &|_| ()).model;
    let held: usize = model.flows.iter().map(|flow| flow.heap_size()).sum();
    assert!(held <= 1 << 20, "{held}");
    assert!(100 < model.flows.len(), "{}", model.flows.len());
}

#[test]
fn a_time_yet_to_come_keeps_no_flow_from_its_rest() {
    let text = |n: u64| {
        let time = if n == 0 { 1_000_000_000 } else { n * 1_000 };
        format!("{time} a>b OPTIONS id=c{n} via=a{n} from=f cseq=1")
    };
    let mut flood = Flood { left: 1_000, next: 0, text };
    let model = analyze(&mut flood, &plan(Limits::default()), &|_| ()).model;
    let held: Vec<usize> = model.flows.iter().map(|flow| flow.heap_size()).collect();
    // What only serves to judge messages close in time is given back.
    assert!(held[1..300].iter().all(|old| *old < held[999]), "{held:?}");
}

#[test]
fn a_flood_that_comes_to_nothing_does_not_cost_the_calls_of_others() {
    let limits = Limits { memory: 1 << 20, ..Limits::default() };
    // Every 200th message belongs to a call that is answered; the others nobody answers.
    let text = |n: u64| match (n % 200, n / 600) {
        (0, call) => match n / 200 % 3 {
            0 => format!("{n} a>b INVITE id=good{call} via=g{call} from=f cseq=1"),
            1 => format!("{n} b>a 200 INVITE id=good{call} via=g{call} from=f to=t cseq=1"),
            _ => format!("{n} a>b ACK id=good{call} via=k{call} from=f to=t cseq=1"),
        },
        _ => format!("{n} a>b INVITE id=c{n} via=a{n} from=f cseq=1"),
    };
    let mut flood = Flood { left: 60_000, next: 0, text };
    let model = analyze(&mut flood, &plan(limits), &|_| ()).model;
    let good = model.flows.iter().filter(|flow| flow.call_id().starts_with(b"good"));
    let whole = good.filter(|flow| flow.messages.len() == 3).count();
    assert_eq!(whole, 100, "of {} flows", model.flows.len());
}

#[test]
fn a_memory_full_of_calls_that_succeeded_tears_none_that_goes_on() {
    let limits = Limits { memory: 1 << 20, ..Limits::default() };
    // In every round one call begins, and older ones go on: a hundred last at any time.
    let text = |n: u64| {
        let (round, step) = (n / 6, n % 6);
        let age = [0, 20, 40, 41, 100, 101][step as usize];
        let Some(call) = round.checked_sub(age) else {
            return format!("{n} a>b OPTIONS id=before{n} via=o{n} from=f cseq=1");
        };
        let (invite, bye) = (format!("id=c{call} via=i{call}"), format!("id=c{call} via=b{call}"));
        match step {
            0 => format!("{n} a>b INVITE {invite} from=f cseq=1"),
            1 => format!("{n} b>a 180 INVITE {invite} from=f to=t cseq=1"),
            2 => format!("{n} b>a 200 INVITE {invite} from=f to=t cseq=1"),
            3 => format!("{n} a>b ACK id=c{call} via=a{call} from=f to=t cseq=1"),
            4 => format!("{n} a>b BYE {bye} from=f to=t cseq=2"),
            _ => format!("{n} b>a 200 BYE {bye} from=f to=t cseq=2"),
        }
    };
    let mut calls = Flood { left: 6 * 2_000, next: 0, text };
    let seen = |flow: &CallFlow| {
        let is_call = flow.call_id().starts_with(b"c");
        is_call.then_some(flow.messages.len())
    };
    let analysis = analyze(&mut calls, &plan(limits), &seen);
    let gone: Vec<usize> = analysis.let_go.into_iter().flatten().collect();
    assert!(500 < gone.len(), "{}", gone.len());
    assert!(gone.iter().all(|count| *count == 6), "{gone:?}");
}

#[test]
fn a_call_id_used_for_months_is_let_go_in_pieces() {
    let limits = Limits { flow_messages: 100, ..Limits::default() };
    let text = |n| format!("{} a>b REGISTER id=cam via=a{n} from=f cseq={n}", n * 60_000);
    let mut flood = Flood { left: 1_050, next: 0, text };
    let analysis = analyze(&mut flood, &plan(limits), &|flow: &CallFlow| flow.messages.len());
    assert_eq!(analysis.let_go, [100; 10]);
    assert_eq!(analysis.model.flows.len(), 1);
    assert_eq!(analysis.model.flows[0].messages.len(), 50);
}

#[test]
fn many_branches_tags_and_responses_under_one_call_id_cost_no_more_than_few() {
    // Quadratic work would take minutes.
    let count = Cell::new(0);
    let text = |n: u64| {
        count.set(n);
        match n % 4 {
            0 => format!("{n} a>b INVITE via=a{n} from=f{n} cseq=1 sdp"),
            1 => format!("{n} a>b INVITE via=a1 from=f cseq={n} sdp"),
            2 => format!("{n} b>a 183 INVITE via=a1 from=f to=t{n} cseq=1 sdp"),
            _ => format!("{n} b>a 486 INVITE via=a1 from=f to=t{n} cseq=1"),
        }
    };
    let limits = Limits { flow_messages: 10_000, ..Limits::default() };
    let mut flood = Flood { left: 10_000, next: 0, text };
    let model = analyze(&mut flood, &plan(limits), &|_| ()).model;
    assert_eq!(model.flows[0].messages.len(), 10_000);
    assert_eq!(count.get(), 9_999);
}
