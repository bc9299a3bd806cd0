//! What one way to show a live run has to do; each is a file beside this.

use std::collections::BTreeSet;
use std::io::{self, Write};

use crate::engine::Feed;
use crate::engine::live::SETTLED;
use crate::engine::parsed::Parsed;
use crate::limits::Tally;
use crate::model::audit::series::Stretch;
use crate::model::{CallFlow, Model, Vantage};
use crate::rules::Severity;
use crate::time::Timestamp;
use crate::view::live::metrics::Registrations;

/// Messages after which a flow that lasts, a registration, sheds what it has come to so far.
pub(super) const PAST: usize = 256;

/// Flows that are gone, and remembered as shown, beyond as many as are held.
pub(super) const SPARE: usize = 1 << 12;

/// A way to show what happens.
pub(super) trait Show {
    /// Takes in what was seen next.
    fn observe(&mut self, seen: Parsed<'_>);

    /// A frame has been read to its end.
    fn frame(&mut self, _feed: &mut dyn Feed, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    /// Not all of what passed in `stretch`, nanoseconds since the epoch, was seen.
    fn gap(&mut self, _stretch: Stretch) {}

    /// Time has passed, as it does a few times a second.
    fn pulse(&mut self, _moment: &Moment<'_>, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    /// Takes sentences for the user where the screen is its own; gives back those to be said now.
    fn hear(&mut self, notes: Vec<String>) -> Vec<String> {
        notes
    }

    /// Nothing more comes: what there is to say at the end.
    fn finish(self: Box<Self>, feed: &mut dyn Feed, out: &mut dyn Write) -> io::Result<Ended>;

    /// How many flows are held, and in how many octets.
    fn held(&self) -> (usize, usize) {
        (0, 0)
    }

    /// What was let go so far, beside what the feed counts.
    fn lost(&self) -> Tally {
        Tally::default()
    }

    /// The numbers of registrations, where they are followed.
    fn registrations(&self, _now: Timestamp) -> Option<Registrations> {
        None
    }
}

/// A moment of a live run.
pub(super) struct Moment<'a> {
    /// What time it is.
    pub(super) now: Timestamp,
    /// What the capture point could see until then.
    pub(super) vantage: Vantage,
    /// What is read.
    pub(super) feed: &'a dyn Feed,
}

impl<'a> Moment<'a> {
    /// It is `now`.
    pub(super) fn new(now: Timestamp, feed: &'a mut dyn Feed) -> Self {
        let mut vantage = feed.vantage();
        vantage.last = vantage.last.max(now);
        Self { now, vantage, feed }
    }

    /// What a look at flows is taken by.
    pub(super) fn seen(&self) -> (Vantage, Tally) {
        (self.vantage.clone(), self.feed.tally())
    }

    /// Whether nothing more is on its way for `flow`.
    pub(super) fn is_settled(&self, flow: &CallFlow) -> bool {
        flow.messages
            .last()
            .is_none_or(|last| SETTLED <= self.now.since(last.message.envelope.time))
    }
}

/// How it ended.
#[derive(Default)]
pub(super) struct Ended {
    /// What was read and lost.
    pub(super) tally: Tally,
    /// Rows that were shown.
    pub(super) shown: usize,
    /// The worst finding.
    pub(super) worst: Option<Severity>,
}

/// What a flow is known by from one look to the next: the number of its first message.
pub(super) fn first(flow: &CallFlow) -> u64 {
    flow.messages.first().map_or(0, |entry| entry.message.envelope.seq)
}

/// The first messages of all flows of `model`.
pub(super) fn held(model: &Model) -> BTreeSet<u64> {
    model.flows.iter().map(|flow| first(flow)).collect()
}
