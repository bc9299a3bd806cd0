//! Packets that are kept can be read at any time, by us and by others, whatever the disk does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use siplens::capture::Source as _;
use siplens::capture::write::{Counts, Ring, Savefile};
use siplens::frame::{FileId, Frame, FrameId, LinkType};
use siplens::time::{SECOND, Timestamp};

use crate::capture::{Seen, open, read};
use crate::support::packet;

/// A moment in the evening of 2026-11-21, UTC.
const EVENING: i64 = 1_795_294_500 * SECOND;

/// An Ethernet frame with SIP in it; `number` tells it from others.
fn sip(number: u64) -> Vec<u8> {
    let text = format!("OPTIONS sip:{number} SIP/2.0\r\nCall-ID: {number}\r\n\r\n");
    let ip = packet::udp("192.0.2.1:5060", "192.0.2.2:5060", text.as_bytes());
    packet::ethernet(&ip.whole())
}

fn frame(number: u64, time: i64, bytes: &[u8]) -> Frame<'_> {
    Frame {
        id: FrameId::new(FileId(0), number),
        time: Timestamp(time),
        link: LinkType(1),
        interface: 0,
        wire_len: bytes.len() as u32,
        bytes,
        home: None,
    }
}

/// Reads one file, in which everything has to be right.
fn whole(path: &Path) -> Vec<Seen> {
    let (frames, errors) = read(open(&[path]));
    assert!(errors.is_empty(), "{}: {errors:?}", path.display());
    frames
}

/// The files in a directory, by name.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn has(program: &str) -> bool {
    let there = Command::new(program).arg("--version").output().is_ok();
    if !there {
        println!("skipped: {program} is not installed");
    }
    there
}

#[test]
fn a_file_being_written_is_whole_after_every_flush() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("call.pcapng");
    let mut savefile = Savefile::create(&path, None).unwrap();
    savefile.describe(FileId(0), 0, "eth0", 262_144);
    assert_eq!(whole(&path), []);
    for number in 1..=50 {
        let bytes = sip(number);
        let time = EVENING + number as i64;
        let cut = Frame { wire_len: 9_000, ..frame(number, time, &bytes) };
        savefile.write(&Frame { interface: number as u32 % 2, ..cut });
        savefile.flush();
        let seen = whole(&path);
        assert_eq!(seen.len() as u64, number);
        let last = seen.last().unwrap();
        assert_eq!((last.time, last.link, last.wire_len), (time, 1, 9_000));
        assert_eq!(last.bytes, bytes);
    }
    savefile.report(FileId(0), 0, Counts { received: 60, dropped: 7 });
    savefile.report(FileId(0), 1, Counts { received: 30, dropped: 3 });
    savefile.finish();
    assert_eq!((savefile.written(), savefile.lost()), (50, 0));
    assert_eq!(savefile.take_notes(), Vec::<String>::new());
    let mut capture = open(&[&path]);
    while capture.next().unwrap().is_some() {}
    assert_eq!(capture.dropped(), 10);
}

#[test]
fn links_of_one_interface_are_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.pcapng");
    let mut savefile = Savefile::create(&path, None).unwrap();
    for (link, file) in [(1, 0), (101, 0), (1, 1), (1, 0)] {
        let id = FrameId::new(FileId(file), 1);
        savefile.write(&Frame { id, link: LinkType(link), ..frame(1, EVENING, b"some octets") });
    }
    drop(savefile);
    let seen: Vec<_> = whole(&path).iter().map(|seen| (seen.link, seen.interface)).collect();
    assert_eq!(seen, [(1, 0), (101, 1), (1, 2), (1, 0)]);
}

