//! What became of a frame, for those who keep packets.

use super::{Link, Standing};
use crate::net::{Endpoint, IcmpError};
use crate::transport::peek::is_start_line;

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It carried SIP, or a keep-alive between those who talk SIP.
    Sip,
    /// A segment of a TCP connection, whatever it carried.
    Segment {
        /// The number of the connection in the run.
        connection: u32,
        /// What the connection carries, as far as is known by now.
        carries: Carries,
    },
    /// A UDP datagram of something else, maybe media; or an ICMP error about one.
    Datagram {
        /// Its sender.
        from: Endpoint,
        /// Its receiver.
        to: Endpoint,
    },
    /// A fragment of a datagram that is not whole so far, the last of
    /// [`datagrams`](super::Reader::datagrams).
    Fragment,
    /// Something else, or nothing that could be understood.
    Other,
}

/// What a TCP connection carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carries {
    /// SIP was found in it.
    Sip,
    /// SIP was not found so far.
    Unknown,
    /// Something that is no SIP, or that cannot be opened.
    NotForUs,
}

/// A datagram whose fragments did not all come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GivenUp {
    /// Its number in the run.
    pub datagram: u64,
    /// Whether its head shows SIP.
    pub is_sip: bool,
}

impl Fate {
    /// That of a segment on `connection`.
    pub(super) fn of_segment(connection: u32, link: &Link) -> Self {
        let carries = match link.standing {
            Standing::Sip => Carries::Sip,
            _ if link.is_deaf() => Carries::NotForUs,
            Standing::Stranger | Standing::Expected => Carries::Unknown,
        };
        Self::Segment { connection, carries }
    }

    /// That of an ICMP error.
    pub(super) fn of_error(error: &IcmpError<'_>) -> Self {
        match error.protocol {
            _ if is_start_line(error.quoted) => Self::Sip,
            17 => Self::Datagram { from: error.from, to: error.to },
            _ => Self::Other,
        }
    }
}

impl Link {
    /// True when neither side is listened to any more, or one of them says what is no SIP.
    fn is_deaf(&self) -> bool {
        let shut = self.secure.as_ref().is_some_and(|secure| secure.is_shut());
        shut || self.carriers.iter().any(super::Carrier::is_deaf)
    }
}
