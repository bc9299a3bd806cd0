//! A ladder before anyone draws it: lanes, rows, arrows. Text, SVG and Mermaid only draw it.

mod lanes;
mod payload;
mod rows;
mod sdp;

use std::net::IpAddr;

use super::subject::{Relation, Subject};
use crate::frame::FrameId;
use crate::model::{FlowId, MessageId};
use crate::rules::Severity;
use crate::time::Timestamp;

pub use sdp::SdpSummary;

/// What a lane stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LaneKey {
    /// A host.
    #[default]
    Host,
    /// A host and a port.
    HostPort,
}

/// Whether packets that were captured twice are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Duplicates {
    /// Counted only.
    #[default]
    Hidden,
    /// Drawn with a mark.
    Shown,
}

/// What a ladder is made of.
#[derive(Clone, Debug, Default)]
pub struct LadderOptions {
    /// One lane per host, or per host and port.
    pub lanes: LaneKey,
    /// Packets captured twice.
    pub duplicates: Duplicates,
    /// Names of hosts; hosts of the same name share a lane.
    pub aliases: Vec<(IpAddr, String)>,
}

/// The messages of one or several flows between hosts, in order of time.
#[derive(Clone, Debug)]
pub struct Ladder {
    /// What it shows, in one line: method, From, To.
    pub title: String,
    /// Call-IDs of its flows, in order; rows name them by place.
    pub legs: Vec<String>,
    /// Hosts, from left to right.
    pub lanes: Vec<Lane>,
    /// What happened, in order.
    pub rows: Vec<Row>,
    /// Packets captured twice that are not drawn.
    pub hidden_duplicates: u32,
}

/// One column of a ladder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// Address, address and port, or the alias.
    pub name: String,
    /// What its own messages say it is (User-Agent, Server), when they do.
    pub product: Option<String>,
}

/// One line of a ladder.
#[derive(Clone, Debug)]
pub struct Row {
    /// When.
    pub time: Timestamp,
    /// Nanoseconds since the row with a time before it; `None` on the first.
    pub delta: Option<i64>,
    /// The frame; `None` for a remark.
    pub frame: Option<FrameId>,
    /// The name of the frame: its number, and its file when there are several.
    pub frame_name: String,
    /// The flow, as a place in [`Ladder::legs`].
    pub leg: usize,
    /// What is drawn.
    pub event: Event,
}

/// What a row draws.
#[derive(Clone, Debug)]
pub enum Event {
    /// A SIP message.
    Message(Arrow),
    /// An ICMP error, a refused or reset connection.
    Evidence {
        /// Lane of who sent it.
        from: usize,
        /// Lane of whom it told.
        to: usize,
        /// What happened.
        label: String,
    },
    /// What the rows above come to: answered, ended, joined.
    Remark(String),
}

/// A message between two lanes.
#[derive(Clone, Debug)]
pub struct Arrow {
    /// Lane of the sender.
    pub from: usize,
    /// Lane of the receiver; the same as `from` when a host talks to itself.
    pub to: usize,
    /// Which message.
    pub place: (FlowId, MessageId),
    /// Method, or status and reason phrase.
    pub head: String,
    /// Method a response answers, on a response to anything but INVITE; Request-URI of a request.
    pub tail: Option<String>,
    /// Class of the message, for color.
    pub class: Class,
    /// The session description, when it carries one.
    pub sdp: Option<SdpSummary>,
    /// What else it is about, in a word or two.
    pub payload: Option<String>,
    /// What is to be said of it.
    pub marks: Vec<Mark>,
}

/// Classes of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A request.
    Request,
    /// 1xx.
    Provisional,
    /// 2xx.
    Success,
    /// 3xx.
    Redirect,
    /// 4xx to 6xx.
    Failure,
}

/// What is to be said of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Sent again, captured twice, or the next hop; with the name of the earlier frame.
    Relation(Relation, String),
    /// Not all of it was captured: `truncated`, `gap`, `desync`.
    Incomplete(&'static str),
    /// A finding points at it.
    Finding(FindingMark),
}

/// A finding at a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FindingMark {
    /// How bad.
    pub severity: Severity,
    /// Code of the rule.
    pub code: &'static str,
    /// Name of the rule.
    pub name: &'static str,
    /// What happened.
    pub title: String,
}

impl Ladder {
    /// The ladder of `flows` of `subject`, in order of time.
    pub fn of(subject: &Subject<'_>, flows: &[FlowId], options: &LadderOptions) -> Self {
        rows::build(subject, flows, options)
    }
}

impl Row {
    /// The two lanes it connects.
    pub fn lanes(&self) -> Option<(usize, usize)> {
        match &self.event {
            Event::Message(arrow) => Some((arrow.from, arrow.to)),
            Event::Evidence { from, to, .. } => Some((*from, *to)),
            Event::Remark(_) => None,
        }
    }

    /// Marks of its message.
    pub fn marks(&self) -> &[Mark] {
        match &self.event {
            Event::Message(arrow) => &arrow.marks,
            Event::Evidence { .. } | Event::Remark(_) => &[],
        }
    }
}

impl Arrow {
    /// What is written on it, without session description: `INVITE`, `200 OK (BYE)`.
    pub fn label(&self) -> String {
        match &self.tail {
            Some(tail) if self.class != Class::Request => format!("{} ({tail})", self.head),
            _ => self.head.clone(),
        }
    }

    /// True for a message that was sent again.
    pub fn is_again(&self) -> bool {
        self.marks.iter().any(|m| matches!(m, Mark::Relation(Relation::Retransmission(_), _)))
    }

    /// True for the next hop of a message drawn above.
    pub fn is_next_hop(&self) -> bool {
        self.marks.iter().any(|m| matches!(m, Mark::Relation(Relation::Forwarded(_), _)))
    }

    /// Its findings.
    pub fn findings(&self) -> impl Iterator<Item = &FindingMark> {
        self.marks.iter().filter_map(|mark| match mark {
            Mark::Finding(finding) => Some(finding),
            Mark::Relation(..) | Mark::Incomplete(_) => None,
        })
    }

    /// Its marks other than findings, in words: `again, see 12`.
    pub fn remarks(&self) -> Vec<String> {
        self.marks.iter().filter_map(Mark::words).collect()
    }
}

impl Mark {
    /// In words; `None` for findings and for the next hop, which the arrow itself shows.
    pub fn words(&self) -> Option<String> {
        match self {
            Self::Relation(Relation::Retransmission(_), frame) => Some(format!("again of {frame}")),
            Self::Relation(Relation::Duplicate(_), frame) => Some(format!("copy of {frame}")),
            Self::Incomplete(word) => Some((*word).to_owned()),
            Self::Relation(Relation::Forwarded(_), _) | Self::Finding(_) => None,
        }
    }
}
