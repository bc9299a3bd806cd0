//! Reads a session description line by line; whatever it says, something is read.

use memchr::memchr;
use nom::bytes::complete::{take_till1, take_while1};
use nom::character::complete::{char, u8 as number8, u16 as number16, u32 as number32};
use nom::combinator::opt;
use nom::sequence::preceded;
use nom::{IResult, Parser};

use super::payload::static_codec;
use smallvec::SmallVec;

use super::{Codec, Direction, Line, Media, Session, Stream, USUAL};
use crate::transport::scan;

/// Media sections read; a body that has more is no session anyone offers.
const MOST_SECTIONS: usize = 1_000;

/// The streams of `body` as [`Session::parse`] reads them, and nothing else of it.
pub fn streams(body: &[u8]) -> SmallVec<[Stream<'_>; 2]> {
    let mut streams = SmallVec::<[Stream<'_>; 2]>::new();
    let mut maps = SmallVec::<[Codec<'_>; USUAL]>::new();
    for line in lines(body) {
        match line {
            [b'm', b'=', value @ ..] if streams.len() < MOST_SECTIONS => {
                if let Some(ended) = streams.last_mut() {
                    ended.learn(&maps);
                }
                maps.clear();
                streams.push(Stream::of(value));
            }
            [b'a', b'=', b'r', b't', b'p', b'm', b'a', b'p', b':', value @ ..] => {
                maps.extend(whole(rtpmap, value));
            }
            _ => {}
        }
        // What the session level maps is no stream's.
        if streams.is_empty() {
            maps.clear();
        }
    }
    if let Some(ended) = streams.last_mut() {
        ended.learn(&maps);
    }
    streams
}

impl<'a> Stream<'a> {
    /// Reads the value of an `m=` line.
    fn of(value: &'a [u8]) -> Self {
        let mut words = words(value);
        let kind = words.next().unwrap_or_default();
        let (port, _) = ports(words.next().unwrap_or_default());
        let protocol = words.next().unwrap_or_default();
        Self { kind, port, protocol, formats: words.collect(), codecs: SmallVec::new() }
    }

    /// Names its formats, all lines of its section being read.
    fn learn(&mut self, maps: &[Codec<'a>]) {
        self.codecs.extend(named(self.formats.iter().copied(), maps, self.protocol));
    }
}

impl<'a> Session<'a> {
    /// Reads `body`; never fails: what is no SDP line is kept as a line with letter 0.
    pub fn parse(body: &'a [u8]) -> Self {
        let mut session = Self { lines: Vec::with_capacity(2 * USUAL), ..Self::default() };
        for text in lines(body) {
            let (letter, value) = match text {
                [letter, b'=', value @ ..] if letter.is_ascii_alphabetic() => (*letter, value),
                _ => (0, text),
            };
            if letter == b'm' && session.media.len() < MOST_SECTIONS {
                session.media.push(media(value));
            }
            let section = session.media.len() as u16;
            session.lines.push(Line { letter, value, section });
            session.take(letter, value);
        }
        session.inherit();
        session
    }

    /// Takes note of a line of the section that was begun last.
    fn take(&mut self, letter: u8, value: &'a [u8]) {
        match (letter, self.media.last_mut()) {
            (b'o', _) => _ = self.origin.get_or_insert(value),
            (b's', _) => _ = self.name.get_or_insert(value),
            (b'c', Some(media)) => media.connection = media.connection.or(address(value)),
            (b'c', None) => self.connection = self.connection.or(address(value)),
            (b'y', Some(media)) => _ = media.ssrc.get_or_insert(value),
            (b'y', None) => _ = self.ssrc.get_or_insert(value),
            (b'f', Some(media)) => _ = media.parameters.get_or_insert(value),
            (b'a', Some(media)) => media.attributes.push(attribute(value)),
            (b'a', None) => self.attributes.push(attribute(value)),
            _ => {}
        }
    }

    /// Gives the sections what their attributes and the session level say.
    fn inherit(&mut self) {
        self.direction = direction(&self.attributes);
        for media in &mut self.media {
            media.connection = media.connection.or(self.connection);
            media.ssrc = media.ssrc.or(self.ssrc);
            media.direction = direction(&media.attributes).or(self.direction).unwrap_or_default();
            media.rtcp = value_of(&media.attributes, b"rtcp")
                .and_then(|value| whole(number16, value))
                .filter(|&port| port != 0);
            media.ptime =
                value_of(&media.attributes, b"ptime").and_then(|value| whole(number32, value));
            media.codecs = codecs(media);
        }
    }
}

/// The lines of `body` without their ends: CRLF, LF, or CR where there is no LF at all. Empty ones
/// are left out.
fn lines(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let end = if memchr(b'\n', body).is_some() { b'\n' } else { b'\r' };
    scan::pieces(body, end)
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .filter(|line| !line.is_empty())
}

/// Name and value of an `a=` line.
fn attribute(value: &[u8]) -> (&[u8], Option<&[u8]>) {
    match scan::find(value, b':') {
        Some(at) => (&value[..at], Some(&value[at + 1..])),
        None => (value.trim_ascii_end(), None),
    }
}

type Parsed<'a, T> = IResult<&'a [u8], T, ()>;

/// The runs of octets other than blanks.
fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&octet| is_blank(octet)).filter(|word| !word.is_empty())
}

const fn is_blank(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t')
}

/// What `parser` reads at the start of `value`, blanks before it allowed.
fn whole<'a, T>(
    mut parser: impl Parser<&'a [u8], Output = T, Error = ()>,
    value: &'a [u8],
) -> Option<T> {
    parser.parse(value.trim_ascii_start()).ok().map(|(_, parsed)| parsed)
}

