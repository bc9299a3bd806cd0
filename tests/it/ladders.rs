//! The ladders of RFC 3665 and the messages of RFC 5118: every arrow, as the RFC draws it.
//!
//! They are read from the collections beside the repository; without them the tests say so and pass.

use std::path::Path;

use crate::oracle::collection;
use crate::program::run;

const ALICE: &str = "192.0.2.101";
const BOB: &str = "192.0.2.201";
const SERVER: &str = "192.0.2.50";
const PROXY1: &str = "192.0.2.111";
const PROXY2: &str = "192.0.2.222";
const PROXY3: &str = "192.0.2.233";

/// A flow: where it is, its hosts from left to right for each Call-ID, and its arrows, with hosts
/// by their place among `HOSTS`.
struct Flow {
    file: &'static str,
    lanes: &'static [&'static [&'static str]],
    arrows: &'static str,
}

/// The hosts by the letters that `Flow::arrows` has for them.
const HOSTS: [(&str, &str); 8] = [
    ("A", ALICE),
    ("B", BOB),
    ("S", SERVER),
    ("1", PROXY1),
    ("2", PROXY2),
    ("3", PROXY3),
    ("x", "2001:db8::9:1"),
    ("y", "2001:db8::10"),
];

const FLOWS: &[Flow] = &[
    Flow {
        file: "rfc3665_2_01_sip-client-new-registration",
        lanes: &[&[BOB, SERVER]],
        arrows: "B>S REGISTER, S>B 401, B>S REGISTER, S>B 200",
    },
    Flow {
        file: "rfc3665_2_03_request-for-current-contact-list",
        lanes: &[&[BOB, SERVER]],
        arrows: "B>S REGISTER, S>B 200",
    },
    Flow {
        file: "rfc3665_2_05_unsuccessful-registration",
        lanes: &[&[BOB, SERVER]],
        arrows: "B>S REGISTER, S>B 401, B>S REGISTER, S>B 401",
    },
    Flow {
        file: "rfc3665_3_02_session-establishment-through-two-proxies",
        lanes: &[&[ALICE, PROXY1, PROXY2, BOB]],
        arrows: "A>1 INVITE, 1>A 407, A>1 ACK, A>1 INVITE, 1>2 INVITE, 1>A 100, 2>B INVITE, \
                 2>1 100, B>2 180, 2>1 180, 1>A 180, B>2 200, 2>1 200, 1>A 200, A>1 ACK, 1>2 ACK, \
                 2>B ACK, B>2 BYE, 2>1 BYE, 1>A BYE, A>1 200, 1>2 200, 2>B 200",
    },
    Flow {
        file: "rfc3665_3_04_successful-session-with-proxy-failure",
        lanes: &[&[ALICE, PROXY1], &[ALICE, PROXY2, BOB]],
        arrows: "A>1 INVITE, A>1 INVITE again, A>1 INVITE again, A>1 INVITE again, \
                 A>1 INVITE again, A>1 INVITE again, A>1 INVITE again, A>2 INVITE, 2>A 407, \
                 A>2 ACK, A>2 INVITE, 2>B INVITE, 2>A 100, B>2 180, 2>A 180, B>2 200, 2>A 200, \
                 A>2 ACK, 2>B ACK, B>2 BYE, 2>A BYE, A>2 200, 2>B 200",
    },
    Flow {
        file: "rfc3665_3_06_session-via-redirect-and-proxy-servers-with-sdp-in-ack",
        lanes: &[&[ALICE, SERVER, PROXY3, BOB]],
        arrows: "A>S INVITE, S>A 302, A>S ACK, A>3 INVITE, 3>B INVITE, 3>A 100, B>3 180, 3>A 180, \
                 B>3 200, 3>A 200, A>3 ACK, 3>B ACK, B>3 BYE, 3>A BYE, A>3 200, 3>B 200",
    },
    Flow {
        file: "rfc3665_3_07_session-with-re-invite-ip-address-change",
        lanes: &[&[ALICE, PROXY2, BOB]],
        arrows: "A>2 INVITE, 2>B INVITE, 2>A 100, B>2 180, 2>A 180, B>2 200, 2>A 200, A>B ACK, \
                 B>A INVITE, A>B 200, B>A ACK, A>B BYE, B>A 200",
    },
    Flow {
        file: "rfc3665_3_10_unsuccessful-no-response-from-user-agent",
        lanes: &[&[ALICE, PROXY1, PROXY2, BOB]],
        arrows: "A>1 INVITE, 1>2 INVITE, 1>A 100, 2>B INVITE, 2>1 100, 2>B INVITE again, \
                 2>B INVITE again, 2>B INVITE again, 2>B INVITE again, 2>B INVITE again, \
                 2>B INVITE again, 2>1 480, 1>2 ACK, 1>A 480, A>1 ACK",
    },
    // Messages of their own, most with the Call-ID and CSeq of the one before.
    Flow {
        file: "torture_rfc5118_udp6",
        lanes: &[
            &["2001:db8::9:1", "2001:db8::10"],
            &["2001:db8::9:1", "2001:db8::10"],
            &["2001:db8::9:1", "2001:db8::10"],
            &["2001:db8::9:1", "2001:db8::10"],
        ],
        arrows: "x>y REGISTER, x>y REGISTER again, x>y REGISTER again, x>y REGISTER again, \
                 x>y BYE, x>y OPTIONS, x>y INVITE, x>y BYE, x>y INVITE, x>y INVITE, x>y OPTIONS, \
                 x>y OPTIONS again",
    },
];

#[test]
fn the_flows_of_rfc_3665_and_rfc_5118_are_drawn_arrow_by_arrow() {
    let Some(folder) = collection("public/derived") else { return };
    for flow in FLOWS {
        let path = folder.join(flow.file).with_extension("pcap");
        assert_eq!(arrows(&path), flow.arrows, "{}", flow.file);
        assert_eq!(lanes(&path), flow.lanes, "{}", flow.file);
    }
}

/// The messages of a capture in the words of [`Flow::arrows`].
fn arrows(path: &Path) -> String {
    let out = run(&["messages", "--format", "ndjson", path.to_str().unwrap()]).out;
    let messages = out.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let host = |value: &serde_json::Value| {
        let address = value.as_str().unwrap();
        HOSTS.iter().find(|(_, known)| *known == address).map_or(address, |host| host.0).to_owned()
    };
    let arrow = |message: serde_json::Value| {
        let what = match message["status"].as_u64() {
            Some(status) => status.to_string(),
            None => message["method"].as_str().unwrap().to_owned(),
        };
        let again = if message["note"] == "retransmission" { " again" } else { "" };
        format!("{}>{} {what}{again}", host(&message["src"]), host(&message["dst"]))
    };
    messages.map(arrow).collect::<Vec<_>>().join(", ")
}

/// The hosts of each ladder of a capture, from left to right, as its first line names them.
fn lanes(path: &Path) -> Vec<Vec<String>> {
    let out = run(&["ladder", "--ascii", path.to_str().unwrap()]).out;
    let heads = out.lines().filter_map(|line| line.strip_prefix("2023-11-14 UTC"));
    let address = |word: &str| word.trim_matches(['[', ']']).to_owned();
    heads.map(|head| head.split_whitespace().map(address).collect()).collect()
}
