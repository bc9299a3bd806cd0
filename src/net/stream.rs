//! One direction of a TCP connection: its octets in order, each once, and the gaps that stay.
//!
//! ```text
//! let mut reading = stream.insert(&segment, packet.cut, arrival);
//! loop {
//!     let Readable { bytes, after } = reading.readable();
//!     match framer.frame(bytes, after) {
//!         Message(n) => reading.consume(n),
//!         Incomplete if let After::Gap(_) = after => reading.pass_gap(), // after reporting what is cut
//!         Incomplete => break,                                           // the rest is kept for later
//!     }
//! }
//! ```

use crate::net::Segment;
pub use crate::net::hold::Arrival;
use crate::net::hold::Hold;
use crate::time::{MILLISECOND, SECOND, Timestamp};

/// How long an octet that its receiver acknowledged may still turn up: captures on several
/// queues or taps write frames slightly out of order.
const REORDERING: i64 = 20 * MILLISECOND;
/// How long a retransmission is waited for when the receiver did not acknowledge: it will come,
/// unless the connection dies.
const RETRANSMISSION: i64 = 60 * SECOND;
/// The same when the receiver's side was never captured and cannot tell.
const ONE_SIDED: i64 = 5 * SECOND;
/// How far behind a retransmission may be; what is further behind is a jump ahead.
const BEHIND: u32 = 4 << 20;
/// Offset of the first octet, so that there is room before it.
const ORIGIN: u64 = 1 << 32;

/// One direction of a TCP connection.
///
/// Where segments overlap, the octets that arrived first are kept.
#[derive(Debug)]
pub struct Stream {
    phase: Phase,
    /// Sequence number of the first octet not yet consumed.
    front: u32,
    /// Sequence number of the first octet of all.
    first: u32,
    /// Offset of `front`.
    position: u64,
    /// Offset up to which missing octets are given up.
    lost_until: u64,
    /// Offset after the last octet, known by FIN; the stream ends there.
    end: Option<u64>,
    /// Nothing will come any more: RST, eviction, end of the capture.
    finished: bool,
    /// The receiver was heard.
    heard: bool,
    /// An offset beyond what was captured that the receiver acknowledged, and when.
    overtaken: Option<(u64, Timestamp)>,
    /// When the stream last moved on.
    moved: Timestamp,
    bound: usize,
    hold: Option<Box<Hold>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No segment yet.
    Unseen,
    /// Began in the middle and nothing is consumed: earlier octets may still come.
    Guessed,
    /// The next octet is certain.
    Certain,
    /// Somebody else's; nothing is held.
    Ignored,
}

/// What can be read at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readable<'a> {
    /// All octets in order that are not consumed yet; empty when there is none.
    pub bytes: &'a [u8],
    /// What comes behind them.
    pub after: After,
}

/// What comes behind the octets that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// More may come.
    More,
    /// So many octets are missing and will not come; the stream goes on behind them.
    Gap(u64),
    /// The end of the stream: what is there is all.
    End,
}

impl Stream {
    /// An empty stream that may hold `bound` octets.
    pub fn new(bound: usize) -> Self {
        Self {
            phase: Phase::Unseen,
            front: 0,
            first: 0,
            position: ORIGIN,
            lost_until: 0,
            end: None,
            finished: false,
            heard: false,
            overtaken: None,
            moved: Timestamp::default(),
            bound,
            hold: None,
        }
    }

