//! SIP messages in plain text logs: found by what they look like, with the time and the
//! addresses the log tells.
//!
//! A start line at the end of a line counts when the next line is a header field; that rejects
//! summaries and prose. Nothing here depends on which program wrote the log.

mod clock;
mod exported;
mod length;
mod line;
mod peers;
mod tally;

pub use clock::Calendar;
use clock::Written;
pub(super) use clock::days;
pub use exported::LINK_TYPE;
pub use tally::{LogTally, Sides};

use std::collections::VecDeque;
use std::io::{self, BufRead, Read as _};

use crate::time::{SECOND, Timestamp};
use line::Start;
use peers::UNKNOWN;

/// Lines of context looked at for the time and the addresses of a message.
const CONTEXT: usize = 14;
/// Octets of one line that are kept; the rest of it is passed over.
const MAX_LINE: u64 = 256 << 10;
/// Octets of one message.
const MAX_MESSAGE: usize = 256 << 10;
/// Half a day, in nanoseconds: a time of day that falls back further began a new day.
const HALF_DAY: i64 = 12 * 3600 * SECOND;

/// One message of a log, packed as a frame of link type [`LINK_TYPE`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// Number of the line with its start line, from 1.
    pub line: u64,
    /// When it was logged; the time of the message before when the log does not say.
    pub time: Timestamp,
    /// The frame.
    pub bytes: Vec<u8>,
    /// The log lost a part of it.
    pub cut: bool,
}

/// Reads the messages of a log one after the other; holds one message and a few lines.
pub struct TextLog<R> {
    input: R,
    calendar: Calendar,
    context: VecDeque<Vec<u8>>,
    state: State,
    ready: VecDeque<Logged>,
    last: Option<Timestamp>,
    days: i64,
    ended: bool,
    tally: LogTally,
}

/// Where in a message the reader is.
enum State {
    /// Between messages.
    Between,
    /// A start line was seen; the next line decides.
    Candidate { start: Start, whole: Vec<u8>, number: u64 },
    /// In the header section.
    Head(Draft),
    /// In the body.
    Body(Draft),
}

/// A message in the making.
struct Draft {
    before: Vec<u8>,
    number: u64,
    /// Blanks the logger put before each line.
    indent: usize,
    /// The logger ends each line with a dot (ngrep's byline mode).
    dots: bool,
    /// Header section with CRLF.
    head: Vec<u8>,
    /// Body lines, without line ends.
    body: Vec<Vec<u8>>,
    wanted: usize,
    cut: bool,
}

impl<R: BufRead> TextLog<R> {
    /// Reads from `input`; `calendar` fills what its clock leaves out.
    pub fn new(input: R, calendar: Calendar) -> Self {
        Self {
            input,
            calendar,
            context: VecDeque::new(),
            state: State::Between,
            ready: VecDeque::new(),
            last: None,
            days: 0,
            ended: false,
            tally: LogTally::default(),
        }
    }

    /// The next message, in the order of the log.
    ///
    /// # Errors
    /// When the input cannot be read.
    pub fn next_message(&mut self) -> io::Result<Option<Logged>> {
        while self.ready.is_empty() && !self.ended {
            match self.read_line()? {
                Some(line) => self.line(line::clean(&line).into_owned()),
                None => {
                    self.ended = true;
                    self.flush();
                }
            }
        }
        Ok(self.ready.pop_front())
    }

    /// Counts so far.
    pub fn tally(&self) -> LogTally {
        self.tally
    }

