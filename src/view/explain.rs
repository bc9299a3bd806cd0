//! Headers that matter, in words: what `messages -vv` adds below them.

use super::clock::span;
use super::ladder::SdpSummary;
use super::visible::visible;
use crate::sip::{Auth, HeaderName, Message, Method, NameAddr, Via};
use crate::time::SECOND;

/// What the field at place `field` of `message` says; `None` where it needs no words.
pub fn explain(message: &Message, field: usize) -> Option<String> {
    let field = message.fields().get(field)?;
    match field.name {
        HeaderName::Via => {
            let before = message.fields().iter().take_while(|other| *other != field);
            let hop = before.filter(|other| other.name == HeaderName::Via).count();
            via(message, hop)
        }
        HeaderName::From => Some(party("sender of the request", message.from()?)),
        HeaderName::To => Some(match message.to()?.tag() {
            Some(_) => party("addressed to", message.to()?),
            None => format!("{}; no tag: outside a dialog", party("addressed to", message.to()?)),
        }),
        HeaderName::CSeq => {
            let cseq = message.cseq()?;
            Some(format!("request number {} of this sender in the dialog", cseq.number))
        }
        HeaderName::MaxForwards => {
            let hops = message.number(field.name)?;
            Some(if hops == 0 {
                "the next proxy must answer 483 Too Many Hops".to_owned()
            } else {
                format!("may pass {hops} more proxies")
            })
        }
        HeaderName::Expires => lifetime(message),
        HeaderName::MinExpires => seconds(message, field.name, "shortest lifetime allowed"),
        HeaderName::SessionExpires => {
            seconds(message, field.name, "the session ends unless refreshed within")
        }
        HeaderName::RetryAfter => seconds(message, field.name, "to be tried again after"),
        HeaderName::Authorization | HeaderName::ProxyAuthorization => {
            credentials(&message.auths(field.name).next()?)
        }
        HeaderName::WwwAuthenticate | HeaderName::ProxyAuthenticate => {
            challenge(&message.auths(field.name).next()?)
        }
        HeaderName::RecordRoute => {
            Some("this proxy stays on the path of later requests of the dialog".to_owned())
        }
        HeaderName::Route => Some("the request goes by way of this proxy".to_owned()),
        HeaderName::Contact => Some(contact_words(message)),
        HeaderName::ContentType => {
            SdpSummary::of(message).map(|sdp| format!("session description: {}", sdp.full))
        }
        HeaderName::ReferTo => Some("the receiver is asked to send a request there".to_owned()),
        HeaderName::Replaces => Some("takes the place of the dialog it names".to_owned()),
        _ => None,
    }
}

fn via(message: &Message, hop: usize) -> Option<String> {
    let via = message.vias().nth(hop)?;
    let port = via.port.map(|port| format!(":{port}")).unwrap_or_default();
    let host = format!("{}{port} over {}", visible(via.host), visible(via.transport));
    let whose = match (message.is_request(), hop) {
        (true, 0) => "sent by",
        (true, _) => "before that sent by",
        (false, 0) => "goes back to",
        (false, _) => "then on to",
    };
    Some(format!("{whose} {host}{}", received(via)))
}

fn received(via: Via<'_>) -> String {
    match (via.params.value("received"), via.params.value("rport")) {
        (Some(address), Some(port)) => {
            format!(", seen as {}:{}", visible(address), visible(port))
        }
        (Some(address), None) => format!(", seen as {}", visible(address)),
        (None, Some(port)) => format!(", seen from port {}", visible(port)),
        (None, None) => String::new(),
    }
}

fn party(role: &str, address: NameAddr<'_>) -> String {
    match address.tag() {
        Some(tag) => format!("{role}, tag {}", visible(tag)),
        None => role.to_owned(),
    }
}

fn lifetime(message: &Message) -> Option<String> {
    let seconds = message.number(HeaderName::Expires)?;
    let long = span(i64::try_from(seconds).ok()?.saturating_mul(SECOND));
    let method = message.cseq().map(|cseq| Method::of(cseq.method));
    Some(match (method, message.is_request(), seconds) {
        (Some(Method::Register), true, 0) => "asks to remove the registration".to_owned(),
        (Some(Method::Subscribe), true, 0) => "ends the subscription".to_owned(),
        (_, true, _) => format!("asked for: {long}"),
        (_, false, _) => format!("granted: {long}"),
    })
}

fn seconds(message: &Message, name: HeaderName, words: &str) -> Option<String> {
    let seconds = i64::try_from(message.number(name)?).ok()?;
    Some(format!("{words} {}", span(seconds.saturating_mul(SECOND))))
}

fn credentials(auth: &Auth<'_>) -> Option<String> {
    let user = auth.get("username")?;
    let realm = auth.get("realm").unwrap_or_default();
    let algorithm = auth.get("algorithm").unwrap_or(b"MD5");
    let (user, realm, algorithm) = (visible(user), visible(realm), visible(algorithm));
    Some(format!("answers the challenge of {realm} as {user}, {algorithm}; response masked"))
}

fn challenge(auth: &Auth<'_>) -> Option<String> {
    let realm = visible(auth.get("realm")?);
    let stale = auth.get("stale").is_some_and(|stale| stale.eq_ignore_ascii_case(b"true"));
    Some(if stale {
        format!("asks again for {realm}: only the nonce is too old")
    } else {
        format!("asks for credentials for {realm}")
    })
}

fn contact_words(message: &Message) -> String {
    match message.cseq().map(|cseq| Method::of(cseq.method)) {
        Some(Method::Register) if message.is_request() => "binds this address".to_owned(),
        Some(Method::Register) => "bound by the registrar".to_owned(),
        _ if message.status().is_some_and(|status| status.0 / 100 == 3) => {
            "to be tried instead".to_owned()
        }
        _ => "later requests of the dialog go here".to_owned(),
    }
}
