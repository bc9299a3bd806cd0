//! Requests: new ones of user agents, copies that proxies send on, ACK and CANCEL of a hop.

use super::{Passage, Remote, World, address_of, is_proxy};
use crate::support::flow::Draft;
use crate::support::flow::script::Line;

impl World<'_> {
    /// The request of `line`, as its sender builds it; the receiver has learned from it.
    pub(super) fn request(&mut self, line: &Line<'_>, method: &str) -> Draft {
        let mut draft = match method {
            "CANCEL" => self.cancel(line),
            "ACK" if self.refused(line).is_some() => self.ack_of_refusal(line),
            _ if is_proxy(line.from) => self.forward(line, method),
            _ => self.originate(line, method),
        };
        draft.push("Content-Length", "0");
        draft.edit(&line.edits);
        if !is_proxy(line.to) {
            self.arrive(line.to, &draft, method);
        }
        self.learn().requests.push(Passage {
            client: line.from.to_owned(),
            server: line.to.to_owned(),
            draft: draft.clone(),
            forwarded: false,
        });
        draft
    }

    fn originate(&mut self, line: &Line<'_>, method: &str) -> Draft {
        let name = line.from;
        let remote = self.side(name).remote.clone().filter(|remote| match method {
            "REGISTER" | "PUBLISH" => false,
            "INVITE" | "SUBSCRIBE" => remote.confirmed,
            _ => true,
        });
        let cseq = self.cseq(line, method);
        let destination = self.destination(name, line.to, method);
        let (uri, to, route) = match &remote {
            Some(remote) => {
                let tag = remote.tag.as_ref().map_or(String::new(), |tag| format!(";tag={tag}"));
                (remote.target.clone(), remote.address.clone() + &tag, remote.route.clone())
            }
            None if method == "REGISTER" => {
                ("sip:example.com".to_owned(), address_of(name), Vec::new())
            }
            None => {
                (format!("sip:{destination}@example.com"), address_of(&destination), Vec::new())
            }
        };
        let mut draft = Draft::new(format!("{method} {uri} SIP/2.0"));
        let via = self.via(name);
        draft.push("Via", via);
        for route in route {
            draft.push("Route", route);
        }
        draft.push("Max-Forwards", "70");
        draft.push("From", format!("{};tag={}", address_of(name), self.tag(name)));
        draft.push("To", to);
        let host = self.origin_host(line);
        draft.push("Call-ID", format!("{}@{host}", self.call));
        draft.push("CSeq", format!("{cseq} {method}"));
        if method == "PRACK" {
            self.acknowledge_provisional(&mut draft, line);
        }
        self.furnish(&mut draft, name, method);
        if method != "ACK"
            && let Some((header, value)) = self.side(name).credentials.take()
        {
            draft.push(&header, value);
        }
        let answers_in_ack = method == "ACK" && self.was_offered_in_response(line);
        if (method == "INVITE" && !line.is("bare")) || line.is("sdp") || answers_in_ack {
            self.describe(&mut draft, name);
        }
        draft
    }

    /// The number of a new request, or that of the INVITE an ACK is for.
    fn cseq(&mut self, line: &Line<'_>, method: &str) -> u32 {
        if method == "ACK" {
            let invite = self.last_request(line, "INVITE");
            if let Some(number) = invite.and_then(|invite| number(&invite.draft)) {
                return number;
            }
        }
        let side = self.side(line.from);
        side.cseq += 1;
        side.cseq
    }

    /// The host in the Call-ID: that of whoever sent the first request.
    fn origin_host(&self, line: &Line<'_>) -> String {
        let first = self.know().requests.first();
        self.address(first.map_or(line.from, |first| &first.client)).ip().to_string()
    }

    fn acknowledge_provisional(&mut self, draft: &mut Draft, line: &Line<'_>) {
        let reliable =
            self.know().responses.iter().rfind(|passage| {
                passage.client == line.from && passage.draft.value("RSeq").is_some()
            });
        if let Some(passage) = reliable {
            let rseq = passage.draft.value("RSeq").unwrap();
            let cseq = passage.draft.value("CSeq").unwrap();
            draft.push("RAck", format!("{rseq} {cseq}"));
        }
    }

    /// True when the INVITE of this hop had no offer and its 2xx brought one.
    fn was_offered_in_response(&self, line: &Line<'_>) -> bool {
        let invite = self.last_request(line, "INVITE");
        let answer = self.final_response(line, "INVITE");
        matches!((invite, answer), (Some(invite), Some(answer))
            if invite.draft.body.is_empty() && !answer.draft.body.is_empty())
    }

    /// The next hop's copy of the latest request `line.from` received (section 16.6).
    fn forward(&mut self, line: &Line<'_>, method: &str) -> Draft {
        let received = self
            .know()
            .requests
            .iter()
            .rfind(|passage| passage.server == line.from && passage.draft.method() == method)
            .unwrap_or_else(|| panic!("{} has no {method} to forward", line.from))
            .draft
            .clone();
        let me = format!("<sip:{};lr>", self.address(line.from));
        let mut draft = received.clone();
        draft.remove("Content-Length");
        let via = self.via(line.from);
        draft.headers.insert(0, ("Via".to_owned(), via));
        let hops = received.value("Max-Forwards").and_then(|hops| hops.trim().parse::<u32>().ok());
        draft.set("Max-Forwards", &hops.map_or(70, |hops| hops.saturating_sub(1)).to_string());
        if draft.value("Route") == Some(me.as_str()) {
            let own = draft.headers.iter().position(|(name, _)| name == "Route").unwrap();
            draft.headers.remove(own);
        }
        let is_initial = draft.tag("To").is_none();
        if is_initial && !is_proxy(line.to) && method != "REGISTER" {
            draft.start = format!("{method} {} SIP/2.0", self.contact(line.to));
        }
        if is_initial && matches!(method, "INVITE" | "SUBSCRIBE" | "REFER") {
            draft.headers.insert(1, ("Record-Route".to_owned(), me));
        }
        draft
    }

    /// A CANCEL of this hop: a copy of what identifies its INVITE (section 9.1).
    fn cancel(&mut self, line: &Line<'_>) -> Draft {
        let invite = self
            .last_request(line, "INVITE")
            .unwrap_or_else(|| panic!("{} has no INVITE to cancel", line.from))
            .draft
            .clone();
        Self::of_hop(&invite, "CANCEL", invite.value("To").unwrap_or_default())
    }

    /// The ACK of a refusal: again of this hop (section 17.1.1.3).
    fn ack_of_refusal(&mut self, line: &Line<'_>) -> Draft {
        let invite = self.last_request(line, "INVITE").unwrap().draft.clone();
        let to = self.refused(line).unwrap().draft.value("To").unwrap_or_default().to_owned();
        Self::of_hop(&invite, "ACK", &to)
    }

    fn of_hop(invite: &Draft, method: &str, to: &str) -> Draft {
        let mut draft = Draft::new(format!("{method} {} SIP/2.0", invite.uri()));
        draft.push("Via", invite.value("Via").unwrap_or_default());
        draft.copy(invite, "Route");
        draft.push("Max-Forwards", "70");
        draft.copy(invite, "From");
        draft.push("To", to);
        draft.copy(invite, "Call-ID");
        draft.push("CSeq", format!("{} {method}", number(invite).unwrap_or(1)));
        draft
    }

    /// The refusal of the last INVITE on this hop.
    fn refused(&self, line: &Line<'_>) -> Option<&Passage> {
        self.final_response(line, "INVITE").filter(|answer| 300 <= answer.draft.status())
    }

    fn last_request(&self, line: &Line<'_>, method: &str) -> Option<&Passage> {
        self.know().requests.iter().rfind(|passage| {
            passage.client == line.from
                && passage.server == line.to
                && passage.draft.method() == method
        })
    }

    /// The last final response on this hop.
    fn final_response(&self, line: &Line<'_>, method: &str) -> Option<&Passage> {
        self.know().responses.iter().rfind(|passage| {
            passage.client == line.from
                && passage.server == line.to
                && passage.draft.method() == method
                && 200 <= passage.draft.status()
        })
    }

    /// What a user agent learns from a request it receives.
    fn arrive(&mut self, name: &str, request: &Draft, method: &str) {
        if !matches!(method, "INVITE" | "SUBSCRIBE" | "REFER" | "NOTIFY" | "UPDATE") {
            return;
        }
        let target = request.contact();
        let side = self.side(name);
        if let Some(remote) = &mut side.remote {
            if let Some(target) = target {
                remote.target = target;
            }
            return;
        }
        let from = request.value("From").unwrap_or_default();
        side.remote = Some(Remote {
            tag: request.tag("From"),
            address: from.split(";tag=").next().unwrap_or_default().to_owned(),
            target: target.unwrap_or_else(|| "sip:unknown.example.com".to_owned()),
            route: request.values("Record-Route").map(str::to_owned).collect(),
            confirmed: false,
        });
    }
}

/// The number in CSeq.
fn number(draft: &Draft) -> Option<u32> {
    draft.value("CSeq")?.split(' ').next()?.parse().ok()
}
