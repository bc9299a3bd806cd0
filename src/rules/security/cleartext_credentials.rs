//! X006: a secret anyone on the path can read.

use memchr::memchr3_iter;

use crate::rules::words::begins_with;
use crate::rules::{Breach, Check, Found, Group, Rule, Severity, Sorts, Tier, Verdict, quote};
use crate::sip::{Field, HeaderName, HeaderSet, Message, Method, Uri};
use crate::transport::{Transport, scan};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "X006",
    name: "cleartext-credentials",
    aliases: &[],
    statement: "A password or equivalent secret is readable in the signalling.",
    tier: Tier::Core,
    severity: Severity::Error,
    refs: &[
        "RFC 3261 section 22.1",
        "RFC 3261 section 22.4",
        "RFC 3261 section 19.1.1",
        "RFC 3261 section 26.1",
        "RFC 8760 section 2.6",
    ],
    kinds: &[
        ("basic", Severity::Error),
        ("uri-password", Severity::Warning),
        ("message-body", Severity::Warning),
    ],
    pedantic: &[],
    group: Group::Sender,
    page: include_str!("cleartext_credentials.md"),
    checks: &[Check::Message(Sorts::ALL, check)],
};

const AUTHENTICATION: [HeaderName; 4] = [
    HeaderName::Authorization,
    HeaderName::ProxyAuthorization,
    HeaderName::WwwAuthenticate,
    HeaderName::ProxyAuthenticate,
];

/// Who asks whom.
const ADDRESSES: [HeaderName; 2] = [HeaderName::From, HeaderName::To];

/// The others whose values may be or hold a secret.
const TELLING: HeaderSet = {
    let mut set = HeaderSet::of(&AUTHENTICATION);
    set.insert(HeaderName::Contact);
    set
};

/// Keys before secrets in bodies, in lower case.
const KEYS: &[&str] = &["password", "passwd", "passcode", "pwd", "密码"];
/// What they begin with, in any case.
const FIRST: [u8; 3] = [b'p', b'P', "密".as_bytes()[0]];

fn check(message: &Message, found: &mut Found<'_>) -> Verdict {
    if may_tell(message) {
        judge_header(message, found);
    }
    let me = found.subject;
    if message.is_request()
        && matches!(message.method(), Some(Method::Message | Method::Info))
        && let Some(key) = password_in_body(message.body())
    {
        found.add_kind("message-body", || {
            let title = format!("Password in the body of {}", quote::what_to(message));
            Breach::new(title).at(me, message.span_of(key), "the word before it")
        });
    }
    Verdict::Judged
}

/// Whether some value of the header may be or hold a secret: then they are taken apart.
fn may_tell(message: &Message) -> bool {
    if message.request_uri().is_some_and(may_hold_password) {
        return true;
    }
    let mut telling = TELLING;
    if message.is_request() {
        // Responses repeat them. Of several From only the first is read, here and below.
        let open = ADDRESSES.into_iter().filter(|name| !message.is_plain(*name));
        open.for_each(|name| telling.insert(name));
    }
    let tells = |field: &Field| {
        let value = message.at(field.value());
        if AUTHENTICATION.contains(&field.name) {
            may_name_basic(value)
        } else {
            may_hold_password(value)
        }
    };
    message.names().holds_any(telling)
        && message.fields().iter().filter(|field| telling.holds(field.name)).any(tells)
}

fn judge_header(message: &Message, found: &mut Found<'_>) {
    let me = found.subject;
    for name in AUTHENTICATION {
        let mut schemes = message.auths(name).map(|auth| auth.scheme);
        let Some(scheme) = schemes.find(|scheme| scheme.eq_ignore_ascii_case(b"Basic")) else {
            continue;
        };
        found.add_kind("basic", || {
            let title = format!("Basic authentication in {}", quote::what_to(message));
            let note = "the scheme sends the password itself";
            let breach = Breach::new(title).at(me, message.span_of(scheme), note);
            let is_sealed = matches!(message.envelope.transport, Transport::Tls | Transport::Wss);
            if is_sealed { breach.at_most(Severity::Warning) } else { breach }
        });
    }
    if let Some((header, user)) = password_in_uri(message) {
        found.add_kind("uri-password", || {
            let title = format!("Password in the {header} of {}", quote::what_to(message));
            Breach::new(title).at(me, message.span_of(user), "user:password@host")
        });
    }
}

