//! What a message is about beside its session description, in a word or two.

use crate::sip::{HeaderName, Message, Method};
use crate::view::visible::visible;

/// The target of a REFER, the lifetime a REGISTER or SUBSCRIBE asks for, the status a NOTIFY
/// reports (RFC 3515), the command of a GB/T 28181 body.
pub(super) fn payload(message: &Message) -> Option<String> {
    match message.method() {
        Some(Method::Refer) => {
            let target = crate::sip::NameAddr::parse(message.value(HeaderName::ReferTo)?)?;
            Some(format!("to {}", visible(target.uri)))
        }
        Some(Method::Register | Method::Subscribe) => lifetime(message),
        Some(_) => sipfrag(message).or_else(|| command(message)),
        None => None,
    }
}

fn lifetime(message: &Message) -> Option<String> {
    let contact = message.contacts().find_map(|contact| match contact {
        crate::sip::Contact::Address(address) => address.params.value("expires"),
        crate::sip::Contact::Star => None,
    });
    let own = contact.and_then(|text| std::str::from_utf8(text).ok()?.trim().parse().ok());
    match own.or_else(|| message.number(HeaderName::Expires))? {
        0 => Some("expires 0: ends".to_owned()),
        seconds => Some(format!("expires {seconds} s")),
    }
}

/// The first line of a `message/sipfrag` body without the version.
fn sipfrag(message: &Message) -> Option<String> {
    let kind = message.value(HeaderName::ContentType)?;
    let is_fragment = kind.get(..15).is_some_and(|k| k.eq_ignore_ascii_case(b"message/sipfrag"));
    let line = message.body().split(|byte| matches!(byte, b'\r' | b'\n')).next()?;
    let line = line.strip_prefix(b"SIP/2.0 ").unwrap_or(line);
    (is_fragment && !line.is_empty()).then(|| visible(line))
}

/// `Keepalive`, `Catalog` … of a GB/T 28181 body (section 9, MANSCDP).
fn command(message: &Message) -> Option<String> {
    let body = message.body();
    let at = memchr::memmem::find(body, b"<CmdType>")? + b"<CmdType>".len();
    let rest = body.get(at..)?;
    let word = rest.get(..memchr::memchr(b'<', rest)?.min(32))?;
    Some(visible(word.trim_ascii()))
}
