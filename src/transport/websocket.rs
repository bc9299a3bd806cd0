//! SIP over WebSocket: one direction's frames become messages (RFC 7118, RFC 6455 section 5).
//!
//! Nothing of the handshake is needed: masks are in the frames, and a stream that was compressed
//! afresh for every message (no context takeover) inflates with the window of the last one too.

mod frame;
mod inflate;

use self::frame::{Header, Opcode};
use self::inflate::Inflate;
use crate::net::stream::After;
use crate::transport::layer::{Context, Found, Input, Sink};
use crate::transport::peek::is_start_line;
use crate::transport::start::{self, Probe};
use crate::transport::{Completeness, Transport};

/// Messages that may come without one of SIP among them.
const PATIENCE: u32 = 16;
/// Octets of a compressed frame that is looked for without knowing where frames begin.
const LONGEST_UNKNOWN: u64 = 64 << 10;
/// Octets of a payload that tell whether it is SIP.
const EVIDENCE: usize = 512;

/// One direction of a WebSocket.
#[derive(Debug)]
pub struct WebSocket {
    transport: Transport,
    state: State,
    /// The frames of a message so far, unmasked.
    gathered: Vec<u8>,
    gathering: Gathering,
    inflate: Option<Box<Inflate>>,
    /// What a frame of a compressed message looks like here, once one was seen.
    deflated: Option<Header>,
    content: Content,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At the header of a frame.
    Border,
    /// In a frame that is lost; its end is that far.
    Passing { left: u64 },
    /// Nobody knows: the next frame is looked for.
    Lost,
}

/// What the next continuation frame goes on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gathering {
    Nothing,
    Plain,
    Deflated,
}

/// What the messages were so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    Unknown { messages: u32 },
    Sip,
}

impl WebSocket {
    /// A WebSocket at the header of a frame.
    pub fn new(transport: Transport) -> Self {
        Self {
            transport,
            state: State::Border,
            gathered: Vec::new(),
            gathering: Gathering::Nothing,
            inflate: None,
            deflated: None,
            content: Content::Unknown { messages: 0 },
        }
    }

    /// True when it talks something else.
    pub fn is_not_for_us(&self) -> bool {
        matches!(self.content, Content::Unknown { messages } if PATIENCE < messages)
    }

    /// Octets of private memory it holds.
    pub fn heap_size(&self) -> usize {
        let window = self.inflate.as_ref().map_or(0, |_| Inflate::HEAP);
        size_of::<Self>() + self.gathered.capacity() + window
    }

    /// Hands out what is whole in `input` and returns how many octets are done with.
    pub fn advance(
        &mut self,
        input: Input<'_>,
        context: &mut Context<'_>,
        sink: &mut Sink<'_>,
    ) -> usize {
        let mut at = 0;
        loop {
            let rest = input.bytes.get(at..).unwrap_or_default();
            let mut shifted = |end: usize, found: Found<'_>| sink(at + end, found);
            let used = match self.state {
                State::Border => self.border(rest, context, &mut shifted),
                State::Passing { left } => self.passing(left, rest.len()),
                State::Lost => self.search(rest),
            };
            match used {
                Some(octets) => at += octets,
                None => break,
            }
        }
        if input.after == After::More {
            return at;
        }
        let rest = input.bytes.get(at..).unwrap_or_default();
        let left = self.cut(rest, input.bytes.len(), context, sink);
        if let After::Gap(missing) = input.after {
            context.tally.lose(match context.missing {
                Completeness::Truncated => "truncated",
                _ => "tcp-gap",
            });
            self.inflate = None;
            self.state = match left {
                Some(left) if missing < left => State::Passing { left: left - missing },
                Some(left) if missing == left => State::Border,
                _ => State::Lost,
            };
        }
        input.bytes.len()
    }

    /// Reads one frame; `None` while it is not all there.
    fn border(
        &mut self,
        bytes: &[u8],
        context: &mut Context<'_>,
        sink: &mut Sink<'_>,
    ) -> Option<usize> {
        let header = match Header::of(bytes) {
            Ok(header) => header?,
            Err(_) => {
                context.tally.lose("ws-desync");
                self.drop_gathered();
                self.state = State::Lost;
                return Some(0);
            }
        };
        let total = header.total();
        let gathered = self.gathered.len() as u64;
        if context.limits.message as u64 <= header.octets.saturating_add(gathered) {
            context.tally.lose("too-long");
            self.drop_gathered();
            self.state = State::Passing { left: total };
            return Some(0);
        }
        let total = usize::try_from(total).ok()?;
        let payload = bytes.get(header.len..total)?;
        self.take(header, payload, total, context, sink);
        Some(total)
    }

    /// Takes a whole frame in, which ends at `end`.
    fn take(
        &mut self,
        header: Header,
        payload: &[u8],
        end: usize,
        context: &mut Context<'_>,
        sink: &mut Sink<'_>,
    ) {
        let deflated = if header.deflated { Gathering::Deflated } else { Gathering::Plain };
        match header.opcode {
            Opcode::Ping | Opcode::Pong => {
                if self.content == Content::Sip {
                    sink(end, Found::Ping(self.transport));
                }
                return;
            }
            Opcode::Close => return,
            // The beginning of the message is lost.
            Opcode::Continuation if self.gathering == Gathering::Nothing => return,
            Opcode::Continuation => {}
            Opcode::Text | Opcode::Binary => {
                self.drop_gathered();
                self.gathering = deflated;
            }
        }
        let alone = self.gathered.is_empty() && header.is_last;
        if alone && header.mask.is_none() && self.gathering == Gathering::Plain {
            self.gathering = Gathering::Nothing;
            self.hand_out(payload, end, Completeness::Whole, sink);
            return;
        }
        header.unmask(payload, &mut self.gathered);
        if !header.is_last {
            return;
        }
        let gathered = std::mem::take(&mut self.gathered);
        match std::mem::replace(&mut self.gathering, Gathering::Nothing) {
            Gathering::Deflated => {
                self.deflated = Some(header);
                let inflate = self.inflate.get_or_insert_default();
                match inflate.message(&gathered, context.limits.inflate) {
                    Ok(text) => self.hand_out(&text, end, Completeness::Whole, sink),
                    Err(failure) => {
                        context.tally.lose(failure.reason());
                        self.inflate = None;
                    }
                }
            }
            Gathering::Plain | Gathering::Nothing => {
                self.hand_out(&gathered, end, Completeness::Whole, sink);
            }
        }
    }

