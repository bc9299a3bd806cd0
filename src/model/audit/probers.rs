//! Who does not register but tries addresses or passwords: told from devices, and from one another
//! by the host they write from.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::identity;
use super::step::Step;
use crate::net::Endpoint;
use crate::sip::{Message, Status};

/// Addresses one socket must have tried in vain to be a prober.
const ADDRESSES: usize = 20;

/// Probers, with how many addresses each tried.
pub(super) type Probers = BTreeMap<IpAddr, usize>;

/// Hosts that sign as scanners, and those of which one socket tried many addresses and was refused
/// each time. Phones behind one address have sockets of their own; a registrar that is down refuses
/// nobody.
pub(super) fn find(registers: &[Step<'_>], hostile: &dyn Fn(&Message) -> bool) -> Probers {
    let mut tried: BTreeMap<Endpoint, Tried> = BTreeMap::new();
    for step in registers {
        let tried = tried.entry(step.request.envelope.from).or_default();
        tried.signed |= hostile(step.request);
        tried.accepted |=
            step.last_response().and_then(Message::status).is_some_and(Status::is_success);
        tried.refused |= step.last_response().is_some();
        if let Some(to) = step.request.to() {
            tried.addresses.insert(to.uri);
        }
    }
    let vain = |t: &Tried| ADDRESSES <= t.addresses.len() && t.refused && !t.accepted;
    let mut probers = Probers::new();
    for (socket, tried) in tried.iter().filter(|(_, t)| t.signed || vain(t)) {
        let names = tried.addresses.iter().map(|uri| identity::device(uri));
        *probers.entry(socket.ip).or_default() += names.collect::<BTreeSet<_>>().len();
    }
    probers
}

/// What one socket tried.
#[derive(Default)]
struct Tried<'a> {
    addresses: BTreeSet<&'a [u8]>,
    signed: bool,
    accepted: bool,
    refused: bool,
}
