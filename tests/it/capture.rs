//! Capture files of every kind come out as the frames that went in, cut or whole.

use std::fs;
use std::io::{self, Cursor, Read};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use siplens::capture::{self, Capture, Error, Filter, Input, Kind, Options, Source};

use crate::compression::{gzip, lz4, zstd};
use crate::support::packet;
use crate::support::pcap::{MICRO, MODIFIED, NANO, Order, Pcap, PcapNg};

/// What a frame holds, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) file: u16,
    pub(crate) number: u64,
    pub(crate) time: i64,
    pub(crate) link: u16,
    pub(crate) interface: u32,
    pub(crate) wire_len: u32,
    pub(crate) bytes: Vec<u8>,
}

/// Reads to the end: the frames, and the reasons of the errors between them.
pub(crate) fn read(mut capture: Capture) -> (Vec<Seen>, Vec<Error>) {
    let (mut frames, mut errors) = (Vec::new(), Vec::new());
    loop {
        match capture.next() {
            Ok(Some(frame)) => frames.push(Seen {
                file: frame.id.file().0,
                number: frame.id.number(),
                time: frame.time.0,
                link: frame.link.0,
                interface: frame.interface,
                wire_len: frame.wire_len,
                bytes: frame.bytes.to_vec(),
            }),
            Ok(None) => return (frames, errors),
            Err(error) => errors.push(error),
        }
    }
}

/// Reads octets mapped and as a dribbling stream, which must agree.
pub(crate) fn read_bytes(bytes: &[u8]) -> (Vec<Seen>, Vec<Error>) {
    let mapped = read(Capture::of_bytes(bytes));
    let streamed = read(Capture::of_reader(Dribble(Cursor::new(bytes.to_vec()))));
    assert_eq!(mapped.0, streamed.0);
    assert_eq!(reasons(&mapped.1), reasons(&streamed.1));
    mapped
}

pub(crate) fn frames(bytes: &[u8]) -> Vec<Seen> {
    let (frames, errors) = read_bytes(bytes);
    assert!(errors.is_empty(), "{errors:?}");
    frames
}

pub(crate) fn reasons(errors: &[Error]) -> Vec<&'static str> {
    errors.iter().map(Error::reason).collect()
}

pub(crate) fn open(paths: &[&Path]) -> Capture {
    let inputs: Vec<_> = paths.iter().map(|path| Input::Path(path.to_path_buf())).collect();
    Capture::open(&inputs, Options::default())
}

/// A pipe that gives three octets at a time.
struct Dribble<R>(R);

impl<R: Read> Read for Dribble<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let few = room.len().min(3);
        self.0.read(&mut room[..few])
    }
}

#[test]
fn pcap_of_every_variant_and_byte_order_reads_the_same() {
    for order in [Order::Little, Order::Big] {
        for (magic, fraction) in [(MICRO, 250_000), (NANO, 250_000_000), (MODIFIED, 250_000)] {
            let file = Pcap::with(order, magic, 113).frame(1_700_000_000, fraction, b"one").frame(
                1_700_000_001,
                0,
                b"",
            );
            let seen = frames(&file.bytes);
            assert_eq!(seen.len(), 2, "{order:?} {magic:x}");
            assert_eq!(seen[0].time, 1_700_000_000_250_000_000);
            assert_eq!((seen[0].number, seen[0].link, seen[0].wire_len), (1, 113, 3));
            assert_eq!(seen[0].bytes, b"one");
            assert_eq!((seen[1].number, seen[1].bytes.len()), (2, 0));
        }
    }
}

#[test]
fn the_check_sequence_bits_are_no_part_of_the_link_type() {
    let file = Pcap::with(Order::Little, MICRO, 0x2400_0001).frame(1, 0, b"x");
    assert_eq!(frames(&file.bytes)[0].link, 1);
}

#[test]
fn a_time_after_2038_is_not_negative() {
    let file = Pcap::new().frame(u32::MAX, 0, b"x");
    assert_eq!(frames(&file.bytes)[0].time, i64::from(u32::MAX) * 1_000_000_000);
}

#[test]
fn a_corrupt_length_stops_the_file_and_keeps_what_was_before() {
    let mut file = Pcap::new().frame(1, 0, b"one").frame(2, 0, b"two").bytes;
    let third = file.len();
    file = Pcap { bytes: file, ..Pcap::new() }.frame(3, 0, b"three").bytes;
    file[third + 8..third + 12].copy_from_slice(&0x6e6f_6973_u32.to_le_bytes());
    let (seen, errors) = read_bytes(&file);
    assert_eq!(seen.len(), 2);
    let [Error::Corrupt { frame: 3, offset, .. }] = errors.as_slice() else {
        panic!("{errors:?}");
    };
    assert_eq!(*offset, third as u64);
}