/// `audio 49170/2 RTP/AVP 0 8`
fn media(value: &[u8]) -> Media<'_> {
    let mut words = words(value);
    let kind = words.next().unwrap_or_default();
    let (port, ports) = ports(words.next().unwrap_or_default());
    Media {
        kind,
        port,
        ports,
        protocol: words.next().unwrap_or_default(),
        formats: with_room(words),
        attributes: Vec::with_capacity(USUAL),
        ..Media::default()
    }
}

/// `49170/2`: the first port, and how many there are.
fn ports(text: &[u8]) -> (u16, u16) {
    let (port, ports) =
        whole((number16, opt(preceded(char('/'), number16))), text).unwrap_or((0, None));
    (port, ports.unwrap_or(1))
}

/// The address of a `c=` line, without TTL and number of addresses.
fn address(value: &[u8]) -> Option<&[u8]> {
    let address = words(value).nth(2)?;
    Some(&address[..memchr(b'/', address).unwrap_or(address.len())])
}

fn direction(attributes: &[(&[u8], Option<&[u8]>)]) -> Option<Direction> {
    attributes.iter().find_map(|&(name, _)| match name {
        b"sendrecv" => Some(Direction::SendRecv),
        b"sendonly" => Some(Direction::SendOnly),
        b"recvonly" => Some(Direction::RecvOnly),
        b"inactive" => Some(Direction::Inactive),
        _ => None,
    })
}

fn value_of<'a>(attributes: &[(&[u8], Option<&'a [u8]>)], name: &[u8]) -> Option<&'a [u8]> {
    attributes.iter().find(|(n, _)| *n == name).and_then(|(_, value)| *value)
}

fn codecs<'a>(media: &Media<'a>) -> Vec<Codec<'a>> {
    let maps = media.attributes.iter().filter(|(name, _)| *name == b"rtpmap");
    let maps: SmallVec<[_; USUAL]> = maps.filter_map(|&(_, value)| whole(rtpmap, value?)).collect();
    with_room(named(media.formats.iter().copied(), &maps, media.protocol))
}

/// One codec for each format that is a payload type and has a name, in `maps` or by itself.
fn named<'a>(
    formats: impl Iterator<Item = &'a [u8]>,
    maps: &[Codec<'a>],
    protocol: &[u8],
) -> impl Iterator<Item = Codec<'a>> {
    let is_rtp = is_rtp(protocol);
    formats.filter_map(move |format| {
        let payload_type = whole(number8, format)?;
        let mapped = maps.iter().find(|codec| codec.payload_type == payload_type).copied();
        mapped.or_else(|| static_codec(payload_type).filter(|_| is_rtp))
    })
}

/// `items` in a list that need not grow for most sections.
fn with_room<T>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut all = Vec::with_capacity(USUAL);
    all.extend(items);
    all
}

fn is_rtp(protocol: &[u8]) -> bool {
    memchr::memmem::find(protocol, b"RTP/").is_some()
}

