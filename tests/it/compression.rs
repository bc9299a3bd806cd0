//! Compressed captures: told by content, in each other, cut, damaged, or bombs.

use std::io::Write;

use siplens::capture::Capture;

use crate::capture::{frames, read, reasons, sample_pcap};
use crate::support::pcap::Pcap;

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

pub(crate) fn lz4(bytes: &[u8]) -> Vec<u8> {
    let mut packer = lz4_flex::frame::FrameEncoder::new(Vec::new());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

#[test]
fn compressed_captures_are_recognised_by_content_also_in_each_other_and_in_parts() {
    let plain = sample_pcap();
    let all = frames(&plain);
    let (head, tail) = plain.split_at(1_000);
    for pack in [gzip, zstd, lz4] {
        assert_eq!(frames(&pack(&plain)), all);
        assert_eq!(frames(&[pack(head), pack(tail)].concat()), all);
        assert_eq!(frames(&gzip(&pack(&plain))), all);
    }
    let skippable = vec![0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
    assert_eq!(frames(&[skippable, zstd(&plain)].concat()), all);
}

#[test]
fn a_compressed_capture_cut_anywhere_gives_what_was_whole_and_says_it_is_cut() {
    let plain = sample_pcap();
    let all = frames(&plain);
    for pack in [gzip, zstd, lz4] {
        let packed = pack(&plain);
        for cut in (20..packed.len()).step_by(7) {
            let (seen, errors) = read(Capture::of_bytes(&packed[..cut]));
            assert_eq!(seen, all[..seen.len()], "cut at {cut}");
            assert_eq!(reasons(&errors), ["file-cut"], "cut at {cut}: {errors:?}");
        }
    }
}

#[test]
fn a_compressed_capture_with_a_bit_turned_anywhere_gives_what_stood_before_it() {
    let plain = sample_pcap();
    for pack in [gzip, zstd, lz4] {
        let packed = pack(&plain);
        for at in (20..packed.len()).step_by(7) {
            let before = read(Capture::of_bytes(&packed[..at])).0;
            let mut turned = packed.clone();
            turned[at] ^= 1 << (at % 8);
            let (seen, _) = read(Capture::of_bytes(&turned));
            assert!(before.len() <= seen.len(), "{} of {} at {at}", seen.len(), before.len());
            assert_eq!(seen[..before.len()], before, "turned at {at}");
        }
    }
}

#[test]
fn what_a_cut_gzip_or_zstd_file_still_holds_is_not_lost() {
    // Incompressible, so that the cut is near the same place inside and out.
    let noise: Vec<u8> =
        (0_u32..600_000).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let plain = noise.chunks(1_000).fold(Pcap::new(), |file, chunk| file.frame(1, 0, chunk)).bytes;
    for (pack, least) in [(gzip as fn(&[u8]) -> Vec<u8>, 560), (zstd, 450), (lz4, 0)] {
        let packed = pack(&plain);
        let (seen, errors) = read(Capture::of_bytes(&packed[..packed.len() - 10]));
        assert!(least <= seen.len(), "{} frames", seen.len());
        assert_eq!(reasons(&errors), ["file-cut"]);
    }
}

#[test]
fn a_compressed_bomb_is_refused_by_its_first_octets_or_read_in_little_memory() {
    let zeros = vec![0; 1 << 20];
    for pack in [gzip, zstd, lz4] {
        let bomb = pack(&zeros);
        let (seen, errors) = read(Capture::of_bytes(&bomb));
        assert_eq!((seen.len(), reasons(&errors)), (0, vec!["unreadable"]));

        // A record that claims more than a packet may be, and has it.
        let mut capture = Pcap::new().frame(1, 0, b"one").bytes;
        for field in [2_u32, 0, 300 << 20, 300 << 20] {
            capture.extend(field.to_le_bytes());
        }
        capture.extend(&zeros);
        let (seen, errors) = read(Capture::of_bytes(&pack(&capture)));
        assert_eq!((seen.len(), reasons(&errors)), (1, vec!["file-corrupt"]));
    }
}