    fn read_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        if self.input.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        if !line.ends_with(b"\n") && line.len() as u64 == MAX_LINE {
            self.skip_line()?;
        }
        self.tally.lines += 1;
        Ok(Some(line))
    }

    /// Passes over the rest of a line that is too long to keep.
    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let held = self.input.fill_buf()?;
            let end = memchr::memchr(b'\n', held);
            let n = end.map_or(held.len(), |at| at + 1);
            self.input.consume(n);
            if end.is_some() || n == 0 {
                return Ok(());
            }
        }
    }

    fn line(&mut self, text: Vec<u8>) {
        match std::mem::replace(&mut self.state, State::Between) {
            State::Between => self.between(text),
            State::Candidate { start, whole, number } => {
                match Draft::begin(&start, &text, number) {
                    Some(draft) => self.head(draft, text),
                    None => {
                        self.remember(whole);
                        self.between(text);
                    }
                }
            }
            State::Head(draft) => self.head(draft, text),
            State::Body(draft) => self.body(draft, text),
        }
    }

    fn between(&mut self, text: Vec<u8>) {
        if let Some(found) = line::escaped(&text) {
            let number = self.tally.lines;
            self.emit(&found.before, &found.line, number, false);
            return;
        }
        match line::start(&text) {
            Some(start) => {
                self.state = State::Candidate { start, whole: text, number: self.tally.lines };
            }
            None => self.remember(text),
        }
    }

    fn head(&mut self, mut draft: Draft, text: Vec<u8>) {
        let line = draft.strip(&text);
        if line.is_empty() {
            draft.head.extend_from_slice(b"\r\n");
            draft.wanted = content_length(&draft.head).min(MAX_MESSAGE);
            if draft.wanted == 0 {
                self.finish(draft);
            } else {
                self.state = State::Body(draft);
            }
            return;
        }
        let folded = matches!(line.first(), Some(b' ' | b'\t'));
        if (!folded && !line::is_header(line)) || draft.head.len() > MAX_MESSAGE {
            // The log lost the end of the message; this line is its own.
            draft.cut = true;
            self.finish(draft);
            self.between(text);
            return;
        }
        draft.head.extend_from_slice(line);
        draft.head.extend_from_slice(b"\r\n");
        self.state = State::Head(draft);
    }

    fn body(&mut self, mut draft: Draft, text: Vec<u8>) {
        if is_record(&text, &self.calendar) {
            draft.cut = true;
            self.finish(draft);
            self.between(text);
            return;
        }
        let line = draft.strip(&text).to_vec();
        draft.body.push(line);
        if draft.has_body() {
            self.finish(draft);
        } else {
            self.state = State::Body(draft);
        }
    }

    fn flush(&mut self) {
        match std::mem::replace(&mut self.state, State::Between) {
            // The empty line at the end of a file is the first to be lost, and says nothing new.
            State::Head(mut draft) if draft.ends_in_no_body() => {
                draft.head.extend_from_slice(b"\r\n");
                self.finish(draft);
            }
            State::Head(mut draft) | State::Body(mut draft) => {
                draft.cut = true;
                self.finish(draft);
            }
            State::Between | State::Candidate { .. } => {}
        }
    }

    fn finish(&mut self, draft: Draft) {
        let (body, whole) = draft.joined_body();
        let mut text = draft.head;
        text.extend_from_slice(&body);
        self.emit(&draft.before, &text, draft.number, draft.cut || !whole);
    }

    fn emit(&mut self, before: &[u8], text: &[u8], number: u64, cut: bool) {
        let (stamp, found, named) = {
            let lines = self.context.iter().map(Vec::as_slice).chain([before]);
            let named = length::named(lines.clone());
            (clock::stamp(&lines, &self.calendar), peers::peers(&lines, text), named)
        };
        let time = match stamp {
            Some(stamp) => {
                self.tally.undated += u64::from(stamp.written != Written::All);
                match stamp.written {
                    Written::TimeOfDay => self.on_this_day(stamp.time),
                    Written::All | Written::MonthAndDay => stamp.time,
                }
            }
            None => {
                self.tally.timeless += 1;
                self.last.unwrap_or_default()
            }
        };
        self.last = Some(time);
        self.tally.messages += 1;
        if named.is_some_and(|octets| octets != text.len()) {
            self.tally.misstated += 1;
            self.tally.first_misstated.get_or_insert((time, number));
        }
        self.tally.whole_seconds += u64::from(time.0 % SECOND == 0);
        self.tally.received += u64::from(found.to == UNKNOWN);
        self.tally.sent += u64::from(found.from == UNKNOWN);
        let bytes = exported::pack(found, peers::transport(text), text);
        self.context.clear();
        self.ready.push_back(Logged { line: number, time, bytes, cut });
    }

    fn on_this_day(&mut self, time: Timestamp) -> Timestamp {
        let day = 2 * HALF_DAY;
        let moved = time.plus(self.days * day);
        if self.last.is_some_and(|last| last.since(moved) > HALF_DAY) {
            self.days += 1;
            return moved.plus(day);
        }
        moved
    }

    fn remember(&mut self, line: Vec<u8>) {
        if line.starts_with(b"Session Initiation Protocol (") {
            self.tally.dissections += 1;
        }
        if self.context.len() == CONTEXT {
            self.context.pop_front();
        }
        self.context.push_back(line);
    }
}

