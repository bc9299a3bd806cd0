//! Frames on their way from the threads that capture to the one that reads, bounded in octets.
//!
//! A thread that captures waits when the queue is full; what then overflows is the buffer of the
//! kernel, which counts what it drops. So no packet is lost here, and none without being counted.
//! Where the kernel would drop the packets of one for what another sends, a thread does not wait:
//! it looks at how full the queue is, and decides whose packets go.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::clock::Found;
use crate::capture::{Error, Secrets};
use crate::frame::{LinkType, Sightings};
use crate::time::Timestamp;

/// What a frame costs in the queue beside its octets.
const OVERHEAD: usize = size_of::<Item>();

/// One of so many parts of the queue is left to those who do not wait.
const LEFT_FREE: usize = 8;
/// How long to wait for room at once.
const WAIT: Duration = Duration::from_secs(1);

/// Octets of a frame that is small.
const USUAL: usize = 64;
/// Octets of the longest frame that is usual: the snap length of tcpdump.
const LONGEST: usize = 256 << 10;

/// All of a frame but its octets.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    /// When it was captured.
    pub time: Timestamp,
    /// Link layer of the interface it came from.
    pub link: LinkType,
    /// Which of the interfaces of the run.
    pub interface: u32,
    /// Octets the packet had on the wire.
    pub wire_len: u32,
}

/// What a thread that captures has to say beside frames.
#[derive(Debug)]
pub enum News {
    /// Packets lost since the last news of this kind.
    Dropped {
        /// Which of the interfaces of the run.
        interface: u32,
        /// By the kernel, whose buffer was full.
        by_kernel: u64,
        /// By the interface or its driver.
        by_interface: u64,
    },
    /// Not all of what passed in this time was seen.
    Gap {
        /// Its begin.
        from: Timestamp,
        /// Its end.
        until: Timestamp,
        /// How much was missed.
        missed: Missed,
    },
    /// The clock of this machine was set, or it slept.
    Machine(Found),
    /// Packets left out on purpose or for want of room, and why: a word of
    /// [`Tally::lost`](crate::limits::Tally::lost).
    Lost(&'static str, u64),
    /// The same of packets that would have been read.
    LeftOut(&'static str, u64),
    /// Records of a text log that lie about their length, so far.
    Misstated(Sightings),
    /// Key material met on the way.
    Secrets(Secrets),
    /// A sentence for the user, to be said at once.
    Note(String),
    /// The source cannot be read any further, or not in part.
    Trouble(Error),
}

/// How much was missed in a time that was not watched well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missed {
    /// All: nobody watched.
    All,
    /// Some packets; they are counted.
    Some,
}

/// A place in the order of what was handed over.
pub(super) enum Item {
    /// A frame, and where its octets end in [`Batch::octets`].
    Frame(Head, usize),
    News(Box<News>),
}

/// What was handed over and is read as one.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) items: Vec<Item>,
    pub(super) octets: Vec<u8>,
}

impl Batch {
    /// A batch that has room for frames of `capacity` octets, and one more, and need not grow: what
    /// grows leaves holes behind. Room that is not used takes no memory.
    pub(super) fn of(capacity: usize) -> Self {
        Self {
            items: Vec::with_capacity(capacity / (OVERHEAD + USUAL)),
            octets: Vec::with_capacity(capacity + LONGEST),
        }
    }

    fn push(&mut self, head: Head, octets: &[u8]) {
        self.octets.extend_from_slice(octets);
        self.items.push(Item::Frame(head, self.octets.len()));
    }

    fn held(&self) -> usize {
        self.octets.len() + self.items.len() * OVERHEAD
    }

    pub(super) fn clear(&mut self) {
        self.items.clear();
        self.octets.clear();
    }
}

#[derive(Default)]
struct State {
    batch: Batch,
    /// How often the reader took what there was.
    round: u64,
    senders: usize,
    /// Nobody reads any more.
    closed: bool,
    /// Since when no more is wanted than what had been captured by then.
    stopped: Option<SystemTime>,
    /// The reader waits for the next item.
    awaited: bool,
}

struct Shared {
    capacity: usize,
    state: Mutex<State>,
    filled: Condvar,
    emptied: Condvar,
}

