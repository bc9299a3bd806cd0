//! A file that another program writes is read as it grows, and what takes its place after it.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use siplens::capture::{Error, Following, Options, Source as _};

use crate::support::pcap::{Order, Pcap, PcapNg};

/// Longer than anything here takes; only a failing test waits so long.
const LONG: Duration = Duration::from_mins(1);

/// What a followed file tells.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Frame(Vec<u8>),
    Note(String),
    Error(&'static str),
}

/// A file that is followed on a thread of its own.
struct Followed {
    _directory: tempfile::TempDir,
    path: PathBuf,
    stop: Arc<AtomicBool>,
    told: Receiver<Told>,
    thread: JoinHandle<()>,
}

impl Followed {
    fn new(begin: &[u8]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("growing");
        fs::write(&path, begin).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let mut following = Following::open(&path, Arc::clone(&stop), Options::default).unwrap();
        let (sender, told) = channel();
        let thread = thread::spawn(move || {
            loop {
                let told = match following.next() {
                    Ok(Some(frame)) => Some(Told::Frame(frame.bytes.to_vec())),
                    Ok(None) => None,
                    Err(error) => Some(Told::Error(error.reason())),
                };
                for note in following.take_notes() {
                    sender.send(Told::Note(note)).unwrap();
                }
                match told {
                    Some(told) => sender.send(told).unwrap(),
                    None if following.is_over() => return,
                    None => {}
                }
            }
        });
        Self { _directory: directory, path, stop, told, thread }
    }

    fn append(&self, bytes: &[u8]) {
        OpenOptions::new().append(true).open(&self.path).unwrap().write_all(bytes).unwrap();
    }

    #[track_caller]
    fn next(&self) -> Told {
        self.told.recv_timeout(LONG).unwrap()
    }

    #[track_caller]
    fn expect(&self, frame: &[u8]) {
        assert_eq!(self.next(), Told::Frame(frame.to_vec()));
    }

    #[track_caller]
    fn expect_note(&self, end: &str) {
        match self.next() {
            Told::Note(note) if note.ends_with(end) => {}
            other => panic!("{other:?}, not {end}"),
        }
    }

    /// Ends the following; what it told since.
    fn stop(self) -> Vec<Told> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        self.told.iter().collect()
    }
}

#[test]
fn what_is_not_written_yet_is_waited_for() {
    let files = [
        Pcap::new().frame(1, 0, b"one").frame(2, 0, b"two").bytes,
        PcapNg::new(Order::Big)
            .interface(1, 0, &[])
            .packet(0, 1, b"one")
            .packet(0, 2, b"two")
            .bytes,
    ];
    for file in files {
        let followed = Followed::new(b"");
        // Cut in the middle of the second packet.
        let (begin, end) = file.split_at(file.len() - 6);
        for piece in begin.chunks(7) {
            followed.append(piece);
        }
        followed.expect(b"one");
        followed.append(end);
        followed.expect(b"two");
        followed.append(&file[file.len() - 5..]);
        assert_eq!(followed.stop(), [], "half a record is none at the end either");
    }
}

#[test]
fn a_file_that_takes_the_name_is_read_from_its_beginning() {
    let followed = Followed::new(&Pcap::new().frame(1, 0, b"old").bytes);
    followed.expect(b"old");
    let next = followed.path.with_extension("next");
    fs::write(&next, PcapNg::new(Order::Little).interface(1, 0, &[]).packet(0, 1, b"new").bytes)
        .unwrap();
    fs::rename(&next, &followed.path).unwrap();
    followed.expect_note("growing: replaced by another file; read from its beginning");
    followed.expect(b"new");
    // And once more, with a moment in which there is none.
    fs::remove_file(&followed.path).unwrap();
    fs::write(&next, Pcap::new().frame(1, 0, b"third").bytes).unwrap();
    fs::rename(&next, &followed.path).unwrap();
    followed.expect_note("read from its beginning");
    followed.expect(b"third");
    assert_eq!(followed.stop(), []);
}

#[test]
fn a_file_that_is_truncated_is_read_from_its_beginning() {
    let followed = Followed::new(&Pcap::new().frame(1, 0, b"a long packet").bytes);
    followed.expect(b"a long packet");
    File::options().write(true).truncate(true).open(&followed.path).unwrap();
    followed.expect_note("growing: truncated; read from its beginning");
    followed.append(&Pcap::new().frame(1, 0, b"again").bytes);
    followed.expect(b"again");
    assert_eq!(followed.stop(), []);
}

#[test]
fn a_record_cut_by_a_replacement_is_told() {
    let whole = Pcap::new().frame(1, 0, b"whole").frame(1, 0, b"cut").bytes;
    let followed = Followed::new(&whole[..whole.len() - 1]);
    followed.expect(b"whole");
    let next = followed.path.with_extension("next");
    fs::write(&next, Pcap::new().frame(1, 0, b"new").bytes).unwrap();
    fs::rename(&next, &followed.path).unwrap();
    assert_eq!(followed.next(), Told::Error("file-cut"));
    followed.expect_note("read from its beginning");
    followed.expect(b"new");
    assert_eq!(followed.stop(), []);
}

#[test]
fn messages_of_a_log_come_as_they_are_written() {
    let followed = Followed::new(b"a log that begins\n");
    let message = |number: u32| {
        format!(
            "2026-11-21 20:55:0{number} received from 192.0.2.1:5060\nOPTIONS sip:{number} SIP/2.0\n\
             Via: SIP/2.0/UDP 192.0.2.1\nCall-ID: {number}\nCSeq: 1 OPTIONS\nContent-Length: 0\n\n"
        )
    };
    for number in 1..=3 {
        followed.append(message(number).as_bytes());
        // What tells that nothing follows is the next line.
        followed.append(b"another line\n");
        let Told::Frame(bytes) = followed.next() else { panic!("no message") };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(text.contains(&format!("OPTIONS sip:{number} SIP/2.0")), "{text}");
    }
    let rest = followed.stop();
    assert!(rest.iter().all(|told| matches!(told, Told::Note(_))), "{rest:?}");
}

#[test]
fn a_file_that_is_not_there_is_told_at_once() {
    let stop = Arc::new(AtomicBool::new(false));
    let missing = Following::open(Path::new("/missing/file"), stop, Options::default);
    assert!(matches!(missing.err(), Some(Error::Missing { .. })));
}
