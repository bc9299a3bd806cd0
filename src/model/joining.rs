//! Joins call flows into calls: a graph of evidence, and its connected components.

use std::collections::BTreeMap;
use std::net::IpAddr;

use petgraph::unionfind::UnionFind;
use rustc_hash::FxHashMap;

use super::reading::Seed;
use super::{Call, CallFlow, FlowId, FlowKind, Link, LinkKind, MessageId};
use crate::sip::{HeaderName, Message, Method, NameAddr, Status, Uri};
use crate::time::{SECOND, Timestamp};

/// How long after a REFER or a redirect the new INVITE may begin.
const FOLLOWED: i64 = 10 * SECOND;
/// How long a B2BUA may take to begin its other leg.
const BRIDGED: i64 = 2 * SECOND;
/// Flows under one key that are looked at; a load generator puts thousands there.
const WALK: usize = 32;

/// The calls among `flows`, in the order of their first flow.
pub(crate) fn join(flows: &[Box<CallFlow>], seed: Seed) -> Vec<Call> {
    let mut evidence = Evidence::new(flows, seed);
    for flow in flows {
        evidence.collect(flow);
    }
    evidence.links.sort_by_key(|link| (link.to, link.from, link.kind as u8));
    evidence.links.dedup_by_key(|link| (link.to, link.from));
    components(flows, evidence.links)
}

fn components(flows: &[Box<CallFlow>], links: Vec<Link>) -> Vec<Call> {
    let mut sets = UnionFind::<u32>::new(flows.len());
    for link in &links {
        sets.union(link.from.0, link.to.0);
    }
    let mut calls: Vec<Call> = Vec::new();
    let mut places: BTreeMap<u32, usize> = BTreeMap::new();
    let mut linked: Vec<FlowId> = links.iter().flat_map(|link| [link.from, link.to]).collect();
    linked.sort_unstable();
    linked.dedup();
    for flow in flows {
        let in_call = invite(flow).is_some() || linked.binary_search(&flow.id).is_ok();
        if !in_call {
            continue;
        }
        let place = *places.entry(sets.find(flow.id.0)).or_insert_with(|| {
            calls.push(Call { flows: Vec::new(), links: Vec::new() });
            calls.len() - 1
        });
        calls[place].flows.push(flow.id);
    }
    for link in links {
        if let Some(place) = places.get(&sets.find(link.from.0)) {
            calls[*place].links.push(link);
        }
    }
    calls
}

/// The first INVITE of a flow that begins a call, or any INVITE of one seen from the middle.
fn invite(flow: &CallFlow) -> Option<MessageId> {
    let invite = |m: &Message| m.method() == Some(&Method::Invite);
    let found = flow.entries().take(WALK).find(|(_, entry)| invite(&entry.message));
    match found {
        Some((id, _)) => Some(id),
        None => (flow.summary().kind == FlowKind::Call).then_some(MessageId::at(0)),
    }
}

/// What is known of the flows, by what links can be found with.
struct Evidence<'f> {
    flows: &'f [Box<CallFlow>],
    seed: Seed,
    /// Filled when a message first names another Call-ID.
    by_call_id: FxHashMap<u64, FlowId>,
    by_session: FxHashMap<u64, FlowId>,
    /// Flows that arrived at a host, by host and what they carried, oldest first.
    arrivals: FxHashMap<u64, Vec<Arrival>>,
    /// What asked for a new call: host that is to make it, and user that is to be called.
    requests: FxHashMap<u64, Vec<Request>>,
    links: Vec<Link>,
}

#[derive(Clone, Copy)]
struct Arrival {
    flow: FlowId,
    time: Timestamp,
}

#[derive(Clone, Copy)]
struct Request {
    flow: FlowId,
    message: MessageId,
    time: Timestamp,
    kind: LinkKind,
}

impl<'f> Evidence<'f> {
    fn new(flows: &'f [Box<CallFlow>], seed: Seed) -> Self {
        Self {
            flows,
            seed,
            by_call_id: FxHashMap::default(),
            by_session: FxHashMap::default(),
            arrivals: FxHashMap::default(),
            requests: FxHashMap::default(),
            links: Vec::new(),
        }
    }

