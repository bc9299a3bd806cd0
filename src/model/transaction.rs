//! A request, its responses and its ACK on one hop (section 17).

use std::net::{IpAddr, Ipv4Addr};

use super::{DialogId, Few, MessageId, Rare, TransactionId};
use crate::net::Endpoint;
use crate::sip::Method;
use crate::transport::Transport;

/// Messages of a transaction.
pub type Messages = Few<MessageId>;

/// One passage between two elements, in the direction of the request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Hop(Ends);

/// In two words where both have IPv4 addresses: every transaction has one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Ends {
    Short { transport: Transport, ports: [u16; 2], hosts: [Ipv4Addr; 2] },
    Long { transport: Transport, ends: Box<[Endpoint; 2]> },
}

impl Hop {
    /// The hop of a request that `transport` carried from `client` to `server`.
    pub fn new(client: Endpoint, server: Endpoint, transport: Transport) -> Self {
        Self(match (client.ip, server.ip) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                Ends::Short { transport, ports: [client.port, server.port], hosts: [from, to] }
            }
            _ => Ends::Long { transport, ends: Box::new([client, server]) },
        })
    }

    /// Who sent the request.
    #[inline]
    pub fn client(&self) -> Endpoint {
        self.end(0)
    }

    /// Who received it.
    #[inline]
    pub fn server(&self) -> Endpoint {
        self.end(1)
    }

    /// What carried it.
    pub const fn transport(&self) -> Transport {
        match self.0 {
            Ends::Short { transport, .. } | Ends::Long { transport, .. } => transport,
        }
    }

    #[inline]
    fn end(&self, which: usize) -> Endpoint {
        match &self.0 {
            Ends::Short { ports, hosts, .. } => {
                Endpoint { ip: hosts[which].into(), port: ports[which] }
            }
            Ends::Long { ends, .. } => ends[which],
        }
    }

    /// Octets of private memory it holds beside itself.
    pub(super) const fn heap_size(&self) -> usize {
        match self.0 {
            Ends::Short { .. } => 0,
            Ends::Long { .. } => size_of::<[Endpoint; 2]>(),
        }
    }
}

/// A transaction on one hop. The ACK of a non-2xx is part of the INVITE's; that of a 2xx is its own.
#[derive(Clone, Debug)]
pub struct Transaction {
    /// Method of the request; that of CSeq when only responses were seen.
    pub method: Method,
    /// CSeq number, when readable.
    pub cseq: Option<u32>,
    /// Where it took place.
    pub hop: Hop,
    /// First sighting of the request; `None` when the capture began after it.
    pub request: Option<MessageId>,
    /// Retransmissions of the request, duplicates left out.
    pub request_copies: Rare<MessageId>,
    /// Distinct responses in order (status, To tag, RSeq); copies and duplicates left out.
    pub responses: Messages,
    /// Retransmissions of responses.
    pub response_copies: Rare<MessageId>,
    /// For an INVITE: the ACKs seen on this hop, of its non-2xx and of its 2xx, in order, copies too.
    pub acks: Messages,
    /// For an INVITE: the CANCEL transaction on this hop.
    pub cancel: Option<TransactionId>,
    /// For a CANCEL: the transaction it cancels. For the ACK of a 2xx: the INVITE.
    pub target: Option<TransactionId>,
    /// The same request on the hop before.
    pub previous_hop: Option<TransactionId>,
    /// The same request on the hops after; several when a proxy forked it.
    pub next_hops: Few<TransactionId>,
    /// The dialog it was sent in or created; of several (forks) the first.
    pub dialog: Option<DialogId>,
}

impl Transaction {
    /// A transaction of which nothing but `request` was seen.
    pub(super) fn new(
        method: Method,
        cseq: Option<u32>,
        hop: Hop,
        request: Option<MessageId>,
    ) -> Self {
        Self {
            method,
            cseq,
            hop,
            request,
            request_copies: Rare::default(),
            responses: Few::default(),
            response_copies: Rare::default(),
            acks: Few::default(),
            cancel: None,
            target: None,
            previous_hop: None,
            next_hops: Few::default(),
            dialog: None,
        }
    }

    /// Octets of private memory it holds beside itself.
    pub(super) fn heap_size(&self) -> usize {
        let copies = self.request_copies.heap_size() + self.response_copies.heap_size();
        copies
            + self.hop.heap_size()
            + self.responses.heap_size()
            + self.acks.heap_size()
            + self.next_hops.heap_size()
    }
}
