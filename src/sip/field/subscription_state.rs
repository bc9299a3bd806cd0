//! Subscription-State (RFC 6665 section 8.2.3).

use memchr::memchr;

use super::params::Params;
use crate::sip::lex::leading_number;

/// How a subscription stands, as its notifier says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubscriptionState<'a> {
    /// `active`, `pending`, `terminated` or an extension, as written.
    pub state: &'a [u8],
    /// reason, expires, retry-after.
    pub params: Params<'a>,
}

impl<'a> SubscriptionState<'a> {
    /// Takes `text` apart; `None` when it names no state.
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        let (state, params) = text.split_at(memchr(b';', text).unwrap_or(text.len()));
        let state = state.trim_ascii();
        (!state.is_empty()).then_some(Self { state, params: Params(params) })
    }

    /// True when the subscription is over.
    pub fn is_terminated(&self) -> bool {
        self.state.eq_ignore_ascii_case(b"terminated")
    }

    /// Why it is over.
    pub fn reason(&self) -> Option<&'a [u8]> {
        self.params.value("reason")
    }

    /// Seconds until it lapses.
    pub fn expires(&self) -> Option<u64> {
        self.params.value("expires").and_then(leading_number)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn state_reason_and_life_are_read() {
        let active = SubscriptionState::parse(b"active ; expires = 3600").unwrap();
        assert_eq!((active.state, active.expires()), (&b"active"[..], Some(3600)));
        assert!(!active.is_terminated());
        let over = SubscriptionState::parse(b"Terminated;reason=noresource").unwrap();
        assert!(over.is_terminated());
        assert_eq!((over.reason(), over.expires()), (Some(&b"noresource"[..]), None));
        assert_eq!(SubscriptionState::parse(b";expires=1"), None);
    }
}
