//! `-w`: packets on their way to a file while they are read.

use std::collections::BTreeMap;

use super::super::choosing::Choosing;
use super::super::feed::Tap;
use crate::capture::write::{Counts, Savefile};
use crate::engine::Reader;
use crate::engine::keeping::{Keep, Keeping};
use crate::engine::reader::Fate;
use crate::frame::{FileId, Frame};
use crate::model::Seed;
use crate::sip::Message;
use crate::transport::{Observation, Text};

/// Decides which packets are kept, and writes them.
pub(super) struct Keeper {
    savefile: Savefile,
    keeping: Keeping,
    /// Which calls are kept; `None` when single calls are not asked for.
    choosing: Option<Choosing>,
    /// Call-IDs that the frame at hand made chosen ones.
    chosen: Vec<Vec<u8>>,
    /// Packets read of each interface.
    received: BTreeMap<u32, u64>,
}

impl Keeper {
    /// Keeps what `keep` says in `savefile`; `choosing` says which calls. Hashes are keyed with
    /// `seed`, and what is not decided takes `memory` octets at most.
    pub(super) fn new(
        savefile: Savefile,
        keep: Keep,
        choosing: Choosing,
        (seed, memory): (Seed, usize),
    ) -> Self {
        Self {
            savefile,
            keeping: Keeping::new(keep, seed, memory),
            choosing: (keep == Keep::Calls).then_some(choosing),
            chosen: Vec::new(),
            received: BTreeMap::new(),
        }
    }

    /// Tells what each interface lost so far, to be written at the end of each file.
    fn report(&mut self, dropped: &dyn Fn(u32) -> u64) {
        for (interface, received) in &self.received {
            let counts = Counts { received: *received, dropped: dropped(*interface) };
            self.savefile.report(FileId(0), *interface, counts);
        }
    }
}

impl Tap for Keeper {
    fn hear(&mut self, observation: &Observation<'_>) {
        self.keeping.hear(observation);
        let Some(choosing) = &mut self.choosing else { return };
        let Observation::Message { envelope, text, home } = *observation else { return };
        let Some(message) = Message::parse(envelope, Text::of(text, home)) else { return };
        if choosing.choose(&message).is_some()
            && let Some(call_id) = message.call_id()
        {
            self.chosen.push(call_id.to_vec());
        }
    }

    fn take(&mut self, frame: &Frame<'_>, fate: Fate, reader: &Reader) {
        *self.received.entry(frame.interface).or_default() += 1;
        let Self { savefile, keeping, chosen, .. } = self;
        let mut write = |frame: &Frame<'_>| savefile.write(frame);
        for call_id in chosen.drain(..) {
            keeping.choose(&call_id, &mut write);
        }
        keeping.take(frame, fate, reader, &mut write);
    }

    fn pulse(&mut self, dropped: &dyn Fn(u32) -> u64) -> Vec<String> {
        self.report(dropped);
        self.savefile.flush();
        self.savefile.take_notes()
    }

    fn finish(&mut self, reader: &Reader, dropped: &dyn Fn(u32) -> u64) -> Vec<String> {
        let Self { savefile, keeping, .. } = self;
        keeping.finish(reader, &mut |frame| savefile.write(frame));
        self.report(dropped);
        self.savefile.finish();
        let mut notes = self.savefile.take_notes();
        if self.keeping.missed() != 0 {
            notes.push(format!(
                "{} packets of what was to be kept had been let go before it was known; more \
                 --memory holds more",
                self.keeping.missed()
            ));
        }
        notes.push(format!("{} packets kept", self.savefile.written()));
        notes
    }

    fn unwritten(&self) -> u64 {
        self.savefile.lost()
    }
}