/// Whether the word begins the value, or its end stands before white space: so does every other
/// scheme.
fn may_name_basic(value: &[u8]) -> bool {
    let begins = value.trim_ascii_start().get(..5);
    begins.is_some_and(|word| word.eq_ignore_ascii_case(b"basic"))
        || scan::may_have_pair(value, [*b"c ", *b"c\t", *b"c\r", *b"c\n"])
}

/// The first URI of the message with a password: the header and the user part.
fn password_in_uri(message: &Message) -> Option<(&'static str, &[u8])> {
    let user_of = |uri: &'static str, text| {
        let uri_parts = Uri::parse(text)?;
        uri_parts.password.filter(|password| !password.is_empty())?;
        Some((uri, uri_parts.user?))
    };
    let asked = message.is_request().then_some(message);
    message
        .request_uri()
        .and_then(|uri| user_of("Request-URI", uri))
        .or_else(|| user_of("From", asked?.from()?.uri))
        .or_else(|| user_of("To", asked?.to()?.uri))
        .or_else(|| {
            message.contacts().find_map(|contact| match contact {
                crate::sip::Contact::Address(address) => user_of("Contact", address.uri),
                crate::sip::Contact::Star => None,
            })
        })
}

/// True when two colons, that of the scheme and that of the password, stand before an `@`.
fn may_hold_password(text: &[u8]) -> bool {
    behind(text, b':')
        .and_then(|rest| behind(rest, b':'))
        .is_some_and(|rest| scan::find(rest, b'@').is_some())
}

/// What follows the first `octet`.
#[inline]
fn behind(text: &[u8], octet: u8) -> Option<&[u8]> {
    scan::find(text, octet).map(|at| &text[at + 1..])
}

/// True when any of the keys stands in `body`, in any case.
fn names_key(body: &[u8]) -> bool {
    let [small, large, other] = FIRST;
    memchr3_iter(small, large, other, body)
        .any(|at| KEYS.iter().any(|key| begins_with(&body[at..], key)))
}

/// The key before a secret of four octets or more: `password=…`, `"pwd": "…"`, `<Password>…<`.
fn password_in_body(body: &[u8]) -> Option<&[u8]> {
    if !names_key(body) {
        return None;
    }
    KEYS.iter().map(|key| key.as_bytes()).find_map(|key| {
        let at = body.windows(key.len()).position(|part| part.eq_ignore_ascii_case(key))?;
        let rest = body.get(at + key.len()..)?;
        let separators = rest.iter().take_while(|octet| b"=:>\"' ".contains(octet)).count();
        let (between, value) = rest.split_at_checked(separators)?;
        let has_sign = between.iter().any(|octet| b"=:>".contains(octet));
        let ends = |octet: &u8| octet.is_ascii_whitespace() || b"<>&;,\"'".contains(octet);
        let length = value.iter().take_while(|octet| !ends(octet)).count();
        (has_sign && 4 <= length).then(|| body.get(at..at + key.len())).flatten()
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::sip::Auth;

    proptest! {
        #[test]
        fn no_scheme_is_passed_over(
            parts in proptest::collection::vec(
                select(vec!["Basic", "bAsIc ", "Digest ", "a=", "\"", ",", ", ", "\r\n ", "\t", "x", "="]),
                0..10,
            ),
        ) {
            let value = parts.concat();
            let mut schemes = Auth::all(value.as_bytes()).map(|auth| auth.scheme);
            if schemes.any(|scheme| scheme.eq_ignore_ascii_case(b"basic")) {
                prop_assert!(may_name_basic(value.as_bytes()), "{value:?}");
            }
        }

        #[test]
        fn no_password_is_passed_over(text in "[:@a;<>]{0,12}") {
            let has_password = Uri::parse(text.as_bytes()).is_some_and(|uri| uri.password.is_some());
            prop_assert!(!has_password || may_hold_password(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn no_key_is_passed_over() {
        for key in KEYS {
            for key in [key.to_lowercase(), key.to_uppercase()] {
                assert!(names_key(format!("p{key}").as_bytes()), "{key}");
            }
            assert!(!names_key(&key.as_bytes()[1..]));
        }
    }

    #[test]
    fn what_is_no_password_is_not_taken_for_one() {
        assert!(!may_name_basic(b"Digest realm=\"basic\", nonce=\"basic\""));
        assert!(!may_hold_password(b"sip:alice@192.0.2.1:5060"));
        assert!(may_hold_password(b"<sip:alice:secret@192.0.2.1>"));
    }
}
