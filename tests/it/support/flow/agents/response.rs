//! Responses: those of the element that answers, and the copies proxies send back.

use super::body::ALLOW;
use super::{Passage, Remote, World, is_proxy};
use crate::support::flow::Draft;
use crate::support::flow::script::Line;

impl World<'_> {
    /// The response of `line`; the receiver has learned from it.
    pub(super) fn response(&mut self, line: &Line<'_>, status: u16, method: Option<&str>) -> Draft {
        let (client, server) = (line.to, line.from);
        let request = self
            .know()
            .requests
            .iter()
            .rfind(|passage| {
                passage.client == client
                    && passage.server == server
                    && method.is_none_or(|method| passage.draft.method() == method)
                    && passage.draft.method() != "ACK"
            })
            .unwrap_or_else(|| panic!("{server} has nothing of {client} to answer {status}"))
            .draft
            .clone();
        let copy = self.copy_from_behind(server, status, request.method());
        let mut draft = match copy {
            Some(behind) => behind,
            None => self.answer(line, &request, status),
        };
        draft.push("Content-Length", "0");
        draft.edit(&line.edits);
        self.learn().responses.push(Passage {
            client: client.to_owned(),
            server: server.to_owned(),
            draft: draft.clone(),
            forwarded: false,
        });
        if !is_proxy(client) {
            self.hear(client, &draft);
        }
        draft
    }

    /// The copy of a response that `server`, a proxy, received for `method` and has not sent back.
    fn copy_from_behind(&mut self, server: &str, status: u16, method: &str) -> Option<Draft> {
        if status == 100 || method == "CANCEL" || !is_proxy(server) {
            return None;
        }
        let passage = self.learn().responses.iter_mut().find(|passage| {
            passage.client == server
                && !passage.forwarded
                && passage.draft.status() == status
                && passage.draft.method() == method
        })?;
        passage.forwarded = true;
        let mut draft = passage.draft.clone();
        draft.remove("Content-Length");
        let top = draft.headers.iter().position(|(name, _)| name.eq_ignore_ascii_case("Via"))?;
        draft.headers.remove(top);
        Some(draft)
    }

    fn answer(&mut self, line: &Line<'_>, request: &Draft, status: u16) -> Draft {
        let name = line.from;
        let method = request.method().to_owned();
        let mut draft = Draft::new(format!("SIP/2.0 {status} {}", reason(status)));
        draft.copy(request, "Via");
        let makes_dialog = matches!(method.as_str(), "INVITE" | "SUBSCRIBE" | "REFER" | "UPDATE");
        if makes_dialog && (101..300).contains(&status) {
            draft.copy(request, "Record-Route");
        }
        draft.copy(request, "From");
        for to in request.values("To") {
            let needs_tag = 100 < status && !to.contains(";tag=");
            let tag = format!(";tag={}", self.tag(name));
            draft.push("To", if needs_tag { to.to_owned() + &tag } else { to.to_owned() });
        }
        draft.copy(request, "Call-ID");
        draft.copy(request, "CSeq");
        self.equip(&mut draft, name, &method, status, request);
        if line.is("reliable") {
            let side = self.side(name);
            side.rseq += 1;
            let rseq = side.rseq;
            draft.push("Require", "100rel");
            draft.push("RSeq", rseq.to_string());
        }
        if self.carries_sdp(line, request, &method, status) {
            self.describe(&mut draft, name);
        }
        if makes_dialog
            && (200..300).contains(&status)
            && let Some(remote) = &mut self.side(name).remote
        {
            remote.confirmed = true;
        }
        draft
    }

    fn equip(&mut self, draft: &mut Draft, name: &str, method: &str, status: u16, request: &Draft) {
        let nonce = format!("n{:04}", self.serial());
        match (status, method) {
            (200..=299, "REGISTER") => {
                let expires = request.value("Expires").unwrap_or("3600").to_owned();
                for contact in request.values("Contact").filter(|_| expires != "0") {
                    draft.push("Contact", format!("{contact};expires={expires}"));
                }
                draft.push("Date", "Thu, 01 Jan 2026 00:00:00 GMT");
            }
            (101..=299, "INVITE") | (200..=299, "UPDATE" | "REFER" | "SUBSCRIBE") => {
                draft.push("Contact", format!("<{}>", self.contact(name)));
            }
            _ => {}
        }
        match (status, method) {
            (200..=299, "INVITE") | (405, _) => draft.push("Allow", ALLOW),
            (200..=299, "SUBSCRIBE" | "PUBLISH") => {
                draft.push("Expires", request.value("Expires").unwrap_or("3600"));
                if method == "PUBLISH" {
                    draft.push("SIP-ETag", nonce);
                }
            }
            (300..=302, _) => draft.push("Contact", "<sip:elsewhere@example.com>"),
            (401, _) => draft.push("WWW-Authenticate", challenge(&nonce)),
            (407, _) => draft.push("Proxy-Authenticate", challenge(&nonce)),
            (415, _) => draft.push("Accept", "application/sdp"),
            (420, _) => draft.push("Unsupported", "nothing"),
            (421, _) => draft.push("Require", "timer"),
            (422, _) => draft.push("Min-SE", "90"),
            (423, _) => draft.push("Min-Expires", "3600"),
            (489, _) => draft.push("Allow-Events", "presence"),
            (494, _) => draft.push("Security-Server", "digest"),
            (503, _) => draft.push("Retry-After", "30"),
            _ => {}
        }
    }

    fn carries_sdp(&self, line: &Line<'_>, request: &Draft, method: &str, status: u16) -> bool {
        if line.is("bare") {
            return false;
        }
        let was_answered = || {
            self.know().responses.iter().any(|passage| {
                passage.draft.value("CSeq") == request.value("CSeq")
                    && passage.draft.value("RSeq").is_some()
                    && !passage.draft.body.is_empty()
            })
        };
        match (status, method) {
            _ if line.is("sdp") => true,
            (183, "INVITE") => true,
            (200..=299, "INVITE") => !was_answered(),
            (200..=299, "UPDATE" | "PRACK") => !request.body.is_empty(),
            _ => false,
        }
    }

    /// What a user agent learns from a response it receives.
    fn hear(&mut self, name: &str, response: &Draft) {
        let status = response.status();
        if let Some(header) = match status {
            401 => Some("Authorization"),
            407 => Some("Proxy-Authorization"),
            _ => None,
        } {
            let nonce = format!("{:032x}", self.serial());
            let credentials = format!(
                "Digest username=\"{name}\", realm=\"example.com\", nonce=\"{}\", \
                 uri=\"sip:example.com\", response=\"{nonce}\", algorithm=MD5",
                nonce_of(response)
            );
            self.side(name).credentials = Some((header.to_owned(), credentials));
        }
        let makes_dialog = matches!(response.method(), "INVITE" | "SUBSCRIBE" | "REFER");
        let side = self.side(name);
        if makes_dialog && 300 <= status && side.remote.as_ref().is_some_and(|r| !r.confirmed) {
            side.remote = None;
        }
        if !makes_dialog || !(101..300).contains(&status) || response.tag("To").is_none() {
            return;
        }
        let to = response.value("To").unwrap_or_default();
        let target = response.contact();
        let known = side.remote.take();
        let target = target.or_else(|| known.as_ref().map(|known| known.target.clone()));
        let mut route: Vec<String> = response.values("Record-Route").map(str::to_owned).collect();
        route.reverse();
        if let Some(known) = known.filter(|known| known.confirmed) {
            route = known.route;
        }
        side.remote = Some(Remote {
            tag: response.tag("To"),
            address: to.split(";tag=").next().unwrap_or_default().to_owned(),
            target: target.unwrap_or_else(|| "sip:unknown.example.com".to_owned()),
            route,
            confirmed: 200 <= status,
        });
    }
}

fn challenge(nonce: &str) -> String {
    format!("Digest realm=\"example.com\", nonce=\"{nonce}\", algorithm=MD5")
}

fn nonce_of(response: &Draft) -> &str {
    let challenge =
        response.value("WWW-Authenticate").or_else(|| response.value("Proxy-Authenticate"));
    challenge
        .and_then(|value| value.split_once("nonce=\""))
        .and_then(|(_, rest)| rest.split('"').next())
        .unwrap_or_default()
}

fn reason(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        180 => "Ringing",
        183 => "Session Progress",
        200 => "OK",
        202 => "Accepted",
        301 => "Moved Permanently",
        302 => "Moved Temporarily",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        415 => "Unsupported Media Type",
        420 => "Bad Extension",
        423 => "Interval Too Brief",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        489 => "Bad Event",
        500 => "Server Internal Error",
        503 => "Service Unavailable",
        603 => "Decline",
        _ => "Answered",
    }
}
