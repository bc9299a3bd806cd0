//! Messages meant to break parsers: of our own, at random, and those of RFC 4475 and RFC 5118.
//!
//! The RFCs' messages are read from the directory that `SIPLENS_TORTURE` names, else from the
//! collections beside the repository: `EXPECT.tsv` there says what each file holds. Without them
//! that one test says so and passes.

use std::path::PathBuf;

use proptest::prelude::*;
use siplens::net::Endpoint;
use siplens::sdp::Session;
use siplens::sip::field::strict::{self, FaultKind};
use siplens::sip::{DefectKind, HeaderName, Message};
use siplens::time::Timestamp;
use siplens::transport::{Envelope, Text, peek};

use crate::oracle::collection;

fn parse(text: &[u8]) -> Option<Message> {
    let host = Endpoint { ip: [192, 0, 2, 1].into(), port: 5060 };
    let envelope = Envelope::datagram(0, Timestamp(0), host, host);
    Message::parse(envelope, Text::Owned(text.into()))
}

fn faults(message: &Message) -> Vec<FaultKind> {
    strict::faults(message).map(|fault| fault.kind).collect()
}

fn defects(message: &Message) -> Vec<DefectKind> {
    message.defects().iter().map(|defect| defect.kind).collect()
}

/// Everything that reads a message, read.
fn read_all(message: &Message) {
    let len = message.text().len() as u32;
    let mut before = 0;
    for (field, name) in message.fields().iter().zip(message.name_spans()) {
        let value = field.value();
        assert!(before <= name.start && name.start <= name.end, "names are in order");
        assert!(name.end <= value.start && value.start <= value.end && value.end <= len);
        before = value.end;
    }
    assert!(before <= message.body_span().start && message.body_span().end <= len);
    assert!(message.defects().iter().all(|d| d.span.start <= d.span.end && d.span.end <= len));
    for fault in strict::faults(message) {
        assert!(fault.span.start <= fault.span.end && fault.span.end <= len, "{fault:?}");
    }
    assert_eq!(message.call_id(), peek::peek_call_id(message.text()));
    let addresses = [message.from(), message.to()].into_iter().flatten();
    let contacts = message.contacts().filter_map(|contact| contact.address().copied());
    for address in addresses.chain(contacts) {
        let parameters = address.params.iter().count();
        assert!(parameters <= address.params.0.len());
        assert!(message.span_of(address.uri).is_some());
        let _ = (address.tag(), address.name(), address.parsed_uri());
    }
    let _ = (message.vias().count(), message.cseq(), message.start_line());
    for name in [HeaderName::Authorization, HeaderName::WwwAuthenticate] {
        assert!(message.auths(name).all(|auth| auth.iter().count() <= auth.rest.len()));
    }
    let session = Session::parse(message.sdp().unwrap_or(message.body()));
    assert!(session.media.len() <= session.lines.len());
}

/// An own message in the manner of RFC 4475, and what is to be said about it.
struct Case {
    text: &'static str,
    defects: &'static [DefectKind],
    faults: &'static [FaultKind],
}

