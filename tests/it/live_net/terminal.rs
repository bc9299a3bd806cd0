//! What strangers write never reaches the terminal as it is, wherever they write it.

use super::stage::{Family, Stage};
use super::talk::{Carrier, Talk, Who};
use super::watcher::{eventually, live, metric};

/// What must not be passed on: escape sequences, other controls, NUL, C1, marks that turn text
/// around, octets that are no UTF-8.
const NASTY: [&[u8]; 10] = [
    b"\x1b[2J\x1b]0;title\x07",
    b"\x1b[31m",
    b"a\0b",
    b"\x08\x7f\x0b",
    "\u{9b}31m\u{85}".as_bytes(),
    b"\x9b31m",
    "\u{202e}abc\u{202c}".as_bytes(),
    "\u{2066}x\u{2069}\u{2067}\u{2068}\u{202a}\u{202b}\u{202d}".as_bytes(),
    b"\xff\xfe\xc3\x28",
    "\u{200b}\u{feff}\u{2028}".as_bytes(),
];

/// `text` with `nasty` in a place of its own in the start line, in each header, or in the body.
fn tainted(text: &str, nasty: &[u8]) -> Vec<Vec<u8>> {
    let places: Vec<usize> = text
        .lines()
        .scan(0, |at, line| {
            let end = *at + line.len();
            *at = end + 2;
            Some(end)
        })
        .collect();
    let mut all = Vec::new();
    for end in places {
        let start = text[..end].rfind('\n').map_or(0, |at| at + 1);
        let line = &text[start..end];
        // Behind the name of the header, in the middle, and at the end.
        let inside =
            [line.find([':', ' ']).map(|at| at + 2), Some(line.len() / 2), Some(line.len())];
        for at in inside.into_iter().flatten().filter(|at| *at <= line.len() && !line.is_empty()) {
            let (head, tail) = text.split_at(start + at);
            all.push([head.as_bytes(), nasty, tail.as_bytes()].concat());
        }
    }
    all
}

/// The first thing in `octets` that must not be there; sequences that color are ours when `colored`.
fn raw(octets: &[u8], colored: bool) -> Option<String> {
    let Ok(text) = std::str::from_utf8(octets) else { return Some("no UTF-8".to_owned()) };
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c != '\n' && is_treacherous(c)) {
        let here = &rest[at..];
        let sequence = here.strip_prefix("\x1b[").filter(|_| colored);
        let end = sequence.and_then(|rest| rest.find(|c: char| !c.is_ascii_digit() && c != ';'));
        match end {
            Some(end) if here[2 + end..].starts_with('m') => rest = &here[2 + end + 1..],
            _ => return Some(format!("{:?}", here.chars().take(20).collect::<String>())),
        }
    }
    None
}

fn is_treacherous(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[test]
fn what_strangers_write_reaches_the_terminal_in_no_mode() {
    let modes: [&[&str]; 9] = [
        &[],
        &["-v"],
        &["-vv"],
        &["--list"],
        &["--check"],
        &["--ladder"],
        &["--registrations"],
        &["--format", "ndjson"],
        &["--list", "--format", "ndjson"],
    ];
    let Some(stage) = Stage::new() else { return };
    let mut runs = Vec::new();
    for mode in modes {
        for color in ["never", "always"] {
            let args = [mode, &["--color", color]].concat();
            runs.push((live(&stage.near, &args), color == "always", mode));
        }
    }
    let counter = live(&stage.far, &["--metrics", "9464"]);
    let mut talk = Talk::new(&stage, Carrier::Udp, Family::V4, 5060);
    let mut said = 0_u64;
    for (number, nasty) in NASTY.iter().enumerate() {
        let call = talk.call(&format!("call-{number}"));
        let register = (Who::Caller, talk.request("REGISTER", &format!("reg-{number}"), 1, ""));
        let refused =
            (Who::Callee, talk.response("403 No", "REGISTER", &format!("reg-{number}"), 1, ""));
        for (who, text) in call.iter().chain([&register, &refused]) {
            for octets in tainted(text, nasty) {
                talk.say(*who, &octets);
                said += 1;
            }
        }
    }
    eventually("all to be read", || {
        (said <= metric(&stage.far, "siplens_packets_total")).then_some(())
    });
    for (run, colored, mode) in runs {
        let over = run.interrupt();
        assert!(!over.out.is_empty(), "{mode:?}");
        assert_eq!(raw(&over.out, colored), None, "{mode:?} on stdout");
        assert_eq!(raw(&over.err, false), None, "{mode:?} on stderr");
    }
    drop(counter);
}
