//! What the audit takes in, one after another: REGISTER and keepalive transactions on the hop
//! nearest the device, each reduced to what counts, and the ends of connections.

use std::net::IpAddr;
use std::sync::Arc;

use smallvec::SmallVec;

use super::attempt::{Asked, CONTACTS, expiry};
use super::identity;
use super::report::Report;
use crate::frame::FrameId;
use crate::model::vantage::ConnectionEnd;
use crate::model::{CallFlow, Transaction};
use crate::net::Endpoint;
use crate::octets::octets;
use crate::sip::{Auth, Contact, HeaderName, Message, Method, Status, Uri};
use crate::time::{MILLISECOND, Timestamp};
use crate::transport::Transport;

/// What an allocator takes for a piece of text beside its octets.
const PIECE: usize = 16;

/// Octets equal, same hop, and this close together: one packet captured twice.
const TWICE: i64 = 5 * MILLISECOND;

/// Something that happened; the audit takes them in the order of the capture.
#[derive(Debug)]
pub enum Event {
    /// A REGISTER transaction.
    Register(Arc<Step>),
    /// A keepalive.
    Keepalive(Beat),
    /// OPTIONS outside of a dialog.
    Options(Beat),
    /// A device told something of itself.
    Report(Box<Report>),
    /// A 2xx to a REGISTER that was not captured.
    Orphan(Arc<Orphan>),
    /// A TCP connection ended.
    End(ConnectionEnd),
}

/// A REGISTER transaction.
#[derive(Debug)]
pub struct Step {
    /// GB identifier, or user@host.
    pub(super) device: String,
    /// GB identifier, or host.
    pub(super) registrar: String,
    /// First transmission.
    pub(super) time: Timestamp,
    pub(super) frame: FrameId,
    pub(super) source: Endpoint,
    pub(super) target: Endpoint,
    pub(super) transport: Transport,
    /// TCP connection, 0 on datagrams.
    pub(super) connection: u32,
    pub(super) last_sent: Timestamp,
    /// Retransmissions.
    pub(super) copies: u32,
    /// Repeated responses.
    pub(super) repeated: u32,
    /// Hops on which the request was captured.
    pub(super) hops: u32,
    pub(super) call_id: Box<[u8]>,
    pub(super) cseq: Option<u32>,
    pub(super) user_agent: Option<String>,
    pub(super) credentials: Option<Box<[u8]>>,
    pub(super) asked: Asked,
    /// Contacts nobody can reach: true for the registrar's own address, false for a private one.
    pub(super) unreachable: SmallVec<[(bool, IpAddr); 1]>,
    /// A domain that is none of GB/T 28181 section 6.1.2.
    pub(super) odd_domain: Option<String>,
    /// It uses X-GB-Ver.
    pub(super) versioned: bool,
    /// It is signed by a scanner.
    pub(super) hostile: bool,
    /// Responses whose `received` is not where the request came from, and the first such address.
    pub(super) received: Option<(IpAddr, u32)>,
    /// Responses that do not fill the rport asked for.
    pub(super) rport_missing: u32,
    /// Challenges that say nothing to answer.
    pub(super) bare: u32,
    /// The first final response.
    pub(super) answer: Option<Answered>,
}

/// The final response of a transaction.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) time: Timestamp,
    pub(super) frame: FrameId,
    /// Bindings it lists, with the expiry of each.
    pub(super) listed: Vec<(String, Option<u32>)>,
    /// It lists more than are looked at; those asked for are among these all the same.
    pub(super) cut: bool,
    pub(super) expires: Option<u32>,
    /// Expiries of Contact and header, where they differ.
    pub(super) conflict: Option<(u64, u64)>,
    pub(super) date: Option<Box<[u8]>>,
    pub(super) retry_after: Option<u64>,
    pub(super) nonce: Option<Box<[u8]>>,
    pub(super) stale: bool,
    /// Where a redirect leads.
    pub(super) goal: Option<String>,
}

/// A keepalive, or another question whether somebody is there.
#[derive(Debug)]
pub struct Beat {
    /// GB identifier, or user@host, of who asks.
    pub(super) device: String,
    /// First transmission.
    pub(super) time: Timestamp,
    pub(super) frame: FrameId,
    pub(super) source: Endpoint,
    pub(super) target: Endpoint,
    pub(super) copies: u32,
    /// Of the final response.
    pub(super) status: Option<u16>,
}