impl Shared {
    /// The state. A thread that died while it held it left it as whole as any.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A queue that holds up to `capacity` octets.
pub fn queue(capacity: usize) -> (Sender, Receiver) {
    let batch = Batch::of(capacity);
    let state = Mutex::new(State { senders: 1, batch, ..State::default() });
    let (filled, emptied) = (Condvar::new(), Condvar::new());
    let shared = Arc::new(Shared { capacity, state, filled, emptied });
    (Sender { shared: Arc::clone(&shared) }, Receiver { shared })
}

/// How full the queue is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fill {
    /// Another one each time that the reader took all there was.
    pub(super) round: u64,
    /// Octets for which there is room.
    pub(super) free: usize,
}

/// What became of a frame that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offer {
    /// It was taken, and counts as so many octets.
    Taken(usize),
    Refused,
}

/// Nobody reads any more: the thread that captures may end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

/// The end of a thread that captures; the queue ends when all of them are gone.
pub struct Sender {
    shared: Arc<Shared>,
}

impl Sender {
    /// Hands a frame over; waits while there is no room. The reader may sleep on until
    /// [`flush`](Self::flush): to wake it for each frame costs more than to read one.
    ///
    /// # Errors
    /// When nobody reads any more.
    pub fn push(&self, head: Head, octets: &[u8]) -> Result<(), Closed> {
        let capacity = self.shared.capacity;
        self.room(capacity - capacity / LEFT_FREE)?.batch.push(head, octets);
        Ok(())
    }

    /// Hands a frame over and wakes the reader, if the queue is such that it `fits`; waits for that
    /// as long as there is `patience`, and takes what it waited off it.
    ///
    /// # Errors
    /// When nobody reads any more.
    #[allow(clippy::disallowed_methods)] // Patience is of the user's time, not the capture's.
    pub(super) fn offer(
        &self,
        (head, octets): (Head, &[u8]),
        patience: &mut Duration,
        fits: &mut dyn FnMut(Fill) -> bool,
    ) -> Result<Offer, Closed> {
        let mut state = self.shared.lock();
        while !state.closed {
            let free = self.shared.capacity.saturating_sub(state.batch.held());
            if fits(Fill { round: state.round, free }) {
                state.batch.push(head, octets);
                self.wake(state);
                return Ok(Offer::Taken(octets.len() + OVERHEAD));
            }
            if patience.is_zero() {
                return Ok(Offer::Refused);
            }
            if std::mem::take(&mut state.awaited) {
                self.shared.filled.notify_one();
            }
            let since = Instant::now();
            let waited = self.shared.emptied.wait_timeout(state, (*patience).min(WAIT));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            *patience = patience.saturating_sub(since.elapsed());
        }
        Err(Closed)
    }

    /// Whether news can be told without waiting.
    pub(super) fn has_room(&self) -> bool {
        self.shared.lock().batch.held() < self.shared.capacity
    }

    /// Wakes the reader, if there is something for it.
    pub fn flush(&self) {
        let state = self.shared.lock();
        if !state.batch.items.is_empty() {
            self.wake(state);
        }
    }

    /// Hands news over, behind the frames that came before.
    ///
    /// # Errors
    /// When nobody reads any more.
    pub fn tell(&self, news: News) -> Result<(), Closed> {
        let mut state = self.room(self.shared.capacity)?;
        state.batch.items.push(Item::News(Box::new(news)));
        self.wake(state);
        Ok(())
    }

    /// Until when frames are still wanted, once the capture is to end.
    pub fn stopped(&self) -> Option<SystemTime> {
        self.shared.lock().stopped
    }

    /// The state once it holds less than `most`.
    fn room(&self, most: usize) -> Result<MutexGuard<'_, State>, Closed> {
        let mut state = self.shared.lock();
        while most <= state.batch.held() && !state.closed {
            if std::mem::take(&mut state.awaited) {
                self.shared.filled.notify_one();
            }
            state = self.shared.emptied.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.closed { Err(Closed) } else { Ok(state) }
    }

    fn wake(&self, mut state: MutexGuard<'_, State>) {
        let awaited = std::mem::take(&mut state.awaited);
        drop(state);
        if awaited {
            self.shared.filled.notify_one();
        }
    }
}

impl Clone for Sender {
    fn clone(&self) -> Self {
        self.shared.lock().senders += 1;
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.senders -= 1;
        self.wake(state);
    }
}

/// What came of waiting for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// Something came.
    Some,
    /// Nothing came in time.
    Nothing,
    /// Nothing will come any more.
    Over,
}

/// The end of the thread that reads.
pub struct Receiver {
    shared: Arc<Shared>,
}

