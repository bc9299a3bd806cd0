//! What becomes of the contents of packets: messages, keep-alives, reports of other places.

use std::sync::Arc;

use super::desk::{Desk, Origin};
use super::{Each, GivenUp};
use crate::frame::{Frame, Home};
use crate::limits::Limits;
use crate::net::decode::Incomplete;
use crate::net::skip::Skip;
use crate::net::stream::Arrival;
use crate::net::{PathId, Payload};
use crate::transport::datagram::Datagram;
use crate::transport::exported;
use crate::transport::hep::{self, Flaw, Mirrored};
use crate::transport::layer::Found;
use crate::transport::sctp::Associations;
use crate::transport::{Completeness, ConnectionChange, Transport};

impl Desk {
    /// Sends out what a layer over a stream found.
    pub(super) fn found(
        &mut self,
        origin: Origin,
        found: Found<'_>,
        home: Option<&Arc<Home>>,
        each: &mut Each<'_>,
    ) {
        match found {
            Found::Message { text, transport, completeness } => {
                self.message(origin, (transport, completeness), text, home, each);
            }
            Found::Mirrored(mirrored) => {
                self.mirrored(origin, (mirrored, Completeness::Whole), home, each);
            }
            Found::Ping(transport) => self.ping(origin, transport, each),
            Found::Alert(code) => {
                self.connection(origin, ConnectionChange::TlsAlert(code), each);
            }
        }
    }

    /// Takes a datagram in.
    pub(super) fn datagram(
        &mut self,
        origin: Origin,
        (bytes, cut): (&[u8], u32),
        limits: &Limits,
        home: Option<&Arc<Home>>,
        each: &mut Each<'_>,
    ) {
        let completeness = if cut == 0 { Completeness::Whole } else { Completeness::Truncated };
        match Datagram::of(bytes, cut) {
            Datagram::Message => {
                self.tally.sip_frames += 1;
                if 0 < cut {
                    self.tally.lose("truncated");
                }
                self.message(origin, (Transport::Udp, completeness), bytes, home, each);
            }
            Datagram::Blank if !self.expects_sip([origin.from, origin.to]) => {
                self.tally.other_frames += 1;
            }
            Datagram::Ping | Datagram::Blank => {
                self.tally.sip_frames += 1;
                self.ping(origin, Transport::Udp, each);
            }
            Datagram::NotForUs => match hep::read(bytes, Some(origin.arrival.time), limits) {
                Some(mirrored) => {
                    self.tally.sip_frames += 1;
                    self.mirrored(origin, (mirrored, completeness), home, each);
                }
                None => self.tally.other_frames += 1,
            },
        }
    }

    /// Takes in a message that comes without its packets.
    pub(super) fn exported(&mut self, frame: &Frame<'_>, arrival: Arrival, each: &mut Each<'_>) {
        let Some(found) = exported::read(frame.bytes) else {
            return self.skip(Skip::Undecodable);
        };
        self.note_hosts((found.from.ip, found.to.ip));
        if Datagram::of(found.payload, frame.cut()) != Datagram::Message {
            self.tally.other_frames += 1;
            return;
        }
        self.tally.sip_frames += 1;
        let completeness = match frame.cut() {
            0 => Completeness::Whole,
            _ => Completeness::Truncated,
        };
        if completeness != Completeness::Whole {
            self.tally.lose("truncated");
        }
        let origin = Origin {
            arrival,
            from: found.from,
            to: found.to,
            connection: 0,
            ip_id: None,
            path: PathId::default(),
            fragments: 1,
        };
        self.message(origin, (found.transport, completeness), found.payload, frame.home, each);
    }

    /// Takes in what an agent saw elsewhere.
    pub(super) fn mirrored(
        &mut self,
        origin: Origin,
        (mirrored, completeness): (Result<Mirrored<'_>, Flaw>, Completeness),
        home: Option<&Arc<Home>>,
        each: &mut Each<'_>,
    ) {
        let mirrored = match mirrored {
            Ok(mirrored) => mirrored,
            Err(flaw) => return self.tally.lose(flaw.reason()),
        };
        if !mirrored.is_sip() {
            return self.tally.lose("hep-not-sip");
        }
        if completeness != Completeness::Whole {
            self.tally.lose("truncated");
        }
        let time = self.time_of(mirrored.time, mirrored.capture_id, &origin);
        let path = match (mirrored.capture_id, mirrored.node) {
            (None, None) => origin.path,
            (id, node) => self.path_of_agent(id.unwrap_or_default(), node.unwrap_or_default()),
        };
        let origin = Origin {
            arrival: Arrival { time, ..origin.arrival },
            from: mirrored.from,
            to: mirrored.to,
            connection: 0,
            ip_id: None,
            path,
            ..origin
        };
        let carriage = (mirrored.transport, completeness);
        self.message(origin, carriage, &mirrored.payload, home, each);
    }

    /// Takes in the chunks of an SCTP packet.
    pub(super) fn chunks(
        &mut self,
        associations: &mut Associations,
        origin: Origin,
        chunks: &[u8],
        home: Option<&Arc<Home>>,
        each: &mut Each<'_>,
    ) {
        let before = self.tally.messages;
        let let_go = associations.read((origin.from, origin.to), chunks, &mut |text, how| {
            let cut = u32::from(how != Completeness::Whole);
            if Datagram::of(text, cut) == Datagram::Message {
                if 0 < cut {
                    self.tally.lose("truncated");
                }
                self.message(origin, (Transport::Sctp, how), text, home, each);
            }
        });
        if 0 < let_go {
            self.tally.lose_many("let-go", let_go);
        }
        if before < self.tally.messages {
            self.tally.sip_frames += 1;
        } else {
            self.tally.other_frames += 1;
        }
    }

    /// Counts a frame that gave no packet.
    pub(super) fn skip(&mut self, skip: Skip) {
        match skip.reason() {
            Some(reason) => {
                self.tally.skipped_frames += 1;
                self.tally.lose(reason);
            }
            None => self.tally.other_frames += 1,
        }
    }

    /// A datagram whose fragments did not all come: its head is shown when it is SIP.
    pub(super) fn give_up(&mut self, incomplete: &Incomplete<'_>, each: &mut Each<'_>) -> GivenUp {
        self.tally.lose("fragment-lost");
        let mut given_up = GivenUp { datagram: incomplete.datagram, is_sip: false };
        let Some(packet) = incomplete.packet else { return given_up };
        let Payload::Datagram(bytes) = packet.payload else { return given_up };
        given_up.is_sip = Datagram::of(bytes, packet.cut.max(1)) == Datagram::Message;
        if given_up.is_sip {
            let origin = Origin::of(&packet, incomplete.arrival);
            self.message(origin, (Transport::Udp, Completeness::Gap), bytes, None, each);
        }
        given_up
    }
}
