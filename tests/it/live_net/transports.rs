//! Calls over UDP and TCP, IPv4 and IPv6, are shown as they are made.

use super::stage::{Family, Stage};
use super::talk::{Carrier, Talk};
use super::watcher::{Running, live};

#[test]
fn each_message_is_shown_soon_after_it_was_said() {
    let Some(stage) = Stage::new() else { return };
    let live = live(&stage.near, &[]);
    let mut said = 0;
    for (number, (carrier, family)) in ways().into_iter().enumerate() {
        let mut talk = Talk::between(&stage, carrier, (family, 0, 5060 + number as u16));
        let call = format!("call-{number}");
        for (who, text) in talk.call(&call) {
            talk.say(who, text.as_bytes());
            said += 1;
            // Nothing more is said until it is shown.
            let shown = live.until_out_is(&text, |all| all.lines().count() == said);
            let line = shown.lines().last().unwrap();
            let word = text.trim_start_matches("SIP/2.0 ").split(' ').next().unwrap();
            assert!(line.contains(word) && line.contains(&call), "{line}");
            assert!(line.contains(if carrier == Carrier::Udp { " udp " } else { " tcp " }));
        }
    }
    let over = live.interrupt();
    assert_eq!(over.out().lines().count(), said);
    assert!(over.err().contains("28 SIP messages"), "{}", over.err());
}

#[test]
fn calls_of_all_transports_are_complete_and_without_findings() {
    let Some(stage) = Stage::new() else { return };
    let count = (10 * 7 * ways().len()).to_string();
    let list = live(&stage.near, &["--list", "--format", "ndjson", "-c", &count]);
    let check = live(&stage.far, &["--check", "--format", "ndjson", "-c", &count]);
    for (number, (carrier, family)) in ways().into_iter().enumerate() {
        let mut talk = Talk::between(&stage, carrier, (family, 0, 5060 + number as u16));
        for call in 0..10 {
            talk.make_call(&format!("{number}-{call}"));
        }
    }
    let list = list.over();
    assert_eq!(list.code(), 0, "{}", list.err());
    let rows = list.rows();
    assert_eq!(rows.len(), 10 * ways().len());
    for row in rows {
        assert_eq!((&row["state"], &row["messages"]), (&"completed".into(), &7.into()), "{row}");
        assert_eq!(row["findings"], serde_json::json!([]), "{row}");
    }
    let check = check.over();
    assert_eq!(check.out(), "", "no violation");
}

#[test]
fn of_several_interfaces_each_message_names_its_own() {
    for watched in [&["-i", "any"][..], &["-i", "lo,{}"], &["-i", "{}"]] {
        let Some(stage) = Stage::new() else { return };
        let own = &stage.near.interface;
        let args: Vec<String> = watched.iter().map(|word| word.replace("{}", own)).collect();
        let start = |more: &[&str]| {
            let mut command = stage.near.command(env!("CARGO_BIN_EXE_siplens"));
            let running = Running::start(command.arg("live").args(&args).args(more));
            running.until_err("watching");
            running
        };
        let (text, rows) = (start(&["-c", "7"]), start(&["-c", "7", "--format", "ndjson"]));
        Talk::new(&stage, Carrier::Udp, Family::V4, 5060).make_call("one");
        let is_named = watched.len() == 2 && watched[1] != "{}";
        let text = text.over().out();
        assert_eq!(
            text.matches(&format!(" {own} ")).count(),
            if is_named { 7 } else { 0 },
            "{text}"
        );
        for row in rows.over().rows() {
            assert_eq!(
                row.get("interface"),
                is_named.then(|| own.as_str().into()).as_ref(),
                "{row}"
            );
        }
    }
}

fn ways() -> Vec<(Carrier, Family)> {
    let ways = Carrier::BOTH.map(|carrier| Family::BOTH.map(|family| (carrier, family)));
    ways.concat()
}
