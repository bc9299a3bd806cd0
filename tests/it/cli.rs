//! The edge: flags, exit codes, what is said when something is wrong.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use crate::program::{finished, program, run, run_on, sample, skip};

const CALL: &str = "samples/call.pcap";

#[test]
fn what_is_read_is_not_written_over() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("call.pcap");
    std::fs::copy("samples/call.pcap", &file).unwrap();
    let (name, before) = (file.display().to_string(), std::fs::metadata(&file).unwrap().len());
    for command in ["list", "messages", "check"] {
        let run = run(&[command, &name, "-o", &name]);
        assert_eq!(run.code, 2, "{}", run.err);
        assert!(run.err.contains("which is read"), "{}", run.err);
        assert_eq!(std::fs::metadata(&file).unwrap().len(), before);
    }
}

#[test]
fn a_good_run_is_0_and_ends_with_what_was_read() {
    let run = run(&["list", CALL]);
    assert_eq!(run.code, 0, "{}", run.err);
    let last = run.err.lines().last().unwrap();
    assert!(last.contains("29 SIP messages in"), "{last}");
}

#[test]
fn findings_are_1_from_fail_on_upward() {
    let code = |level: &str| run(&["check", "samples/fragments.pcap", "--fail-on", level]).code;
    assert_eq!(code("info"), 1);
    assert_eq!(code("warning"), 1);
    assert_eq!(code("error"), 0);
    assert_eq!(code("never"), 0);
    assert_eq!(run(&["check", CALL, "--fail-on", "info"]).code, 0);
}

#[test]
fn a_severity_can_be_changed() {
    let code = |level: &str| {
        run(&["check", "samples/fragments.pcap", "--severity", &format!("all={level}")]).code
    };
    assert_eq!(code("error"), 1);
    assert_eq!(code("info"), 0);
}

#[test]
fn wrong_usage_is_2() {
    for args in [
        &["list"][..],
        &["list", "--no-such-option", CALL],
        &["no-such-command"],
        &["list", "-f", "status == x", CALL],
        &["list", "--status", "busy", CALL],
        &["list", "--since", "noon", CALL],
        &["messages", "-f", "state == busy", CALL],
        &["list", "--memory", "much", CALL],
        &["check", "--severity", "M014", CALL],
    ] {
        let run = run(args);
        assert_eq!(run.code, 2, "{args:?}: {}", run.err);
        assert!(!run.err.is_empty(), "{args:?}");
        assert!(run.out.is_empty(), "{args:?}");
    }
}

#[test]
fn an_unknown_rule_is_2_and_names_the_nearest() {
    for args in [
        &["check", "--select", "cseq-method-missmatch", CALL][..],
        &["check", "--ignore", "cseq-method-missmatch", CALL],
        &["check", "--severity", "cseq-method-missmatch=info", CALL],
        &["explain", "cseq-method-missmatch"],
    ] {
        let run = run(args);
        assert_eq!(run.code, 2, "{args:?}");
        assert!(run.err.contains("cseq-method-mismatch"), "{args:?}: {}", run.err);
    }
}

#[test]
fn a_missing_file_is_3_and_named() {
    let run = run(&["list", "samples/no-such-file.pcap"]);
    assert_eq!(run.code, 3);
    assert!(run.err.contains("siplens: cannot read samples/no-such-file.pcap"), "{}", run.err);
}

#[test]
fn what_is_no_capture_is_3() {
    let run = run(&["list", "Cargo.toml"]);
    assert_eq!(run.code, 3);
    assert!(run.err.contains("cannot read Cargo.toml"), "{}", run.err);
}

#[test]
fn a_cut_file_is_3_after_all_that_could_be_read() {
    let run = run(&["messages", "samples/truncated-file.pcap"]);
    assert_eq!(run.code, 3, "{}", run.err);
    assert_eq!(run.out.lines().count(), 29, "{}", run.out);
    assert!(run.err.contains("truncated-file.pcap"), "{}", run.err);
}

#[test]
fn a_readable_file_beside_a_missing_one_is_shown() {
    let run = run(&["list", CALL, "samples/no-such-file.pcap"]);
    assert_eq!(run.code, 3);
    assert!(run.out.contains("INVITE"), "{}", run.out);
    assert!(run.err.contains("no-such-file.pcap"), "{}", run.err);
}

