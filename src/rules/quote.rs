//! The words findings are made of: senders, hops, octets a stranger sent.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::net::{Endpoint, IcmpKind};
use crate::sip::{HeaderName, Message, Span};
use crate::transport::Transport;

/// Octets of a quotation before it is cut.
const LONGEST: usize = 60;

/// Who sent a message, twice: to count by and to show.
pub(super) struct Sender {
    pub(super) key: String,
    pub(super) shown: String,
}

/// The sender of `message`: address and User-Agent or Server; to count by, also the sent-by of the
/// topmost Via, since many devices hide behind one address. `by_address` leaves all names out.
pub(super) fn sender(message: &Message, by_address: bool) -> Sender {
    let ip = message.envelope.from.ip;
    let product = if message.is_request() { HeaderName::UserAgent } else { HeaderName::Server };
    let shown = match message.value(product).or_else(|| message.value(HeaderName::UserAgent)) {
        Some(name) if !name.is_empty() => format!("{ip} ({})", text(name)),
        _ => ip.to_string(),
    };
    if by_address {
        return Sender { key: ip.to_string(), shown };
    }
    let sent_by = message.top_via().filter(|_| message.is_request());
    let key = match sent_by {
        Some(via) => format!("{shown} {}", text(via.host)),
        None => shown.clone(),
    };
    Sender { key, shown }
}

/// `192.0.2.1:5060 > 192.0.2.2:5060 udp`.
pub(super) fn hop(message: &Message) -> String {
    let envelope = &message.envelope;
    way(envelope.from, envelope.to, envelope.transport)
}

/// The same of a message that is not at hand.
pub(super) fn way(from: Endpoint, to: Endpoint, transport: Transport) -> String {
    format!("{from} > {to} {}", transport.word())
}

/// `INVITE` or `486`.
pub(super) fn what(message: &Message) -> Cow<'_, str> {
    match (message.method(), message.status()) {
        (Some(method), _) => text(method.as_str().as_bytes()),
        (None, Some(status)) => Cow::Owned(status.0.to_string()),
        (None, None) => Cow::Borrowed("?"),
    }
}

/// `486 INVITE` for a response, `INVITE` for a request: as in "in a 486 to INVITE".
pub(super) fn what_to(message: &Message) -> String {
    match (message.status(), message.cseq()) {
        (Some(status), Some(cseq)) if !cseq.method.is_empty() => {
            format!("{} to {}", status.0, text(cseq.method))
        }
        _ => what(message).into_owned(),
    }
}

/// The place of the first field `name`, name and value.
pub(super) fn field(message: &Message, name: HeaderName) -> Option<Span> {
    let field = message.fields().iter().find(|field| field.name == name)?;
    Some(Span { start: message.name_span(*field).start, end: field.value().end })
}

/// What an ICMP error says.
pub(super) const fn icmp(kind: IcmpKind) -> &'static str {
    match kind {
        IcmpKind::PortUnreachable => "ICMP port unreachable",
        IcmpKind::HostUnreachable => "ICMP host unreachable",
        IcmpKind::NetUnreachable => "ICMP network unreachable",
        IcmpKind::Prohibited => "ICMP prohibited by a filter",
        IcmpKind::FragmentationNeeded => "ICMP packet too big",
        IcmpKind::TimeExceeded => "ICMP time exceeded",
        IcmpKind::Other => "ICMP error",
    }
}

/// True for characters that are not shown as they are: controls, and those Unicode calls
/// format characters that reorder (bidi), join or hide text.
pub fn is_treacherous(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{e0fff}')
}

/// `octets` for one line: what is not printable is escaped, what is long is cut.
pub(super) fn text(octets: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(octets) {
        Ok(plain) if octets.len() <= LONGEST && !plain.chars().any(is_treacherous) => {
            Cow::Borrowed(plain)
        }
        _ => Cow::Owned(escape(octets)),
    }
}

fn escape(octets: &[u8]) -> String {
    let mut out = String::new();
    for chunk in octets.utf8_chunks() {
        for character in chunk.valid().chars() {
            if out.len() >= LONGEST {
                return out + "…";
            }
            match character {
                '\r' => out.push_str("\\r"),
                '\n' => out.push_str("\\n"),
                '\t' => out.push_str("\\t"),
                c if c.is_ascii_control() => {
                    let _ = write!(out, "\\x{:02x}", u32::from(c));
                }
                c if is_treacherous(c) => out.extend(c.escape_unicode()),
                c => out.push(c),
            }
        }
        for octet in chunk.invalid() {
            let _ = write!(out, "\\x{octet:02x}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stranger_sent_stays_on_one_line() {
        assert_eq!(text(b"a\r\nb\x07\xff"), "a\\r\\nb\\x07\\xff");
        assert_eq!(text("你好".as_bytes()), "你好");
        assert_eq!(
            text("a\u{202e}b\u{9b}".as_bytes()),
            "a\\u{202e}b\\u{9b}",
            "nor turns it around"
        );
        assert_eq!(text(&[b'x'; 200]).chars().count(), LONGEST + 1);
    }
}