/// `101 telephone-event/8000/1`
fn rtpmap(input: &[u8]) -> Parsed<'_, Codec<'_>> {
    let name = take_till1(|octet| octet == b'/' || is_blank(octet));
    let rate = preceded(char('/'), number32);
    let channels = preceded(char('/'), number8);
    (number8, take_while1(is_blank), name, opt((rate, opt(channels))))
        .map(|(payload_type, _, name, tail)| {
            let (rate, channels) = tail.unwrap_or((0, None));
            Codec { payload_type, name, rate, channels: channels.unwrap_or(1) }
        })
        .parse(input)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    const OFFER: &str = "v=0\r\no=alice 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1/127\r\n\
        t=0 0\r\na=recvonly\r\nm=audio 4000 RTP/AVP 0 96 101\r\na=rtpmap:96 opus/48000/2\r\n\
        a=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\na=sendrecv\r\na=rtcp:4005 IN IP4 1.2.3.4\r\n\
        m=video 0/2 RTP/SAVPF 31\r\nc=IN IP6 2001:db8::1\r\na=crypto:1 X inline:k\r\n";

    #[test]
    fn an_offer_is_read_with_what_its_sections_inherit() {
        let session = Session::parse(OFFER.as_bytes());
        assert_eq!(session.origin, Some(&b"alice 1 1 IN IP4 192.0.2.1"[..]));
        assert_eq!(session.connection, Some(&b"192.0.2.1"[..]));
        assert_eq!(session.direction, Some(Direction::RecvOnly));
        let [audio, video] = &session.media[..] else { unreachable!() };
        assert_eq!((audio.kind, audio.port, audio.ports), (&b"audio"[..], 4000, 1));
        assert_eq!(audio.connection, session.connection);
        assert_eq!(audio.direction, Direction::SendRecv);
        assert_eq!((audio.rtcp, audio.ptime), (Some(4005), Some(20)));
        let codecs: Vec<_> =
            audio.codecs.iter().map(|c| (c.payload_type, c.name, c.rate, c.channels)).collect();
        let expected: [(u8, &[u8], u32, u8); 3] =
            [(0, b"PCMU", 8000, 1), (96, b"opus", 48000, 2), (101, b"telephone-event", 8000, 1)];
        assert_eq!(codecs, expected);
        assert_eq!((video.port, video.ports, video.direction), (0, 2, Direction::RecvOnly));
        assert_eq!(video.connection, Some(&b"2001:db8::1"[..]));
        assert_eq!(video.attribute("crypto"), Some(Some(&b"1 X inline:k"[..])));
        assert_eq!(video.codec(31).unwrap().name, b"H261");
        assert_eq!(session.lines.len(), OFFER.lines().count());
        assert_eq!(session.lines.last().unwrap().section, 2);
    }

    /// `body` gives the streams that its media sections say.
    fn agree(body: &[u8]) {
        let full = Session::parse(body);
        let lean = streams(body);
        assert_eq!(lean.len(), full.media.len());
        for (stream, media) in lean.iter().zip(&full.media) {
            assert_eq!((stream.kind, stream.port), (media.kind, media.port));
            assert_eq!(stream.protocol, media.protocol);
            assert_eq!(stream.formats[..], media.formats[..]);
            assert_eq!(stream.codecs[..], media.codecs[..]);
        }
    }

    proptest! {
        #[test]
        fn streams_are_those_of_the_session(
            lines in vec(select(vec![
                "v=0", "s=-", "a=rtpmap:96 opus/48000/2", "a=rtpmap:8 X/1", "a=rtpmap: 96 L16/8000",
                "a=rtpmap:97", "a=rtpmap", "a=sendonly", "m=audio 4000 RTP/AVP 0 96 101",
                "m=video 0/2 RTP/SAVPF 31\t97", "m=", "m=image 9 udptl t38 8", " m=audio 1 RTP/AVP 8",
                "a=rtpmap:101 telephone-event/8000", "", "a", "a=rtpmap:96\tPS/90000",
            ]), 0..14),
            end in select(vec!["\r\n", "\n", "\r"]),
        ) {
            agree(lines.join(end).as_bytes());
        }
    }

    #[test]
    fn sections_beyond_the_bound_belong_to_the_last_one() {
        let mut body = "m=audio 1 RTP/AVP 96\n".repeat(MOST_SECTIONS + 1);
        body.push_str("a=rtpmap:96 opus/48000/2\n");
        agree(body.as_bytes());
    }

    #[test]
    fn any_line_end_gives_the_same_session() {
        let with = |end: &str| {
            let body = OFFER.replace("\r\n", end);
            format!("{:?}", Session::parse(body.as_bytes()))
        };
        assert_eq!(with("\r\n"), with("\n"));
        assert_eq!(with("\r\n"), with("\r"));
    }

    #[test]
    fn what_is_no_line_is_kept_as_one_without_letter() {
        let session =
            Session::parse(b"hello\r\n\r\n=x\r\nm=\r\nm=audio x RTP/AVP\r\na=rtpmap:\n9=\n");
        let letters: Vec<_> = session.lines.iter().map(|line| line.letter).collect();
        assert_eq!(letters, [0, 0, b'm', b'm', b'a', 0]);
        assert_eq!(session.media[1].port, 0);
        assert!(session.media[1].codecs.is_empty());
    }

    #[test]
    fn formats_of_other_protocols_have_no_static_codec() {
        let session = Session::parse(b"m=image 5004 udptl t38\nm=application 9 TCP/BFCP 0\n");
        assert!(session.media.iter().all(|media| media.codecs.is_empty()));
    }

    #[test]
    fn the_lines_of_gb_28181_belong_to_their_section() {
        let body =
            b"v=0\ns=Play\nu=34020000001310000001:0\nt=0 0\nm=video 6000 TCP/RTP/AVP 96 98\n\
            a=rtpmap:96 PS/90000\na=setup:passive\ny=0100000001\ny=2\nf=v/2/4/25/1/2048a/1/8/1\n";
        let session = Session::parse(body);
        let media = &session.media[0];
        assert_eq!(media.ssrc, Some(&b"0100000001"[..]));
        assert_eq!(media.parameters, Some(&b"v/2/4/25/1/2048a/1/8/1"[..]));
        assert_eq!(media.codecs.len(), 1);
        assert_eq!(media.attribute("setup"), Some(Some(&b"passive"[..])));
    }
}
