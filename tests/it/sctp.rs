//! SIP over SCTP: fragments, streams in between each other, floods.

use siplens::engine::Reader;
use siplens::limits::Limits;
use siplens::transport::Completeness;

use crate::reader::{message, run};
use crate::support::packet::{ethernet, frame, ip};

/// An SCTP packet with one DATA chunk.
pub(crate) fn sctp(flags: u8, number: u32, data: &[u8]) -> Vec<u8> {
    let len = data.len() as u16 + 16;
    let chunk =
        [&[0, flags][..], &len.to_be_bytes(), &number.to_be_bytes(), &[0; 8], data].concat();
    let packet = [&[0x13, 0xc4, 0x13, 0xc4][..], &[0; 8], &chunk].concat();
    ethernet(&ip("192.0.2.1", "192.0.2.2", 132, packet).whole())
}

#[test]
fn fragments_of_an_sctp_message_come_in_any_order_and_twice() {
    let one = message(1, &[b'x'; 900]);
    let two = message(2, b"");
    let parts: Vec<Vec<u8>> = [(2, 10, 0..300), (0, 11, 300..700), (1, 12, 700..one.len())]
        .map(|(flags, number, range)| sctp(flags, number, &one[range]))
        .into();
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [2, 0, 1]] {
        let mut frames: Vec<Vec<u8>> = order.iter().map(|&at| parts[at].clone()).collect();
        frames.insert(1, frames[0].clone());
        frames.push(sctp(3, 13, &two));
        frames.push(sctp(3, 13, &two));
        assert_eq!(run(&frames).whole(), [&one, &two], "{order:?}");
    }
    let torn = run(&[parts[0].clone(), parts[2].clone()]);
    assert_eq!((torn.messages.len(), torn.lost), (0, vec![("sctp-gap", 2)]));
    // The snap length cut the chunk.
    let mut cut = sctp(3, 14, &one);
    cut.truncate(300);
    let got = run(&[cut]);
    assert_eq!(got.messages.len(), 1);
    assert_eq!(got.messages[0].1, Completeness::Truncated);
}

#[test]
fn interleaved_sctp_messages_are_put_together_each_by_itself() {
    // RFC 8260: fragments of two messages of two streams, in between each other.
    let all = [message(1, &[b'x'; 900]), message(2, &[b'y'; 700]), message(3, b"z")];
    let piece = |flags: u8, tsn: u32, stream: u8, at: u32, data: &[u8]| {
        let len = (data.len() as u16 + 20).to_be_bytes();
        let head = [&[64, flags][..], &len, &tsn.to_be_bytes(), &[0, stream, 0, 0, 0, 0, 0, 9]];
        let chunk = [&head.concat()[..], &at.to_be_bytes(), data].concat();
        let packet = [&[0x13, 0xc4, 0x13, 0xc4][..], &[0; 8], &chunk].concat();
        ethernet(&ip("192.0.2.1", "192.0.2.2", 132, packet).whole())
    };
    let [one, two, three] = &all;
    let frames = [
        piece(2, 10, 1, 0, &one[..300]),
        piece(2, 11, 2, 0, &two[..500]),
        piece(0, 12, 1, 1, &one[300..700]),
        piece(3, 13, 3, 0, three),
        piece(1, 14, 2, 1, &two[500..]),
        piece(1, 15, 1, 2, &one[700..]),
    ];
    let got = run(&frames);
    assert_eq!(got.whole(), [three, two, one]);
    assert!(got.lost.is_empty(), "{:?}", got.lost);
    let late = [5, 3, 0, 4, 2, 1].map(|at: usize| frames[at].clone());
    assert_eq!(run(&late).whole().len(), 3);
    assert_eq!(run(&frames[..5]).lost, [("sctp-gap", 2)]);
}

#[test]
fn a_flood_of_sctp_fragments_stays_in_bounds_and_is_counted() {
    let limits = Limits { fragments: 100, ..Limits::default() };
    let mut reader = Reader::new(&limits);
    for number in 0..1_000_u32 {
        let from = format!("198.51.{}.{}", number / 250, number % 250 + 1);
        let chunk = [&[0, 2, 0, 20][..], &number.to_be_bytes(), &[0; 8], b"INVI"].concat();
        let packet = [&[0x13, 0xc4, 0x13, 0xc4][..], &[0; 8], &chunk].concat();
        let bytes = ethernet(&ip(&from, "192.0.2.2", 132, packet).whole());
        reader.read(&frame(number.into(), 0, 1, &bytes), &mut |_| panic!("no message is whole"));
    }
    assert_eq!(reader.tally().lost.get("let-go"), Some(&900));
}
