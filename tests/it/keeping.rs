//! What is kept of a capture is all that belongs to it, and little else.

use std::path::{Path, PathBuf};

use siplens::engine::Reader;
use siplens::engine::keeping::{Keep, Keeping};
use siplens::frame::{FileId, Frame, FrameId, LinkType};
use siplens::limits::Limits;
use siplens::model::Seed;
use siplens::time::{SECOND, Timestamp};
use siplens::transport::Observation;
use siplens::transport::peek::peek_call_id;

use crate::capture::{Seen, open, read};
use crate::program::{root, samples};
use crate::reader::{answer, segment, stream};
use crate::support::packet::{self, ACK, SYN, Tcp, ethernet};

fn lend(seen: &Seen) -> Frame<'_> {
    Frame {
        id: FrameId::new(FileId(seen.file), seen.number),
        time: Timestamp(seen.time),
        link: LinkType(seen.link),
        interface: seen.interface,
        wire_len: seen.wire_len,
        bytes: &seen.bytes,
        home: None,
    }
}

/// Frames on Ethernet, a second apart.
fn seen(frames: &[Vec<u8>]) -> Vec<Seen> {
    let frame = |(at, bytes): (usize, &Vec<u8>)| Seen {
        file: 0,
        number: at as u64 + 1,
        time: (at as i64 + 1) * SECOND,
        link: 1,
        interface: 0,
        wire_len: bytes.len() as u32,
        bytes: bytes.clone(),
    };
    frames.iter().enumerate().map(frame).collect()
}

/// What came of keeping.
#[derive(Default)]
struct Kept {
    /// Numbers of the frames, in the order in which they were handed out.
    frames: Vec<u64>,
    let_go: u64,
    missed: u64,
    /// Frames that were held when nothing more came.
    held: usize,
}

/// Keeps frames; `choose` says of each message whether it makes its call a chosen one.
fn keep(frames: &[Seen], keep: Keep, choose: impl Fn(&[u8]) -> bool) -> Kept {
    let mut reader = Reader::new(&Limits::default());
    let mut keeping = Keeping::new(keep, Seed(7), 1 << 30);
    let mut kept = Vec::new();
    for frame in frames {
        let mut chosen = Vec::new();
        let frame = lend(frame);
        let fate = reader.read(&frame, &mut |observation| {
            keeping.hear(&observation);
            if let Observation::Message { text, .. } = observation
                && choose(text)
            {
                chosen.extend(peek_call_id(text).map(<[u8]>::to_vec));
            }
        });
        let mut sink = |frame: &Frame<'_>| kept.push(frame.id.number());
        for call_id in chosen {
            keeping.choose(&call_id, &mut sink);
        }
        keeping.take(&frame, fate, &reader, &mut sink);
    }
    reader.finish(&mut |observation| keeping.hear(&observation));
    keeping.finish(&reader, &mut |frame| kept.push(frame.id.number()));
    let mut sorted = kept.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), kept.len(), "no frame is kept twice");
    let (let_go, missed) = (keeping.let_go(), keeping.missed());
    Kept { frames: kept, let_go, missed, held: keeping.held() }
}

fn kept_of_sip(frames: &[Vec<u8>]) -> Vec<u64> {
    keep(&seen(frames), Keep::Sip, |_| false).frames
}

/// The texts of the messages in frames, those of calls that `wanted` names.
fn texts(frames: &[Seen], wanted: impl Fn(&[u8]) -> bool) -> Vec<Vec<u8>> {
    let mut reader = Reader::new(&Limits::default());
    let mut texts = Vec::new();
    let mut note = |observation: Observation<'_>| {
        if let Observation::Message { text, .. } = observation
            && wanted(peek_call_id(text).unwrap_or_default())
        {
            texts.push(text.to_vec());
        }
    };
    for frame in frames {
        reader.read(&lend(frame), &mut note);
    }
    reader.finish(&mut note);
    texts.sort_unstable();
    texts
}

/// Those frames of `frames` that have these numbers.
fn only(frames: &[Seen], numbers: &[u64]) -> Vec<Seen> {
    frames.iter().filter(|frame| numbers.contains(&frame.number)).cloned().collect()
}

fn captures() -> Vec<PathBuf> {
    let probes = root().join("tests/data/probes");
    let probes = std::fs::read_dir(probes).unwrap().map(|entry| entry.unwrap().path());
    let samples = samples().into_iter().map(|name| root().join("samples").join(name));
    let mut captures: Vec<_> = samples.chain(probes.filter(|path| is_capture(path))).collect();
    captures.sort();
    captures
}

