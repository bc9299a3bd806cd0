//! The handshake messages a reader of captures needs: hellos, tickets, what ends a flight.

use super::keylog::ClientRandom;
use crate::octets::octets;

/// `ServerHello` with this random asks the client to try again (RFC 8446 section 4.1.3).
const RETRY_RANDOM: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// What a handshake message says to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Handshake {
    /// `ClientHello`.
    ClientHello(ClientHello),
    /// `ServerHello`.
    ServerHello(ServerHello),
    /// `HelloRetryRequest`.
    Retry,
    /// `NewSessionTicket` of TLS 1.2 (RFC 5077).
    Ticket(Box<[u8]>),
    /// `EndOfEarlyData`.
    EndOfEarlyData,
    /// Finished.
    Finished,
    /// `KeyUpdate` (RFC 8446 section 4.6.3).
    KeyUpdate,
    /// Anything else.
    Other,
}

/// The parts of a `ClientHello` that matter here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ClientHello {
    /// Names the connection in the key log.
    pub(super) random: ClientRandom,
    /// Session to resume, maybe empty.
    pub(super) session: Box<[u8]>,
    /// Ticket to resume with (RFC 5077).
    pub(super) ticket: Box<[u8]>,
    /// Server name asked for (RFC 6066 section 3).
    pub(super) server_name: Option<String>,
}

/// The parts of a `ServerHello` that matter here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ServerHello {
    /// Server random.
    pub(super) random: [u8; 32],
    /// Session identifier, maybe empty.
    pub(super) session: Box<[u8]>,
    /// Cipher suite number.
    pub(super) suite: u16,
    /// 0x0303 for TLS 1.2, 0x0304 for TLS 1.3.
    pub(super) version: u16,
    /// `encrypt_then_mac` was agreed (RFC 7366).
    pub(super) encrypt_then_mac: bool,
}

/// Takes the first handshake message off `bytes`: its meaning and its length with header.
/// `None` when it is not all there.
pub(super) fn next(bytes: &[u8]) -> Option<(Handshake, usize)> {
    let [kind, a, b, c, rest @ ..] = bytes else { return None };
    let len = u32::from_be_bytes([0, *a, *b, *c]) as usize;
    let body = rest.get(..len)?;
    let message = match kind {
        1 => client_hello(body).map_or(Handshake::Other, Handshake::ClientHello),
        2 => match server_hello(body) {
            Some(hello) if hello.random == RETRY_RANDOM => Handshake::Retry,
            Some(hello) => Handshake::ServerHello(hello),
            None => Handshake::Other,
        },
        4 => ticket(body).map_or(Handshake::Other, Handshake::Ticket),
        5 => Handshake::EndOfEarlyData,
        20 => Handshake::Finished,
        24 => Handshake::KeyUpdate,
        _ => Handshake::Other,
    };
    Some((message, 4 + len))
}

fn client_hello(body: &[u8]) -> Option<ClientHello> {
    let mut read = Bytes(body);
    read.take(2)?;
    let random = ClientRandom::try_from(read.take(32)?).ok()?;
    let session = read.vec8()?.into();
    read.vec16()?;
    read.vec8()?;
    let mut hello = ClientHello { random, session, ..ClientHello::default() };
    for_each_extension(read, |kind, value| match kind {
        0 => hello.server_name = server_name(value),
        35 => hello.ticket = value.into(),
        _ => {}
    });
    Some(hello)
}

fn server_hello(body: &[u8]) -> Option<ServerHello> {
    let mut read = Bytes(body);
    let version = read.u16()?;
    let random = <[u8; 32]>::try_from(read.take(32)?).ok()?;
    let session = read.vec8()?.into();
    let suite = read.u16()?;
    read.take(1)?;
    let mut hello = ServerHello { random, session, suite, version, encrypt_then_mac: false };
    for_each_extension(read, |kind, value| match (kind, value) {
        (22, _) => hello.encrypt_then_mac = true,
        (43, [high, low]) => hello.version = u16::from_be_bytes([*high, *low]),
        _ => {}
    });
    Some(hello)
}

fn ticket(body: &[u8]) -> Option<Box<[u8]>> {
    let mut read = Bytes(body);
    read.take(4)?;
    Some(read.vec16()?.into())
}

fn server_name(value: &[u8]) -> Option<String> {
    let mut list = Bytes(Bytes(value).vec16()?);
    let kind = list.take(1)?;
    let name = list.vec16()?;
    (kind == [0]).then(|| octets(name).into_owned())
}

fn for_each_extension(mut read: Bytes<'_>, mut each: impl FnMut(u16, &[u8])) {
    let Some(all) = read.vec16() else { return };
    let mut all = Bytes(all);
    while let (Some(kind), Some(value)) = (all.u16(), all.vec16()) {
        each(kind, value);
    }
}

/// Reads from the front.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(head)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2).map(|b| u16::from_be_bytes([b[0], b[1]]))
    }

    fn vec8(&mut self) -> Option<&'a [u8]> {
        let len = self.take(1)?[0];
        self.take(len as usize)
    }

    fn vec16(&mut self) -> Option<&'a [u8]> {
        let len = self.u16()?;
        self.take(len as usize)
    }
}
