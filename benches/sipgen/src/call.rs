//! One call through a proxy: its parameters, its script and the text of its messages.

use crate::net::Endpoint;
use crate::rng::{Rng, derive};
use std::io::Write;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hop {
    CallerToProxy,
    ProxyToCaller,
    ProxyToCallee,
    CalleeToProxy,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Msg {
    Invite,
    Response(u16, &'static str),
    AckTo2xx,
    AckToFailure,
    Bye,
    Cancel,
}

/// How long after the previous message this one is sent.
#[derive(Clone, Copy)]
pub enum Delay {
    None,
    Processing,
    Network,
    Alerting,
    Ringing,
    Talking,
}

#[derive(Clone, Copy)]
pub struct Step {
    pub delay: Delay,
    pub hop: Hop,
    pub msg: Msg,
    /// 0 for the first INVITE, 1 after an authentication challenge.
    pub attempt: u8,
    /// The 200 to this step's INVITE starts the media, the BYE stops it.
    pub media: Media,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Media {
    Unchanged,
    Starts,
    Stops,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    AnsweredCallerHangsUp,
    AnsweredCalleeHangsUp,
    ChallengedThenAnswered,
    Busy,
    Cancelled,
    NotFound,
}

impl Outcome {
    pub const ALL: [Outcome; 6] = [
        Outcome::AnsweredCallerHangsUp,
        Outcome::AnsweredCalleeHangsUp,
        Outcome::ChallengedThenAnswered,
        Outcome::Busy,
        Outcome::Cancelled,
        Outcome::NotFound,
    ];

    pub fn choose(rng: &mut Rng, failed_percent: f64) -> Outcome {
        if rng.percent(failed_percent) {
            Outcome::ALL[2 + rng.range(0, 3) as usize]
        } else {
            Outcome::ALL[rng.range(0, 1) as usize]
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Outcome::AnsweredCallerHangsUp | Outcome::AnsweredCalleeHangsUp => "answered",
            Outcome::ChallengedThenAnswered => "challenged_then_answered",
            Outcome::Busy => "busy",
            Outcome::Cancelled => "cancelled",
            Outcome::NotFound => "not_found",
        }
    }

    /// The messages of the call in the order in which the proxy sees them.
    pub fn script(self) -> Vec<Step> {
        use Delay as D;
        use Hop::*;
        use Msg::*;
        let invite = |code| Response(code, "INVITE");
        let mut steps = Vec::new();
        let mut attempt = 0;
        let mut add = |delay, hop, msg, attempt| {
            steps.push(Step { delay, hop, msg, attempt, media: Media::Unchanged })
        };
        add(D::None, CallerToProxy, Invite, 0);
        if self == Outcome::ChallengedThenAnswered {
            add(D::Processing, ProxyToCaller, invite(407), 0);
            add(D::Network, CallerToProxy, AckToFailure, 0);
            add(D::Processing, CallerToProxy, Invite, 1);
            attempt = 1;
        }
        add(D::Processing, ProxyToCaller, invite(100), attempt);
        if self == Outcome::NotFound {
            add(D::Network, ProxyToCaller, invite(404), attempt);
            add(D::Network, CallerToProxy, AckToFailure, attempt);
            return steps;
        }
        add(D::Processing, ProxyToCallee, Invite, attempt);
        add(D::Network, CalleeToProxy, invite(100), attempt);
        if self == Outcome::Busy {
            add(D::Alerting, CalleeToProxy, invite(486), attempt);
            add(D::Processing, ProxyToCallee, AckToFailure, attempt);
            add(D::Processing, ProxyToCaller, invite(486), attempt);
            add(D::Network, CallerToProxy, AckToFailure, attempt);
            return steps;
        }
        add(D::Alerting, CalleeToProxy, invite(180), attempt);
        add(D::Processing, ProxyToCaller, invite(180), attempt);
        if self == Outcome::Cancelled {
            let cancel = Response(200, "CANCEL");
            add(D::Ringing, CallerToProxy, Cancel, attempt);
            add(D::Processing, ProxyToCaller, cancel, attempt);
            add(D::Processing, ProxyToCallee, Cancel, attempt);
            add(D::Network, CalleeToProxy, cancel, attempt);
            add(D::Processing, CalleeToProxy, invite(487), attempt);
            add(D::Processing, ProxyToCallee, AckToFailure, attempt);
            add(D::Processing, ProxyToCaller, invite(487), attempt);
            add(D::Network, CallerToProxy, AckToFailure, attempt);
            return steps;
        }
        add(D::Ringing, CalleeToProxy, invite(200), attempt);
        add(D::Processing, ProxyToCaller, invite(200), attempt);
        add(D::Network, CallerToProxy, AckTo2xx, attempt);
        add(D::Processing, ProxyToCallee, AckTo2xx, attempt);
        let (from, to) = match self {
            Outcome::AnsweredCalleeHangsUp => {
                ((CalleeToProxy, ProxyToCallee), (ProxyToCaller, CallerToProxy))
            }
            _ => ((CallerToProxy, ProxyToCaller), (ProxyToCallee, CalleeToProxy)),
        };
        let bye = Response(200, "BYE");
        add(D::Talking, from.0, Bye, attempt);
        add(D::Processing, to.0, Bye, attempt);
        add(D::Network, to.1, bye, attempt);
        add(D::Processing, from.1, bye, attempt);
        for (i, media) in [(6, Media::Starts), (4, Media::Stops)] {
            let at = steps.len() - i;
            steps[at].media = media;
        }
        steps
    }
}

pub struct Call {
    pub seed: u64,
    pub outcome: Outcome,
    pub step: usize,
    pub caller: Endpoint,
    pub callee: Endpoint,
    pub proxy: Endpoint,
    pub caller_media: Endpoint,
    pub callee_media: Endpoint,
    pub transport: &'static str,
    pub ringing_us: u64,
    pub talking_us: u64,
    /// Extra bytes of headers and SDP in the INVITE, so that it exceeds the MTU.
    pub large: bool,
    pub talking: bool,
}

/// Purposes of the values derived from a call's seed.
mod purpose {
    pub const CALLER: u64 = 1;
    pub const CALLEE: u64 = 2;
    pub const CALL_ID: u64 = 3;
    pub const FROM_TAG: u64 = 5;
    pub const TO_TAG: u64 = 6;
    pub const PROXY_TAG: u64 = 7;
    pub const CSEQ: u64 = 8;
    pub const SDP: u64 = 9;
    pub const AGENT: u64 = 10;
    pub const NONCE: u64 = 11;
    pub const BRANCH: u64 = 32;
}

const AGENTS: [&str; 8] = [
    "Yealink SIP-T46U 108.86.0.90",
    "PolycomVVX-VVX_411-UA/6.4.3.5156",
    "Cisco-CP8845/14.1.1",
    "FPBX-16.0.40.4(18.16.0)",
    "Asterisk PBX 20.5.0",
    "Grandstream GXP2170 1.0.11.74",
    "snomD785/10.1.148.1",
    "MicroSIP/3.21.3",
];
const GATEWAYS: [&str; 3] =
    ["FreeSWITCH-mod_sofia/1.10.10-release", "Oracle SBC 9.0.0p3", "AudioCodes Mediant 4000/7.40A"];
const ALLOW: &str = "INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, SUBSCRIBE, NOTIFY, INFO, PUBLISH, MESSAGE, UPDATE, PRACK";
const DOMAIN: &str = "sip.example.com";

macro_rules! line {
    ($out:expr, $($arg:tt)*) => {{
        write!($out, $($arg)*).unwrap();
        $out.extend_from_slice(b"\r\n");
    }};
}

impl Call {
    fn v(&self, purpose: u64) -> u64 {
        derive(self.seed, purpose)
    }

    fn caller_user(&self) -> String {
        format!("+4930{:07}", self.v(purpose::CALLER) % 10_000_000)
    }

    fn callee_user(&self) -> String {
        format!("+4989{:08}", self.v(purpose::CALLEE) % 100_000_000)
    }

    fn call_id(&self) -> String {
        let (x, y) = (self.v(purpose::CALL_ID), self.v(purpose::CALL_ID + 1));
        match x % 4 {
            0 => format!("{x:016x}{y:016x}@{}", self.caller.host()),
            1 => format!("0_{}@{}", x % 4_000_000_000_000, self.caller.host()),
            2 => format!(
                "{:08x}-{:04x}-123c-{:04x}-{:012x}",
                x >> 32,
                x & 0xFFFF,
                y >> 48,
                y & 0xFFFF_FFFF_FFFF
            ),
            _ => format!("{:08x}-{:08x}-{:08x}@{}", x >> 32, y >> 32, y as u32, self.caller.host()),
        }
    }

    fn cseq(&self, step: &Step, from_callee: bool) -> u64 {
        if from_callee {
            return 1 + self.v(purpose::CSEQ + 100) % 20_000;
        }
        let first = 1 + self.v(purpose::CSEQ) % 30_000;
        let bye = matches!(step.msg, Msg::Bye | Msg::Response(_, "BYE"));
        first + u64::from(step.attempt) + u64::from(bye)
    }

    /// Branch of the transaction this step belongs to: INVITE, its CANCEL and the ACK to a failure
    /// share one, the ACK to a 2xx and the BYE have their own. `hop` 0 is the user agent's, 1 the
    /// proxy's.
    fn branch(&self, step: &Step, hop: u64) -> u64 {
        let kind = match step.msg {
            Msg::AckTo2xx => 1,
            Msg::Bye | Msg::Response(_, "BYE") => 2,
            _ => 0,
        };
        self.v(purpose::BRANCH + kind * 8 + u64::from(step.attempt) * 2 + hop)
    }

    fn agent(&self) -> &'static str {
        AGENTS[(self.v(purpose::AGENT) % 8) as usize]
    }

    fn gateway(&self) -> &'static str {
        GATEWAYS[(self.v(purpose::AGENT) / 8 % 3) as usize]
    }

    pub fn source_and_destination(&self, hop: Hop) -> (Endpoint, Endpoint) {
        match hop {
            Hop::CallerToProxy => (self.caller, self.proxy),
            Hop::ProxyToCaller => (self.proxy, self.caller),
            Hop::ProxyToCallee => (self.proxy, self.callee),
            Hop::CalleeToProxy => (self.callee, self.proxy),
        }
    }

    /// Writes the message of one step.
    pub fn render(&self, step: &Step, out: &mut Vec<u8>) {
        out.clear();
        let callee_side = matches!(step.hop, Hop::ProxyToCallee | Hop::CalleeToProxy);
        let bye = matches!(step.msg, Msg::Bye | Msg::Response(_, "BYE"));
        let by_callee = bye && self.outcome == Outcome::AnsweredCalleeHangsUp;
        // The second Via is there on the leg behind the proxy, as seen by the request's sender.
        let proxied = callee_side != by_callee;
        let (caller, callee) = (self.caller_user(), self.callee_user());
        let caller_contact = format!("sip:{caller}@{};transport={}", self.caller, self.transport);
        let callee_contact = format!("sip:{callee}@{};transport={}", self.callee, self.transport);

        // Start line.
        match step.msg {
            Msg::Response(code, _) => line!(out, "SIP/2.0 {code} {}", reason(code)),
            _ => {
                let method = match step.msg {
                    Msg::Invite => "INVITE",
                    Msg::Bye => "BYE",
                    Msg::Cancel => "CANCEL",
                    _ => "ACK",
                };
                match step.msg {
                    Msg::Bye if by_callee => line!(out, "{method} {caller_contact} SIP/2.0"),
                    Msg::Bye | Msg::AckTo2xx => line!(out, "{method} {callee_contact} SIP/2.0"),
                    _ if callee_side => {
                        line!(out, "{method} sip:{callee}@{};user=phone SIP/2.0", self.callee)
                    }
                    _ => line!(out, "{method} sip:{callee}@{DOMAIN};user=phone SIP/2.0"),
                }
            }
        }

        // Via stack. A CANCEL and the ACK to a failure are hop by hop: one Via only.
        let upper = if self.transport == "tcp" { "TCP" } else { "UDP" };
        let hop_by_hop =
            matches!(step.msg, Msg::Cancel | Msg::AckToFailure | Msg::Response(_, "CANCEL"));
        let is_response = matches!(step.msg, Msg::Response(..));
        if proxied {
            let branch = self.branch(step, 1);
            line!(
                out,
                "Via: SIP/2.0/{upper} {};branch=z9hG4bK{:04x}.{branch:016x}{:08x}.0",
                self.proxy,
                branch & 0xFFFF,
                branch >> 20
            );
        }
        if !(proxied && hop_by_hop) {
            let sender = if by_callee { self.callee } else { self.caller };
            let branch = self.branch(step, 0);
            if proxied || is_response {
                line!(
                    out,
                    "Via: SIP/2.0/{upper} {sender};received={};rport={};branch=z9hG4bK-{branch:x}",
                    sender.ip,
                    sender.port
                );
            } else {
                line!(out, "Via: SIP/2.0/{upper} {sender};branch=z9hG4bK-{branch:x};rport");
            }
        }

        if !is_response {
            line!(out, "Max-Forwards: {}", if proxied && !hop_by_hop { 69 } else { 70 });
        }

        // Routing.
        let record_route = format!("<sip:{};lr;ftag={:x}>", self.proxy, self.v(purpose::FROM_TAG));
        match step.msg {
            Msg::Invite if proxied => line!(out, "Record-Route: {record_route}"),
            Msg::Response(180 | 200, "INVITE") => line!(out, "Record-Route: {record_route}"),
            Msg::AckTo2xx | Msg::Bye if !proxied => line!(out, "Route: {record_route}"),
            _ => {}
        }

        // Dialog identification.
        let from_tag = self.v(purpose::FROM_TAG) as u32;
        let to_tag = match (step.msg, step.attempt) {
            (Msg::Invite | Msg::Cancel | Msg::Response(100, _), _) => None,
            (Msg::Response(404 | 407, _), _) => Some(self.v(purpose::PROXY_TAG)),
            (Msg::AckToFailure, 0)
                if matches!(self.outcome, Outcome::NotFound | Outcome::ChallengedThenAnswered) =>
            {
                Some(self.v(purpose::PROXY_TAG))
            }
            _ => Some(self.v(purpose::TO_TAG)),
        };
        let local =
            format!("\"Customer {}\" <sip:{caller}@{DOMAIN}>;tag={from_tag:08x}", &caller[5..]);
        let remote = match to_tag {
            Some(tag) => format!("<sip:{callee}@{DOMAIN}>;tag=as{tag:012x}"),
            None => format!("<sip:{callee}@{DOMAIN}>"),
        };
        if by_callee {
            line!(out, "From: {remote}");
            line!(out, "To: {local}");
        } else {
            line!(out, "From: {local}");
            line!(out, "To: {remote}");
        }
        line!(out, "Call-ID: {}", self.call_id());
        let method = match step.msg {
            Msg::Invite => "INVITE",
            Msg::Bye => "BYE",
            Msg::Cancel => "CANCEL",
            Msg::AckTo2xx | Msg::AckToFailure => "ACK",
            Msg::Response(_, method) => method,
        };
        line!(out, "CSeq: {} {method}", self.cseq(step, by_callee));

        // The rest.
        let mut sdp = Vec::new();
        match step.msg {
            Msg::Invite => {
                line!(out, "Contact: <{caller_contact}>");
                line!(out, "User-Agent: {}", self.agent());
                line!(out, "Allow: {ALLOW}");
                line!(out, "Supported: replaces, timer, 100rel, path");
                line!(out, "Session-Expires: 1800;refresher=uac");
                line!(out, "Min-SE: 90");
                line!(out, "P-Preferred-Identity: <sip:{caller}@{DOMAIN}>");
                if step.attempt == 1 {
                    self.authorization(out, &callee);
                }
                if self.large {
                    self.identity(out);
                }
                self.sdp(&mut sdp, true);
            }
            Msg::Response(407, _) => {
                line!(
                    out,
                    "Proxy-Authenticate: Digest realm=\"{DOMAIN}\", nonce=\"{:016x}{:016x}\", qop=\"auth\", algorithm=MD5",
                    self.v(purpose::NONCE),
                    self.v(purpose::NONCE + 1)
                );
                line!(out, "Server: kamailio (5.7.4 (x86_64/linux))");
            }
            Msg::Response(404, _) => line!(out, "Server: kamailio (5.7.4 (x86_64/linux))"),
            Msg::Response(code @ (180 | 200), "INVITE") => {
                line!(out, "Contact: <{callee_contact}>");
                line!(out, "User-Agent: {}", self.gateway());
                line!(out, "Allow: {ALLOW}");
                line!(out, "Supported: timer, path, replaces");
                if code == 200 {
                    line!(out, "Require: timer");
                    line!(out, "Session-Expires: 1800;refresher=uac");
                    line!(out, "P-Asserted-Identity: \"{callee}\" <sip:{callee}@{DOMAIN}>");
                    self.sdp(&mut sdp, false);
                }
            }
            Msg::Response(100, _) if !callee_side => {
                line!(out, "Server: kamailio (5.7.4 (x86_64/linux))")
            }
            Msg::Response(486, _) => {
                line!(out, "User-Agent: {}", self.gateway());
                line!(out, "Reason: Q.850;cause=17;text=\"USER_BUSY\"");
            }
            Msg::Response(..) => line!(out, "User-Agent: {}", self.gateway()),
            Msg::Bye if by_callee => {
                line!(out, "User-Agent: {}", self.gateway());
                line!(out, "Reason: Q.850;cause=16;text=\"NORMAL_CLEARING\"");
            }
            _ => line!(out, "User-Agent: {}", self.agent()),
        }
        if !sdp.is_empty() {
            line!(out, "Content-Type: application/sdp");
        }
        line!(out, "Content-Length: {}\r\n", sdp.len());
        out.extend_from_slice(&sdp);
    }

    fn authorization(&self, out: &mut Vec<u8>, callee: &str) {
        let (x, y) = (self.v(purpose::NONCE), self.v(purpose::NONCE + 1));
        line!(
            out,
            "Proxy-Authorization: Digest username=\"{}\", realm=\"{DOMAIN}\", nonce=\"{x:016x}{y:016x}\", uri=\"sip:{callee}@{DOMAIN};user=phone\", response=\"{:016x}{:016x}\", algorithm=MD5, cnonce=\"{:08x}\", qop=auth, nc=00000001",
            self.caller_user(),
            derive(x, y),
            derive(y, x),
            x as u32
        );
    }

    /// A STIR/SHAKEN identity header of realistic length.
    fn identity(&self, out: &mut Vec<u8>) {
        const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        out.extend_from_slice(
            b"Identity: eyJhbGciOiJFUzI1NiIsInBwdCI6InNoYWtlbiIsInR5cCI6InBhc3Nwb3J0In0.",
        );
        for i in 0..480u64 {
            out.push(BASE64[(self.v(1000 + i) % 64) as usize]);
            if i == 390 {
                out.push(b'.');
            }
        }
        line!(out, ";info=<https://cert.example.org/passport.cer>;alg=ES256;ppt=shaken");
    }

    fn sdp(&self, out: &mut Vec<u8>, offer: bool) {
        let media = if offer { self.caller_media } else { self.callee_media };
        let family = if media.is_v6() { "IP6" } else { "IP4" };
        let session = self.v(purpose::SDP + u64::from(offer)) % 4_000_000_000;
        line!(out, "v=0");
        line!(out, "o=- {session} {} IN {family} {}", session + 1, media.ip);
        line!(out, "s={}", if offer { "-" } else { "FreeSWITCH" });
        line!(out, "c=IN {family} {}", media.ip);
        line!(out, "t=0 0");
        if offer {
            line!(out, "m=audio {} RTP/AVP 8 0 9 18 101", media.port);
            line!(out, "a=rtpmap:8 PCMA/8000");
            line!(out, "a=rtpmap:0 PCMU/8000");
            line!(out, "a=rtpmap:9 G722/8000");
            line!(out, "a=rtpmap:18 G729/8000");
            line!(out, "a=fmtp:18 annexb=no");
        } else {
            line!(out, "m=audio {} RTP/AVP 8 101", media.port);
            line!(out, "a=rtpmap:8 PCMA/8000");
        }
        line!(out, "a=rtpmap:101 telephone-event/8000");
        line!(out, "a=fmtp:101 0-16");
        line!(out, "a=ptime:20");
        line!(out, "a=sendrecv");
        if offer && self.large {
            for i in 0..4 + self.seed % 10 {
                let address = self.v(2000 + i);
                line!(
                    out,
                    "a=candidate:{} {} UDP {} 198.51.100.{} {} typ srflx raddr 10.20.0.{} rport {}",
                    1 + i / 2,
                    1 + i % 2,
                    2_130_706_431 - i,
                    address % 250 + 1,
                    10_000 + address % 50_000,
                    address / 250 % 250 + 1,
                    10_000 + address / 7 % 50_000
                );
            }
        }
    }

    pub fn ssrc(&self, from_caller: bool) -> u32 {
        self.v(purpose::SDP + 200 + u64::from(from_caller)) as u32
    }
}

fn reason(code: u16) -> &'static str {
    match code {
        100 => "trying -- your call is important to us",
        180 => "Ringing",
        200 => "OK",
        404 => "Not Found",
        407 => "Proxy Authentication Required",
        486 => "Busy Here",
        487 => "Request Terminated",
        _ => unreachable!(),
    }
}
