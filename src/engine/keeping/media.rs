//! Where the media of calls goes, as their session descriptions say.

use std::net::IpAddr;

use smallvec::SmallVec;

use crate::net::Endpoint;
use crate::net::recent::Recent;
use crate::sdp::Session;

/// Calls of one endpoint: two legs, and those that had the port before.
const CALLS: usize = 4;
/// Ports of one media section (`m=audio 4000/2`).
const PORTS: u16 = 8;

/// Which calls named an endpoint, the latest last.
#[derive(Debug)]
pub(super) struct Media {
    /// Endpoints remembered.
    most: usize,
    endpoints: Recent<Endpoint, SmallVec<[u64; CALLS]>>,
}

impl Media {
    /// Remembers `most` endpoints.
    pub(super) fn new(most: usize) -> Self {
        Self { most, endpoints: Recent::default() }
    }

    /// Takes note of what `call` says in a session description.
    pub(super) fn learn(&mut self, call: u64, description: &[u8]) {
        let session = Session::parse(description);
        for media in session.media.iter().filter(|media| media.port != 0) {
            let Some(ip) = media.connection.and_then(address) else { continue };
            let pairs = media.ports.clamp(1, PORTS);
            // RTCP is on the port above (RFC 3550 section 11), unless a=rtcp says otherwise.
            let ports = (0..2 * pairs).filter_map(|offset| media.port.checked_add(offset));
            for port in ports.chain(media.rtcp) {
                self.add(Endpoint { ip, port }, call);
            }
        }
    }

    /// The calls that named `end`.
    pub(super) fn calls(&mut self, end: Endpoint) -> &[u64] {
        self.endpoints.touch(&end).map_or(&[], |calls| calls.as_slice())
    }

    fn add(&mut self, end: Endpoint, call: u64) {
        let (calls, _) = self.endpoints.upsert(end, |_| true, SmallVec::new);
        calls.retain(|known| *known != call);
        if CALLS <= calls.len() {
            calls.remove(0);
        }
        calls.push(call);
        if self.most < self.endpoints.len() {
            self.endpoints.remove_oldest();
        }
    }
}

/// The address of a `c=` line; none for a name, and for what stands for nothing (on hold).
fn address(text: &[u8]) -> Option<IpAddr> {
    let ip: IpAddr = std::str::from_utf8(text).ok()?.parse().ok()?;
    (!ip.is_unspecified()).then_some(ip)
}
