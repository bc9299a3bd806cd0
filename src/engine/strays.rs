//! Evidence that names no call, given to the calls it can be about: an ICMP error about a media
//! packet, a connection that failed while a request waited to be passed on.

use std::net::IpAddr;

use crate::limits::Tally;
use crate::model::{CallFlow, EvidenceKind, Transaction};
use crate::net::Endpoint;
use crate::sdp::Session;
use crate::sip::Method;
use crate::time::{TIMEOUT, Timestamp};
use crate::transport::{Signal, Transport};

/// Strays that are kept of media, and as many of connections: media that nobody wants makes one a
/// packet, and must not displace the rare connection.
const MOST: usize = 64;

/// Flows that a stray may be about: the legs of a call.
const LEGS: usize = 8;

/// Evidence without a Call-ID, between endpoints of which no message is known.
pub(super) struct Stray {
    signal: Signal,
    kind: EvidenceKind,
    /// Whom it is about: sender and receiver of the packet that was quoted, or the ends of the
    /// connection.
    ends: (Endpoint, Endpoint),
}

/// Strays in the order in which they were seen, each kind between two endpoints once.
#[derive(Default)]
pub(super) struct Strays {
    kept: Vec<Stray>,
    /// How many had no room.
    lost: u64,
}

impl Strays {
    /// Keeps evidence, unless the same was seen before.
    pub(super) fn add(&mut self, signal: Signal, kind: EvidenceKind, ends: (Endpoint, Endpoint)) {
        if self.kept.iter().any(|stray| stray.kind == kind && stray.ends == ends) {
            return;
        }
        let stray = Stray { signal, kind, ends };
        let alike = self.kept.iter().filter(|other| other.is_media() == stray.is_media());
        if alike.count() < MOST {
            self.kept.push(stray);
        } else {
            self.lost += 1;
        }
    }

    /// Files each stray with the flows it can be about, and counts those that had no room.
    pub(super) fn settle(mut self, flows: &mut [Box<CallFlow>], tally: &mut Tally) {
        if 0 < self.lost {
            tally.lose_many("let-go-evidence", self.lost);
        }
        if self.kept.is_empty() {
            return;
        }
        self.kept.sort_by_key(|stray| stray.signal.time);
        // Each flow is looked at once: there may be millions.
        let mut about = vec![Vec::new(); self.kept.len()];
        for (place, flow) in flows.iter().enumerate() {
            let [Some(first), Some(last)] = [flow.messages.first(), flow.messages.last()] else {
                continue;
            };
            let from = first.message.envelope.time;
            let until = last.message.envelope.time.plus(TIMEOUT);
            let begin = self.kept.partition_point(|stray| stray.signal.time < from);
            for (stray, places) in self.kept.iter().zip(&mut about).skip(begin) {
                if until < stray.signal.time {
                    break;
                }
                if places.len() < LEGS && stray.can_be_about(flow) {
                    places.push(place);
                }
            }
        }
        for (stray, places) in self.kept.iter().zip(about) {
            // Several requests waited: it may be about any of them, and so is said of none.
            if !stray.is_media() && places.len() != 1 {
                continue;
            }
            for place in places {
                flows[place].witness(stray.signal, stray.named(), stray.ends);
            }
        }
    }
}

impl Stray {
    fn is_media(&self) -> bool {
        matches!(self.kind, EvidenceKind::Icmp(_)) && self.signal.transport == Transport::Udp
    }

    fn named(&self) -> EvidenceKind {
        match self.kind {
            EvidenceKind::Icmp(kind) if self.is_media() => EvidenceKind::Media(kind),
            kind => kind,
        }
    }

    fn can_be_about(&self, flow: &CallFlow) -> bool {
        if self.is_media() {
            return describes(flow, self.ends) && !is_over(flow, self.signal.time);
        }
        let (one, other) = (self.ends.0.ip, self.ends.1.ip);
        flow.transactions.iter().any(|transaction| {
            let server = transaction.hop.server().ip;
            (server == one || server == other) && is_open(flow, transaction, self.signal.time)
        })
    }
}

/// True when a request waits for its final response at `time`.
fn is_open(flow: &CallFlow, transaction: &Transaction, time: Timestamp) -> bool {
    let Some(request) = transaction.request else { return false };
    let began = flow.message(request).envelope.time;
    let mut finals = transaction
        .responses
        .iter()
        .map(|id| flow.message(*id))
        .filter(|message| message.status().is_some_and(|status| !status.is_provisional()));
    began <= time
        && time <= began.plus(TIMEOUT)
        && finals.all(|message| time <= message.envelope.time)
}

/// True when a BYE was sent before: packets still on their way find nobody, and that is no news.
fn is_over(flow: &CallFlow, time: Timestamp) -> bool {
    flow.messages.iter().any(|entry| {
        entry.message.method() == Some(&Method::Bye) && entry.message.envelope.time <= time
    })
}

/// True when a session description of `flow` names the receiver of media, or of its RTCP.
fn describes(flow: &CallFlow, (_, to): (Endpoint, Endpoint)) -> bool {
    flow.messages.iter().filter_map(|entry| entry.message.sdp()).any(|body| {
        Session::parse(body).media.iter().any(|media| {
            let reach = media.ports.saturating_mul(2);
            media.connection.and_then(address) == Some(to.ip)
                && media.port != 0
                && ((media.port..media.port.saturating_add(reach)).contains(&to.port)
                    || media.rtcp == Some(to.port))
        })
    })
}

fn address(text: &[u8]) -> Option<IpAddr> {
    std::str::from_utf8(text).ok()?.parse().ok()
}
