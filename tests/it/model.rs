//! What messages mean: retransmissions, hops, transactions, dialogs, offers and calls.

use siplens::model::{
    CallFlow, DialogState, FlowId, FlowKind, FlowState, LinkKind, MessageId, Model, Note, Seed,
    TransactionId, Usage,
};
use siplens::sip::{Method, Status};
use siplens::time::Timestamp;

use crate::wire::Wire;

fn flow(script: &str) -> CallFlow {
    let mut flow = CallFlow::new(Seed(7));
    for message in Wire::messages(script) {
        flow.observe(message);
    }
    flow
}

fn model(script: &str) -> Model {
    let mut flows: Vec<CallFlow> = Vec::new();
    let mut last = Timestamp::default();
    for message in Wire::messages(script) {
        last = message.envelope.time;
        let id = message.call_id().unwrap_or_default().to_vec();
        let place = flows.iter().position(|flow| flow.call_id() == id).unwrap_or_else(|| {
            flows.push(CallFlow::new(Seed(7)));
            flows.len() - 1
        });
        flows[place].observe(message);
    }
    Model::new(flows.into_iter().map(Box::new).collect(), last, |_, _| false, Seed(7))
}

/// One word for each sighting: `new`, `again 0`, `twice 0`, `next 0`.
fn notes(flow: &CallFlow) -> Vec<String> {
    flow.messages
        .iter()
        .map(|entry| match entry.note {
            Note::New => "new".to_owned(),
            Note::Retransmission(of) => format!("again {}", of.place()),
            Note::Duplicate(of) => format!("twice {}", of.place()),
            Note::Forwarded(of) => format!("next {}", of.place()),
        })
        .collect()
}

fn milliseconds(nanos: Option<i64>) -> Option<i64> {
    nanos.map(|nanos| nanos / 1_000_000)
}

/// A call through a record-routing proxy.
const PROXIED: &str = "
    0    a>p INVITE via=a1 from=f cseq=1 sdp
    1    p>a 100 INVITE via=a1 from=f cseq=1
    2    p>b INVITE via=p1,a1 from=f cseq=1 sdp
    90   b>p 100 INVITE via=p1,a1 from=f cseq=1
    100  b>p 180 INVITE via=p1,a1 from=f to=t cseq=1
    101  p>a 180 INVITE via=a1 from=f to=t cseq=1
    1100 b>p 200 INVITE via=p1,a1 from=f to=t cseq=1 sdp
    1101 p>a 200 INVITE via=a1 from=f to=t cseq=1 sdp
    1110 a>p ACK via=a2 from=f to=t cseq=1
    1111 p>b ACK via=p2,a2 from=f to=t cseq=1
    5000 a>p BYE via=a3 from=f to=t cseq=2
    5001 p>b BYE via=p3,a3 from=f to=t cseq=2
    5010 b>p 200 BYE via=p3,a3 from=f to=t cseq=2
    5011 p>a 200 BYE via=a3 from=f to=t cseq=2";

#[test]
fn a_forwarded_copy_is_no_retransmission() {
    let flow = flow(PROXIED);
    assert_eq!(
        notes(&flow),
        [
            "new", "new", "next 0", "new", "new", "next 4", "new", "next 6", "new", "next 8",
            "new", "next 10", "new", "next 12"
        ]
    );
}

#[test]
fn each_hop_has_its_transactions_and_all_hops_one_dialog() {
    let flow = flow(PROXIED);
    let invites: Vec<_> = flow.transactions.iter().filter(|t| t.method == Method::Invite).collect();
    assert_eq!(invites.len(), 2);
    assert_eq!(invites[0].next_hops.as_slice(), [TransactionId::at(1)]);
    assert_eq!(invites[1].previous_hop, Some(TransactionId::at(0)));
    assert_eq!(
        invites[0].responses.as_slice(),
        [MessageId::at(1), MessageId::at(5), MessageId::at(7)]
    );
    assert_eq!(
        invites[1].responses.as_slice(),
        [MessageId::at(3), MessageId::at(4), MessageId::at(6)]
    );
    assert_eq!(invites[0].acks.as_slice(), [MessageId::at(8)]);
    assert_eq!(invites[1].acks.as_slice(), [MessageId::at(9)]);

    assert_eq!(flow.dialogs().len(), 1);
    let dialog = &flow.dialogs()[0];
    assert_eq!(dialog.usage, Usage::Invite);
    assert_eq!(dialog.state, DialogState::Terminated);
    assert_eq!(dialog.creator, Some(TransactionId::at(0)));
    assert_eq!(dialog.early, Some(MessageId::at(4)));
    assert_eq!(dialog.confirmed, Some(MessageId::at(6)));
    assert_eq!(dialog.acknowledged, Some(MessageId::at(8)));
    assert_eq!(dialog.ended, Some(MessageId::at(10)));
    assert_eq!(flow.entry(MessageId::at(0)).dialog, flow.entry(MessageId::at(13)).dialog);
}

