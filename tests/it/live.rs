//! `siplens live`: what it prints of a capture that is played back is what the other commands print.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
#[cfg(target_os = "linux")]
use std::process::Command;
use std::process::Stdio;

use siplens::capture::{Capture, Source as _};
use siplens::engine::live::Flows;
use siplens::engine::{Plan, Reader};
use siplens::limits::{Limits, Tally};
use siplens::model::{CallFlow, Crossings, Vantage};
use siplens::rules::{Context, Finding, Selection, Settings, check_flow};

use crate::fleet::{REGISTRAR, Wire, host, register};
use crate::program::{Run, program, run, run_on, sample, samples};
#[cfg(target_os = "linux")]
use crate::program::{finished, skip};
use crate::support::packet::{ethernet, udp};
use crate::support::pcap::Pcap;

/// The octets of a sample as a pipe brings them.
fn octets(name: &str) -> Vec<u8> {
    fs::read(sample(name)).unwrap()
}

/// What `siplens live` makes of the sample `name`.
fn live(name: &str, args: &[&str]) -> Run {
    let args: Vec<&str> =
        ["live", "--allow-empty"].iter().chain(args).chain(&["-"]).copied().collect();
    run_on(&octets(name), &args)
}

/// What another command makes of it.
fn offline(name: &str, args: &[&str]) -> Run {
    let args: Vec<&str> = args.iter().chain(&["--allow-empty", "-"]).copied().collect();
    run_on(&octets(name), &args)
}

#[test]
fn messages_are_printed_as_messages_prints_them() {
    for name in samples() {
        for form in [&[][..], &["-v"], &["--format", "ndjson"], &["--from", "sip:a@"]] {
            let live = live(&name, form);
            let offline = offline(&name, &[&["messages", "--elapsed"], form].concat());
            assert_eq!(live.out, offline.out, "{name} {form:?}");
            let last = |run: &Run| run.err.lines().last().unwrap_or_default().to_owned();
            assert_eq!(last(&live), last(&offline), "{name} {form:?}");
        }
    }
}

#[test]
fn the_table_at_the_end_is_that_of_list() {
    for name in samples() {
        assert_eq!(live(&name, &["--list"]).out, offline(&name, &["list"]).out, "{name}");
    }
}

/// Which row of a list it is: the Call-ID alone, for a flow that goes on has a row for each time it
/// was told.
fn call_id(row: &str) -> String {
    let row: serde_json::Value = serde_json::from_str(row).unwrap();
    row["call_id"].as_str().unwrap().to_owned()
}

#[test]
fn the_last_rows_for_programs_are_those_of_list() {
    for name in samples() {
        let form = ["--format", "ndjson"];
        let offline = offline(&name, &[&["list"], &form[..]].concat());
        let live = live(&name, &[&["--list"], &form[..]].concat());
        // How often a flow was told before its end depends on how fast the input came.
        let last: BTreeMap<String, &str> =
            live.out.lines().map(|row| (call_id(row), row)).collect();
        let rows: BTreeMap<String, &str> =
            offline.out.lines().map(|row| (call_id(row), row)).collect();
        if rows.len() == offline.out.lines().count() {
            assert_eq!(last, rows, "{name}");
        } else {
            // Several flows without a Call-ID.
            for row in offline.out.lines() {
                assert!(live.out.lines().any(|told| told == row), "{name}: {row}");
            }
        }
    }
}

