//! Lists registrations: the REGISTERs of each address-of-record at each registrar (section 10).

use std::collections::BTreeMap;

use super::registration::Attempt;
use super::{CallFlow, FlowId, Registration, Transaction, TransactionId};
use crate::sip::{Contact, HeaderName, Message, Method, NameAddr, Status};

/// The registrations in `flows`, in order of first appearance.
pub(crate) fn list(flows: &[CallFlow]) -> Vec<Registration> {
    let mut tries: Vec<Try<'_>> = flows.iter().flat_map(tries_of).collect();
    tries.sort_by_key(|one| one.message.envelope.seq);
    let mut registrations: Vec<Registration> = Vec::new();
    let mut places: BTreeMap<(String, String), usize> = BTreeMap::new();
    // Who was challenged last in which flow, so that the next try is the answer.
    let mut challenged: BTreeMap<FlowId, (usize, usize)> = BTreeMap::new();
    for one in tries {
        if let Some((place, attempt)) = challenged.remove(&one.flow.id) {
            let registration = registrations.get_mut(place);
            if let Some(open) = registration.and_then(|r| r.attempts.get_mut(attempt)) {
                one.add_to(open);
                if one.status().is_some_and(Status::is_challenge) && open.transactions.len() < 3 {
                    challenged.insert(one.flow.id, (place, attempt));
                }
                continue;
            }
        }
        let key = (one.address_of_record(), one.registrar());
        let place = *places.entry(key).or_insert_with_key(|(aor, registrar)| {
            let (aor, registrar) = (aor.clone(), registrar.clone());
            registrations.push(Registration { aor, registrar, attempts: Vec::new() });
            registrations.len() - 1
        });
        let registration = &mut registrations[place];
        registration.attempts.push(one.attempt());
        if one.status().is_some_and(Status::is_challenge) {
            challenged.insert(one.flow.id, (place, registration.attempts.len() - 1));
        }
    }
    registrations
}

/// One REGISTER on the hop nearest the client.
struct Try<'f> {
    flow: &'f CallFlow,
    id: TransactionId,
    transaction: &'f Transaction,
    message: &'f Message,
}

fn tries_of(flow: &CallFlow) -> impl Iterator<Item = Try<'_>> {
    flow.transactions.iter().enumerate().filter_map(|(at, transaction)| {
        let request = transaction.request?;
        let counts = transaction.method == Method::Register && transaction.previous_hop.is_none();
        let id = TransactionId(at as u32);
        counts.then(|| Try { flow, id, transaction, message: flow.message(request) })
    })
}

impl Try<'_> {
    fn answer(&self) -> Option<&Message> {
        let messages = self.transaction.responses.iter().rev().map(|id| self.flow.message(*id));
        messages.into_iter().find(|message| message.status().is_some_and(Status::is_final))
    }

    fn status(&self) -> Option<Status> {
        self.answer().and_then(Message::status)
    }

    fn address_of_record(&self) -> String {
        let to = self.message.to();
        text(to.map(|to| without_parameters(to.uri)).unwrap_or_default())
    }

    fn registrar(&self) -> String {
        text(self.message.request_uri().unwrap_or_default())
    }

    fn attempt(&self) -> Attempt {
        let hop = &self.transaction.hop;
        let mut attempt = Attempt {
            transactions: Vec::new(),
            time: self.message.envelope.time,
            source: hop.client,
            target: hop.server,
            status: None,
            requested: None,
            granted: None,
            contact: None,
            removes: false,
            retransmissions: 0,
        };
        self.add_to(&mut attempt);
        attempt
    }

    fn add_to(&self, attempt: &mut Attempt) {
        let contact = address(self.message);
        attempt.transactions.push((self.flow.id, self.id));
        attempt.status = self.status().or(attempt.status);
        attempt.requested = expiry(self.message, contact);
        attempt.contact = contact.map(|contact| text(contact.uri));
        let star = self.message.contacts().any(|contact| contact == Contact::Star);
        attempt.removes = star || attempt.requested == Some(0) && self.removes_all();
        attempt.retransmissions += self.transaction.request_copies.len() as u32;
        let granted = self.answer().filter(|a| a.status().is_some_and(Status::is_success));
        attempt.granted = granted.and_then(|answer| granted_to(answer, contact));
    }

    fn removes_all(&self) -> bool {
        self.message.contacts().all(|contact| match contact {
            Contact::Star => true,
            Contact::Address(one) => expiry(self.message, Some(one)) == Some(0),
        })
    }
}

fn address(message: &Message) -> Option<NameAddr<'_>> {
    message.contacts().find_map(|contact| match contact {
        Contact::Address(address) => Some(address),
        Contact::Star => None,
    })
}

/// What `answer` grants to `contact`: a registrar lists all bindings, not only the one asked for
/// (section 10.3).
fn granted_to(answer: &Message, contact: Option<NameAddr<'_>>) -> Option<u32> {
    let contact = contact?;
    let mut listed = answer.contacts().filter_map(|one| match one {
        Contact::Address(address) => Some(address),
        Contact::Star => None,
    });
    match listed.find(|one| one.uri == contact.uri) {
        Some(own) => expiry(answer, Some(own)),
        None if address(answer).is_none() => expiry(answer, None),
        None => None,
    }
}

/// The expires parameter of `contact`, or else the Expires header (section 10.2.1.1).
fn expiry(message: &Message, contact: Option<NameAddr<'_>>) -> Option<u32> {
    let own = contact.and_then(|contact| contact.params.value("expires"));
    let own = own.and_then(|value| std::str::from_utf8(value).ok()?.trim().parse::<u64>().ok());
    let seconds = own.or_else(|| message.number(HeaderName::Expires))?;
    Some(u32::try_from(seconds).unwrap_or(u32::MAX))
}

fn without_parameters(uri: &[u8]) -> &[u8] {
    uri.split(|byte| matches!(byte, b';' | b'?')).next().unwrap_or_default()
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}
