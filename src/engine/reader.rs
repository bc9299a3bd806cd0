//! Frames in, SIP messages and what happened around them out: decoding, reassembly, framing.

mod clocks;
mod desk;
mod direction;
mod fate;
mod finds;
mod seen;
mod vault;

use std::sync::Arc;

pub use self::fate::{Carries, Fate, GivenUp};

use self::desk::{Desk, Origin};
use self::direction::{Direction, Opening};
use self::vault::Vault;
use crate::frame::{Frame, Home};
use crate::limits::{Limits, Tally};
use crate::model::Vantage;
use crate::net::connections::{Change, Connection, Connections, Keep, Seen, Side};
use crate::net::decode::Decoder;
use crate::net::skip::Skip;
use crate::net::stream::{After, Arrival, Readable, Reading};
use crate::net::{Packet, PathId, Payload, Segment};
use crate::transport::carrier::Carrier;
use crate::transport::exported;
use crate::transport::layer::{Context, Found, Input};
use crate::transport::sctp::Associations;
use crate::transport::secure::Secure;
use crate::transport::tls::{KeyLog, More};
use crate::transport::{Completeness, ConnectionChange, Observation, Transport};

/// Who takes what the reader finds.
pub type Each<'e> = dyn FnMut(Observation<'_>) + 'e;

/// Reads frames in capture order and hands out what is found, numbered in that order.
///
/// A message is handed out by the frame that completed it; what waits for something lost is
/// handed out when it is given up, or by [`finish`](Self::finish).
pub struct Reader {
    limits: Limits,
    decoder: Decoder,
    connections: Connections<Link>,
    associations: Associations,
    desk: Desk,
    vault: Vault,
    given_up: Vec<GivenUp>,
}

impl Reader {
    /// A reader within `limits`.
    pub fn new(limits: &Limits) -> Self {
        Self {
            limits: limits.clone(),
            decoder: Decoder::new(limits),
            connections: Connections::new(limits),
            associations: Associations::new(limits),
            desk: Desk::new(limits),
            vault: Vault::new(limits),
            given_up: Vec::new(),
        }
    }

    /// Takes in the lines of a TLS key log; they open the connections that come after.
    pub fn add_secrets(&mut self, key_log: &[u8]) {
        self.vault.secrets.log.add(key_log);
    }

    /// The key log grows: `more` is asked for its new lines where a connection lacks secrets, and
    /// connections wait for them, in bounds.
    pub fn grow_secrets(&mut self, more: More) {
        self.vault.secrets.grow(more);
    }

    /// The clock of this machine was set by `nanos` so far, while the times of frames went on as before:
    /// agents whose clocks are right differ from them by so much.
    pub fn set_clock(&mut self, nanos: i64) {
        self.desk.set_clock(nanos);
    }

    /// The secrets known so far.
    pub fn key_log(&self) -> &KeyLog {
        &self.vault.secrets.log
    }

    /// Takes a frame in, and says what became of it.
    pub fn read(&mut self, frame: &Frame<'_>, each: &mut Each<'_>) -> Fate {
        let arrival = Arrival { frame: frame.id, time: frame.time };
        self.desk.note_frame(frame);
        let before = self.desk.tally.sip_frames;
        self.give_up_waiting(arrival, each);
        let Self { limits, decoder, connections, associations, desk, vault, .. } = self;
        if frame.link == exported::LINK_TYPE {
            desk.exported(frame, arrival, each);
            return desk.fate_since(before, Fate::Other);
        }
        let plain = decoder.decode_datagram(frame);
        // Most frames of most captures; said here so that they cost little.
        if let Some(fate) = plain.as_ref().and_then(|packet| desk.foreign(packet)) {
            return fate;
        }
        let decoded = plain.map_or_else(|| decoder.decode(frame), Ok);
        let packet = match &decoded {
            Ok(packet) => packet,
            Err(skip) => {
                desk.skip(*skip);
                return if *skip == Skip::FragmentHeld { Fate::Fragment } else { Fate::Other };
            }
        };
        if let Some(fate) = desk.foreign(packet) {
            return fate;
        }
        desk.note_direction(packet);
        let datagram = Fate::Datagram { from: packet.from, to: packet.to };
        match &packet.payload {
            Payload::Datagram(bytes) => {
                let origin = Origin::of(packet, arrival);
                desk.datagram(origin, (bytes, packet.cut), limits, frame.home, each);
                desk.fate_since(before, datagram)
            }
            Payload::Segment(segment) => {
                let missing = match packet.cut {
                    0 => Completeness::Gap,
                    _ => Completeness::Truncated,
                };
                let seen = connections.observe(packet, segment, arrival);
                let fate = Pass { limits, desk, vault, missing, home: frame.home, each }
                    .segment(seen, packet, segment, arrival);
                desk.lose("let-go-connections", connections.take_let_go());
                while let Some((number, ends)) = vault.surplus() {
                    vault.release(number);
                    let Some(connection) = connections.find(ends, number) else { continue };
                    desk.tally.lose("let-go-tls");
                    Pass { limits, desk, vault, missing, home: None, each }.shut(connection);
                }
                fate
            }
            Payload::Sctp(chunks) => {
                let origin = Origin::of(packet, arrival);
                desk.chunks(associations, origin, chunks, frame.home, each);
                desk.fate_since(before, Fate::Other)
            }
            Payload::IcmpError(error) => {
                desk.tally.other_frames += 1;
                desk.unreachable(Origin::of(packet, arrival), error, each);
                Fate::of_error(error)
            }
        }
    }

