//! Finds the transaction of a message: branch first, hop second (section 17).

use super::blocks::Blocks;
use super::chains::Chains;
use super::growth::push_slim;
use super::reading::{Reading, count_vias};
use super::{Entry, Hop, MessageId, Note, Transaction, TransactionId};
use crate::near;
use crate::net::Endpoint;
use crate::sip::{Method, Status};
use crate::transport::Transport;

/// Finds transactions by branch, and INVITEs by number.
#[derive(Clone, Debug, Default)]
pub(super) struct Matching {
    branches: Chains,
    /// INVITE transactions by CSeq number, for the ACK of a 2xx, which has a branch of its own.
    invites: Option<Box<Chains>>,
}

/// What matching may read and write of a flow.
pub(super) struct Table<'f> {
    pub(super) transactions: &'f mut Vec<Transaction>,
    pub(super) messages: &'f Blocks<Entry>,
}

/// How well a passage fits a hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    /// Other hosts.
    None,
    /// One of the two hosts: an answer from another address than the request went to.
    Half,
    /// The same hosts; a port differs (rport, a new connection).
    Hosts,
    /// The same endpoints.
    Exact,
}

impl Hop {
    /// True when the hosts are the same, and the ports too where only they tell who is who.
    pub fn joins(&self, client: Endpoint, server: Endpoint) -> bool {
        Fit::Hosts <= self.fit(client, server)
    }

    fn fit(&self, client: Endpoint, server: Endpoint) -> Fit {
        let (same_client, same_server) = (self.client() == client, self.server() == server);
        if same_client && same_server {
            return Fit::Exact;
        }
        let (client_host, server_host) =
            (self.client().ip == client.ip, self.server().ip == server.ip);
        let one_host = self.client().ip == self.server().ip;
        if client_host && server_host && (!one_host || same_server || same_client) {
            return Fit::Hosts;
        }
        if !one_host && (client_host || server_host) { Fit::Half } else { Fit::None }
    }

    /// True when a request from `client` to `server` can be one sent on this hop before. Over a
    /// reliable transport a new connection has a new port.
    fn carries(&self, client: Endpoint, server: Endpoint, transport: Transport) -> bool {
        let new_port = transport.is_reliable() && self.client().ip == client.ip;
        self.transport() == transport
            && self.server() == server
            && (self.client() == client || new_port)
    }
}

impl Matching {
    /// Files message `id` under its transaction, which it opens when there is none.
    pub(super) fn place(
        &mut self,
        table: &mut Table<'_>,
        id: MessageId,
        reading: &Reading<'_>,
        note: Note,
    ) -> Option<TransactionId> {
        if let Note::Duplicate(of) = note {
            return table.entry_transaction(of);
        }
        match reading.clues.status {
            None => self.place_request(table, id, reading, note),
            Some(status) => self.place_response(table, id, reading, note, status),
        }
    }

    /// The key of the branch of each transaction.
    pub(super) fn branches(&self) -> impl Iterator<Item = (u64, TransactionId)> {
        self.branches.iter().map(|(key, id)| (key, TransactionId::at(id)))
    }

    /// Asks for what was filed last.
    pub(super) fn ask_for_newest(&self) {
        self.branches.ask_for_newest();
        self.invites.as_deref().inspect(|invites| near::ask_for(*invites));
    }

    /// Octets of private memory it holds.
    pub(super) fn heap_size(&self) -> usize {
        let of_invites = |invites: &Chains| size_of::<Chains>() + invites.heap_size();
        self.branches.heap_size() + self.invites.as_deref().map_or(0, of_invites)
    }

    /// Gives back what is reserved and not used.
    pub(super) fn shrink(&mut self) {
        self.branches.shrink();
        if let Some(invites) = &mut self.invites {
            invites.shrink();
        }
    }

    fn place_request(
        &mut self,
        table: &mut Table<'_>,
        id: MessageId,
        reading: &Reading<'_>,
        note: Note,
    ) -> Option<TransactionId> {
        let method = reading.clues.method.as_ref()?;
        if let Note::Retransmission(of) = note {
            let found = table.entry_transaction(of)?;
            let transaction = table.at(found);
            // An ACK is filed under its INVITE, or is a transaction of its own.
            if transaction.method == *method {
                transaction.request_copies.push(id);
            } else {
                transaction.acks.push(id);
            }
            if *method == Method::Ack && table.at(found).method == Method::Ack {
                self.acknowledge(table, found, id, reading);
            }
            return Some(found);
        }
        let (client, server) = (reading.client(), reading.server());
        if *method == Method::Ack {
            let same_hop = |t: &Transaction| {
                t.method == Method::Invite && Fit::Hosts <= t.hop.fit(client, server)
            };
            if let Some(invite) = self.newest(table, reading.clues.branch, same_hop) {
                table.at(invite).acks.push(id);
                return Some(invite);
            }
        }
        let transport = reading.message.envelope.transport;
        let late = |t: &Transaction| {
            t.request.is_none()
                && t.method == *method
                && t.cseq == reading.clues.cseq
                && t.hop.fit(client, server) == Fit::Exact
        };
        let found = match self.newest(table, reading.clues.branch, late) {
            Some(found) => {
                table.at(found).request = Some(id);
                found
            }
            None => self.open(table, reading, Some(id)),
        };
        table.join_hops(found, reading, note);
        match method {
            Method::Ack => self.acknowledge(table, found, id, reading),
            Method::Cancel => {
                let same_hop = |t: &Transaction| {
                    t.method == Method::Invite && t.hop.carries(client, server, transport)
                };
                if let Some(invite) = self.newest(table, reading.clues.branch, same_hop) {
                    table.at(invite).cancel.get_or_insert(found);
                    table.at(found).target = Some(invite);
                }
            }
            _ => {}
        }
        Some(found)
    }