#[test]
fn every_ladder_is_drawn_and_what_was_drawn_before_is_the_beginning_of_one() {
    for name in samples() {
        let ladders = |run: &Run| -> Vec<String> {
            let all = run.out.split("\n\n").map(|one| one.trim().to_owned());
            all.filter(|one| !one.is_empty()).collect()
        };
        // The number and the time of each message after the first.
        let messages = |ladder: &str| -> Vec<String> {
            let lines = ladder.lines().map(str::trim_start);
            let lines = lines.filter(|line| line.starts_with(|first: char| first.is_ascii_digit()));
            lines
                .skip(1)
                .map(|line| line.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
                .collect()
        };
        let (drawn, all) =
            (ladders(&live(&name, &["--ladder"])), ladders(&offline(&name, &["ladder"])));
        for ladder in &all {
            let count = |of: &[String]| of.iter().filter(|one| *one == ladder).count();
            assert!(count(&all) <= count(&drawn), "{name}: {ladder}");
        }
        // A flow that goes on is drawn each time it seems to have ended; how often depends on how
        // fast the input came.
        for early in drawn.iter().filter(|one| !all.contains(one)) {
            let begins = |ladder: &String| messages(ladder).starts_with(&messages(early));
            assert!(all.iter().any(begins), "{name}: {early}");
        }
    }
}

#[test]
fn violations_at_the_end_are_those_of_check_and_each_was_told_before() {
    for name in samples() {
        let (live, offline) = (live(&name, &["--check"]), offline(&name, &["check"]));
        assert!(live.out.ends_with(&offline.out), "{name}: {}", live.out);
        assert_eq!(live.code, offline.code, "{name}");
        let told: Vec<&str> =
            live.out.strip_suffix(offline.out.as_str()).unwrap().lines().collect();
        for code in offline.out.lines().filter_map(finding) {
            assert!(told.iter().any(|line| line.contains(code)), "{name}: {code} in {told:#?}");
        }
    }
}

/// The code in the head of a group of findings.
fn finding(line: &str) -> Option<&str> {
    let mut words = line.split(' ').filter(|word| !word.is_empty());
    let is_severity = |word: &&str| ["error", "warning", "info"].contains(word);
    words.next().filter(is_severity)?;
    words.next()
}

#[test]
fn findings_for_programs_add_up_to_those_of_check() {
    let counts = |run: Run| {
        let mut counts: BTreeMap<(String, String, String), u64> = BTreeMap::new();
        for line in run.out.lines() {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            let word = |key: &str| row[key].to_string();
            let count = counts.entry((word("code"), word("kind"), word("title"))).or_default();
            *count += 1;
        }
        counts
    };
    for name in samples() {
        let live = counts(live(&name, &["--check", "--format", "ndjson"]));
        let offline = counts(offline(&name, &["check", "--format", "ndjson"]));
        let keys = |counts: &BTreeMap<_, u64>| counts.keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&live), keys(&offline), "{name}");
    }
}

#[test]
fn a_filter_of_who_follows_the_call_and_one_of_what_chooses_messages() {
    let call = live("call.pcap", &["--from", "sip:a@"]);
    let other = live("call.pcap", &["-f", "from contains 'sip:a@' && method == INVITE"]);
    assert!(call.out.lines().count() > other.out.lines().count(), "{}\n{}", call.out, other.out);
    let sides = |run: &Run| run.out.lines().filter(|line| line.contains("BYE")).count();
    assert_ne!(sides(&call), 0, "{}", call.out);
    assert!(other.out.lines().all(|line| line.contains("INVITE")), "{}", other.out);
}

#[test]
fn a_file_is_not_watched_but_read_and_the_words_say_how() {
    let run = run(&["live", "samples/call.pcap"]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("--follow"), "{}", run.err);
}

#[test]
fn words_are_a_packet_filter_as_they_are_for_tcpdump() {
    let count = |words: &[&str]| {
        let run = live("call.pcap", words);
        assert_eq!(run.code, 0, "{words:?} {}", run.err);
        run.out.lines().count()
    };
    let all = count(&[]);
    let octets = octets("call.pcap");
    let with = |args: &[&str]| run_on(&octets, &[&["live", "--allow-empty"], args].concat());
    assert_eq!(with(&["-", "udp", "port", "5060"]).out.lines().count(), all);
    let typed = with(&["-nn", "-l", "-U", "-p", "-s0", "-", "udp", "and", "port", "1"]);
    assert_eq!((typed.code, typed.out.as_str()), (0, ""), "{}", typed.err);
    assert_eq!(with(&["-nA", "-"]).out, with(&["-v", "-"]).out);
}