#[test]
fn nothing_of_what_was_asked_for_is_4() {
    for args in [
        &["list", "samples/empty.pcap"][..],
        &["messages", "samples/empty.pcap"],
        &["check", "samples/empty.pcap"],
        &["ladder", CALL, "--call-id", "no such call"],
        &["registrations", "samples/one-direction.pcap", "--method", "SUBSCRIBE"],
    ] {
        assert_eq!(run(args).code, 4, "{args:?}");
        let allowed = run(&[args, &["--allow-empty"]].concat());
        assert_eq!(allowed.code, 0, "{args:?}: {}", allowed.err);
    }
}

#[test]
fn a_closed_pipe_ends_the_run_quietly() {
    let mut child = program()
        .args(["messages", "-v", "samples/rejects.pcap", "samples/gb28181-camera.pcap"])
        .args(["samples/call.pcap", "samples/failures.pcap", "samples/transfer.pcap"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    drop(out);
    let output = child.wait_with_output().unwrap();
    assert!(!line.is_empty());
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn standard_input_is_an_input() {
    let octets = fs::read(sample("call.pcap")).unwrap();
    let piped = run_on(&octets, &["messages", "--format", "csv", "-"]);
    let named = run(&["messages", "--format", "csv", CALL]);
    assert_eq!(piped.code, 0, "{}", piped.err);
    let rows = |text: &str| text.replace(CALL, "-").lines().count();
    assert_eq!(rows(&piped.out), rows(&named.out));
    assert_eq!(piped.out.lines().count(), 30);
}

#[test]
fn r_names_an_input_as_tcpdump_has_it() {
    assert_eq!(run(&["list", "-r", CALL]).out, run(&["list", CALL]).out);
}

#[test]
fn c_stops_after_so_many_messages() {
    let run = run(&["messages", "--format", "ndjson", "-c", "3", CALL]);
    assert_eq!(run.code, 0);
    assert_eq!(run.out.lines().count(), 3);
    let chosen = self::run(&["messages", "--format", "ndjson", "--method", "BYE", "-c", "3", CALL]);
    assert_eq!(chosen.out.lines().filter(|line| line.contains("BYE")).count(), 3, "{}", chosen.out);
}

#[test]
fn filters_choose_calls_and_messages() {
    let rows = |args: &[&str]| {
        let all = [args, &["--format", "ndjson", "samples/failures.pcap"]].concat();
        run(&all).out.lines().count()
    };
    assert_eq!(rows(&["list"]), 6);
    assert_eq!(rows(&["list", "--method", "INVITE"]), 4);
    assert_eq!(rows(&["list", "-f", "status == 486"]), 1);
    assert_eq!(rows(&["list", "-f", "nobody"]), 1);
    assert_eq!(rows(&["list", "--status", "302", "--method", "REGISTER"]), 0);
    assert_eq!(rows(&["messages", "-f", "status >= 300 && status < 400"]), 1);
}

#[test]
fn since_and_until_leave_out_what_is_outside() {
    let rows = |args: &[&str]| {
        let all = [&["messages", "--format", "ndjson", CALL][..], args].concat();
        run(&all).out.lines().count()
    };
    let first = rows(&["--until", "4s"]);
    let second = rows(&["--since", "4s"]);
    assert!(0 < first && 0 < second, "{first} and {second}");
    assert_eq!(first + second, 29);
}

#[test]
fn packets_are_filtered_as_tcpdump_does() {
    let rows = |args: &[&str]| {
        let run = run(&[&["messages", "--format", "ndjson", CALL][..], args].concat());
        assert!(run.code == 0 || run.code == 4, "{}", run.err);
        run.out.lines().count()
    };
    if run(&["list", CALL, "--bpf", "udp"]).err.contains("libpcap") {
        skip("built without libpcap, no packet filters");
        return;
    }
    assert_eq!(rows(&["--", "udp", "port", "5060"]), 29);
    assert_eq!(rows(&["--bpf", "host 10.20.0.2"]), 15);
    assert_eq!(rows(&["--bpf", "tcp"]), 0);
    let wrong = run(&["list", CALL, "--bpf", "prot 5060"]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.err.contains("prot 5060"), "{}", wrong.err);
}

#[test]
fn colors_appear_when_asked_for_only() {
    let colored = |command: &mut std::process::Command| finished(command).out.contains('\u{1b}');
    assert!(!colored(program().args(["list", CALL])));
    assert!(colored(program().args(["list", "--color", "always", CALL])));
    assert!(!colored(program().args(["list", "--color", "never", CALL])));
    assert!(!colored(program().args(["list", CALL]).env("NO_COLOR", "1")));
}

#[test]
fn no_line_is_wider_than_asked_for() {
    for width in ["60", "80", "120"] {
        let run = run(&["ladder", "--width", width, "samples/transfer.pcap"]);
        let limit: usize = width.parse().unwrap();
        for line in run.out.lines() {
            assert!(line.chars().count() <= limit, "{width}: {line}");
        }
    }
}

#[test]
fn ascii_is_ascii() {
    for command in ["list", "ladder", "check", "messages"] {
        let run = run(&[command, "--ascii", "samples/rejects.pcap", "--fail-on", "never"]
            .into_iter()
            .filter(|word| command == "check" || !["--fail-on", "never"].contains(word))
            .collect::<Vec<_>>());
        assert!(run.out.is_ascii(), "{command}: {}", run.out);
    }
}

#[test]
fn quiet_says_nothing_beside_the_output() {
    assert_eq!(run(&["list", "-q", CALL]).err, "");
}

#[test]
fn output_goes_to_the_file_that_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.html");
    let run = run(&["report", "-o", file.to_str().unwrap(), CALL]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert_eq!(run.out, "");
    let html = fs::read_to_string(&file).unwrap();
    assert!(html.starts_with("<!"), "{}", html.chars().take(80).collect::<String>());
    assert!(!html.contains("http://") || html.contains("www.w3.org"), "no address to load from");
}

#[test]
fn a_directory_is_all_captures_in_it() {
    let run = run(&["list", "--format", "ndjson", "samples"]);
    let single = self::run(&["list", "--format", "ndjson", CALL]);
    assert!(single.out.lines().count() < run.out.lines().count());
}

#[test]
fn pages_need_no_capture() {
    for args in [
        &["rules"][..],
        &["rules", "--format", "ndjson"],
        &["explain", "M014"],
        &["explain", "cseq-method-mismatch"],
        &["man"],
        &["completions", "bash"],
        &["completions", "zsh"],
        &["completions", "fish"],
        &["--version"],
        &["--help"],
        &["check", "--help"],
    ] {
        let run = run(args);
        assert_eq!(run.code, 0, "{args:?}: {}", run.err);
        assert!(!run.out.is_empty(), "{args:?}");
    }
    assert_eq!(run(&["explain", "M014"]).out, run(&["explain", "cseq-method-mismatch"]).out);
}

#[test]
fn the_number_of_threads_does_not_change_the_output() {
    for args in [&["check", "--fail-on", "never"][..], &["list"], &["messages"], &["ladder"]] {
        let with = |jobs: &str| {
            let more = ["--jobs", jobs, "samples/rejects.pcap", "samples/failures.pcap"];
            run(&[args, &more].concat()).out
        };
        let one = with("1");
        for jobs in ["2", "3", "8"] {
            assert_eq!(one, with(jobs), "{args:?} with {jobs} jobs");
        }
    }
}

#[test]
fn the_tunnels_of_a_message_are_shown_on_demand() {
    let vxlan = "tests/data/probes/37_vxlan.pcap";
    let run = crate::program::run(&["messages", "-vv", vxlan]);
    assert!(run.out.contains("\n    in vxlan "), "{}", run.out);
    let run = crate::program::run(&["messages", "-v", vxlan]);
    assert!(!run.out.contains("vxlan"), "{}", run.out);
}

#[test]
fn a_message_seen_inside_and_outside_a_tunnel_is_a_duplicate() {
    use crate::support::packet::{ethernet, ip, udp};
    use crate::support::pcap::Pcap;
    let options =
        b"OPTIONS sip:b@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
        From: <sip:a@192.0.2.1>;tag=1\r\nTo: <sip:b@192.0.2.2>\r\nCall-ID: 1@192.0.2.1\r\n\
        CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n";
    let inner = udp("192.0.2.1:5060", "192.0.2.2:5060", options).whole();
    let gre = [&[0, 0, 8, 0][..], &inner].concat();
    let outer = ethernet(&ip("198.51.100.1", "198.51.100.2", 47, gre).whole());
    // Both taps, then the request is sent again.
    let again = ethernet(&udp("192.0.2.1:5060", "192.0.2.2:5060", options).id(2).whole());
    let capture =
        Pcap::new().frame(1, 0, &outer).frame(1, 150, &ethernet(&inner)).frame(1, 500_000, &again);
    let run = crate::program::run_on(&capture.bytes, &["messages", "--format", "ndjson", "-"]);
    let notes: Vec<_> = run.out.lines().map(|line| line.split("\"note\":\"").nth(1)).collect();
    assert_eq!(notes.len(), 3, "{}", run.err);
    assert_eq!(notes[0], None);
    assert!(notes[1].unwrap().starts_with("duplicate\",\"of_frame\":1"), "{notes:?}");
    assert!(notes[2].unwrap().starts_with("retransmission"), "{notes:?}");
}
