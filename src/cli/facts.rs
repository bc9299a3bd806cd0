//! What a message and a call answer when a filter asks for a field.
#![allow(clippy::cast_precision_loss)] // A filter needs no more digits than a double has.

use super::filter::{Facts, Field, Value};
use crate::model::{CallFlow, Summary};
use crate::net::Endpoint;
use crate::rules::{FlowReport, Selection, codes, find};
use crate::sip::{HeaderName, Message, NameAddr, Uri};
use crate::time::SECOND;

type Test<'t> = &'t mut dyn FnMut(Value<'_>) -> bool;

impl Facts for Message {
    fn any(&self, field: Field, test: Test<'_>) -> bool {
        let envelope = &self.envelope;
        let text = |value: Option<&[u8]>, test: Test<'_>| {
            value.is_some_and(|octets| test(Value::Text(octets)))
        };
        match field {
            Field::Method => {
                let own = self.method().map(|method| method.as_str().as_bytes());
                text(own.or_else(|| self.cseq().map(|cseq| cseq.method)), test)
            }
            Field::Status => number(self.status().map(|status| f64::from(status.0)), test),
            Field::Reason => text(self.reason(), test),
            Field::CallId => text(self.call_id(), test),
            Field::CSeq => number(self.cseq().map(|cseq| f64::from(cseq.number)), test),
            Field::From => text(self.value(HeaderName::From), test),
            Field::FromUser => text(self.from().and_then(user), test),
            Field::FromTag => text(self.from_tag(), test),
            Field::To => text(self.value(HeaderName::To), test),
            Field::ToUser => text(self.to().and_then(user), test),
            Field::ToTag => text(self.to_tag(), test),
            Field::User => {
                text(self.from().and_then(user), test)
                    || text(self.to().and_then(user), test)
                    || text(self.request_uri().and_then(Uri::parse).and_then(|u| u.user), test)
            }
            Field::Contact => self.values(HeaderName::Contact).any(|v| test(Value::Text(v))),
            Field::Via => text(self.value(HeaderName::Via), test),
            Field::RequestUri => text(self.request_uri(), test),
            Field::Agent => {
                text(self.value(HeaderName::UserAgent), test)
                    || text(self.value(HeaderName::Server), test)
            }
            Field::Text => test(Value::Text(self.text())),
            Field::Source => host(envelope.from, test),
            Field::Destination => host(envelope.to, test),
            Field::Host => host(envelope.from, test) || host(envelope.to, test),
            Field::SourcePort => number(Some(f64::from(envelope.from.port)), test),
            Field::DestinationPort => number(Some(f64::from(envelope.to.port)), test),
            Field::Port => {
                number(Some(f64::from(envelope.from.port)), test)
                    || number(Some(f64::from(envelope.to.port)), test)
            }
            Field::Transport => test(Value::Text(envelope.transport.word().as_bytes())),
            Field::Frame => number(Some(envelope.frame.number() as f64), test),
            Field::Rule => {
                codes(self, &Selection::default()).into_iter().any(|code| names(code, test))
            }
            Field::State
            | Field::FinalStatus
            | Field::Setup
            | Field::Duration
            | Field::Messages
            | Field::Retransmissions => false,
        }
    }
}

impl Facts for CallFlow {
    fn any(&self, field: Field, test: Test<'_>) -> bool {
        let seconds = |nanos: Option<i64>| nanos.map(|nanos| nanos as f64 / SECOND as f64);
        let of = |read: fn(&Summary) -> Option<i64>| seconds(read(&self.summary()));
        match field {
            Field::State => test(Value::Text(self.summary().state.word().as_bytes())),
            Field::FinalStatus => {
                number(self.summary().status.map(|status| f64::from(status.0)), test)
            }
            Field::Setup => number(of(|summary| summary.setup), test),
            Field::Duration => number(of(|summary| summary.duration), test),
            Field::Messages => number(Some(f64::from(self.summary().messages)), test),
            Field::Retransmissions => number(Some(f64::from(self.summary().retransmissions)), test),
            _ => self.messages.iter().any(|entry| entry.message.any(field, test)),
        }
    }
}

/// A call with what the rules say of it.
pub struct Judged<'a> {
    /// The call.
    pub flow: &'a CallFlow,
    /// Findings of this call alone.
    pub report: &'a FlowReport,
}

impl Facts for Judged<'_> {
    fn any(&self, field: Field, test: Test<'_>) -> bool {
        match field {
            Field::Rule => self.report.findings().any(|finding| names(finding.rule.code, test)),
            _ => self.flow.any(field, test),
        }
    }
}

/// Whether `test` holds for the code or the name of a rule.
fn names(code: &str, test: Test<'_>) -> bool {
    let name = find(code).map_or("", |rule| rule.name);
    test(Value::Text(code.as_bytes())) || test(Value::Text(name.as_bytes()))
}

fn number(number: Option<f64>, test: Test<'_>) -> bool {
    number.is_some_and(|number| test(Value::Number(number)))
}

fn host(end: Endpoint, test: Test<'_>) -> bool {
    end.known().is_some_and(|end| test(Value::Text(end.ip.to_string().as_bytes())))
}

fn user(address: NameAddr<'_>) -> Option<&[u8]> {
    address.parsed_uri()?.user
}
