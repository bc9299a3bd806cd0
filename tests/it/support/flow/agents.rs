//! The participants of a script: user agents, proxies and registrars that do what they should.

mod body;
mod request;
mod response;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};

use super::draft::{Draft, octets};
use super::script::{Line, Step, What};
use super::{Carriage, Flow, Seen, Sent};

/// 2026-01-01 00:00:00 UTC, when every script begins.
const START: i64 = 1_767_225_600_000_000_000;
/// From one message to the next, unless the script waits.
const STEP: i64 = 20_000_000;

/// Plays the steps of a script.
pub(super) fn play(steps: &[Step<'_>]) -> Flow {
    let mut world = World::new(steps);
    for step in steps {
        match step {
            Step::Wait(nanos) => world.time += nanos - STEP,
            Step::Carriage(carriage) => world.carriage = *carriage,
            Step::Call(name) => world.enter(name),
            Step::Host(..) => {}
            Step::End(nanos) => {
                let last = world.sent.last().map_or(START, |sent| sent.time);
                world.end = Some(last + nanos);
            }
            Step::Message(line) => world.send(line),
        }
    }
    Flow { sent: world.sent, end: world.end }
}

struct World<'a> {
    steps: &'a [Step<'a>],
    hosts: BTreeMap<&'a str, SocketAddrV4>,
    time: i64,
    carriage: Carriage,
    sent: Vec<Sent>,
    end: Option<i64>,
    /// All messages by what the script calls them, to say them again.
    said: Vec<(String, usize)>,
    count: usize,
    serial: u32,
    call: String,
    calls: BTreeMap<String, Call>,
}

/// What the participants know of one Call-ID.
#[derive(Default)]
struct Call {
    /// Requests by hop, client first, in order.
    requests: Vec<Passage>,
    /// Responses by the same hop, in order.
    responses: Vec<Passage>,
    sides: BTreeMap<String, Side>,
}

/// A message that went from a client to a server, or came back.
#[derive(Clone)]
struct Passage {
    client: String,
    server: String,
    draft: Draft,
    /// Requests: a copy was sent on. Responses: sent on towards the caller.
    forwarded: bool,
}

/// What one participant knows of its dialog.
#[derive(Clone, Default)]
struct Side {
    cseq: u32,
    remote: Option<Remote>,
    /// Header and value to send with the next request, after a challenge.
    credentials: Option<(String, String)>,
    rseq: u32,
}

#[derive(Clone)]
struct Remote {
    tag: Option<String>,
    address: String,
    target: String,
    route: Vec<String>,
    confirmed: bool,
}

impl<'a> World<'a> {
    fn new(steps: &'a [Step<'a>]) -> Self {
        let mut hosts = BTreeMap::new();
        for step in steps {
            if let Step::Host(name, address) = step {
                hosts.insert(*name, *address);
            }
        }
        let mut next = 0;
        for step in steps {
            let Step::Message(line) = step else { continue };
            for name in [line.from, line.to] {
                hosts.entry(name).or_insert_with(|| {
                    next += 1;
                    SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, next), 5060)
                });
            }
        }
        let calls = BTreeMap::from([("one".to_owned(), Call::default())]);
        Self {
            steps,
            hosts,
            time: START - STEP,
            carriage: Carriage::Udp,
            sent: Vec::new(),
            end: None,
            said: Vec::new(),
            count: 0,
            serial: 0,
            call: "one".to_owned(),
            calls,
        }
    }

    fn enter(&mut self, call: &str) {
        call.clone_into(&mut self.call);
        self.calls.entry(call.to_owned()).or_default();
    }

    fn know(&self) -> &Call {
        &self.calls[&self.call]
    }

    fn learn(&mut self) -> &mut Call {
        self.calls.get_mut(&self.call).unwrap()
    }

    fn side(&mut self, name: &str) -> &mut Side {
        self.learn().sides.entry(name.to_owned()).or_default()
    }

    fn address(&self, name: &str) -> SocketAddrV4 {
        self.hosts[name]
    }

    /// A number that no other message of the script has.
    fn serial(&mut self) -> u32 {
        self.serial += 1;
        self.serial
    }

    fn send(&mut self, line: &Line<'_>) {
        self.time += STEP;
        self.count += 1;
        let name = format!("{} {} {} {:?}", self.call, line.from, line.to, key(line.what));
        if line.is("again") || line.is("copy") {
            return self.repeat(line, &name);
        }
        let bytes = match line.what {
            What::Raw(text) => octets(text),
            What::Request(method) => self.request(line, method).bytes(&line.edits),
            What::Response(status, method) => {
                self.response(line, status, method).bytes(&line.edits)
            }
        };
        let ip_id = 1000 + self.sent.len() as u16;
        self.said.push((name, self.sent.len()));
        self.put(line, bytes, ip_id);
    }

    /// The same octets once more.
    fn repeat(&mut self, line: &Line<'_>, name: &str) {
        let (_, index) = self
            .said
            .iter()
            .rfind(|(said, _)| said == name)
            .unwrap_or_else(|| panic!("nothing to repeat: {name}"));
        let first = &self.sent[*index];
        let bytes = first.bytes.clone();
        let mut ip_id = 1000 + self.sent.len() as u16;
        if line.is("copy") {
            ip_id = first.ip_id;
            self.time = first.time + 10_000;
        }
        self.put(line, bytes, ip_id);
    }

    fn put(&mut self, line: &Line<'_>, bytes: Vec<u8>, ip_id: u16) {
        let seen = match line.after("cut") {
            Some(octets) => Seen::Cut(octets.parse().unwrap()),
            None if line.is("lost") => Seen::Lost,
            None => Seen::Whole,
        };
        self.sent.push(Sent {
            time: self.time,
            from: self.address(line.from),
            to: self.address(line.to),
            carriage: self.carriage,
            bytes,
            number: self.count,
            seen,
            ip_id,
        });
    }

    /// The user agent a request of `method` from `name` is meant for.
    fn destination(&self, name: &str, hop: &str, method: &str) -> String {
        if !is_proxy(hop) {
            return hop.to_owned();
        }
        let here = self.steps.iter().filter_map(|step| match step {
            Step::Message(line) if line.what == What::Request(method) => Some(line),
            _ => None,
        });
        here.filter(|line| is_proxy(line.from) && !is_proxy(line.to) && line.to != name)
            .map(|line| line.to.to_owned())
            .next()
            .unwrap_or_else(|| "bob".to_owned())
    }

    /// `sip:alice@192.0.2.1:5060`.
    fn contact(&self, name: &str) -> String {
        let transport = match self.carriage {
            Carriage::Udp => "",
            Carriage::Tcp => ";transport=tcp",
        };
        format!("sip:{name}@{}{transport}", self.address(name))
    }

    fn via(&mut self, name: &str) -> String {
        let transport = match self.carriage {
            Carriage::Udp => "UDP",
            Carriage::Tcp => "TCP",
        };
        let serial = self.serial();
        format!("SIP/2.0/{transport} {};branch=z9hG4bK{}{serial:04}", self.address(name), self.call)
    }

    fn tag(&self, name: &str) -> String {
        format!("{name}-{}", self.call)
    }
}

fn is_proxy(name: &str) -> bool {
    name.starts_with("proxy")
}

/// What a repetition is found by: the method of a response may be left out.
fn key(what: What<'_>) -> String {
    match what {
        What::Request(method) => method.to_owned(),
        What::Response(status, _) => status.to_string(),
        What::Raw(text) => text.to_owned(),
    }
}

/// `<sip:alice@example.com>`.
fn address_of(name: &str) -> String {
    format!("<sip:{name}@example.com>")
}
