//! A capture cut or flipped anywhere gives all that the frames before the damage gave.
//!
//! `SIPLENS_DAMAGE` names a folder of captures to be damaged at every 97th octet.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use siplens::capture::{Capture, Source};
use siplens::engine::Reader;
use siplens::limits::Limits;
use siplens::transport::Observation;

use crate::program::{root, sample, samples};

/// A message as it comes out: the frame that completed it, and the text.
pub(crate) type Seen = (u64, Vec<u8>);

/// The messages of a capture, read with a key log.
pub(crate) fn found(octets: &[u8], key_log: &[u8]) -> Vec<Seen> {
    let mut capture = Capture::of_bytes(octets);
    let mut reader = Reader::new(&Limits::default());
    reader.add_secrets(key_log);
    let mut found = Vec::new();
    let mut each = |observation: Observation<'_>| {
        if let Observation::Message { envelope, text, .. } = observation {
            found.push((envelope.frame.number(), text.to_vec()));
        }
    };
    loop {
        let secrets = capture.take_secrets();
        match capture.next() {
            Ok(Some(frame)) => {
                for secrets in &secrets {
                    reader.add_secrets(&secrets.0);
                }
                reader.read(&frame, &mut each);
            }
            Ok(None) => break,
            // What is wrong is told; what comes after an error is read.
            Err(_) => {}
        }
    }
    reader.finish(&mut each);
    found
}

/// Where the records of frames end in a pcap or pcapng file.
fn ends(octets: &[u8]) -> Vec<usize> {
    let magic = octets.first_chunk::<4>().map_or(0, |magic| u32::from_le_bytes(*magic));
    let is_big = matches!(magic, 0xd4c3_b2a1 | 0x4d3c_b2a1);
    let number = |at: usize| {
        let octets = *octets.get(at..)?.first_chunk::<4>()?;
        let length = if is_big { u32::from_be_bytes(octets) } else { u32::from_le_bytes(octets) };
        Some(length as usize)
    };
    let mut ends = Vec::new();
    match magic {
        0xa1b2_c3d4 | 0xa1b2_3c4d | 0xd4c3_b2a1 | 0x4d3c_b2a1 => {
            let mut at = 24;
            while let Some(length) = number(at + 8) {
                at += 16 + length;
                ends.push(at);
            }
        }
        0x0a0d_0d0a => {
            let mut at = 0;
            while let (Some(kind), Some(length)) = (number(at), number(at + 4)) {
                at += length;
                if matches!(kind, 2 | 3 | 6) {
                    ends.push(at);
                }
            }
        }
        _ => panic!("neither pcap nor pcapng: {magic:08x}"),
    }
    ends
}

/// The file inside a compressed one, as far as it can be inflated.
fn inflated(octets: &[u8]) -> Vec<u8> {
    let mut inside = Vec::new();
    // What came out before it broke is what there is.
    let _ = match octets {
        [0x1f, 0x8b, ..] => {
            flate2::read::MultiGzDecoder::new(octets).read_to_end(&mut inside).map(|_| ())
        }
        [0x28, 0xb5, 0x2f, 0xfd, ..] => match ruzstd::decoding::StreamingDecoder::new(octets) {
            Ok(mut decoder) => decoder.read_to_end(&mut inside).map(|_| ()),
            Err(_) => Ok(()),
        },
        _ => return octets.to_vec(),
    };
    inside
}

/// What a round of damage came to.
#[derive(Debug, Default)]
struct Score {
    captures: u64,
    places: u64,
    /// Messages that had to come again, over all places.
    kept: u64,
}

/// Cuts a capture before, and flips a bit of, every octet `stride` apart: what the frames before
/// the damage gave, they give again.
fn damage(path: &Path, stride: usize, score: &mut Score) {
    let name = path.file_name().unwrap().to_str().unwrap();
    let stem = name.split('.').next().unwrap();
    let key_logs = [format!("keylog/{stem}.keylog"), format!("{stem}.keylog")];
    let key_log = key_logs.iter().find_map(|name| fs::read(path.with_file_name(name)).ok());
    let key_log = key_log.unwrap_or_default();
    let whole = fs::read(path).unwrap();
    let inside = inflated(&whole);
    let is_plain = inside == whole;
    let ends = ends(&inside);
    let mut intact = found(&whole, &key_log);
    intact.sort();
    score.captures += 1;
    for at in (0..whole.len()).step_by(stride) {
        let reach = if is_plain { at } else { inflated(&whole[..at]).len() };
        // The frame that is hurt, from 1.
        let hurt = ends.partition_point(|end| *end <= reach) as u64 + 1;
        let before = &intact[..intact.partition_point(|(frame, _)| *frame < hurt)];
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at / stride % 8);
        for (how, damaged) in [("cut", &whole[..at]), ("flipped", &flipped)] {
            let mut after = found(damaged, &key_log);
            after.sort();
            let mut after = after.iter();
            for (frame, text) in before {
                let text = String::from_utf8_lossy(text);
                let is_there =
                    after.any(|(f, t)| (f, &String::from_utf8_lossy(t)) == (frame, &text));
                assert!(is_there, "{name} {how} at {at}, in frame {hurt}, loses {frame}: {text}");
            }
        }
        score.places += 1;
        score.kept += 2 * before.len() as u64;
    }
}

/// The captures in a folder, by name.
fn captures(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.is_file() && path.to_string_lossy().contains(".pcap")).collect();
    paths.sort();
    paths
}

#[test]
fn a_capture_cut_or_flipped_anywhere_gives_all_that_was_before() {
    let mut score = Score::default();
    for name in samples() {
        let path = sample(&name);
        let octets = fs::metadata(&path).unwrap().len() as usize;
        damage(&path, (octets / 40).max(97), &mut score);
    }
    for path in captures(&root().join("tests/data/probes")) {
        damage(&path, 397, &mut score);
    }
    assert!(60 < score.captures && 1_000 < score.places && 30_000 < score.kept, "{score:?}");
}

#[test]
fn the_captures_of_a_folder_are_damaged_closely_when_asked_for() {
    let Some(folder) = std::env::var_os("SIPLENS_DAMAGE") else { return };
    let mut score = Score::default();
    for path in captures(Path::new(&folder)) {
        let before = score.places;
        damage(&path, 97, &mut score);
        println!("{}: {} places", path.display(), score.places - before);
    }
    println!("{score:?}");
    assert!(0 < score.captures);
}
