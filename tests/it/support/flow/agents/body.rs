//! Session descriptions and the headers that certain methods carry.

use super::World;
use crate::support::flow::Draft;

/// What user agents of the scripts allow.
pub(super) const ALLOW: &str =
    "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, PRACK, REFER, NOTIFY, SUBSCRIBE, MESSAGE";

impl World<'_> {
    /// An offer or an answer of `name`: PCMU and telephone events.
    pub(super) fn describe(&self, draft: &mut Draft, name: &str) {
        let ip = self.address(name).ip().to_owned();
        let port = 4000 + 10 * u32::from(ip.octets()[3]);
        draft.push("Content-Type", "application/sdp");
        draft.body = format!(
            "v=0\r\no={name} 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\n\
             a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
        )
        .into_bytes();
    }

    /// What requests of `method` carry beside what all requests carry.
    pub(super) fn furnish(&mut self, draft: &mut Draft, name: &str, method: &str) {
        let contact = format!("<{}>", self.contact(name));
        match method {
            "INVITE" | "UPDATE" => {
                draft.push("Contact", contact);
                draft.push("Allow", ALLOW);
                draft.push("Supported", "100rel, timer");
            }
            "REGISTER" => {
                draft.push("Contact", contact);
                draft.push("Expires", "3600");
            }
            "SUBSCRIBE" => {
                draft.push("Contact", contact);
                draft.push("Event", "presence");
                draft.push("Expires", "3600");
            }
            "NOTIFY" => {
                draft.push("Contact", contact);
                draft.push("Event", "presence");
                draft.push("Subscription-State", "active;expires=3599");
            }
            "REFER" => {
                draft.push("Contact", contact);
                draft.push("Refer-To", "<sip:carol@example.com>");
            }
            "PUBLISH" => {
                draft.push("Event", "presence");
                draft.push("Expires", "3600");
            }
            "MESSAGE" => {
                draft.push("Content-Type", "text/plain");
                draft.body = b"Hello.\r\n".to_vec();
            }
            "INFO" => {
                draft.push("Content-Type", "application/dtmf-relay");
                draft.body = b"Signal=1\r\nDuration=160\r\n".to_vec();
            }
            _ => {}
        }
    }
}