#[test]
fn pcapng_sections_may_differ_in_byte_order_and_interfaces_in_link_and_clock() {
    let file = PcapNg::new(Order::Little)
        .interface(1, 0, &[])
        .clocked(113, 9, 0)
        .packet(0, 1_500_000, b"micro")
        .packet(1, 1_500_000_000, b"nano")
        .section(Order::Big)
        .clocked(101, 0x80 | 0x0a, 100)
        .clocked(276, 12, 0)
        .packet(0, 1024 + 512, b"binary")
        .packet(1, 1_500_000_000_000, b"pico");
    let seen = frames(&file.bytes);
    let told: Vec<_> = seen.iter().map(|s| (s.number, s.time, s.link, s.interface)).collect();
    assert_eq!(
        told,
        [
            (1, 1_500_000_000, 1, 0),
            (2, 1_500_000_000, 113, 1),
            (3, 101_500_000_000, 101, 2),
            (4, 1_500_000_000, 276, 3),
        ]
    );
    assert_eq!(seen[2].bytes, b"binary");
}

#[test]
fn a_simple_packet_takes_the_time_before_and_the_snap_length_of_its_interface() {
    let file = PcapNg::new(Order::Little)
        .interface(1, 5, &[])
        .packet(0, 7_000_000, b"timed")
        .simple(9, b"cuthe")
        .simple(3, b"all");
    let seen = frames(&file.bytes);
    assert_eq!((seen[1].time, seen[1].wire_len), (7_000_000_000, 9));
    assert_eq!(seen[1].bytes, b"cuthe");
    assert_eq!(seen[2].bytes, b"all");
}

#[test]
fn obsolete_packets_are_read_and_unknown_blocks_passed() {
    let file = PcapNg::new(Order::Big)
        .interface(1, 0, &[])
        .block(0x0000_0bad, b"custom")
        .obsolete(0, u16::MAX, 1_000_000, b"old")
        .block(0x8000_0001, &[7; 1000]);
    let seen = frames(&file.bytes);
    assert_eq!((seen[0].number, seen[0].time), (1, 1_000_000_000));
    assert_eq!(seen[0].bytes, b"old");
}

#[test]
fn drops_are_added_over_interfaces_and_counted_once() {
    let file = PcapNg::new(Order::Little)
        .interface(1, 0, &[])
        .interface(1, 0, &[])
        .packet_with(0, 1, b"p", &[(1, b"a comment".to_vec()), (4, 5_u64.to_le_bytes().to_vec())])
        .obsolete(1, 3, 2, b"q")
        .statistics(0, 2, 3)
        .statistics(0, 2, 9)
        .section(Order::Little)
        .interface(1, 0, &[])
        .statistics(0, 0, 100);
    let mut capture = Capture::of_bytes(&file.bytes);
    while capture.next().unwrap().is_some() {}
    assert_eq!(capture.dropped(), 11 + 3 + 100);
}

#[test]
fn secrets_behind_the_packets_are_known_before_them_in_a_mapped_file() {
    let file = PcapNg::new(Order::Little)
        .interface(1, 0, &[])
        .packet(0, 1, b"sealed")
        .secrets(0x5747_4b4c, b"of another protocol")
        .secrets(0x544c_534b, b"CLIENT_RANDOM 00 11\n")
        .bytes;
    let mut mapped = Capture::of_bytes(&file);
    assert_eq!(mapped.next().unwrap().unwrap().bytes, b"sealed");
    let secrets = mapped.take_secrets();
    assert_eq!(secrets, [capture::Secrets(b"CLIENT_RANDOM 00 11\n".to_vec())]);
    assert!(mapped.next().unwrap().is_none());
    assert!(mapped.take_secrets().is_empty());

    let mut streamed = Capture::of_reader(Cursor::new(file));
    while streamed.next().unwrap().is_some() {}
    assert_eq!(streamed.take_secrets(), secrets);
}

#[test]
fn names_of_hosts_are_kept() {
    let file = PcapNg::new(Order::Big).name([10, 0, 0, 1], "pbx.example").interface(1, 0, &[]);
    let mut capture = Capture::of_bytes(&file.bytes);
    while capture.next().unwrap().is_some() {}
    let address: IpAddr = [10, 0, 0, 1].into();
    assert_eq!(capture.take_names(), [(address, "pbx.example".to_owned())]);
}

