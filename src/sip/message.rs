//! One SIP message: its text and the places in it.

use memchr::memchr;
use smallvec::SmallVec;

use super::field::via::has_cookie;
use super::glance::Glance;
use super::lex::{Split, leading_number};
use super::parse::{self, Head};
use super::place::{Field, Span};
use super::{Auth, CSeq, Contact, HeaderName, HeaderSet, Method, NameAddr, Status, Via, body};
use crate::transport::{Completeness, Envelope, Text, peek};

/// What the first line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartLine {
    /// A request with this method.
    Request(Method),
    /// A response with this status.
    Response(Status),
}

/// Something the grammar forbids, that was read around.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Defect {
    /// What is wrong.
    pub kind: DefectKind,
    /// Where.
    pub span: Span,
}

/// The defects of a message.
pub(super) type DefectList = SmallVec<[Defect; 4]>;

/// Kinds of defects of the message as a whole (grammar of single values is judged by the rules
/// through the strict readers of `sip::field`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DefectKind {
    /// Not exactly one space between the parts of the start line, or space at its end.
    StartLineSpacing,
    /// Request-URI in angle brackets.
    StartLineBrackets,
    /// Unescaped white space or control octet in the Request-URI.
    StartLineUriSpace,
    /// Version other than `SIP/2.0`, byte for byte.
    StartLineVersion,
    /// Status code not three digits or outside 100 to 699.
    StatusCode,
    /// A header line without colon.
    NoColon,
    /// A header name that is no token.
    BadName,
    /// A line ended by LF alone, or a CR alone.
    BareLf,
    /// A control octet in a header outside a quoted pair.
    ControlByte,
    /// The octets end before the empty line.
    NotTerminated,
}

/// A SIP message. Parsing never fails on SIP; see [`Message::defects`].
#[derive(Clone)]
pub struct Message {
    /// When, where and how it was seen.
    pub envelope: Envelope,
    /// Request or response.
    pub start: StartLine,
    text: Text,
    /// Request-URI of a request, reason phrase of a response.
    subject: Span,
    fields: Box<[Field]>,
    names: HeaderSet,
    body: Span,
    /// `None` for nearly all; a word, where a list takes two.
    defects: Option<Box<DefectList>>,
    glance: Glance,
}

impl Message {
    /// Reads `text`; `None` only when it holds no SIP start line at all.
    pub fn parse(envelope: Envelope, text: Text) -> Option<Self> {
        let octets: &[u8] = &text;
        let first = peek::first_line(octets).or_else(|| match envelope.completeness {
            Completeness::Truncated | Completeness::Gap => peek::cut_first_line(octets),
            Completeness::Whole | Completeness::Desync => None,
        })?;
        let Head { start, subject, fields, names, body, defects } = parse::head(octets, first);
        let glance = Glance::of(octets, &fields);
        Some(Self { envelope, start, text, subject, fields, names, body, defects, glance })
    }

    /// The whole text.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The octets of `span`.
    pub fn at(&self, span: Span) -> &[u8] {
        self.text.get(span.range()).unwrap_or_default()
    }

    /// The place of `part`, which must be borrowed from this message's text.
    pub fn span_of(&self, part: &[u8]) -> Option<Span> {
        let all = self.text.as_ptr_range();
        let own = part.as_ptr_range();
        (all.start <= own.start && own.end <= all.end).then(|| {
            let start = (own.start as usize - all.start as usize) as u32;
            Span { start, end: start + part.len() as u32 }
        })
    }

    /// The method of a request.
    pub fn method(&self) -> Option<&Method> {
        match &self.start {
            StartLine::Request(method) => Some(method),
            StartLine::Response(_) => None,
        }
    }

    /// The status of a response.
    pub fn status(&self) -> Option<Status> {
        match self.start {
            StartLine::Request(_) => None,
            StartLine::Response(status) => Some(status),
        }
    }

    /// True for a request.
    pub fn is_request(&self) -> bool {
        matches!(self.start, StartLine::Request(_))
    }

    /// The Request-URI as written; `None` for a response.
    pub fn request_uri(&self) -> Option<&[u8]> {
        self.request_uri_span().map(|span| self.at(span))
    }

    /// Where the Request-URI stands.
    pub(super) fn request_uri_span(&self) -> Option<Span> {
        self.is_request().then_some(self.subject)
    }

    /// The reason phrase, maybe empty; `None` for a request.
    pub fn reason(&self) -> Option<&[u8]> {
        (!self.is_request()).then(|| self.at(self.subject))
    }

    /// The first line, without its line end.
    pub fn start_line(&self) -> &[u8] {
        let line = &self.text[peek::leading_crlfs(&self.text)..];
        let line = &line[..memchr(b'\n', line).unwrap_or(line.len())];
        line.strip_suffix(b"\r").unwrap_or(line)
    }

