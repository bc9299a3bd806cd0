//! Those who talk SIP to each other over the wire, one word after the other.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};

use super::stage::{Family, Stage};
use super::watcher::DEADLINE;

/// What SIP is carried in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    Udp,
    Tcp,
}

impl Carrier {
    pub const BOTH: [Self; 2] = [Self::Udp, Self::Tcp];

    fn word(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
        }
    }
}

/// Two who are connected: each hears what the other says before it goes on.
pub struct Talk {
    carrier: Carrier,
    caller: End,
    callee: End,
}

struct End {
    socket: Socket,
    address: SocketAddr,
}

enum Socket {
    Udp(UdpSocket),
    Tcp(TcpStream),
}

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Caller,
    Callee,
}

impl Talk {
    /// Connects a caller at the near end, from `port`, with a callee at the far end, at 5060.
    pub fn new(stage: &Stage, carrier: Carrier, family: Family, port: u16) -> Self {
        Self::between(stage, carrier, (family, port, 5060))
    }

    /// The same with a port of the callee's own.
    pub fn between(
        stage: &Stage,
        carrier: Carrier,
        (family, port, other): (Family, u16, u16),
    ) -> Self {
        let (from, to) = (stage.near.at(family, port), stage.far.at(family, other));
        let (caller, callee) = match carrier {
            Carrier::Udp => {
                let bind = |at: SocketAddr| move || UdpSocket::bind(at).unwrap();
                let (caller, callee) = (stage.near.within(bind(from)), stage.far.within(bind(to)));
                caller.connect(to).unwrap();
                callee.connect(caller.local_addr().unwrap()).unwrap();
                for socket in [&caller, &callee] {
                    socket.set_read_timeout(Some(DEADLINE)).unwrap();
                }
                (Socket::Udp(caller), Socket::Udp(callee))
            }
            Carrier::Tcp => {
                let listener = stage.far.within(|| TcpListener::bind(to).unwrap());
                let caller = stage.near.within(|| TcpStream::connect(to).unwrap());
                let callee = listener.accept().unwrap().0;
                for socket in [&caller, &callee] {
                    socket.set_nodelay(true).unwrap();
                    socket.set_read_timeout(Some(DEADLINE)).unwrap();
                }
                (Socket::Tcp(caller), Socket::Tcp(callee))
            }
        };
        let from = caller.address();
        Self {
            carrier,
            caller: End { socket: caller, address: from },
            callee: End { socket: callee, address: to },
        }
    }

    /// Says `octets`, and waits until the other one has them.
    pub fn say(&mut self, who: Who, octets: &[u8]) {
        let (one, other) = match who {
            Who::Caller => (&mut self.caller, &mut self.callee),
            Who::Callee => (&mut self.callee, &mut self.caller),
        };
        one.socket.send(octets);
        other.socket.hear(octets);
    }

    /// The steps of a call that is answered and ended, each said by whom.
    pub fn call(&self, call_id: &str) -> Vec<(Who, String)> {
        use Who::{Callee, Caller};

        vec![
            (Caller, self.request("INVITE", call_id, 1, "")),
            (Callee, self.response("100 Trying", "INVITE", call_id, 1, "")),
            (Callee, self.response("180 Ringing", "INVITE", call_id, 1, ";tag=b")),
            (Callee, self.response("200 OK", "INVITE", call_id, 1, ";tag=b")),
            (Caller, self.request("ACK", call_id, 1, ";tag=b")),
            (Caller, self.request("BYE", call_id, 2, ";tag=b")),
            (Callee, self.response("200 OK", "BYE", call_id, 2, ";tag=b")),
        ]
    }

    /// Makes a whole call.
    pub fn make_call(&mut self, call_id: &str) {
        for (who, text) in self.call(call_id) {
            self.say(who, text.as_bytes());
        }
    }

    /// A request of the caller.
    pub fn request(&self, method: &str, call_id: &str, cseq: u32, tag: &str) -> String {
        let (caller, callee) = (self.caller.address, self.callee.address);
        let head = self.head(method, call_id, cseq, tag);
        let contact = match method {
            "BYE" | "ACK" => String::new(),
            _ => format!("Contact: <sip:a@{caller}{}>\r\n", self.parameter()),
        };
        let body = if method == "INVITE" { sdp(caller) } else { String::new() };
        format!(
            "{method} sip:b@{callee} SIP/2.0\r\n{head}Max-Forwards: 70\r\n{contact}{}",
            ended(&body)
        )
    }

    /// A response of the callee.
    pub fn response(
        &self,
        status: &str,
        method: &str,
        call_id: &str,
        cseq: u32,
        tag: &str,
    ) -> String {
        let callee = self.callee.address;
        let head = self.head(method, call_id, cseq, tag);
        let contact = match method {
            "INVITE" if !tag.is_empty() => {
                format!("Contact: <sip:b@{callee}{}>\r\n", self.parameter())
            }
            _ => String::new(),
        };
        let is_answer = method == "INVITE" && status.starts_with('2');
        let body = if is_answer { sdp(callee) } else { String::new() };
        format!("SIP/2.0 {status}\r\n{head}{contact}{}", ended(&body))
    }

    /// What requests and their responses share.
    fn head(&self, method: &str, call_id: &str, cseq: u32, tag: &str) -> String {
        let (caller, callee) = (self.caller.address, self.callee.address);
        // The ACK of a 2xx is a transaction of its own.
        let branch = format!("z9hG4bK-{method}-{cseq}-{call_id}");
        format!(
            "Via: SIP/2.0/{} {caller};branch={branch}\r\nFrom: <sip:a@{caller}>;tag=a\r\n\
             To: <sip:b@{callee}>{tag}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n",
            self.carrier.word(),
        )
    }

    fn parameter(&self) -> &'static str {
        if self.carrier == Carrier::Tcp { ";transport=tcp" } else { "" }
    }
}

/// The end of a head, and the body.
fn ended(body: &str) -> String {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!("{kind}Content-Length: {}\r\n\r\n{body}", body.len())
}

fn sdp(at: SocketAddr) -> String {
    let (family, address) = (if at.is_ipv4() { "IP4" } else { "IP6" }, at.ip());
    format!(
        "v=0\r\no=- 1 1 IN {family} {address}\r\ns=-\r\nc=IN {family} {address}\r\nt=0 0\r\n\
         m=audio 40000 RTP/AVP 0\r\n"
    )
}

impl Socket {
    fn address(&self) -> SocketAddr {
        match self {
            Self::Udp(socket) => socket.local_addr(),
            Self::Tcp(stream) => stream.local_addr(),
        }
        .unwrap()
    }

    fn send(&mut self, octets: &[u8]) {
        match self {
            Self::Udp(socket) => assert_eq!(socket.send(octets).unwrap(), octets.len()),
            Self::Tcp(stream) => stream.write_all(octets).unwrap(),
        }
    }

    fn hear(&mut self, octets: &[u8]) {
        let mut heard = vec![0; octets.len().max(1)];
        match self {
            Self::Udp(socket) => assert_eq!(socket.recv(&mut heard).unwrap(), octets.len()),
            Self::Tcp(stream) => stream.read_exact(&mut heard).unwrap(),
        }
        assert_eq!(heard, octets);
    }
}