    fn collect(&mut self, flow: &CallFlow) {
        self.remember_requests(flow);
        let Some(id) = invite(flow) else { return };
        let message = flow.message(id);
        if message.method() != Some(&Method::Invite) {
            return;
        }
        self.link_replaces(flow.id, id, message);
        self.link_named(flow.id, id, message);
        if message.to_tag().is_none() {
            self.link_requested(flow.id, message);
            self.link_bridged(flow, id, message);
            self.remember_arrivals(flow);
        }
    }

    fn link(&mut self, from: FlowId, to: FlowId, kind: LinkKind, evidence: (FlowId, MessageId)) {
        if from != to {
            self.links.push(Link { from, to, kind, evidence: Some(evidence) });
        }
    }

    /// Replaces: `call-id;to-tag=…;from-tag=…` (RFC 3891 section 6.1).
    fn link_replaces(&mut self, to: FlowId, id: MessageId, message: &Message) {
        let Some(value) = message.value(HeaderName::Replaces) else { return };
        let call_id = value.split(|byte| *byte == b';').next().unwrap_or_default();
        self.link_call_id(call_id.trim_ascii(), LinkKind::Replaces, to, id);
    }

    /// Headers that name the other Call-ID, and identifiers that stay the same end to end.
    fn link_named(&mut self, to: FlowId, id: MessageId, message: &Message) {
        for name in ["X-CID", "X-Call-ID", "P-CID", "X-Original-Call-ID"] {
            if let Some(value) = message.value_of(name) {
                self.link_call_id(value, LinkKind::SessionId, to, id);
            }
        }
        let session = message.value(HeaderName::SessionId).and_then(session_uuid);
        let charging = message.value(HeaderName::PChargingVector).and_then(charging_id);
        for (name, key) in [("session", session), ("charging", charging)] {
            let Some(key) = key else { continue };
            let first = *self.by_session.entry(self.seed.hash((name, key))).or_insert(to);
            self.link(first, to, LinkKind::SessionId, (to, id));
        }
    }

    fn link_call_id(&mut self, call_id: &[u8], kind: LinkKind, to: FlowId, id: MessageId) {
        if self.by_call_id.is_empty() {
            for flow in self.flows {
                self.by_call_id.entry(self.seed.hash(flow.call_id())).or_insert(flow.id);
            }
        }
        let Some(from) = self.by_call_id.get(&self.seed.hash(call_id)).copied() else { return };
        if self.flows[from.0 as usize].call_id() == call_id {
            self.link(from, to, kind, (to, id));
        }
    }

    /// REFERs and redirects of `flow`: who will call, and whom.
    fn remember_requests(&mut self, flow: &CallFlow) {
        for (id, entry) in flow.entries() {
            let message = &entry.message;
            let (kind, targets, host) = match (message.method(), message.status()) {
                (Some(Method::Refer), _) => {
                    let target = message.value(HeaderName::ReferTo).and_then(address_uri);
                    (LinkKind::Refer, target, message.envelope.to.ip)
                }
                (None, Some(Status(300..=399))) if invited(message) => {
                    let target = message.value(HeaderName::Contact).and_then(address_uri);
                    (LinkKind::Redirect, target, message.envelope.to.ip)
                }
                _ => continue,
            };
            let Some(user) = targets.and_then(Uri::parse).and_then(|uri| uri.user) else {
                continue;
            };
            let request = Request { flow: flow.id, message: id, time: message.envelope.time, kind };
            let key = self.seed.hash((host, user));
            self.requests.entry(key).or_default().push(request);
        }
    }

