//! Which packets are kept: all, those of SIP, or those of calls that were chosen.
//!
//! What a frame belongs to may be known only later: a fragment, the handshake of a connection, the
//! first messages of a call that is chosen by its last. Such frames are held as copies, in bounds,
//! and handed out when they are decided, after frames that came later than they did.

mod claims;
mod held;
mod media;

use std::str::FromStr;

use self::claims::{Claims, Shelf, Subject, Ticket};
use self::media::Media;
use super::reader::{Carries, Fate, GivenUp, Reader};
use crate::frame::{Frame, FrameId};
use crate::model::Seed;
use crate::net::recent::Recent;
use crate::sip::{Message, Method};
use crate::time::{SECOND, Timestamp};
use crate::transport::peek::peek_call_id;
use crate::transport::{Envelope, Observation, Text};

/// How long after its end a call's ports are taken to be its own.
const LINGER: i64 = 60 * SECOND;
/// Calls remembered as chosen, and as not chosen so far; endpoints of media; frames of signalling,
/// and of media, and what they belong to: of each so many at most.
const MOST: usize = 65_536;
/// Octets that one of each takes, with room that lists grow into.
const ONE_OF_EACH: usize = 512;
/// Datagrams remembered as kept, for a second tap that is late.
const DATAGRAMS: usize = 4_096;

/// Which packets are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// Those that carry SIP, with all fragments and all of a connection.
    Sip,
    /// The messages of chosen calls and their media.
    Calls,
    /// All.
    #[default]
    All,
}

impl FromStr for Keep {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "sip" => Ok(Self::Sip),
            "calls" => Ok(Self::Calls),
            "all" => Ok(Self::All),
            _ => Err("expected sip, calls or all".to_owned()),
        }
    }
}

/// Takes the frames that are kept.
pub type Sink<'s> = dyn FnMut(&Frame<'_>) + 's;

/// Decides frame by frame.
///
/// For each frame: [`hear`](Self::hear) what the reader finds in it, [`choose`](Self::choose) calls,
/// then [`take`](Self::take) the frame.
pub struct Keeping {
    keep: Keep,
    seed: Seed,
    /// Calls and endpoints that are remembered.
    most: usize,
    claims: Claims,
    /// Datagrams that were kept.
    datagrams: Recent<u64, ()>,
    chosen: Recent<u64, Life>,
    others: Recent<u64, Life>,
    ports: Media,
    /// Messages that the frame at hand brought to light.
    heard: Vec<Heard>,
}

/// Until when ports belong to a call; for ever while it lasts.
#[derive(Clone, Copy, Debug, Default)]
struct Life(Option<Timestamp>);

#[derive(Clone, Copy, Debug)]
struct Heard {
    frame: FrameId,
    /// 0 for a datagram.
    connection: u32,
    /// None for a message without Call-ID.
    call: Option<u64>,
}

impl Keeping {
    /// Nothing is held so far. `seed` keys the hashes of Call-IDs; at most `memory` octets
    /// are used.
    pub fn new(keep: Keep, seed: Seed, memory: usize) -> Self {
        let most = MOST.min(memory / 2 / ONE_OF_EACH);
        Self {
            keep,
            seed,
            most,
            claims: Claims::new(memory, most),
            datagrams: Recent::default(),
            chosen: Recent::default(),
            others: Recent::default(),
            ports: Media::new(most),
            heard: Vec::new(),
        }
    }

    /// Frames that had to be let go before anybody knew whether they are kept.
    pub fn let_go(&self) -> u64 {
        self.claims.let_go
    }

    /// Those of them that turned out to be of what is kept: they are missing.
    pub fn missed(&self) -> u64 {
        self.claims.missed
    }

    /// Frames held now, roughly.
    pub fn held(&self) -> usize {
        self.claims.len()
    }

    /// Takes note of what the reader found in the frame that is taken next.
    pub fn hear(&mut self, observation: &Observation<'_>) {
        match *observation {
            _ if self.keep == Keep::All => {}
            Observation::Message { envelope, text, .. } => {
                let call = match self.keep {
                    Keep::Calls => self.hear_of_call(envelope, text),
                    Keep::Sip | Keep::All => Some(0),
                };
                let Envelope { frame, connection, .. } = envelope;
                self.heard.push(Heard { frame, connection, call });
            }
            Observation::Unreachable { signal, quoted, .. } => {
                let call = peek_call_id(quoted).map(|id| self.seed.hash(id));
                self.heard.push(Heard { frame: signal.frame, connection: 0, call });
            }
            Observation::Ping { .. } | Observation::Connection { .. } | Observation::Gap { .. } => {
            }
        }
    }

    /// Chooses a call by its Call-ID: what is held of it is handed out, what comes is kept.
    pub fn choose(&mut self, call_id: &[u8], sink: &mut Sink<'_>) {
        let call = self.seed.hash(call_id);
        let life = self.others.remove(&call).unwrap_or_default();
        self.chosen.upsert(call, |_| true, || life);
        if self.most < self.chosen.len() {
            self.chosen.remove_oldest();
        }
        self.claims.release(Subject::Call(call), sink);
    }

