//! One table of values for each grammar.

#![allow(clippy::unwrap_used, clippy::panic)]

use super::FaultKind::*;
use super::*;
use crate::sip::message::tests::parsed;

/// `text` is the header lines of a request; the fault begins at the first octet of `at`.
#[track_caller]
fn check(text: &str, expected: Option<(FaultKind, &str)>) {
    check_in(&format!("OPTIONS sip:a.example SIP/2.0\r\n{text}\r\n\r\n"), expected);
}

#[track_caller]
fn check_uri(uri: &str, expected: Option<(FaultKind, &str)>) {
    check_in(&format!("OPTIONS {uri} SIP/2.0\r\nX: y\r\n\r\n"), expected);
}

#[track_caller]
fn check_in(text: &str, expected: Option<(FaultKind, &str)>) {
    let message = parsed(text.as_bytes()).unwrap();
    let found: Vec<_> = faults(&message).collect();
    let places: Vec<_> = found
        .iter()
        .map(|fault| {
            (fault.kind, String::from_utf8_lossy(&text.as_bytes()[fault.span.start as usize..]))
        })
        .collect();
    match (&places[..], expected) {
        ([], None) => {}
        ([(kind, place)], Some((wanted, at))) => {
            assert_eq!(*kind, wanted, "{text:?} at {place:?}");
            assert!(place.starts_with(at), "{text:?} at {place:?}");
        }
        (places, _) => {
            panic!("{text:?}: {places:?}, not {expected:?}");
        }
    }
}

#[test]
fn addresses_are_judged() {
    check("To: <sip:bob@b.example>;tag=1", None);
    check("To: sip:bob@b.example ; tag = 1", None);
    check("To: caller<sip:bob@b.example>", None);
    check("To: \"A \\\"b\\\"\" <sip:a@192.0.2.1> ; q = 0.33;x=\"y;z\";w=[::1]", None);
    check("To: a.b!c'd <sip:a@b>", None);
    check("To: isbn:2983792873", None);
    check("From: <http://www.example.com>;tag=3234233", None);
    check("To: sip:a?Route=%3Csip:b%3E", None);
    check("To: \"\u{5f20}\" <sip:a@b>", None);
    check("To: \"Bob <sip:bob@b.example>", Some((QuotedString, "\"Bob")));
    check("From: Bell, Alexander <sip:a@b>;tag=43", Some((NameAddr, ", Alex")));
    check("From: \u{5f20} <sip:a@b>;tag=43", Some((NameAddr, "\u{5f20}")));
    check("To: \"Watson, Thomas\" < sip:t@example.org >", Some((NameAddr, " sip:t")));
    check("To: <sip:t@example.org >", Some((NameAddr, " >")));
    check("To: <sip:a@b", Some((NameAddr, "b\r\n")));
    check("To: bob", Some((NameAddr, "b\r\n")));
    check("To: <sip:a@b>x", Some((NameAddr, "x")));
    check("To: <sip:a@b>;tag=", Some((NameAddr, "=")));
    check("To: <sip:a@b>;tag=a@b", Some((NameAddr, "@b")));
    check("To:", Some((NameAddr, "To")));
    check("To: <sip:a@b>;;tag=1", Some((Separators, ";tag")));
    check("To: <sip:a@b>;tag=1;", Some((Separators, ";\r\n")));
}

#[test]
fn lists_of_addresses_are_judged() {
    check("Contact: *", None);
    check("Contact: <sip:a@b>;q=0.5, \"C, D\" <sip:c>;+sip.instance=\"<urn:uuid:1>\",sip:e", None);
    check("Route: <sip:a;lr>,\r\n <sip:b;lr;x=y>", None);
    check("Contact: \"Joe\" <sip:joe@example.org>;;;;", Some((Separators, ";;;")));
    check("Contact: <sip:a>,,<sip:b>", Some((Separators, ",<")));
    check("Contact: ,<sip:a>", Some((Separators, ",<")));
    check("Record-Route: <sip:a>,", Some((Separators, ",")));
}