#[test]
fn the_numbers_of_a_call_are_those_of_the_hop_nearest_the_caller() {
    let summary = flow(PROXIED).summary();
    assert_eq!(summary.kind, FlowKind::Call);
    assert_eq!(summary.state, FlowState::Completed);
    assert_eq!(summary.status, Some(Status(200)));
    assert_eq!(milliseconds(summary.pdd), Some(101));
    assert_eq!(milliseconds(summary.setup), Some(1101));
    assert_eq!(milliseconds(summary.ring), Some(1000));
    assert_eq!(milliseconds(summary.duration), Some(3899));
    assert_eq!(summary.ended_by_caller, Some(true));
    assert_eq!((summary.messages, summary.retransmissions, summary.duplicates), (14, 0, 0));
}

#[test]
fn the_offer_and_its_answer_are_paired_on_each_hop() {
    let flow = flow(PROXIED);
    let pairs: Vec<_> = flow
        .exchanges()
        .iter()
        .map(|e| (e.offer.message.place(), e.answer.map(|a| a.message.place()), e.unanswered_by))
        .collect();
    assert_eq!(pairs, [(0, Some(7), None), (2, Some(6), None)]);
}

#[test]
fn a_packet_captured_twice_is_a_duplicate_and_one_sent_twice_is_not() {
    let flow = flow(
        "0    a>b OPTIONS via=a1 from=f cseq=1 ip=7
         0.1  a>b OPTIONS via=a1 from=f cseq=1 ip=7
         500  a>b OPTIONS via=a1 from=f cseq=1 ip=8
         500.1 a>b OPTIONS via=a1 from=f cseq=1 ip=8
         1500 a>b OPTIONS via=a1 from=f cseq=1 ip=9
         1700 a>b OPTIONS via=a1 from=f cseq=1 ip=9",
    );
    assert_eq!(notes(&flow), ["new", "twice 0", "again 0", "twice 2", "again 0", "twice 4"]);
    assert_eq!(flow.transactions.len(), 1);
    assert_eq!(
        flow.transactions[0].request_copies.as_slice(),
        [MessageId::at(2), MessageId::at(4)]
    );
    let summary = flow.summary();
    assert_eq!((summary.messages, summary.retransmissions, summary.duplicates), (3, 2, 3));
}

#[test]
fn a_retransmission_that_a_proxy_sends_on_is_one_on_each_hop() {
    let flow = flow(
        "0   a>p MESSAGE via=a1 from=f cseq=1
         1   p>b MESSAGE via=p1,a1 from=f cseq=1
         500 a>p MESSAGE via=a1 from=f cseq=1
         501 p>b MESSAGE via=p1,a1 from=f cseq=1",
    );
    assert_eq!(notes(&flow), ["new", "next 0", "again 0", "again 1"]);
}

#[test]
fn both_sides_of_an_address_translator_are_two_hops_of_one_message() {
    let flow = flow(
        "0 a>p REGISTER via=a1 from=f cseq=1
         1 n>p REGISTER via=a1 from=f cseq=1
         5 p>n 200 REGISTER via=a1 from=f to=t cseq=1
         6 p>a 200 REGISTER via=a1 from=f to=t cseq=1",
    );
    assert_eq!(notes(&flow), ["new", "next 0", "new", "next 2"]);
    assert_eq!(flow.transactions.len(), 2);
    assert_eq!(flow.transactions[0].responses.as_slice(), [MessageId::at(3)]);
    assert_eq!(flow.transactions[1].responses.as_slice(), [MessageId::at(2)]);
}

#[test]
fn of_several_hops_seen_before_the_nearest_is_named() {
    let flow = flow(
        "0 a>p INVITE via=a1 from=f cseq=1
         1 n>p INVITE via=a1 from=f cseq=1
         2 p>b INVITE via=p1,a1 from=f cseq=1
         5 b>p 200 INVITE via=p1,a1 from=f to=t cseq=1
         6 p>n 200 INVITE via=a1 from=f to=t cseq=1
         7 p>a 200 INVITE via=a1 from=f to=t cseq=1",
    );
    assert_eq!(notes(&flow), ["new", "next 0", "next 1", "new", "next 3", "next 4"]);
    assert_eq!(flow.summary().setup, Some(7_000_000));
}

