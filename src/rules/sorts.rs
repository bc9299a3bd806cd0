//! The sorts of messages: a check names those it speaks of, and is not called for others.

use super::batch::MOST;
use crate::sip::{Message, Method, StartLine};

/// Some sorts of messages, by what they begin with and by what else is to be seen at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sorts(u16);

impl Sorts {
    /// INVITE.
    pub const INVITE: Self = Self(1);
    /// ACK.
    pub const ACK: Self = Self(1 << 1);
    /// Requests that have a sense within a dialog only: BYE, PRACK, UPDATE, INFO.
    pub const WITHIN_DIALOG: Self = Self(1 << 2);
    /// Requests other than INVITE that make a dialog: SUBSCRIBE, REFER.
    pub const MAKES_DIALOG: Self = Self(1 << 3);
    /// REGISTER.
    pub const REGISTER: Self = Self(1 << 4);
    /// All other requests.
    pub const OTHER_REQUEST: Self = Self(1 << 5);
    /// 1xx.
    pub const PROVISIONAL: Self = Self(1 << 6);
    /// 2xx.
    pub const SUCCESS: Self = Self(1 << 7);
    /// 401 and 407.
    pub const CHALLENGE: Self = Self(1 << 8);
    /// All other responses.
    pub const OTHER_RESPONSE: Self = Self(1 << 9);
    /// What has a body.
    pub const WITH_BODY: Self = Self(1 << 10);
    /// What came over a stream.
    pub const STREAMED: Self = Self(1 << 11);
    /// What came in more than one IP packet.
    pub const FRAGMENTED: Self = Self(1 << 12);

    /// Every request.
    pub const REQUESTS: Self = Self::INVITE
        .or(Self::ACK)
        .or(Self::WITHIN_DIALOG)
        .or(Self::MAKES_DIALOG)
        .or(Self::REGISTER)
        .or(Self::OTHER_REQUEST);
    /// Every response.
    pub const RESPONSES: Self =
        Self::PROVISIONAL.or(Self::SUCCESS).or(Self::CHALLENGE).or(Self::OTHER_RESPONSE);
    /// Every message.
    pub const ALL: Self = Self::REQUESTS.or(Self::RESPONSES);

    /// Every sort, for what all checks are to be called for.
    pub(super) const EVERY: Self = Self((1 << Self::COUNT) - 1);

    const COUNT: usize = 13;

    /// These and `others`.
    #[must_use]
    pub const fn or(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// True when a message of sorts `self` is of one of `wanted`.
    pub const fn meet(self, wanted: Self) -> bool {
        self.0 & wanted.0 != 0
    }

    /// The sorts that `message` is of.
    pub fn of(message: &Message) -> Self {
        let begin = match &message.start {
            StartLine::Request(method) => Self::of_request(method),
            StartLine::Response(status) => match status.0 {
                100..=199 => Self::PROVISIONAL,
                200..=299 => Self::SUCCESS,
                401 | 407 => Self::CHALLENGE,
                _ => Self::OTHER_RESPONSE,
            },
        };
        let body = message.body_span();
        let also = [
            (body.start < body.end, Self::WITH_BODY),
            (message.envelope.transport.is_stream(), Self::STREAMED),
            (1 < message.envelope.fragments, Self::FRAGMENTED),
        ];
        also.into_iter().fold(begin, |all, (is, sort)| if is { all.or(sort) } else { all })
    }

    const fn of_request(method: &Method) -> Self {
        match method {
            Method::Invite => Self::INVITE,
            Method::Ack => Self::ACK,
            Method::Bye | Method::Prack | Method::Update | Method::Info => Self::WITHIN_DIALOG,
            Method::Subscribe | Method::Refer => Self::MAKES_DIALOG,
            Method::Register => Self::REGISTER,
            _ => Self::OTHER_REQUEST,
        }
    }

    fn bits(self) -> impl Iterator<Item = usize> {
        ones(self.0.into())
    }
}

/// Where in a list the messages of each sort stand.
#[derive(Default)]
pub(super) struct Sorted([u64; Sorts::COUNT]);

const _: () = assert!(MOST <= u64::BITS as usize, "each message has a bit");

impl Sorted {
    /// Those of some messages, at most [`MOST`], by the sorts of each.
    pub(super) fn of(messages: impl Iterator<Item = Sorts>) -> Self {
        let mut sorted = Self::default();
        for (at, sorts) in messages.enumerate() {
            for bit in sorts.bits() {
                sorted.0[bit] |= 1 << at;
            }
        }
        sorted
    }

    /// The places of the messages of `wanted` sorts, in order.
    pub(super) fn places(&self, wanted: Sorts) -> impl Iterator<Item = usize> {
        ones(wanted.bits().fold(0, |all, bit| all | self.0[bit]))
    }
}

/// The numbers of the bits that are set, lowest first.
fn ones(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let lowest = (bits != 0).then(|| bits.trailing_zeros() as usize);
        bits &= bits.wrapping_sub(1);
        lowest
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_all_wanted_sorts_in_order() {
        let list = [
            Sorts::INVITE.or(Sorts::WITH_BODY),
            Sorts::SUCCESS,
            Sorts::ALL,
            Sorts::ACK.or(Sorts::STREAMED),
        ];
        let sorted = Sorted::of(list.into_iter());
        let places = |wanted| sorted.places(wanted).collect::<Vec<_>>();
        assert_eq!(places(Sorts::ALL), [0, 1, 2, 3]);
        assert_eq!(places(Sorts::REQUESTS), [0, 2, 3]);
        assert_eq!(places(Sorts::RESPONSES), [1, 2]);
        assert_eq!(places(Sorts::WITH_BODY.or(Sorts::STREAMED)), [0, 3]);
        assert_eq!(places(Sorts::FRAGMENTED), [0; 0]);
        for (one, at) in list.iter().zip(0..) {
            let wanted = Sorts::RESPONSES.or(Sorts::WITH_BODY);
            assert_eq!(one.meet(wanted), places(wanted).contains(&at));
        }
        let full = Sorted::of((0..MOST).map(|_| Sorts::WITHIN_DIALOG));
        assert_eq!(full.places(Sorts::REQUESTS).count(), MOST);
    }
}
