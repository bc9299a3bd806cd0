//! Frames, fragments and segments: whatever the carriage, the same octets come out.

use proptest::collection::vec;
use proptest::prelude::*;
use siplens::frame::Frame;
use siplens::limits::Limits;
use siplens::net::decode::Decoder;
use siplens::net::skip::Skip;
use siplens::net::{IcmpKind, Payload, Segment};

use crate::support::packet::{
    ACK, Ip, Tcp, cooked, cooked2, ethernet, ethernet_of, frame, ip, join, tcp, udp,
};

const TEXT: &[u8] = b"OPTIONS sip:bob@example.com SIP/2.0\r\n\r\n";
pub(crate) const ALICE: &str = "192.0.2.1:5060";
pub(crate) const BOB: &str = "192.0.2.2:5070";
const ALICE6: &str = "[2001:db8::1]:5060";
const BOB6: &str = "[2001:db8::2]:5070";

pub(crate) fn limits() -> Limits {
    Limits::default()
}

fn plain() -> Vec<u8> {
    udp(ALICE, BOB, TEXT).whole()
}

/// What a decoder makes of one frame: endpoints, payload, path.
fn decoded(link: u16, bytes: &[u8]) -> Result<(String, Vec<u8>, String), Skip> {
    let mut decoder = Decoder::new(&limits());
    let packet = decoder.decode(&frame(1, 0, link, bytes))?;
    let Payload::Datagram(payload) = packet.payload else { panic!("{packet:?}") };
    let (ends, payload) = (format!("{} > {}", packet.from, packet.to), payload.to_vec());
    let path = packet.path;
    Ok((ends, payload, decoder.path(path).to_owned()))
}

fn check(link: u16, bytes: &[u8], path: &str) {
    let expected = (format!("{ALICE} > {BOB}"), TEXT.to_vec(), path.to_owned());
    assert_eq!(decoded(link, bytes), Ok(expected), "link {link}, expected path {path:?}");
}

#[test]
fn every_link_layer_gives_the_same_packet() {
    let plain = &plain();
    check(1, &ethernet(plain), "");
    for link in [12, 14, 101, 228] {
        check(link, plain, "");
    }
    check(113, &cooked(0x0800, plain), "");
    check(276, &cooked2(0x0800, plain), "");
    for link in [0, 108] {
        check(link, &join(&[&[2, 0, 0, 0], plain]), "");
        check(link, &join(&[&[0, 0, 0, 2], plain]), "");
    }
    check(9, &join(&[&[0xff, 3, 0, 0x21], plain]), "");
    check(9, &join(&[&[0x21], plain]), "");
    check(204, &join(&[&[1, 0xff, 3, 0, 0x21], plain]), "");
    check(104, &join(&[&[0x0f, 0, 8, 0], plain]), "");
    let snap = join(&[&[0xaa, 0xaa, 3, 0, 0, 0, 8, 0], plain]);
    check(1, &ethernet_of(snap.len() as u16, &snap), "");
    check(113, &cooked(4, &snap), "");
    let wifi = join(&[&[0x88, 1], &[0; 24], &snap]);
    check(105, &wifi, "");
    check(127, &join(&[&[0, 0, 8, 0, 0, 0, 0, 0], &wifi]), "");
}

#[test]
fn every_address_family_of_a_loopback_is_known() {
    let plain = udp(ALICE6, BOB6, TEXT).whole();
    for family in [10_u32, 23, 24, 28, 30] {
        for head in [family.to_le_bytes(), family.to_be_bytes()] {
            let (ends, text, _) = decoded(0, &join(&[&head, &plain])).unwrap();
            assert_eq!((ends, text), (format!("{ALICE6} > {BOB6}"), TEXT.to_vec()));
        }
    }
}

