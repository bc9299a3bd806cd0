//! Names of header fields: long, compact, any case.

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

        /// Every known name with its usual long form, in the order of the variants.
        const NAMES: &[(HeaderName, &str)] = &[$((HeaderName::$variant, $text),)*];
    };
}

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
        match name {
            [] => return Self::Other,
            [letter] => return Self::compact(letter.to_ascii_lowercase()),
            _ => {}
        }
        let words = words(name);
        let mut at = slot(name);
        while let Some(&(known, text)) = NAMES.get(usize::from(TABLE[at])) {
            // Nearly everybody writes the usual form, and to compare words is cheaper.
            let is_usual = text.len() == name.len() && WORDS[known as usize] == words;
            if is_usual || text.as_bytes().eq_ignore_ascii_case(name) {
                return known;
            }
            at = (at + 1) % SLOTS;
        }
        Self::Other
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

/// Which names stand in a head, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeaderSet([u64; 2]);

impl HeaderSet {
    /// The set of `names`.
    pub const fn of(names: &[HeaderName]) -> Self {
        let mut set = Self([0; 2]);
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
        let (word, bit) = place(name);
        self.0[word] |= bit;
    }

    /// True when `name` is among them.
    #[inline]
    pub const fn holds(self, name: HeaderName) -> bool {
        let (word, bit) = place(name);
        self.0[word] & bit != 0
    }

    /// True when any of `others` is among them.
    #[inline]
    pub const fn holds_any(self, others: Self) -> bool {
        self.0[0] & others.0[0] != 0 || self.0[1] & others.0[1] != 0
    }

    /// True when all of `others` are among them.
    #[inline]
    pub const fn holds_all(self, others: Self) -> bool {
        self.0[0] & others.0[0] == others.0[0] && self.0[1] & others.0[1] == others.0[1]
    }
}

/// The word and the bit of `name` in a set.
const fn place(name: HeaderName) -> (usize, u64) {
    (name as usize / 64 % 2, 1 << (name as usize % 64))
}

const _: () = assert!((HeaderName::Other as usize) < 128, "every name has a bit of its own");

const SLOTS: usize = 512;
const EMPTY: u8 = u8::MAX;

/// Open addressing over the long forms, laid out at compile time: `TABLE[slot]` is an index of
/// `NAMES`.
const TABLE: [u8; SLOTS] = {
    let mut table = [EMPTY; SLOTS];
    let mut index = 0;
    while index < NAMES.len() {
        let mut at = slot(NAMES[index].1.as_bytes());
        while table[at] != EMPTY {
            at = (at + 1) % SLOTS;
        }
        table[at] = index as u8;
        index += 1;
    }
    table
};

/// Octets of the longest name, in words of eight.
const LONGEST: usize = 3;

/// The usual long forms as words.
const WORDS: [[u64; LONGEST]; NAMES.len()] = {
    let mut all = [[0; LONGEST]; NAMES.len()];
    let mut index = 0;
    while index < NAMES.len() {
        assert!(NAMES[index].1.len() <= 8 * LONGEST, "a name has a place for each octet");
        all[index] = words(NAMES[index].1.as_bytes());
        index += 1;
    }
    all
};

/// The first octets of `name` in words of eight, zeros behind the last.
const fn words(name: &[u8]) -> [u64; LONGEST] {
    match name.split_first_chunk() {
        None => [tail(name), 0, 0],
        Some((first, rest)) => match rest.split_first_chunk() {
            None => [u64::from_le_bytes(*first), tail(rest), 0],
            Some((second, rest)) => {
                let third = match rest.first_chunk() {
                    None => tail(rest),
                    Some(third) => u64::from_le_bytes(*third),
                };
                [u64::from_le_bytes(*first), u64::from_le_bytes(*second), third]
            }
        },
    }
}

/// Less than eight octets as one word, in two halves that may overlap.
const fn tail(octets: &[u8]) -> u64 {
    match (octets.first_chunk(), octets.last_chunk()) {
        (Some(first), Some(last)) => {
            let (low, high) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
            low as u64 | (high as u64) << (8 * (octets.len() - 4))
        }
        _ => match *octets {
            [] => 0,
            [one] => one as u64,
            [one, two] => u16::from_le_bytes([one, two]) as u64,
            [one, two, .., last] => u16::from_le_bytes([one, two]) as u64 | (last as u64) << 16,
        },
    }
}

/// Where the search for `name`, which has two octets or more, begins. `| 0x20` evens out case.
const fn slot(name: &[u8]) -> usize {
    let first = (name[0] | 0x20) as usize;
    let second = (name[1] | 0x20) as usize;
    let last = (name[name.len() - 1] | 0x20) as usize;
    (name.len() * 61 + first * 31 + second * 13 + last * 7) % SLOTS
}

#[cfg(test)]
mod tests {
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
    fn a_set_holds_what_was_put_in_and_nothing_else() {
        for &(name, text) in NAMES {
            let own = HeaderSet::of(&[name]);
            for &(other, _) in NAMES {
                assert_eq!(own.holds(other), name == other, "{text}");
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
    fn what_is_near_a_name_is_another() {
        for name in ["", "Vi", "Viaa", "C%6Fntact", "X-Via", "Content_Length", "Call ID"] {
            assert_eq!(HeaderName::of(name.as_bytes()), HeaderName::Other, "{name}");
        }
    }
}