#[test]
fn hops_captured_in_the_wrong_order_are_linked_in_the_right_one() {
    let flow = flow(
        "0 p>b OPTIONS via=p1,a1 from=f cseq=1
         1 a>p OPTIONS via=a1 from=f cseq=1
         5 b>p 200 OPTIONS via=p1,a1 from=f to=t cseq=1
         6 p>a 200 OPTIONS via=a1 from=f to=t cseq=1",
    );
    assert_eq!(notes(&flow), ["new", "next 0", "new", "next 2"]);
    assert_eq!(flow.transactions[0].previous_hop, Some(TransactionId::at(1)));
    assert_eq!(flow.summary().first, MessageId::at(1));
}

#[test]
fn a_request_sent_again_on_a_new_connection_is_a_retransmission() {
    let flow = flow(
        "0    a:40001>p OPTIONS via=a1 from=f cseq=1 tcp=1
         5000 a:40002>p OPTIONS via=a1 from=f cseq=1 tcp=2
         5003 p>a:40002 200 OPTIONS via=a1 from=f to=t cseq=1 tcp=2",
    );
    assert_eq!(notes(&flow), ["new", "again 0", "new"]);
    assert_eq!(flow.transactions.len(), 1);
    assert_eq!(flow.transactions[0].responses.as_slice(), [MessageId::at(2)]);
}

#[test]
fn a_hop_by_hop_message_is_new_on_each_hop() {
    let flow = flow(
        "0 a>p INVITE via=a1 from=f cseq=1
         1 p>b INVITE via=p1,a1 from=f cseq=1
         2 b>p 100 INVITE via=p1,a1 from=f cseq=1
         3 p>a 100 INVITE via=a1 from=f cseq=1
         4 a>p CANCEL via=a1 from=f cseq=1
         5 p>b CANCEL via=p1 from=f cseq=1
         6 b>p 487 INVITE via=p1,a1 from=f to=t cseq=1
         7 p>b ACK via=p1 from=f to=t cseq=1
         8 p>a 487 INVITE via=a1 from=f to=t cseq=1
         9 a>p ACK via=a1 from=f to=t cseq=1",
    );
    let expected = ["new", "next 0", "new", "new", "new", "new", "new", "new", "next 6", "new"];
    assert_eq!(notes(&flow), expected);
    assert_eq!(flow.transactions[0].acks.as_slice(), [MessageId::at(9)]);
    assert_eq!(flow.transactions[1].acks.as_slice(), [MessageId::at(7)]);
}

#[test]
fn a_flow_that_rested_goes_on() {
    let mut flow = flow(PROXIED);
    flow.rest();
    let late = "900000 a>p OPTIONS via=a9 from=f to=t cseq=3
                900005 p>a 200 OPTIONS via=a9 from=f to=t cseq=3";
    for message in Wire::messages(late) {
        flow.observe(message);
    }
    assert_eq!(notes(&flow)[14..], ["new", "new"]);
    assert_eq!(flow.messages[15].transaction, Some(TransactionId::at(6)));
    assert_eq!(flow.messages[15].dialog, flow.messages[0].dialog);
}

#[test]
fn the_offer_of_a_reliable_18x_is_answered_by_its_prack() {
    let flow = flow(
        "0 a>b INVITE via=a1 from=f cseq=1
         5 b>a 183 INVITE via=a1 from=f to=t cseq=1 RSeq:1 sdp
         7 a>b PRACK via=a2 from=f to=t cseq=2 sdp
         8 b>a 200 PRACK via=a2 from=f to=t cseq=2
         9 b>a 200 INVITE via=a1 from=f to=t cseq=1",
    );
    let seen: Vec<_> = flow
        .exchanges()
        .iter()
        .map(|e| (e.offer.message.place(), e.answer.map(|a| a.message.place()), e.unanswered_by))
        .collect();
    assert_eq!(seen, [(1, Some(2), None)]);
}

#[test]
fn a_border_controller_that_hides_vias_sends_the_message_on() {
    let flow = flow(
        "0  a>s INVITE via=a1 from=f cseq=1
         3  s>b INVITE via=s1 from=f cseq=1
         50 b>s 200 INVITE via=s1 from=f to=t cseq=1
         52 s>a 200 INVITE via=a1 from=f to=t cseq=1",
    );
    assert_eq!(notes(&flow), ["new", "next 0", "new", "next 2"]);
    assert_eq!(flow.transactions[1].previous_hop, Some(TransactionId::at(0)));
}