    /// All header fields in order.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The names of all header fields, as far as a [`HeaderSet`] tells them.
    pub const fn names(&self) -> HeaderSet {
        self.names
    }

    /// The value of the first field `name`, as written.
    #[inline]
    pub fn value(&self, name: HeaderName) -> Option<&[u8]> {
        if !self.names.holds(name) {
            return None;
        }
        self.fields.iter().find(|field| field.name == name).map(|field| self.at(field.value()))
    }

    /// The values of all fields `name`, one per field line, not split at commas.
    pub fn values(&self, name: HeaderName) -> impl Iterator<Item = &[u8]> {
        let fields = if self.names.holds(name) { self.fields() } else { &[] };
        fields.iter().filter(move |field| field.name == name).map(|f| self.at(f.value()))
    }

    /// The value of the first field whose name is `name` in any case; for names not in `HeaderName`.
    pub fn value_of(&self, name: &str) -> Option<&[u8]> {
        let head = self.first_field();
        let is_named = |field: &&Field| {
            let own = field.name_span(&self.text, head);
            self.at(own).eq_ignore_ascii_case(name.as_bytes())
        };
        let mut others = self.fields.iter().filter(|field| field.name == HeaderName::Other);
        others.find(is_named).map(|field| self.at(field.value()))
    }

    /// Where the names of the fields stand, in order.
    pub fn name_spans(&self) -> impl Iterator<Item = Span> {
        let head = self.first_field();
        self.fields.iter().map(move |field| field.name_span(&self.text, head))
    }

    /// Where the name of `field` stands, one of [`fields`](Self::fields).
    pub fn name_span(&self, field: Field) -> Span {
        field.name_span(&self.text, self.first_field())
    }

    fn first_field(&self) -> usize {
        peek::HeaderLines::after_start_line(&self.text).offset()
    }

    /// The elements of all fields `name`, split at commas outside quotes and angle brackets.
    pub fn elements(&self, name: HeaderName) -> impl Iterator<Item = &[u8]> {
        self.values(name).flat_map(|value| Split::new(value, b',')).filter(|part| !part.is_empty())
    }

    /// Call-ID as written.
    pub fn call_id(&self) -> Option<&[u8]> {
        self.value(HeaderName::CallId)
    }

