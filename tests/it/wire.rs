//! A few words a line become SIP messages on a wire, byte for byte as a test wants them.
//!
//! `100 a>p 180 INVITE via=p1,a1 from=f to=t cseq=1`: milliseconds, who to whom, what, Via branches
//! top first, tags, sequence number; `id=` a Call-ID, `user=` who is called, `ip=` an IP
//! identification, `tcp=` a connection, `rawvia=` a branch without cookie, `sdp` a body,
//! `Name:value` any other field.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};

use siplens::engine::Feed;
use siplens::limits::Tally;
use siplens::model::{CallFlow, Seed, Vantage};
use siplens::net::{Endpoint, IcmpKind};
use siplens::sip::Message;
use siplens::time::{MILLISECOND, Timestamp};
use siplens::transport::{Envelope, Observation, Signal, Text, Transport};

/// Messages on a wire.
pub(crate) struct Wire;

impl Wire {
    /// The messages of `script`, one a line.
    pub(crate) fn messages(script: &str) -> Vec<Message> {
        Self::texts(script)
            .into_iter()
            .map(|(envelope, text)| {
                let text = Text::Owned(text.into_boxed_slice());
                Message::parse(envelope, text).expect("the script makes SIP")
            })
            .collect()
    }

    /// The flows of all messages of `replay`, without the engine.
    pub(crate) fn flows(replay: &Replay) -> Vec<CallFlow> {
        let mut flows: BTreeMap<Vec<u8>, CallFlow> = BTreeMap::new();
        for (envelope, text) in &replay.messages {
            let message = Message::parse(*envelope, Text::of(text, None)).expect("SIP");
            let id = message.call_id().unwrap_or_default().to_vec();
            flows.entry(id).or_insert_with(|| CallFlow::new(Seed(9))).observe(message);
        }
        flows.into_values().collect()
    }

    /// The same, not yet parsed.
    pub(crate) fn texts(script: &str) -> Vec<(Envelope, Vec<u8>)> {
        let lines = script.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.enumerate().map(|(number, line)| Line::of(line).write(number as u64)).collect()
    }
}

struct Line<'s> {
    time: f64,
    from: Endpoint,
    to: Endpoint,
    status: Option<&'s str>,
    method: &'s str,
    words: Vec<&'s str>,
}

impl<'s> Line<'s> {
    fn of(line: &'s str) -> Self {
        let mut words = line.split_whitespace();
        let time = words.next().unwrap().parse().unwrap();
        let (from, to) = words.next().unwrap().split_once('>').unwrap();
        let first = words.next().unwrap();
        let is_status = first.bytes().all(|byte| byte.is_ascii_digit());
        let (status, method) =
            if is_status { (Some(first), words.next().unwrap()) } else { (None, first) };
        Self { time, from: host(from), to: host(to), status, method, words: words.collect() }
    }

