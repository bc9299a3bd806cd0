//! Where everything the reader finds is numbered, counted and sent out.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use super::clocks::{Clocks, Seen as SeenAt};
use super::seen::{Endpoints, Hosts, Seen};
use super::{Each, Fate};
use crate::frame::{Frame, Home};
use crate::limits::{Limits, Tally};
use crate::model::Vantage;
use crate::model::vantage::ConnectionEnd;
use crate::net::stream::Arrival;
use crate::net::{Endpoint, IcmpError, Packet, PathId, Payload};
use crate::octets::octets;
use crate::time::{SECOND, Timestamp};
use crate::transport::datagram::is_foreign;
use crate::transport::peek::head_end;
use crate::transport::{Completeness, ConnectionChange, Envelope, Observation, Signal, Transport};

/// Ports that are SIP's own (RFC 3261 section 19.1.2).
const SIP_PORTS: [u16; 2] = [5060, 5061];

/// Agents told apart; those beyond share a path.
const AGENTS: usize = 256;
/// What that path is called.
const OTHERS: &str = "one of many agents";
/// Octets of an agent's name that tell it from others, and letters that are shown.
const NAME: (usize, usize) = (256, 64);
/// Agents that are named for their clock.
const NAMED: usize = 16;
/// Paths from here on are agents; tunnels have the numbers below.
const FIRST_AGENT: u16 = 1 << 15;

/// Numbers, counts and sends out; knows what was seen so far.
#[derive(Debug)]
pub(super) struct Desk {
    /// Ends of connections and senders of keep-alives that are remembered.
    signs: usize,
    pub(super) tally: Tally,
    next: u64,
    window: Option<(Arrival, Arrival)>,
    hosts: Hosts,
    /// Endpoints that sent or were sent SIP, other than at its own ports.
    endpoints: Seen<Endpoints>,
    /// Agents that reported packets.
    agents: Vec<Agent>,
    /// Their clocks.
    clocks: Clocks,
    /// Hosts that sent reports whose time cannot be, and were named for it.
    wrong_clocks: Vec<IpAddr>,
    /// Gaps in TCP streams: packets the capture lost.
    gaps: u64,
    /// Ends of connections, keep-alives, time covered by each file.
    seen: Vantage,
}

/// A capture agent of HEP.
#[derive(Debug)]
struct Agent {
    id: u32,
    node: Box<[u8]>,
    /// What its path is called.
    path: String,
}

/// Whose message it is and how it came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    pub(super) arrival: Arrival,
    pub(super) from: Endpoint,
    pub(super) to: Endpoint,
    pub(super) connection: u32,
    pub(super) ip_id: Option<u32>,
    pub(super) path: PathId,
    pub(super) fragments: u8,
}

impl Origin {
    /// A datagram.
    pub(super) fn of(packet: &Packet<'_>, arrival: Arrival) -> Self {
        Self {
            arrival,
            from: packet.from,
            to: packet.to,
            connection: 0,
            ip_id: packet.ip_id,
            path: packet.path,
            fragments: packet.fragments,
        }
    }
}