    /// Hands out what there is of what was waited for long enough.
    fn give_up_waiting(&mut self, arrival: Arrival, each: &mut Each<'_>) {
        let Self { limits, decoder, connections, desk, vault, given_up, .. } = self;
        given_up.clear();
        while let Some((connection, side)) = connections.overdue(arrival.time) {
            Pass { limits, desk, vault, missing: Completeness::Gap, home: None, each }
                .waited(connection, side, arrival);
        }
        while let Some(incomplete) = decoder.expire(arrival.time) {
            given_up.push(desk.give_up(&incomplete, each));
        }
    }

    /// Hands out what is left when there are no more frames.
    pub fn finish(&mut self, each: &mut Each<'_>) {
        let Self { limits, decoder, connections, associations, desk, vault, given_up } = self;
        given_up.clear();
        while let Some(incomplete) = decoder.finish() {
            given_up.push(desk.give_up(&incomplete, each));
        }
        while let Some(connection) = connections.finish() {
            Pass { limits, desk, vault, missing: Completeness::Gap, home: None, each }
                .ended(connection);
        }
        for _ in 0..associations.waiting() {
            desk.tally.lose("sctp-gap");
        }
        vault.tell(&mut desk.tally);
        desk.settle();
    }

    /// The fragmented datagrams that the frame read last is a part of, outermost first, by number;
    /// all but the last are whole, and that one too unless the frame's fate was
    /// [`Fate::Fragment`].
    pub fn datagrams(&self) -> &[u64] {
        self.decoder.datagrams()
    }

    /// The datagrams given up when the last frame was read, or at the end, in the order in which
    /// what they show was handed out.
    pub fn given_up(&self) -> &[GivenUp] {
        &self.given_up
    }

    /// TCP connections held now.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// What was counted so far; hosts that there was no room for some packets later.
    pub fn tally(&self) -> &Tally {
        &self.desk.tally
    }

    /// Takes the sentences for the user that are not told by the [tally](Self::tally) then.
    pub fn take_notices(&mut self) -> Vec<String> {
        std::mem::take(&mut self.desk.tally.notices)
    }

    /// Forgets the ends of connections that the [vantage](Self::vantage) remembers; each was handed
    /// out when it happened.
    pub fn forget_ends(&mut self) {
        self.desk.forget_ends();
    }

    /// What the capture point could see so far.
    pub fn vantage(&mut self) -> Vantage {
        self.desk.vantage()
    }

    /// Names the encapsulations of [`Envelope::path`](crate::transport::Envelope::path), outermost
    /// first; empty without any.
    pub fn path(&self, id: PathId) -> &str {
        self.desk.agent(id).unwrap_or_else(|| self.decoder.path(id))
    }
}

/// What is kept for a TCP connection.
#[derive(Debug)]
struct Link {
    /// What each side sends.
    carriers: [Carrier; 2],
    standing: Standing,
    path: PathId,
    /// Who opened it and when, until it is told.
    opened: Option<Opening>,
    /// What is inside, when it is TLS.
    secure: Option<Box<Secure>>,
}

