//! N analyzers on N threads; the only place that knows threads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::analyzer::{Analyzer, Harvest};
use super::router::{Item, Router, What, is_idle};
use super::{BATCH, Feed, LetGo, Plan};
use crate::near;
use crate::transport::{Envelope, Observation, Text};

/// Items that are handed over together: some batches, since to wake a thread takes as long as to read
/// several messages.
const LOAD: usize = 8 * BATCH;
/// Octets of texts that lie in no file with which a load is handed over before it is full.
const HEAVY: usize = 1 << 20;
/// Loads that may wait for a thread; more would only be memory.
const WAITING: usize = 4;
/// Neighbors that one thread takes at a time in [`map`].
const CHUNK: usize = 64;

/// Reads `feed` on this thread and analyzes it on others; a flow is never split.
pub(super) fn spread<R: Send>(
    feed: &mut dyn Feed,
    router: &mut Router,
    plan: &Plan,
    let_go: &LetGo<'_, R>,
) -> Vec<Harvest<R>> {
    thread::scope(|scope| {
        let (senders, threads): (Vec<_>, Vec<_>) = (0..plan.jobs)
            .map(|_| {
                let (sender, receiver) = sync_channel(WAITING);
                (Lane::new(sender), scope.spawn(|| work(receiver, plan, let_go)))
            })
            .unzip();
        deal(feed, router, senders);
        let joined = threads.into_iter().map(thread::ScopedJoinHandle::join);
        joined
            .map(|harvest| harvest.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

/// Applies `judge` to all of `items` on `jobs` threads, some neighbors at a time; results in the
/// order of the items.
pub fn map<T: Sync, R: Send>(items: &[T], jobs: usize, judge: impl Fn(&[T]) -> R + Sync) -> Vec<R> {
    if jobs <= 1 || items.len() <= CHUNK {
        return vec![judge(items)];
    }
    let next = AtomicUsize::new(0);
    let take = || {
        let mut done = Vec::new();
        loop {
            let chunk = next.fetch_add(1, Ordering::Relaxed);
            let Some(part) = items.chunks(CHUNK).nth(chunk) else { return done };
            done.push((chunk, judge(part)));
        }
    };
    let mut chunks: Vec<(usize, R)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..jobs).map(|_| scope.spawn(take)).collect();
        let joined = threads.into_iter().map(thread::ScopedJoinHandle::join);
        joined
            .flat_map(|done| done.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    chunks.sort_by_key(|(chunk, _)| *chunk);
    chunks.into_iter().map(|(_, result)| result).collect()
}

fn work<R>(loads: Receiver<Vec<Item>>, plan: &Plan, let_go: &LetGo<'_, R>) -> Harvest<R> {
    let mut analyzer = Analyzer::new(plan, let_go);
    for load in loads {
        analyzer.observe(load);
    }
    analyzer.finish()
}

/// Gives each item to the lane of its flow.
fn deal(feed: &mut dyn Feed, router: &mut Router, lanes: Vec<Lane>) {
    let mut dealer = Dealer { router, unread: Vec::with_capacity(BATCH), keys: Vec::new(), lanes };
    while feed.advance(&mut |observation| dealer.observe(&observation)) {}
    dealer.deal();
    for lane in dealer.lanes {
        lane.close();
    }
}

/// Deals some messages at a time: what waits for memory together takes a part of the time.
struct Dealer<'r> {
    router: &'r mut Router,
    /// Messages that wait.
    unread: Vec<(Envelope, Text)>,
    /// Kept for their room.
    keys: Vec<u64>,
    lanes: Vec<Lane>,
}

impl Dealer<'_> {
    fn observe(&mut self, observation: &Observation<'_>) {
        if let Observation::Message { envelope, text, home } = *observation {
            near::ask_for(text);
            self.unread.push((envelope, Text::of(text, home)));
            if BATCH <= self.unread.len() {
                self.deal();
            }
        } else if !is_idle(observation) {
            // It may be about a message that waits.
            self.deal();
            if let Some(item) = self.router.route_beside(observation) {
                self.push(item);
            }
        }
    }

    fn deal(&mut self) {
        let (mut unread, mut keys) =
            (std::mem::take(&mut self.unread), std::mem::take(&mut self.keys));
        keys.extend(unread.iter().map(|(envelope, text)| self.router.flow_of(text, envelope)));
        self.router.remember_all(keys.iter().copied().zip(unread.iter().map(|(e, _)| e)));
        for (flow, (envelope, text)) in keys.drain(..).zip(unread.drain(..)) {
            self.push(Item { flow, what: What::Message { envelope, text } });
        }
        (self.unread, self.keys) = (unread, keys);
    }

    fn push(&mut self, item: Item) {
        // The low bits of the hash choose the place in the maps; these choose the lane.
        let lane = (item.flow >> 32) % self.lanes.len() as u64;
        if let Some(lane) = self.lanes.get_mut(lane as usize) {
            lane.push(item);
        }
    }
}

/// The way to one thread.
struct Lane {
    load: Vec<Item>,
    /// Octets of the texts in it that lie in no file.
    octets: usize,
    sender: SyncSender<Vec<Item>>,
}

impl Lane {
    fn new(sender: SyncSender<Vec<Item>>) -> Self {
        Self { load: Vec::with_capacity(LOAD), octets: 0, sender }
    }

    fn push(&mut self, item: Item) {
        if let What::Message { text, .. } = &item.what {
            self.octets += text.heap_size();
        }
        self.load.push(item);
        if self.load.len() == LOAD || HEAVY <= self.octets {
            self.octets = 0;
            let load = std::mem::replace(&mut self.load, Vec::with_capacity(LOAD));
            // The thread can only be gone by a panic, which joining it reports.
            let _ = self.sender.send(load);
        }
    }

    fn close(self) {
        let _ = self.sender.send(self.load);
    }
}