const CASES: &[Case] = &[
    // Legal, however odd.
    Case {
        text: "INVITE sip:kay@desk.example.com;odd SIP/2.0\r\nTO :\r\n sip:kay@desk.example.com ;  \
               tag   = 19\r\nfRoM  : \"K \\\\\\\"\"    <sip:kay@example.com>\r\n  ;\r\n  tag = 98\r\n\
               MAX-forwards: 0068\r\nCall-ID: ws@192.0.2.1\r\ncseq: 0009\r\n  INVITE\r\nVia  : SIP  \
               /   2.0\r\n /UDP\r\n    192.0.2.2;branch=390\r\ns :\r\nNew: a\r\n b\r\nOdd: ;;,,;;,;\r\n\
               v:  SIP  / 2.0  / TCP   spindle.example.com  ;\r\n branch  =  z9hG4bK9  ,\r\n SIP /  2.0 \
               / UDP  192.168.255.111   ; branch=\r\n z9hG4bK3\r\nm:\"A \\\"\\\"\" <sip:j@example.com> ; \
               newparam =\r\n      newvalue ;\r\n  second ; q = 0.33\r\n\r\n",
        defects: &[],
        faults: &[],
    },
    Case {
        text: "!odd-Method0_*+`.%indeed'~ sip:1.U~(a!b)&c'd+e$/f?,/;;*:&g+h=1,w!*p$w@example.com \
               SIP/2.0\r\nTo: \"BEL:\\\x07 NUL:\\\0 DEL:\\\x7f\" <sip:1~(a)&b$/c?,/;;*@example.com>\r\n\
               From: t1~` t2'+_ t3*%!.- <sip:m@example.com>;p''~+*_!.-%=\"\u{440}\";tag=_t~1'+`*%!-.\r\n\
               Call-ID: w%ZK-!.*_+'@w`~)(><:\\/\"][?}{\r\nCSeq: 139122385 !odd-Method0_*+`.%indeed'~\r\n\r\n",
        defects: &[],
        faults: &[],
    },
    Case {
        text: "SIP/2.0 200 = 2**3 * 5**2 \u{43d}\u{43e}\r\nTo: sip:a@b\r\n\r\n",
        defects: &[],
        faults: &[],
    },
    Case {
        text: "OPTIONS sip:[2001:db8::10]:5070 SIP/2.0\r\nVia: SIP/2.0/UDP [2001:db8::9:1]\
               ;received=2001:db8::9:255;branch=z9hG4bK1\r\nContact: <sip:a@[::ffff:192.0.2.2]>\r\n\r\n",
        defects: &[],
        faults: &[],
    },
    // Broken, and read all the same.
    Case {
        text: "INVITE sip:u@h.example;  lr SIP/2.0\r\nTo: sip:u@h.example\r\n\r\n",
        defects: &[DefectKind::StartLineUriSpace],
        faults: &[],
    },
    Case {
        text: "OPTIONS sip:t@h.example SIP/7.0\r\nVia: SIP/7.0/UDP c;branch=z9hG4bK1\r\n\r\n",
        defects: &[DefectKind::StartLineVersion],
        faults: &[FaultKind::Via],
    },
    Case {
        text: "OPTIONS sip:t@h.example SIP/2.0  \r\nVia: SIP/2.0/TLS c;branch=z9hG4bK1\r\n\r\n",
        defects: &[DefectKind::StartLineSpacing],
        faults: &[],
    },
    Case {
        text: "SIP/2.0 503 x\r\nCSeq: 9292394834772304023312 OPTIONS\r\nRetry-After: 949302838503028349304023988\r\n\
               Warning: 1812 overture \"In Progress\"\r\n\r\n",
        defects: &[],
        faults: &[FaultKind::WarningCode],
    },
    Case {
        text: "INVITE sip:u@h SIP/2.0\r\nTo: \"Mr. U <sip:u@h>\r\nContact: <sip:a@b>;;\r\nVia: SIP/2.0/UDP a;;,;,,\r\n\r\n",
        defects: &[],
        faults: &[FaultKind::QuotedString, FaultKind::Separators, FaultKind::Separators],
    },
];

#[test]
fn tortuous_messages_are_read_and_judged() {
    for case in CASES {
        let message = parse(case.text.as_bytes()).expect(case.text);
        read_all(&message);
        assert_eq!(defects(&message), case.defects, "{}", case.text);
        assert_eq!(faults(&message), case.faults, "{}", case.text);
    }
}

/// What RFC 4475 and RFC 5118 mean to be wrong in their messages; all others are silent.
const WRONG: &[(&str, &[DefectKind], &[FaultKind])] = &[
    ("badinv01", &[], &[FaultKind::Separators, FaultKind::Separators]),
    ("scalarlg", &[], &[FaultKind::WarningCode]),
    ("quotbal", &[], &[FaultKind::QuotedString]),
    ("ltgtruri", &[DefectKind::StartLineBrackets], &[]),
    ("lwsruri", &[DefectKind::StartLineUriSpace], &[]),
    ("lwsstart", &[DefectKind::StartLineSpacing, DefectKind::StartLineSpacing], &[]),
    ("trws", &[DefectKind::StartLineSpacing], &[]),
    ("escruri", &[], &[FaultKind::RuriComponent]),
    ("baddate", &[], &[FaultKind::Date]),
    ("badaspec", &[], &[FaultKind::NameAddr]),
    ("baddn", &[DefectKind::NotTerminated], &[FaultKind::NameAddr, FaultKind::NameAddr]),
    ("badvers", &[DefectKind::StartLineVersion], &[FaultKind::Via]),
    ("bigcode", &[DefectKind::StatusCode], &[]),
    ("ipv6-bad", &[], &[FaultKind::Uri]),
];

/// Where the RFCs' torture messages are.
pub(crate) fn torture() -> Option<PathBuf> {
    let named = std::env::var_os("SIPLENS_TORTURE").map(PathBuf::from);
    named.or_else(|| collection("public").map(|public| public.join("torture")))
}