    /// Takes a segment in, of which the last `cut` octets were not captured, and lends what can
    /// be read then.
    ///
    /// An in-order segment is lent as it is, nothing is copied; what is not consumed when the
    /// reading is dropped is kept.
    pub fn insert<'s>(
        &'s mut self,
        segment: &Segment<'s>,
        cut: u32,
        arrival: Arrival,
    ) -> Reading<'s> {
        if self.phase == Phase::Ignored {
            return Reading { stream: self, fresh: &[], brought: &[], arrival };
        }
        let seq = segment.seq.wrapping_add(u32::from(segment.flags.syn));
        let mut bytes = segment.bytes;
        if self.phase == Phase::Unseen {
            if !segment.flags.syn && cut == 0 && is_keep_alive(bytes) {
                return Reading { stream: self, fresh: &[], brought: &[], arrival };
            }
            self.start(seq, segment.flags.syn, arrival.time);
        }
        let at = self.offset(seq);
        if self.phase == Phase::Guessed && at < self.position && !bytes.is_empty() {
            self.start_earlier(seq, at);
        }
        let captured_end = at + bytes.len() as u64;
        let sent_end = captured_end + u64::from(cut);
        if segment.flags.fin {
            self.end = Some(sent_end);
        }
        let known = self.known_end();
        if at < known {
            let old = usize::try_from(known - at).unwrap_or(usize::MAX);
            bytes = bytes.get(old..).unwrap_or_default();
        }
        self.finished &= bytes.is_empty();
        let mut fresh: &[u8] = &[];
        if !bytes.is_empty() {
            let at = at.max(known);
            if at == known && self.hold.as_ref().is_none_or(|hold| hold.is_empty()) {
                fresh = bytes;
                self.moved = arrival.time;
            } else {
                self.keep_segment(at, bytes, arrival);
            }
        }
        // The snap length cuts a retransmission in the same place: what it cut is given up when
        // the stream has come as far as that.
        if 0 < cut && at <= known && known < sent_end {
            self.lost_until = self.lost_until.max(sent_end);
        }
        let known = self.known_end() + fresh.len() as u64;
        self.judge(known, arrival.time);
        Reading { stream: self, fresh, brought: bytes, arrival }
    }

    /// Lends what can be read at `now`, without a new segment.
    pub fn read(&mut self, arrival: Arrival) -> Reading<'_> {
        self.judge(self.known_end(), arrival.time);
        Reading { stream: self, fresh: &[], brought: &[], arrival }
    }

    /// Lends all that is left, gaps included: nothing will come any more.
    pub fn finish(&mut self, arrival: Arrival) -> Reading<'_> {
        self.finished = true;
        Reading { stream: self, fresh: &[], brought: &[], arrival }
    }

    /// Marks the stream as no business of ours: what it holds is let go, what comes is not kept.
    pub fn ignore(&mut self) {
        self.phase = Phase::Ignored;
        self.hold = None;
        self.overtaken = None;
    }

    /// True after [`ignore`](Self::ignore).
    pub fn is_ignored(&self) -> bool {
        self.phase == Phase::Ignored
    }

    /// Hears that the receiver acknowledged all before `ack`.
    pub fn acknowledge(&mut self, ack: u32, now: Timestamp) {
        self.heard = true;
        if matches!(self.phase, Phase::Unseen | Phase::Ignored) || self.overtaken.is_some() {
            return;
        }
        let offset = self.offset(ack).min(self.end.unwrap_or(u64::MAX));
        if self.known_end() < offset {
            self.overtaken = Some((offset, now));
        }
    }

    /// When octets that are missing will be given up; ask [`read`](Self::read) then.
    pub fn deadline(&self) -> Option<Timestamp> {
        let known = self.known_end();
        if let Some((offset, since)) = self.overtaken
            && known < offset
        {
            return Some(since.plus(REORDERING));
        }
        let (at, piece) = self.hold.as_ref()?.later.first()?;
        let since = piece.mark.time.max(self.moved);
        let patience = if self.heard { RETRANSMISSION } else { ONE_SIDED };
        (known < at).then(|| since.plus(patience))
    }

    /// Octets of private memory held.
    pub fn held(&self) -> usize {
        self.hold.as_ref().map_or(0, |hold| hold.size())
    }

    /// The sequence number of the very first octet, once a segment was seen.
    pub(super) fn first_seq(&self) -> Option<u32> {
        (self.phase != Phase::Unseen).then_some(self.first)
    }

    /// True when octets were seen that belong to no connection about to open.
    pub(super) fn is_under_way(&self) -> bool {
        self.phase == Phase::Guessed || (self.phase != Phase::Unseen && self.position != ORIGIN)
    }

    /// Hears SYN: the first octet will be `seq`.
    pub(super) fn open(&mut self, seq: u32, now: Timestamp) {
        if self.phase == Phase::Unseen {
            self.start(seq, true, now);
        }
    }

    /// Hears RST: nothing will come any more.
    pub(super) fn abort(&mut self) {
        self.finished = true;
    }

    fn start(&mut self, seq: u32, syn: bool, now: Timestamp) {
        self.phase = if syn { Phase::Certain } else { Phase::Guessed };
        (self.front, self.first, self.moved) = (seq, seq, now);
    }

    /// Moves the beginning to the earlier `seq` at offset `at`; what is ready comes later then.
    fn start_earlier(&mut self, seq: u32, at: u64) {
        if let Some(hold) = &mut self.hold {
            hold.put_off(self.position);
        }
        (self.front, self.first, self.position) = (seq, seq, at);
    }

    /// Offset of a sequence number: a little behind the front or far ahead of it.
    fn offset(&self, seq: u32) -> u64 {
        let behind = self.front.wrapping_sub(seq);
        if behind <= BEHIND {
            return self.position.saturating_sub(u64::from(behind));
        }
        self.position + u64::from(seq.wrapping_sub(self.front))
    }

    /// Offset after the octets in order.
    fn known_end(&self) -> u64 {
        self.position + self.hold.as_ref().map_or(0, |hold| hold.ready().len() as u64)
    }

    fn keep_segment(&mut self, at: u64, bytes: &[u8], arrival: Arrival) {
        let known = self.known_end();
        let hold = self.hold.get_or_insert_default();
        if at <= known {
            self.moved = arrival.time;
        }
        if at == known && hold.later.is_empty() {
            return hold.append(known + bytes.len() as u64, bytes, arrival);
        }
        hold.later.insert(at, bytes, arrival);
        hold.gather(known);
    }

    /// Gives up what is missing behind `known` when it has been waited for long enough.
    fn judge(&mut self, known: u64, now: Timestamp) {
        if let Some((offset, since)) = self.overtaken {
            if offset <= known {
                self.overtaken = None;
            } else if REORDERING <= now.since(since) {
                self.lost_until = self.lost_until.max(offset);
                self.overtaken = None;
            }
        }
        let Some(hold) = &self.hold else { return };
        let Some((at, _)) = hold.later.first() else { return };
        let overdue = self.deadline().is_some_and(|deadline| deadline <= now);
        if overdue || self.bound < hold.size() {
            self.lost_until = self.lost_until.max(at);
        }
    }
}