/// A 2xx without its request.
#[derive(Debug)]
pub struct Orphan {
    pub(super) device: String,
    pub(super) time: Timestamp,
    pub(super) listed: Vec<(String, Option<u32>)>,
}

impl Event {
    /// The events `flow` shows, each with its place in the order of the capture; `hostile` tells
    /// requests that are signed by a scanner.
    pub fn of_flow(
        flow: &CallFlow,
        hostile: &dyn Fn(&Message) -> bool,
        out: &mut Vec<(u64, Self)>,
    ) {
        for transaction in &flow.transactions {
            match (&transaction.method, transaction.request) {
                // On every hop: which one is that of a device, its ends tell.
                (Method::Options, Some(id)) if flow.message(id).to_tag().is_none() => {
                    let request = flow.message(id);
                    let beat = Beat::of(flow, transaction, request);
                    out.push((request.envelope.seq, Self::Options(beat)));
                }
                _ if transaction.previous_hop.is_some() => {}
                (Method::Register, Some(id)) => {
                    let request = flow.message(id);
                    let step = Step::of(flow, transaction, request, hostile);
                    out.push((request.envelope.seq, Self::Register(Arc::new(step))));
                }
                (Method::Register, None) => {
                    let responses = transaction.responses.iter().map(|id| flow.message(*id));
                    for response in responses.filter(|m| m.status().is_some_and(Status::is_success))
                    {
                        let orphan = Orphan::of(response);
                        out.push((response.envelope.seq, Self::Orphan(Arc::new(orphan))));
                    }
                }
                (Method::Message, Some(id)) if is_keepalive(flow.message(id).body()) => {
                    let request = flow.message(id);
                    let beat = Beat::of(flow, transaction, request);
                    out.push((request.envelope.seq, Self::Keepalive(beat)));
                }
                (Method::Message, Some(id)) => {
                    let request = flow.message(id);
                    let report = Report::of(request).map(Box::new);
                    out.extend(report.map(|own| (request.envelope.seq, Self::Report(own))));
                }
                _ => {}
            }
        }
    }
}

impl Step {
    fn of(
        flow: &CallFlow,
        transaction: &Transaction,
        request: &Message,
        hostile: &dyn Fn(&Message) -> bool,
    ) -> Self {
        let envelope = &request.envelope;
        let copies = &transaction.request_copies;
        let last = copies.last().map_or(envelope.time, |id| flow.message(*id).envelope.time);
        let responses = || transaction.responses.iter().map(|id| flow.message(*id));
        let to = request.to();
        let device = to.as_ref().map(|to| identity::device(to.uri)).unwrap_or_default();
        let registrar = identity::registrar(request.request_uri().unwrap_or_default());
        let hops = 1 + further_hops(flow, transaction, 0);
        let domain = to.and_then(|to| Uri::parse(to.uri)).map(|uri| text(uri.host));
        let odd = |domain: &String| identity::is_odd_domain(domain, &device, &registrar);
        let vias = Vias::of(request, responses(), hops);
        let asked = Asked::of(request);
        Self {
            odd_domain: domain.filter(odd),
            time: envelope.time,
            frame: envelope.frame,
            source: envelope.from,
            target: envelope.to,
            transport: envelope.transport,
            connection: envelope.connection,
            last_sent: last,
            copies: copies.len() as u32,
            repeated: transaction.response_copies.len() as u32,
            hops,
            call_id: request.call_id().unwrap_or_default().into(),
            cseq: request.cseq().map(|cseq| cseq.number),
            user_agent: request.value(HeaderName::UserAgent).map(text),
            credentials: credentials(request).map(Into::into),
            unreachable: unreachable(request),
            versioned: request.value(HeaderName::XGbVer).is_some(),
            hostile: hostile(request),
            received: vias.received,
            rport_missing: vias.rport_missing,
            bare: responses().filter(|m| is_bare(m)).count() as u32,
            answer: first_final(responses()).map(|response| Answered::of(response, &asked)),
            asked,
            device,
            registrar,
        }
    }

    /// The status of the final response.
    pub(super) fn status(&self) -> Option<u16> {
        self.answer.as_ref().map(|answer| answer.status)
    }
}