    fn place_response(
        &mut self,
        table: &mut Table<'_>,
        id: MessageId,
        reading: &Reading<'_>,
        note: Note,
        status: Status,
    ) -> Option<TransactionId> {
        if let Note::Retransmission(of) = note {
            let found = table.entry_transaction(of)?;
            table.at(found).response_copies.push(id);
            return Some(found);
        }
        let found = match self.answered(table, reading, note) {
            Some(found) => found,
            None if reading.clues.method.is_some() => self.open(table, reading, None),
            None => return None,
        };
        let copy = table.is_copy(found, reading, status);
        let transaction = table.at(found);
        if copy {
            transaction.response_copies.push(id);
        } else {
            transaction.responses.push(id);
        }
        Some(found)
    }

    /// The transaction that a response answers.
    fn answered(
        &self,
        table: &Table<'_>,
        reading: &Reading<'_>,
        note: Note,
    ) -> Option<TransactionId> {
        let (client, server) = (reading.client(), reading.server());
        let mut best: Option<((Fit, bool), TransactionId)> = None;
        for at in self.branches.of(reading.clues.branch) {
            let Some(transaction) = table.transactions.get(at as usize) else { continue };
            let same_method =
                reading.clues.method.as_ref().is_none_or(|m| *m == transaction.method);
            if !same_method || transaction.method == Method::Ack {
                continue;
            }
            let score =
                (transaction.hop.fit(client, server), transaction.cseq == reading.clues.cseq);
            if best.is_none_or(|(old, _)| old < score) {
                best = Some((score, TransactionId::at(at)));
            }
        }
        let ((fit, _), found) = best?;
        // The next hop of a response seen elsewhere is the answer of a transaction not captured.
        let least = if matches!(note, Note::Forwarded(_)) { Fit::Hosts } else { Fit::Half };
        (least <= fit).then_some(found)
    }

    /// Files the ACK of a 2xx, transaction `own`, with the INVITE it acknowledges.
    fn acknowledge(
        &self,
        table: &mut Table<'_>,
        own: TransactionId,
        id: MessageId,
        reading: &Reading<'_>,
    ) {
        let (client, server) = (reading.client(), reading.server());
        let mut best: Option<(Fit, TransactionId)> = None;
        for at in self.invites.iter().flat_map(|all| all.of(reading.clues.invite())) {
            let Some(invite) = table.transactions.get(at as usize) else { continue };
            let fit = invite.hop.fit(client, server);
            // Of several hops none of which is this one, the oldest is nearest the caller.
            if best.is_none_or(|(old, _)| old < fit || (old == fit && fit < Fit::Hosts)) {
                best = Some((fit, TransactionId::at(at)));
            }
        }
        let Some((fit, invite)) = best else { return };
        table.at(own).target = Some(invite);
        if Fit::Hosts <= fit {
            table.at(invite).acks.push(id);
        }
    }

    fn open(
        &mut self,
        table: &mut Table<'_>,
        reading: &Reading<'_>,
        request: Option<MessageId>,
    ) -> TransactionId {
        let id = TransactionId::at(table.transactions.len() as u32);
        let transport = reading.message.envelope.transport;
        let hop = Hop::new(reading.client(), reading.server(), transport);
        let method = reading.clues.method.clone().unwrap_or_else(|| Method::of(b""));
        if method == Method::Invite {
            self.invites.get_or_insert_default().file(reading.clues.invite(), id.place());
        }
        self.branches.file(reading.clues.branch, id.place());
        let transaction = Transaction::new(method, reading.clues.cseq, hop, request);
        push_slim(table.transactions, transaction);
        id
    }

    fn newest(
        &self,
        table: &Table<'_>,
        branch: u64,
        fits: impl Fn(&Transaction) -> bool,
    ) -> Option<TransactionId> {
        self.branches
            .of(branch)
            .find(|at| table.transactions.get(*at as usize).is_some_and(&fits))
            .map(TransactionId::at)
    }
}

impl Table<'_> {
    fn at(&mut self, id: TransactionId) -> &mut Transaction {
        &mut self.transactions[id.place() as usize]
    }

    fn entry_transaction(&self, id: MessageId) -> Option<TransactionId> {
        self.messages.get(id.place() as usize)?.transaction
    }

    /// Links `id` with the transaction of the same request on the hop before or after.
    fn join_hops(&mut self, id: TransactionId, reading: &Reading<'_>, note: Note) {
        let Note::Forwarded(of) = note else { return };
        let Some(other) = self.entry_transaction(of).filter(|other| *other != id) else { return };
        let entry = &self.messages[of.place() as usize];
        // Two capture points with two clocks may show the second hop first.
        let backwards = reading.clues.print.vias() < count_vias(&entry.message);
        let (before, after) = if backwards { (id, other) } else { (other, id) };
        if self.at(after).previous_hop.is_none() && self.at(before).previous_hop != Some(after) {
            self.at(after).previous_hop = Some(before);
            self.at(before).next_hops.push(after);
        }
    }

    /// True when the transaction has this response already: same status, To tag and RSeq, although
    /// it came too late or too changed to be noted as a retransmission.
    fn is_copy(&self, id: TransactionId, reading: &Reading<'_>, status: Status) -> bool {
        if status.is_provisional() {
            return false;
        }
        self.transactions[id.place() as usize].responses.iter().take(16).any(|old| {
            let old = &self.messages[old.place() as usize].message;
            old.status() == Some(status)
                && old.to_tag().unwrap_or_default() == reading.to_tag
                && old.cseq().map(|c| c.number) == reading.clues.cseq
        })
    }
}