#[test]
fn what_fingers_know_of_other_tools_is_answered_with_what_to_do() {
    for (args, tip) in [
        (&["live", "-C", "100"][..], "--ring 10x100MB"),
        (&["live", "-G", "3600"], "--ring 24x1h"),
        (&["live", "-X"], "-v"),
        (&["live", "-r", "a.pcap"], "siplens messages -r FILE"),
        (&["live", "lo"], "siplens live -i lo"),
        (&["live", "any"], "siplens live -i any"),
        (&["live", "eth-none"], "siplens live -D"),
        (&["live", "-f", "udp port 5060", "-"], "siplens live udp port 5060"),
        (&["live", "-", "-i", "lo"], "standard input"),
    ] {
        let run = run(args);
        assert_eq!(run.code, 2, "{args:?} {}", run.err);
        assert!(run.err.contains(tip), "{args:?} {}", run.err);
    }
}

#[test]
fn options_that_do_not_go_together_are_refused_and_none_is_passed_over() {
    for (args, word) in [
        (&["live", "--registrations", "--from", "a", "-"][..], "follows all devices"),
        (&["live", "--ladder", "--format", "ndjson", "-"], "--ladder is drawn as text"),
        (&["live", "--bpf", "udp", "tcp", "port", "5060"], "in one place"),
    ] {
        let run = run(args);
        assert_eq!(run.code, 2, "{args:?} {}", run.err);
        assert!(run.err.contains(word), "{}", run.err);
    }
}

#[test]
fn the_closing_line_says_how_much_a_filter_let_through() {
    let last = |run: Run| run.err.lines().last().unwrap_or_default().to_owned();
    for (args, chosen) in [
        (&["messages", "--method", "INVITE"][..], "; 7 messages fit the filter"),
        (&["list", "--method", "INVITE"], "; 1 flow fits the filter"),
        (&["list", "--from", "nobody"], "; 0 flows fit the filter"),
        (&["list"], "packets"),
    ] {
        let offline = last(offline("call.pcap", args));
        assert!(offline.starts_with("29 SIP messages in 577 packets"), "{offline}");
        assert!(offline.ends_with(chosen), "{offline}");
        let view = if args[0] == "list" { &["--list"][..] } else { &[] };
        assert_eq!(last(live("call.pcap", &[view, &args[1..]].concat())), offline);
    }
}

/// One with messages, findings and events.
const SAMPLE: &str = "register-digest.pcap";

#[test]
fn each_line_for_programs_says_what_it_is_offline_and_live() {
    let kinds = |run: Run| {
        let kind = |line: &str| {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            row["type"].as_str().unwrap().to_owned()
        };
        run.out.lines().map(kind).collect::<std::collections::BTreeSet<_>>()
    };
    let form = ["--format", "ndjson"];
    for (command, view, offline_kind, live_kind) in [
        ("messages", None, "message", "message"),
        ("list", Some("--list"), "call", "call"),
        ("check", Some("--check"), "finding", "finding"),
        ("registrations", Some("--registrations"), "device", "event"),
    ] {
        let offline = offline(SAMPLE, &[&[command], &form[..]].concat());
        assert_eq!(kinds(offline), [offline_kind.to_owned()].into());
        let args: Vec<&str> = view.into_iter().chain(form).collect();
        assert_eq!(kinds(live(SAMPLE, &args)), [live_kind.to_owned()].into());
    }
    assert_eq!(kinds(run(&["rules", "--format", "ndjson"])), ["rule".to_owned()].into());
}

#[test]
fn what_is_watched_is_said_of_every_source() {
    let err = live("call.pcap", &[]).err;
    assert!(err.contains("watching standard input; Ctrl-C ends it"), "{err}");
}