    /// CSeq.
    pub fn cseq(&self) -> Option<CSeq<'_>> {
        self.glance.cseq(self)
    }

    /// All Via values, topmost first; what cannot be read is left out.
    pub fn vias(&self) -> impl Iterator<Item = Via<'_>> {
        self.elements(HeaderName::Via).filter_map(Via::parse)
    }

    /// The topmost Via.
    pub fn top_via(&self) -> Option<Via<'_>> {
        self.vias().next()
    }

    /// The branch of the topmost Via.
    pub fn branch(&self) -> Option<&[u8]> {
        self.glance.branch(self).or_else(|| self.top_via()?.branch())
    }

    /// The [unique branch](Via::unique_branch) of the topmost Via when that is alone in its field
    /// and written as nearly everybody writes it; `None` says nothing.
    pub(crate) fn plain_branch(&self) -> Option<&[u8]> {
        self.glance.branch(self).filter(|branch| has_cookie(branch))
    }

    /// True when the first field `name` is known to be right and without a password; only From, To,
    /// Via and CSeq ever are.
    pub(crate) fn is_plain(&self, name: HeaderName) -> bool {
        self.glance.right().holds(name)
    }

    /// The names whose first field is known to follow its grammar.
    pub(super) fn right_names(&self) -> HeaderSet {
        self.glance.right()
    }

    /// From.
    pub fn from(&self) -> Option<NameAddr<'_>> {
        self.value(HeaderName::From).and_then(NameAddr::parse)
    }

    /// To.
    pub fn to(&self) -> Option<NameAddr<'_>> {
        self.value(HeaderName::To).and_then(NameAddr::parse)
    }

    /// Tag of From.
    pub fn from_tag(&self) -> Option<&[u8]> {
        self.glance.tag_of_from(self)
    }

    /// Tag of To.
    pub fn to_tag(&self) -> Option<&[u8]> {
        self.glance.tag_of_to(self)
    }

    /// All Contact values.
    pub fn contacts(&self) -> impl Iterator<Item = Contact<'_>> {
        self.elements(HeaderName::Contact).filter_map(Contact::parse)
    }

    /// A header that is a number of seconds or a count: Expires, Max-Forwards, Content-Length …
    /// Parameters and comments behind it are left out.
    pub fn number(&self, name: HeaderName) -> Option<u64> {
        self.value(name).and_then(leading_number)
    }

    /// The values of an authentication header.
    pub fn auths(&self, name: HeaderName) -> impl Iterator<Item = Auth<'_>> {
        self.values(name).flat_map(Auth::all)
    }

    /// The body: what Content-Length declares of what is there; all that is there without one.
    pub fn body(&self) -> &[u8] {
        self.at(self.body)
    }

    /// Where the body stands.
    pub fn body_span(&self) -> Span {
        self.body
    }

    /// The body when its type is `application/sdp`, or the first such part of a multipart body.
    pub fn sdp(&self) -> Option<&[u8]> {
        body::sdp(self)
    }

    /// What the grammar forbids in the message as a whole.
    pub fn defects(&self) -> &[Defect] {
        self.defects.as_deref().map_or(&[], SmallVec::as_slice)
    }

    /// Octets of private memory it holds beside itself.
    pub fn heap_size(&self) -> usize {
        let defects = if self.defects.is_some() { size_of::<DefectList>() } else { 0 };
        self.text.heap_size() + size_of_val(&*self.fields) + defects + size_of_val(self.defects())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    use crate::net::Endpoint;
    use crate::time::Timestamp;

    /// The message `text`, seen whole on UDP.
    pub(crate) fn parsed(text: &[u8]) -> Option<Message> {
        parsed_as(text, Completeness::Whole)
    }

    fn parsed_as(text: &[u8], completeness: Completeness) -> Option<Message> {
        let host = Endpoint { ip: [192, 0, 2, 1].into(), port: 5060 };
        let envelope = Envelope { completeness, ..Envelope::datagram(0, Timestamp(0), host, host) };
        Message::parse(envelope, Text::Owned(text.into()))
    }

    #[track_caller]
    fn check(text: &str, expected: &[DefectKind]) {
        let message = parsed(text.as_bytes()).unwrap();
        let kinds: Vec<_> = message.defects().iter().map(|defect| defect.kind).collect();
        assert_eq!(kinds, expected, "{text:?}");
    }

    const HEAD: &str = "INVITE sip:bob@b.example SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\n\
        f: Al <sip:al@a>;tag=1\r\nTO : <sip:bob@b>\r\ni:\r\n c1@a\r\nCSeq: 7 INVITE\r\n\
        m: <sip:a>, <sip:b>\r\nContact: *\r\nContent-Type: Application/SDP;x=y\r\nX-Own : of ours\r\n";

    #[test]
    fn a_message_is_read_by_any_names_of_its_fields() {
        let message = parsed(format!("{HEAD}l: 3\r\n\r\nv=0tail").as_bytes()).unwrap();
        assert_eq!(message.method(), Some(&Method::Invite));
        assert_eq!(message.request_uri(), Some(&b"sip:bob@b.example"[..]));
        assert_eq!(message.start_line(), b"INVITE sip:bob@b.example SIP/2.0");
        assert_eq!(message.call_id(), Some(&b"c1@a"[..]));
        assert_eq!(message.call_id(), peek::peek_call_id(message.text()));
        assert_eq!(message.cseq(), Some(CSeq { number: 7, method: b"INVITE" }));
        assert_eq!((message.from_tag(), message.to_tag()), (Some(&b"1"[..]), None));
        assert_eq!(message.from().unwrap().display, Some(&b"Al"[..]));
        assert_eq!(message.top_via().unwrap().branch(), Some(&b"z9hG4bK1"[..]));
        assert_eq!(message.contacts().count(), 3);
        assert_eq!(message.number(HeaderName::ContentLength), Some(3));
        assert_eq!(message.body(), b"v=0");
        assert_eq!(message.sdp(), Some(&b"v=0"[..]));
        assert_eq!(message.value_of("x-own"), Some(&b"of ours"[..]));
        assert!(message.defects().is_empty());
    }

    #[test]
    fn the_body_is_what_there_is_of_what_is_declared() {
        for (length, body) in [
            ("l: 2", "v="),
            ("l: 99", "v=0\r\n"),
            ("l: -5", "v=0\r\n"),
            ("l: x", "v=0\r\n"),
            ("l: 0", ""),
            ("X: y", "v=0\r\n"),
            ("l: 99999999999999999999999", "v=0\r\n"),
        ] {
            let message = parsed(format!("{HEAD}{length}\r\n\r\nv=0\r\n").as_bytes()).unwrap();
            assert_eq!(message.body(), body.as_bytes(), "{length}");
        }
    }

    #[test]
    fn sdp_is_found_in_a_multipart_body() {
        let start =
            "INVITE sip:b SIP/2.0\r\nContent-Type: multipart/mixed;boundary=\"=_b\"\r\n\r\n";
        let body = "preamble\r\n--=_b\r\nContent-Type: text/plain\r\n\r\nhi --=_b\r\n--=_b\r\n\
            c: application/SDP\r\nContent-Disposition: session\r\n\r\nv=0\r\ns=-\r\n--=_b--\r\n";
        let message = parsed(format!("{start}{body}").as_bytes()).unwrap();
        assert_eq!(message.sdp(), Some(&b"v=0\r\ns=-"[..]));
        let message = parsed(format!("{start}{}", body.replace("SDP", "xml")).as_bytes()).unwrap();
        assert_eq!(message.sdp(), None);
        let message = parsed(format!("{start}no parts at all").as_bytes()).unwrap();
        assert_eq!(message.sdp(), None);
    }

    #[test]
    fn defects_are_named_and_read_around() {
        use DefectKind::*;
        check("INVITE sip:a SIP/2.0\r\n\r\n", &[]);
        check("INVITE  sip:a  SIP/2.0\r\n\r\n", &[StartLineSpacing, StartLineSpacing]);
        check("INVITE sip:a SIP/2.0 \r\n\r\n", &[StartLineSpacing]);
        check("INVITE <sip:a> SIP/2.0\r\n\r\n", &[StartLineBrackets]);
        check("INVITE sip:a; lr SIP/2.0\r\n\r\n", &[StartLineUriSpace]);
        check("INVITE sip:a SIP/7.0\r\n\r\n", &[StartLineVersion]);
        check("INVITE sip:a sip/2.0\r\n\r\n", &[StartLineVersion]);
        check("SIP/2.0 200 OK\r\n\r\n", &[]);
        check("SIP/2.0 100 \r\n\r\n", &[]);
        check("SIP/2.0 100\r\n\r\n", &[StartLineSpacing]);
        check("SIP/2.0 4294967301 better not\r\n\r\n", &[StatusCode]);
        check("SIP/2.0 099 x\r\n\r\n", &[StatusCode]);
        check("SIP/2.0 700 x\r\n\r\n", &[StatusCode]);
        check("SIP/2.0 200 OK\r\nX-Note hello\r\nA: b\r\n\r\n", &[NoColon]);
        check("SIP/2.0 200 OK\r\nX Note: hello\r\nA: b\r\n\r\n", &[BadName]);
        check("SIP/2.0 200 OK\r\nSubject   :  lunch\r\n\r\n", &[]);
        check("SIP/2.0 200 OK\nA: b\n\n", &[BareLf]);
        check("SIP/2.0 200 OK\r\nA: b\rc\r\n\r\n", &[BareLf]);
        check("SIP/2.0 200 OK\r\nA: \x07\r\n\r\n", &[ControlByte]);
        check("SIP/2.0 200 OK\r\nA: \"\\\x07\\\0\"\r\n\r\n", &[]);
        check("SIP/2.0 200 OK\r\nA: b\r\n", &[NotTerminated]);
        check("\r\n\r\nSIP/2.0 200 OK\r\nA: b\r\n\r\n", &[]);
    }

    #[test]
    fn fields_may_have_long_names_and_stand_far_behind_them() {
        let (name, far) = ("X-".to_owned() + &"a".repeat(300), " ".repeat(5_000));
        let text = format!("BYE sip:a SIP/2.0\r\n{name}: 1\r\nCall-ID:{far}c\r\n{name}a:2\r\n\r\n");
        let message = parsed(text.as_bytes()).unwrap();
        assert!(message.defects().is_empty());
        assert_eq!(message.value_of(&name), Some(&b"1"[..]));
        assert_eq!(message.call_id(), Some(&b"c"[..]));
        let names: Vec<_> = message.name_spans().map(|span| message.at(span).len()).collect();
        assert_eq!(names, [302, 7, 303]);
    }

    #[test]
    fn a_status_that_is_no_number_of_ours_saturates() {
        let message = parsed(b"SIP/2.0 4294967301 x\r\n\r\n").unwrap();
        assert_eq!(message.status(), Some(Status(u16::MAX)));
        assert_eq!(message.reason(), Some(&b"x"[..]));
    }

    #[test]
    fn a_request_cut_within_its_first_line_is_still_shown() {
        let text = b"INVITE sip:bob@biloxi.exam";
        let message = parsed_as(text, Completeness::Truncated).unwrap();
        assert_eq!(message.request_uri(), Some(&b"sip:bob@biloxi.exam"[..]));
        assert_eq!(message.start_line(), text);
        assert!(parsed(text).is_none());
    }

    #[test]
    fn any_line_end_gives_the_same_fields() {
        let values = |text: String| {
            let message = parsed(text.as_bytes()).unwrap();
            let fields = message.fields().iter();
            fields.map(|f| (f.name, message.at(f.value()).to_vec())).collect::<Vec<_>>()
        };
        let crlf = format!("{HEAD}l: 0\r\n\r\n");
        assert_eq!(values(crlf.clone()), values(crlf.replace("\r\n", "\n")));
    }
}
