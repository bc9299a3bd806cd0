//! Fleets of devices, made as they are needed: the audit of a feed equals that of the whole model,
//! whatever clocks, losses and addresses do, and holds no more than it may.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use proptest::prelude::*;
use siplens::engine::{Feed, Plan, analyze, sift};
use siplens::limits::{Limits, Tally};
use siplens::model::audit::{Applicant, Audit, Policy, Terms};
use siplens::model::{Seed, Vantage};
use siplens::net::Endpoint;
use siplens::rules::{Selection, check_registrations, is_scanner};
use siplens::time::{MILLISECOND, SECOND, Timestamp};
use siplens::transport::{Envelope, Observation};

/// Messages in the order in which they were captured.
#[derive(Clone, Default)]
pub(crate) struct Wire {
    pub(crate) messages: Vec<(Envelope, String)>,
    pub(crate) at: usize,
}

impl Wire {
    /// `text` goes from host `from` to host `to` at `time`, in nanoseconds.
    pub(crate) fn send(&mut self, time: i64, from: Endpoint, to: Endpoint, text: String) {
        let seq = self.messages.len() as u64;
        let envelope = Envelope::datagram(seq, Timestamp(time), from, to);
        self.messages.push((envelope, text));
    }

    /// A request that is answered with `status` a few milliseconds later.
    pub(crate) fn ask(
        &mut self,
        time: i64,
        from: Endpoint,
        to: Endpoint,
        ask: &Ask<'_>,
        status: u16,
    ) {
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

    fn vantage(&mut self) -> Vantage {
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
#[derive(Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) method: &'a str,
    /// Request-URI.
    pub(crate) uri: &'a str,
    /// From and To.
    pub(crate) who: &'a str,
    pub(crate) call: &'a str,
    pub(crate) cseq: u32,
    /// Further header fields, each with its end of line.
    pub(crate) fields: &'a str,
    pub(crate) body: &'a str,
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

pub(crate) fn host(n: u32) -> Endpoint {
    Endpoint { ip: IpAddr::V4(Ipv4Addr::from(0xC000_0200 + n)), port: 5060 }
}

pub(crate) const REGISTRAR: u32 = 250;

pub(crate) fn register<'a>(who: &'a str, call: &'a str, fields: &'a str) -> Ask<'a> {
    let uri = "sip:example.com";
    Ask { method: "REGISTER", uri, who, call, cseq: 1, fields, body: "" }
}

/// Audits `wire` in one pass within `limits`.
fn sifted(wire: &Wire, limits: &Limits) -> sift::Audited {
    let policy = Arc::new(Policy::default());
    let plan = Plan { limits: limits.clone(), jobs: 1, seed: Seed(7) };
    sift::audit(&mut wire.clone(), &plan, &terms(&|_| Arc::clone(&policy)))
}

pub(crate) fn terms(policy: &dyn Fn(&Applicant<'_>) -> Arc<Policy>) -> Terms<'_> {
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

/// What the audit leaves out, each word with an audit that says it.
pub(crate) fn losses() -> Vec<(&'static str, Tally)> {
    let fields = "Contact: <sip:a@192.0.2.1>\r\nExpires: 3600\r\n";
    let mut two = Wire::default();
    two.ask(0, host(1), host(REGISTRAR), &register("a@example.com", "c1", fields), 200);
    two.ask(SECOND, host(2), host(REGISTRAR), &register("b@example.com", "c2", fields), 200);
    let mut busy = with_many_contacts(300);
    let body = "<Notify><CmdType>Keepalive</CmdType></Notify>";
    let beat = Ask { method: "MESSAGE", body, ..register("a@example.com", "k", "") };
    busy.ask(60 * SECOND, host(1), host(REGISTRAR), &beat, 200);
    let little = Limits { memory: 16 << 10, ..Limits::default() };
    let tally = |wire: &Wire, limits: Limits| sifted(wire, &limits).tally;
    let all = Limits::default;
    vec![
        ("let-go-devices", tally(&two, Limits { devices: 1, ..all() })),
        ("let-go-attempts", tally(&busy, little.clone())),
        ("let-go-keepalives", tally(&busy, little)),
        ("let-go-registrars", tally(&at_many_registrars(300), all())),
        ("let-go-bindings", tally(&with_many_contacts(20), Limits { bindings: 10, ..all() })),
        ("let-go-orphans", tally(&answers_without_requests(), all())),
        ("let-go-probed", tally(&scanned(), Limits { devices: 4, ..all() })),
    ]
}

fn at_many_registrars(count: u32) -> Wire {
    let mut wire = Wire::default();
    for n in 0..count {
        let (uri, call) = (format!("sip:r{n}.example.com"), format!("c{n}"));
        let fields = "Contact: <sip:a@192.0.2.1>\r\nExpires: 3600\r\n";
        let ask = Ask { uri: &uri, ..register("a@example.com", &call, fields) };
        wire.ask(i64::from(n) * SECOND, host(1), host(REGISTRAR), &ask, 200);
    }
    wire
}

#[test]
fn registrars_of_one_device_are_held_in_bounds() {
    let found = sifted(&at_many_registrars(5_000), &Limits::default());
    assert_eq!(found.audit.len(), 256);
    assert_eq!(lost(&found, "let-go-registrars"), 5_000 - 256);
}

fn with_many_contacts(count: u32) -> Wire {
    let mut wire = Wire::default();
    for n in 0..count {
        let fields = format!("Contact: <sip:a@10.0.{}.{}>\r\nExpires: 7200\r\n", n / 250, n % 250);
        let call = format!("c{n}");
        let ask = register("a@example.com", &call, &fields);
        wire.ask(i64::from(n) * SECOND / 10, host(1), host(REGISTRAR), &ask, 200);
    }
    wire
}

#[test]
fn bindings_of_one_device_are_held_in_bounds_and_found_at_once() {
    let mut wire = with_many_contacts(5_000);
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

fn answers_without_requests() -> Wire {
    let mut wire = Wire::default();
    let fields = "Contact: <sip:a@192.0.2.1>;expires=3600\r\n";
    for n in 0..20 {
        let call = format!("c{n}");
        let answer = register("a@example.com", &call, fields).response(200);
        wire.send(i64::from(n) * SECOND, host(REGISTRAR), host(1), answer);
    }
    wire.ask(90 * SECOND, host(1), host(REGISTRAR), &register("a@example.com", "d", fields), 200);
    wire
}

#[test]
fn answers_without_requests_are_held_in_bounds() {
    let found = sifted(&answers_without_requests(), &Limits::default());
    assert_eq!(found.audit.device(0).unwrap().orphans, 16);
    assert_eq!(lost(&found, "let-go-orphans"), 4);
}

fn scanned() -> Wire {
    let mut wire = Wire::default();
    let fields = "User-Agent: friendly-scanner\r\nContact: <sip:x@192.0.2.1>\r\n";
    for n in 0..60 {
        let (who, call) = (format!("{n}@example.com"), format!("c{n}"));
        let ask = register(&who, &call, fields);
        wire.ask(i64::from(n) * SECOND, host(n % 6), host(REGISTRAR), &ask, 404);
    }
    wire
}

#[test]
fn scanners_are_told_apart_in_bounds() {
    let wire = scanned();
    let all = sifted(&wire, &Limits::default());
    assert_eq!((all.audit.len(), lost(&all, "let-go-probed")), (6, 0));
    let few = sifted(&wire, &Limits { devices: 4, ..Limits::default() });
    assert_eq!(few.audit.len(), 4);
    assert_eq!(lost(&few, "let-go-probed"), 20);
}

#[test]
fn the_addresses_that_one_scanner_tries_are_told_apart_in_bounds() {
    let mut wire = Wire::default();
    let fields = "User-Agent: friendly-scanner\r\nContact: <sip:x@192.0.2.1>\r\n";
    for n in 0..65_540 {
        let (who, call) = (format!("{n}@example.com"), format!("c{n}"));
        wire.send(n * SECOND, host(1), host(REGISTRAR), register(&who, &call, fields).request());
    }
    let found = sifted(&wire, &Limits::default());
    assert_eq!((found.audit.len(), lost(&found, "let-go-probed")), (1, 4));
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
    assert!(storms.windows(2).all(|two| two[0].surge.until < two[1].surge.from));
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

/// What a generated fleet is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plot {
    pub(crate) seed: u64,
    pub(crate) devices: u32,
    pub(crate) exchanges: u32,
    /// One of so many messages is lost, or captured twice; 0 for none.
    pub(crate) loss: u64,
    /// How far apart the clocks of two capture points may be, in seconds.
    pub(crate) skew: i64,
    /// How far the clocks are set back in the middle, in seconds.
    pub(crate) back: i64,
}

pub(crate) fn plot() -> impl Strategy<Value = Plot> {
    (any::<u64>(), 1..6_u32, 1..40_u32, 0..12_u64, 0..12_i64, 0..400_i64).prop_map(
        |(seed, devices, exchanges, loss, skew, back)| Plot {
            seed,
            devices,
            exchanges,
            loss,
            skew,
            back,
        },
    )
}

/// Numbers without visible order (Marsaglia's xorshift).
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

impl Plot {
    /// Devices that register at two registrars, send keepalives and are asked for OPTIONS; messages
    /// are lost, repeated and captured twice, ports change, clocks differ and are set back.
    pub(crate) fn wire(self) -> Wire {
        let mut chance = Chance(self.seed | 1);
        let mut sent: Vec<(i64, u32, Endpoint, Endpoint, String)> = Vec::new();
        for device in 0..self.devices {
            let who = if device % 2 == 0 {
                format!("3402000000132000000{device}")
            } else {
                format!("u{device}@example.com")
            };
            let mut own = host(device);
            let mut time = chance.below(60_000) as i64;
            for n in 0..self.exchanges {
                time += 500 + chance.below(90_000) as i64;
                if chance.below(8) == 0 {
                    own.port = 5060 + chance.below(4) as u16;
                }
                let registrar = host(REGISTRAR + chance.below(2) as u32);
                let call = format!("c{device}-{n}");
                let port = own.port;
                let expires = [0, 30, 60, 3600][chance.below(4) as usize];
                let contact = format!("Contact: <sip:x@{}:{port}>;expires={expires}\r\n", own.ip);
                let status = [200, 200, 200, 401, 403, 503, 404][chance.below(7) as usize];
                let uri = format!("sip:{}", registrar.ip);
                let body = "<Notify><CmdType>Keepalive</CmdType></Notify>";
                let ask = match chance.below(4) {
                    0 | 1 => Ask { uri: &uri, ..register(&who, &call, &contact) },
                    2 => Ask { method: "MESSAGE", body, ..register(&who, &call, "") },
                    _ => Ask { method: "OPTIONS", ..register(&who, &call, "") },
                };
                let (from, to) = if ask.method == "OPTIONS" && chance.below(2) == 0 {
                    (registrar, own)
                } else {
                    (own, registrar)
                };
                // Copies come at 0.5, 1.5 and 3.5 s, and an answer ends them.
                let copies = [1, 1, 1, 2, 4][chance.below(5) as usize];
                for copy in 0..copies {
                    let at = time + 500 * ((1 << copy) - 1);
                    sent.push((at, device, from, to, ask.request()));
                }
                if chance.below(5) == 0 {
                    continue;
                }
                let at = time + 500 * ((1 << (copies - 1)) - 1) + 3 + chance.below(200) as i64;
                if status == 401 && ask.method == "REGISTER" {
                    let challenge = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n";
                    let refusal = Ask { fields: challenge, ..ask };
                    sent.push((at, device, to, from, refusal.response(401)));
                    let with = format!("{contact}Authorization: Digest nonce=\"n\"\r\n");
                    let again = Ask { cseq: 2, fields: &with, ..ask };
                    sent.push((at + 40, device, from, to, again.request()));
                    sent.push((at + 45, device, to, from, again.response(200)));
                } else {
                    sent.push((at, device, to, from, ask.response(status)));
                }
            }
        }
        sent.sort_by_key(|(at, ..)| *at);
        let middle = sent.get(sent.len() / 2).map_or(0, |(at, ..)| *at);
        let mut wire = Wire::default();
        for (at, device, from, to, text) in sent {
            let skew = if device % 2 == 0 { 0 } else { self.skew * 1000 };
            let back = if middle < at { self.back * 1000 } else { 0 };
            let time = (1_740_787_200_000 + at + skew - back) * MILLISECOND;
            let fate = if self.loss == 0 { 2 } else { chance.below(4 * self.loss) };
            if fate != 0 {
                wire.send(time, from, to, text.clone());
            }
            if fate == 1 {
                wire.send(time + MILLISECOND / 2, from, to, text);
            }
        }
        wire
    }
}

/// Everything an audit says, as text.
fn told(audit: &Audit) -> String {
    let mut all = format!("{:#?}\n{:#?}\n", audit.window, audit.fleet);
    for device in audit.devices() {
        all += &format!("{device:#?}\n");
    }
    all
}

fn whole(wire: &Wire) -> Audit {
    let limits = Limits::default();
    let plan = Plan { limits: limits.clone(), jobs: 1, seed: Seed(7) };
    let model = analyze(&mut wire.clone(), &plan, &|_| ()).model;
    let policy = Arc::new(Policy::default());
    Audit::of(&model, &limits, &terms(&|_| Arc::clone(&policy)))
}

/// Where two texts differ first, with what stands before.
fn difference(one: &str, other: &str) -> Option<String> {
    let mut lines = one.lines().zip(other.lines()).enumerate();
    let (at, (own, others)) = lines.find(|(_, (own, others))| own != others)?;
    let before: Vec<&str> = one.lines().skip(at.saturating_sub(6)).take(6).collect();
    Some(format!("{}\n- {own}\n+ {others}", before.join("\n")))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_audit_in_one_pass_is_that_of_the_whole_model(plot in plot()) {
        let wire = plot.wire();
        let (one, all) = (told(&sifted(&wire, &Limits::default()).audit), told(&whole(&wire)));
        prop_assert_eq!(difference(&one, &all), None);
        prop_assert_eq!(one.len(), all.len());
    }
}

#[test]
fn an_answer_whose_request_was_lost_waits_for_its_own_turn() {
    // Between a REGISTER that was challenged and the 200 to its repetition, which was lost, the
    // device asks another registrar: nothing is bound by then.
    let seed = 12_429_365_012_884_565_388;
    let plot = Plot { seed, devices: 5, exchanges: 34, loss: 1, skew: 0, back: 0 };
    let wire = plot.wire();
    let (one, all) = (told(&sifted(&wire, &Limits::default()).audit), told(&whole(&wire)));
    assert_eq!(difference(&one, &all), None);
}
