//! Views: the same ladder in every drawing, lines that fit, nothing a stranger wrote escapes.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::num::NonZeroU32;

use serde_json::Value;
use siplens::model::{CallFlow, FlowId, Model, Seed, Vantage};
use siplens::net::Endpoint;
use siplens::rules::{Context, Report, Selection, Settings, check_flow, merge};
use siplens::sip::Message;
use siplens::time::{MILLISECOND, Timestamp};
use siplens::transport::{Envelope, Text};
use siplens::view::check::{self, CheckFormat};
use siplens::view::html::{self, ReportOptions};
use siplens::view::json;
use siplens::view::json::Record as _;
use siplens::view::ladder::{Event, LadderOptions};
use siplens::view::message::Detail;
use siplens::view::messages::Messages;
use siplens::view::visible::columns;
use siplens::view::{
    Charset, Format, Ladder, MessageRow, Style, Subject, list, mermaid, svg, text,
};

/// A capture written down as messages.
struct Scene {
    flow: CallFlow,
    seq: u64,
}

impl Scene {
    fn new() -> Self {
        Self { flow: CallFlow::new(Seed(7)), seq: 0 }
    }

    fn send(&mut self, from: &str, to: &str, text: &[u8]) {
        let end = |ip: &str| Endpoint { ip: ip.parse::<IpAddr>().unwrap(), port: 5060 };
        let envelope = Envelope {
            ip_id: NonZeroU32::new(self.seq as u32 + 1),
            ..Envelope::datagram(
                self.seq,
                Timestamp(1_795_212_679_000_000_000 + self.seq as i64 * 600 * MILLISECOND),
                end(from),
                end(to),
            )
        };
        self.seq += 1;
        self.flow.observe(Message::parse(envelope, Text::Owned(text.into())).unwrap());
    }

    fn model(self) -> (Model, Report) {
        let last = Timestamp(1_795_212_679_000_000_000 + self.seq as i64 * 600 * MILLISECOND);
        let mut model = Model::new(vec![Box::new(self.flow)], last, |_, _| false, Seed(7));
        model.vantage = Vantage { last, ..Vantage::default() };
        model.tally.frames = self.seq;
        model.tally.messages = self.seq;
        let selection = Selection::all();
        let settings = Settings::default();
        let context = Context {
            vantage: &model.vantage,
            crossings: model.crossings(),
            selection: &selection,
            settings: &settings,
        };
        let report = merge(model.flows.iter().map(|flow| check_flow(flow, &context)).collect());
        (model, report)
    }
}

const SDP: &str = "v=0\r\no=a 1 1 IN IP4 10.20.0.2\r\ns=-\r\nc=IN IP4 10.20.0.2\r\nt=0 0\r\n\
    m=audio 4000 RTP/SAVP 0 8 101\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:SECRETKEY|2^31\r\n";

