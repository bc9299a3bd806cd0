//! What one message costs: recognising, parsing, reading and judging, in nanoseconds.
//!
//! `cargo bench --no-default-features --bench message`

#![allow(clippy::print_stdout, clippy::disallowed_methods, clippy::cast_precision_loss)]

use std::hint::black_box;
use std::time::Instant;

use siplens::net::Endpoint;
use siplens::sdp::Session;
use siplens::sip::Message;
use siplens::sip::field::strict;
use siplens::time::Timestamp;
use siplens::transport::{Envelope, Text, peek};

/// 14 header fields, 733 octets in all.
const INVITE: &str = "INVITE sip:bob@biloxi.example.com SIP/2.0\r\n\
    Via: SIP/2.0/UDP client.atlanta.example.com:5060;branch=z9hG4bK74bf9;rport\r\n\
    Max-Forwards: 70\r\n\
    From: \"Alice\" <sip:alice@atlanta.example.com>;tag=9fxced76sl\r\n\
    To: Bob <sip:bob@biloxi.example.com>\r\n\
    Call-ID: 3848276298220188511@atlanta.example.com\r\n\
    CSeq: 1 INVITE\r\n\
    Contact: <sip:alice@client.atlanta.example.com:5060>\r\n\
    Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO\r\n\
    Supported: timer, 100rel, replaces\r\n\
    User-Agent: ACME Phone 1.0\r\n\
    Session-Expires: 1800;refresher=uac\r\n\
    Min-SE: 90\r\n\
    Content-Type: application/sdp\r\n\
    Content-Length: 151\r\n\
    \r\n\
    v=0\r\n\
    o=alice 2890844526 2890844526 IN IP4 client.atlanta.example.com\r\n\
    s=-\r\n\
    c=IN IP4 192.0.2.101\r\n\
    t=0 0\r\n\
    m=audio 49172 RTP/AVP 0\r\n\
    a=rtpmap:0 PCMU/8000\r\n";

fn main() {
    let host = Endpoint { ip: [192, 0, 2, 1].into(), port: 5060 };
    let envelope = Envelope::datagram(0, Timestamp(0), host, host);
    let text = INVITE.as_bytes();
    let rtp: Vec<u8> = (0..172_u32).map(|at| if at == 0 { 0x80 } else { at as u8 }).collect();
    let parse = || Message::parse(envelope, Text::Owned(black_box(text).into()));
    let Some(message) = parse() else { return };
    println!("{} octets, {} fields", text.len(), message.fields().len());
    println!("Message {} octets, heap {}", size_of::<Message>(), message.heap_size());
    measure("is_start_line, SIP", || peek::is_start_line(black_box(text)));
    measure("is_start_line, RTP", || peek::is_start_line(black_box(&rtp)));
    measure("peek_call_id", || peek::peek_call_id(black_box(text)).is_some());
    measure("copy of the text", || Text::Owned(black_box(text).into()));
    measure("Message::parse with copy", parse);
    measure("strict::faults", || strict::faults(black_box(&message)).count());
    measure("call_id, cseq, tags, branch", || {
        let message = black_box(&message);
        let via = message.top_via().and_then(|via| via.branch());
        (message.call_id(), message.cseq(), message.from_tag(), message.to_tag(), via)
            .2
            .map_or(0, <[u8]>::len)
    });
    measure("Session::parse", || Session::parse(black_box(message.body())).media.len());
}

fn measure<T>(name: &str, mut work: impl FnMut() -> T) {
    // Short windows: the best of many is not disturbed by what else the machine does.
    const ROUNDS: u32 = 1_000;
    let best = (0..300)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..ROUNDS {
                black_box(work());
            }
            start.elapsed()
        })
        .min()
        .unwrap_or_default();
    println!("{name:32} {:8.1} ns", best.as_nanos() as f64 / f64::from(ROUNDS));
}
