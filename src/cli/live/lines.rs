//! `siplens live`: one line per message, the same as `siplens messages` prints.

use std::io::{self, Write};

use super::super::choosing::Choosing;
use super::show::{Ended, Show};
use crate::engine::parsed::Parsed;
use crate::engine::{Feed, Stream};
use crate::limits::Tally;
use crate::rules::{self, Selection};
use crate::view::messages::Messages;
use crate::view::{MessageRow, Relation};

/// Messages as they come; none is held.
pub(super) struct Lines<'a> {
    stream: Stream,
    choosing: Choosing,
    selection: &'a Selection,
    view: Messages<'a>,
    shown: usize,
    begun: bool,
}

impl<'a> Lines<'a> {
    pub(super) fn new(
        stream: Stream,
        choosing: Choosing,
        selection: &'a Selection,
        view: Messages<'a>,
    ) -> Self {
        Self { stream, choosing, selection, view, shown: 0, begun: false }
    }
}

impl Show for Lines<'_> {
    fn observe(&mut self, seen: Parsed<'_>) {
        self.stream.observe(seen);
    }

    fn frame(&mut self, feed: &mut dyn Feed, out: &mut dyn Write) -> io::Result<()> {
        if !self.begun {
            self.begun = true;
            self.view.begin(out)?;
        }
        while let Some((message, sighted)) = self.stream.poll() {
            let Some(elapsed) = self.choosing.choose(&message) else { continue };
            self.shown += 1;
            let row = MessageRow {
                message: &message,
                relation: Relation::of_sighting(sighted),
                findings: rules::codes(&message, self.selection),
                path: feed.path(message.envelope.path),
                interface: feed.interface(message.envelope.frame),
                elapsed: Some(elapsed),
            };
            self.view.row(&row, out)?;
        }
        Ok(())
    }

    fn lost(&self) -> Tally {
        let mut tally = self.stream.tally(Tally::default());
        if self.choosing.let_go() != 0 {
            tally.lose_many("let-go-calls", self.choosing.let_go());
        }
        tally
    }

    fn finish(mut self: Box<Self>, feed: &mut dyn Feed, out: &mut dyn Write) -> io::Result<Ended> {
        self.frame(feed, out)?;
        let mut tally = feed.tally();
        tally.add(&self.lost());
        self.view.end(&tally, out)?;
        Ok(Ended { tally, shown: self.shown, worst: None })
    }
}