/// What one segment made readable; what is not consumed when it is dropped is kept.
#[derive(Debug)]
pub struct Reading<'s> {
    stream: &'s mut Stream,
    /// The new segment, while nothing before it is held.
    fresh: &'s [u8],
    /// What the new segment brought that was not known, held or not.
    brought: &'s [u8],
    arrival: Arrival,
}

impl Reading<'_> {
    /// The octets in order and what comes behind them.
    pub fn readable(&self) -> Readable<'_> {
        let bytes = match (&self.stream.hold, self.fresh) {
            (Some(hold), []) => hold.ready(),
            (_, fresh) => fresh,
        };
        Readable { bytes, after: self.after(self.stream.position + bytes.len() as u64) }
    }

    /// A part of the readable octets as it lies in the new segment, when it lies there whole: in
    /// the capture, where it need not be copied from.
    pub fn captured<'a>(&'a self, part: &'a [u8]) -> &'a [u8] {
        let ready = self.readable().bytes.as_ptr_range();
        let behind = (ready.end as usize).checked_sub(part.as_ptr_range().end as usize);
        let same = behind.and_then(|behind| {
            // Segments that come in order end where the readable octets do.
            let end = self.brought.len().checked_sub(behind)?;
            self.brought.get(end.checked_sub(part.len())?..end)
        });
        same.filter(|same| *same == part).unwrap_or(part)
    }

    /// Which frame brought the last to come of the first `octets` readable ones.
    ///
    /// That is not always the frame at hand: what waited for a gap came earlier.
    pub fn arrival(&self, octets: usize) -> Arrival {
        if !self.fresh.is_empty() {
            return self.arrival;
        }
        let Some(hold) = &self.stream.hold else { return self.arrival };
        let end = self.stream.position + octets as u64;
        let mut latest: Option<Arrival> = None;
        let mut start = self.stream.position;
        for &(mark, arrival) in &hold.marks {
            if latest.is_some() && end <= start {
                break;
            }
            if latest.is_none_or(|latest| latest.time <= arrival.time) {
                latest = Some(arrival);
            }
            start = mark;
        }
        latest.unwrap_or(self.arrival)
    }

    /// Drops the first `octets` readable ones for good.
    pub fn consume(&mut self, octets: usize) {
        let octets = octets.min(self.readable().bytes.len());
        if octets == 0 {
            return;
        }
        let stream = &mut *self.stream;
        stream.phase = Phase::Certain;
        stream.position += octets as u64;
        stream.front = stream.front.wrapping_add(octets as u32);
        if !self.fresh.is_empty() {
            self.fresh = self.fresh.get(octets..).unwrap_or_default();
        } else if let Some(hold) = &mut stream.hold {
            hold.consume(octets, stream.position);
        }
    }

    /// Drops all that is readable and goes on behind the gap; returns its octets, 0 without one.
    pub fn pass_gap(&mut self) -> u64 {
        let Readable { bytes, after } = self.readable();
        let After::Gap(missing) = after else { return 0 };
        let readable = bytes.len();
        self.consume(readable);
        let stream = &mut *self.stream;
        stream.phase = Phase::Certain;
        stream.position += missing;
        stream.front = stream.front.wrapping_add(missing as u32);
        if let Some(hold) = &mut stream.hold {
            hold.gather(stream.position);
        }
        missing
    }

    /// Marks the stream as no business of ours.
    pub fn ignore(&mut self) {
        self.fresh = &[];
        self.stream.ignore();
    }

    fn after(&self, known: u64) -> After {
        let stream = &self.stream;
        if stream.phase == Phase::Ignored {
            return After::More;
        }
        let next = stream.hold.as_ref().and_then(|hold| hold.later.first()).map(|(at, _)| at);
        if known < stream.lost_until {
            return After::Gap(next.unwrap_or(u64::MAX).min(stream.lost_until) - known);
        }
        if stream.finished {
            return next.map_or(After::End, |at| After::Gap(at.saturating_sub(known)));
        }
        if stream.end.is_some_and(|end| end <= known) { After::End } else { After::More }
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        let stream = &mut *self.stream;
        if !self.fresh.is_empty() {
            let end = stream.position + self.fresh.len() as u64;
            stream.hold.get_or_insert_default().append(end, self.fresh, self.arrival);
        }
        let Some(hold) = &mut stream.hold else { return };
        let ready = hold.ready().len();
        if hold.is_empty() {
            stream.hold = None;
        } else if stream.bound < ready {
            // Whoever reads wants more than may be held: what was kept becomes a gap.
            let octets = ready;
            hold.consume(octets, stream.position + octets as u64);
            stream.lost_until = stream.lost_until.max(stream.position + octets as u64);
        }
    }
}

/// A keep-alive probe repeats the octet before the next (RFC 9293 section 3.8.4): at the start
/// of a capture it looks like data.
fn is_keep_alive(bytes: &[u8]) -> bool {
    matches!(bytes, [] | [0])
}