#[test]
fn a_request_tried_at_another_server_is_a_new_transaction() {
    let flow = flow(
        "0     a>p INVITE via=a1 from=f cseq=1
         32000 a>q INVITE via=a2 from=f cseq=1
         32010 q>a 200 INVITE via=a2 from=f to=t cseq=1",
    );
    assert_eq!(notes(&flow), ["new", "new", "new"]);
    assert_eq!(flow.summary().status, Some(Status(200)));
}

#[test]
fn a_spiral_is_forwarded_to_itself() {
    let flow = flow(
        "0 a>p INVITE via=a1 from=f cseq=1
         1 p>p INVITE via=p1,a1 from=f cseq=1
         2 p>p INVITE via=p2,p1,a1 from=f cseq=1
         3 p>b INVITE via=p3,p2,p1,a1 from=f cseq=1",
    );
    assert_eq!(notes(&flow), ["new", "next 0", "next 1", "next 2"]);
}

#[test]
fn forks_are_transactions_and_dialogs_of_their_own() {
    let flow = flow(
        "0  a>p INVITE via=a1 from=f cseq=1
         1  p>b INVITE via=p1,a1 from=f cseq=1
         1  p>c INVITE via=p2,a1 from=f cseq=1
         50 b>p 180 INVITE via=p1,a1 from=f to=tb cseq=1
         51 p>a 180 INVITE via=a1 from=f to=tb cseq=1
         60 c>p 180 INVITE via=p2,a1 from=f to=tc cseq=1
         61 p>a 180 INVITE via=a1 from=f to=tc cseq=1
         90 c>p 200 INVITE via=p2,a1 from=f to=tc cseq=1
         91 p>a 200 INVITE via=a1 from=f to=tc cseq=1
         92 p>b CANCEL via=p1 from=f cseq=1
         93 b>p 200 CANCEL via=p1 from=f to=tb cseq=1
         94 b>p 487 INVITE via=p1,a1 from=f to=tb cseq=1
         95 p>b ACK via=p1 from=f to=tb cseq=1",
    );
    let root = &flow.transactions[0];
    assert_eq!(root.next_hops.as_slice(), [TransactionId::at(1), TransactionId::at(2)]);
    let states: Vec<_> = flow.dialogs().iter().map(|dialog| dialog.state).collect();
    assert_eq!(states, [DialogState::Terminated, DialogState::Confirmed]);
    assert_eq!(flow.transactions[1].cancel, Some(TransactionId::at(3)));
    assert_eq!(flow.transactions[3].target, Some(TransactionId::at(1)));
    assert_eq!(flow.transactions[1].acks.as_slice(), [MessageId::at(12)]);
    let summary = flow.summary();
    assert_eq!(summary.state, FlowState::InCall);
    assert_eq!(summary.status, Some(Status(200)));
}

#[test]
fn a_challenge_and_its_answer_are_one_call() {
    let summary = flow(
        "0  a>p INVITE via=a1 from=f cseq=1
         1  p>a 407 INVITE via=a1 from=f to=x cseq=1
         2  a>p ACK via=a1 from=f to=x cseq=1
         3  a>p INVITE via=a2 from=f cseq=2
         40 p>a 180 INVITE via=a2 from=f to=t cseq=2
         90 p>a 200 INVITE via=a2 from=f to=t cseq=2
         91 a>p ACK via=a3 from=f to=t cseq=2",
    )
    .summary();
    assert_eq!(summary.state, FlowState::InCall);
    assert_eq!(summary.status, Some(Status(200)));
    assert_eq!(milliseconds(summary.pdd), Some(40));
    assert_eq!(milliseconds(summary.setup), Some(90));
}

#[test]
fn a_challenge_nobody_answers_is_a_failed_authentication() {
    let summary = flow(
        "0 a>p REGISTER via=a1 from=f cseq=1
         1 p>a 401 REGISTER via=a1 from=f to=x cseq=1",
    )
    .summary();
    assert_eq!(summary.kind, FlowKind::Registration);
    assert_eq!(summary.state, FlowState::AuthFailed);
}