    /// Takes in a frame that `reader` has read to this `fate`.
    pub fn take(&mut self, frame: &Frame<'_>, fate: Fate, reader: &Reader, sink: &mut Sink<'_>) {
        match self.keep {
            Keep::All => return sink(frame),
            Keep::Sip => {
                self.settle_past(Some(frame.id), reader.given_up(), sink);
                self.take_sip(frame, fate, reader.datagrams(), sink);
            }
            Keep::Calls => {
                self.settle_past(Some(frame.id), reader.given_up(), sink);
                self.take_of_calls(frame, fate, reader.datagrams(), sink);
            }
        }
        self.heard.clear();
        self.claims.keep_bounds();
    }

    /// Takes in what `reader` found when there were no more frames.
    pub fn finish(&mut self, reader: &Reader, sink: &mut Sink<'_>) {
        self.settle_past(None, reader.given_up(), sink);
        self.settle_streams(sink);
        self.heard.clear();
    }

    /// The call a message belongs to, its ports, whether it goes on.
    fn hear_of_call(&mut self, envelope: Envelope, text: &[u8]) -> Option<u64> {
        let message = Message::parse(envelope, Text::of(text, None))?;
        let call = self.seed.hash(message.call_id().filter(|id| !id.is_empty())?);
        let life = match self.chosen.touch(&call) {
            Some(life) => life,
            None => self.others.upsert(call, |_| true, Life::default).0,
        };
        life.go_on(&message);
        if self.most < self.others.len() {
            self.others.remove_oldest();
        }
        if let Some(description) = message.sdp() {
            self.ports.learn(call, description);
        }
        Some(call)
    }

    /// Decides on datagrams that were given up, whose messages are not of the frame at hand.
    fn settle_past(&mut self, now: Option<FrameId>, given_up: &[GivenUp], sink: &mut Sink<'_>) {
        let mut at = 0;
        for gone in given_up {
            let subject = Subject::Datagram(gone.datagram);
            let past = |heard: &Heard| heard.connection == 0 && Some(heard.frame) != now;
            let later = self.heard.get(at..).unwrap_or_default();
            let shown = later.iter().position(past).filter(|_| gone.is_sip);
            match shown.and_then(|ahead| self.heard.get(at + ahead).copied().zip(Some(ahead))) {
                Some((heard, ahead)) => {
                    at += ahead + 1;
                    self.settle(subject, heard.call.as_slice(), sink);
                }
                None => self.claims.discard(subject),
            }
        }
    }

    /// Hands what is held of connections to the calls whose messages were found in them.
    fn settle_streams(&mut self, sink: &mut Sink<'_>) {
        let mut streams: Vec<(u32, u64)> = self
            .heard
            .iter()
            .filter(|heard| heard.connection != 0)
            .filter_map(|heard| Some((heard.connection, heard.call?)))
            .collect();
        streams.sort_unstable();
        streams.dedup();
        for calls in streams.chunk_by(|one, other| one.0 == other.0) {
            let Some(&(connection, _)) = calls.first() else { continue };
            let calls: Vec<u64> = calls.iter().map(|&(_, call)| call).collect();
            self.settle(Subject::Connection(connection), &calls, sink);
        }
    }

    /// [`Keep::Sip`].
    fn take_sip(&mut self, frame: &Frame<'_>, fate: Fate, datagrams: &[u64], sink: &mut Sink<'_>) {
        self.settle_streams(sink);
        match fate {
            Fate::Fragment => self.take_fragment(frame, datagrams, sink),
            Fate::Sip => self.assign((frame, Shelf::Signalling), datagrams, &[0], sink),
            Fate::Segment { connection, carries: Carries::Sip } => {
                self.claims.release(Subject::Connection(connection), sink);
                self.assign((frame, Shelf::Signalling), datagrams, &[0], sink);
            }
            Fate::Segment { connection, carries: Carries::Unknown } => {
                self.await_more(frame, datagrams, Subject::Connection(connection));
            }
            Fate::Segment { connection, carries: Carries::NotForUs } => {
                self.claims.discard(Subject::Connection(connection));
                self.discard_all(datagrams);
            }
            Fate::Datagram { .. } | Fate::Other => self.discard_all(datagrams),
        }
    }