/// Whether a connection is of interest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Nothing is known.
    Stranger,
    /// Its ends are known for SIP, or its port is.
    Expected,
    /// It carried SIP.
    Sip,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            carriers: [const { Carrier::new(Transport::Tcp) }; 2],
            standing: Standing::Stranger,
            path: PathId::default(),
            opened: None,
            secure: None,
        }
    }
}

impl Keep for Link {
    fn held(&self) -> usize {
        let secure = self.secure.as_ref().map_or(0, |secure| secure.heap_size());
        secure + self.carriers.iter().map(Carrier::heap_size).sum::<usize>()
    }

    fn is_proven(&self) -> bool {
        self.standing == Standing::Sip
    }
}

/// One passage through the streams: what all of it needs.
struct Pass<'p, 'e> {
    limits: &'p Limits,
    desk: &'p mut Desk,
    vault: &'p mut Vault,
    /// How a message is called whose end is missing.
    missing: Completeness,
    home: Option<&'p Arc<Home>>,
    each: &'p mut Each<'e>,
}

impl Pass<'_, '_> {
    /// A segment came.
    fn segment(
        &mut self,
        seen: Seen<'_, Link>,
        packet: &Packet<'_>,
        segment: &Segment<'_>,
        arrival: Arrival,
    ) -> Fate {
        let Seen { ended, connection, side, change } = seen;
        for old in ended.drain(..) {
            self.ended(old);
        }
        let direction = Direction::of(connection, side);
        let link = &mut connection.state;
        link.path = packet.path;
        if segment.flags.syn {
            link.carriers[side as usize].open();
        }
        if link.standing == Standing::Stranger && self.desk.expects_sip([packet.from, packet.to]) {
            link.standing = Standing::Expected;
        }
        if change == Some(Change::Opened) {
            link.opened = Some(Opening { arrival, direction });
        }
        let (stream, link) = connection.parts(side);
        self.drain(stream.insert(segment, packet.cut, arrival), link, direction);
        if segment.flags.rst {
            let direction = Direction::of(connection, side.other());
            let (stream, link) = connection.parts(side.other());
            self.drain(stream.read(arrival), link, direction);
        }
        self.tell(&mut connection.state, change, direction.origin(arrival, packet.path));
        match connection.state.standing {
            Standing::Sip => self.desk.tally.sip_frames += 1,
            Standing::Stranger | Standing::Expected => self.desk.tally.other_frames += 1,
        }
        Fate::of_segment(connection.number, &connection.state)
    }

    /// Octets of `side` were waited for long enough.
    fn waited(&mut self, connection: &mut Connection<Link>, side: Side, arrival: Arrival) {
        let direction = Direction::of(connection, side);
        let (stream, link) = connection.parts(side);
        self.drain(stream.read(arrival), link, direction);
    }

    /// Nothing will come any more on a connection.
    fn ended(&mut self, mut connection: Connection<Link>) {
        self.conclude(&mut connection);
    }

    /// Hands out what is left of a connection, and says why it could not be read if so.
    fn conclude(&mut self, connection: &mut Connection<Link>) {
        for side in Side::BOTH {
            let direction = Direction::of(connection, side);
            let (reading, link) = connection.finish(side);
            self.drain(reading, link, direction);
        }
        let Some(secure) = &connection.state.secure else { return };
        self.vault.release(connection.number);
        if let Some(reason) = secure.verdict().reason() {
            self.desk.tally.lose(reason);
        }
        if connection.state.standing != Standing::Stranger {
            self.vault.note(secure, |side| connection.from(side));
        }
    }

    /// Closes a connection of TLS that may not be held any longer.
    fn shut(&mut self, connection: &mut Connection<Link>) {
        self.conclude(connection);
        connection.state.secure = None;
        connection.state.carriers = [const { Carrier::NotForUs }; 2];
        connection.ignore();
    }