#[test]
fn a_redirect_followed_under_the_same_call_id_is_one_call() {
    let summary = flow(
        "0  a>p INVITE via=a1 from=f cseq=1
         1  p>a 302 INVITE via=a1 from=f to=x cseq=1
         2  a>p ACK via=a1 from=f to=x cseq=1
         3  a>b INVITE via=a2 from=f cseq=2
         90 b>a 200 INVITE via=a2 from=f to=t cseq=2",
    )
    .summary();
    assert_eq!(summary.status, Some(Status(200)));
    assert_eq!(summary.state, FlowState::InCall);
}

#[test]
fn the_states_of_a_call_are_told_by_its_end() {
    let state = |rest: &str| flow(&format!("0 a>b INVITE via=a1 from=f cseq=1\n{rest}")).summary();
    let line = "INVITE via=a1 from=f to=t cseq=1";
    assert_eq!(state("").state, FlowState::Trying);
    assert_eq!(state(&format!("9 b>a 180 {line}")).state, FlowState::Ringing);
    assert_eq!(state(&format!("9 b>a 486 {line}")).state, FlowState::Busy);
    assert_eq!(state(&format!("9 b>a 404 {line}")).state, FlowState::Rejected);
    assert_eq!(state(&format!("9 b>a 302 {line}")).state, FlowState::Redirected);
    let cancelled = state(&format!(
        "9 b>a 180 {line}
         50 a>b CANCEL via=a1 from=f cseq=1
         60 b>a 200 CANCEL via=a1 from=f to=t cseq=1
         61 b>a 487 {line}"
    ));
    assert_eq!(cancelled.state, FlowState::Cancelled);
    assert_eq!(milliseconds(cancelled.ring), Some(41));
    let silent = state("32000 a>b INVITE via=a1 from=f cseq=1");
    assert_eq!(silent.state, FlowState::TimedOut);
}

#[test]
fn a_flow_seen_from_the_middle_is_partial_and_its_dialog_is_inferred() {
    let flow = flow(
        "0 b>a BYE via=b1 from=t to=f cseq=9
         1 a>b 200 BYE via=b1 from=t to=f cseq=9",
    );
    assert_eq!(flow.dialogs().len(), 1);
    assert_eq!(flow.dialogs()[0].usage, Usage::Invite);
    assert_eq!(flow.dialogs()[0].state, DialogState::Terminated);
    assert_eq!(flow.dialogs()[0].creator, None);
    let summary = flow.summary();
    assert_eq!(summary.kind, FlowKind::Call);
    assert_eq!(summary.state, FlowState::Partial);
}

#[test]
fn a_response_whose_request_was_not_captured_opens_a_transaction_without_one() {
    let flow = flow(
        "0 b>a 180 INVITE via=a1 from=f to=t cseq=1
         9 b>a 200 INVITE via=a1 from=f to=t cseq=1",
    );
    assert_eq!(flow.transactions.len(), 1);
    assert_eq!(flow.transactions[0].request, None);
    assert_eq!(flow.transactions[0].responses.len(), 2);
    assert_eq!(flow.dialogs()[0].creator, None);
}

#[test]
fn branches_without_the_cookie_are_matched_as_rfc_2543_did() {
    let flow = flow(
        "0 a>b INVITE rawvia=1 from=f cseq=1
         1 b>a 486 INVITE rawvia=1 from=f to=t cseq=1
         2 a>b ACK rawvia=1 from=f to=t cseq=1
         3 a>b INVITE rawvia=1 from=f cseq=2
         4 b>a 200 INVITE rawvia=1 from=f to=u cseq=2",
    );
    assert_eq!(flow.transactions.len(), 2);
    assert_eq!(flow.transactions[0].acks.as_slice(), [MessageId::at(2)]);
    assert_eq!(flow.transactions[1].responses.as_slice(), [MessageId::at(4)]);
}

#[test]
fn a_notify_may_come_before_the_answer_to_its_subscribe() {
    let flow = flow(
        "0 a>b SUBSCRIBE via=a1 from=f cseq=1
         5 b>a NOTIFY via=b1 from=t to=f cseq=7 Subscription-State:active
         6 a>b 200 NOTIFY via=b1 from=t to=f cseq=7
         7 b>a 200 SUBSCRIBE via=a1 from=f to=t cseq=1
         9 b>a NOTIFY via=b2 from=t to=f cseq=8 Subscription-State:terminated",
    );
    assert_eq!(flow.dialogs().len(), 1);
    let dialog = &flow.dialogs()[0];
    assert_eq!((dialog.usage, dialog.state), (Usage::Subscribe, DialogState::Terminated));
    assert_eq!(flow.tags(dialog), [&b"f"[..], &b"t"[..]]);
    assert_eq!(dialog.confirmed, Some(MessageId::at(1)));
    assert_eq!(dialog.ended, Some(MessageId::at(4)));
    assert_eq!(flow.summary().state, FlowState::Completed);
}