#[test]
fn one_file_is_not_written_by_two_nor_read_and_written() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).display().to_string();
    let (one, link, new) = (at("one"), at("link"), at("new"));
    let roundabout = at("./new");
    fs::write(&one, "kept").unwrap();
    fs::hard_link(&one, &link).unwrap();
    let pairs: [&[&str]; 4] = [
        &["live", "-", "-o", &one, "-w", &link],
        &["live", "-", "-o", &new, "-w", &roundabout],
        &["live", "--follow", &one, "-w", &link],
        &["live", "--follow", &one, "-o", &one],
    ];
    for args in pairs {
        let run = run(args);
        assert_eq!(run.code, 2, "{args:?} {}", run.err);
        assert!(run.err.contains("are the same file"), "{args:?} {}", run.err);
        assert_eq!(fs::read_to_string(&one).unwrap(), "kept");
        assert!(!fs::exists(&new).unwrap());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_said_to_be_that() {
    let mut command = program();
    let command = command.args(["live", "-"]).stdin(fs::File::open(sample("call.pcap")).unwrap());
    let run = finished(command.stdout(fs::File::options().write(true).open("/dev/full").unwrap()));
    assert_eq!(run.code, 2);
    assert!(run.err.contains("cannot write the output: No space left on device\n"), "{}", run.err);
}

#[cfg(target_os = "linux")]
#[test]
fn packets_that_could_not_be_kept_make_the_exit_status_3() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("kept.pcapng");
    let script = r#"mount -t tmpfs -o size=16k none "$0" && exec "$@""#;
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", script]).arg(directory.path()).arg(program().get_program());
    command.args(["live", "-", "-w"]).arg(&file);
    command.stdin(fs::File::open(sample("call.pcap")).unwrap());
    let Ok(output) = command.output() else { return skip("a full disk: no unshare") };
    let err = String::from_utf8_lossy(&output.stderr);
    if err.contains("unshare:") || err.contains("mount:") {
        return skip("a full disk: mounting a small one needs root");
    }
    assert_eq!(output.status.code(), Some(3), "{err}");
    assert!(err.contains("capture goes on") && err.contains("29 SIP messages"), "{err}");
}

#[test]
fn a_wrong_interface_is_2_and_says_where_to_look() {
    let run = run(&["live", "-i", "no-such-interface"]);
    assert_eq!(run.code, 2, "{}", run.err);
    let words = ["--interfaces", "sudo", "libpcap"];
    assert!(words.iter().any(|word| run.err.contains(word)), "{}", run.err);
}

