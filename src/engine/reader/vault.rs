//! The TLS of a run: its secrets, the connections that are held, what stayed shut and why.

use std::collections::BTreeMap;

use crate::limits::{Limits, Tally};
use crate::net::Endpoint;
use crate::net::connections::Side;
use crate::transport::secure::Secure;
use crate::transport::tls::{Secrets, Verdict, alert_word};

/// Kinds of shut connections that are told one by one.
const TOLD: usize = 32;

/// What the run knows of TLS.
pub(super) struct Vault {
    pub(super) secrets: Secrets,
    /// Connections that hold TLS by their number, so that the oldest is first.
    held: BTreeMap<u32, (Endpoint, Endpoint)>,
    most: usize,
    shut: BTreeMap<Shut, u64>,
    /// Connections of kinds that had no room among those told one by one.
    more: u64,
}

/// Connections that stayed shut in the same way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Shut {
    server: Endpoint,
    /// The name the client asked for.
    name: Option<String>,
    why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Why {
    /// It could not be opened.
    Sealed(Verdict),
    /// The handshake failed: the code of the alert, and who sent it.
    Failed(u8, Peer),
    /// It ended, before any data, with an alert that could not be opened.
    FailedSealed(Peer),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Peer {
    Client,
    Server,
}

impl Vault {
    /// A vault without secrets.
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            secrets: Secrets::default(),
            held: BTreeMap::new(),
            most: limits.tls.max(1),
            shut: BTreeMap::new(),
            more: 0,
        }
    }

    /// A connection turned out to be TLS.
    pub(super) fn hold(&mut self, number: u32, ends: (Endpoint, Endpoint)) {
        self.held.insert(number, ends);
    }

    /// A connection is no longer held.
    pub(super) fn release(&mut self, number: u32) {
        self.held.remove(&number);
    }

    /// The oldest connection, when there are more than may be held.
    pub(super) fn surplus(&self) -> Option<(u32, (Endpoint, Endpoint))> {
        let oldest = self.held.first_key_value().filter(|_| self.most < self.held.len());
        oldest.map(|(number, ends)| (*number, *ends))
    }

    /// Notes what a connection between the endpoints of its sides came to.
    pub(super) fn note(&mut self, secure: &Secure, end: impl Fn(Side) -> Endpoint) {
        let peer = |side| {
            if secure.client() == Some(side) { Peer::Client } else { Peer::Server }
        };
        let why = match (secure.verdict(), secure.failure(), secure.sealed_alert()) {
            (Verdict::Open, ..) => return,
            (Verdict::Partly, ..) => Why::Sealed(Verdict::Partly),
            (_, Some((side, code)), _) => Why::Failed(code, peer(side)),
            (_, None, Some(side)) => Why::FailedSealed(peer(side)),
            (verdict, ..) if verdict.reason().is_some() => Why::Sealed(verdict),
            _ => return,
        };
        // Where the hello is missing, servers have the lower port.
        let server = match secure.client() {
            Some(client) => end(client.other()),
            None => Side::BOTH
                .map(end)
                .into_iter()
                .min_by_key(|end| end.port)
                .unwrap_or(Endpoint::UNKNOWN),
        };
        let shut = Shut { server, name: secure.server_name().map(str::to_owned), why };
        if self.shut.len() < TOLD || self.shut.contains_key(&shut) {
            *self.shut.entry(shut).or_default() += 1;
        } else {
            self.more += 1;
        }
    }

    /// Tells of the connections that stayed shut.
    pub(super) fn tell(&mut self, tally: &mut Tally) {
        let left_out = self.secrets.log.left_out();
        if 0 < left_out {
            tally
                .notice(format!("the key log is too long: {left_out} of its secrets are not used"));
        }
        for (shut, count) in std::mem::take(&mut self.shut) {
            tally.notice(shut.sentence(count));
        }
        if 0 < self.more {
            let plural = if self.more == 1 { "" } else { "s" };
            tally.notice(format!(
                "{} more TLS connection{plural} failed or stayed shut; they are not told one by one",
                self.more
            ));
        }
    }
}

impl Peer {
    const fn word(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

impl Shut {
    fn sentence(&self, count: u64) -> String {
        let plural = if count == 1 { "" } else { "s" };
        let name = self.name.as_deref().map(|name| format!(" ({})", head(name)));
        let head = format!(
            "{count} TLS connection{plural} to {}{}",
            self.server,
            name.as_deref().unwrap_or_default()
        );
        match self.why {
            Why::FailedSealed(peer) => {
                let peer = peer.word();
                format!("{head} failed before any data: an encrypted alert from the {peer}")
            }
            Why::Failed(code, peer) => {
                let peer = peer.word();
                let word = alert_word(code).map(|word| format!(" {word}")).unwrap_or_default();
                format!("{head} failed: alert {code}{word} from the {peer}")
            }
            Why::Sealed(Verdict::Partly) => format!(
                "{head} stayed shut in part: the key log lacks secrets of a direction, or octets are lost"
            ),
            Why::Sealed(verdict) => format!("{head} stayed shut: {}", reason(verdict)),
        }
    }
}

fn reason(verdict: Verdict) -> String {
    match verdict {
        Verdict::WrongKeys => "the key log has secrets for them but they do not fit".to_owned(),
        Verdict::NoHandshake => {
            "the capture begins after the handshake, so no key log opens them".to_owned()
        }
        Verdict::Suite(suite) => format!("the cipher suite 0x{suite:04x} is not known here"),
        Verdict::NoKeys | Verdict::Open | Verdict::Partly | Verdict::Idle => {
            "no secrets for them; a key log (--keylog) opens them".to_owned()
        }
    }
}

/// The begin of a name.
fn head(name: &str) -> String {
    name.chars().take(255).collect()
}