#[test]
fn an_offer_in_a_2xx_is_answered_by_the_ack() {
    let flow = flow(
        "0 a>b INVITE via=a1 from=f cseq=1
         5 b>a 200 INVITE via=a1 from=f to=t cseq=1 sdp
         6 a>b ACK via=a2 from=f to=t cseq=1 sdp
         50 a>b INVITE via=a3 from=f to=t cseq=2
         55 b>a 200 INVITE via=a3 from=f to=t cseq=2 sdp
         56 a>b ACK via=a4 from=f to=t cseq=2",
    );
    let pairs: Vec<_> = flow
        .exchanges()
        .iter()
        .map(|e| {
            (
                e.offer.message.place(),
                e.answer.map(|a| a.message.place()),
                e.unanswered_by.map(MessageId::place),
            )
        })
        .collect();
    assert_eq!(pairs, [(1, Some(2), None), (4, None, Some(5))]);
}

#[test]
fn an_unreliable_183_is_a_preview_and_a_reliable_one_the_answer() {
    let flow = flow(
        "0 a>b INVITE via=a1 from=f cseq=1 sdp
         5 b>a 183 INVITE via=a1 from=f to=t cseq=1 sdp
         6 b>a 183 INVITE via=a1 from=f to=u cseq=1 RSeq:1 sdp
         7 a>b PRACK via=a2 from=f to=u cseq=2
         8 b>a 200 PRACK via=a2 from=f to=u cseq=2
         9 b>a 200 INVITE via=a1 from=f to=u cseq=1
         10 a>b UPDATE via=a4 from=f to=u cseq=3 sdp
         11 b>a 200 UPDATE via=a4 from=f to=u cseq=3 sdp",
    );
    let seen: Vec<_> = flow
        .exchanges()
        .iter()
        .map(|e| (e.offer.message.place(), e.answer.map(|a| a.message.place()), e.previews.len()))
        .collect();
    assert_eq!(seen, [(0, None, 1), (0, Some(2), 0), (6, Some(7), 0)]);
    assert!(flow.exchanges().iter().all(|e| e.unanswered_by.is_none()));
}

#[test]
fn a_2xx_without_the_answer_it_owes_is_named() {
    let flow = flow(
        "0 a>b INVITE via=a1 from=f cseq=1 sdp
         5 b>a 200 INVITE via=a1 from=f to=t cseq=1",
    );
    assert_eq!(flow.exchanges()[0].unanswered_by, Some(MessageId::at(1)));
}

#[test]
fn a_transfer_joins_two_flows_into_one_call() {
    let model = model(
        "0    a>b INVITE id=one via=a1 from=f cseq=1
         5    b>a 200 INVITE id=one via=a1 from=f to=t cseq=1
         900  b>a REFER id=one via=b1 from=t to=f cseq=1 Refer-To:<sip:carol@example.org>
         905  a>b 202 REFER id=one via=b1 from=t to=f cseq=1
         950  a>c INVITE id=two user=carol via=a7 from=g cseq=1
         2000 a>c INVITE id=three user=dave via=a8 from=h cseq=1",
    );
    let calls: Vec<Vec<u32>> =
        model.calls().iter().map(|call| call.flows.iter().map(|flow| flow.0).collect()).collect();
    assert_eq!(calls, [vec![0, 1], vec![2]]);
    let link = &model.calls()[0].links[0];
    assert_eq!((link.kind, link.from, link.to), (LinkKind::Refer, FlowId(0), FlowId(1)));
    assert_eq!(link.evidence, Some((FlowId(0), MessageId::at(2))));
}

#[test]
fn two_legs_of_a_b2bua_are_joined_only_when_no_other_fits() {
    let one = "0 a>s INVITE id=one via=a1 from=f cseq=1 sdp
               9 s>b INVITE id=two via=s1 from=g cseq=1 sdp";
    let model_of_one = model(one);
    let calls = model_of_one.calls();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].links[0].kind, LinkKind::Inferred);
    let both = "0 a>s INVITE id=one via=a1 from=f cseq=1 sdp
                1 c>s INVITE id=other via=c1 from=h cseq=1 sdp
                9 s>b INVITE id=two via=s1 from=g cseq=1 sdp";
    assert_eq!(model(both).calls().len(), 3);
}