fn is_capture(path: &Path) -> bool {
    let name = path.to_string_lossy();
    name.contains(".pcap")
}

fn frames_of(path: &Path) -> Vec<Seen> {
    read(open(&[path])).0
}

#[test]
fn what_is_kept_of_sip_reads_as_the_whole_capture_does() {
    let mut fewer = 0;
    for path in captures() {
        let frames = frames_of(&path);
        let kept = keep(&frames, Keep::Sip, |_| false);
        let all = texts(&frames, |_| true);
        let after = texts(&only(&frames, &kept.frames), |_| true);
        assert!(all == after, "{}: {} and {}", path.display(), all.len(), after.len());
        fewer += usize::from(kept.frames.len() < frames.len());
        assert_eq!((kept.let_go, kept.missed), (0, 0), "{}", path.display());
    }
    assert!(0 < fewer);
}

#[test]
fn what_is_kept_of_a_call_reads_as_it_does_in_the_whole_capture_whenever_it_is_chosen() {
    let mut calls_seen = 0;
    for path in captures() {
        let frames = frames_of(&path);
        let mut calls: Vec<Vec<u8>> = texts(&frames, |id| !id.is_empty())
            .iter()
            .filter_map(|text| peek_call_id(text).map(<[u8]>::to_vec))
            .collect();
        calls.dedup();
        calls.truncate(4);
        for call in &calls {
            calls_seen += 1;
            let all = texts(&frames, |id| id == call);
            let of_call = |text: &[u8]| peek_call_id(text) == Some(call);
            let (first, last) = (all.first().cloned(), all.last().cloned());
            for at in [first, last] {
                let kept =
                    keep(&frames, Keep::Calls, |text| of_call(text) && Some(text) == at.as_deref());
                let after = texts(&only(&frames, &kept.frames), |id| id == call);
                let call = String::from_utf8_lossy(call);
                assert!(all == after, "{} {call}: {} {}", path.display(), all.len(), after.len());
                assert_eq!(kept.missed, 0);
            }
        }
    }
    assert!(20 < calls_seen);
}

#[test]
fn everything_is_kept_when_all_is() {
    let frames = seen(&[b"octets".to_vec(), ethernet(&[7; 40])]);
    assert_eq!(keep(&frames, Keep::All, |_| false).frames, [1, 2]);
}

const SIP: &[u8] = b"OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK1\r\n\
    Call-ID: one\r\nContent-Length: 0\r\n\r\n";

fn datagram(from: &str, to: &str, payload: &[u8]) -> Vec<u8> {
    ethernet(&packet::udp(from, to, payload).whole())
}

fn rtp(from: &str, to: &str) -> Vec<u8> {
    datagram(from, to, &[0x80, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 9, 9])
}

#[test]
fn fragments_are_kept_once_they_turn_out_to_be_sip() {
    let long = [b"OPTIONS sip:a SIP/2.0\r\nCall-ID: f\r\nX: ", &[b'x'; 3_000][..], b"\r\n\r\n"];
    let sip = packet::udp("192.0.2.1:5060", "192.0.2.2:5060", &long.concat()).id(1);
    let other = packet::udp("192.0.2.1:4000", "192.0.2.2:4000", &[0x80; 3_000]).id(2);
    let pieces = |ip: &packet::Ip| -> Vec<_> {
        ip.fragments(1_480).iter().map(|piece| ethernet(piece)).collect()
    };
    let (sip, other) = (pieces(&sip), pieces(&other));
    assert_eq!((sip.len(), other.len()), (3, 3));
    let frames: Vec<_> =
        [2, 0, 1].iter().flat_map(|&at: &usize| [sip[at].clone(), other[at].clone()]).collect();
    assert_eq!(kept_of_sip(&frames), [1, 3, 5]);
    assert_eq!(keep(&seen(&frames), Keep::Sip, |_| false).held, 0);
    // The last fragment of a second tap comes when the datagram is complete already.
    let twice: Vec<_> = sip.iter().flat_map(|piece| [piece.clone(), piece.clone()]).collect();
    let mut twice = seen(&twice);
    for (at, frame) in twice.iter_mut().enumerate() {
        frame.time = at as i64;
    }
    assert_eq!(keep(&twice, Keep::Sip, |_| false).frames.len(), 6);
}

