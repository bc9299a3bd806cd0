//! Names of header fields: long, compact, any case.

use super::lex::scan;

/// Declares the names once: variant, usual long form.
macro_rules! names {
    ($($variant:ident $text:literal,)*) => {
        /// A header field name the analyzer knows, or `Other`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        #[allow(missing_docs)]
        pub enum HeaderName {
            $($variant,)*
            Other,
        }

        impl HeaderName {
            /// All of them but `Other`.
            pub(super) const KNOWN: &[Self] = &[$(Self::$variant,)*];
        }

        /// Every known name with its usual long form, in the order of the variants.
        const NAMES: &[(HeaderName, &str)] = &[$((HeaderName::$variant, $text),)*];
    };
}

// Those beyond the first 63 share a bit of a `HeaderSet`: rare ones stand last.
names! {
    Via "Via",
    From "From",
    To "To",
    CallId "Call-ID",
    CSeq "CSeq",
    MaxForwards "Max-Forwards",
    Contact "Contact",
    ContentLength "Content-Length",
    ContentType "Content-Type",
    ContentEncoding "Content-Encoding",
    Expires "Expires",
    MinExpires "Min-Expires",
    Route "Route",
    RecordRoute "Record-Route",
    Path "Path",
    ServiceRoute "Service-Route",
    Authorization "Authorization",
    ProxyAuthorization "Proxy-Authorization",
    WwwAuthenticate "WWW-Authenticate",
    ProxyAuthenticate "Proxy-Authenticate",
    AuthenticationInfo "Authentication-Info",
    Allow "Allow",
    Supported "Supported",
    Require "Require",
    ProxyRequire "Proxy-Require",
    Unsupported "Unsupported",
    Accept "Accept",
    UserAgent "User-Agent",
    Server "Server",
    Subject "Subject",
    Date "Date",
    Event "Event",
    SubscriptionState "Subscription-State",
    AllowEvents "Allow-Events",
    ReferTo "Refer-To",
    ReferredBy "Referred-By",
    Replaces "Replaces",
    RSeq "RSeq",
    RAck "RAck",
    Reason "Reason",
    RetryAfter "Retry-After",
    Warning "Warning",
    SessionExpires "Session-Expires",
    MinSe "Min-SE",
    SessionId "Session-ID",
    PAssertedIdentity "P-Asserted-Identity",
    PPreferredIdentity "P-Preferred-Identity",
    PChargingVector "P-Charging-Vector",
    Diversion "Diversion",
    HistoryInfo "History-Info",
    Privacy "Privacy",
    Identity "Identity",
    SipEtag "SIP-ETag",
    SipIfMatch "SIP-If-Match",
    SecurityClient "Security-Client",
    SecurityServer "Security-Server",
    SecurityVerify "Security-Verify",
    MimeVersion "MIME-Version",
    ContentDisposition "Content-Disposition",
    Timestamp "Timestamp",
    Organization "Organization",
    AlertInfo "Alert-Info",
    CallInfo "Call-Info",
    InReplyTo "In-Reply-To",
    Priority "Priority",
    ReplyTo "Reply-To",
    ErrorInfo "Error-Info",
    XGbVer "X-GB-Ver",
    AcceptContact "Accept-Contact",
    RejectContact "Reject-Contact",
    RequestDisposition "Request-Disposition",
    IdentityInfo "Identity-Info",
}

impl HeaderName {
    /// The name written as `name`, compact forms included, any case.
    pub fn of(name: &[u8]) -> Self {
        if let [letter] = name {
            return Self::compact(letter.to_ascii_lowercase());
        }
        let start = start(name);
        let mut at = slot(start);
        while TABLE[at] != Self::Other {
            let known = TABLE[at];
            if STARTS[known as usize] == start && known.is_written(name) {
                return known;
            }
            at = (at + 1) % SLOTS;
        }
        Self::Other
    }