#[test]
fn a_packet_of_an_interface_nobody_described_is_told_and_the_rest_is_read() {
    let file = PcapNg::new(Order::Little)
        .interface(1, 0, &[])
        .packet(0, 1, b"a")
        .packet(7, 2, b"stranger")
        .packet(0, 3, b"c");
    let (seen, errors) = read_bytes(&file.bytes);
    assert_eq!(seen.iter().map(|frame| frame.number).collect::<Vec<_>>(), [1, 3]);
    assert!(matches!(errors.as_slice(), [Error::Stranger { frame: 2, interface: 7, .. }]));
}

#[test]
fn blocks_that_contradict_themselves_stop_the_file() {
    let good = PcapNg::new(Order::Little).interface(1, 0, &[]).packet(0, 1, b"abcd");
    let whole = good.bytes.len();
    let bad = good.packet(0, 2, b"efgh").packet(0, 3, b"ijkl").bytes;
    for (at, value) in [(4, 5_u32), (4, u32::MAX), (4, 40), (20, 4000), (32, 0)] {
        let mut file = bad.clone();
        file[whole + at..whole + at + 4].copy_from_slice(&value.to_le_bytes());
        let (seen, errors) = read_bytes(&file);
        assert_eq!(seen.len(), 1, "{at} {value}");
        let [Error::Corrupt { frame: 2, offset, .. }] = errors.as_slice() else {
            panic!("{at} {value}: {errors:?}");
        };
        assert_eq!(*offset, whole as u64);
    }
}

pub(crate) fn sample_pcap() -> Vec<u8> {
    (0..40).fold(Pcap::new(), |file, n| file.frame(n, 0, &vec![n as u8; 7 * n as usize])).bytes
}

pub(crate) fn sample_pcapng() -> Vec<u8> {
    (0..40)
        .fold(PcapNg::new(Order::Big).interface(1, 0, &[]), |file, n| {
            file.packet(0, n, &vec![n as u8; 7 * n as usize]).block(99, &[1; 9])
        })
        .secrets(0x544c_534b, b"CLIENT_RANDOM")
        .bytes
}

#[test]
fn a_file_cut_anywhere_gives_all_before_the_cut_and_says_where() {
    for whole in [sample_pcap(), sample_pcapng()] {
        let all = frames(&whole);
        for cut in 1..whole.len() {
            let (seen, errors) = read(Capture::of_bytes(&whole[..cut]));
            assert_eq!(seen, all[..seen.len()], "cut at {cut}");
            match errors.as_slice() {
                [] => {}
                [Error::Cut { frame, offset, missing, .. }] => {
                    assert_eq!(*frame, seen.len() as u64 + 1);
                    assert!(*offset <= cut as u64 && 0 < *missing, "cut at {cut}");
                }
                // Too short to be recognised.
                [Error::NotCapture { .. }] => assert!(cut < 12),
                other => panic!("cut at {cut}: {other:?}"),
            }
        }
    }
}

#[test]
fn files_are_merged_by_time_and_keep_their_own_order() {
    let home = tempfile::tempdir().unwrap();
    let (one, two) = (home.path().join("one.pcap"), home.path().join("two.pcap.gz"));
    let first = Pcap::new().frame(10, 0, b"a").frame(30, 0, b"c").frame(20, 0, b"d");
    let second = Pcap::new().frame(10, 0, b"b").frame(25, 0, b"e").frame(40, 0, b"f");
    fs::write(&one, first.bytes).unwrap();
    fs::write(&two, gzip(&second.bytes)).unwrap();
    let capture = open(&[&one, &two]);
    assert_eq!(capture.names().len(), 2);
    let (seen, errors) = read(capture);
    assert!(errors.is_empty());
    let told: Vec<_> = seen.iter().map(|s| (s.file, s.number, s.bytes[0] as char)).collect();
    assert_eq!(
        told,
        [(0, 1, 'a'), (1, 1, 'b'), (1, 2, 'e'), (0, 2, 'c'), (0, 3, 'd'), (1, 3, 'f')]
    );
}