impl Desk {
    /// Nothing was seen so far; what is remembered stays within `limits`.
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            signs: limits.signs,
            tally: Tally::default(),
            next: 0,
            window: None,
            hosts: Hosts::new(limits.names),
            endpoints: Seen::new(limits.names),
            agents: Vec::new(),
            clocks: Clocks::new(limits.report_delay),
            wrong_clocks: Vec::new(),
            gaps: 0,
            seen: Vantage::default(),
        }
    }

    /// When a message was seen of which the agent behind `origin`, number `id`, says that it was at
    /// `own`. A report cannot come before what it is about, and nobody's clock may move the timers of
    /// others.
    pub(super) fn time_of(
        &mut self,
        own: Option<Timestamp>,
        id: Option<u32>,
        origin: &Origin,
    ) -> Timestamp {
        let came = origin.arrival.time;
        let Some(own) = own else { return came };
        let host = origin.from.ip;
        let (time, behind) = match self.clocks.time_of((host, id.unwrap_or_default()), own, came) {
            SeenAt::At(time) => return time,
            SeenAt::Off(time, behind) => (time, behind),
        };
        self.tally.lose("hep-clock");
        if self.wrong_clocks.len() < NAMED && !self.wrong_clocks.contains(&host) {
            self.wrong_clocks.push(host);
            let which = if behind < 0 { "ahead of" } else { "behind" };
            let seconds = behind.unsigned_abs() / SECOND.unsigned_abs();
            self.tally.notice(format!(
                "HEP from {host}: a clock that is {seconds} s {which} the one here; what it reports \
                 is put in order by when it came"
            ));
        }
        time
    }

    /// The clock of this machine was set by `nanos` so far.
    pub(super) fn set_clock(&mut self, nanos: i64) {
        self.clocks.set(nanos);
    }

    /// Counts what was let go, if anything was.
    pub(super) fn lose(&mut self, reason: &'static str, count: u64) {
        if count != 0 {
            self.tally.lose_many(reason, count);
        }
    }

    /// The path of what the agent `id`, called `node`, reports.
    pub(super) fn path_of_agent(&mut self, id: u32, node: &[u8]) -> PathId {
        let node = node.get(..NAME.0).unwrap_or(node);
        let known = self.agents.iter().position(|agent| agent.id == id && *agent.node == *node);
        let place = known.unwrap_or_else(|| {
            if self.agents.len() < AGENTS {
                let shown: String = octets(node).chars().take(NAME.1).collect();
                let path = format!("hep {id} {shown}");
                let path = path.trim_end().to_owned();
                self.agents.push(Agent { id, node: node.into(), path });
                self.agents.len() - 1
            } else {
                self.tally.lose("hep-agents");
                AGENTS
            }
        });
        PathId(FIRST_AGENT + place as u16)
    }

    /// The name of a path given out by [`path_of_agent`](Self::path_of_agent).
    pub(super) fn agent(&self, id: PathId) -> Option<&str> {
        let place = usize::from(id.0.checked_sub(FIRST_AGENT)?);
        Some(self.agents.get(place).map_or(OTHERS, |agent| &agent.path))
    }

    /// Notes a frame, of whatever content.
    pub(super) fn note_frame(&mut self, frame: &Frame<'_>) {
        self.tally.frames += 1;
        self.seen.span(usize::from(frame.id.file().0), frame.time);
        let arrival = Arrival { frame: frame.id, time: frame.time };
        let (first, last) = self.window.get_or_insert((arrival, arrival));
        if frame.time < first.time {
            *first = arrival;
        }
        if last.time < frame.time {
            *last = arrival;
        }
    }

    /// The fate of a frame on its own: SIP when it was counted as such since there were `before`.
    pub(super) fn fate_since(&self, before: u64, otherwise: Fate) -> Fate {
        if before < self.tally.sip_frames { Fate::Sip } else { otherwise }
    }

    /// Notes a datagram that is nothing like SIP; `None` for all other packets.
    #[inline(always)]
    pub(super) fn foreign(&mut self, packet: &Packet<'_>) -> Option<Fate> {
        let Payload::Datagram(bytes) = packet.payload else { return None };
        if !is_foreign(bytes) {
            return None;
        }
        self.note_direction(packet);
        self.tally.other_frames += 1;
        Some(Fate::Datagram { from: packet.from, to: packet.to })
    }

    /// Notes who sent to whom.
    #[inline(always)]
    pub(super) fn note_direction(&mut self, packet: &Packet<'_>) {
        self.note_hosts((packet.from.ip, packet.to.ip));
    }

    /// Notes that one host sent to another.
    #[inline(always)]
    pub(super) fn note_hosts(&mut self, hosts: (IpAddr, IpAddr)) {
        let refused = self.hosts.add(hosts);
        self.lose("let-go-hosts", refused);
    }

    /// Counts what there was no room for to the last.
    pub(super) fn settle(&mut self) {
        let refused = self.hosts.settle();
        self.lose("let-go-hosts", refused);
    }

    /// Notes octets of a stream that the capture lost.
    pub(super) fn note_gap(&mut self) {
        self.gaps += 1;
    }

    /// Sends out that it did, of a connection that carried SIP.
    pub(super) fn gap(&mut self, origin: Origin, each: &mut Each<'_>) {
        each(Observation::Gap { signal: self.signal(origin, Transport::Tcp) });
    }

    /// What the capture point could see so far.
    pub(super) fn vantage(&mut self) -> Vantage {
        self.settle();
        let (directions, full) = self.hosts.all();
        let (first, last) = self.window.unwrap_or_default();
        Vantage {
            first: first.time,
            last: last.time,
            directions,
            full,
            dropped: self.gaps,
            ..self.seen.clone()
        }
    }

    /// Forgets the ends of connections.
    pub(super) fn forget_ends(&mut self) {
        self.seen.ends.clear();
    }

    /// True when one of the two is known to talk SIP, or its port is SIP's.
    pub(super) fn expects_sip(&self, ends: [Endpoint; 2]) -> bool {
        ends.iter().any(|end| SIP_PORTS.contains(&end.port) || self.endpoints.has(*end))
    }

    /// Sends a message out.
    pub(super) fn message(
        &mut self,
        origin: Origin,
        (transport, completeness): (Transport, Completeness),
        text: &[u8],
        home: Option<&Arc<Home>>,
        each: &mut Each<'_>,
    ) {
        self.tally.messages += 1;
        let ends = [origin.from, origin.to].into_iter().filter_map(Endpoint::known);
        for end in ends.filter(|end| !SIP_PORTS.contains(&end.port)) {
            if !self.endpoints.add(end) {
                self.tally.lose("let-go-hosts");
            }
        }
        let is_cut = matches!(completeness, Completeness::Truncated | Completeness::Gap);
        if is_cut && head_end(text, 0).is_none() {
            self.seen.tear(origin.from.ip, origin.to.ip);
        }
        let envelope = Envelope {
            seq: self.number(),
            frame: origin.arrival.frame,
            time: origin.arrival.time,
            from: origin.from,
            to: origin.to,
            connection: origin.connection,
            ip_id: origin.ip_id.and_then(NonZeroU32::new),
            path: origin.path,
            fragments: origin.fragments,
            transport,
            completeness,
        };
        let home = home.filter(|home| lies_in(text, home.bytes()));
        each(Observation::Message { envelope, text, home });
    }

    /// Sends a keep-alive out.
    pub(super) fn ping(&mut self, origin: Origin, transport: Transport, each: &mut Each<'_>) {
        let signal = self.signal(origin, transport);
        if !self.seen.ping(signal.time, signal.from, self.signs) {
            self.tally.lose("let-go-evidence");
        }
        each(Observation::Ping { signal });
    }

    /// Sends a change of a connection out.
    pub(super) fn connection(
        &mut self,
        origin: Origin,
        change: ConnectionChange,
        each: &mut Each<'_>,
    ) {
        let signal = self.signal(origin, Transport::Tcp);
        if matches!(change, ConnectionChange::Closed | ConnectionChange::Reset) {
            let Signal { time, connection, from: by, .. } = signal;
            let reset = change == ConnectionChange::Reset;
            if !self.seen.end(ConnectionEnd { time, connection, by, reset }, self.signs) {
                self.tally.lose("let-go-evidence");
            }
        }
        each(Observation::Connection { signal, change });
    }

    /// Sends an ICMP error out.
    pub(super) fn unreachable(
        &mut self,
        origin: Origin,
        error: &IcmpError<'_>,
        each: &mut Each<'_>,
    ) {
        let transport = match error.protocol {
            17 => Transport::Udp,
            6 => Transport::Tcp,
            132 => Transport::Sctp,
            _ => Transport::Unknown,
        };
        each(Observation::Unreachable {
            signal: self.signal(origin, transport),
            kind: error.kind,
            quoted_from: error.from,
            quoted_to: error.to,
            quoted: error.quoted,
        });
    }

    fn signal(&mut self, origin: Origin, transport: Transport) -> Signal {
        Signal {
            seq: self.number(),
            frame: origin.arrival.frame,
            time: origin.arrival.time,
            from: origin.from,
            to: origin.to,
            transport,
            connection: origin.connection,
        }
    }

    fn number(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        number
    }
}

fn lies_in(part: &[u8], all: &[u8]) -> bool {
    let (part, all) = (part.as_ptr_range(), all.as_ptr_range());
    all.start <= part.start && part.end <= all.end
}