impl Answered {
    fn of(response: &Message, asked: &Asked) -> Self {
        let challenge = challenge(response);
        let stale = challenge.as_ref().and_then(|c| c.get("stale"));
        let nonce = challenge.as_ref().and_then(|c| c.get("nonce").or(c.get("random1")));
        let goal = response.contacts().find_map(|contact| match contact {
            Contact::Address(address) => Some(identity::registrar(address.uri)),
            Contact::Star => None,
        });
        let status = response.status().map_or(0, |status| status.0);
        let (listed, cut) = listed(response, asked);
        Self {
            status,
            time: response.envelope.time,
            frame: response.envelope.frame,
            listed,
            cut,
            expires: expiry(response.value(HeaderName::Expires)),
            conflict: conflict(response),
            date: response.value(HeaderName::Date).map(Into::into),
            retry_after: response.number(HeaderName::RetryAfter),
            nonce: nonce.filter(|nonce| !nonce.is_empty()).map(Into::into),
            stale: stale.is_some_and(|value| value.eq_ignore_ascii_case(b"true")),
            goal: goal.filter(|_| (300..400).contains(&status)),
        }
    }
}

impl Beat {
    /// The keepalive `flow` is of, when it is nothing else, with its place in the order of the
    /// capture.
    pub fn of_flow(flow: &CallFlow) -> Option<(u64, Self)> {
        let [transaction] = flow.transactions.as_slice() else { return None };
        let request = flow.message(transaction.request?);
        let is = transaction.method == Method::Message && is_keepalive(request.body());
        is.then(|| (request.envelope.seq, Self::of(flow, transaction, request)))
    }

    /// Takes in what came after the answer: the same request on the same way is a copy of it.
    pub fn copy(&mut self, message: &Message) {
        let envelope = &message.envelope;
        let again = message.is_request() && envelope.from == self.source;
        // Closer together, it is one packet captured twice.
        if again && TWICE < envelope.time.since(self.time) {
            self.copies += 1;
        }
    }

    fn of(flow: &CallFlow, transaction: &Transaction, request: &Message) -> Self {
        let responses = transaction.responses.iter().map(|id| flow.message(*id));
        Self {
            device: request.from().map(|from| identity::device(from.uri)).unwrap_or_default(),
            time: request.envelope.time,
            frame: request.envelope.frame,
            source: request.envelope.from,
            target: request.envelope.to,
            copies: transaction.request_copies.len() as u32,
            status: first_final(responses).and_then(Message::status).map(|status| status.0),
        }
    }
}

impl Step {
    /// Octets of private memory it takes, roughly.
    pub(super) fn heap_size(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::capacity);
        let octets = |octets: &Option<Box<[u8]>>| octets.as_ref().map_or(0, |octets| octets.len());
        let keys = |list: &Vec<(String, Option<u32>)>| {
            let keys = list.iter().map(|(key, _)| key.capacity() + PIECE).sum::<usize>();
            list.capacity() * size_of::<(String, Option<u32>)>() + keys
        };
        let answer = self.answer.as_ref().map_or(0, |answer| {
            let texts = octets(&answer.date) + octets(&answer.nonce) + text(&answer.goal);
            keys(&answer.listed) + texts
        });
        let names = self.device.capacity() + self.registrar.capacity() + self.call_id.len();
        let said = text(&self.user_agent) + octets(&self.credentials) + text(&self.odd_domain);
        size_of::<Self>() + 8 * PIECE + names + said + keys(&self.asked.bindings) + answer
    }
}

impl Orphan {
    /// Octets of private memory it takes, roughly.
    pub(super) fn heap_size(&self) -> usize {
        let listed = self.listed.iter().map(|(key, _)| key.len() + size_of::<(String, u64)>());
        size_of::<Self>() + self.device.len() + listed.sum::<usize>()
    }

    fn of(response: &Message) -> Self {
        Self {
            device: response.to().map(|to| identity::device(to.uri)).unwrap_or_default(),
            time: response.envelope.time,
            listed: listed(response, &Asked::default()).0,
        }
    }
}

/// What the topmost Via of the responses says of where the request came from.
struct Vias {
    received: Option<(IpAddr, u32)>,
    rport_missing: u32,
}

impl Vias {
    fn of<'m>(request: &Message, responses: impl Iterator<Item = &'m Message>, hops: u32) -> Self {
        let mut vias = Self { received: None, rport_missing: 0 };
        // Behind a proxy the topmost Via names the proxy's peer, not the device.
        if hops != 1 {
            return vias;
        }
        let asks = || request.top_via().is_some_and(|via| via.params.get("rport").is_some());
        for response in responses {
            let Some(via) = response.top_via() else { continue };
            let text = |name| via.params.value(name).and_then(|v| std::str::from_utf8(v).ok());
            let told = text("received").and_then(|host| ip(host.as_bytes()));
            if let Some(told) = told.filter(|told| *told != response.envelope.to.ip) {
                vias.received.get_or_insert((told, 0)).1 += 1;
            }
            if text("rport").is_none_or(str::is_empty) && asks() {
                vias.rport_missing += 1;
            }
        }
        vias
    }
}

