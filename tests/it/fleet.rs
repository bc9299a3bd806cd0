//! Fleets of devices, made as they are needed: the audit of a feed equals that of the whole model,
//! whatever clocks, losses and addresses do, and holds no more than it may.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use siplens::engine::{Feed, Plan, analyze, sift};
use siplens::frame::{FileId, FrameId};
use siplens::limits::{Limits, Tally};
use siplens::model::audit::{Applicant, Audit, Policy, Terms};
use siplens::model::{Seed, Vantage};
use siplens::net::{Endpoint, PathId};
use siplens::rules::{Selection, check_registrations, is_scanner};
use siplens::time::{MILLISECOND, SECOND, Timestamp};
use siplens::transport::{Completeness, Envelope, Observation, Transport};

/// Messages in the order in which they were captured.
#[derive(Clone, Default)]
struct Wire {
    messages: Vec<(Envelope, String)>,
    at: usize,
}

impl Wire {
    /// `text` goes from host `from` to host `to` at `time`, in nanoseconds.
    fn send(&mut self, time: i64, from: Endpoint, to: Endpoint, text: String) {
        let seq = self.messages.len() as u64;
        let envelope = Envelope {
            seq,
            frame: FrameId { file: FileId(0), number: seq + 1 },
            time: Timestamp(time),
            from,
            to,
            connection: 0,
            ip_id: None,
            path: PathId::default(),
            fragments: 1,
            transport: Transport::Udp,
            completeness: Completeness::Whole,
        };
        self.messages.push((envelope, text));
    }

    /// A request that is answered with `status` a few milliseconds later.
    fn ask(&mut self, time: i64, from: Endpoint, to: Endpoint, ask: &Ask<'_>, status: u16) {
        self.send(time, from, to, ask.request());
        self.send(time + 5 * MILLISECOND, to, from, ask.response(status));
    }
}

impl Feed for Wire {
    fn advance(&mut self, each: &mut dyn FnMut(Observation<'_>)) -> bool {
        let Some((envelope, text)) = self.messages.get(self.at) else { return false };
        self.at += 1;
        each(Observation::Message { envelope: *envelope, text: text.as_bytes(), home: None });
        true
    }

    fn vantage(&self) -> Vantage {
        let times = || self.messages.iter().map(|(envelope, _)| envelope.time);
        let (first, last) = (times().min(), times().max());
        Vantage {
            first: first.unwrap_or_default(),
            last: last.unwrap_or_default(),
            ..Vantage::default()
        }
    }

    fn tally(&self) -> Tally {
        Tally::default()
    }
}

/// A request.
struct Ask<'a> {
    method: &'a str,
    /// Request-URI.
    uri: &'a str,
    /// From and To.
    who: &'a str,
    call: &'a str,
    cseq: u32,
    /// Further header fields, each with its end of line.
    fields: &'a str,
    body: &'a str,
}

impl Ask<'_> {
    fn head(&self, first: &str) -> String {
        let Self { method, who, call, cseq, .. } = self;
        format!(
            "{first}\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{call}-{cseq}\r\n\
             From: <sip:{who}>;tag=f\r\nTo: <sip:{who}>\r\nCall-ID: {call}\r\n\
             CSeq: {cseq} {method}\r\nMax-Forwards: 70\r\n"
        )
    }

    fn request(&self) -> String {
        let head = self.head(&format!("{} {} SIP/2.0", self.method, self.uri));
        format!("{head}{}Content-Length: {}\r\n\r\n{}", self.fields, self.body.len(), self.body)
    }

    fn response(&self, status: u16) -> String {
        let head = self.head(&format!("SIP/2.0 {status} It"));
        format!("{head}{}Content-Length: 0\r\n\r\n", self.fields)
    }
}

fn host(n: u32) -> Endpoint {
    Endpoint { ip: IpAddr::V4(Ipv4Addr::from(0xC000_0200 + n)), port: 5060 }
}

const REGISTRAR: u32 = 250;

fn register<'a>(who: &'a str, call: &'a str, fields: &'a str) -> Ask<'a> {
    let uri = "sip:example.com";
    Ask { method: "REGISTER", uri, who, call, cseq: 1, fields, body: "" }
}

/// Audits `wire` in one pass within `limits`.
fn sifted(wire: &Wire, limits: &Limits) -> sift::Audited {
    let policy = Arc::new(Policy::default());
    let plan = Plan { limits: limits.clone(), jobs: 1, seed: Seed(7) };
    sift::audit(&mut wire.clone(), &plan, &terms(&|_| Arc::clone(&policy)))
}

