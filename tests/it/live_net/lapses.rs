//! Timers fire in silence: a phone that is killed, one that comes back.

use std::time::Duration;

use super::stage::{Family, Stage};
use super::talk::{Carrier, Talk, Who};
use super::watcher::{Running, live, live_on};

/// The phone registers for `seconds`, and is granted them.
fn register(talk: &mut Talk, call_id: &str, cseq: u32, seconds: u32) {
    let with = |text: String| {
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        format!("{head}\r\nExpires: {seconds}\r\n\r\n{body}")
    };
    let request = with(talk.request("REGISTER", call_id, cseq, ""));
    let contact = request.lines().find(|line| line.starts_with("Contact:")).unwrap().to_owned();
    let granted = with(talk.response("200 OK", "REGISTER", call_id, cseq, ";tag=r"));
    let granted = granted.replacen("\r\nExpires", &format!("\r\n{contact}\r\nExpires"), 1);
    // Of an address-of-record, not of somebody else.
    let own = |text: String| text.replace("To: <sip:b@", "To: <sip:a@").replace("sip:b@", "sip:");
    talk.say(Who::Caller, own(request).as_bytes());
    talk.say(Who::Callee, own(granted).as_bytes());
}

/// The event `word` as soon as it is told for the `nth` time, from 0.
fn event(live: &Running, word: &str, nth: usize) -> serde_json::Value {
    let is = |line: &&str| line.contains(&format!("\"event\":\"{word}\""));
    let all = live.until_out_is(word, |all| nth < all.lines().filter(is).count());
    serde_json::from_str(all.lines().filter(is).nth(nth).unwrap()).unwrap()
}

fn time(row: &serde_json::Value) -> jiff::Timestamp {
    row["time"].as_str().unwrap().parse().unwrap()
}

#[test]
fn a_phone_that_is_killed_lapses_within_a_second_of_its_expiry_though_no_packet_comes() {
    let Some(stage) = Stage::new() else { return };
    let live = live(&stage.near, &["--registrations", "--format", "ndjson"]);
    for (number, (carrier, family)) in
        [(Carrier::Udp, Family::V4), (Carrier::Tcp, Family::V6)].into_iter().enumerate()
    {
        let mut talk = Talk::between(&stage, carrier, (family, 0, 5060 + number as u16));
        let call_id = format!("phone-{number}");
        register(&mut talk, &call_id, 1, 3);
        let registered = event(&live, "new", number);
        let lapsed = event(&live, "lapse", number);
        let expiry = time(&registered).checked_add(Duration::from_secs(3)).unwrap();
        let late = time(&lapsed).duration_since(expiry).as_secs_f64();
        // A clock that says more than was granted, and less than a second more.
        assert!((0.0..=1.0).contains(&late), "{late} s: {registered} {lapsed}");
        register(&mut talk, &call_id, 2, 3_600);
        let back = event(&live, "back", number);
        assert_eq!(back["device"], lapsed["device"]);
    }
    let over = live.interrupt();
    assert_eq!(over.code(), 130);
    assert_eq!(over.rows().iter().filter(|row| row["event"] == "lapse").count(), 2);
}

/// Phones of which one at least must be told in time: the machine may be busy with other tests.
const PHONES: usize = 5;

#[test]
fn a_lapse_is_told_in_time_whatever_is_watched_together() {
    let Some(stage) = Stage::new() else { return };
    for interfaces in ["any".to_owned(), format!("{},lo", stage.near.interface)] {
        let live = live_on(&stage.near, &interfaces, &["--registrations", "--format", "ndjson"]);
        let mut late = Vec::new();
        for number in 0..PHONES {
            let mut talk =
                Talk::between(&stage, Carrier::Udp, (Family::V4, 0, 5060 + number as u16));
            register(&mut talk, &format!("{interfaces}-{number}"), 1, 2);
            let registered = event(&live, "new", number);
            event(&live, "lapse", number);
            let expiry = time(&registered).checked_add(Duration::from_secs(2)).unwrap();
            late.push(jiff::Timestamp::now().duration_since(expiry).as_secs_f64());
            if late.iter().any(|late| *late < 1.0) {
                break;
            }
        }
        assert!(late.iter().all(|late| 0.0 < *late), "{interfaces}: {late:?}");
        assert!(late.iter().any(|late| *late < 1.0), "{interfaces}: {late:?}");
        assert_eq!(live.interrupt().code(), 130);
    }
}