    /// The REFER or redirect that made this INVITE's sender call.
    fn link_requested(&mut self, to: FlowId, message: &Message) {
        let uri = message.request_uri().and_then(Uri::parse);
        let Some(user) = uri.and_then(|uri| uri.user) else { return };
        let key = self.seed.hash((message.envelope.from.ip, user));
        let Some(requests) = self.requests.get(&key) else { return };
        let now = message.envelope.time;
        let asked = requests.iter().rev().take(WALK).find(|request| {
            let after = now.since(request.time);
            request.flow != to && (0..=FOLLOWED).contains(&after)
        });
        if let Some(asked) = asked.copied() {
            self.link(asked.flow, to, asked.kind, (asked.flow, asked.message));
        }
    }

    /// The leg that a B2BUA continues with this flow, when there is exactly one that fits.
    fn link_bridged(&mut self, flow: &CallFlow, id: MessageId, message: &Message) {
        let host = message.envelope.from.ip;
        let keys = bridge_keys(self.seed, host, message);
        for key in keys.into_iter().flatten() {
            let Some(arrivals) = self.arrivals.get(&key) else { continue };
            let now = message.envelope.time;
            let mut fits = arrivals.iter().rev().take(WALK).filter(|arrival| {
                arrival.flow != flow.id && (0..=BRIDGED).contains(&now.since(arrival.time))
            });
            if let (Some(only), None) = (fits.next().copied(), fits.next()) {
                self.link(only.flow, flow.id, LinkKind::Inferred, (flow.id, id));
                return;
            }
        }
    }

    fn remember_arrivals(&mut self, flow: &CallFlow) {
        let mut hosts: Vec<IpAddr> = Vec::new();
        for transaction in flow.transactions.iter().take(WALK) {
            let host = transaction.hop.server().ip;
            if transaction.method != Method::Invite || hosts.contains(&host) {
                continue;
            }
            let Some(request) = transaction.request else { continue };
            let message = flow.message(request);
            hosts.push(host);
            let arrival = Arrival { flow: flow.id, time: message.envelope.time };
            for key in bridge_keys(self.seed, host, message).into_iter().flatten() {
                self.arrivals.entry(key).or_default().push(arrival);
            }
        }
    }
}

/// What a B2BUA leaves as it was: the session, or both numbers.
fn bridge_keys(seed: Seed, host: IpAddr, message: &Message) -> [Option<u64>; 2] {
    let user = |address: Option<NameAddr<'_>>| {
        let user = address?.parsed_uri()?.user?;
        Some(seed.hash(user))
    };
    let numbers = user(message.from()).zip(user(message.to()));
    let origin = message.sdp().and_then(origin_line);
    let session = origin.zip(numbers).map(|(origin, n)| seed.hash((host, origin, n)));
    [session, numbers.map(|n| seed.hash((host, n)))]
}

fn origin_line(sdp: &[u8]) -> Option<&[u8]> {
    let mut lines = sdp.split(|byte| *byte == b'\n');
    lines.find(|line| line.starts_with(b"o=")).map(<[u8]>::trim_ascii)
}

fn invited(message: &Message) -> bool {
    message.cseq().is_some_and(|cseq| cseq.method == b"INVITE")
}

/// The URI of `name <uri>;params` or `uri;params`.
fn address_uri(value: &[u8]) -> Option<&[u8]> {
    let open = value.iter().position(|byte| *byte == b'<');
    let rest = open.map_or(value, |at| &value[at + 1..]);
    let end = rest.iter().position(|byte| matches!(byte, b'>' | b';' | b'?' | b','));
    Some(&rest[..end.unwrap_or(rest.len())]).filter(|uri| !uri.is_empty())
}

/// The local UUID of Session-ID (RFC 7989 section 5), unless it is the nil one.
fn session_uuid(value: &[u8]) -> Option<&[u8]> {
    let uuid = value.split(|byte| *byte == b';').next()?.trim_ascii();
    (uuid.len() == 32 && uuid.iter().any(|byte| *byte != b'0')).then_some(uuid)
}

/// The icid-value of P-Charging-Vector (RFC 7315 section 4.6).
fn charging_id(value: &[u8]) -> Option<&[u8]> {
    let mut params = value.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    let id = params.find_map(|param| param.strip_prefix(b"icid-value="))?;
    (8 <= id.len()).then_some(id)
}