#[test]
fn fragments_of_sip_that_lacks_one_are_kept_when_it_is_given_up() {
    let long = [b"OPTIONS sip:a SIP/2.0\r\nCall-ID: f\r\nX: ", &[b'x'; 3_000][..], b"\r\n\r\n"];
    let sip = packet::udp("192.0.2.1:5060", "192.0.2.2:5060", &long.concat());
    let pieces = sip.fragments(1_480);
    let frames = seen(&[ethernet(&pieces[0]), ethernet(&pieces[2])]);
    assert_eq!(keep(&frames, Keep::Sip, |_| false).frames, [1, 2]);
    assert_eq!(keep(&frames, Keep::Calls, |_| false).frames, [0; 0]);
    let mut later = frames.clone();
    let other = Seen {
        number: 3,
        time: 100 * SECOND,
        bytes: rtp("1.1.1.1:1", "2.2.2.2:2"),
        ..frames[0].clone()
    };
    later.push(Seen { wire_len: other.bytes.len() as u32, ..other });
    assert_eq!(keep(&later, Keep::Sip, |_| false).frames, [1, 2]);
    assert_eq!(keep(&later, Keep::Calls, |_| true).frames, [1, 2]);
}

#[test]
fn a_connection_that_carries_sip_is_kept_from_its_syn_on_and_another_is_not() {
    let mut frames = stream(SIP, &[10]);
    frames.insert(1, answer(1_000, SYN | ACK));
    let count = frames.len() as u64;
    frames.push(segment(1_000 + SIP.len() as u32, ACK, &[]));
    assert_eq!(kept_of_sip(&frames), (1..=count + 1).collect::<Vec<_>>());
    let web = |seq, flags, payload: &[u8]| {
        let tcp = Tcp { seq, ack: 0, flags, payload };
        ethernet(&packet::tcp("192.0.2.7:40000", "192.0.2.8:80", tcp).whole())
    };
    let frames = [web(9, SYN, &[]), web(10, ACK, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n\0\0")];
    let kept = keep(&seen(&frames), Keep::Sip, |_| false);
    assert_eq!((kept.frames.len(), kept.held, kept.let_go), (0, 0, 0));
}

#[test]
fn an_error_about_sip_is_kept_with_it() {
    let frames = frames_of(&root().join("samples/unreachable.pcap"));
    let kept = keep(&frames, Keep::Sip, |_| false);
    // Seven errors among ARP and messages of IPv6 itself.
    let errors = frames.iter().filter(|frame| frame.bytes.len() == 590 && frame.bytes[23] == 1);
    let errors: Vec<_> = errors.map(|frame| frame.number).collect();
    assert_eq!(errors.len(), 8);
    assert!(errors.iter().all(|number| kept.frames.contains(number)));
}

/// A call of `id` from port `port` of its host, in steps: INVITE, 200, media, BYE.
fn call(id: &str, port: u16) -> Vec<Vec<u8>> {
    let message = |start: &str, cseq: &str, ip: &str| {
        let body = format!(
            "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n"
        );
        format!(
            "{start}\r\nCall-ID: {id}\r\nCSeq: {cseq}\r\nContent-Type: application/sdp\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let (a, b) = ("192.0.2.1", "192.0.2.2");
    let at = |host: &str, port: u16| format!("{host}:{port}");
    let (sip_a, sip_b) = (at(a, 5060), at(b, 5060));
    vec![
        datagram(&sip_a, &sip_b, message("INVITE sip:b SIP/2.0", "1 INVITE", a).as_bytes()),
        datagram(&sip_b, &sip_a, message("SIP/2.0 200 OK", "1 INVITE", b).as_bytes()),
        rtp(&at(a, port), &at(b, port)),
        rtp(&at(b, port), &at(a, port)),
        rtp(&at(a, port + 1), &at("198.51.100.1", 7)),
        datagram(
            &sip_a,
            &sip_b,
            format!("BYE sip:b SIP/2.0\r\nCall-ID: {id}\r\nCSeq: 2 BYE\r\n\r\n").as_bytes(),
        ),
    ]
}

#[test]
fn a_call_chosen_by_its_last_message_is_kept_with_the_media_it_had() {
    let calls = [call("one", 4_000), call("two", 4_100)];
    // Frames of the two calls in turn: the odd ones are of the first.
    let frames: Vec<_> =
        (0..6).flat_map(|at| [calls[0][at].clone(), calls[1][at].clone()]).collect();
    let frames = seen(&frames);
    let bye = |text: &[u8]| text.starts_with(b"BYE") && peek_call_id(text) == Some(b"one");
    assert_eq!(keep(&frames, Keep::Calls, bye).frames, [1, 3, 5, 7, 9, 11]);
    let two = |text: &[u8]| peek_call_id(text) == Some(b"two");
    assert_eq!(keep(&frames, Keep::Calls, two).frames, [2, 4, 6, 8, 10, 12]);
    let both = keep(&frames, Keep::Calls, |_| true).frames;
    assert_eq!(both, (1..=12).collect::<Vec<_>>());
    assert!(keep(&frames, Keep::Calls, |_| false).frames.is_empty());
}

#[test]
fn ports_are_those_of_a_call_until_a_minute_after_it() {
    let mut frames = seen(&call("one", 4_000));
    let end = frames.last().unwrap().time;
    for after in [1, 60, 61, 1_000] {
        let bytes = rtp("192.0.2.1:4000", "192.0.2.9:9");
        let number = frames.len() as u64 + 1;
        let time = end + after * SECOND;
        frames.push(Seen {
            number,
            time,
            wire_len: bytes.len() as u32,
            bytes,
            ..frames[0].clone()
        });
    }
    assert_eq!(keep(&frames, Keep::Calls, |_| true).frames, (1..=8).collect::<Vec<_>>());
}

#[test]
fn what_a_flood_leaves_undecided_is_held_in_bounds_and_counted() {
    let mut reader = Reader::new(&Limits::default());
    let mut keeping = Keeping::new(Keep::Sip, Seed(7), 1 << 30);
    let mut kept = 0;
    let mut take = |frame: &Frame<'_>, keeping: &mut Keeping| {
        let fate = reader.read(frame, &mut |observation| keeping.hear(&observation));
        keeping.take(frame, fate, &reader, &mut |_| kept += 1);
    };
    let slow = [segment(999, SYN, &[]), segment(1_000, ACK, SIP)];
    take(&packet::frame(1, 0, 1, &slow[0]), &mut keeping);
    for number in 0..120_000_u32 {
        let from = format!("10.{}.{}.{}:1234", number >> 16, number >> 8 & 255, number & 255);
        let syn = Tcp { seq: 1, ack: 0, flags: SYN, payload: &[] };
        let bytes = ethernet(&packet::tcp(&from, "192.0.2.2:5060", syn).whole());
        take(&packet::frame(number.into(), 0, 1, &bytes), &mut keeping);
        assert!(keeping.held() <= 65_536);
    }
    assert!(50_000 < keeping.let_go());
    assert_eq!(keeping.missed(), 0);
    take(&packet::frame(2, 0, 1, &slow[1]), &mut keeping);
    assert_eq!(kept, 1, "good messages are kept all the while");
}

#[test]
fn what_was_let_go_of_a_call_that_is_kept_is_said_to_be_missing() {
    let mut frames = seen(&call("one", 4_000));
    let media = frames[2].clone();
    let bye = frames.pop().unwrap();
    for number in 6..=80_000 {
        frames.push(Seen { number, ..media.clone() });
    }
    frames.push(Seen { number: 80_001, ..bye });
    let kept = keep(&frames, Keep::Calls, |text| text.starts_with(b"BYE"));
    assert_eq!(kept.frames.len() as u64 + kept.missed, 80_001);
    assert!(0 < kept.missed);
}

#[test]
fn a_call_among_others_on_a_connection_is_kept_with_the_segments_it_lies_in() {
    let message = |id: usize| {
        let via = "Via: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK1";
        format!("OPTIONS sip:{id} SIP/2.0\r\n{via}\r\nCall-ID: {id}\r\nContent-Length: 0\r\n\r\n")
    };
    let all: String = (0..50).map(message).collect();
    for size in [7, 40, 100, 1_000] {
        let frames = seen(&stream(all.as_bytes(), &[size]));
        let wanted = |text: &[u8]| peek_call_id(text) == Some(b"33");
        let kept = keep(&frames, Keep::Calls, wanted);
        assert_eq!(texts(&only(&frames, &kept.frames), |id| id == b"33").len(), 1, "{size}");
        assert!(kept.frames.len() <= 3 + 110 / size, "{size}: {:?}", kept.frames);
    }
}

#[test]
fn the_word_of_the_user_says_what_is_kept() {
    assert_eq!("calls".parse(), Ok(Keep::Calls));
    assert!("some".parse::<Keep>().unwrap_err().contains("sip, calls or all"));
}