#[test]
fn the_messages_of_the_rfcs_are_read_and_judged() {
    let Some(directory) = torture() else { return };
    let table = std::fs::read_to_string(directory.join("EXPECT.tsv")).unwrap();
    let mut seen = 0;
    for row in table.lines().skip(1).map(|row| row.split('\t').collect::<Vec<_>>()) {
        let (name, file, start_line, call_id) = (row[0], row[4], row[12], row[13]);
        let text = std::fs::read(directory.join(file)).unwrap();
        let message = parse(&text).expect(name);
        read_all(&message);
        assert_eq!(message.start_line(), start_line.as_bytes(), "{name}");
        let joined = |header| {
            let values = message.values(header).map(String::from_utf8_lossy);
            values.collect::<Vec<_>>().join("|")
        };
        assert_eq!(joined(HeaderName::CallId), call_id, "{name}");
        assert_eq!(joined(HeaderName::ContentLength), row[9], "{name}");
        let there = text.len() - message.body_span().start as usize;
        assert_eq!(there.to_string(), row[8], "{name}");
        assert_eq!(text.contains(&0), row[10] == "nul", "{name}");
        assert_eq!(!text.is_ascii(), row[11] == "non-ascii", "{name}");
        let wrong = WRONG.iter().find(|wrong| wrong.0 == name);
        let (wrong_lines, wrong_values) = wrong.map_or((&[][..], &[][..]), |w| (w.1, w.2));
        assert_eq!(defects(&message), wrong_lines, "{name}");
        assert_eq!(faults(&message), wrong_values, "{name}");
        seen += 1;
    }
    assert!(0 < seen, "EXPECT.tsv names no message");
}

const INVITE: &str = "INVITE sip:bob@b.example SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa1;rport\r\n\
    Max-Forwards: 70\r\nFrom: \"Alice\" <sip:alice@a.example>;tag=f1\r\nTo: <sip:bob@b.example>\r\n\
    Call-ID: c1@192.0.2.1\r\nCSeq: 1 INVITE\r\nContact: <sip:alice@192.0.2.1:5060>;q=0.5\r\n\
    Authorization: Digest username=\"alice\", realm=\"a.example\", nonce=\"1\", uri=\"sip:b\", response=\"2\"\r\n\
    Supported: timer, 100rel\r\nContent-Type: multipart/mixed;boundary=b\r\nContent-Length: 80\r\n\r\n\
    --b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\nm=audio 4000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n--b--\r\n";

/// Octets that parsers take for something.
fn telling() -> impl Strategy<Value = u8> {
    prop_oneof![prop::sample::select(&b"\r\n \t:;,<>\"\\@=?%[]*/-"[..]), any::<u8>()]
}

proptest! {
    #[test]
    fn no_octets_break_the_reader(octets in prop::collection::vec(telling(), 0..400)) {
        let recognised = peek::is_start_line(&octets);
        prop_assert_eq!(parse(&octets).is_some(), recognised);
        let _ = peek::head_end(&octets, 0);
        let _ = (peek::may_become_start_line(&octets), peek::cut_first_line(&octets));
        Session::parse(&octets);
        let text = [b"BYE sip:a SIP/2.0\r\n", &octets[..]].concat();
        read_all(&parse(&text).unwrap());
    }

    #[test]
    fn no_header_value_breaks_the_readers(
        name in prop::sample::select(&[
            "Via", "To", "Contact", "Route", "CSeq", "Call-ID", "Date", "Replaces", "Warning", "Event",
            "Authorization", "WWW-Authenticate", "Session-ID", "Security-Client", "Content-Type",
            "P-Charging-Vector", "P-Asserted-Identity",
        ][..]),
        value in prop::collection::vec(telling(), 0..60),
    ) {
        let text = [format!("BYE sip:a SIP/2.0\r\n{name}: ").as_bytes(), &value, b"\r\n\r\n"].concat();
        read_all(&parse(&text).unwrap());
    }

    #[test]
    fn damaged_messages_are_read(damage in prop::collection::vec((any::<prop::sample::Index>(), telling()), 1..8)) {
        let mut text = INVITE.as_bytes().to_vec();
        for (at, octet) in damage {
            let at = at.index(text.len());
            text[at] = octet;
        }
        if let Some(message) = parse(&text) {
            read_all(&message);
        }
    }

    #[test]
    fn cut_messages_are_read(end in 0..INVITE.len()) {
        let text = &INVITE.as_bytes()[..end];
        if let Some(message) = parse(text) {
            read_all(&message);
        }
    }
}

#[test]
fn line_feeds_alone_give_the_same_fields() {
    let fields = |text: &str| {
        let message = parse(text.as_bytes()).unwrap();
        message
            .fields()
            .iter()
            .map(|f| (f.name, message.at(f.value()).to_vec()))
            .collect::<Vec<_>>()
    };
    assert_eq!(fields(INVITE), fields(&INVITE.replace("\r\n", "\n")));
}