    /// The name that a header line begins with, and its length. `line` are the first octets of one
    /// without control octets; `None` when white space is before its colon, or the colon is not
    /// among them.
    #[inline]
    pub(super) fn leading(line: &[u8; START]) -> Option<(Self, usize)> {
        let len = scan::find(line, b':')?;
        let start = (u128::from_le_bytes(*line) | in_each(CASE)) & KEEP[len];
        let mut at = slot(start);
        while TABLE[at] != Self::Other {
            // No name without control octets has the start of another.
            if STARTS[TABLE[at] as usize] == start {
                return Some((TABLE[at], len));
            }
            at = (at + 1) % SLOTS;
        }
        match line.get(..len)? {
            name if name.contains(&b' ') => None,
            [letter] => Some((Self::compact(letter.to_ascii_lowercase()), len)),
            _ => Some((Self::Other, len)),
        }
    }

    /// True when `name` is the long form in any case.
    fn is_written(self, name: &[u8]) -> bool {
        self.as_str().as_bytes().eq_ignore_ascii_case(name)
    }

    /// The usual long form; empty for `Other`.
    pub fn as_str(self) -> &'static str {
        NAMES.get(self as usize).map_or("", |(_, text)| text)
    }

    /// The compact forms that IANA lists.
    const fn compact(letter: u8) -> Self {
        match letter {
            b'a' => Self::AcceptContact,
            b'b' => Self::ReferredBy,
            b'c' => Self::ContentType,
            b'd' => Self::RequestDisposition,
            b'e' => Self::ContentEncoding,
            b'f' => Self::From,
            b'i' => Self::CallId,
            b'j' => Self::RejectContact,
            b'k' => Self::Supported,
            b'l' => Self::ContentLength,
            b'm' => Self::Contact,
            b'n' => Self::IdentityInfo,
            b'o' => Self::Event,
            b'r' => Self::ReferTo,
            b's' => Self::Subject,
            b't' => Self::To,
            b'u' => Self::AllowEvents,
            b'v' => Self::Via,
            b'x' => Self::SessionExpires,
            b'y' => Self::Identity,
            _ => Self::Other,
        }
    }
}

/// Which names stand in a head, one bit each; names beyond the first 63 share one, so that such a set
/// may hold one of these that is not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeaderSet(u64);

impl HeaderSet {
    /// Whether a set tells `name` from all others.
    pub const fn tells(name: HeaderName) -> bool {
        (name as u32) < u64::BITS - 1
    }

    /// The set of `names`.
    pub const fn of(names: &[HeaderName]) -> Self {
        let mut set = Self(0);
        let mut at = 0;
        while at < names.len() {
            set.insert(names[at]);
            at += 1;
        }
        set
    }

    /// Adds `name`.
    #[inline]
    pub const fn insert(&mut self, name: HeaderName) {
        self.0 |= bit(name);
    }

    /// Takes `name` out, all of the rare ones with one of them; true when it was held.
    #[inline]
    pub const fn take(&mut self, name: HeaderName) -> bool {
        let was_there = self.holds(name);
        self.0 &= !bit(name);
        was_there
    }

    /// True when `name` is among them; of the rare ones when any of them is.
    #[inline]
    pub const fn holds(self, name: HeaderName) -> bool {
        self.0 & bit(name) != 0
    }

    /// True when any of `others` is among them.
    #[inline]
    pub const fn holds_any(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }

    /// True when all of `others` are among them.
    #[inline]
    pub const fn holds_all(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }
}

/// The bit of `name` in a set.
const fn bit(name: HeaderName) -> u64 {
    1 << if HeaderSet::tells(name) { name as u32 } else { u64::BITS - 1 }
}

const SLOTS: usize = 256;

/// Open addressing over the long forms, laid out at compile time; `Other` where there is none.
const TABLE: [HeaderName; SLOTS] = {
    let mut table = [HeaderName::Other; SLOTS];
    let mut index = 0;
    while index < NAMES.len() {
        let mut at = slot(STARTS[index]);
        while table[at] as usize != HeaderName::Other as usize {
            at = (at + 1) % SLOTS;
        }
        table[at] = NAMES[index].0;
        index += 1;
    }
    table
};

/// Octets of the start of a name, by which it is looked for.
const START: usize = 16;

/// The starts of the long forms, and that of no name for `Other`.
const STARTS: [u128; NAMES.len() + 1] = {
    let mut all = [0; NAMES.len() + 1];
    let mut index = 0;
    while index < NAMES.len() {
        all[index] = start(NAMES[index].1.as_bytes());
        index += 1;
    }
    all
};

/// The bit in which the cases of a letter differ. The hyphen has it too.
const CASE: u8 = 0x20;

