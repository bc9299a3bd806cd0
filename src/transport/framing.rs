//! SIP on a byte stream: where each message begins and ends (RFC 3261 section 18.3).
//!
//! Content-Length alone says where a message ends: a body may hold anything, start lines too.
//! What the stream lost, or a Content-Length that lies, costs the messages it touches and no
//! more: the next message is looked for by its head.

use memchr::memmem;

use crate::net::stream::After;
use crate::transport::head::{self, Head, Length};
use crate::transport::layer::{Context, Found, Input, Sink};
use crate::transport::peek::{cut_first_line, head_end};
use crate::transport::start::{self, Probe, Search};
use crate::transport::{Completeness, Transport};

/// Cuts one direction of a stream into messages.
#[derive(Debug)]
pub struct Framer {
    transport: Transport,
    state: State,
}

/// Where in the stream the first octet not consumed is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Between two messages.
    Border,
    /// At a start line; no empty line in the first `scanned` octets.
    Head { scanned: usize },
    /// At the start line of a message of so many octets.
    Sized { total: usize },
    /// At the start line of a message whose body has no declared end: it goes on to the next
    /// start line, which is not in the first `scanned` octets.
    Open { head: usize, scanned: usize },
    /// In a message that is lost; its end is that far.
    Passing { left: u64 },
    /// Nobody knows: the next message is looked for.
    Lost,
}

/// How one step ended.
enum Step {
    /// Go on behind so many octets.
    Consumed(usize),
    /// Nothing more can be said before more octets come.
    Wait,
}

