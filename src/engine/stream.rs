//! Messages one by one in capture order, none of them held: what a stream of rows is made of.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use super::Feed;
use super::parsed::Parsed;
use crate::frame::FrameId;
use crate::limits::Tally;
use crate::model::{Passages, Print, Seed, Sighted};
use crate::sip::Message;

/// Takes a message, its relation to earlier ones by frame, and the encapsulations it came in.
pub type EachMessage<'e> = dyn FnMut(&Message, Sighted<FrameId>, &str) -> ControlFlow<()> + 'e;

/// Observations become messages that know what they repeat.
pub struct Stream {
    passages: Passages<Glimpse>,
    seed: Seed,
    unreadable: u64,
    ready: VecDeque<(Message, Sighted<FrameId>)>,
}

/// What is kept of a message that went by.
#[derive(Clone, Copy)]
struct Glimpse {
    frame: FrameId,
    /// The key of its octets.
    text: u64,
}

impl Stream {
    /// A stream whose hashes are keyed with `seed`.
    pub fn new(seed: Seed) -> Self {
        Self::of(Passages::default(), seed)
    }

    /// The same that remembers no more than `messages` of which copies may come.
    pub fn within(seed: Seed, messages: u32) -> Self {
        Self::of(Passages::new(messages), seed)
    }

    fn of(passages: Passages<Glimpse>, seed: Seed) -> Self {
        Self { passages, seed, unreadable: 0, ready: VecDeque::new() }
    }

    /// Takes in what was seen next; to be followed by [`poll`](Self::poll) until it says `None`.
    pub fn observe(&mut self, seen: Parsed<'_>) {
        match seen {
            Parsed::Message(message) => {
                let print = Print::of(&message, self.seed);
                let text = self.seed.hash(message.text());
                let glimpse = Glimpse { frame: message.envelope.frame, text };
                let sighted = self.passages.observe(&print, glimpse, |old| old.text == text);
                self.ready.push_back((message.into_owned(), sighted.map(|old| old.frame)));
            }
            Parsed::Unreadable => self.unreadable += 1,
            Parsed::Beside(_) => {}
        }
    }

    /// The next message that was taken in.
    pub fn poll(&mut self) -> Option<(Message, Sighted<FrameId>)> {
        self.ready.pop_front()
    }

    /// Adds what could not be read or remembered to the counters of a feed.
    #[must_use]
    pub fn tally(&self, mut tally: Tally) -> Tally {
        let lost = [("undecodable", self.unreadable), ("let-go-copies", self.passages.let_go())];
        for (reason, count) in lost.into_iter().filter(|(_, count)| *count != 0) {
            tally.lose_many(reason, count);
        }
        tally
    }
}

/// Hands each message of `feed` to `each` in capture order. Holds those of one frame.
pub fn stream(feed: &mut dyn Feed, seed: Seed, each: &mut EachMessage<'_>) -> Tally {
    let mut stream = Stream::new(seed);
    let mut flow = ControlFlow::Continue(());
    while flow.is_continue() {
        let more = feed.advance(&mut |observation| stream.observe(Parsed::of(&observation)));
        while let Some((message, sighted)) = stream.poll() {
            if flow.is_continue() {
                flow = each(&message, sighted, feed.path(message.envelope.path));
            }
        }
        if !more {
            break;
        }
    }
    stream.tally(feed.tally())
}