impl Draft {
    /// A message begins with `start` when `second` is a header field.
    fn begin(start: &Start, second: &[u8], number: u64) -> Option<Self> {
        let indent = line::indent(second);
        if !line::is_header(&second[indent..]) {
            return None;
        }
        let dots = start.line.ends_with(b".") && second.ends_with(b".");
        let first = start.line.strip_suffix(b".").filter(|_| dots).unwrap_or(&start.line);
        let head = [first, b"\r\n"].concat();
        let before = start.before.clone();
        Some(Self { before, number, indent, dots, head, body: Vec::new(), wanted: 0, cut: false })
    }

    /// `line` without what the logger added to it.
    fn strip<'a>(&self, line: &'a [u8]) -> &'a [u8] {
        let line = &line[line::indent(line).min(self.indent)..];
        line.strip_suffix(b".").filter(|_| self.dots).unwrap_or(line)
    }

    /// True when the last header field so far says that no body follows.
    fn ends_in_no_body(&self) -> bool {
        let head = self.head.strip_suffix(b"\r\n").unwrap_or(&self.head);
        let last = head.rsplit(|b| *b == b'\n').next().unwrap_or_default();
        let Some(colon) = memchr::memchr(b':', last) else { return false };
        let name = last[..colon].trim_ascii();
        let is_length = name.eq_ignore_ascii_case(b"content-length") || name == b"l";
        is_length && last[colon + 1..].trim_ascii() == b"0"
    }

    fn has_body(&self) -> bool {
        self.body.iter().map(|line| line.len() + 2).sum::<usize>() >= self.wanted
    }

    /// The body, with the line ends that make it as long as Content-Length says, and whether
    /// they do.
    fn joined_body(&self) -> (Vec<u8>, bool) {
        let forms: [(&[u8], &[u8]); 4] =
            [(b"\r\n", b"\r\n"), (b"\r\n", b""), (b"\n", b"\n"), (b"\n", b"")];
        for (between, end) in forms {
            let joined = [self.body.join(between).as_slice(), end].concat();
            if joined.len() == self.wanted || self.wanted == 0 {
                return if self.wanted == 0 { (Vec::new(), true) } else { (joined, true) };
            }
        }
        (self.body.join(&b"\r\n"[..]), false)
    }
}

/// True for a line that begins a log record with a full date: no body goes on over it.
fn is_record(line: &[u8], calendar: &Calendar) -> bool {
    let head = &line[..line.len().min(40)];
    let dated = |at: usize| {
        head.get(at..).is_some_and(|rest| {
            rest.first().is_some_and(u8::is_ascii_digit)
                && clock::stamp(&[rest].into_iter(), calendar)
                    .is_some_and(|s| s.written != Written::TimeOfDay)
        })
    };
    dated(0) || (head.first() == Some(&b'[') && dated(1))
}

fn content_length(head: &[u8]) -> usize {
    head.split(|&b| b == b'\n')
        .find_map(|line| {
            let colon = memchr::memchr(b':', line)?;
            let name = line[..colon].trim_ascii();
            let is_it =
                name.eq_ignore_ascii_case(b"content-length") || name.eq_ignore_ascii_case(b"l");
            let value = std::str::from_utf8(line[colon + 1..].trim_ascii()).ok()?;
            is_it.then(|| value.parse().ok()).flatten()
        })
        .unwrap_or(0)
}

