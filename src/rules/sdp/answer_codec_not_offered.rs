//! S011: an answer in another language.

use super::description;
use crate::model::{Exchange, Note};
use crate::rules::{Breach, Case, Check, Found, Group, Rule, Severity, Tier, Verdict, quote};
use crate::sdp::{Codec, Stream, streams};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "S011",
    name: "answer-codec-not-offered",
    aliases: &[],
    statement: "An accepted stream of the answer has no codec in common with the offer.",
    tier: Tier::Core,
    severity: Severity::Error,
    refs: &["RFC 3264 section 6.1", "RFC 3264 section 8.3.2"],
    kinds: &[
        ("none-in-common", Severity::Error),
        ("only-dtmf", Severity::Warning),
        ("extra", Severity::Info),
    ],
    pedantic: &[],
    group: Group::Flow,
    page: include_str!("answer_codec_not_offered.md"),
    checks: &[Check::Exchange(check)],
};

/// Encodings that carry no speech of their own.
const AUXILIARY: [&[u8]; 5] = [b"telephone-event", b"CN", b"red", b"ulpfec", b"rtx"];

fn check(exchange: &Exchange, case: &Case<'_>, found: &mut Found<'_>) -> Verdict {
    let (offer, Some(answer)) = (exchange.offer.message, exchange.answer) else {
        return Verdict::Moot;
    };
    let answer = answer.message;
    if case.flow.entry(answer).note != Note::New {
        return Verdict::Moot;
    }
    let bodies = (description(case.message(offer)), description(case.message(answer)));
    let (Ok(asked), Ok(said)) = bodies else {
        return Verdict::Undecided("offer or answer not whole");
    };
    let mut verdict = Verdict::Judged;
    for (offered, answered) in streams(asked).iter().zip(&streams(said)) {
        if offered.port == 0 || answered.port == 0 {
            continue;
        }
        let Some((kind, what)) = compare(offered, answered) else { continue };
        if kind.is_empty() {
            verdict = Verdict::Undecided("a payload type without a name");
            continue;
        }
        found.add_kind(kind, || {
            let media = quote::text(answered.kind);
            let title = match kind {
                "only-dtmf" => format!("Answer shares only {what} with the offered {media}"),
                "extra" => format!("Answer adds {what} to the offered {media}"),
                _ => format!("Answer of {what} to {media} offered as {}", names(offered)),
            };
            let place = |id, media: &Stream<'_>| case.message(id).span_of(media.kind);
            Breach::new(title).at(answer, place(answer, answered), "the answer").at(
                offer,
                place(offer, offered),
                "the offer",
            )
        });
    }
    verdict
}

/// The kind of breach and the codecs it is about; an empty kind when they cannot be compared.
fn compare(offered: &Stream<'_>, answered: &Stream<'_>) -> Option<(&'static str, String)> {
    let is_rtp = |media: &Stream<'_>| media.protocol.windows(3).any(|part| part == b"RTP");
    if !is_rtp(offered) || !is_rtp(answered) {
        return None;
    }
    let is_offered = |codec: &&Codec<'_>| offered.codecs.iter().any(|other| is_same(codec, other));
    let mut common = answered.codecs.iter().filter(is_offered).peekable();
    let Some(first) = common.peek().copied() else {
        // A dynamic number without a name may be anything, the very codec offered among it.
        let is_named = |media: &Stream<'_>| {
            !media.codecs.is_empty() && media.formats.len() <= media.codecs.len()
        };
        if !is_named(answered) || !is_named(offered) {
            return Some(("", String::new()));
        }
        return Some(("none-in-common", names(answered)));
    };
    let is_auxiliary =
        |codec: &Codec<'_>| AUXILIARY.iter().any(|name| codec.name.eq_ignore_ascii_case(name));
    let offers_speech = !offered.codecs.iter().all(is_auxiliary);
    if offers_speech && common.all(is_auxiliary) {
        return Some(("only-dtmf", name(first)));
    }
    let extra = answered.codecs.iter().find(|codec| !is_offered(codec))?;
    Some(("extra", name(extra)))
}

fn is_same(one: &Codec<'_>, other: &Codec<'_>) -> bool {
    one.name.eq_ignore_ascii_case(other.name)
        && one.rate == other.rate
        && one.channels == other.channels
}

fn name(codec: &Codec<'_>) -> String {
    format!("{}/{}", quote::text(codec.name), codec.rate)
}

fn names(media: &Stream<'_>) -> String {
    media.codecs.iter().take(6).map(name).collect::<Vec<_>>().join(", ")
}