    /// Hands out a message, if it is one of SIP.
    fn hand_out(&mut self, text: &[u8], end: usize, whole: Completeness, sink: &mut Sink<'_>) {
        if is_start_line(text) {
            self.content = Content::Sip;
            let transport = self.transport;
            sink(end, Found::Message { text, transport, completeness: whole });
        } else if start::blanks(text) == text.len() && self.content == Content::Sip {
            sink(end, Found::Ping(self.transport));
        } else if let Content::Unknown { messages } = &mut self.content {
            *messages = messages.saturating_add(1);
        }
    }

    /// The octets that should follow are missing: hands out what is there of a message, and
    /// returns how far its frame goes on.
    fn cut(
        &mut self,
        bytes: &[u8],
        end: usize,
        context: &mut Context<'_>,
        sink: &mut Sink<'_>,
    ) -> Option<u64> {
        let left = match self.state {
            State::Passing { left } => Some(left),
            State::Border | State::Lost => None,
        };
        let header = match self.state {
            State::Border => Header::of(bytes).ok().flatten(),
            State::Passing { .. } | State::Lost => None,
        };
        if let Some(header) = header {
            let payload = bytes.get(header.len..).unwrap_or_default();
            match header.opcode {
                Opcode::Text | Opcode::Binary => {
                    self.drop_gathered();
                    self.gathering =
                        if header.deflated { Gathering::Deflated } else { Gathering::Plain };
                    header.unmask(payload, &mut self.gathered);
                }
                Opcode::Continuation => header.unmask(payload, &mut self.gathered),
                Opcode::Close | Opcode::Ping | Opcode::Pong => {}
            }
        }
        let gathered = std::mem::take(&mut self.gathered);
        match std::mem::replace(&mut self.gathering, Gathering::Nothing) {
            Gathering::Plain => self.hand_out(&gathered, end, context.missing, sink),
            Gathering::Deflated => context.tally.lose("ws-deflate"),
            Gathering::Nothing => {}
        }
        left.or_else(|| Some(header?.total() - bytes.len() as u64))
    }

    fn drop_gathered(&mut self) {
        self.gathered = Vec::new();
        self.gathering = Gathering::Nothing;
    }

    fn passing(&mut self, left: u64, there: usize) -> Option<usize> {
        let octets = usize::try_from(left).unwrap_or(usize::MAX).min(there);
        let left = left - octets as u64;
        self.state = if left == 0 { State::Border } else { State::Passing { left } };
        (left == 0 || 0 < octets).then_some(octets)
    }

    fn search(&mut self, bytes: &[u8]) -> Option<usize> {
        for at in 0..bytes.len() {
            let rest = bytes.get(at..).unwrap_or_default();
            let verdict = match (probe(rest), &self.deflated) {
                // It may go on from what was lost: then it is counted as unread.
                (Probe::NotForUs, Some(like)) => like.probe_chain(rest),
                (verdict, _) => verdict,
            };
            match verdict {
                Probe::Certain => {
                    self.state = State::Border;
                    return Some(at);
                }
                Probe::Unsure => return (0 < at).then_some(at),
                Probe::NotForUs => {}
            }
        }
        (!bytes.is_empty()).then_some(bytes.len())
    }
}

impl Header {
    /// Whether `bytes` are a frame like this one, compressed and of the same side, and what
    /// follows it may be a frame too.
    fn probe_chain(&self, bytes: &[u8]) -> Probe {
        let Ok(Some(header)) = Self::of(bytes) else { return Probe::NotForUs };
        let is_alike = header.deflated
            && header.opcode == self.opcode
            && header.mask.is_some() == self.mask.is_some()
            && header.octets <= LONGEST_UNKNOWN;
        if !is_alike {
            return Probe::NotForUs;
        }
        match bytes.get(header.total() as usize..) {
            None => Probe::Unsure,
            Some(next) if Self::of(next).is_ok() => Probe::Certain,
            Some(_) => Probe::NotForUs,
        }
    }
}

/// Whether `bytes` are a frame that begins a message of SIP.
pub fn probe(bytes: &[u8]) -> Probe {
    let header = match Header::of(bytes) {
        Ok(Some(header)) => header,
        Ok(None) => return Probe::Unsure,
        Err(_) => return Probe::NotForUs,
    };
    if !matches!(header.opcode, Opcode::Text | Opcode::Binary) || header.octets < 16 {
        return Probe::NotForUs;
    }
    let available = bytes.get(header.len..).unwrap_or_default();
    let wanted = usize::try_from(header.octets).unwrap_or(usize::MAX);
    let payload = available.get(..wanted.min(EVIDENCE)).unwrap_or(available);
    let mut text = Vec::with_capacity(payload.len());
    header.unmask(payload, &mut text);
    if header.deflated {
        text = Inflate::default().beginning(&text);
        return match start::probe(&text) {
            Probe::Unsure if payload.len() == wanted.min(EVIDENCE) => Probe::NotForUs,
            verdict => verdict,
        };
    }
    start::probe(&text)
}