#[test]
fn wireshark_reads_what_is_written() {
    if !has("tshark") || !has("capinfos") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("call.pcapng");
    let mut savefile = Savefile::create(&path, None).unwrap();
    savefile.describe(FileId(0), 0, "eth0", 65_535);
    for number in 1..=4 {
        let bytes = sip(number);
        savefile.write(&frame(number, EVENING + 123_456_789, &bytes));
        savefile.flush();
        let told = run(Command::new("tshark").args(["-n", "-r"]).arg(&path).args([
            "-T",
            "fields",
            "-e",
            "frame.time_epoch",
            "-e",
            "frame.interface_name",
            "-e",
            "sip.Call-ID",
        ]));
        assert_eq!(told.lines().count() as u64, number);
        let last: Vec<_> = told.lines().last().unwrap().split('\t').collect();
        assert!(last[0].contains("123456789") || last[0].contains(".123456789"), "{told}");
        assert_eq!(last[1..], ["eth0".to_owned(), number.to_string()]);
    }
    savefile.report(FileId(0), 0, Counts { received: 25, dropped: 5 });
    savefile.finish();
    let told = run(Command::new("capinfos").arg(&path));
    for part in ["siplens", "Number of packets:   4", "Name = eth0", "Number of stat entries = 1"] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

/// What a program says; it has to like what it is given.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{complaint}");
    // Wireshark's tools warn of running as root.
    assert!(!complaint.contains("cut short") && !complaint.contains("damaged"), "{complaint}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_ring_keeps_so_many_files_of_so_many_octets() {
    let directory = tempfile::tempdir().unwrap();
    let ring: Ring = "3x10KB".parse().unwrap();
    let mut savefile = Savefile::create(&directory.path().join("call.pcapng"), Some(ring)).unwrap();
    savefile.describe(FileId(0), 0, "eth0", 0);
    assert!(files(directory.path()).is_empty(), "a file is made by its first packet");
    for number in 1..=500 {
        let bytes = sip(number);
        savefile.report(FileId(0), 0, Counts { received: number, dropped: number / 10 });
        savefile.write(&frame(number, EVENING + number as i64 * SECOND / 10, &bytes));
        assert!(files(directory.path()).len() <= 3);
    }
    savefile.finish();
    let files = files(directory.path());
    assert_eq!(files.len(), 3);
    let mut numbers = Vec::new();
    for file in &files {
        assert!(fs::metadata(file).unwrap().len() <= 10 << 10);
        let seen = whole(file);
        assert!(50 < seen.len());
        numbers.extend(seen.iter().map(|seen| (seen.time - EVENING) * 10 / SECOND));
    }
    let first = numbers[0];
    assert_eq!(numbers, (first..=500).collect::<Vec<_>>(), "nothing lies between two files");
    let mut capture = open(&files.iter().map(PathBuf::as_path).collect::<Vec<_>>());
    while capture.next().unwrap().is_some() {}
    let before = u64::try_from(first - 1).unwrap() / 10;
    assert!(capture.dropped().abs_diff(50 - before) <= 1, "each file counts what it saw dropped");
}

#[test]
fn a_file_of_a_ring_ends_with_its_time_and_bears_that_of_its_first_packet() {
    let directory = tempfile::tempdir().unwrap();
    let ring: Ring = "24x1min".parse().unwrap();
    let mut savefile = Savefile::create(&directory.path().join("call.pcapng"), Some(ring)).unwrap();
    // The last packet: the clock was set back by an hour.
    for seconds in [0, 30, 59, 60, 119, 300, 300 - 3_600] {
        savefile.write(&frame(1, EVENING + seconds * SECOND, b"octets"));
    }
    drop(savefile);
    let told: Vec<_> = files(directory.path())
        .iter()
        .map(|file| (file.file_name().unwrap().to_str().unwrap().to_owned(), whole(file).len()))
        .collect();
    let expected = [
        ("call_00001_20261121205500.pcapng", 3),
        ("call_00002_20261121205600.pcapng", 2),
        ("call_00003_20261121210000.pcapng", 1),
        ("call_00004_20261121200000.pcapng", 1),
    ];
    assert_eq!(told, expected.map(|(name, count)| (name.to_owned(), count)));
}

#[cfg(unix)]
#[test]
fn a_file_that_is_there_is_emptied_and_stays_whose_it_is() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    let directory = tempfile::tempdir().unwrap();
    let [old, new] = ["old.pcapng", "new.pcapng"].map(|name| directory.path().join(name));
    fs::write(&old, vec![7; 100_000]).unwrap();
    fs::set_permissions(&old, fs::Permissions::from_mode(0o640)).unwrap();
    let before = fs::metadata(&old).unwrap();
    for (path, mode) in [(&old, 0o640), (&new, 0o600)] {
        let savefile = Savefile::create(path, None).unwrap();
        assert_eq!(savefile.file().is_some(), path == &new, "only a new one is given away");
        drop(savefile);
        let now = fs::metadata(path).unwrap();
        assert_eq!((now.mode() & 0o777, now.uid()), (mode, before.uid()));
        assert_eq!(whole(path), []);
    }
    assert_eq!(fs::metadata(&old).unwrap().ino(), before.ino());
}

