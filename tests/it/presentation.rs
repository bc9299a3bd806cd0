//! What a terminal, a file and a pipe get to see: nothing that matters is cut or left out.

use serde_json::Value;

use crate::program::run;

const FAILURES: &str = "samples/failures.pcap";

fn objects(args: &[&str]) -> Vec<Value> {
    let run = run(&[args, &["--format", "ndjson"]].concat());
    run.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn rows_that_go_to_a_pipe_are_not_cut() {
    for input in [FAILURES, "samples/gb28181-camera.pcap", "samples/presence.pcap"] {
        let table = run(&["list", input]).out;
        let rows = run(&["messages", input]).out;
        assert!(!table.contains('…') && !rows.contains('…'), "{table}{rows}");
        for call in objects(&["list", input]) {
            assert!(table.contains(call["call_id"].as_str().unwrap()), "{table}");
        }
        for (message, row) in objects(&["messages", input]).iter().zip(rows.lines()) {
            assert!(row.contains(message["call_id"].as_str().unwrap()), "{row}");
            assert!(row.contains(message["request_uri"].as_str().unwrap_or_default()), "{row}");
        }
    }
}

#[test]
fn a_narrow_terminal_keeps_what_is_special_about_a_message() {
    let input = "samples/unreachable.pcap";
    for (width, word) in [("80", "[again of "), ("120", "[retransmission of ")] {
        let rows = run(&["messages", "--width", width, input]).out;
        let again = objects(&["messages", input]);
        for (message, row) in again.iter().zip(rows.lines()) {
            assert!(row.chars().count() <= width.parse().unwrap(), "{row}");
            let note = message["note"].as_str();
            assert_eq!(note == Some("retransmission"), row.contains(word), "{row}");
            let method = message["method"].as_str().or(message["cseq_method"].as_str());
            assert!(row.contains(method.unwrap()), "{row}");
        }
    }
}

#[test]
fn a_list_shows_status_before_anything_that_can_be_looked_up() {
    for width in ["40", "60", "80", "100"] {
        let table = run(&["list", "--width", width, FAILURES]).out;
        assert!(table.contains("404") && table.contains("486"), "{width}: {table}");
    }
    for width in ["80", "100", "140"] {
        let table = run(&["list", "--width", width, FAILURES]).out;
        for part in ["From", "To", "State", "Findings", "Call-ID"] {
            assert!(table.contains(part), "{width}: {part} in {table}");
        }
    }
}

#[test]
fn captures_of_several_days_show_the_time_of_day() {
    for width in ["60", "80", "120"] {
        let inputs = ["samples/unanswered.pcap", "samples/unreachable.pcap"];
        let table = run(&[&["list", "--utc", "--width", width][..], &inputs].concat()).out;
        assert!(table.contains("2026-11-20 22:27:34"), "{table}");
    }
}

#[test]
fn an_empty_stretch_of_time_says_when_the_input_was_captured() {
    let run = run(&["list", "--utc", "--since", "10m", FAILURES]);
    assert_eq!(run.code, 4);
    assert!(run.err.contains("no packets after 2026-11-20 22:26:36"), "{}", run.err);
    assert!(run.err.contains("runs from 2026-11-20 22:16:36"), "{}", run.err);
    let turned = self::run(&["list", "--since", "10m", "--until", "5m", FAILURES]);
    assert_eq!(turned.code, 2);
    assert!(turned.err.contains("--since 10m is after --until 5m"), "{}", turned.err);
}

#[test]
fn a_time_of_day_is_of_the_day_of_the_capture() {
    let late = objects(&["messages", "--utc", "--since", "22:16:48", FAILURES]);
    assert!(!late.is_empty());
    assert!(late.iter().all(|m| "2026-11-20T22:16:48" <= m["time"].as_str().unwrap()));
}

#[test]
fn c_counts_what_the_filter_lets_through_whatever_the_command() {
    let invites = objects(&["messages", "-c", "2", "--method", "INVITE", FAILURES]);
    assert_eq!(invites.len(), 2);
    let calls = objects(&["list", "-c", "2", "--method", "INVITE", FAILURES]);
    assert_eq!(calls.len(), 1, "two messages of the first call");
    assert_eq!(calls[0]["method"], "INVITE");
    assert_eq!(calls[0]["messages"], 2);
}

#[test]
fn a_search_in_vain_says_where_it_looked() {
    for (word, meant) in [
        ("486", "status == 486"),
        ("invite", "method == INVITE"),
        ("10.20.0.3", "host == 10.20.0.3"),
        ("nowhere", "text contains nowhere"),
    ] {
        let run = run(&["list", "-f", word, FAILURES]);
        assert_eq!(run.code, 4, "{word}: {}", run.out);
        assert!(run.err.contains("looked for in From, To and Call-ID"), "{}", run.err);
        assert!(run.err.contains(meant), "{}", run.err);
        // A word in the input, or one that is not: the hint is a filter all the same.
        assert_ne!(self::run(&["list", "-f", meant, FAILURES]).code, 2, "{meant}");
    }
    let run = run(&["list", "--call-id", "4cafb", FAILURES]);
    assert!(run.err.contains("call_id contains \"4cafb\""), "{}", run.err);
}

#[test]
fn text_without_the_closing_line_can_be_had() {
    let run = run(&["messages", "-v", "-q", "-c", "1", FAILURES]);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    assert!(run.out.contains("CSeq: "), "{}", run.out);
}

#[test]
fn calls_can_be_chosen_by_the_rules_they_break() {
    let codes = |expression: &str| {
        let calls = objects(&["list", "-f", expression, "samples/rejects.pcap"]);
        calls.into_iter().map(|call| call["findings"].clone()).collect::<Vec<_>>()
    };
    let all = objects(&["list", "samples/rejects.pcap"]).len();
    let broken = codes("rule == T005");
    assert!(!broken.is_empty() && broken.len() < all);
    assert!(broken.iter().all(|codes| codes.to_string().contains("T005")));
    assert_eq!(codes("findings == ack-mismatch"), broken);
    assert_eq!(codes("not rule == T005").len(), all - broken.len());
}

#[test]
fn several_calls_are_several_drawings() {
    let calls = objects(&["list", FAILURES]);
    let svg = run(&["ladder", "--utc", "--format", "svg", FAILURES]).out;
    let mermaid = run(&["ladder", "--utc", "--format", "mermaid", FAILURES]).out;
    assert_eq!(svg.matches("<svg").count(), 1, "one file, one document");
    assert_eq!(svg.matches("class=\"heading\"").count(), calls.len());
    assert_eq!(mermaid.matches("```mermaid\nsequenceDiagram").count(), calls.len());
    for (call, block) in calls.iter().zip(mermaid.split("```mermaid").skip(1)) {
        let call_id = format!("Call-ID {}", call["call_id"].as_str().unwrap());
        assert_eq!(svg.matches(&call_id).count(), 1, "{call_id}");
        assert!(block.contains(&call_id), "{block}");
        assert!(block.contains("title ") && block.contains("2026-11-20 22:16:"), "{block}");
    }
    let one = ["ladder", "--format", "mermaid", "--call-id", "4cafb396d3096b8e", FAILURES];
    assert!(run(&one).out.starts_with("sequenceDiagram\n"), "a diagram alone is no Markdown");
}

#[test]
fn a_narrow_ladder_keeps_the_method_of_a_response() {
    for (width, label) in [("80", "200 (CANCEL)"), ("60", "(CANCEL)")] {
        let ladder = run(&["ladder", "--width", width, "samples/fork.pcap"]).out;
        assert!(ladder.contains(label), "{ladder}");
        assert!(!ladder.contains("t…") && !ladder.contains("R…"), "{ladder}");
    }
}

#[test]
fn findings_are_wrapped_and_never_cut() {
    for sample in ["rejects.pcap", "fragments.pcap", "unreachable.pcap"] {
        let input = format!("samples/{sample}");
        let whole = |text: &str| text.split_whitespace().collect::<String>();
        let all = objects(&["check", &input]);
        for width in ["60", "80", "100", "130"] {
            let text = run(&["check", "--width", width, &input]).out;
            assert!(text.lines().all(|line| line.chars().count() <= width.parse().unwrap()));
            let text = whole(&text);
            for finding in &all {
                let code = finding["code"].as_str().unwrap();
                assert!(text.contains(&format!("siplensexplain{code}")), "{width}: {text}");
                for key in ["title", "sender", "hop"] {
                    let value = whole(finding[key].as_str().unwrap());
                    assert!(text.contains(&value), "{width}: {key} {value}");
                }
            }
        }
    }
}

#[test]
fn where_nothing_was_checked_no_one_says_no_findings() {
    let empty = run(&["check", "samples/empty.pcap"]);
    assert_eq!(empty.code, 4);
    assert!(empty.out.contains("nothing was checked"), "{}", empty.out);
    assert!(run(&["check", "samples/call.pcap"]).out.contains("no findings"));
}

#[test]
fn pages_of_rules_are_read_by_people() {
    let page = run(&["explain", "M014"]).out;
    assert!(!page.contains("```") && !page.contains("## "), "{page}");
    assert!(page.contains("CSeq method OPTIONS"), "{page}");
    assert!(run(&["explain", "--format", "markdown", "M014"]).out.contains("```flow"));
    assert_eq!(run(&["explain", "M006:uri"]).out, run(&["explain", "M006"]).out);
    let several = run(&["explain", "T0"]);
    assert_eq!(several.code, 0, "{}", several.err);
    assert!(several.out.contains("T005  ack-mismatch") && !several.out.contains("M014"));
    let catalog: Value = serde_json::from_str(&run(&["rules", "--format", "json"]).out).unwrap();
    let rules = catalog["rules"].as_array().unwrap();
    assert!(rules.iter().any(|rule| rule["code"] == "T005"));
    let documents = include_str!("../../docs/json.md");
    let section = documents.split("\n## rules\n").nth(1).unwrap().split("\n## ").next().unwrap();
    for key in rules[0].as_object().unwrap().keys() {
        assert!(section.contains(&format!("| `{key}` |")), "docs/json.md: {key}");
    }
}

#[test]
fn a_report_lists_the_status_and_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("trace.pcap");
    std::fs::copy(crate::program::sample("failures.pcap"), &copy).unwrap();
    let page = run(&["report", copy.to_str().unwrap()]).out;
    assert!(!page.contains(folder.path().to_str().unwrap()), "where the file lies");
    let calls = page.split("<section id=\"calls\"").nth(1).unwrap();
    let calls = calls.split("</section>").next().unwrap();
    assert!(calls.contains("<th class=\"num\">Status</th>"), "{calls}");
    for status in ["404", "486"] {
        assert!(calls.contains(&format!("<td class=\"num\">{status}</td>")), "{calls}");
    }
    let one = ["report", "--call-id", "4cafb396d3096b8e", FAILURES];
    assert!(run(&one).out.contains("<b>3</b><span>SIP messages</span>"));
    let empty = run(&["report", "samples/empty.pcap"]).out;
    assert!(empty.contains("Nothing was checked") && !empty.contains("No rule was broken"));
}

