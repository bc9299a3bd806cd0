//! One TLS connection: two directions, their records and what opens them.

use super::handshake::{self, ClientHello, Handshake, ServerHello};
use super::keylog::Label;
use super::record::{Opened, Opener};
use super::secrets::Secrets;
use super::suite::Suite;
use crate::net::connections::Side;

/// Octets a record may declare: 2^14 and the expansion of TLS 1.2 (RFC 5246 section 6.2.3).
pub(super) const MAX_RECORD: u16 = 16_384 + 2_048;
/// Octets of one direction held while the other side's hello is awaited.
const MAX_HELD: usize = 128 << 10;
/// The same while secrets are awaited that the key log may come to hold.
const MAX_AWAITED: usize = 32 << 10;
/// Octets of one handshake message that are gathered; certificates chains stay below.
const MAX_HANDSHAKE: usize = 128 << 10;
/// Records that may be missing between two that were captured, when octets are known to be lost.
const MAX_SKIP: u64 = 256;
/// Records refused in a row after which keys are called wrong.
const MAX_REFUSED: u32 = 8;

/// What a connection tells while it is fed.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// Application octets from `side`, in order.
    Plain {
        /// Who sent them.
        side: Side,
        /// The octets.
        bytes: &'a [u8],
    },
    /// Application octets from `side` are missing here.
    Gap {
        /// Whose octets.
        side: Side,
    },
    /// An alert.
    Alert {
        /// Who sent it.
        side: Side,
        /// Ends the connection; a `close_notify` is no failure.
        fatal: bool,
        /// `AlertDescription` (RFC 8446 section 6).
        description: u8,
    },
}

/// Why a connection is open or shut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Records are being opened.
    Open,
    /// No application data was seen.
    Idle,
    /// No secret for this connection.
    NoKeys,
    /// There are secrets, but no record opens with them.
    WrongKeys,
    /// Records were opened, but the last ones of a direction were not.
    Partly,
    /// The handshake was not captured.
    NoHandshake,
    /// A cipher suite that is not opened here.
    Suite(u16),
}

impl Verdict {
    /// The word a connection is counted under when it stays shut.
    pub const fn reason(self) -> Option<&'static str> {
        match self {
            Self::Open | Self::Idle => None,
            Self::NoKeys => Some("encrypted"),
            Self::WrongKeys => Some("encrypted-wrong-keys"),
            Self::Partly => Some("encrypted-partly"),
            Self::NoHandshake => Some("encrypted-no-handshake"),
            Self::Suite(_) => Some("encrypted-unknown-cipher"),
        }
    }
}

/// One TLS connection, fed with the octets of both directions in order.
#[derive(Default)]
pub struct Connection {
    halves: [Half; 2],
    client: Option<Side>,
    client_hello: Option<ClientHello>,
    server_hello: Option<ServerHello>,
    master: Option<Box<[u8]>>,
    /// A ticket that came before the secrets were known.
    ticket: Option<Box<[u8]>>,
    had_keys: bool,
    /// Its secrets are not waited for any longer.
    gave_up: bool,
    /// The server asked the client to try again.
    retried: bool,
    opened: u64,
    sealed: u64,
    /// Who sent an alert that could not be opened, before any data.
    sealed_alert: Option<Side>,
}

/// One direction.
#[derive(Default)]
struct Half {
    /// Octets of records that are not whole yet, or wait for the other side.
    held: Vec<u8>,
    /// Octets of a handshake message that is not whole yet.
    handshake: Vec<u8>,
    /// Keys to try, the current ones first. TLS 1.3 lists early, handshake and application keys;
    /// a record that opens with later ones retires the earlier.
    openers: Vec<Opener>,
    /// Keys that `ChangeCipherSpec` puts in force (TLS 1.2).
    pending: Option<Opener>,
    /// Protected records follow.
    protected: bool,
    /// Octets were lost before what comes next.
    lost: bool,
    /// Records refused in a row.
    refused: u32,
}

/// What became of one record.
enum Step {
    Done,
    /// It cannot be understood before the other side's hello.
    Wait,
}