/// True when `head`, the beginning of a file, is text in which a message may be found: no
/// NUL runs of a binary format, lines of a length people log.
pub fn looks_like_text(head: &[u8]) -> bool {
    let control = head.iter().filter(|b| matches!(b, 1..=8 | 11 | 14..=26 | 28..=31)).count();
    !head.is_empty() && control * 50 <= head.len() && memchr::memchr(b'\n', head).is_some()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(text: &str) -> Vec<Logged> {
        let mut log = TextLog::new(text.as_bytes(), Calendar::default());
        std::iter::from_fn(|| log.next_message().unwrap()).collect()
    }

    fn texts(text: &str) -> Vec<(u64, String, bool)> {
        read(text)
            .into_iter()
            .map(|m| {
                let (_, text) = exported::unpack(&m.bytes).unwrap();
                (m.line, String::from_utf8(text.to_vec()).unwrap(), m.cut)
            })
            .collect()
    }

    #[test]
    fn prose_about_messages_is_no_message() {
        assert!(texts("we saw REGISTER sip:a@b SIP/2.0\nand then nothing\n").is_empty());
        assert!(texts("INVITE sip:a@b SIP/2.0").is_empty());
    }

    #[test]
    fn bodies_get_back_the_line_ends_their_length_asks_for() {
        let found = texts(
            "2025-01-01 00:00:00 x\nMESSAGE sip:a SIP/2.0\nContent-Length: 8\n\nab\ncd\n\
             2025-01-01 00:00:01 y\nMESSAGE sip:a SIP/2.0\nl: 5\n\nab\ncd\nBYE sip:a SIP/2.0\nl: 0\n\n",
        );
        let bodies: Vec<&str> =
            found.iter().map(|(_, text, _)| text.split_once("\r\n\r\n").unwrap().1).collect();
        assert_eq!(bodies, ["ab\r\ncd\r\n", "ab\ncd", ""]);
        assert!(found.iter().all(|(_, _, cut)| !cut));
    }

    #[test]
    fn a_record_that_lost_its_tail_is_kept_and_said_to_be_cut() {
        let found = texts(
            "BYE sip:a SIP/2.0\nCSeq: 1 BYE\n2025-01-01 00:00:00 other\n\
             MESSAGE sip:a SIP/2.0\nContent-Length: 100\n\nab\n2025-01-01 00:00:00 again\n",
        );
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(|(_, _, cut)| *cut));
        assert_eq!(found[0].1, "BYE sip:a SIP/2.0\r\nCSeq: 1 BYE\r\n");
        assert_eq!(found[1].0, 4);
    }

    #[test]
    fn a_log_that_ends_without_the_empty_line_of_a_message_without_body_has_all_of_it() {
        let found = texts("BYE sip:a SIP/2.0\nCSeq: 1 BYE\nContent-Length: 0\n");
        assert!(!found[0].2 && found[0].1.ends_with("Content-Length: 0\r\n\r\n"));
        assert!(texts("BYE sip:a SIP/2.0\nCSeq: 1 BYE\nContent-Length: 10\n")[0].2);
    }

    #[test]
    fn a_clock_that_falls_back_half_a_day_began_a_new_one() {
        let message = "BYE sip:a SIP/2.0\nCSeq: 1 BYE\n\n";
        let found = read(&format!("23:59:59.500 a\n{message}00:00:01.000 b\n{message}"));
        assert_eq!(found[1].time.since(found[0].time), 1_500_000_000);
    }

    #[test]
    fn lines_and_messages_of_any_length_are_held_in_bounds() {
        let long = "x".repeat(MAX_LINE as usize * 2);
        assert_eq!(texts(&format!("{long}\nBYE sip:a SIP/2.0\nCSeq: 1 BYE\n\n")).len(), 1);
        let headers = format!("X: {}\n", "y".repeat(1000)).repeat(1000);
        let found = texts(&format!("BYE sip:a SIP/2.0\n{headers}\n"));
        assert!(found[0].2 && found[0].1.len() < MAX_MESSAGE + 2000);
    }
}
