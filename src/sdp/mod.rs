//! The grammar of RFC 8866 and the attributes offer/answer needs; places in the body, no copies.

pub mod gbt;
mod payload;
mod session;

pub use payload::static_codec;
pub use session::streams;

use smallvec::SmallVec;

/// As many formats, codecs and attributes as most sections have.
const USUAL: usize = 8;

/// One session description.
#[derive(Clone, Debug, Default)]
pub struct Session<'a> {
    /// Every line in order: its letter and its value.
    pub lines: Vec<Line<'a>>,
    /// `o=`.
    pub origin: Option<&'a [u8]>,
    /// `s=`.
    pub name: Option<&'a [u8]>,
    /// Session-level `c=`: the address.
    pub connection: Option<&'a [u8]>,
    /// Session-level direction, when stated.
    pub direction: Option<Direction>,
    /// All `a=` lines of the session level: name and value.
    pub attributes: Vec<(&'a [u8], Option<&'a [u8]>)>,
    /// Session-level GB/T 28181 `y=` (SSRC).
    pub ssrc: Option<&'a [u8]>,
    /// The media sections.
    pub media: Vec<Media<'a>>,
}

/// One `x=value` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// The letter; 0 for a line that is none.
    pub letter: u8,
    /// What follows `=`.
    pub value: &'a [u8],
    /// 0 for the session level, n for the n-th media section.
    pub section: u16,
}

/// One `m=` section.
#[derive(Clone, Debug, Default)]
pub struct Media<'a> {
    /// `audio`, `video`, …
    pub kind: &'a [u8],
    /// Port; 0 rejects or removes the stream. What is no port reads as 0.
    pub port: u16,
    /// How many ports in a row (`49170/2`), 1 when not stated.
    pub ports: u16,
    /// `RTP/AVP`, …
    pub protocol: &'a [u8],
    /// Formats as written.
    pub formats: Vec<&'a [u8]>,
    /// `c=` of this section, or else the session's: the address.
    pub connection: Option<&'a [u8]>,
    /// Direction, the session's or sendrecv where not stated.
    pub direction: Direction,
    /// What the formats are, in their order: by `a=rtpmap`, or else by RFC 3551's static table.
    pub codecs: Vec<Codec<'a>>,
    /// Port of `a=rtcp`, when stated.
    pub rtcp: Option<u16>,
    /// All `a=` lines of the section: name and value.
    pub attributes: Vec<(&'a [u8], Option<&'a [u8]>)>,
    /// GB/T 28181 `y=` (SSRC) of this section or the session.
    pub ssrc: Option<&'a [u8]>,
    /// GB/T 28181 `f=` (media parameters) of this section.
    pub parameters: Option<&'a [u8]>,
    /// `a=ptime`, milliseconds of one packet.
    pub ptime: Option<u32>,
}

/// Of one `m=` section what offer and answer are compared by, read without a copy on the heap.
#[derive(Clone, Debug)]
pub struct Stream<'a> {
    /// `audio`, `video`, …
    pub kind: &'a [u8],
    /// Port; 0 rejects or removes the stream. What is no port reads as 0.
    pub port: u16,
    /// `RTP/AVP`, …
    pub protocol: &'a [u8],
    /// Formats as written.
    pub formats: SmallVec<[&'a [u8]; USUAL]>,
    /// What the formats are, as in [`Media::codecs`].
    pub codecs: SmallVec<[Codec<'a>; USUAL]>,
}

impl<'a> Media<'a> {
    /// The value of the first attribute `name`, case-sensitive (RFC 8866 section 6): `Some(None)`
    /// for a flag.
    pub fn attribute(&self, name: &str) -> Option<Option<&'a [u8]>> {
        self.attributes.iter().find(|(n, _)| *n == name.as_bytes()).map(|(_, value)| *value)
    }

    /// The codec of `payload_type`.
    pub fn codec(&self, payload_type: u8) -> Option<&Codec<'a>> {
        self.codecs.iter().find(|codec| codec.payload_type == payload_type)
    }
}

impl<'a> Session<'a> {
    /// The value of the first session-level attribute `name`: `Some(None)` for a flag.
    pub fn attribute(&self, name: &str) -> Option<Option<&'a [u8]>> {
        self.attributes.iter().find(|(n, _)| *n == name.as_bytes()).map(|(_, value)| *value)
    }
}

/// An encoding of a payload type: from `a=rtpmap`, or RFC 3551's static table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Codec<'a> {
    /// Payload type.
    pub payload_type: u8,
    /// Encoding name.
    pub name: &'a [u8],
    /// Clock rate in Hz.
    pub rate: u32,
    /// Channels, 1 when not stated.
    pub channels: u8,
}

/// Who sends (RFC 3264 section 5.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Direction {
    #[default]
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}