impl Receiver {
    /// Exchanges an empty `batch` for what was handed over, waiting for `patience` at most.
    #[allow(clippy::disallowed_methods)] // Patience is of the user's time, not the capture's.
    pub(super) fn take(&self, batch: &mut Batch, patience: Duration) -> Taken {
        let until = Instant::now() + patience;
        let mut state = self.shared.lock();
        loop {
            if !state.batch.items.is_empty() {
                std::mem::swap(&mut state.batch, batch);
                state.round += 1;
                drop(state);
                self.shared.emptied.notify_all();
                return Taken::Some;
            }
            if state.senders == 0 {
                return Taken::Over;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Taken::Nothing;
            }
            state.awaited = true;
            let waited = self.shared.filled.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Receiver {
    /// Octets that wait.
    pub(super) fn waiting(&self) -> usize {
        self.shared.lock().batch.held()
    }

    /// Wants no more than what has been captured by now.
    #[allow(clippy::disallowed_methods)] // What has been captured by now, has a time of the day.
    pub(super) fn stop(&self) {
        self.shared.lock().stopped.get_or_insert_with(SystemTime::now);
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.emptied.notify_all();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::thread;

    use super::*;

    fn head(second: i64) -> Head {
        let time = Timestamp::new(second, 0);
        Head { time, link: LinkType(1), interface: 0, wire_len: 4 }
    }

    #[test]
    fn what_is_handed_over_comes_in_order_and_the_end_comes_last() {
        let (sender, receiver) = queue(1 << 20);
        sender.push(head(1), b"one").unwrap();
        sender.tell(News::Note("two".to_owned())).unwrap();
        let mut batch = Batch::default();
        assert_eq!(receiver.take(&mut batch, Duration::ZERO), Taken::Some);
        assert!(matches!(batch.items[..], [Item::Frame(_, 3), Item::News(_)]));
        batch.clear();
        assert_eq!(receiver.take(&mut batch, Duration::ZERO), Taken::Nothing);
        drop(sender);
        assert_eq!(receiver.take(&mut batch, Duration::ZERO), Taken::Over);
    }

    #[test]
    fn a_full_queue_holds_the_sender_back_and_loses_nothing() {
        let (sender, receiver) = queue(4 * (OVERHEAD + 100));
        let sent =
            thread::spawn(move || (0..1_000).all(|i| sender.push(head(i), &[7; 100]).is_ok()));
        let (mut batch, mut seen) = (Batch::default(), 0);
        while receiver.take(&mut batch, Duration::from_secs(10)) == Taken::Some {
            assert!(batch.held() <= 5 * (OVERHEAD + 100));
            seen += batch.items.len();
            batch.clear();
        }
        assert!(sent.join().unwrap());
        assert_eq!(seen, 1_000);
    }

    #[test]
    fn who_does_not_wait_is_refused_and_has_room_where_others_fill_the_queue() {
        let capacity = 16 * (OVERHEAD + 100);
        let (sender, receiver) = queue(capacity);
        let waiting = sender.clone();
        let waits = thread::spawn(move || while waiting.push(head(1), &[7; 100]).is_ok() {});
        let (mut last, mut none) = (None, Duration::ZERO);
        while last.is_none_or(|fill: Fill| capacity / LEFT_FREE < fill.free) {
            let offered = sender.offer((head(2), &[]), &mut none, &mut |fill| {
                last = Some(fill);
                false
            });
            assert_eq!(offered, Ok(Offer::Refused));
        }
        let offered = sender.offer((head(2), b"1"), &mut none, &mut |fill| 0 < fill.free);
        assert_eq!(offered, Ok(Offer::Taken(OVERHEAD + 1)));
        let round = last.unwrap().round;
        let waits_too = thread::spawn(move || {
            let mut patience = Duration::from_mins(1);
            sender.offer((head(3), b"2"), &mut patience, &mut |fill| round < fill.round)
        });
        let mut batch = Batch::default();
        receiver.take(&mut batch, Duration::from_mins(1));
        assert_eq!(waits_too.join().unwrap(), Ok(Offer::Taken(OVERHEAD + 1)));
        drop(receiver);
        waits.join().unwrap();
    }

    #[test]
    fn a_sender_that_waits_is_told_when_nobody_reads_any_more() {
        let (sender, receiver) = queue(1);
        sender.push(head(1), b"fills it").unwrap();
        let waits = thread::spawn(move || sender.push(head(2), b"waits"));
        drop(receiver);
        assert_eq!(waits.join().unwrap(), Err(Closed));
    }
}