/// For each length what keeps so many first octets.
const KEEP: [u128; START] = {
    let mut all = [0; START];
    let mut len = 0;
    while len < START {
        all[len] = !(u128::MAX << (8 * len));
        len += 1;
    }
    all
};

const fn in_each(octet: u8) -> u128 {
    u128::from_le_bytes([octet; START])
}

/// The first octets of `name` with their case evened out, zeros behind the last.
const fn start(name: &[u8]) -> u128 {
    if let Some(first) = name.first_chunk() {
        return u128::from_le_bytes(*first) | in_each(CASE);
    }
    let mut octets = [0; START];
    let mut at = 0;
    while at < name.len() {
        octets[at] = name[at] | CASE;
        at += 1;
    }
    u128::from_le_bytes(octets)
}

/// Where the search for a name with this start begins. The factor gives every name a slot of its
/// own.
const fn slot(start: u128) -> usize {
    const FACTOR: u64 = 0x013f_14a8_a085_c34f;
    let folded = start as u64 ^ (start >> 64) as u64;
    (folded.wrapping_mul(FACTOR) >> (u64::BITS - SLOTS.ilog2())) as usize
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    #[test]
    fn every_name_is_known_in_any_case() {
        for &(name, text) in NAMES {
            assert_eq!(HeaderName::of(text.as_bytes()), name, "{text}");
            assert_eq!(HeaderName::of(text.to_lowercase().as_bytes()), name, "{text}");
            assert_eq!(HeaderName::of(text.to_uppercase().as_bytes()), name, "{text}");
            assert_eq!(name.as_str(), text);
        }
        assert_eq!(HeaderName::Other.as_str(), "");
    }

    #[test]
    fn a_set_holds_what_was_put_in_and_of_the_rare_names_maybe_others() {
        for &(name, text) in NAMES {
            let own = HeaderSet::of(&[name]);
            for &(other, _) in NAMES {
                let is_in = name == other || (!HeaderSet::tells(name) && !HeaderSet::tells(other));
                assert_eq!(own.holds(other), is_in, "{text}");
            }
        }
        let pair = HeaderSet::of(&[HeaderName::Via, HeaderName::IdentityInfo]);
        let mut set = HeaderSet::of(&[HeaderName::IdentityInfo]);
        assert!(set.holds_any(pair) && !set.holds_all(pair));
        set.insert(HeaderName::Via);
        assert!(set.holds_all(pair) && !set.holds_any(HeaderSet::of(&[HeaderName::To])));
    }

    #[test]
    fn compact_forms_are_known_in_any_case() {
        let letters = "abcdefijklmnorstuvxy";
        for letter in letters.bytes().chain(letters.to_uppercase().bytes()) {
            assert_ne!(HeaderName::of(&[letter]), HeaderName::Other, "{letter}");
        }
        for letter in b"ghpqwz0" {
            assert_eq!(HeaderName::of(&[*letter]), HeaderName::Other);
        }
    }

    #[test]
    fn every_name_has_a_slot_of_its_own() {
        for &(name, text) in NAMES {
            assert_eq!(TABLE[slot(start(text.as_bytes()))], name, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_line_is_named_by_what_is_before_its_colon(
            parts in vec(prop_oneof![
                4 => select(NAMES).prop_map(|(_, text)| text.to_owned()),
                1 => select(vec!["v", "L", "z", " ", ":", "-", "a", "\u{e9}", "To"]).prop_map(str::to_owned),
            ], 0..3),
            upper in any::<bool>(),
        ) {
            let mut line = parts.concat();
            if upper {
                line.make_ascii_uppercase();
            }
            line.push_str(": 0123456789abcdef");
            if let Some((name, len)) = HeaderName::leading(line.as_bytes().first_chunk().unwrap()) {
                let written = line.split(':').next().unwrap();
                prop_assert_eq!((name, len), (HeaderName::of(written.trim().as_bytes()), written.len()));
            }
        }
    }

    #[test]
    fn what_is_near_a_name_is_another() {
        for name in ["", "Vi", "Viaa", "C%6Fntact", "X-Via", "Content_Length", "Call ID"] {
            assert_eq!(HeaderName::of(name.as_bytes()), HeaderName::Other, "{name}");
        }
    }
}