fn request(method: &str, cseq: &str, vias: &[&str], more: &str, body: &str) -> Vec<u8> {
    let vias: String = vias
        .iter()
        .map(|via| format!("Via: SIP/2.0/UDP {via}:5060;branch=z9hG4bK{via}{method}\r\n"))
        .collect();
    let to_tag = if more.contains("in-dialog") { ";tag=t1" } else { "" };
    format!(
        "{method} sip:b@b.example SIP/2.0\r\n{vias}Max-Forwards: 70\r\n\
         From: <sip:a@a.example>;tag=f1\r\nTo: <sip:b@b.example>{to_tag}\r\n\
         Call-ID: c1@a.example\r\nCSeq: {cseq}\r\nContact: <sip:a@10.20.0.2>\r\n{more}\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn response(status: &str, cseq: &str, vias: &[&str], method: &str, body: &str) -> Vec<u8> {
    let vias: String = vias
        .iter()
        .map(|via| format!("Via: SIP/2.0/UDP {via}:5060;branch=z9hG4bK{via}{method}\r\n"))
        .collect();
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!(
        "SIP/2.0 {status}\r\n{vias}From: <sip:a@a.example>;tag=f1\r\n\
         To: <sip:b@b.example>;tag=t1\r\nCall-ID: c1@a.example\r\nCSeq: {cseq}\r\n\
         Contact: <sip:b@10.20.0.3>\r\n{kind}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

const A: &str = "10.20.0.2";
const P: &str = "10.20.0.1";
const B: &str = "10.20.0.3";

/// A call through a proxy with a retransmission, a broken CSeq and hostile text.
fn proxied() -> (Model, Report) {
    let mut scene = Scene::new();
    let kind = "Content-Type: application/sdp\r\nUser-Agent: <script>alert(1)</script>\r\n";
    scene.send(A, P, &request("INVITE", "1 INVITE", &[A], kind, SDP));
    scene.send(P, A, &response("100 Trying", "1 INVITE", &[A], "INVITE", ""));
    scene.send(P, B, &request("INVITE", "1 INVITE", &[P, A], kind, SDP));
    scene.send(P, B, &request("INVITE", "1 INVITE", &[P, A], kind, SDP));
    scene.send(
        B,
        P,
        &response("180 \u{202e}gni\u{1b}[2J<b>ringing", "1 INVITE", &[P, A], "INVITE", ""),
    );
    scene.send(
        P,
        A,
        &response("180 \u{202e}gni\u{1b}[2J<b>ringing", "1 INVITE", &[A], "INVITE", ""),
    );
    scene.send(B, P, &response("200 OK; end #1", "1 INVITE", &[P, A], "INVITE", SDP));
    scene.send(P, A, &response("200 OK; end #1", "1 INVITE", &[A], "INVITE", SDP));
    scene.send(A, P, &request("ACK", "1 ACK", &[A], "X-a: in-dialog\r\n", ""));
    scene.send(P, B, &request("ACK", "1 ACK", &[P, A], "X-a: in-dialog\r\n", ""));
    let credentials = "X-a: in-dialog\r\nProxy-Authorization: Digest username=\"a\", \
        realm=\"r\", nonce=\"n\", uri=\"sip:b\", response=\"SECRETRESPONSE\"\r\n\
        X-Evil: \0\u{9b}31m & caf\r\n";
    scene.send(
        A,
        P,
        &request("BYE", "2 OPTIONS", &[A], credentials, "a\u{0}b password=SECRETWORD\n"),
    );
    scene.send(A, A, &request("OPTIONS", "3 OPTIONS", &[A], "", ""));
    scene.model()
}

/// Many hosts, long names, IPv6, wide characters.
fn crowded() -> (Model, Report) {
    let mut scene = Scene::new();
    for host in 0..14 {
        let from = format!("2001:db8:85a3:1234:5678:8a2e:370:{host}");
        let to = format!("2001:db8:85a3:1234:5678:8a2e:370:{}", (host * 5 + 3) % 14);
        let method = "\u{4e2d}\u{6587}".repeat(8);
        scene.send(
            &from,
            &to,
            &request("NOTIFY", "1 NOTIFY", &["h"], &format!("Subject: {method}\r\n"), ""),
        );
        let status = format!("480 {}", "\u{4e2d}\u{6587}".repeat(30));
        scene.send(&to, &from, &response(&status, "1 NOTIFY", &["h"], "NOTIFY", SDP));
        scene.send(&to, &to, &response(&status, "1 NOTIFY", &["h"], "NOTIFY", ""));
    }
    scene.model()
}

fn files() -> Vec<String> {
    vec!["a<b>.pcap".to_owned()]
}

fn ladder_of(model: &Model, report: &Report) -> Ladder {
    let files = files();
    Ladder::of(&Subject::new(model, report, &files), &[FlowId(0)], &LadderOptions::default())
}

fn drawn(draw: impl Fn(&mut dyn std::io::Write) -> std::io::Result<()>) -> String {
    let mut out = Vec::new();
    draw(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn text_svg_and_mermaid_show_the_same_rows() {
    let (model, report) = proxied();
    let ladder = ladder_of(&model, &report);
    let style = Style { width: 240, ..Style::default() };
    let as_text = drawn(|out| text::draw(&ladder, &style, out));
    let as_svg = drawn(|out| svg::draw(std::slice::from_ref(&ladder), &style.time, out));
    let as_mermaid = drawn(|out| mermaid::draw(std::slice::from_ref(&ladder), &style.time, out));

    let mut heads: Vec<String> = Vec::new();
    for row in &ladder.rows {
        match &row.event {
            Event::Message(arrow) => heads.push(arrow.head.split(' ').next().unwrap().to_owned()),
            Event::Evidence { label, .. } | Event::Remark(label) => heads.push(label.clone()),
        }
    }
    assert!(12 <= heads.len());
    let order = |drawing: &str, what: &str| {
        let mut rest = drawing;
        for head in &heads {
            let at = rest.find(head.as_str());
            let at = at.unwrap_or_else(|| panic!("{what} has no {head} where it should be"));
            rest = &rest[at + head.len()..];
        }
    };
    order(as_text.split_once("│\n").unwrap().1, "text");
    order(as_svg.split_once("</style>").unwrap().1, "svg");
    order(&as_mermaid, "mermaid");
    for drawing in [&as_text, &as_svg, &as_mermaid] {
        assert!(drawing.contains("M014"), "the finding is marked");
        assert!(drawing.contains("again of 3"), "the retransmission is marked");
    }
}

#[test]
fn every_line_of_a_ladder_fits_its_width() {
    for (model, report) in [proxied(), crowded()] {
        let ladder = ladder_of(&model, &report);
        for width in (40..=400).step_by(15) {
            for charset in [Charset::Unicode, Charset::Ascii] {
                let style = Style { width, charset, ..Style::default() };
                let drawing = drawn(|out| text::draw(&ladder, &style, out));
                for line in drawing.lines() {
                    assert!(columns(line) <= width, "{width}: {line}");
                    assert!(charset == Charset::Unicode || line.is_ascii(), "{line}");
                }
            }
        }
    }
}

#[test]
fn requests_mostly_go_right() {
    let (model, report) = proxied();
    let ladder = ladder_of(&model, &report);
    let names: Vec<&str> = ladder.lanes.iter().map(|lane| lane.name.as_str()).collect();
    assert_eq!(names, [A, P, B]);
}

#[test]
fn a_ladder_at_80_columns() {
    let (model, report) = proxied();
    let ladder = ladder_of(&model, &report);
    let style = Style { width: 80, ..Style::default() };
    let drawing = drawn(|out| text::draw(&ladder, &style, out));
    assert!(drawing.contains("│────── INVITE (SDP) ─────>│"), "{drawing}");
    assert!(drawing.contains("PCMU 10.20.0.2:4000"), "{drawing}");
    assert!(drawing.contains("answered after 3.60 s"), "{drawing}");
}

#[test]
fn nothing_from_the_capture_is_markup_in_the_report() {
    let (model, report) = proxied();
    let files = files();
    let subject = Subject::new(&model, &report, &files);
    let page = drawn(|out| html::write(&subject, &ReportOptions::default(), out));
    assert!(!page.contains("<script") && !page.contains("<b>ringing"), "text became markup");
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;") || page.contains("&#60;script"));
    for c in ['\0', '\u{1b}', '\u{9b}', '\u{202e}'] {
        assert!(!page.contains(c), "{c:?} in the report");
    }
    assert!(page.contains("default-src 'none'"));
    assert!(
        !page.contains("http://")
            || page.matches("http://").count()
                == page.matches("http://www.w3.org/2000/svg").count(),
        "the page fetches nothing"
    );
    assert!(page.contains("<mark>"), "the evidence is marked");
    let href = page.split("<a href=\"#m").nth(1).unwrap().split('"').next().unwrap();
    assert!(page.contains(&format!("id=\"m{href}\"")), "links lead to messages");
}

#[test]
fn secrets_are_masked_in_every_view() {
    let (model, report) = proxied();
    let files = files();
    let subject = Subject::new(&model, &report, &files);
    let page = drawn(|out| html::write(&subject, &ReportOptions::default(), out));
    let whole = messages(&subject, Format::Text, Detail::Explained);
    let found = drawn(|out| check::write(&subject, CheckFormat::Text, &Style::default(), out));
    let sarif = drawn(|out| check::write(&subject, CheckFormat::Sarif, &Style::default(), out));
    for output in [page, whole, found, sarif] {
        for secret in ["SECRETKEY", "SECRETRESPONSE", "SECRETWORD"] {
            assert!(!output.contains(secret), "{secret} shown");
        }
    }
}

#[test]
fn whole_messages_cannot_drive_a_terminal() {
    let (model, report) = proxied();
    let files = files();
    let subject = Subject::new(&model, &report, &files);
    let whole = messages(&subject, Format::Text, Detail::Whole);
    assert!(whole.contains("\\x1b[2J") && whole.contains("\\x00") && whole.contains("\\u{9b}31m"));
    assert!(whole.chars().all(|c| c == '\n' || !c.is_control()));
}

#[test]
fn rows_of_another_day_stand_below_its_date() {
    let mut scene = Scene::new();
    let options = request("OPTIONS", "1 OPTIONS", &["z9hG4bKa"], "", "");
    scene.send("10.20.0.2", "10.20.0.1", &options);
    scene.send("10.20.0.2", "10.20.0.1", &options);
    // 600 ms each: more than a day.
    scene.seq += 200_000;
    scene.send("10.20.0.2", "10.20.0.1", &options);
    let (model, report) = scene.model();
    let subject = Subject::new(&model, &report, &[]);
    let text = messages(&subject, Format::Text, Detail::Line);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert_eq!(lines[2], "2026-11-22");
}

#[test]
fn a_call_that_goes_on_has_talked_until_now() {
    let talked = |over: bool| {
        let mut scene = Scene::new();
        scene.send(A, B, &request("INVITE", "1 INVITE", &[A], "", ""));
        scene.send(B, A, &response("200 OK", "1 INVITE", &[A], "INVITE", ""));
        scene.send(A, B, &request("ACK", "1 ACK", &[A], "X-a: in-dialog\r\n", ""));
        if over {
            scene.send(A, B, &request("BYE", "2 BYE", &[A], "X-a: in-dialog\r\n", ""));
            scene.send(B, A, &response("200 OK", "2 BYE", &[A], "BYE", ""));
        }
        let (model, report) = scene.model();
        let now = model.vantage.last.plus(65 * 1000 * MILLISECOND);
        let subject = Subject::new(&model, &report, &[]).as_of(now);
        let mut out = Vec::new();
        list::write(&subject, Format::Text, &Style::default(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    // The 200 came 1.2 s before what the model calls the end.
    assert!(talked(false).contains("1:06 min"), "{}", talked(false));
    assert!(!talked(true).contains("min"), "{}", talked(true));
}

fn messages(subject: &Subject<'_>, format: Format, detail: Detail) -> String {
    let mut writer = Messages::new(format, detail, Style::default(), subject.files.0);
    let mut out = Vec::new();
    writer.begin(&mut out).unwrap();
    for flow in &subject.model.flows {
        for (id, _) in flow.entries() {
            let path = if format == Format::Json { "vlan 7" } else { "" };
            let row = MessageRow { path, ..subject.row(flow.id, id) };
            writer.row(&row, &mut out).unwrap();
        }
    }
    writer.end(&subject.model.tally, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Keys of the table below the heading `name` of docs/json.md, in order.
fn documented(name: &str) -> Vec<String> {
    let page = include_str!("../../docs/json.md");
    let (_, rest) = page.split_once(&format!("# {name}\n")).unwrap();
    let end = rest.find("\n#").unwrap_or(rest.len());
    let rows = rest[..end].lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| row.split('`').next().unwrap().to_owned()).collect()
}

/// Keys of all objects of `values`, in no order.
fn keys<'a>(values: impl IntoIterator<Item = &'a Value>) -> BTreeSet<String> {
    values.into_iter().flat_map(|value| value.as_object().unwrap().keys().cloned()).collect()
}

#[test]
fn the_keys_of_json_are_those_of_the_documentation() {
    let (model, report) = proxied();
    let files = files();
    let subject = Subject::new(&model, &report, &files);
    let style = Style::default();
    let parse = |text: String| serde_json::from_str::<Value>(&text).unwrap();
    let rows = |document: &Value, name: &str| document[name].as_array().unwrap().clone();

    let document = parse(messages(&subject, Format::Json, Detail::Line));
    let set = |list: Vec<String>| list.into_iter().collect::<BTreeSet<_>>();
    assert_eq!(document["format"], json::VERSION);
    assert_eq!(keys(&rows(&document, "messages")), set(documented("messages")));
    assert_eq!(documented("messages"), json::message::KEYS);
    assert_eq!(keys([&document["completeness"]]), set(documented("completeness")));

    let document = parse(drawn(|out| list::write(&subject, Format::Json, &style, out)));
    assert_eq!(keys(&rows(&document, "calls")), set(documented("calls")));
    assert_eq!(documented("calls"), json::call::CallRecord::KEYS);

    let document = parse(drawn(|out| check::write(&subject, CheckFormat::Json, &style, out)));
    let findings = rows(&document, "findings");
    assert_eq!(keys(&findings), set(documented("findings")));
    assert_eq!(documented("findings"), json::finding::FindingRecord::KEYS);
    let evidence: Vec<Value> =
        findings.iter().flat_map(|f| f["evidence"].as_array().unwrap().clone()).collect();
    assert_eq!(keys(&evidence), set(documented("evidence")));
}

#[test]
fn csv_has_the_same_columns_and_as_many_cells_in_every_row() {
    let (model, report) = proxied();
    let files = files();
    let subject = Subject::new(&model, &report, &files);
    let csv = messages(&subject, Format::Csv, Detail::Line);
    assert_eq!(csv.split("\r\n").next().unwrap(), json::message::KEYS.join(","));
    assert_eq!(csv.matches("\r\n").count(), subject.flow(FlowId(0)).messages.len() + 1);
    let listed = drawn(|out| list::write(&subject, Format::Csv, &Style::default(), out));
    assert!(listed.starts_with(&json::call::CallRecord::KEYS.join(",")));
}

#[test]
fn sarif_has_the_shape_of_2_1_0() {
    let (model, report) = proxied();
    let files = files();
    let subject = Subject::new(&model, &report, &files);
    let text = drawn(|out| check::write(&subject, CheckFormat::Sarif, &Style::default(), out));
    let log: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let results = run["results"].as_array().unwrap();
    assert!(!results.is_empty());
    for result in results {
        let index = result["ruleIndex"].as_u64().unwrap() as usize;
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(["error", "warning", "note"].contains(&result["level"].as_str().unwrap()));
        assert!(result["message"]["text"].is_string());
        let place = &result["locations"][0];
        assert_eq!(place["physicalLocation"]["artifactLocation"]["uri"], "a%3Cb%3E.pcap");
        assert!(place["properties"]["frame"].as_u64().is_some());
    }
}

#[test]
fn findings_quote_the_line_with_carets_below_the_fault() {
    let (model, report) = proxied();
    let files = files();
    let subject = Subject::new(&model, &report, &files);
    let text = drawn(|out| check::write(&subject, CheckFormat::Text, &Style::default(), out));
    let lines: Vec<&str> = text.lines().collect();
    let carets = lines.iter().position(|line| line.contains("^^^")).unwrap();
    let (quoted, below) = (lines[carets - 1], lines[carets]);
    let at = below.find('^').unwrap();
    assert!(quoted.is_char_boundary(at) && quoted[at..].starts_with(|c: char| !c.is_whitespace()));
    assert!(text.lines().last().unwrap().contains("error"));
}