impl Framer {
    /// A framer at the border of a message.
    pub fn new(transport: Transport) -> Self {
        Self { transport, state: State::Border }
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
            let rest = Input { bytes: input.bytes.get(at..).unwrap_or_default(), ..input };
            let mut shifted = |end: usize, found: Found<'_>| sink(at + end, found);
            let step = match self.state {
                State::Border => self.border(rest, context, &mut shifted),
                State::Head { scanned } => self.head(scanned, rest, context, &mut shifted),
                State::Sized { total } => self.sized(total, rest, context, &mut shifted),
                State::Open { head, scanned } => {
                    self.open(head, scanned, rest, context, &mut shifted)
                }
                State::Passing { left } => self.passing(left, rest),
                State::Lost => self.search(rest, context),
            };
            match step {
                Step::Consumed(octets) => at += octets,
                Step::Wait => break,
            }
        }
        if let After::Gap(missing) = input.after {
            self.pass_gap(missing, context);
            return input.bytes.len();
        }
        at
    }

    /// The state behind a gap, all octets before it being done with.
    fn pass_gap(&mut self, missing: u64, context: &mut Context<'_>) {
        context.tally.lose(match context.missing {
            Completeness::Truncated => "truncated",
            _ => "tcp-gap",
        });
        self.state = match self.state {
            State::Passing { left } if missing < left => State::Passing { left: left - missing },
            State::Passing { left } if missing == left => State::Border,
            _ => State::Lost,
        };
    }

    fn border(&mut self, input: Input<'_>, context: &mut Context<'_>, sink: &mut Sink<'_>) -> Step {
        let bytes = input.bytes;
        let blank = start::blanks(bytes);
        if 0 < blank {
            let all = blank == bytes.len();
            if all && input.after == After::More && bytes.ends_with(b"\r") {
                return Step::Wait;
            }
            // A lone line end before a message is an untidy sender; more is a keep-alive
            // (RFC 5626 section 3.5.1).
            if all || 4 <= blank {
                sink(blank, Found::Ping(self.transport));
            }
            return Step::Consumed(blank);
        }
        match start::probe(bytes) {
            Probe::Certain => self.state = State::Head { scanned: 0 },
            Probe::Unsure if bytes.is_empty() || input.after == After::More => return Step::Wait,
            Probe::Unsure if cut_first_line(bytes).is_some() => {
                return self.cut(usize::MAX, input, context, sink);
            }
            Probe::Unsure => self.state = State::Lost,
            Probe::NotForUs => {
                context.tally.lose("desync");
                self.state = State::Lost;
            }
        }
        Step::Consumed(0)
    }

    fn head(
        &mut self,
        scanned: usize,
        input: Input<'_>,
        context: &mut Context<'_>,
        sink: &mut Sink<'_>,
    ) -> Step {
        let bytes = input.bytes;
        // What came in pieces is read when it is whole.
        let is_whole = scanned == 0 || head_end(bytes, scanned).is_some();
        let Some((end, head)) = is_whole.then(|| Head::read(bytes)).flatten() else {
            if context.limits.message < bytes.len() {
                return self.too_long(bytes, context);
            }
            if input.after == After::More {
                self.state = State::Head { scanned: bytes.len() };
                return Step::Wait;
            }
            return self.cut(usize::MAX, input, context, sink);
        };
        let length = match head {
            Head::One(length) => length,
            // The empty line is that of the next message: this one has none.
            Head::Torn(next) => return self.hand_out(bytes, next, Completeness::Desync, sink),
        };
        match length {
            Length::Octets(body) if context.limits.message < end + body => {
                context.tally.lose("too-long");
                self.state = State::Passing { left: (end + body) as u64 };
            }
            Length::Octets(body) => self.state = State::Sized { total: end + body },
            Length::Zero if follows(bytes, end) != Probe::NotForUs => {
                self.state = State::Sized { total: end };
            }
            Length::Zero | Length::Unknown => self.state = State::Open { head: end, scanned: end },
        }
        Step::Consumed(0)
    }

    fn sized(
        &mut self,
        total: usize,
        input: Input<'_>,
        context: &mut Context<'_>,
        sink: &mut Sink<'_>,
    ) -> Step {
        let bytes = input.bytes;
        if bytes.len() < total {
            return match input.after {
                After::More => Step::Wait,
                After::Gap(_) | After::End => self.cut(total, input, context, sink),
            };
        }
        if follows(bytes, total) != Probe::NotForUs {
            return self.hand_out(bytes, total, Completeness::Whole, sink);
        }
        // Content-Length lies. Where the declared body swallowed the next message, its head says
        // where it begins.
        let end = swallowed(bytes).filter(|&end| end < total).unwrap_or(total);
        self.hand_out(bytes, end, Completeness::Desync, sink)
    }

    fn open(
        &mut self,
        head: usize,
        scanned: usize,
        input: Input<'_>,
        context: &mut Context<'_>,
        sink: &mut Sink<'_>,
    ) -> Step {
        let bytes = input.bytes;
        let end = match start::find_next(bytes, scanned) {
            Search::Found(next) => next,
            Search::Pending(_) if context.limits.message < bytes.len() => {
                return self.too_long(bytes, context);
            }
            Search::Pending(scanned) => match input.after {
                After::Gap(_) => return self.cut(usize::MAX, input, context, sink),
                After::More if !head::looks_finished(bytes, head) => {
                    self.state = State::Open { head, scanned };
                    return Step::Wait;
                }
                After::More | After::End => bytes.len(),
            },
        };
        self.hand_out(bytes, end, Completeness::Whole, sink)
    }

    /// The octets that should follow are missing: hands out what is there.
    fn cut(
        &mut self,
        total: usize,
        input: Input<'_>,
        context: &mut Context<'_>,
        sink: &mut Sink<'_>,
    ) -> Step {
        let bytes = input.bytes;
        if let (After::End, Some(end)) = (input.after, swallowed(bytes)) {
            return self.hand_out(bytes, end, Completeness::Desync, sink);
        }
        self.hand_out(bytes, bytes.len(), context.missing, sink);
        self.state = match total {
            usize::MAX => State::Lost,
            total => State::Passing { left: (total - bytes.len()) as u64 },
        };
        Step::Consumed(bytes.len())
    }

    /// Gives the first `end` octets as a message, behind which there is a border.
    fn hand_out(
        &mut self,
        bytes: &[u8],
        end: usize,
        completeness: Completeness,
        sink: &mut Sink<'_>,
    ) -> Step {
        let text = bytes.get(..end).unwrap_or_default();
        sink(end, Found::Message { text, transport: self.transport, completeness });
        self.state = State::Border;
        Step::Consumed(end)
    }

    fn too_long(&mut self, bytes: &[u8], context: &mut Context<'_>) -> Step {
        context.tally.lose("too-long");
        self.state = State::Lost;
        Step::Consumed(bytes.len())
    }

    fn passing(&mut self, left: u64, input: Input<'_>) -> Step {
        let octets = usize::try_from(left).unwrap_or(usize::MAX).min(input.bytes.len());
        let left = left - octets as u64;
        self.state = if left == 0 { State::Border } else { State::Passing { left } };
        if left == 0 || 0 < octets { Step::Consumed(octets) } else { Step::Wait }
    }

    fn search(&mut self, input: Input<'_>, context: &mut Context<'_>) -> Step {
        let (skipped, step) = match start::search(input.bytes, input.after) {
            Search::Found(at) => {
                self.state = State::Head { scanned: 0 };
                (at, Step::Consumed(at))
            }
            Search::Pending(0) => return Step::Wait,
            Search::Pending(at) => (at, Step::Consumed(at)),
        };
        if skipped == 0 {
            return step;
        }
        context.tally.lose_many("skipped-octets", skipped as u64);
        step
    }
}

/// What stands behind the first `end` octets, line ends aside.
fn follows(bytes: &[u8], end: usize) -> Probe {
    let rest = bytes.get(end..).unwrap_or_default();
    start::probe(rest.get(start::blanks(rest)..).unwrap_or_default())
}

/// Where a message begins that a Content-Length too large made part of the body before it.
fn swallowed(bytes: &[u8]) -> Option<usize> {
    let at = start::find_message(bytes, 1)?;
    // A body that may hold a message: message/sip, message/sipfrag.
    let before = bytes.get(..at).unwrap_or_default();
    memmem::find(before, b"essage/sip").is_none().then_some(at)
}
