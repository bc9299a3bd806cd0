//! One pipeline: any number of threads finds the same.

use std::fmt::Write;

use siplens::engine::{Analysis, Plan, analyze, shards};
use siplens::limits::Limits;
use siplens::model::{CallFlow, MessageId, Seed};

use crate::wire::{Replay, Wire};

/// Calls through a proxy, interleaved, some refused, some cut short.
fn busy() -> Replay {
    let mut script = String::new();
    for call in 0..300 {
        let id = format!("id=call{call} from=f{call}");
        let at = call * 7;
        writeln!(script, "{at} a>p INVITE {id} via=a1 cseq=1 sdp").unwrap();
        writeln!(script, "{} p>b INVITE {id} via=p1,a1 cseq=1 sdp", at + 1).unwrap();
        if call % 5 == 0 {
            writeln!(script, "{} p>b INVITE {id} via=p1,a1 cseq=1 sdp", at + 501).unwrap();
        }
        let status = if call % 3 == 0 { 486 } else { 200 };
        writeln!(script, "{} b>p {status} INVITE {id} via=p1,a1 to=t cseq=1", at + 700).unwrap();
        writeln!(script, "{} p>a {status} INVITE {id} via=a1 to=t cseq=1", at + 701).unwrap();
    }
    Replay::of(&script)
}

/// All that is in a flow, in words.
fn told(flow: &CallFlow) -> String {
    let mut text = format!("{:?} {:?}\n", flow.id, String::from_utf8_lossy(flow.call_id()));
    for entry in &flow.messages {
        let envelope = &entry.message.envelope;
        writeln!(
            text,
            "{} {:?} {:?} {:?}",
            envelope.seq, entry.note, entry.transaction, entry.dialog
        )
        .unwrap();
    }
    writeln!(text, "{:?}\n{:?}\n{:?}", flow.transactions, flow.dialogs(), flow.exchanges())
        .unwrap();
    writeln!(text, "{:?}\n{:?}", flow.evidence, flow.summary()).unwrap();
    text
}

fn run(jobs: usize) -> Vec<String> {
    let plan = Plan { limits: Limits::default(), jobs, seed: Seed(jobs as u64) };
    let Analysis { model, let_go } = analyze(&mut busy(), &plan, &|_| ());
    assert!(let_go.is_empty());
    let calls = model.calls().iter().map(|call| format!("{call:?}"));
    let told = shards::map(&model.flows, jobs, |flows| {
        flows.iter().map(|flow| told(flow)).collect::<Vec<_>>()
    });
    told.into_iter().flatten().chain(calls).collect()
}

#[test]
fn one_two_three_and_eight_threads_find_the_same() {
    let alone = run(1);
    assert_eq!(alone.len(), 600);
    for jobs in [2, 3, 8] {
        assert!(run(jobs) == alone, "{jobs} threads differ from one");
    }
}

#[test]
fn an_icmp_error_reaches_the_flow_it_is_about_whether_it_quotes_the_call_id_or_not() {
    for jobs in [1, 3] {
        for quote in [0, 400] {
            let mut replay = Replay::of(
                "0  a>p OPTIONS id=x via=a1 from=f cseq=1
                 10 a>q OPTIONS id=y via=a2 from=f cseq=1
                 20 a>p OPTIONS id=z via=a3 from=f cseq=1",
            );
            replay.refuse(1, quote);
            let plan = Plan { limits: Limits::default(), jobs, seed: Seed(3) };
            let model = analyze(&mut replay, &plan, &|_| ()).model;
            let hit: Vec<_> = model.flows.iter().map(|flow| flow.evidence.len()).collect();
            assert_eq!(hit, [0, 1, 0], "{jobs} threads, {quote} octets quoted");
            let about = model.flows[1].evidence[0].about;
            assert_eq!(about.map(MessageId::place), Some(0));
        }
    }
}

#[test]
fn results_of_a_parallel_map_come_in_the_order_of_the_items() {
    let items: Vec<u32> = (0..1_000).collect();
    let doubled: Vec<u32> = items.iter().map(|n| n * 2).collect();
    for jobs in [1, 2, 5] {
        let double = |part: &[u32]| part.iter().map(|n| n * 2).collect::<Vec<_>>();
        assert_eq!(shards::map(&items, jobs, double).concat(), doubled);
    }
}

#[test]
fn the_stream_of_messages_has_the_notes_of_the_flows() {
    use siplens::engine::stream;
    use siplens::model::{Note, Sighted};
    use std::ops::ControlFlow;

    let mut streamed = Vec::new();
    stream(&mut busy(), Seed(1), &mut |message, sighted, _| {
        let of = match sighted {
            Sighted::New => None,
            Sighted::Retransmission(of) | Sighted::Duplicate(of) | Sighted::Forwarded(of) => {
                Some(of.number())
            }
        };
        streamed.push((message.envelope.seq, of));
        ControlFlow::Continue(())
    });
    let mut flows = Wire::flows(&busy());
    let mut modeled = Vec::new();
    for flow in &mut flows {
        for entry in &flow.messages {
            let of = match entry.note {
                Note::New => None,
                Note::Retransmission(of) | Note::Duplicate(of) | Note::Forwarded(of) => {
                    Some(flow.message(of).envelope.frame.number())
                }
            };
            modeled.push((entry.message.envelope.seq, of));
        }
    }
    modeled.sort_unstable();
    streamed.sort_unstable();
    assert_eq!(streamed, modeled);
    assert!(streamed.iter().any(|(_, of)| of.is_some()));
}