#[test]
fn uris_are_judged() {
    check("To: <sip:user;par=u%40x@b>", None);
    check("To: <sip:+1-2.3(4)&=+$,;?/:pw&=+$,@b.example:5060;transport=tcp;lr?a=b&c=d%20e>", None);
    check("To: <sip:[2001:db8::10]:5070>", None);
    check("To: <tel:+1-201-555;phone-context=x>", None);
    check("To: <sip:a b@c>", Some((Uri, " b@c")));
    check("To: <sip:a#b@c>", Some((Uri, "#b@c")));
    check("To: <sip:a%4@c>", Some((Uri, "%4@c")));
    check("To: <sip:a@b@c>", Some((Uri, "@b@c")));
    check("To: <sip:@c>", Some((Uri, "@c")));
    check("To: <sip:a@b:50x>", Some((Uri, "x>")));
    check("To: <sip:a@b c>", Some((Uri, " c>")));
    check("To: <sip:a@2001:db8::1>", Some((Uri, "db8")));
    check("To: <sip:a@b;;lr>", Some((Separators, ";lr")));
    check("To: <sip:a@b;x=\"y\">", Some((Uri, "\"y")));
    check("To: <b.example>", Some((Uri, "b.example")));
    check("To: <nobody:>", Some((Uri, "")));
}

#[test]
fn the_request_uri_is_judged() {
    check_uri("sip:a@b;transport=tcp", None);
    check_uri("sips:b", None);
    check_uri("nobodyKnowsThisScheme:totallyopaquecontent", None);
    check_uri("sip:[2001:db8::10]", None);
    check_uri("<sip:a@b>", None);
    check_uri("sip:a@b; lr", None);
    check_uri("sip:2001:db8::10", Some((Uri, "db8")));
    check_uri("sip:user@example.com?Route=%3Csip:example.com%3E", Some((RuriComponent, "Route")));
    check_uri("sip:a@b;method=INVITE", Some((RuriComponent, "method")));
    check_uri("192.0.2.1", Some((Uri, "192")));
}

#[test]
fn vias_are_judged() {
    check("Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa1;rport", None);
    check(
        "v:  SIP  / 2.0  / TCP     spindle.example.com   ;\r\n branch  =   z9hG4bK9ikj8  ,\r\n SIP  /    2.0   / UDP  192.168.255.111   ; branch=\r\n z9hG4bK30239",
        None,
    );
    check("Via: SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255;branch=z9hG4bKas3-111", None);
    check("Via: SIP/2.0/UDP a.example : 5060;x", None);
    check("Via: SIP/7.0/UDP c.example.com;branch=z9hG4bKkdjuw", Some((Via, "7.0")));
    check("Via: SIP/2.0/UDP 192.0.2.15;;,;,,", Some((Separators, ";,;")));
    check("Via: SIP/2.0/UDP a;branch=z9hG4bK=1", Some((Via, "=1")));
    check("Via: SIP/2.0/UDP a:x;branch=1", Some((Via, "x;")));
    check("Via: SIP/2.0/UDP 2001:db8::1;branch=1", Some((Via, "db8")));
    check("Via: SIP/2.0/UDP ;branch=1", Some((Via, ";branch")));
    check("Via: SIP/2.0/UDP", Some((Via, "P\r\n")));
    check("Via: SIP/2.0/UDP a b", Some((Via, "b\r\n")));
}

#[test]
fn numbers_and_names_are_judged() {
    check("CSeq: 0009\r\n INVITE", None);
    check("CSeq: 36893488147419103232 REGISTER", None);
    check("CSeq: 1", Some((CSeq, "1\r\n")));
    check("CSeq: x INVITE", Some((CSeq, "x")));
    check("CSeq: 1 INVITE x", Some((CSeq, "x")));
    check("Call-ID: intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{", None);
    check("Call-ID: SSG9559905523997077@hlau_4100", None);
    check("Call-ID: a b", Some((CallId, "b")));
    check("Call-ID: a@b@c", Some((CallId, "@c")));
    check("Call-ID: @b", Some((CallId, "@b")));
    check("Call-ID: a;b", Some((CallId, ";b")));
    check("Event: presence;id=1", None);
    check("Event: presence.winfo", None);
    check("Event: ;id=1", Some((Event, ";id")));
    check("Event: a b", Some((Event, "b")));
}

#[test]
fn credentials_are_judged() {
    check("Authorization: Digest realm=\"a,b\", nonce = \"x\" ,nc=00000001,opaque=\"\"", None);
    check("WWW-Authenticate: Digest realm=\"a\", Basic realm=\"b\", Digest realm=\"c\"", None);
    check("Authorization: NoOneKnows opaque-data=here", None);
    check("Authorization: Basic QWxhZGRpbg==", None);
    check("Authorization: Digest realm=\"a\" nonce=\"b\"", Some((Auth, "nonce")));
    check("Authorization: Digest uri=sip:a", Some((Auth, ":a")));
    check("Authorization: Digest realm=\"a", Some((QuotedString, "\"a")));
    check("Authorization: Digest realm=\"a\",,nonce=\"b\"", Some((Separators, ",nonce")));
    check("Authorization: Digest realm=\"a\",", Some((Separators, ",\r\n")));
}

