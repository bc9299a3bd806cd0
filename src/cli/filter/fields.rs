//! The words of the filter language: its fields and operators, each with what it means.

use std::fmt::Write as _;

use crate::rules::selection::distance;

/// What may be asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// Method of a request; of the request a response answers.
    Method,
    /// Status code of a response.
    Status,
    /// The status a list shows: of the answer that counted, challenges passed over.
    FinalStatus,
    /// Reason phrase.
    Reason,
    /// Call-ID.
    CallId,
    /// Number of CSeq.
    CSeq,
    /// From as written.
    From,
    /// User part of From.
    FromUser,
    /// Tag of From.
    FromTag,
    /// To as written.
    To,
    /// User part of To.
    ToUser,
    /// Tag of To.
    ToTag,
    /// User part of From, To or Request-URI.
    User,
    /// Contact as written.
    Contact,
    /// Topmost Via as written.
    Via,
    /// Request-URI.
    RequestUri,
    /// User-Agent or Server.
    Agent,
    /// The whole text of the message.
    Text,
    /// Host that sent it.
    Source,
    /// Host that received it.
    Destination,
    /// Either host.
    Host,
    /// Port it was sent from.
    SourcePort,
    /// Port it was sent to.
    DestinationPort,
    /// Either port.
    Port,
    /// `udp`, `tcp` …
    Transport,
    /// Number of the frame.
    Frame,
    /// Where the call got to: `in-call`, `busy` …
    State,
    /// Seconds to the answer.
    Setup,
    /// Seconds answered.
    Duration,
    /// Messages of the call.
    Messages,
    /// Retransmissions in the call.
    Retransmissions,
    /// Code or name of a rule it breaks.
    Rule,
}

/// What the values of a field are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text, compared without regard to ASCII case.
    Text,
    /// A number.
    Number,
}

impl Kind {
    /// `text`, `number`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "number",
        }
    }
}

/// A field in words.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The field.
    pub field: Field,
    /// Our name, then tshark's where it has one.
    pub names: &'static [&'static str],
    /// What its values are.
    pub kind: Kind,
    /// What it holds.
    pub meaning: &'static str,
}

const fn text(field: Field, names: &'static [&'static str], meaning: &'static str) -> Entry {
    Entry { field, names, kind: Kind::Text, meaning }
}

const fn number(field: Field, names: &'static [&'static str], meaning: &'static str) -> Entry {
    Entry { field, names, kind: Kind::Number, meaning }
}

/// All fields, in the order in which they are told.
pub const FIELDS: &[Entry] = &[
    text(
        Field::Method,
        &["method", "sip.method", "cseq.method", "sip.cseq.method"],
        "method of a request, or of the request a response answers",
    ),
    number(Field::Status, &["status", "sip.status-code"], "status code of any response"),
    number(Field::FinalStatus, &["final_status"], "the status a list shows; calls only"),
    text(Field::Reason, &["reason", "sip.reason-phrase"], "reason phrase"),
    text(Field::CallId, &["call_id", "call-id", "sip.call-id"], "Call-ID"),
    number(Field::CSeq, &["cseq", "sip.cseq.seq"], "number of CSeq"),
    text(Field::From, &["from", "sip.from"], "From as written"),
    text(Field::FromUser, &["from.user", "sip.from.user"], "user part of From"),
    text(Field::FromTag, &["from.tag", "sip.from.tag"], "tag of From"),
    text(Field::To, &["to", "sip.to"], "To as written"),
    text(Field::ToUser, &["to.user", "sip.to.user"], "user part of To"),
    text(Field::ToTag, &["to.tag", "sip.to.tag"], "tag of To"),
    text(Field::User, &["user"], "user part of From, To or Request-URI"),
    text(Field::Contact, &["contact", "sip.contact"], "Contact as written"),
    text(Field::Via, &["via", "sip.via"], "topmost Via as written"),
    text(Field::RequestUri, &["request_uri", "r-uri", "sip.r-uri"], "Request-URI"),
    text(
        Field::Agent,
        &["user_agent", "user-agent", "sip.user-agent", "server", "sip.server"],
        "User-Agent or Server",
    ),
    text(Field::Text, &["text", "sip", "sip.msg_hdr"], "the whole message as it came"),
    text(Field::Source, &["src", "ip.src", "ipv6.src"], "host that sent it"),
    text(Field::Destination, &["dst", "ip.dst", "ipv6.dst"], "host that received it"),
    text(Field::Host, &["host", "ip.addr", "ipv6.addr"], "either host"),
    number(Field::SourcePort, &["sport", "udp.srcport", "tcp.srcport"], "port it was sent from"),
    number(Field::DestinationPort, &["dport", "udp.dstport", "tcp.dstport"], "port it was sent to"),
    number(Field::Port, &["port", "udp.port", "tcp.port"], "either port"),
    text(Field::Transport, &["transport"], "udp, tcp, tls, ws, wss, sctp"),
    number(Field::Frame, &["frame", "frame.number"], "number of the frame"),
    text(Field::State, &["state"], "where the call got to: completed, busy …; calls only"),
    number(Field::Setup, &["setup"], "seconds to the answer; calls only"),
    number(Field::Duration, &["duration"], "seconds answered; calls only"),
    number(Field::Messages, &["messages"], "messages of the call; calls only"),
    number(Field::Retransmissions, &["retransmissions"], "messages sent again; calls only"),
    text(Field::Rule, &["rule", "finding", "findings"], "code or name of a rule it breaks: T005"),
];