#[test]
fn a_count_ends_it_though_more_would_come() {
    let mut octets = octets("call.pcap");
    octets.truncate(octets.len() - 1);
    let run = run_on(&octets, &["live", "-c", "3", "-"]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert_eq!(run.out.lines().count(), 3);
}

#[test]
fn nothing_raw_reaches_the_terminal() {
    let mut text = String::new();
    for args in [&[][..], &["-v"], &["--list"], &["--check"], &["--ladder"]] {
        for name in samples() {
            let run = live(&name, args);
            text.clear();
            run.out.as_bytes().read_to_string(&mut text).unwrap();
            let raw = text.chars().find(|c| c.is_control() && *c != '\n');
            assert_eq!(raw, None, "{name} {args:?}");
        }
    }
}

#[test]
fn a_report_with_a_time_of_its_own_making_moves_nobodys_timers() {
    let agent = "192.0.2.7:9060";
    let far = crate::hep::report(&crate::hep::chunk(15, &crate::reader::message(1, b"x")));
    let device = register("a@example.com", "c", "Contact: <sip:a@192.0.2.1>;expires=3600\r\n");
    let mut wire = Wire::default();
    wire.ask(1_000_000_000, host(1), host(REGISTRAR), &device, 200);
    let mut file = Pcap::new();
    for (envelope, text) in &wire.messages {
        let (from, to) = (envelope.from.to_string(), envelope.to.to_string());
        let frame = ethernet(&udp(&from, &to, text.as_bytes()).whole());
        file = file.frame(1_000, 0, &frame);
    }
    // Decades later, says who sent it.
    let frame = ethernet(&udp(agent, "192.0.2.2:5060", &far).whole());
    let file = file.frame(1_001, 0, &frame);
    let run = run_on(&file.bytes, &["live", "--registrations", "--format", "ndjson", "-"]);
    let events: Vec<_> = run.out.lines().filter(|line| line.contains("\"event\"")).collect();
    assert!(matches!(events[..], [new] if new.contains("\"new\"")), "{events:#?}");
    assert!(
        run.err.contains("1 hep-clock") && run.err.contains("192.0.2.7: a clock"),
        "{}",
        run.err
    );
}

#[test]
fn a_key_log_is_read_on_as_it_grows_and_opens_what_begins_later() {
    let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
    let capture = |name: &str| fs::read(format!("tests/data/tls/{name}.pcap")).unwrap();
    let mut running = program()
        .args(["live", "--keylog", path.to_str().unwrap(), "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut input, out) = (running.stdin.take().unwrap(), running.stdout.take().unwrap());
    let mut lines = BufReader::new(out).lines();
    // The first message shows that the key log was opened before.
    input.write_all(&plain(&crate::reader::message(1, b"x"))).unwrap();
    assert!(lines.next().unwrap().unwrap().contains("1@192.0.2.1"));
    let log = String::from_utf8(crate::tls::key_log("tls13_aes128")).unwrap();
    let (first, rest) = log.split_at(log.len() / 2);
    let mut file = fs::File::options().append(true).open(&path).unwrap();
    file.write_all(first.as_bytes()).unwrap();
    file.write_all(rest.as_bytes()).unwrap();
    let records = |name: &str| capture(name)[24..].to_vec();
    input.write_all(&records("tls13_aes128")).unwrap();
    let is_tls = |line: &io::Result<String>| line.as_ref().unwrap().contains(" tls ");
    assert!(lines.any(|line| is_tls(&line)));
    // Emptied, it begins anew.
    fs::write(&path, crate::tls::key_log("tls12_gcm128")).unwrap();
    input.write_all(&records("tls12_gcm128")).unwrap();
    drop(input);
    let more = lines.filter(is_tls).count();
    let over = running.wait_with_output().unwrap();
    let err = String::from_utf8_lossy(&over.stderr);
    assert!(over.status.success() && !err.contains("encrypted"), "{err}");
    assert!(3 < more, "{more} {err}");
}

#[test]
fn what_is_found_in_calls_that_are_let_go_is_told_and_stands_in_the_summary() {
    // Each without Max-Forwards, of a sender of its own.
    let mut file = Pcap::new();
    for n in 0..6_000 {
        let text = format!(
            "OPTIONS sip:b@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{n}\r\n\
             From: <sip:a{n}@192.0.2.1>;tag=1\r\nTo: <sip:b@192.0.2.2>\r\nCall-ID: {n}\r\n\
             CSeq: 1 OPTIONS\r\nUser-Agent: {n}\r\nContent-Length: 0\r\n\r\n"
        );
        let from = format!("10.0.{}.{}:5060", n / 250, n % 250 + 1);
        let frame = ethernet(&udp(&from, "192.0.2.2:5060", text.as_bytes()).whole());
        file = file.frame(1_000 + n / 100, 0, &frame);
    }
    let form = ["--format", "ndjson", "-"];
    let check = |args: &[&str]| run_on(&file.bytes, &[args, &form].concat());
    let live = check(&["live", "--check", "--memory", "16M"]);
    let rows = |run: &Run| run.out.lines().filter(|line| line.contains("\"M004\"")).count();
    let offline = check(&["check"]);
    assert_eq!((rows(&live), rows(&offline)), (6_000, 6_000), "{} {}", live.err, offline.err);
    assert!(live.err.contains(" let-go") && !live.err.contains("unreported"), "{}", live.err);
    assert_eq!(live.code, offline.code);
    // Where there was no room even for reports, nothing says that all is well.
    let little =
        run_on(&file.bytes, &["check", "--select", "T019", "--memory", "64K", "--jobs", "1", "-"]);
    let last = little.out.lines().last().unwrap_or_default();
    assert!(last.starts_with("nothing found in what was reported; "), "{last} {}", little.err);
}

/// A capture with one datagram.
fn plain(text: &[u8]) -> Vec<u8> {
    let frame = ethernet(&udp("192.0.2.1:5060", "192.0.2.2:5060", text).whole());
    Pcap::new().frame(1, 0, &frame).bytes
}

/// Each finding that is told of a capture looked at after every message, and those at its end.
fn told_on_the_way(name: &str) -> (Vec<String>, Vec<String>) {
    let (plan, selection, settings) = (one_job(), Selection::default(), Settings::default());
    let (alone, nothing) = (Crossings::default(), |_: &CallFlow| ());
    let judge = |flow: &CallFlow, vantage: &Vantage| {
        let context =
            Context { vantage, crossings: &alone, selection: &selection, settings: &settings };
        check_flow(flow, &context)
    };
    let words = |flow: &CallFlow, finding: &Finding| {
        let call_id = String::from_utf8_lossy(flow.call_id()).into_owned();
        format!("{} {} {call_id}", finding.rule.label(finding.kind), finding.sender)
    };
    let mut capture = Capture::of_bytes(&octets(name));
    let mut reader = Reader::new(&plan.limits);
    let mut flows: Flows<'_, ()> = Flows::new(&plan, &nothing).watched();
    let mut told = Vec::new();
    loop {
        match capture.next() {
            Ok(Some(frame)) => {
                reader.read(&frame, &mut |observation| flows.observe(&observation));
                flows.advance(frame.time);
            }
            Ok(None) => break,
            Err(_) => continue,
        }
        let mut places = Vec::new();
        while let Some((place, _)) = flows.poll() {
            places.push(place);
        }
        flows.look(Some(&places), (reader.vantage(), Tally::default()), |model, _| {
            for flow in &model.flows {
                let report = judge(flow, &model.vantage);
                told.extend(report.findings().map(|finding| words(flow, finding)));
            }
        });
    }
    reader.finish(&mut |observation| flows.observe(&observation));
    flows.advance(reader.vantage().last);
    let at_the_end = flows.look(None, (reader.vantage(), Tally::default()), |model, _| {
        let reports = model.flows.iter().map(|flow| (flow, judge(flow, &model.vantage)));
        reports
            .flat_map(|(flow, report)| {
                report.findings().map(|finding| words(flow, finding)).collect::<Vec<_>>()
            })
            .collect::<Vec<String>>()
    });
    told.sort();
    told.dedup();
    (told, at_the_end)
}

fn one_job() -> Plan {
    Plan::new(Limits::default(), 1)
}

#[test]
fn what_was_told_on_the_way_still_stands_at_the_end() {
    for name in samples() {
        let (told, at_the_end) = told_on_the_way(&name);
        let taken_back: Vec<_> = told.iter().filter(|told| !at_the_end.contains(told)).collect();
        assert!(taken_back.is_empty(), "{name}: {taken_back:#?}");
    }
}

#[test]
fn the_audit_at_the_end_is_that_of_registrations_and_each_lapse_was_told() {
    for name in samples() {
        let live = live(&name, &["--registrations"]);
        let offline = offline(&name, &["registrations"]);
        assert!(live.out.ends_with(&offline.out), "{name}: {}\n{}", live.out, offline.out);
        assert_eq!(live.code, offline.code, "{name}");
    }
}