#[test]
fn dates_and_extensions_are_judged() {
    check("Date: Sat, 13 Nov 2010 23:29:00 GMT", None);
    check("Date: Fri, 01 Jan 2010 16:00:00 EST", Some((Date, "EST")));
    check("Date: 2020-08-13T10:00:00.000", Some((Date, "2020")));
    check("Replaces: c@a;to-tag=1;from-tag=2;early-only", None);
    check("Replaces: c@a;to-tag=1", Some((Replaces, "1\r\n")));
    check("Replaces: c@a;to-tag=1;from-tag=2;to-tag=3", Some((Replaces, "to-tag=3")));
    check("Session-ID: ab30317f1a784dc48ff824d0d3715d86;remote=0", None);
    check("Session-ID: ab30317f-1a784dc48ff824d0d3715d86", Some((SessionId, "-1a")));
    check("Session-ID:", Some((SessionId, "Session-ID")));
    check("Security-Client: ipsec-3gpp;alg=hmac-md5-96;spi-c=1, tls;q=0.2", None);
    check("Security-Server: ;alg=x", Some((Separators, ";alg")));
    check("Security-Verify: tls q=0.2", Some((SecurityAgreement, "q=")));
    check("Warning: 307 isi.edu \"x\", 301 a:5060 \"y\"", None);
    check("Warning: 1812 overture \"In Progress\"", Some((WarningCode, "2 over")));
    check("P-Charging-Vector: icid-value=\"x\";orig-ioi=a", None);
    check("P-Charging-Vector: orig-ioi=a", Some((PHeader, "orig")));
    check("P-Asserted-Identity: <sip:a@b>, <tel:+1>", None);
    check(
        "P-Asserted-Identity: <sip:a@b>\r\nP-Asserted-Identity: <sips:c@d>",
        Some((PHeader, "<sips")),
    );
    check("Subject: \"open ;; ,, <", None);
}

/// Values as nearly everybody writes them, and two URIs.
const USUAL: &[(HeaderName, &str)] = &[
    (HeaderName::Via, "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa1;rport"),
    (HeaderName::Via, "SIP/2.0/TCP [2001:db8::9:1]:5060;received=2001:db8::9:255;branch=z9hG4bK1"),
    (HeaderName::From, "<sip:a@[2001:db8::1]:5060;lr>;tag=1"),
    (HeaderName::From, "<sip:b.c@b-d.example>;tag=1"),
    (HeaderName::From, "<sip:34020000001320000001@3402000000.example:5060>;tag=2961046233-1"),
    (HeaderName::From, "<sip:34020000001320000001@3402000000:5060>;tag=2961046233-1.123"),
    (HeaderName::From, "\"A. B.\" <sip:a@b.example:5070;transport=tcp>;tag=1"),
    (HeaderName::From, "Bob B <sips:b.example>"),
    (HeaderName::From, "<sip:34020000001320000001@192.0.2.1:5060>;expires=3600"),
    (HeaderName::CSeq, "102 REGISTER"),
    (HeaderName::CallId, "0a1b-2c3d~4e@192.0.2.1"),
    (HeaderName::From, "\"A\" <sip:+49306336635@sip.example.com;user=phone>;x;TAG=9-8.7;tag=2"),
    (HeaderName::Authorization, "Digest username=\"a\", realm=\"b, c\",nc=00000001, opaque=\"\""),
    (HeaderName::Contact, "sip:a@b.example:5060;lr"),
    (HeaderName::Contact, "sip:b.example"),
];

/// Pieces of values, right and wrong.
const PIECES: &[&str] = &[
    "sip:",
    "sips:",
    "tel:",
    "SIP/2.0/",
    "SIP/2.0/UDP ",
    "UDP",
    "Digest ",
    "realm=",
    "\"",
    "\"x\"",
    "<",
    ">",
    ";",
    "=",
    ",",
    " ",
    "@",
    ":",
    "5060",
    "1",
    "a.example",
    "[::1]",
    "%41",
    "%",
    "?",
    "/",
    "*",
    "\\",
    ";tag=",
    ";tag",
    ";Tag=x",
    ";branch=z9hG4bK1",
    ";received=",
    "2001:db8::1",
    ";lr",
    "Bob",
    "<sip:a@b>",
    "INVITE",
    "\t",
    "\r\n ",
    "é",
    "'",
    "{",
    "method",
    ".",
];