#[test]
fn tags_and_labels_are_peeled_and_named() {
    let plain = &plain();
    let inner = &ethernet(plain);
    let tag = |id: u8, kind: u16, rest: &[u8]| join(&[&[0x20, id], &kind.to_be_bytes(), rest]);
    check(1, &ethernet_of(0x8100, &tag(120, 0x0800, plain)), "vlan 120");
    for outer in [0x88a8, 0x8100, 0x9100, 0x9200] {
        let tags = tag(10, 0x8100, &tag(20, 0x0800, plain));
        check(1, &ethernet_of(outer, &tags), "vlan 10 / vlan 20");
    }
    check(113, &cooked(0x8100, &tag(7, 0x0800, plain)), "vlan 7");
    check(276, &cooked2(0x8100, &tag(7, 0x0800, plain)), "vlan 7");
    let session = [&[0x11, 0, 0x12, 0x34, 0, plain.len() as u8 + 2, 0, 0x21], &plain[..]].concat();
    check(1, &ethernet_of(0x8864, &session), "pppoe 0x1234");
    let labels = [0, 0x06, 0x40, 64, 0, 0x06, 0x51, 64];
    check(1, &ethernet_of(0x8847, &join(&[&labels, plain])), "mpls 100 / mpls 101");
    let word = join(&[&labels[4..], &[0, 0, 0, 0], inner]);
    check(1, &ethernet_of(0x8847, &word), "mpls 101");
    check(1, &ethernet_of(0x8847, &join(&[&labels[4..], inner])), "mpls 101");
    check(1, &ethernet_of(0x88e7, &join(&[&[0, 0, 1, 2], inner])), "802.1ah 258");
}

