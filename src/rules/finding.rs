//! A breach of a rule at a place, with its evidence.

use super::Rule;
use crate::model::{FlowId, MessageId};
use crate::sip::Span;
use crate::time::Timestamp;

/// How bad it is (catalogue section 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Notable, no fault by itself.
    Info,
    /// Breaks a SHOULD, or is concluded from silence.
    Warning,
    /// Breaks a MUST and the capture proves it.
    Error,
}

impl Severity {
    /// The word of every output: `error`, `warning`, `info`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }

    /// One step lower; `Info` stays.
    #[must_use]
    pub const fn lower(self) -> Self {
        match self {
            Self::Error => Self::Warning,
            Self::Warning | Self::Info => Self::Info,
        }
    }
}

/// A place in a message that proves a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The flow.
    pub flow: FlowId,
    /// The message.
    pub message: MessageId,
    /// The part of its text, when it is a part.
    pub span: Option<Span>,
    /// What is to be seen there, in a few words.
    pub note: String,
}

/// One group of equal breaches: same rule, kind, sender and dialog, registration or source.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The rule.
    pub rule: &'static Rule,
    /// Its kind.
    pub kind: Option<&'static str>,
    /// Severity of this finding; user settings and guards may lower the rule's.
    pub severity: Severity,
    /// What happened, in one line.
    pub title: String,
    /// Who did it: address and User-Agent or Server.
    pub sender: String,
    /// The hop: `192.0.2.1:5060 > 192.0.2.2:5060 udp`.
    pub hop: String,
    /// At most five places, the first and the last among them; the first is where it happened.
    pub evidence: Vec<Place>,
    /// How often.
    pub count: u64,
    /// First occurrence.
    pub first: Timestamp,
    /// Last occurrence.
    pub last: Timestamp,
}
