//! Frames on their way from the threads that capture to the one that reads, bounded in octets.
//!
//! A thread that captures waits when the queue is full; what then overflows is the buffer of the
//! kernel, which counts what it drops. So no packet is lost here, and none without being counted.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::capture::{Error, Secrets};
use crate::frame::{LinkType, Sightings};
use crate::time::Timestamp;

/// What a frame costs in the queue beside its octets.
const OVERHEAD: usize = size_of::<Item>();

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
    /// Packets left out on purpose or for want of room, and why: a word of
    /// [`Tally::lost`](crate::limits::Tally::lost).
    Lost(&'static str, u64),
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
        let mut state = self.room()?;
        state.batch.octets.extend_from_slice(octets);
        let end = state.batch.octets.len();
        state.batch.items.push(Item::Frame(head, end));
        Ok(())
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
        let mut state = self.room()?;
        state.batch.items.push(Item::News(Box::new(news)));
        self.wake(state);
        Ok(())
    }

    /// Until when frames are still wanted, once the capture is to end.
    pub fn stopped(&self) -> Option<SystemTime> {
        self.shared.lock().stopped
    }

    /// The state once there is room in it.
    fn room(&self) -> Result<MutexGuard<'_, State>, Closed> {
        let mut state = self.shared.lock();
        while self.shared.capacity <= state.batch.held() && !state.closed {
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
    fn a_sender_that_waits_is_told_when_nobody_reads_any_more() {
        let (sender, receiver) = queue(1);
        sender.push(head(1), b"fills it").unwrap();
        let waits = thread::spawn(move || sender.push(head(2), b"waits"));
        drop(receiver);
        assert_eq!(waits.join().unwrap(), Err(Closed));
    }
}