proptest::proptest! {
    #[test]
    fn what_is_known_at_a_glance_is_right_by_the_full_grammar(
        usual in proptest::sample::select(USUAL),
        at in 0_usize..80,
        piece in proptest::sample::select(PIECES),
        taken in 0_usize..3,
        behind in proptest::sample::select(&["", "\r\n\r\n", "x@y", ";tag=2"][..]),
    ) {
        let mut value = usual.1.to_owned();
        let at = at.min(value.len());
        value.replace_range(at..value.len().min(at + taken), piece);
        // What stands around a value is none of it.
        let all = format!("{}: {value}{}", usual.0.as_str(), behind.repeat(at));
        let all = all.as_bytes();
        let start = usual.0.as_str().len() + 2;
        let place = Span { start: start as u32, end: (start + value.len()) as u32 };
        let text = value.as_bytes();
        if plain::request_uri(all, place) == Plain::Right {
            proptest::prop_assert!(uri::check_request(text).is_ok());
        }
        let is_right = match usual.0 {
            HeaderName::Via => list(text, scalar::via),
            HeaderName::From => whole(text, address::address).and(list(text, address::address)),
            HeaderName::Contact => list(text, address::address),
            HeaderName::CSeq => whole(text, scalar::cseq),
            HeaderName::CallId => whole(text, scalar::call_id),
            _ => scalar::auth(text),
        };
        proptest::prop_assert!(!plain::is_right(usual.0, all, place) || is_right.is_ok());
        if let Some(tag) = plain::tag(all, place) {
            let address = crate::sip::NameAddr::parse(text).unwrap();
            proptest::prop_assert_eq!(tag, address.tag().unwrap_or_default());
            let password = address.parsed_uri().and_then(|uri| uri.password);
            proptest::prop_assert_eq!(password, None);
        }
        if let Some(branch) = plain::branch(all, place) {
            let vias: Vec<_> = crate::sip::Via::all(text).collect();
            proptest::prop_assert_eq!(vias.len(), 1);
            proptest::prop_assert_eq!(branch, vias[0].branch().unwrap_or_default());
        }
        if let Some(cseq) = plain::cseq(all, place) {
            proptest::prop_assert_eq!(Some(cseq), crate::sip::CSeq::parse(text));
        }
    }

    #[test]
    fn what_a_message_knows_of_its_fields_hides_no_fault(
        lines in proptest::collection::vec(
            (proptest::sample::select(USUAL), 0_usize..80, proptest::sample::select(PIECES), 0_u8..3),
            1..8,
        ),
    ) {
        let mut text = "OPTIONS sip:a.example SIP/2.0\r\n".to_owned();
        for ((name, usual), at, piece, odd) in lines {
            let mut value = (*usual).to_owned();
            if odd == 0 {
                value.insert_str(at.min(value.len()), piece);
            }
            text.extend([name.as_str(), ": ", &value, "\r\n"]);
        }
        let message = parsed(format!("{text}\r\n").as_bytes()).unwrap();
        let each = message.fields().iter().filter_map(|field| super::check(&message, *field));
        proptest::prop_assert_eq!(faults(&message).collect::<Vec<_>>(), each.collect::<Vec<_>>());
    }
}

#[test]
fn usual_values_are_known_at_a_glance() {
    for (name, text) in USUAL.iter().take(13) {
        let place = Span { start: 0, end: text.len() as u32 };
        assert!(plain::is_right(*name, text.as_bytes(), place), "{text}");
    }
    for (uri, known) in [
        ("sip:a@b.example:5060;lr;x=y", Plain::Right),
        ("sips:b.example", Plain::Right),
        ("sip:[2001:db8::1]", Plain::Right),
        ("sip:b.example;Method=BYE", Plain::Unknown),
        ("sip:b.example?a=b", Plain::Unknown),
        ("tel:+1", Plain::Unknown),
    ] {
        let place = Span { start: 0, end: uri.len() as u32 };
        assert_eq!(plain::request_uri(uri.as_bytes(), place), known, "{uri}");
    }
}
