//! An observation whose message is parsed: once, for all who listen.

use std::borrow::Cow;

use crate::sip::Message;
use crate::transport::{Observation, Text};

/// What was seen next.
pub enum Parsed<'a> {
    /// A message; who keeps it and does not own it takes a copy.
    Message(Cow<'a, Message>),
    /// What was taken for one and has no start line.
    Unreadable,
    /// Anything but a message.
    Beside(&'a Observation<'a>),
}

impl<'a> Parsed<'a> {
    /// Parses `observation`.
    pub fn of(observation: &'a Observation<'a>) -> Self {
        match *observation {
            Observation::Message { envelope, text, home } => {
                let message = Message::parse(envelope, Text::of(text, home));
                message.map_or(Self::Unreadable, |message| Self::Message(Cow::Owned(message)))
            }
            _ => Self::Beside(observation),
        }
    }

    /// The same for one more who listens.
    pub fn lend(&self) -> Parsed<'_> {
        match self {
            Self::Message(message) => Parsed::Message(Cow::Borrowed(message)),
            Self::Unreadable => Parsed::Unreadable,
            Self::Beside(observation) => Parsed::Beside(observation),
        }
    }
}
