//! GB/T 28181's additions to SDP: the names of `s=`, the SSRC of `y=`, the parameters of `f=`.

/// What a GB/T 28181 session is for: its `s=` line (GB/T 28181-2022 annex G.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// `Play`: live video.
    Play,
    /// `Playback`: recorded video.
    Playback,
    /// `Download`: a recorded file.
    Download,
    /// `Talk`: voice intercom.
    Talk,
    /// `EmbeddedNetVideoServer`: what devices answer with.
    Device,
}

impl Purpose {
    /// The purpose that `name` stands for, in any case.
    pub fn of(name: &[u8]) -> Option<Self> {
        let name = name.trim_ascii();
        let is = |word: &str| name.eq_ignore_ascii_case(word.as_bytes());
        match name.len() {
            4 if is("Play") => Some(Self::Play),
            4 if is("Talk") => Some(Self::Talk),
            8 if is("Playback") => Some(Self::Playback),
            8 if is("Download") => Some(Self::Download),
            22 if is("EmbeddedNetVideoServer") => Some(Self::Device),
            _ => None,
        }
    }

    /// The name as the standard writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Play => "Play",
            Self::Playback => "Playback",
            Self::Download => "Download",
            Self::Talk => "Talk",
            Self::Device => "EmbeddedNetVideoServer",
        }
    }
}

/// A `y=` line: ten digits that are the SSRC in decimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ssrc {
    /// The SSRC in RTP; `None` when the digits are too large for one.
    pub number: Option<u32>,
    /// Whether the stream is live or recorded: the first digit, 0 or 1.
    pub stream: Option<Stream>,
}

/// What the first digit of an SSRC says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// 0.
    Live,
    /// 1.
    Recorded,
}

impl Ssrc {
    /// Reads a `y=` value; `None` unless it is ten digits.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let digits = value.trim_ascii();
        if digits.len() != 10 || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let number = std::str::from_utf8(digits).ok()?.parse().ok();
        let stream = match digits[0] {
            b'0' => Some(Stream::Live),
            b'1' => Some(Stream::Recorded),
            _ => None,
        };
        Some(Self { number, stream })
    }
}

/// An `f=` line: `v/codec/resolution/frame rate/rate kind/bit ratea/codec/bit rate/sampling`;
/// every part may be empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters<'a> {
    /// Codec, resolution, frame rate, kind of bit rate, bit rate in kbit/s of the video.
    pub video: [&'a [u8]; 5],
    /// Codec, bit rate, sampling rate of the audio.
    pub audio: [&'a [u8]; 3],
}

impl<'a> Parameters<'a> {
    /// Reads an `f=` value; `None` when it has not the two groups of the standard.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let text = value.trim_ascii().strip_prefix(b"v/")?;
        let at = memchr::memmem::find(text, b"a/")?;
        Some(Self { video: group(&text[..at])?, audio: group(&text[at + 2..])? })
    }

    /// The name of the video codec (annex G: 1 MPEG-4, 2 H.264, 3 SVAC, 4 3GP, 5 H.265).
    pub fn video_codec(&self) -> Option<&'static str> {
        match self.video[0] {
            b"1" => Some("MPEG-4"),
            b"2" => Some("H.264"),
            b"3" => Some("SVAC"),
            b"4" => Some("3GP"),
            b"5" => Some("H.265"),
            _ => None,
        }
    }

    /// The name of the audio codec (annex G: 1 G.711, 2 G.723.1, 3 G.729, 4 G.722.1, 5 SVAC,
    /// 6 AAC).
    pub fn audio_codec(&self) -> Option<&'static str> {
        match self.audio[0] {
            b"1" => Some("G.711"),
            b"2" => Some("G.723.1"),
            b"3" => Some("G.729"),
            b"4" => Some("G.722.1"),
            b"5" => Some("SVAC"),
            b"6" => Some("AAC"),
            _ => None,
        }
    }
}

/// Exactly `N` parts between slashes.
fn group<const N: usize>(text: &[u8]) -> Option<[&[u8]; N]> {
    let mut parts = text.split(|&octet| octet == b'/');
    let mut group = [&text[..0]; N];
    for slot in &mut group {
        *slot = parts.next()?;
    }
    parts.next().is_none().then_some(group)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn names_of_sessions_are_known_in_any_case() {
        for (name, purpose) in [
            ("Play", Some(Purpose::Play)),
            ("PLAYBACK", Some(Purpose::Playback)),
            ("Download ", Some(Purpose::Download)),
            ("talk", Some(Purpose::Talk)),
            ("EmbeddedNetVideoServer", Some(Purpose::Device)),
            ("-", None),
        ] {
            assert_eq!(Purpose::of(name.as_bytes()), purpose, "{name}");
        }
    }

    #[test]
    fn ssrcs_are_ten_digits() {
        let read = |text: &str| Ssrc::parse(text.as_bytes());
        let live = Ssrc { number: Some(100_000_001), stream: Some(Stream::Live) };
        assert_eq!(read("0100000001"), Some(live));
        assert_eq!(read("1100000001 ").unwrap().stream, Some(Stream::Recorded));
        assert_eq!(read("9999999999"), Some(Ssrc { number: None, stream: None }));
        assert_eq!(read("010000001"), None);
        assert_eq!(read("01000x0001"), None);
    }

    #[test]
    fn parameters_have_two_groups_whose_parts_may_be_empty() {
        let full = Parameters::parse(b"v/2/4/25/1/2048a/1/8/1").unwrap();
        assert_eq!(full.video_codec(), Some("H.264"));
        assert_eq!(full.audio_codec(), Some("G.711"));
        assert_eq!(full.video[4], b"2048");
        let empty = Parameters::parse(b"v/////a///").unwrap();
        assert_eq!(empty.video_codec(), None);
        for bad in ["", "v/2/4/25/1/2048", "v/1/2a/1/8/1", "v/////a/1/2/3/4"] {
            assert_eq!(Parameters::parse(bad.as_bytes()), None, "{bad}");
        }
    }
}