impl Connection {
    /// Takes in the next octets of `side` and tells what they mean.
    pub fn feed(
        &mut self,
        secrets: &mut Secrets,
        side: Side,
        bytes: &[u8],
        each: &mut dyn FnMut(Event<'_>),
    ) {
        self.halves[side as usize].held.extend_from_slice(bytes);
        if self.awaits_keys(secrets) {
            self.agree_again(secrets);
        }
        self.drain(secrets, side, each);
        // What the other side sent may have waited for this hello.
        if !self.halves[side.other() as usize].held.is_empty() {
            self.drain(secrets, side.other(), each);
        }
        if secrets.is_growing() && self.halves.iter().any(|half| MAX_AWAITED < half.held.len()) {
            self.give_up(secrets, side, each);
        }
    }

    /// Waits no longer for secrets that the key log may come to hold; `side` sent last. Those that
    /// come later open nothing of it: what they would begin with has passed.
    pub fn give_up(&mut self, secrets: &mut Secrets, side: Side, each: &mut dyn FnMut(Event<'_>)) {
        let is_awaiting = self.awaits_keys(secrets);
        if std::mem::replace(&mut self.gave_up, true) || !secrets.is_growing() {
            return;
        }
        if is_awaiting {
            self.agree_again(secrets);
        }
        self.drain(secrets, side.other(), each);
        self.drain(secrets, side, each);
    }

    /// True while what follows the hellos cannot be opened, but maybe will once the key log has
    /// grown: whoever writes it may be slower than the network.
    fn awaits_keys(&self, secrets: &Secrets) -> bool {
        let is_read = |hello: &ServerHello| Suite::of(hello.suite).is_some();
        secrets.is_growing()
            && !self.had_keys
            && !self.gave_up
            && self.client.is_some()
            && self.client_hello.is_some()
            && self.server_hello.as_ref().is_some_and(is_read)
    }

    /// Derives the keys, should the key log hold them by now.
    fn agree_again(&mut self, secrets: &mut Secrets) {
        if let Some(hello) = self.server_hello.take() {
            self.agree(secrets, &hello);
            self.server_hello = Some(hello);
        }
    }

    /// Octets of `side` were lost: what is held of a record is let go, and the next header looked
    /// for.
    pub fn gap(&mut self, side: Side) {
        let half = &mut self.halves[side as usize];
        half.held.clear();
        half.handshake.clear();
        half.lost = true;
    }

    /// Which side is the client.
    pub fn client(&self) -> Option<Side> {
        self.client
    }

    /// The name the client asked for.
    pub fn server_name(&self) -> Option<&str> {
        self.client_hello.as_ref()?.server_name.as_deref()
    }

    /// The version agreed on: 0x0303 is TLS 1.2, 0x0304 TLS 1.3.
    pub fn version(&self) -> Option<u16> {
        self.server_hello.as_ref().map(|hello| hello.version)
    }

    /// Why it is open or shut.
    pub fn verdict(&self) -> Verdict {
        match &self.server_hello {
            _ if self.opened > 0 && self.halves.iter().any(|half| half.refused > 0) => {
                Verdict::Partly
            }
            _ if self.opened > 0 => Verdict::Open,
            _ if self.sealed == 0 => Verdict::Idle,
            None => Verdict::NoHandshake,
            Some(_) if self.client_hello.is_none() => Verdict::NoHandshake,
            Some(hello) if Suite::of(hello.suite).is_none() => Verdict::Suite(hello.suite),
            Some(_) if self.had_keys => Verdict::WrongKeys,
            Some(_) => Verdict::NoKeys,
        }
    }

    /// Who sent an alert that could not be opened, before any data: the handshake failed.
    pub const fn sealed_alert(&self) -> Option<Side> {
        self.sealed_alert
    }

    /// Octets of private memory it holds.
    pub fn heap_size(&self) -> usize {
        self.halves.iter().map(|half| half.held.capacity() + half.handshake.capacity()).sum()
    }

    fn drain(&mut self, secrets: &mut Secrets, side: Side, each: &mut dyn FnMut(Event<'_>)) {
        let held = std::mem::take(&mut self.halves[side as usize].held);
        let mut at = 0;
        while let Some(record) = Record::first(&held[at..]) {
            match record {
                Record::Whole { header, payload } => {
                    if let Step::Wait = self.record(secrets, side, header, payload, each) {
                        break;
                    }
                    at += 5 + payload.len();
                }
                Record::Garbage(skip) => {
                    self.halves[side as usize].lost = true;
                    at += skip;
                }
            }
        }
        let half = &mut self.halves[side as usize];
        half.held = held[at..].to_vec();
        if half.held.len() > MAX_HELD {
            half.held.clear();
            half.lost = true;
            self.sealed += 1;
        }
    }

    fn record(
        &mut self,
        secrets: &mut Secrets,
        side: Side,
        header: [u8; 5],
        payload: &[u8],
        each: &mut dyn FnMut(Event<'_>),
    ) -> Step {
        let kind = header[0];
        // Without the answer it is not known what the client's keys are, nor of which version
        // its ChangeCipherSpec is; a client that is asked to try again sends one before.
        let early = kind == 23 || (kind == 20 && !self.retried);
        let waits = self.client == Some(side) && self.server_hello.is_none() && early;
        if waits || self.awaits_client(side, kind, payload) {
            return Step::Wait;
        }
        let modern = self.is_modern();
        // From here on it is protected.
        if kind == if modern { 23 } else { 20 } && self.awaits_keys(secrets) {
            return Step::Wait;
        }
        let half = &mut self.halves[side as usize];
        if kind == 20 {
            // In TLS 1.3 it is sent for old middleboxes only (RFC 8446 appendix D.4).
            if !modern {
                half.protected = true;
                half.openers = half.pending.take().into_iter().collect();
            }
            return Step::Done;
        }
        // TLS 1.3 hides every protected record as application data.
        let protected = if modern { kind == 23 } else { half.protected || kind == 23 };
        if !protected {
            self.content(secrets, side, kind, payload, each);
            return Step::Done;
        }
        let was_lost = half.lost;
        match half.open(header, payload) {
            Some(opened) => {
                self.opened += 1;
                if was_lost && opened.kind == 23 {
                    each(Event::Gap { side });
                }
                self.content(secrets, side, opened.kind, &opened.content, each);
            }
            None if kind == 23 || modern => self.sealed += 1,
            None if kind == 21 && self.sealed == 0 && self.opened == 0 => {
                self.sealed_alert.get_or_insert(side);
            }
            None => {}
        }
        Step::Done
    }

    /// True for TLS 1.3; only its servers ask a client to try again.
    fn is_modern(&self) -> bool {
        self.retried || self.server_hello.as_ref().is_some_and(|hello| hello.version >= 0x0304)
    }

    /// True when `payload` is a `ServerHello` whose `ClientHello` has not come yet.
    fn awaits_client(&self, side: Side, kind: u8, payload: &[u8]) -> bool {
        self.client_hello.is_none()
            && kind == 22
            && self.halves[side as usize].handshake.is_empty()
            && payload.first() == Some(&2)
    }

    fn content(
        &mut self,
        secrets: &mut Secrets,
        side: Side,
        kind: u8,
        bytes: &[u8],
        each: &mut dyn FnMut(Event<'_>),
    ) {
        match (kind, bytes) {
            (23, bytes) if !bytes.is_empty() => each(Event::Plain { side, bytes }),
            (21, &[level, description]) => {
                // TLS 1.3 leaves the level out of account (RFC 8446 section 6).
                let fatal =
                    description != 0 && (level == 2 || (self.is_modern() && description != 90));
                each(Event::Alert { side, fatal, description });
            }
            (22, bytes) => self.gather(secrets, side, bytes),
            _ => {}
        }
    }

    /// Puts handshake messages together, over as many records as they take.
    fn gather(&mut self, secrets: &mut Secrets, side: Side, bytes: &[u8]) {
        let mut all = std::mem::take(&mut self.halves[side as usize].handshake);
        all.extend_from_slice(bytes);
        let mut at = 0;
        while let Some((message, len)) = handshake::next(&all[at..]) {
            at += len;
            self.handshake(secrets, side, message);
        }
        all.drain(..at);
        if all.len() <= MAX_HANDSHAKE {
            self.halves[side as usize].handshake = all;
        }
    }

    fn handshake(&mut self, secrets: &mut Secrets, side: Side, message: Handshake) {
        match message {
            Handshake::ClientHello(hello) => {
                let known = self.client_hello.as_ref().map(|known| known.random);
                if known == Some(hello.random) {
                    // The second one after HelloRetryRequest says nothing new.
                    return;
                }
                self.client = Some(side);
                self.client_hello = Some(hello);
                self.server_hello = None;
            }
            Handshake::ServerHello(hello) => {
                self.client.get_or_insert(side.other());
                self.agree(secrets, &hello);
                self.server_hello = Some(hello);
            }
            Handshake::Ticket(ticket) => match &self.master {
                Some(master) => secrets.remember(&ticket, master),
                None => self.ticket = Some(ticket),
            },
            Handshake::KeyUpdate => self.halves[side as usize].update(),
            Handshake::Retry => self.retried = true,
            Handshake::EndOfEarlyData | Handshake::Finished | Handshake::Other => {}
        }
    }

    /// Both hellos are known: derives the keys.
    fn agree(&mut self, secrets: &mut Secrets, server: &ServerHello) {
        let (Some(client), Some(side)) = (&self.client_hello, self.client) else { return };
        let Some(suite) = Suite::of(server.suite) else { return };
        secrets.look();
        if server.version >= 0x0304 {
            let opener = |label| {
                secrets.log.get(&client.random, label).and_then(|s| Opener::tls13(suite, s))
            };
            let forth = [Label::ClientEarly, Label::ClientHandshake, Label::ClientTraffic];
            let back = [Label::ServerHandshake, Label::ServerTraffic];
            let (forth, back): (Vec<_>, Vec<_>) = (
                forth.into_iter().filter_map(opener).collect(),
                back.into_iter().filter_map(opener).collect(),
            );
            let has = |label| secrets.log.get(&client.random, label).is_some();
            let is_whole = has(Label::ClientTraffic) && has(Label::ServerTraffic);
            if secrets.is_growing() && !self.gave_up && !is_whole {
                // The others are on their way.
                return;
            }
            self.had_keys |= !forth.is_empty() || !back.is_empty();
            self.halves[side as usize].openers = forth;
            self.halves[side.other() as usize].openers = back;
            return;
        }
        let Some(master) = secrets.master(client, server) else { return };
        self.had_keys = true;
        for name in [Some(&server.session), self.ticket.take().as_ref()].into_iter().flatten() {
            secrets.remember(name, &master);
        }
        let etm = server.encrypt_then_mac;
        let keys = Opener::tls12(suite, &master, &client.random, &server.random, etm);
        if let Some((forth, back)) = keys {
            self.halves[side as usize].pending = Some(forth);
            self.halves[side.other() as usize].pending = Some(back);
        }
        self.master = Some(master);
    }
}

impl Half {
    /// Opens a record with the first keys that fit and retires those before them.
    fn open(&mut self, header: [u8; 5], payload: &[u8]) -> Option<Opened> {
        if self.refused >= MAX_REFUSED {
            return None;
        }
        let skip = if self.lost { MAX_SKIP } else { 0 };
        let mut found = None;
        for (place, opener) in self.openers.iter_mut().enumerate() {
            if let Some(opened) = opener.open(header, payload, skip) {
                found = Some((place, opened));
                break;
            }
        }
        if found.is_none() && self.lost {
            // A KeyUpdate may be among what was lost.
            let next = self.openers.last().and_then(Opener::updated);
            found = next.and_then(|mut opener| {
                let opened = opener.open(header, payload, skip)?;
                self.openers.push(opener);
                Some((self.openers.len() - 1, opened))
            });
        }
        let Some((place, opened)) = found else {
            self.refused += 1;
            return None;
        };
        self.openers.drain(..place);
        self.refused = 0;
        self.lost = false;
        Some(opened)
    }

    fn update(&mut self) {
        if let Some(next) = self.openers.first().and_then(Opener::updated) {
            self.openers = vec![next];
        }
    }
}

/// The record at the head of a buffer.
enum Record<'a> {
    Whole {
        header: [u8; 5],
        payload: &'a [u8],
    },
    /// So many octets are no record.
    Garbage(usize),
}

impl<'a> Record<'a> {
    /// `None` when more octets are needed.
    fn first(bytes: &'a [u8]) -> Option<Self> {
        let header = *bytes.first_chunk::<5>()?;
        if !super::is_record(&header) {
            // After a loss: on to what may be the next header.
            let next = (1..bytes.len()).find(|&at| {
                let rest = &bytes[at..];
                rest.len() < 5 || super::is_record(rest)
            });
            return Some(Self::Garbage(next.unwrap_or(bytes.len())));
        }
        let len = u16::from_be_bytes([header[3], header[4]]) as usize;
        let payload = bytes.get(5..5 + len)?;
        Some(Self::Whole { header, payload })
    }
}
