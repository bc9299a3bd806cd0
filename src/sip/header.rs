//! Names of header fields: long, compact, any case.

/// A header field name the analyzer knows, or `Other`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum HeaderName {
    Via,
    From,
    To,
    CallId,
    CSeq,
    MaxForwards,
    Contact,
    ContentLength,
    ContentType,
    ContentEncoding,
    Expires,
    MinExpires,
    Route,
    RecordRoute,
    Path,
    ServiceRoute,
    Authorization,
    ProxyAuthorization,
    WwwAuthenticate,
    ProxyAuthenticate,
    AuthenticationInfo,
    Allow,
    Supported,
    Require,
    ProxyRequire,
    Unsupported,
    Accept,
    UserAgent,
    Server,
    Subject,
    Date,
    Event,
    SubscriptionState,
    AllowEvents,
    ReferTo,
    ReferredBy,
    Replaces,
    RSeq,
    RAck,
    Reason,
    RetryAfter,
    Warning,
    SessionExpires,
    MinSe,
    SessionId,
    PAssertedIdentity,
    PPreferredIdentity,
    PChargingVector,
    Diversion,
    HistoryInfo,
    Privacy,
    Identity,
    SipEtag,
    SipIfMatch,
    SecurityClient,
    SecurityServer,
    SecurityVerify,
    MimeVersion,
    ContentDisposition,
    Timestamp,
    Organization,
    AlertInfo,
    CallInfo,
    InReplyTo,
    Priority,
    ReplyTo,
    ErrorInfo,
    XGbVer,
    Other,
}

impl HeaderName {
    /// The name written as `name`, compact forms included, any case.
    pub fn of(name: &[u8]) -> Self {
        let _ = name;
        todo!()
    }

    /// The usual long form; empty for `Other`.
    pub fn as_str(self) -> &'static str {
        todo!()
    }
}