#[test]
fn a_directory_of_rotated_files_reads_as_one_whatever_their_names() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("old")).unwrap();
    for n in 0..150_u32 {
        let file = Pcap::new().frame(n * 10, 0, &[n as u8]).frame(n * 10 + 9, 0, &[n as u8]);
        let folder = if n < 50 { "old/" } else { "" };
        let packed = if n % 3 == 0 { zstd(&file.bytes) } else { file.bytes };
        fs::write(home.path().join(format!("{folder}trace{}", 999 - n)), packed).unwrap();
    }
    fs::write(home.path().join("notes.txt"), "no capture").unwrap();
    fs::write(home.path().join("empty.pcap"), "").unwrap();
    let mut capture = open(&[home.path()]);
    let mut times = Vec::new();
    while let Some(frame) = capture.next().unwrap() {
        times.push(frame.time);
    }
    assert_eq!(times.len(), 300);
    assert!(times.is_sorted());
    let notes = capture.take_notes();
    assert!(notes.iter().any(|note| note.contains("2 files")), "{notes:?}");
}

#[test]
fn what_cannot_be_read_is_told_and_the_rest_is_read() {
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name);
    fs::write(path("good"), Pcap::new().frame(1, 0, b"x").bytes).unwrap();
    fs::write(path("zero"), "").unwrap();
    fs::write(path("binary"), [0_u8, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]).unwrap();
    fs::create_dir(path("bare")).unwrap();
    let inputs = ["missing", "zero", "binary", "bare", "good"].map(path);
    let (seen, errors) = read(open(&inputs.each_ref().map(PathBuf::as_path)));
    assert_eq!(seen.len(), 1);
    let found = |test: fn(&Error) -> bool| errors.iter().filter(|error| test(error)).count();
    assert_eq!(found(|error| matches!(error, Error::Missing { .. })), 1);
    assert_eq!(found(|error| matches!(error, Error::Empty { .. })), 1);
    assert_eq!(found(|error| matches!(error, Error::NotCapture { .. })), 1);
    assert_eq!(found(|error| matches!(error, Error::NoCaptures { skipped: 0, .. })), 1);
    assert_eq!(errors.len(), 4, "{errors:?}");
}

#[test]
fn a_file_with_a_header_only_and_a_file_given_twice_are_noted() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("header.pcap");
    fs::write(&path, Pcap::new().bytes).unwrap();
    let mut capture = open(&[&path, &path]);
    assert!(capture.next().unwrap().is_none());
    let notes = capture.take_notes();
    assert!(notes.iter().any(|note| note.ends_with("holds no packets")), "{notes:?}");
    assert!(notes.iter().any(|note| note.contains("more than once")), "{notes:?}");
}

#[test]
fn frames_of_a_plain_file_lie_in_its_mapping() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("plain.pcap");
    fs::write(&path, Pcap::new().frame(1, 0, b"in place").bytes).unwrap();
    let mut capture = open(&[&path]);
    let frame = capture.next().unwrap().unwrap();
    let mapping = frame.home.unwrap().bytes().as_ptr_range();
    assert!(mapping.contains(&frame.bytes.as_ptr()));
}

#[cfg(unix)]
#[test]
fn a_file_truncated_while_it_is_read_ends_where_it_ends() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("shrinking.pcap");
    let file = (0..200).fold(Pcap::new(), |file, n| file.frame(n, 0, &vec![n as u8; 60_000]));
    fs::write(&path, file.bytes).unwrap();
    let mut capture = open(&[&path]);
    assert!(capture.next().unwrap().is_some());
    fs::File::options().write(true).open(&path).unwrap().set_len(100 * 60_016).unwrap();
    let (seen, errors) = read(capture);
    assert_eq!(seen.len(), 98);
    assert_eq!(reasons(&errors), ["file-cut"]);
}

#[cfg(unix)]
#[test]
fn a_named_pipe_is_read_as_it_comes() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    let writer = {
        let path = path.clone();
        std::thread::spawn(move || fs::write(path, gzip(&sample_pcap())).unwrap())
    };
    let (seen, errors) = read(open(&[&path]));
    writer.join().unwrap();
    assert_eq!((seen.len(), errors.len()), (40, 0));
}

#[test]
fn a_text_log_is_read_as_frames_numbered_by_line_also_compressed_and_between_captures() {
    let log = "2026-11-20 10:00:00.500 10.0.0.1:5060 -> 10.0.0.2:5060\n\
               OPTIONS sip:b@10.0.0.2 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1\n\
               Call-ID: x\nCSeq: 1 OPTIONS\nContent-Length: 0\n\n";
    let seen = frames(log.as_bytes());
    assert_eq!(seen.len(), 1);
    assert_eq!((seen[0].number, seen[0].link), (2, 252));
    assert_eq!(frames(&gzip(log.as_bytes())), seen);
    let (none, errors) = read_bytes(b"nothing but prose\nin these lines\n");
    assert!(none.is_empty());
    assert_eq!(reasons(&errors), ["unreadable"]);
}

