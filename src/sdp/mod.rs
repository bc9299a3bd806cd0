//! The grammar of RFC 8866 and the attributes offer/answer needs; places in the body, no copies.

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
    /// Port; 0 rejects or removes the stream.
    pub port: u16,
    /// `RTP/AVP`, …
    pub protocol: &'a [u8],
    /// Formats as written.
    pub formats: Vec<&'a [u8]>,
    /// `c=` of this section, or else the session's: the address.
    pub connection: Option<&'a [u8]>,
    /// Direction, the session's or sendrecv where not stated.
    pub direction: Direction,
    /// rtpmap lines: payload type, encoding name, clock rate, channels.
    pub codecs: Vec<Codec<'a>>,
    /// Port of `a=rtcp`, when stated.
    pub rtcp: Option<u16>,
    /// All `a=` lines of the section: name and value.
    pub attributes: Vec<(&'a [u8], Option<&'a [u8]>)>,
    /// GB/T 28181 `y=` (SSRC) of this section or the session.
    pub ssrc: Option<&'a [u8]>,
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

impl<'a> Session<'a> {
    /// Reads `body`; never fails: what is no SDP line is kept as a line with letter 0.
    pub fn parse(body: &'a [u8]) -> Self {
        let _ = body;
        todo!()
    }
}
