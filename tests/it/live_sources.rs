//! What threads that capture hand over: whose frames they are, and what was not seen between them.

use siplens::capture::live::queue::{Head, Missed, News, Sender};
use siplens::capture::live::{Captor, Found, Live, Shares, of_source};
use siplens::capture::{Capture, Error, Source};
use siplens::frame::{Frame, LinkType, Sightings};
use siplens::time::Timestamp;

use crate::program::run_on;
use crate::support::pcap::{Order, PcapNg};

fn live(captors: Vec<Captor>) -> Live {
    Live::start(captors, Vec::new(), Shares { queue: 32 << 20, order: 32 << 20 }).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::new(second, 0)
}

fn push(sender: &Sender, second: i64) {
    let head = Head { time: at(second), link: LinkType(1), interface: 0, wire_len: 1 };
    sender.push(head, b"x").unwrap();
    sender.flush();
}

/// The next frame, or error, or `None` where the source is over or wants to be asked.
fn next(live: &mut Live) -> Option<Result<(i64, u32), &'static str>> {
    loop {
        let frame = live.next().map(|frame| frame.map(|frame| (frame.time, frame.interface)));
        match frame {
            Ok(Some((time, interface))) => return Some(Ok((time.0 / 1_000_000_000, interface))),
            Err(error) => return Some(Err(error.reason())),
            Ok(None) if live.is_over() => return None,
            Ok(None) => {}
        }
    }
}

#[test]
fn interfaces_of_a_pipe_are_numbered_behind_those_before_it() {
    let file = PcapNg::new(Order::Little).interface(1, 0, &[]).interface(1, 0, &[]);
    let file = file.packet(0, 0, b"x").packet(1, 0, b"y").statistics(1, 5, 0).bytes;
    let mut live = live(vec![of_source(Capture::of_bytes(&file), 1)]);
    let interfaces: Vec<u32> =
        std::iter::from_fn(|| next(&mut live)).map(|n| n.unwrap().1).collect();
    assert_eq!(interfaces, [1, 2]);
    assert_eq!((live.lost_by(0), live.lost_by(1)), (0, 5));
}

#[test]
fn what_was_not_seen_is_told_before_what_comes_after_it() {
    let mut live = live(vec![Box::new(|sender: Sender| {
        push(&sender, 1);
        for (from, until, missed) in
            [(1, 2, Missed::Some), (2, 90, Missed::All), (90, 100, Missed::All)]
        {
            sender.tell(News::Gap { from: at(from), until: at(until), missed }).unwrap();
        }
        push(&sender, 100);
    })]);
    assert_eq!(next(&mut live), Some(Ok((1, 0))));
    let mut gaps = Vec::new();
    loop {
        let frame = live.next().unwrap().map(|frame| frame.time);
        // However it is asked: never the frame before the gap.
        gaps.extend(live.take_gaps());
        if frame.is_some() {
            break;
        }
        assert!(!live.is_over());
    }
    assert_eq!(gaps, [(at(1), at(2)), (at(2), at(90)), (at(90), at(100))]);
    assert_eq!(live.unwatched(), [(at(2), at(100))], "in the first some was seen");
    assert_eq!(next(&mut live), None);
}

#[test]
fn an_interface_that_is_gone_has_a_word_of_its_own() {
    let gone =
        || Error::Device { name: "eth0".to_owned(), what: "The interface disappeared".into() };
    let mut live = live(vec![Box::new(move |sender: Sender| {
        sender.tell(News::Trouble(gone())).unwrap();
    })]);
    assert_eq!(next(&mut live), Some(Err(LOSS)));
    assert_eq!(next(&mut live), None);
}

/// The word of the completeness line that these tests prove.
pub(crate) const LOSS: &str = "source-gone";

#[test]
fn what_a_followed_log_says_of_its_lengths_is_known() {
    struct Log;
    impl Source for Log {
        fn next(&mut self) -> Result<Option<Frame<'_>>, Error> {
            Ok(None)
        }

        fn misstated(&self) -> Sightings {
            Sightings { count: 3, first: None }
        }
    }
    let mut live = live(vec![of_source(Log, 0)]);
    assert_eq!(next(&mut live), None);
    assert_eq!(live.misstated().count, 3);
}

#[test]
fn names_that_would_steer_a_terminal_are_never_said_raw() {
    let named = "no\x1b]0;owned\x07\x1b[31mwhere\r";
    let file = format!("/nonexistent/{named}");
    for args in [["live", "-i", named], ["live", "--follow", &file], ["live", "-w", &file]] {
        let run = run_on(b"", &args);
        assert_eq!(run.code, 2, "{}", run.err);
        assert!(run.err.contains("where"), "{}", run.err);
        assert!(!run.err.trim_end_matches('\n').contains(char::is_control), "{:?}", run.err);
    }
    let run = run_on(b"", &["live", "-", "--memory", "15M"]);
    assert!(run.err.contains("less than 16M"), "{}", run.err);
}

#[test]
fn a_clock_that_is_set_is_told_once_whoever_saw_it() {
    const HOUR: i64 = 3_600_000_000_000;
    let sees = || -> Captor {
        Box::new(|sender: Sender| {
            sender.tell(News::Machine(Found::Set { nth: 1, all: HOUR })).unwrap();
        })
    };
    let mut live = live(vec![sees(), sees()]);
    while next(&mut live).is_some() {}
    let notes = live.take_notes();
    assert!(
        matches!(&notes[..], [one] if one.contains("was set forward by 3600.000 s")),
        "{notes:?}"
    );
    assert_eq!(live.clock_set_by(), HOUR);
}