fn terms(policy: &dyn Fn(&Applicant<'_>) -> Arc<Policy>) -> Terms<'_> {
    Terms {
        policy,
        gaps: &|_| Vec::new(),
        flows: &|_| true,
        hostile: &is_scanner,
        pages: &|_| true,
    }
}

fn lost(found: &sift::Audited, what: &str) -> u64 {
    found.tally.lost.get(what).copied().unwrap_or(0)
}

#[test]
fn registrars_of_one_device_are_held_in_bounds() {
    let mut wire = Wire::default();
    for n in 0..5_000 {
        let (uri, call) = (format!("sip:r{n}.example.com"), format!("c{n}"));
        let fields = "Contact: <sip:a@192.0.2.1>\r\nExpires: 3600\r\n";
        let ask = Ask { uri: &uri, ..register("a@example.com", &call, fields) };
        wire.ask(i64::from(n) * SECOND, host(1), host(REGISTRAR), &ask, 200);
    }
    let found = sifted(&wire, &Limits::default());
    assert_eq!(found.audit.len(), 256);
    assert_eq!(lost(&found, "let-go-registrars"), 5_000 - 256);
}

#[test]
fn bindings_of_one_device_are_held_in_bounds_and_found_at_once() {
    let mut wire = Wire::default();
    for n in 0..5_000 {
        let fields = format!("Contact: <sip:a@10.0.{}.{}>\r\nExpires: 7200\r\n", n / 250, n % 250);
        let call = format!("c{n}");
        let ask = register("a@example.com", &call, &fields);
        wire.ask(i64::from(n) * SECOND / 10, host(1), host(REGISTRAR), &ask, 200);
    }
    let limits = Limits { bindings: 100, ..Limits::default() };
    let found = sifted(&wire, &limits);
    let device = found.audit.device(0).unwrap();
    assert_eq!((device.contacts.len(), device.attempts().count()), (5_000, 5_000));
    assert_eq!(lost(&found, "let-go-bindings"), 5_000 - 100);
    // None of those that are left ends before the input does.
    assert_eq!((device.lapses.len(), device.lapsed), (0, 0));
    let whole = Audit::of(
        &analyze(&mut wire, &Plan::new(limits.clone(), 1), &|_| ()).model,
        &limits,
        &terms(&|_| Arc::new(Policy::default())),
    );
    assert_eq!(whole.let_go.lost.get("let-go-bindings"), Some(&4_900));
}

#[test]
fn contacts_of_one_message_are_looked_at_in_bounds() {
    let mut wire = Wire::default();
    let many = |from: u32, n: u32| {
        let contacts = (from..from + n).map(|c| format!("<sip:{c}@192.0.2.1>"));
        format!("Contact: {}\r\nExpires: 60\r\n", contacts.collect::<Vec<_>>().join(","))
    };
    let (all, cut) = (many(0, 256), many(0, 257));
    let own = register("a@example.com", "c0", &all);
    wire.ask(0, host(1), host(REGISTRAR), &own, 200);
    assert_eq!(lost(&sifted(&wire, &Limits::default()), "let-go-bindings"), 0);
    let more = register("b@example.com", "c1", &cut);
    wire.ask(SECOND, host(1), host(REGISTRAR), &more, 200);
    // The own Contact comes after all others that the answer lists.
    let last = "Contact: <sip:c@192.0.2.1>\r\nExpires: 60\r\n";
    let ask = register("c@example.com", "c2", last);
    wire.send(2 * SECOND, host(1), host(REGISTRAR), ask.request());
    let listed = cut.replace('>', ">;expires=30").replace("Expires: 60\r\n", "")
        + "Contact: <sip:c@192.0.2.1>;expires=40\r\n";
    let answer = Ask { fields: &listed, ..ask }.response(200);
    wire.send(2 * SECOND + MILLISECOND, host(REGISTRAR), host(1), answer);
    let found = sifted(&wire, &Limits::default());
    assert_eq!(lost(&found, "let-go-bindings"), 3);
    assert_eq!(found.audit.device(1).unwrap().contacts.len(), 256);
    assert_eq!(found.audit.device(2).unwrap().granted(), Some(40));
}

#[test]
fn answers_without_requests_are_held_in_bounds() {
    let mut wire = Wire::default();
    let fields = "Contact: <sip:a@192.0.2.1>;expires=3600\r\n";
    for n in 0..20 {
        let call = format!("c{n}");
        let answer = register("a@example.com", &call, fields).response(200);
        wire.send(i64::from(n) * SECOND, host(REGISTRAR), host(1), answer);
    }
    wire.ask(90 * SECOND, host(1), host(REGISTRAR), &register("a@example.com", "d", fields), 200);
    let found = sifted(&wire, &Limits::default());
    assert_eq!(found.audit.device(0).unwrap().orphans, 16);
    assert_eq!(lost(&found, "let-go-orphans"), 4);
}

#[test]
fn scanners_are_told_apart_in_bounds() {
    let mut wire = Wire::default();
    let fields = "User-Agent: friendly-scanner\r\nContact: <sip:x@192.0.2.1>\r\n";
    for n in 0..60 {
        let (who, call) = (format!("{n}@example.com"), format!("c{n}"));
        let ask = register(&who, &call, fields);
        wire.ask(i64::from(n) * SECOND, host(n % 6), host(REGISTRAR), &ask, 404);
    }
    let all = sifted(&wire, &Limits::default());
    assert_eq!((all.audit.len(), lost(&all, "let-go-probed")), (6, 0));
    let few = sifted(&wire, &Limits { devices: 4, ..Limits::default() });
    assert_eq!(few.audit.len(), 4);
    assert_eq!(lost(&few, "let-go-probed"), 20);
}

#[test]
fn an_answer_whose_request_was_lost_keeps_a_binding_up() {
    let mut wire = Wire::default();
    let fields = "Contact: <sip:a@192.0.2.1>;expires=100\r\n";
    for (n, at) in [0, 90, 180, 270].into_iter().enumerate() {
        let call = format!("c{n}");
        let ask = register("a@example.com", &call, fields);
        if n != 2 {
            wire.send(at * SECOND, host(1), host(REGISTRAR), ask.request());
        }
        wire.send(at * SECOND + MILLISECOND, host(REGISTRAR), host(1), ask.response(200));
    }
    let device = sifted(&wire, &Limits::default()).audit.device(0).unwrap();
    assert_eq!((device.orphans, device.lapses.len()), (1, 0));
}

#[test]
fn retries_that_go_on_evenly_are_no_endless_row_of_storms() {
    let mut wire = Wire::default();
    for n in 0..4_000_u32 {
        let (who, call) = (format!("{}@example.com", n % 200), format!("c{n}"));
        let ask = register(&who, &call, "Contact: <sip:x@192.0.2.1>\r\n");
        wire.ask(i64::from(n) * SECOND / 10, host(n % 200), host(REGISTRAR), &ask, 503);
    }
    let storms = sifted(&wire, &Limits::default()).audit.fleet.storms;
    assert!((1..=400 / 30).contains(&storms.len()), "{}", storms.len());
    assert!(storms.windows(2).all(|two| two[0].until < two[1].from));
}

#[test]
fn keepalives_to_two_registrars_are_judged_by_what_is_expected_or_not_at_all() {
    let mut wire = Wire::default();
    let camera = "34020000001320000001";
    let fields = "Contact: <sip:a@192.0.2.1>;expires=3600\r\n";
    for (n, registrar) in [REGISTRAR, REGISTRAR + 1].into_iter().enumerate() {
        let (uri, call) = (format!("sip:3402000000200000000{n}@3402000000"), format!("r{n}"));
        let ask = Ask { uri: &uri, ..register(camera, &call, fields) };
        wire.ask(n as i64 * SECOND, host(1), host(registrar), &ask, 200);
    }
    let body = "<Notify><CmdType>Keepalive</CmdType></Notify>";
    for n in 0..20_u32 {
        let call = format!("k{n}");
        // To each of them once a minute; then nothing to either for 100 s.
        let time = i64::from(30 + 30 * n + if n < 10 { 0 } else { 70 }) * SECOND;
        let ask = Ask { method: "MESSAGE", fields: "", body, ..register(camera, &call, "") };
        wire.ask(time, host(1), host(REGISTRAR + n % 2), &ask, 200);
    }
    let told = |keepalive: Option<i64>| {
        let policy = Arc::new(Policy { keepalive, ..Policy::default() });
        let plan = Plan { limits: Limits::default(), jobs: 1, seed: Seed(7) };
        let audit = sift::audit(&mut wire.clone(), &plan, &terms(&|_| Arc::clone(&policy))).audit;
        let all = check_registrations(&audit, &Selection::all());
        let lost = all.iter().filter(|one| one.finding.rule.code == "G005");
        (audit.len(), lost.map(|one| one.finding.kind.unwrap()).collect::<Vec<_>>())
    };
    assert_eq!(told(None), (2, vec![]));
    assert_eq!(told(Some(60 * SECOND)), (2, vec!["beats-missing"; 2]));
}