    fn value(&self, name: &str) -> Option<&'s str> {
        self.words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    }

    fn write(&self, seq: u64) -> (Envelope, Vec<u8>) {
        let connection = self.value("tcp").map_or(0, |word| word.parse().unwrap());
        let envelope = Envelope {
            connection,
            ip_id: self.value("ip").map(|word| word.parse().unwrap()),
            transport: if connection == 0 { Transport::Udp } else { Transport::Tcp },
            ..Envelope::datagram(
                seq,
                Timestamp((self.time * MILLISECOND as f64) as i64),
                self.from,
                self.to,
            )
        };
        (envelope, self.text().into_bytes())
    }

    fn text(&self) -> String {
        let user = self.value("user").unwrap_or("bob");
        let mut text = match self.status {
            Some(status) => format!("SIP/2.0 {status} Words\r\n"),
            None => format!("{} sip:{user}@example.org SIP/2.0\r\n", self.method),
        };
        let branches = self.value("via").into_iter().flat_map(|list| list.split(','));
        for branch in branches {
            let host = host(&branch[..1]);
            writeln!(text, "Via: SIP/2.0/UDP {host};branch=z9hG4bK-{branch}\r").unwrap();
        }
        if let Some(branch) = self.value("rawvia") {
            writeln!(text, "Via: SIP/2.0/UDP {};branch={branch}\r", host("a")).unwrap();
        }
        let tag = |name| self.value(name).map(|tag| format!(";tag={tag}")).unwrap_or_default();
        writeln!(text, "From: <sip:alice@example.org>{}\r", tag("from")).unwrap();
        writeln!(text, "To: <sip:{user}@example.org>{}\r", tag("to")).unwrap();
        writeln!(text, "Call-ID: {}\r", self.value("id").unwrap_or("call")).unwrap();
        writeln!(text, "CSeq: {} {}\r", self.value("cseq").unwrap_or("1"), self.method).unwrap();
        if self.status.is_none() {
            text.push_str("Max-Forwards: 70\r\nContact: <sip:me@192.0.2.97>\r\n");
        }
        for (name, value) in self.words.iter().filter_map(|word| word.split_once(':')) {
            writeln!(text, "{name}: {value}\r").unwrap();
        }
        let body = if self.words.contains(&"sdp") {
            text.push_str("Content-Type: application/sdp\r\n");
            "v=0\r\no=- 7001 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
             m=audio 4000 RTP/AVP 0\r\n"
        } else {
            ""
        };
        write!(text, "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        text
    }
}

/// `a` is 192.0.2.97:5060, `a:6000` another port of it.
fn host(name: &str) -> Endpoint {
    let (letter, port) = name.split_once(':').unwrap_or((name, "5060"));
    let ip = IpAddr::V4(Ipv4Addr::new(192, 0, 2, letter.as_bytes()[0]));
    Endpoint { ip, port: port.parse().unwrap() }
}

/// A script played to the engine.
pub(crate) struct Replay {
    messages: Vec<(Envelope, Vec<u8>)>,
    /// Message that an ICMP error answers, and octets of it quoted.
    refused: Option<(usize, usize)>,
    next: usize,
}

impl Replay {
    /// Plays `script`.
    pub(crate) fn of(script: &str) -> Self {
        let mut messages = Wire::texts(script);
        messages.sort_by_key(|(envelope, _)| envelope.time);
        for (seq, (envelope, _)) in messages.iter_mut().enumerate() {
            envelope.seq = 2 * seq as u64;
        }
        Self { messages, refused: None, next: 0 }
    }

    /// Lets message `at` be answered by an ICMP error that quotes `octets` of it.
    pub(crate) fn refuse(&mut self, at: usize, octets: usize) {
        self.refused = Some((at, octets));
    }
}

impl Feed for Replay {
    fn advance(&mut self, each: &mut dyn FnMut(Observation<'_>)) -> bool {
        let Some((envelope, text)) = self.messages.get(self.next) else { return false };
        each(Observation::Message { envelope: *envelope, text, home: None });
        if let Some((_, octets)) = self.refused.filter(|(at, _)| *at == self.next) {
            let signal = Signal {
                seq: envelope.seq + 1,
                frame: envelope.frame,
                time: envelope.time,
                from: envelope.to,
                to: envelope.from,
                transport: envelope.transport,
                connection: 0,
            };
            each(Observation::Unreachable {
                signal,
                kind: IcmpKind::PortUnreachable,
                quoted_from: envelope.from,
                quoted_to: envelope.to,
                quoted: &text[..octets.min(text.len())],
            });
        }
        self.next += 1;
        true
    }

    fn vantage(&mut self) -> Vantage {
        let mut vantage = Vantage::default();
        for (envelope, _) in &self.messages {
            vantage.see(envelope.time, envelope.from.ip, envelope.to.ip);
        }
        vantage
    }

    fn tally(&self) -> Tally {
        Tally::default()
    }
}