fn first_final<'m>(mut responses: impl Iterator<Item = &'m Message>) -> Option<&'m Message> {
    responses.find(|message| message.status().is_some_and(Status::is_final))
}

/// Hops after this one; a loop in the links ends at the bound of section 8.1.1.6.
fn further_hops(flow: &CallFlow, transaction: &Transaction, depth: u32) -> u32 {
    if depth > 70 {
        return 0;
    }
    let next = transaction.next_hops.iter();
    next.map(|id| 1 + further_hops(flow, flow.transaction(*id), depth + 1)).max().unwrap_or(0)
}

/// The credentials of a request, as written.
fn credentials(message: &Message) -> Option<&[u8]> {
    message
        .value(HeaderName::Authorization)
        .or_else(|| message.value(HeaderName::ProxyAuthorization))
}

fn challenge(message: &Message) -> Option<Auth<'_>> {
    message
        .auths(HeaderName::WwwAuthenticate)
        .next()
        .or_else(|| message.auths(HeaderName::ProxyAuthenticate).next())
}

/// A challenge that does not say what to answer.
fn is_bare(message: &Message) -> bool {
    match message.status().map(|status| status.0) {
        Some(401) => message.value(HeaderName::WwwAuthenticate).is_none(),
        Some(407) => message.value(HeaderName::ProxyAuthenticate).is_none(),
        _ => false,
    }
}

/// Bindings a 2xx lists, with the expiry of each, and whether some were left out: those `asked` for
/// are told in any case.
fn listed(response: &Message, asked: &Asked) -> (Vec<(String, Option<u32>)>, bool) {
    let (mut listed, mut cut) = (Vec::new(), false);
    for contact in response.contacts() {
        let Contact::Address(address) = contact else { continue };
        let key = identity::binding(&address);
        let is_own = || asked.bindings.iter().any(|(own, _)| *own == key);
        if listed.len() < CONTACTS || listed.len() < 2 * CONTACTS && is_own() {
            listed.push((key, expiry(address.params.value("expires"))));
        } else {
            cut = true;
        }
    }
    (listed, cut)
}

/// The expiries of Contact and header, when they differ.
fn conflict(response: &Message) -> Option<(u64, u64)> {
    let header = response.number(HeaderName::Expires)?;
    let mut contacts = response.contacts().filter_map(|contact| match contact {
        Contact::Star => None,
        Contact::Address(address) => {
            std::str::from_utf8(address.params.value("expires")?).ok()?.parse::<u64>().ok()
        }
    });
    let contact = contacts.next()?;
    (contact != header && contacts.next().is_none()).then_some((contact, header))
}

/// Contacts that calls cannot reach: the registrar's own address, a private one behind a NAT.
fn unreachable(request: &Message) -> SmallVec<[(bool, IpAddr); 1]> {
    let (source, target) = (request.envelope.from.ip, request.envelope.to.ip);
    let direct = || request.vias().count() == 1;
    let hosts = request.contacts().take(CONTACTS).filter_map(|contact| match contact {
        Contact::Star => None,
        Contact::Address(address) => ip(address.parsed_uri()?.host),
    });
    let away = hosts.filter(|host| *host != source);
    away.filter(|host| *host == target || is_private(*host) && direct())
        .map(|host| (host == target, host))
        .collect()
}

fn ip(host: &[u8]) -> Option<IpAddr> {
    std::str::from_utf8(host).ok()?.trim_matches(['[', ']']).parse().ok()
}

fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let shared = ip.octets()[0] == 100 && ip.octets()[1] & 0xC0 == 64;
            ip.is_private() || ip.is_link_local() || ip.is_loopback() || shared
        }
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_loopback(),
    }
}

/// True for a MANSCDP body whose `CmdType` is Keepalive; found by octets, since the charset of
/// such bodies is often mislabeled.
fn is_keepalive(body: &[u8]) -> bool {
    let Some(at) = memchr::memmem::find(body, b"<CmdType>") else { return false };
    body[at + 9..].trim_ascii_start().starts_with(b"Keepalive")
}

fn text(bytes: &[u8]) -> String {
    octets(bytes).into_owned()
}
