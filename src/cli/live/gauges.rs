//! What a live run counts for Prometheus while it goes on.

use std::time::{Duration, Instant};

use super::metrics::Page;
use super::show::Show;
use crate::capture::live::Live;
use crate::cli::feed::Frames;
use crate::engine::Feed as _;
use crate::engine::parsed::Parsed;
use crate::engine::sift::Sift;
use crate::limits::Tally;
use crate::model::audit::series::Stretch;
use crate::sip::Method;
use crate::time::Timestamp;
use crate::view::live::metrics::{Drops, Exposition, Registrations, Snapshot};

/// How often the page is made anew.
const EVERY: Duration = Duration::from_secs(1);
/// Methods told apart; a stranger may invent any number.
const METHODS: usize = 64;
/// Letters of the longest method that has a name of its own.
const LETTERS: usize = 32;

/// Counts, and publishes what it counted.
pub(super) struct Gauges<'a> {
    page: Page,
    /// The numbers of registrations, unless they are followed anyway.
    sift: Option<Sift<'a>>,
    exposition: Exposition,
    snapshot: Snapshot,
    made: Option<Instant>,
}

impl<'a> Gauges<'a> {
    /// Publishes on `page`; `sift` counts registrations, where nobody else does.
    pub(super) fn new(page: Page, sift: Option<Sift<'a>>) -> Self {
        let (exposition, snapshot) = (Exposition::default(), Snapshot::default());
        Self { page, sift, exposition, snapshot, made: None }
    }

    /// Takes in what was seen next.
    pub(super) fn observe(&mut self, seen: &Parsed<'_>) {
        // What is unreadable is counted by who shows it.
        if let Some(sift) = self.sift.as_mut().filter(|_| !matches!(seen, Parsed::Unreadable)) {
            sift.observe(seen.lend());
            // What changes is counted, not told.
            while sift.poll().is_some() {}
        }
        let Parsed::Message(message) = seen else { return };
        let Snapshot { messages, requests, responses, .. } = &mut self.snapshot;
        *messages.entry(message.envelope.transport.word()).or_default() += 1;
        if let Some(status) = message.status() {
            let class = u8::try_from(status.0 / 100).unwrap_or_default();
            if let 1..=6 = class {
                *responses.entry(class).or_default() += 1;
            }
            return;
        }
        let method = message.method().map(Method::as_str);
        let method = method.filter(|method| method.len() <= LETTERS).unwrap_or("other");
        if let Some(count) = requests.get_mut(method) {
            *count += 1;
            return;
        }
        let name = if requests.len() < METHODS { method } else { "other" };
        *requests.entry(name.to_owned()).or_default() += 1;
    }

    /// Not all of what passed in `stretch` was seen.
    pub(super) fn gap(&mut self, stretch: Stretch) {
        if let Some(sift) = &mut self.sift {
            sift.lost(stretch);
        }
    }

    /// What the numbers of registrations are short of: what was let go beside what is shown.
    pub(super) fn lost(&self) -> Tally {
        self.sift.as_ref().map(Sift::tally).unwrap_or_default()
    }

    /// Publishes what was counted, once a second.
    #[allow(clippy::disallowed_methods)] // How often, is of the user's time.
    pub(super) fn publish(&mut self, now: Timestamp, feed: &Frames<Live>, show: &dyn Show) {
        if let Some(sift) = &mut self.sift {
            sift.advance(now);
            while sift.poll().is_some() {}
        }
        if self.made.is_some_and(|made| made.elapsed() < EVERY) {
            return;
        }
        self.made = Some(Instant::now());
        let tally = feed.tally();
        let (flows, held) = show.held();
        let beside = self.lost().lost;
        let snapshot = &mut self.snapshot;
        snapshot.packets = tally.frames;
        snapshot.octets = feed.on_wire();
        snapshot.latest = feed.span().map(|(_, last)| last.0 as f64 / 1e9);
        snapshot.losses = tally.lost;
        for (reason, count) in show.lost().lost.into_iter().chain(beside) {
            *snapshot.losses.entry(reason).or_default() += count;
        }
        snapshot.queue = feed.source().waiting() as u64;
        snapshot.unwritten = feed.unwritten();
        snapshot.flows = flows as u64;
        snapshot.held = held as u64;
        snapshot.drops = drops(feed.source());
        let own = self.sift.as_ref().and_then(Sift::counts);
        let own = own.map(|counts| Registrations::of(counts, now));
        snapshot.registrations = own.or_else(|| show.registrations(now));
        self.page.put(self.exposition.render(snapshot));
    }
}

fn drops(live: &Live) -> std::collections::BTreeMap<String, Drops> {
    let drops = live.drops().map(|(name, (by_kernel, by_interface))| {
        (name.to_owned(), Drops { by_kernel, by_interface })
    });
    drops.collect()
}