#[test]
fn tunnels_show_the_innermost_addresses_and_name_the_outer_ones() {
    let plain = &plain();
    let inner = &ethernet(plain);
    let over = |protocol: u8, payload: &[u8]| {
        ethernet(&ip("198.51.100.1", "198.51.100.2", protocol, payload.to_vec()).whole())
    };
    let ends = "198.51.100.1 > 198.51.100.2";
    check(1, &over(4, plain), &format!("ip {ends}"));
    let gre = |head: &[u8], payload: &[u8]| over(47, &join(&[head, payload]));
    check(1, &gre(&[0, 0, 8, 0], plain), &format!("gre {ends}"));
    let numbered = [0xb0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0x12, 0x34, 0, 0, 0, 1];
    check(1, &gre(&numbered, plain), &format!("gre 0x1234 {ends}"));
    check(1, &gre(&[0, 0, 0x65, 0x58], inner), &format!("gre {ends}"));
    let pptp = [0x30, 1, 0x88, 0x0b, 0, 9, 0, 5, 0, 0, 0, 1, 0xff, 3, 0, 0x21];
    check(1, &gre(&pptp, plain), &format!("gre 0x5 {ends}"));
    check(1, &gre(&[0, 0, 0x88, 0xbe], inner), &format!("erspan 0 {ends}"));
    let second = [0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 0, 0, 7, 0, 0, 0, 0];
    check(1, &gre(&second, inner), &format!("erspan 7 {ends}"));
    let third = [0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 1];
    check(1, &gre(&join(&[&third, &[0; 8]]), inner), &format!("erspan 7 {ends}"));
    check(1, &over(97, &join(&[&[0x30, 0], inner])), &format!("etherip {ends}"));
    let ah = [17, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let authenticated = Ip { protocol: 51, ..udp(ALICE, BOB, TEXT) };
    let authenticated = Ip { payload: join(&[&ah, &authenticated.payload]), ..authenticated };
    check(1, &ethernet(&authenticated.whole()), "");
}

#[test]
fn one_ip_version_in_the_other_is_peeled() {
    let six = udp(ALICE6, BOB6, TEXT);
    let pairs = [
        (ip("198.51.100.1", "198.51.100.2", 41, six.whole()), "ip 198.51.100.1 > 198.51.100.2"),
        (ip("2001:db8:f::1", "2001:db8:f::2", 41, six.whole()), "ip 2001:db8:f::1 > 2001:db8:f::2"),
    ];
    for (outer, path) in pairs {
        let expected = (format!("{ALICE6} > {BOB6}"), TEXT.to_vec(), path.to_owned());
        assert_eq!(decoded(1, &ethernet(&outer.whole())), Ok(expected));
    }
    let four_in_six = ip("2001:db8:f::1", "2001:db8:f::2", 4, plain());
    check(1, &ethernet(&four_in_six.whole()), "ip 2001:db8:f::1 > 2001:db8:f::2");
}

fn over_udp(port: u16, payload: &[u8]) -> Vec<u8> {
    let to = format!("198.51.100.2:{port}");
    ethernet(&udp("198.51.100.1:40000", &to, payload).whole())
}

#[test]
fn tunnels_over_udp_are_peeled() {
    let (plain, ends) = (&plain(), "198.51.100.1 > 198.51.100.2");
    let inner = &ethernet(plain);
    for port in [4789, 8472] {
        let vxlan = join(&[&[8, 0, 0, 0, 0, 0, 100, 0], inner]);
        check(1, &over_udp(port, &vxlan), &format!("vxlan 100 {ends}"));
    }
    let generic = join(&[&[0x0c, 0, 0, 1, 0, 0, 100, 0], plain]);
    check(1, &over_udp(4790, &generic), &format!("vxlan 100 {ends}"));
    let geneve = join(&[&[1, 0, 0x65, 0x58, 0, 0, 5, 0, 0, 0, 0, 0], inner]);
    check(1, &over_udp(6081, &geneve), &format!("geneve 5 {ends}"));
    let length = (plain.len() as u16).to_be_bytes();
    let gtp = join(&[&[0x30, 0xff], &length, &[0, 0, 0, 1], plain]);
    check(1, &over_udp(2152, &gtp), &format!("gtp-u 0x1 {ends}"));
    let length = (plain.len() as u16 + 8).to_be_bytes();
    let extended = [0, 0, 0, 1, 0, 1, 0, 0x85, 1, 0x10, 9, 0];
    let gtp = join(&[&[0x36, 0xff], &length, &extended, plain]);
    check(1, &over_udp(2152, &gtp), &format!("gtp-u 0x1 {ends}"));
    let l2tp = join(&[&[0, 2, 0, 3, 0, 4, 0xff, 3, 0, 0x21], plain]);
    check(1, &over_udp(1701, &l2tp), &format!("l2tp 3/4 {ends}"));
}

#[test]
fn a_port_of_a_tunnel_proves_nothing() {
    for port in [1701, 2152, 4500, 4789, 4790, 6081, 8472] {
        for text in [TEXT, b"SIP/2.0 200 OK\r\n\r\n", b"\r\n\r\n", b"PRACK sip:a SIP/2.0\r\n\r\n"] {
            let (_, payload, path) = decoded(1, &over_udp(port, text)).unwrap();
            assert_eq!((payload.as_slice(), path.as_str()), (text, ""), "port {port}");
        }
    }
}

#[test]
fn esp_without_encryption_is_opened_when_its_contents_prove_it() {
    let segment = Tcp { seq: 1, ack: 1, flags: ACK, payload: TEXT };
    for check_value in [0, 12, 16] {
        let datagram = udp(ALICE, BOB, TEXT);
        for (inner, protocol) in [(datagram, 17), (tcp(ALICE, BOB, segment), 6)] {
            let padding = (4 - (inner.payload.len() + 2) % 4) % 4;
            let counted: Vec<u8> = (1..=padding as u8).collect();
            let trailer = [padding as u8, protocol];
            let value = vec![0xc7; check_value];
            let head = [0, 0, 0x12, 0x34, 0, 0, 0, 1];
            let payload = join(&[&head, &inner.payload, &counted, &trailer, &value]);
            let packet = Ip { protocol: 50, payload, ..inner };
            let bytes = ethernet(&packet.whole());
            let mut decoder = Decoder::new(&limits());
            let found = decoder.decode(&frame(1, 0, 1, &bytes)).unwrap();
            let (Payload::Datagram(text) | Payload::Segment(Segment { bytes: text, .. })) =
                found.payload
            else {
                panic!("{found:?}")
            };
            assert_eq!(text, TEXT);
            let path = found.path;
            assert_eq!(decoder.path(path), "esp 0x00001234");
        }
    }
    let noise: Vec<u8> = (0..200_u8).map(|at| at.wrapping_mul(167) ^ 0x5a).collect();
    let packet = ip("192.0.2.1", "192.0.2.2", 50, noise);
    assert_eq!(decoded(1, &ethernet(&packet.whole())), Err(Skip::Encrypted));
}

#[test]
fn ethernet_padding_is_no_payload() {
    let short = ethernet(&udp(ALICE, BOB, b"\r\n\r\n").whole());
    let padded = join(&[&short, &[0; 14]]);
    assert_eq!(decoded(1, &padded).unwrap().1, b"\r\n\r\n");
}

#[test]
fn wrong_lengths_and_checksums_of_offload_are_no_reason_to_drop() {
    let mut bytes = ethernet(&plain());
    bytes[14 + 2..14 + 4].fill(0);
    bytes[14 + 10..14 + 12].fill(0xee);
    bytes[34 + 6..34 + 8].fill(0xee);
    check(1, &bytes, "");
    bytes[34 + 4..34 + 6].fill(0);
    check(1, &bytes, "");
}

#[test]
fn what_the_snap_length_cut_is_counted() {
    let bytes = ethernet(&plain());
    let cut = &bytes[..bytes.len() - 10];
    let cut = Frame { wire_len: bytes.len() as u32, ..frame(1, 0, 1, cut) };
    let mut decoder = Decoder::new(&limits());
    let packet = decoder.decode(&cut).unwrap();
    assert_eq!(packet.cut, 10);
    let Payload::Datagram(text) = packet.payload else { panic!("{packet:?}") };
    assert_eq!(text, &TEXT[..TEXT.len() - 10]);
    let head = Frame { wire_len: bytes.len() as u32, ..frame(1, 0, 1, &bytes[..30]) };
    assert_eq!(decoder.decode(&head).unwrap_err(), Skip::Truncated);
}

#[test]
fn encapsulations_end_at_the_limit() {
    let limits = Limits { depth: 4, ..limits() };
    let mut bytes = plain();
    for _ in 0..5 {
        bytes = ip("198.51.100.1", "198.51.100.2", 4, bytes).whole();
    }
    let mut decoder = Decoder::new(&limits);
    assert_eq!(decoder.decode(&frame(1, 0, 101, &bytes)).unwrap_err(), Skip::TooDeep);
    assert!(decoder.decode(&frame(2, 0, 101, &bytes[20..])).is_ok());
}

#[test]
fn an_icmp_error_names_the_packet_it_quotes() {
    let lost = plain();
    for (kind, code, expected) in [
        (3, 3, IcmpKind::PortUnreachable),
        (3, 1, IcmpKind::HostUnreachable),
        (3, 4, IcmpKind::FragmentationNeeded),
        (3, 13, IcmpKind::Prohibited),
        (11, 0, IcmpKind::TimeExceeded),
    ] {
        let message = join(&[&[kind, code, 0, 0, 0, 0, 0, 0], &lost[..48]]);
        let bytes = ethernet(&ip("203.0.113.1", "192.0.2.1", 1, message).whole());
        let mut decoder = Decoder::new(&limits());
        let packet = decoder.decode(&frame(1, 0, 1, &bytes)).unwrap();
        let Payload::IcmpError(error) = packet.payload else { panic!("{packet:?}") };
        assert_eq!(error.kind, expected);
        assert_eq!((error.from.to_string(), error.to.to_string()), (ALICE.into(), BOB.into()));
        assert_eq!((error.protocol, error.quoted), (17, &TEXT[..20]));
        assert_eq!(packet.from.to_string(), "203.0.113.1:0");
    }
    let lost = udp(ALICE6, BOB6, TEXT).whole();
    let message = join(&[&[1, 4, 0, 0, 0, 0, 0, 0], &lost]);
    let bytes = ethernet(&ip("2001:db8::2", "2001:db8::1", 58, message).whole());
    let mut decoder = Decoder::new(&limits());
    let packet = decoder.decode(&frame(1, 0, 1, &bytes)).unwrap();
    let Payload::IcmpError(error) = packet.payload else { panic!("{packet:?}") };
    assert_eq!((error.kind, error.quoted), (IcmpKind::PortUnreachable, TEXT));
}

#[test]
fn an_echo_request_and_arp_are_not_ours() {
    let echo = ip("192.0.2.1", "192.0.2.2", 1, vec![8, 0, 0, 0, 0, 1, 0, 1]).whole();
    assert_eq!(decoded(1, &ethernet(&echo)), Err(Skip::NotOurs));
    assert_eq!(decoded(1, &ethernet_of(0x0806, &[0; 28])), Err(Skip::NotOurs));
    assert_eq!(decoded(147, &[0; 28]), Err(Skip::UnknownLink));
}

/// Decodes IP packets in order; the datagram that came out, with its number of fragments.
fn reassembled(packets: &[Vec<u8>]) -> Vec<(Vec<u8>, u8)> {
    let mut decoder = Decoder::new(&limits());
    let mut found = Vec::new();
    for (number, bytes) in packets.iter().enumerate() {
        if let Ok(packet) = decoder.decode(&frame(number as u64 + 1, 0, 101, bytes)) {
            let Payload::Datagram(text) = packet.payload else { panic!("{packet:?}") };
            found.push((text.to_vec(), packet.fragments));
        }
    }
    found
}

#[test]
fn where_fragments_overlap_the_first_to_arrive_stays() {
    let datagram = udp(ALICE, BOB, &[b'a'; 200]);
    let mut packets = datagram.fragments(104);
    packets.insert(1, datagram.fragment(64, true, &[b'Z'; 64]));
    let found = reassembled(&packets);
    let mut expected = vec![b'a'; 200];
    // Octets 104 to 128 of the datagram came with the intruder first; its header is 8 octets.
    expected[96..120].fill(b'Z');
    assert_eq!(found, [(expected, 3)]);
}

#[test]
fn a_second_tap_adds_no_datagram_and_loses_none() {
    let pieces = udp(ALICE, BOB, &[b'a'; 200]).fragments(104);
    let mut decoder = Decoder::new(&limits());
    let mut whole = 0;
    for (number, at) in [0, 0, 1, 1].into_iter().enumerate() {
        let found = decoder.decode(&frame(number as u64 + 1, 1, 101, &pieces[at]));
        whole += usize::from(found.is_ok());
    }
    assert_eq!(whole, 1);
    assert!(decoder.finish().is_none());
}

#[test]
fn the_head_of_a_datagram_whose_end_is_lost_is_shown_cut() {
    let pieces = udp(ALICE, BOB, &[b'a'; 200]).fragments(104);
    let mut decoder = Decoder::new(&limits());
    assert_eq!(decoder.decode(&frame(7, 0, 101, &pieces[0])).unwrap_err(), Skip::FragmentHeld);
    assert!(decoder.expire(frame(8, 29_000, 101, &[]).time).is_none());
    let lost = decoder.expire(frame(8, 31_000, 101, &[]).time).unwrap();
    let packet = lost.packet.unwrap();
    assert_eq!((lost.arrival.frame.number(), packet.cut), (7, 104));
    let Payload::Datagram(text) = packet.payload else { panic!("{packet:?}") };
    assert_eq!(text, [b'a'; 96]);
    assert!(decoder.finish().is_none());
}

#[test]
fn a_flood_of_first_fragments_stays_in_bounds_and_is_counted() {
    let limits = Limits { fragments: 100, fragment_bytes: 1 << 16, ..limits() };
    let mut decoder = Decoder::new(&limits);
    let mut lost = 0;
    for id in 0..5_000_u32 {
        let piece = udp(ALICE, BOB, &[b'a'; 200]).id(id).fragments(104).swap_remove(0);
        let frame = frame(u64::from(id) + 1, 0, 101, &piece);
        while decoder.expire(frame.time).is_some() {
            lost += 1;
        }
        assert_eq!(decoder.decode(&frame).unwrap_err(), Skip::FragmentHeld);
    }
    assert!(4_890 <= lost, "{lost}");
    while decoder.finish().is_some() {
        lost += 1;
    }
    assert_eq!(lost, 5_000);
}

proptest! {
    #[test]
    fn any_fragmentation_in_any_order_gives_the_same_datagram(
        payload in vec(any::<u8>(), 1..3000),
        size in 1_usize..40,
        order in vec(any::<prop::sample::Index>(), 0..20),
        v6 in any::<bool>(),
        tunnel in any::<bool>(),
    ) {
        let (from, to) = if v6 { (ALICE6, BOB6) } else { (ALICE, BOB) };
        let mut packets = udp(from, to, &payload).fragments(size * 8);
        let whole = packets.len() == 1;
        if tunnel {
            let wrap = |piece: &Vec<u8>| {
                let protocol = if v6 { 41 } else { 4 };
                ip("198.51.100.1", "198.51.100.2", protocol, piece.clone()).whole()
            };
            packets = packets.iter().map(wrap).collect();
        }
        for pick in order {
            let at = pick.index(packets.len());
            let again = packets[at].clone();
            let last = packets.len() - 1;
            packets.swap(at, last);
            if !whole {
                packets.insert(at, again);
            }
        }
        let found = reassembled(&packets);
        prop_assert_eq!(&found[0].0, &payload);
    }

    #[test]
    fn any_octets_on_any_link_are_survived(input in vec(any::<u8>(), 0..3000)) {
        siplens::net::fuzz::frames(&input);
    }

    #[test]
    fn any_damage_to_a_frame_is_survived(
        kind in 0_usize..8,
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        end in any::<prop::sample::Index>(),
    ) {
        let inner = ethernet(&plain());
        let mut bytes = match kind {
            0 => inner,
            1 => over_udp(4789, &join(&[&[8, 0, 0, 0, 0, 0, 100, 0], &inner])),
            2 => over_udp(6081, &join(&[&[0, 0, 0x65, 0x58, 0, 0, 5, 0], &inner])),
            3 => ethernet(&udp(ALICE6, BOB6, TEXT).fragments(16).swap_remove(1)),
            4 => ethernet(&ip("192.0.2.1", "192.0.2.2", 47, join(&[&[0x30, 0, 8, 0], &inner])).whole()),
            5 => ethernet(&ip("192.0.2.1", "192.0.2.2", 50, inner).whole()),
            6 => ethernet(&ip("192.0.2.1", "192.0.2.2", 1, join(&[&[3, 3, 0, 0, 0, 0, 0, 0], &inner[14..]])).whole()),
            _ => ethernet_of(0x8847, &join(&[&[0, 6, 0x51, 64], &inner])),
        };
        for (at, octet) in damage {
            let at = at.index(bytes.len());
            bytes[at] = octet;
        }
        bytes.truncate(end.index(bytes.len()) + 1);
        let mut decoder = Decoder::new(&limits());
        let _ = decoder.decode(&frame(1, 0, 1, &bytes));
    }
}