    /// [`Keep::Calls`].
    fn take_of_calls(
        &mut self,
        frame: &Frame<'_>,
        fate: Fate,
        datagrams: &[u64],
        sink: &mut Sink<'_>,
    ) {
        match fate {
            Fate::Fragment => self.take_fragment(frame, datagrams, sink),
            Fate::Sip => {
                let own = |heard: &&Heard| heard.connection == 0 && heard.frame == frame.id;
                let calls: Vec<u64> =
                    self.heard.iter().filter(own).filter_map(|heard| heard.call).collect();
                self.assign((frame, Shelf::Signalling), datagrams, &calls, sink);
            }
            Fate::Segment { connection, carries: Carries::NotForUs } => {
                self.claims.discard(Subject::Connection(connection));
                self.discard_all(datagrams);
            }
            Fate::Segment { connection, .. } => {
                let subject = Subject::Connection(connection);
                let ticket = self.await_more(frame, datagrams, subject);
                self.settle_streams(sink);
                // Its end may begin the next message.
                if let Some(ticket) = ticket
                    && self.claims.holds(ticket)
                    && !self.claims.has(subject)
                {
                    self.claims.add(subject, ticket);
                }
                return;
            }
            Fate::Datagram { from, to } => {
                let mut calls: Vec<u64> = self.ports.calls(from).to_vec();
                calls.extend_from_slice(self.ports.calls(to));
                calls.sort_unstable();
                calls.dedup();
                calls.retain(|call| self.lives(*call, frame.time));
                self.assign((frame, Shelf::Media), datagrams, &calls, sink);
            }
            Fate::Other => self.discard_all(datagrams),
        }
        self.settle_streams(sink);
    }

    /// Holds a fragment until its datagram is whole.
    fn take_fragment(&mut self, frame: &Frame<'_>, datagrams: &[u64], sink: &mut Sink<'_>) {
        let Some((&pending, whole)) = datagrams.split_last() else { return };
        if self.datagrams.touch(&pending).is_none() {
            self.await_more(frame, whole, Subject::Datagram(pending));
            return;
        }
        for &datagram in whole {
            self.claims.release(Subject::Datagram(datagram), sink);
        }
        sink(frame);
    }

    /// Holds a frame, and the fragments it completes, until `subject` is decided.
    fn await_more(
        &mut self,
        frame: &Frame<'_>,
        datagrams: &[u64],
        subject: Subject,
    ) -> Option<Ticket> {
        for &datagram in datagrams {
            self.claims.hand_over(Subject::Datagram(datagram), &[subject]);
        }
        self.claims.hold(frame, Shelf::Signalling, &[subject])
    }

    /// Gives a frame, and the fragments it completes, to its calls.
    fn assign(
        &mut self,
        (frame, shelf): (&Frame<'_>, Shelf),
        datagrams: &[u64],
        calls: &[u64],
        sink: &mut Sink<'_>,
    ) {
        for &datagram in datagrams {
            self.settle(Subject::Datagram(datagram), calls, sink);
        }
        if self.keeps(calls) {
            sink(frame);
        } else {
            self.claims.hold(frame, shelf, &subjects(calls));
        }
    }

    /// Hands out what is held of `subject` when one of `calls` is kept; else they wait for it.
    fn settle(&mut self, subject: Subject, calls: &[u64], sink: &mut Sink<'_>) {
        if !self.keeps(calls) {
            return self.claims.hand_over(subject, &subjects(calls));
        }
        self.claims.release(subject, sink);
        if let Subject::Datagram(datagram) = subject {
            self.datagrams.upsert(datagram, |()| true, || ());
            if DATAGRAMS < self.datagrams.len() {
                self.datagrams.remove_oldest();
            }
        }
    }

    /// True when messages of one of `calls` are kept.
    fn keeps(&mut self, calls: &[u64]) -> bool {
        match self.keep {
            Keep::Sip | Keep::All => !calls.is_empty(),
            Keep::Calls => calls.iter().any(|call| self.chosen.touch(call).is_some()),
        }
    }

    /// Whether the ports of a call are its own at `now`.
    fn lives(&mut self, call: u64, now: Timestamp) -> bool {
        let life = self.chosen.peek(&call).or_else(|| self.others.peek(&call));
        life.is_some_and(|life| life.0.is_none_or(|end| now <= end))
    }

    fn discard_all(&mut self, datagrams: &[u64]) {
        for &datagram in datagrams {
            self.claims.discard(Subject::Datagram(datagram));
        }
    }
}

fn subjects(calls: &[u64]) -> Vec<Subject> {
    calls.iter().map(|&call| Subject::Call(call)).collect()
}

impl Life {
    /// A call ends with BYE, or when its INVITE is refused; another INVITE or an answer to one goes
    /// on with it.
    fn go_on(&mut self, message: &Message) {
        let of_invite = message.cseq().is_some_and(|cseq| cseq.method == b"INVITE");
        let end = Some(message.envelope.time.plus(LINGER));
        match (message.method(), message.status()) {
            (Some(Method::Bye), _) => self.0 = end,
            (Some(Method::Invite), _) => self.0 = None,
            (None, Some(status)) if of_invite => match status.0 {
                // Asked again with credentials or at another place.
                300..400 | 401 | 407 => {}
                400.. => self.0 = end,
                _ => self.0 = None,
            },
            _ => {}
        }
    }
}