#[test]
fn files_of_earlier_runs_are_neither_emptied_nor_counted_nor_removed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("call.pcapng");
    let ring = || "2x1min".parse::<Ring>().ok();
    let run = || {
        let mut savefile = Savefile::create(&path, ring()).unwrap();
        for minute in 0..3 {
            savefile.write(&frame(1, EVENING + minute * 60 * SECOND, b"octets"));
        }
    };
    run();
    let before: Vec<_> =
        files(directory.path()).into_iter().map(|file| (whole(&file), file)).collect();
    assert_eq!(before.len(), 2);
    // Names are by number and time: these are the same.
    run();
    assert_eq!(files(directory.path()).len(), 4);
    for (seen, file) in before {
        assert_eq!(whole(&file), seen);
    }
}

#[test]
fn a_place_that_cannot_be_written_is_told_before_anything_is_captured() {
    let directory = tempfile::tempdir().unwrap();
    let nowhere = directory.path().join("missing/call.pcapng");
    for ring in [None, "2x1h".parse().ok()] {
        let told = Savefile::create(&nowhere, ring).err().unwrap().to_string();
        assert!(told.ends_with("call.pcapng: no such directory; make it first"), "{told}");
    }
}

#[test]
fn a_directory_of_a_ring_that_goes_away_costs_packets_and_no_more() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("ring");
    fs::create_dir(&place).unwrap();
    let ring = "2x1min".parse().ok();
    let mut savefile = Savefile::create(&place.join("call.pcapng"), ring).unwrap();
    fs::remove_dir(&place).unwrap();
    for number in 0..10 {
        savefile.write(&frame(1, EVENING, b"octets"));
        if number == 4 {
            savefile.flush();
        }
    }
    assert_eq!((savefile.written(), savefile.lost()), (0, 10));
    let notes = savefile.take_notes();
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].contains("capture goes on"), "{notes:?}");
    fs::create_dir(&place).unwrap();
    for _ in 0..4 {
        savefile.flush();
        savefile.write(&frame(1, EVENING, b"octets"));
    }
    savefile.flush();
    assert_eq!((savefile.written(), savefile.lost()), (4, 10));
    let notes = savefile.take_notes();
    assert!(notes[0].ends_with("is written again; 10 packets were lost"), "{notes:?}");
}

/// Names the directory of a small disk to the test that is started within it.
const SMALL_DISK: &str = "SIPLENS_TEST_SMALL_DISK";

#[test]
fn a_full_disk_is_told_and_holds_whole_records_and_is_tried_again() {
    if let Some(place) = std::env::var_os(SMALL_DISK) {
        return fill(Path::new(&place));
    }
    let directory = tempfile::tempdir().unwrap();
    let mount = r#"mount -t tmpfs -o size=64k none "$0""#;
    let mut probe = Command::new("unshare");
    let probe = probe.args(["-m", "sh", "-c", mount]).arg(directory.path()).output();
    if !probe.is_ok_and(|output| output.status.success()) {
        println!("skipped: mounting a small disk needs root");
        return;
    }
    let script = format!("{mount} && exec \"$@\"");
    let output = Command::new("unshare")
        .args(["-m", "sh", "-c", &script])
        .arg(directory.path())
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture"])
        .arg("savefile::a_full_disk_is_told_and_holds_whole_records_and_is_tried_again")
        .env(SMALL_DISK, directory.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
}

/// What happens on a disk of 64 KiB.
fn fill(place: &Path) {
    let ballast = place.join("ballast");
    fs::write(&ballast, vec![0; 32 << 10]).unwrap();
    let path = place.join("call.pcapng");
    let mut savefile = Savefile::create(&path, None).unwrap();
    let mut sent = 0;
    let mut send = |savefile: &mut Savefile| {
        for _ in 0..7 {
            sent += 1;
            let bytes = sip(sent);
            savefile.write(&frame(sent, EVENING, &bytes));
        }
        savefile.flush();
        sent
    };
    for _ in 0..100 {
        let sent = send(&mut savefile);
        let kept = whole(&path).len() as u64;
        assert_eq!(kept, savefile.written());
        assert_eq!(kept + savefile.lost(), sent);
    }
    assert!(100 < savefile.lost());
    let notes = savefile.take_notes();
    assert_eq!(notes.len(), 1, "once, not for each packet: {notes:?}");
    assert!(
        notes[0].ends_with(
            "No space left on device; capture goes on, packets are not kept until there is room"
        ),
        "{notes:?}"
    );
    fs::remove_file(&ballast).unwrap();
    let lost = savefile.lost();
    for _ in 0..10 {
        send(&mut savefile);
    }
    assert_eq!(savefile.lost(), lost);
    assert_eq!(whole(&path).len() as u64, savefile.written());
    let notes = savefile.take_notes();
    assert!(
        notes[0].ends_with(&format!("is written again; {lost} packets were lost")),
        "{notes:?}"
    );
}
