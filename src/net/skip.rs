//! Why a frame gave no packet.

/// Why a frame gave no packet. Not an error: a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Skip {
    /// Whole and understood, but nothing that could carry SIP: ARP, OSPF, an echo request.
    NotOurs,
    /// A fragment; the packet comes with the last of them.
    FragmentHeld,
    /// The snap length cut the headers.
    Truncated,
    /// Headers that contradict themselves.
    Undecodable,
    /// A link type or an encapsulation that is not read.
    UnknownLink,
    /// More encapsulations than [`Limits::depth`](crate::limits::Limits::depth).
    TooDeep,
    /// ESP, or 802.11 with its protection on.
    Encrypted,
}

impl Skip {
    /// The counter of [`Tally::lost`](crate::limits::Tally::lost); `None` where nothing is lost.
    pub const fn reason(self) -> Option<&'static str> {
        match self {
            Self::NotOurs | Self::FragmentHeld => None,
            Self::Truncated => Some("truncated"),
            Self::Undecodable => Some("undecodable"),
            Self::UnknownLink => Some("unknown-link"),
            Self::TooDeep => Some("too-deep"),
            Self::Encrypted => Some("encrypted"),
        }
    }
}