/// An operator in words: its signs, the words for it, what it does.
pub const OPERATORS: &[(&str, &str, &str)] = &[
    ("== !=", "eq ne", "equal or not: texts without regard to case, numbers"),
    ("< <= > >=", "lt le gt ge", "less, more: numbers"),
    ("contains", "~", "a part of a text"),
    ("in {486, 600..699}", "", "one of several, or of a range"),
    ("&& || !", "and or not", "conditions; parentheses group"),
];

impl Field {
    /// The field called `name`.
    pub(super) fn of(name: &str) -> Option<Self> {
        let is = |entry: &&Entry| entry.names.iter().any(|known| known.eq_ignore_ascii_case(name));
        FIELDS.iter().find(is).map(|entry| entry.field)
    }

    /// Our name for it.
    pub fn name(self) -> &'static str {
        let own = FIELDS.iter().find(|entry| entry.field == self);
        own.and_then(|entry| entry.names.first()).copied().unwrap_or_default()
    }

    /// The name of a field that looks most like `name`, unless none does.
    pub(super) fn nearest(name: &str) -> Option<&'static str> {
        let name = name.to_ascii_lowercase();
        let names = FIELDS.iter().flat_map(|entry| entry.names).copied();
        names
            .map(|known| (distance(&name, known), known))
            .filter(|(edits, known)| *edits * 3 <= known.len())
            .min_by_key(|(edits, _)| *edits)
            .map(|(_, known)| known)
    }

    /// True for what only a call has: no single message tells its state.
    pub const fn is_of_calls(self) -> bool {
        matches!(
            self,
            Self::FinalStatus
                | Self::State
                | Self::Setup
                | Self::Duration
                | Self::Messages
                | Self::Retransmissions
        )
    }

    pub(super) fn is_number(self) -> bool {
        FIELDS.iter().any(|entry| entry.field == self && entry.kind == Kind::Number)
    }
}

/// The filter language in plain lines, for the help and the manual.
pub fn help() -> String {
    let mut text = String::from(
        "Filters:\n  A field has all the values found in the messages of a call (of the one message for\n  \
         messages). A comparison holds when one of them satisfies it; != when none is equal.\n",
    );
    for (signs, words, meaning) in OPERATORS {
        let _ = writeln!(text, "    {signs:<20}{words:<13}{meaning}");
    }
    text.push_str("\n  Fields; the names of tshark are understood too:\n");
    for entry in FIELDS {
        let name = entry.names.first().copied().unwrap_or_default();
        let _ = writeln!(text, "    {name:<17}{:<8}{}", entry.kind.word(), entry.meaning);
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_means_two_fields() {
        let names = || FIELDS.iter().flat_map(|entry| entry.names);
        for name in names() {
            assert_eq!(names().filter(|other| *other == name).count(), 1, "{name}");
        }
    }

    #[test]
    fn what_only_calls_have_is_said() {
        for entry in FIELDS {
            let said = entry.meaning.ends_with("; calls only");
            assert_eq!(said, entry.field.is_of_calls(), "{:?}", entry.field);
        }
    }

    #[test]
    fn a_slip_of_the_finger_is_recognized() {
        assert_eq!(Field::nearest("statu"), Some("status"));
        assert_eq!(Field::nearest("calid"), Some("call_id"));
        assert_eq!(Field::nearest("sip.Methd"), Some("sip.method"));
        assert_eq!(Field::nearest("weather"), None);
    }
}