    /// Reads all that can be read of a stream.
    fn drain(&mut self, mut reading: Reading<'_>, link: &mut Link, direction: Direction) {
        loop {
            let Readable { bytes, after } = reading.readable();
            if bytes.is_empty() && after == After::More {
                return;
            }
            let used = self.advance(&reading, Input { bytes, after }, link, direction);
            reading.consume(used);
            let After::Gap(_) = after else { break };
            self.desk.note_gap();
            if link.standing == Standing::Sip {
                let origin = direction.origin(reading.arrival(0), link.path);
                self.desk.gap(origin, self.each);
            }
            reading.pass_gap();
        }
        let carrier = &link.carriers[direction.side as usize];
        let shut = link.secure.as_ref().is_some_and(|secure| secure.is_shut());
        if carrier.is_deaf() || shut {
            reading.ignore();
        }
    }

    /// Gives octets to the carrier of a direction, and sends out what it finds.
    fn advance(
        &mut self,
        reading: &Reading<'_>,
        input: Input<'_>,
        link: &mut Link,
        direction: Direction,
    ) -> usize {
        let carrier = &mut link.carriers[direction.side as usize];
        if link.secure.is_some() && matches!(carrier, Carrier::Probing(_)) {
            *carrier = Carrier::Tls;
        }
        if matches!(carrier, Carrier::Tls) {
            return self.unseal(reading, input, link, direction);
        }
        let Self { limits, desk, missing, home, each, .. } = self;
        let Link { carriers, standing, path, opened, .. } = link;
        let [lower, higher] = carriers;
        let carrier = match direction.side {
            Side::Lower => lower,
            Side::Higher => higher,
        };
        let patient = *standing != Standing::Stranger;
        let mut lost = Tally::default();
        let mut context = Context { limits, tally: &mut lost, missing: *missing };
        let used = carrier.advance(input, patient, &mut context, &mut |end, found| {
            *standing = Standing::Sip;
            if let Some(opening) = opened.take() {
                desk.connection(opening.origin(*path), ConnectionChange::Opened, each);
            }
            let origin = direction.origin(reading.arrival(end), *path);
            let found = match found {
                Found::Message { text, transport, completeness } => {
                    Found::Message { text: reading.captured(text), transport, completeness }
                }
                other => other,
            };
            desk.found(origin, found, *home, each);
        });
        desk.tally.add(&lost);
        if matches!(carrier, Carrier::Tls) {
            return used
                + self.unseal(
                    reading,
                    Input { bytes: input.bytes.get(used..).unwrap_or_default(), ..input },
                    link,
                    direction,
                );
        }
        used
    }

    /// Gives octets of TLS to what opens them, and sends out what it finds inside.
    fn unseal(
        &mut self,
        reading: &Reading<'_>,
        input: Input<'_>,
        link: &mut Link,
        direction: Direction,
    ) -> usize {
        let Self { limits, desk, vault, missing, each, .. } = self;
        let Link { secure, standing, path, opened, .. } = link;
        if secure.is_none() {
            vault.hold(direction.number, direction.ends());
        }
        let secure = secure.get_or_insert_default();
        let mut lost = Tally::default();
        let mut context = Context { limits, tally: &mut lost, missing: *missing };
        let arrival = reading.arrival(input.bytes.len());
        secure.advance(
            &mut vault.secrets,
            direction.side,
            input,
            &mut context,
            &mut |side, found| {
                // An alert is told of connections that are of interest anyway.
                let alert = matches!(found, Found::Alert(_));
                if alert && *standing == Standing::Stranger {
                    return;
                }
                if !alert {
                    *standing = Standing::Sip;
                }
                if let Some(opening) = opened.take() {
                    desk.connection(opening.origin(*path), ConnectionChange::Opened, each);
                }
                let direction = if side == direction.side { direction } else { direction.turned() };
                desk.found(direction.origin(arrival, *path), found, None, each);
            },
        );
        desk.tally.add(&lost);
        input.bytes.len()
    }

    /// Tells what became of a connection that is of interest.
    fn tell(&mut self, link: &mut Link, change: Option<Change>, origin: Origin) {
        if link.standing == Standing::Stranger {
            return;
        }
        if let Some(opening) = link.opened.take() {
            let opening = opening.origin(link.path);
            self.desk.connection(opening, ConnectionChange::Opened, self.each);
        }
        let change = match change {
            None | Some(Change::Opened) => return,
            Some(Change::Closed) => ConnectionChange::Closed,
            Some(Change::Reset) => ConnectionChange::Reset,
            Some(Change::Refused) => ConnectionChange::Refused,
        };
        self.desk.connection(origin, change, self.each);
    }
}