#[test]
fn frames_of_several_files_keep_their_number() {
    let files = [FAILURES, "samples/gb28181-camera.pcap"];
    let text = run(&[&["ladder", "--width", "80", "--method", "INVITE"][..], &files].concat()).out;
    assert!(text.contains(":16 ") && text.contains("…"), "{text}");
}

#[test]
fn what_several_calls_have_in_common_is_told_once() {
    let text = run(&["check", "samples/fragments.pcap"]).out;
    assert_eq!(text.matches("INVITE of 5151 octets in 4 IP fragments").count(), 1, "{text}");
    assert!(
        text.contains("(6 findings, 6 times)") && text.contains("and 1 more finding"),
        "{text}"
    );
    assert_eq!(objects(&["check", "samples/fragments.pcap"]).len(), 12, "a row for each call");
}

#[test]
fn a_device_that_said_goodbye_is_not_shown_as_registered() {
    let page = |sample: &str| run(&["registrations", "--format", "html", sample]).out;
    let left = page(FAILURES);
    assert!(left.contains(">deregistered<") && !left.contains(">registered<"));
    assert!(page("samples/unreachable.pcap").contains(">registered<"));
}

#[test]
fn the_numbers_at_the_top_of_a_page_count_the_findings_of_the_audit() {
    let page = run(&["registrations", "--format", "html", "samples/camera-95s.pcap"]).out;
    let text = run(&["registrations", "samples/camera-95s.pcap"]).out;
    assert!(text.contains("1 device, 1 error, 3 warnings"), "{text}");
    assert!(page.contains("<b>1</b><span>errors</span>"));
    assert!(page.contains("<b>3</b><span>warnings</span>"));
}