#[cfg(feature = "live")]
#[test]
fn a_filter_by_port_lets_fragments_and_tags_through_and_says_so() {
    let Ok(filter) = Filter::new("udp port 5060") else { return };
    let whole = packet::udp("10.0.0.1:5060", "10.0.0.2:5060", &[b'x'; 2_000]);
    let other = packet::udp("10.0.0.1:4000", "10.0.0.2:4000", &[b'y'; 100]).whole();
    let tagged = |ip: &[u8]| packet::join(&[&[0, 5, 8, 0], ip]);
    let mut wanted: Vec<_> = whole.fragments(1_000).iter().map(|ip| packet::ethernet(ip)).collect();
    wanted.push(packet::ethernet_of(0x8100, &tagged(&whole.whole())));
    wanted.push(packet::ethernet_of(
        0x8100,
        &[&[0, 5, 0x81, 0], &tagged(&whole.whole())[..]].concat(),
    ));
    let unwanted = [packet::ethernet(&other), packet::ethernet_of(0x8100, &tagged(&other))];
    let file =
        wanted.iter().chain(&unwanted).fold(Pcap::new(), |file, bytes| file.frame(1, 0, bytes));

    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("filtered.pcap");
    fs::write(&path, file.bytes).unwrap();
    let options = Options { filter: Some(filter), ..Options::default() };
    let mut capture = Capture::open(&[Input::Path(path)], options);
    let mut passed = Vec::new();
    while let Some(frame) = capture.next().unwrap() {
        passed.push(frame.bytes.to_vec());
    }
    assert_eq!(passed, wanted);
    assert_eq!(capture.filtered(), 2);
    assert!(capture.take_notes().iter().any(|note| note.contains("IP fragments")));
}

#[test]
fn a_filter_that_is_none_says_what_is_wrong_with_it() {
    let error = Filter::new("port and host").err().unwrap().to_string();
    assert!(error.contains("libpcap") || error.contains("`port and host`"), "{error}");
}

#[test]
fn kinds_are_told_by_content() {
    assert_eq!(Kind::of(&sample_pcap()), Kind::Pcap);
    assert_eq!(Kind::of(&sample_pcapng()), Kind::PcapNg);
    assert_eq!(Kind::of(&gzip(b"x")), Kind::Gzip);
    assert_eq!(Kind::of(&zstd(b"x")), Kind::Zstd);
    assert_eq!(Kind::of(&lz4(b"x")), Kind::Lz4);
    assert_eq!(Kind::of(b"2026-11-21 INVITE sip:\n"), Kind::Text);
    assert_eq!(Kind::of(&[0, 1, 2, 3]), Kind::Unknown);
    assert_eq!(Kind::of(&[]), Kind::Unknown);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..Default::default() })]

    #[test]
    fn octets_of_any_kind_are_read_to_an_end(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        capture::fuzz(&bytes);
    }

    #[test]
    fn a_capture_with_any_octets_changed_is_read_to_an_end(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        which in 0..5_usize,
    ) {
        let mut bytes = match which {
            0 => sample_pcap(),
            1 => sample_pcapng(),
            2 => gzip(&sample_pcap()),
            3 => zstd(&sample_pcap()),
            _ => lz4(&sample_pcap()),
        };
        for (place, value) in changes {
            let at = place.index(bytes.len());
            bytes[at] = value;
        }
        capture::fuzz(&bytes);
    }

    #[test]
    fn any_number_of_files_merge_like_a_stable_sort(
        steps in proptest::collection::vec(proptest::collection::vec(0..5_u32, 0..12), 1..6),
    ) {
        let home = tempfile::tempdir().unwrap();
        let mut expected = Vec::new();
        let mut paths = Vec::new();
        for (n, steps) in steps.iter().enumerate() {
            let mut time = 0;
            let mut file = Pcap::new();
            for (number, step) in steps.iter().enumerate() {
                time += step;
                file = file.frame(time, 0, b"x");
                expected.push((i64::from(time) * 1_000_000_000, n as u16, number as u64 + 1));
            }
            let path = home.path().join(n.to_string());
            fs::write(&path, file.bytes).unwrap();
            paths.push(path);
        }
        expected.sort_unstable();
        let (seen, _) = read(open(&paths.iter().map(PathBuf::as_path).collect::<Vec<_>>()));
        let seen: Vec<_> = seen.iter().map(|s| (s.time, s.file, s.number)).collect();
        prop_assert_eq!(seen, expected);
    }
}
